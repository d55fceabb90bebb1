//! When the tick after a late one comes.

#![forbid(unsafe_code)]

use std::time::{Duration, Instant};

use super::deadline::FAR;

/// What an [`Interval`](super::Interval) does about ticks that are late, because the program was not
/// waiting for them or ran late itself.
///
/// With a period of 10 ms, a tick that is due at 30 ms and is taken at 55 ms is followed by ticks at:
///
/// | | |
/// |---|---|
/// | `Burst` | 40 and 50 ms, both at once; then 60, 70 … |
/// | `Delay` | 65, 75 … |
/// | `Skip` | 60, 70 … |
///
/// The names are tokio's. There `Burst` is the default, and five milliseconds do not count as late.
///
/// # Examples
///
/// See [`Interval::set_missed_tick_behavior`](super::Interval::set_missed_tick_behavior).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum MissedTickBehavior {
    /// No tick is left out: those that are due come at once, one after the other.
    Burst,
    /// The next tick comes a period after this one was taken. So two ticks are never closer than a
    /// period, and each delay moves all later ticks.
    Delay,
    /// Ticks come at multiples of the period, and those that were missed are left out. Go's tickers
    /// do this, too.
    #[default]
    Skip,
}

impl MissedTickBehavior {
    /// When the next tick is due, given that one was due at `due`, and is taken `now`.
    pub(super) fn next_tick(self, due: Instant, period: Duration, now: Instant) -> Instant {
        let next = match self {
            MissedTickBehavior::Burst => due.checked_add(period),
            MissedTickBehavior::Delay => now.checked_add(period),
            MissedTickBehavior::Skip => after_missed(due, period, now),
        };
        next.unwrap_or_else(|| now + FAR)
    }
}

/// The first multiple of the period after `now`.
fn after_missed(due: Instant, period: Duration, now: Instant) -> Option<Instant> {
    let late = now.saturating_duration_since(due).as_nanos();
    let missed = late / period.as_nanos();
    let after = u64::try_from((missed + 1).saturating_mul(period.as_nanos())).ok()?;
    due.checked_add(Duration::from_nanos(after))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [MissedTickBehavior; 3] =
        [MissedTickBehavior::Burst, MissedTickBehavior::Delay, MissedTickBehavior::Skip];

    /// In milliseconds, with a period of 10: one due at 0 is taken at so many, and the next is due at.
    #[test]
    fn the_tick_after_a_late_one_comes_as_the_behaviour_says() {
        let start = Instant::now();
        let (at, period) = (|ms| start + Duration::from_millis(ms), Duration::from_millis(10));
        for (now, next) in [
            (0, [10, 10, 10]),
            (9, [10, 19, 10]),
            (10, [10, 20, 20]),
            (11, [10, 21, 20]),
            (35, [10, 45, 40]),
            (1000, [10, 1010, 1010]),
        ] {
            for (behavior, next) in ALL.into_iter().zip(next) {
                let found = behavior.next_tick(start, period, at(now));
                assert_eq!(found, at(next), "{behavior:?} at {now} ms");
            }
        }
    }

    #[test]
    fn a_period_beyond_the_clock_overflows_nothing() {
        let start = Instant::now();
        for behavior in ALL {
            let next = behavior.next_tick(start, Duration::MAX, start);
            assert!(next > start + Duration::from_secs(1_000_000), "{behavior:?}");
        }
    }
}
