//! The time of events: the processor's own counter, where the system uses it as its clock, and that clock elsewhere.
//!
//! To read the counter takes a few nanoseconds, as the processor goes on meanwhile, and the clock some thirty.
//! `skynet` takes 1.4 to 1.5 times as long with a trace by the clock as without, and 1.1 by the counter.
//!
//! Linux has checked that the counters of all cores agree and never stop, if it uses them for its own clock.
//!
//! # Order
//!
//! The processor may read the counter before loads that come earlier in the program. So who has found a task that
//! another thread has pushed waits for its loads first (`ordered`): the poll begins after the wake. Who pushes
//! reads it before the push, and stores are never seen before what precedes them.
//!
//! Rejected: the crates `quanta` and `minstant`, which calibrate the counter when they start, with threads or for
//! tens of milliseconds. Here the two clocks are compared when somebody reads a trace.

#![allow(unsafe_code)]

use std::time::Instant;

use crate::clock;

/// How times in the rings count.
#[derive(Clone, Copy)]
pub(crate) struct Ticks {
    started: Instant,
    /// The counter's value then; `None`: it is not used, and ticks are nanoseconds.
    first: Option<u64>,
}

/// Of a tick of the counter: so that ticks are about nanoseconds.
const SHIFT: u32 = 2;

impl Ticks {
    pub(crate) fn new(started: Instant) -> Self {
        Ticks { started, first: is_usable().then(counter) }
    }

    #[inline]
    pub(crate) fn now(self) -> u64 {
        match self.first {
            Some(first) => counter().wrapping_sub(first) >> SHIFT,
            None => self.nanoseconds(),
        }
    }

    /// The same, after all that this thread has read before.
    pub(crate) fn ordered(self) -> u64 {
        if self.first.is_some() {
            wait_for_loads();
        }
        self.now()
    }

    /// What ticks are in nanoseconds, by what both clocks say now.
    pub(crate) fn to_nanoseconds(self) -> impl Fn(u64) -> u64 {
        let (nanoseconds, ticks) = (self.nanoseconds(), self.ordered().max(1));
        let is_counter = self.first.is_some();
        move |at| match is_counter {
            true => (u128::from(at) * u128::from(nanoseconds) / u128::from(ticks)) as u64,
            false => at,
        }
    }

    fn nanoseconds(self) -> u64 {
        clock::now().saturating_duration_since(self.started).as_nanos() as u64
    }
}

/// Whether the system uses the counter.
fn is_usable() -> bool {
    const SOURCE: &str = "/sys/devices/system/clocksource/clocksource0/current_clocksource";
    cfg!(all(target_arch = "x86_64", target_os = "linux", not(miri)))
        && std::fs::read_to_string(SOURCE).is_ok_and(|source| source.trim() == "tsc")
}

#[cfg(target_arch = "x86_64")]
#[inline]
fn counter() -> u64 {
    // SAFETY: each x86-64 processor has this instruction, which reads and writes no memory.
    // Exercised by `soundness::events_of_all_threads`.
    unsafe { core::arch::x86_64::_rdtsc() }
}

#[cfg(target_arch = "x86_64")]
#[inline]
fn wait_for_loads() {
    // SAFETY: each x86-64 processor has this instruction, which reads and writes no memory.
    // Exercised by `soundness::events_of_all_threads`.
    unsafe { core::arch::x86_64::_mm_lfence() }
}

#[cfg(not(target_arch = "x86_64"))]
fn counter() -> u64 {
    unreachable!("`is_usable` has said so")
}

#[cfg(not(target_arch = "x86_64"))]
fn wait_for_loads() {}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;
    use std::thread;

    use super::*;

    /// Both kinds of ticks, where there are both.
    fn kinds() -> [Ticks; 2] {
        let started = clock::now();
        [Ticks::new(started), Ticks { started, first: None }]
    }

    #[test]
    fn a_message_comes_after_it_was_sent() {
        for ticks in kinds() {
            let (there, from_here) = channel::<u64>();
            let (back, from_there) = channel::<u64>();
            let other = thread::spawn(move || {
                for sent in from_here {
                    let received = ticks.ordered();
                    assert!(received >= sent, "{received} {sent}");
                    back.send(ticks.now()).unwrap();
                }
            });
            for _ in 0..10_000 {
                there.send(ticks.now()).unwrap();
                let sent = from_there.recv().unwrap();
                assert!(ticks.ordered() >= sent);
            }
            drop(there);
            other.join().unwrap();
        }
    }

    #[test]
    fn ticks_are_as_long_as_the_clock_says() {
        for ticks in kinds() {
            let (before, started) = (ticks.now(), clock::now());
            while started.elapsed().as_millis() < 20 {}
            let (after, passed) = (ticks.now(), started.elapsed().as_nanos() as f64);
            let to_nanoseconds = ticks.to_nanoseconds();
            let counted = (to_nanoseconds(after) - to_nanoseconds(before)) as f64;
            // The thread may have lost its core between two reads.
            assert!((0.5..2.0).contains(&(counted / passed)), "{counted} {passed}");
        }
    }
}
