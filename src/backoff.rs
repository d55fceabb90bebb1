//! Backoff before a thread sleeps: it spins on a condition, and yields its core.

#![forbid(unsafe_code)]

use std::thread;
use std::time::Duration;

use crate::clock;

/// About five microseconds if no other thread wants the core. Waking a thread costs as much on both
/// sides. A yield, unlike a spin, gives the core to the awaited thread if that has none. With 100
/// processor spins before the yields, main's round trip took half as long again on two busy cores.
const YIELDS: usize = 16;

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
