//! Backoff before a thread sleeps: it spins on a condition, and yields its core.
//!
//! A thread that spins notices the condition soonest, but it may keep the awaited thread off the core. So it spins only
//! while that pays. After a spin in vain the next few waits only yield. Each further spin in vain makes them four
//! times as many, and each that pays halves their number. So on a busy machine spins are rare, and a thread that
//! always waits for long hardly ever spins.

#![forbid(unsafe_code)]

use std::cell::Cell;
use std::time::Duration;
use std::{hint, thread};

use crate::clock;

/// About five microseconds if no other thread wants the core. Waking a thread costs as much on both
/// sides. A yield, unlike a spin, gives the core to the awaited thread if that has none.
const YIELDS: usize = 16;

/// How long a thread spins, if its clock moves, and how often it reads the clock meanwhile, at most.
const SPIN: Duration = Duration::from_micros(2);
const ROUNDS: usize = 16;

/// How often it looks in between.
const LOOKS: usize = 8;

/// The most waits without a spin, after many spins in vain.
const MOST_WAITS: u32 = 1024;

thread_local! {
    static SPINNING: Cell<Spinning> = const { Cell::new(Spinning { pause: 0, next_pause: 1 }) };
}

/// Whether this thread spins when it waits.
#[derive(Clone, Copy)]
struct Spinning {
    /// For so many more waits it does not.
    pause: u32,
    /// For so many, if the next spin is in vain.
    next_pause: u32,
}

/// Yields until `time` has passed, which is too short for a sleep.
pub(crate) fn yield_for(time: Duration) {
    let start = clock::now();
    while start.elapsed() < time {
        thread::yield_now();
    }
}

/// If spinning takes longer, other threads want the core, and may keep it for milliseconds after
/// each yield.
const CONTENDED: Duration = Duration::from_micros(100);

/// How spinning ended.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum SpinOutcome {
    /// The condition holds.
    Ready,
    TimedOut,
    /// It took long, and ended early.
    Contended,
}

/// Waits briefly until `condition` holds.
pub(crate) fn spin_until(condition: impl Fn() -> bool) -> SpinOutcome {
    if condition() {
        return SpinOutcome::Ready;
    }
    if spins() && spin(&condition) {
        return SpinOutcome::Ready;
    }
    let start = clock::now();
    for yields in 1..=YIELDS {
        thread::yield_now();
        if condition() {
            return SpinOutcome::Ready;
        }
        // Not each time: the check takes as long as a yield.
        if yields.is_power_of_two() && start.elapsed() > CONTENDED {
            return SpinOutcome::Contended;
        }
    }
    SpinOutcome::TimedOut
}

/// Whether the calling thread is to spin in this wait.
fn spins() -> bool {
    let Spinning { pause, next_pause } = SPINNING.get();
    SPINNING.set(Spinning { pause: pause.saturating_sub(1), next_pause });
    pause == 0
}

/// Spins until `condition` holds, or for long enough.
fn spin(condition: impl Fn() -> bool) -> bool {
    let start = clock::now();
    let mut rounds = (0..ROUNDS).take_while(|_| start.elapsed() < SPIN);
    let came = rounds.any(|_| {
        (0..LOOKS).any(|_| {
            hint::spin_loop();
            condition()
        })
    });
    let Spinning { next_pause, .. } = SPINNING.get();
    SPINNING.set(match came {
        true => Spinning { pause: 0, next_pause: (next_pause / 2).max(1) },
        false => Spinning { pause: next_pause, next_pause: (4 * next_pause).min(MOST_WAITS) },
    });
    came
}
