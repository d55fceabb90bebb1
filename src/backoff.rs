//! Backoff before a thread goes to sleep: spinning on a condition, yielding the core.

#![forbid(unsafe_code)]

use std::thread;
use std::time::Duration;

use crate::clock;

/// About five microseconds where the core is wanted by nobody else. Waking a thread costs as much
/// on both sides. Yielding, rather than spinning, gives the core to whoever is waited for, if that
/// thread has none. (With 100 spins of the processor in front, main's round trip took half as long
/// again on two busy cores.)
const YIELDS: usize = 16;

/// Lets some time pass, too little to sleep.
pub(crate) fn yield_for(time: Duration) {
    let start = clock::now();
    while start.elapsed() < time {
        thread::yield_now();
    }
}

/// If spinning takes longer, others want the core, and each time that it is yielded they may
/// keep it for milliseconds.
const CONTENDED: Duration = Duration::from_micros(100);

/// How spinning ended.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum SpinOutcome {
    /// The condition holds.
    Ready,
    TimedOut,
    /// It took long, and is over early.
    Contended,
}

/// Waits until `condition` holds, but not for long.
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
        // Not each time: it takes as long as a yield.
        if yields.is_power_of_two() && start.elapsed() > CONTENDED {
            return SpinOutcome::Contended;
        }
    }
    SpinOutcome::TimedOut
}
