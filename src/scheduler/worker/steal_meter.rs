//! Measures what a worker has taken from others since it last ran out of work, and whether it was
//! worth taking.
//!
//! A goroutine that moves to another core takes its cache lines along, and so does the memory that
//! it leaves behind. That costs a few hundred nanoseconds on both cores, so a goroutine that runs
//! for less is better left where it is. The scheduler cannot know beforehand how long a goroutine
//! will run, but goroutines that are spawned together are alike. So a worker measures the time from
//! its first steal until it has nothing left, including what the stolen goroutines have spawned,
//! and divides it by the number that it took. If they were tiny, it delays its next steal
//! (`idle/mod.rs`, "Tiny goroutines").

#![forbid(unsafe_code)]

use std::time::{Duration, Instant};

use crate::clock;

/// A goroutine that keeps its worker busy for less is not worth taking. Measured: with 500 ns,
/// pairs of goroutines (`ping_pong`) stay on one core, and take a fifth longer.
const WORTH_TAKING: Duration = Duration::from_nanos(250);

pub(crate) struct StealMeter {
    taken: u32,
    since: Instant,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Worth {
    /// It took nothing, or what it took was worth it.
    Fair,
    /// It took a single goroutine, which was tiny.
    OneTiny,
    /// It took several, which kept it busy for this long altogether.
    ManyTiny(Duration),
}

impl StealMeter {
    pub(crate) fn new() -> Self {
        StealMeter { taken: 0, since: clock::now() }
    }

    /// Starts the clock: the worker has work again.
    pub(crate) fn begin(&mut self) {
        self.since = clock::now();
    }

    #[inline]
    pub(crate) fn add(&mut self, taken: usize) {
        self.taken = self.taken.saturating_add(taken as u32);
    }

    /// Stops the clock: the worker has run out of work.
    pub(crate) fn end(&mut self) -> Worth {
        let taken = std::mem::take(&mut self.taken);
        if taken == 0 {
            return Worth::Fair;
        }
        StealMeter::worth(taken, self.since.elapsed())
    }

    fn worth(taken: u32, took: Duration) -> Worth {
        match taken {
            _ if took >= WORTH_TAKING.saturating_mul(taken) => Worth::Fair,
            1 => Worth::OneTiny,
            _ => Worth::ManyTiny(took),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_took_its_time_is_fair_and_the_rest_is_tiny() {
        let micros = Duration::from_micros;
        assert_eq!(StealMeter::worth(1, micros(1)), Worth::Fair);
        assert_eq!(StealMeter::worth(100, micros(100)), Worth::Fair);
        assert_eq!(StealMeter::worth(100, micros(10)), Worth::ManyTiny(micros(10)));
        assert_eq!(StealMeter::worth(1, Duration::ZERO), Worth::OneTiny);
        assert_eq!(StealMeter::worth(u32::MAX, micros(1)), Worth::ManyTiny(micros(1)));
    }

    #[test]
    fn nothing_taken_is_fair() {
        let mut meter = StealMeter::new();
        meter.add(2);
        meter.end();
        assert_eq!(meter.end(), Worth::Fair);
    }
}
