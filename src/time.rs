//! Time: sleeping, deadlines, ticks.
//!
//! A runtime drives its timers itself, without a thread for them. Timers work in main, in
//! goroutines, and in [`Handle::block_on`](crate::Handle::block_on); elsewhere, making one panics
//! with a message that says so. They follow the monotonic clock, which is never set.
//!
//! A timer never fires early. The system decides how late it fires: on an idle machine about a
//! tenth of a millisecond. A goroutine that computes or blocks does not delay timers: main's fire
//! on time whatever the workers do, and a goroutine's as soon as a worker can run it. A goroutine
//! may also wait through a waker that is not gorun's, as in [`after`], [`tick`] or `join_all`. A
//! worker has to call such a waker. If all workers compute or block, the call waits for another
//! thread to step in, or for a free worker if there are
//! [`max_threads`](crate::Builder::max_threads) threads already. `sleep` and `timeout` do not need
//! that, even as cases of `select!`.
//!
//! A million timers are fine. A dropped timer leaves nothing behind.
//!
//! Go counterpart: package `time`.

#![forbid(unsafe_code)]

mod after_func;
mod channel_limits;
mod channels;
mod deadline;
mod interval;
mod missed_ticks;
mod sleep;
mod timeout;

use std::time::Instant;

pub use after_func::{AfterFunc, after_func};
pub use channels::{after, tick};
pub use interval::{Interval, interval};
pub use missed_ticks::MissedTickBehavior;
pub use sleep::{Sleep, sleep, sleep_until};
pub use timeout::{Elapsed, Timeout, timeout, timeout_at};

use crate::clock;

/// The present time, on the clock that timers follow.
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
