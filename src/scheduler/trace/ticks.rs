//! The time of events: the processor's own counter, where the system uses it as its clock, and that clock elsewhere.
//!
//! To read the counter takes a few nanoseconds, as the processor goes on meanwhile, and the clock some thirty.
//! `skynet` takes 1.4 to 1.5 times as long with a trace by the clock as without, and 1.1 by the counter.
//!
//! Linux has checked that the counters of all cores agree and never stop, if it uses them for its own clock. While the
//! machine sleeps the two may differ. So the monitor notes now and then how they stand, and what is between two notes
//! is converted by these. On a machine where the counter starts anew after a sleep, what was recorded before
//! is in disorder.
//!
//! # Order
//!
//! The processor may read the counter before loads that come earlier in the program. So who has found a task that
//! another thread has pushed waits for its loads first (`ordered`): the poll begins after the wake. Who pushes
//! reads it before the push, and stores are never seen before what precedes them.
//!
//! Rejected: the crates `quanta` and `minstant`, which calibrate the counter when they start, with threads or for
//! tens of milliseconds.

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

/// So often both clocks are read, until little time passes meanwhile: a thread may lose its core between the two.
const TRIES: usize = 8;

/// So much is little, and about so far from the truth may a note be: in ticks.
const CLOSE: u64 = 1 << 12;
const FAR: u64 = 1 << 16;

/// Of a tick of the counter: so that ticks are about nanoseconds.
const SHIFT: u32 = 2;

impl Ticks {
    /// They begin now.
    pub(crate) fn new() -> Self {
        match is_usable() {
            true => {
                let (first, started, _) = closest(|| counter() >> SHIFT);
                Ticks { started, first: Some(first << SHIFT) }
            }
            false => Ticks { started: clock::now(), first: None },
        }
    }

    #[inline]
    pub(crate) fn now(self) -> u64 {
        match self.first {
            Some(first) => counter().saturating_sub(first) >> SHIFT,
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

    /// What both clocks say now.
    pub(crate) fn both(self) -> (u64, u64) {
        let (ticks, nanoseconds, _) = self.both_within();
        (ticks, nanoseconds)
    }

    /// The same, if the one is what it is when the other is read.
    pub(crate) fn both_at_once(self) -> Option<(u64, u64)> {
        let (ticks, nanoseconds, passed) = self.both_within();
        (passed <= FAR).then_some((ticks, nanoseconds))
    }

    /// The same, and how many ticks have passed meanwhile.
    fn both_within(self) -> (u64, u64, u64) {
        let (ticks, at, passed) = closest(|| self.ordered());
        (ticks, at.saturating_duration_since(self.started).as_nanos() as u64, passed)
    }

    /// What ticks are in nanoseconds, by what both clocks said at some times.
    pub(crate) fn to_nanoseconds(self, mut pairs: Vec<(u64, u64)>) -> impl Fn(u64) -> u64 + use<> {
        pairs.push((0, 0));
        pairs.sort_unstable();
        pairs.dedup_by_key(|(ticks, _)| *ticks);
        // Two threads that have read them at nearly the same time may differ a little. Time does not go back.
        let mut latest = 0;
        for (_, nanoseconds) in &mut pairs {
            latest = latest.max(*nanoseconds);
            *nanoseconds = latest;
        }
        let is_counter = self.first.is_some();
        move |at| {
            if !is_counter {
                return at;
            }
            let after = pairs.partition_point(|(ticks, _)| *ticks <= at).clamp(1, pairs.len() - 1);
            let ((ticks, nanoseconds), (next_ticks, next)) = (pairs[after - 1], pairs[after]);
            let passed = u128::from(next.saturating_sub(nanoseconds));
            let part = u128::from(at - ticks) * passed / u128::from(next_ticks - ticks);
            nanoseconds + part as u64
        }
    }

    pub(crate) fn nanoseconds(self) -> u64 {
        clock::now().saturating_duration_since(self.started).as_nanos() as u64
    }
}

/// What the counter and the clock say at the same moment, and how many ticks have passed while both were read.
fn closest(ticks: impl Fn() -> u64) -> (u64, Instant, u64) {
    let read = || {
        let (before, at, after) = (ticks(), clock::now(), ticks());
        let passed = after.saturating_sub(before);
        (before + passed / 2, at, passed)
    };
    let mut best = read();
    for _ in 1..TRIES {
        if best.2 <= CLOSE {
            break;
        }
        let next = read();
        best = if next.2 < best.2 { next } else { best };
    }
    best
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
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::thread;

    use super::*;
    use crate::primitives::lock_backoff;

    /// Both kinds of ticks, where there are both.
    fn kinds() -> [Ticks; 2] {
        [Ticks::new(), Ticks { started: clock::now(), first: None }]
    }

    /// By a word that both spin on, as fast as cores can.
    #[test]
    fn what_was_sent_comes_after_it_was_sent() {
        const ROUNDS: u64 = 20_000;
        for ticks in kinds() {
            let (there, back) = (AtomicU64::new(0), AtomicU64::new(0));
            let spin = |word: &AtomicU64, last: u64| {
                let mut turn = 0;
                loop {
                    match word.load(Ordering::Acquire) {
                        new if new != last => return new,
                        _ => lock_backoff(turn),
                    }
                    turn += 1;
                }
            };
            thread::scope(|scope| {
                scope.spawn(|| {
                    let mut last = 0;
                    for _ in 0..ROUNDS {
                        last = spin(&there, last);
                        let received = ticks.ordered();
                        assert!(received + 1 >= last, "{received} {last}");
                        back.store(last, Ordering::Release);
                    }
                });
                for _ in 0..ROUNDS {
                    let sent = (ticks.now() + 1).max(there.load(Ordering::Relaxed) + 1);
                    there.store(sent, Ordering::Release);
                    while back.load(Ordering::Acquire) != sent {
                        thread::yield_now();
                    }
                }
            });
        }
    }

    #[test]
    fn ticks_are_as_long_as_the_clock_says() {
        for ticks in kinds() {
            let (before, started) = (ticks.now(), clock::now());
            while started.elapsed().as_millis() < 20 {}
            let (after, passed) = (ticks.now(), started.elapsed().as_nanos() as f64);
            let to_nanoseconds = ticks.to_nanoseconds(vec![ticks.both()]);
            let counted = (to_nanoseconds(after) - to_nanoseconds(before)) as f64;
            // The thread may have lost its core between two reads.
            assert!((0.5..2.0).contains(&(counted / passed)), "{counted} {passed}");
        }
    }

    /// Two threads have noted both clocks, and one has lost its core in between.
    #[test]
    fn times_stay_in_order_where_notes_disagree() {
        let ticks = Ticks { started: clock::now(), first: Some(0) };
        let to_nanoseconds = ticks.to_nanoseconds(vec![(1_000, 500), (1_100, 400), (2_000, 900)]);
        let times = [0, 999, 1_000, 1_050, 1_100, 1_101, 2_000, 2_500].map(to_nanoseconds);
        assert!(times.is_sorted(), "{times:?}");
    }

    /// The counter has gone on for a thousand ticks, and the clock has not.
    #[test]
    fn time_that_a_machine_has_slept_does_not_count() {
        let ticks = Ticks { started: clock::now(), first: Some(0) };
        let to_nanoseconds = ticks.to_nanoseconds(vec![(1_000, 500), (2_000, 500), (3_000, 1_000)]);
        let times = [0, 500, 1_000, 1_700, 2_000, 2_500].map(to_nanoseconds);
        assert_eq!(times, [0, 250, 500, 500, 500, 750]);
    }
}
