//! `interval`: ticks at regular times.

#![forbid(unsafe_code)]

use std::fmt;
use std::time::{Duration, Instant};

use super::deadline::FAR;
use super::sleep::{Sleep, sleep_until};
use crate::clock;

/// Ticks every `period`: the first time at once, then once each period.
///
/// If the program is not waiting, ticks are skipped: the next one comes at the next multiple of the
/// period.
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
    Interval { sleep: sleep_until(clock::now()), period }
}

/// Regular ticks: see [`interval`].
pub struct Interval {
    sleep: Sleep,
    period: Duration,
}

impl Interval {
    /// Waits for the next tick. Returns when it was due.
    ///
    /// **Cancellation**: dropping the future loses no tick.
    ///
    /// # Examples
    ///
    /// See [`interval`].
    pub async fn tick(&mut self) -> Instant {
        (&mut *LetGo(&mut self.sleep).0).await;
        let due = self.sleep.deadline();
        self.sleep.reset(next_tick(due, self.period, clock::now()));
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
}

/// Drops the waker when the tick is not awaited any more.
struct LetGo<'a>(&'a mut Sleep);

impl Drop for LetGo<'_> {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

/// The first tick after `now`, given that one was due at `due`.
pub(super) fn next_tick(due: Instant, period: Duration, now: Instant) -> Instant {
    let late = now.saturating_duration_since(due).as_nanos();
    let missed = late / period.as_nanos();
    let after = u64::try_from((missed + 1).saturating_mul(period.as_nanos()));
    let next = after.ok().and_then(|after| due.checked_add(Duration::from_nanos(after)));
    next.unwrap_or_else(|| due + FAR)
}

impl fmt::Debug for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Interval").field("period", &self.period).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_come_at_multiples_of_the_period_and_missed_ones_are_skipped() {
        let start = Instant::now();
        let (at, period) = (|ms| start + Duration::from_millis(ms), Duration::from_millis(10));
        for (now, next) in [(0, 10), (9, 10), (10, 20), (11, 20), (35, 40), (1000, 1010)] {
            assert_eq!(next_tick(start, period, at(now)), at(next), "at {now} ms");
        }
        // Long periods do not overflow.
        assert!(next_tick(start, Duration::MAX, start) > at(1_000_000));
    }
}
