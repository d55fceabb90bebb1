//! The one clock.

#![forbid(unsafe_code)]

use std::cell::Cell;
use std::time::Instant;

thread_local! {
    /// What it shows on a thread of a simulation, where time moves only when nothing else can.
    static SIMULATED: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// The present, on the monotonic clock, or in the simulation that the calling thread runs.
#[inline]
pub(crate) fn now() -> Instant {
    SIMULATED.get().unwrap_or_else(Instant::now)
}

/// Sets what the clock shows on the calling thread; `None`: the present. Returns the former setting.
pub(crate) fn simulate(now: Option<Instant>) -> Option<Instant> {
    SIMULATED.replace(now)
}

/// Whether the calling thread runs a simulation.
#[inline]
pub(crate) fn is_simulated() -> bool {
    SIMULATED.get().is_some()
}
