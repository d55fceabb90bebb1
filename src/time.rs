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
mod deadline;
mod interval;
mod sleep;
mod timeout;

use std::time::Instant;

pub use channels::{after, tick};
pub use interval::{Interval, interval};
pub use sleep::{Sleep, sleep, sleep_until};
pub use timeout::{Elapsed, Timeout, timeout};

use crate::clock;

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
