//! A timer's deadline, and the runtime that drives it.

#![forbid(unsafe_code)]

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::clock;
use crate::scheduler::entered;
use crate::scheduler::shared::Scheduler;

/// A deadline that never comes in practice: thirty years.
pub(super) const FAR: Duration = Duration::from_secs(30 * 365 * 24 * 3600);

/// `after` from now. A time beyond the clock's range becomes `FAR`.
pub(super) fn deadline(after: Duration) -> Instant {
    let now = clock::now();
    now.checked_add(after).unwrap_or_else(|| now + FAR)
}

/// The runtime that drives the calling thread's timers.
#[track_caller]
pub(super) fn scheduler() -> Arc<Scheduler> {
    match entered::surrounding() {
        Some(scheduler) => scheduler,
        None => panic!(
            "a timer was made on a thread that belongs to no gorun runtime; make it inside \
             `gorun::block_on`, or on another thread inside the future given to `Handle::block_on`: \
             `handle.block_on(async {{ sleep(limit).await }})`, or while it has entered a runtime with \
             `Handle::enter`"
        ),
    }
}
