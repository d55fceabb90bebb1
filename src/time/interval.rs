//! `interval`: ticks at regular times.

#![forbid(unsafe_code)]

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use futures_core::Stream;

use super::missed_ticks::MissedTickBehavior;
use super::sleep::{Sleep, sleep_until};
use crate::clock;
use crate::scheduler::at_caller::at_caller;

/// Ticks every `period`: the first time at once, then once each period.
///
/// If the program is not waiting, ticks are skipped: the next one comes at the next multiple of the
/// period. [`set_missed_tick_behavior`](Interval::set_missed_tick_behavior) changes that.
///
/// An interval is also a [`Stream`], which does not end. Its `next()`, dropped while it waits, keeps its
/// waker until the interval is used again or dropped, or until the tick is due.
///
/// Go counterpart: `time.NewTicker`, whose first tick comes after one period. [`tick`](super::tick)
/// uses a channel.
///
/// # Panics
///
/// If `period` is zero. Outside a runtime.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use gorun::time::{interval, now};
///
/// gorun::block_on(async {
///     let start = now();
///     let mut interval = interval(Duration::from_millis(2));
///     for _ in 0..3 {
///         interval.tick().await;
///     }
///     assert!(start.elapsed() >= Duration::from_millis(4));
/// });
/// ```
#[track_caller]
pub fn interval(period: Duration) -> Interval {
    assert!(
        !period.is_zero(),
        "`interval(0)`: ticks without any time between them; give a period that is not zero, or use \
         `yield_now`"
    );
    let missed_ticks = MissedTickBehavior::default();
    Interval { sleep: sleep_until(clock::now()), period, missed_ticks }
}

/// Regular ticks: see [`interval`].
pub struct Interval {
    sleep: Sleep,
    period: Duration,
    missed_ticks: MissedTickBehavior,
}

impl Interval {
    /// Waits for the next tick. Returns when it was due.
    ///
    /// **Cancellation**: dropping the future loses no tick.
    ///
    /// # Examples
    ///
    /// See [`interval`].
    pub fn tick(&mut self) -> impl Future<Output = Instant> {
        at_caller(async move {
            (&mut *LetGo(&mut self.sleep).0).await;
            self.take()
        })
    }

    /// Plans the next tick, and returns when this one was due.
    fn take(&mut self) -> Instant {
        let due = self.sleep.deadline();
        self.sleep.reset(self.missed_ticks.next_tick(due, self.period, clock::now()));
        due
    }

    /// The time between two ticks.
    ///
    /// # Examples
    ///
    /// ```
    /// let period = std::time::Duration::from_millis(2);
    /// gorun::block_on(async {
    ///     assert_eq!(gorun::time::interval(period).period(), period);
    /// });
    /// ```
    pub fn period(&self) -> Duration {
        self.period
    }

    /// Sets what happens when ticks are late. The default is [`MissedTickBehavior::Skip`].
    ///
    /// It counts from the next tick that is taken.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use gorun::time::{MissedTickBehavior, interval};
    ///
    /// gorun::block_on(async {
    ///     let period = Duration::from_millis(1);
    ///     let mut interval = interval(period);
    ///     interval.set_missed_tick_behavior(MissedTickBehavior::Burst);
    ///     let first = interval.tick().await;
    ///     std::thread::sleep(3 * period);
    ///     // None is left out.
    ///     assert_eq!(interval.tick().await, first + period);
    ///     assert_eq!(interval.tick().await, first + 2 * period);
    /// });
    /// ```
    pub fn set_missed_tick_behavior(&mut self, behavior: MissedTickBehavior) {
        self.missed_ticks = behavior;
    }

    /// What happens when ticks are late.
    ///
    /// # Examples
    ///
    /// ```
    /// use gorun::time::{MissedTickBehavior, interval};
    ///
    /// gorun::block_on(async {
    ///     let interval = interval(std::time::Duration::from_millis(2));
    ///     assert_eq!(interval.missed_tick_behavior(), MissedTickBehavior::Skip);
    /// });
    /// ```
    pub fn missed_tick_behavior(&self) -> MissedTickBehavior {
        self.missed_ticks
    }
}

/// Gives the times at which the ticks were due, without end.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use futures::StreamExt;
///
/// gorun::block_on(async {
///     let period = Duration::from_millis(2);
///     let ticks: Vec<_> = gorun::time::interval(period).take(3).collect().await;
///     assert!(ticks[2] - ticks[0] >= 2 * period);
/// });
/// ```
impl Stream for Interval {
    type Item = Instant;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Instant>> {
        ready!(Pin::new(&mut self.sleep).poll(cx));
        Poll::Ready(Some(self.take()))
    }
}

/// Drops the waker when the tick is not awaited any more.
struct LetGo<'a>(&'a mut Sleep);

impl Drop for LetGo<'_> {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

impl fmt::Debug for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Interval").field("period", &self.period).finish_non_exhaustive()
    }
}
