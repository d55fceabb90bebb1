//! Time: sleeping, deadlines, ticks.
//!
//! Timers belong to a runtime, which keeps the time for them; no thread exists for them alone. They
//! work in main, in goroutines, and in [`Handle::block_on`](crate::Handle::block_on). Elsewhere there
//! is a panic that says so. They follow the monotonic clock, which nobody sets.
//!
//! They are never early. How late they are is up to the system: on an idle machine about a tenth of a
//! millisecond. They do not wait for a goroutine that computes or blocks: main's are on time whatever
//! the workers do, and goroutines' as soon as somebody can run them. What goroutines wait for through a
//! waker that is not gorun's, as in [`after`], [`tick`] or `join_all`, needs a worker to call that: if all of
//! them compute or block it waits for one to step in, and if
//! [`max_threads`](crate::Builder::max_threads) are there already, until one is free. `sleep` and
//! `timeout`, also as cases of `select!`, do not.
//!
//! A million of them are fine. One that is dropped leaves nothing behind.
//!
//! Go counterpart: package `time`.

#![forbid(unsafe_code)]

mod channels;
mod interval;
mod sleep;
mod timeout;

use std::sync::Arc;
use std::time::{Duration, Instant};

pub use channels::{after, tick};
pub use interval::{Interval, interval};
pub use sleep::{Sleep, sleep, sleep_until};
pub use timeout::{Elapsed, Timeout, timeout};

use crate::clock;
use crate::scheduler::{Scheduler, context};

/// The present, on the clock that timers follow.
///
/// Go counterpart: `time.Now`.
///
/// # Examples
///
/// ```
/// use gorun::time;
///
/// let start = time::now();
/// assert!(time::now() >= start);
/// ```
pub fn now() -> Instant {
    clock::now()
}

/// As far in the future as makes no difference: thirty years.
const FAR: Duration = Duration::from_secs(30 * 365 * 24 * 3600);

/// `after` from now. What is too far for the clock is far enough.
fn deadline(after: Duration) -> Instant {
    let now = now();
    now.checked_add(after).unwrap_or_else(|| now + FAR)
}

/// The runtime that keeps the time for the calling thread.
#[track_caller]
fn scheduler() -> Arc<Scheduler> {
    let scheduler = context::with_inside(|inside| inside.map(|inside| inside.scheduler.clone()));
    match scheduler {
        Some(scheduler) => scheduler,
        None => panic!(
            "a timer was made on a thread that belongs to no gorun runtime; make it inside \
             `gorun::block_on`, or on another thread inside the future given to `Handle::block_on`: \
             `handle.block_on(async {{ sleep(limit).await }})`"
        ),
    }
}
