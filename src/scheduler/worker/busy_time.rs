//! For how long a worker has been awake. It looks at the clock when it goes to sleep, and when it wakes up.

#![forbid(unsafe_code)]

use std::sync::Mutex;
use std::time::{Duration, Instant};

use crate::clock;
use crate::primitives::lock;

/// With a lock: the worker takes it beside each sleep, which takes a hundred times as long. So who reads it sees no
/// stretch of time twice, and none of them vanishes.
pub(crate) struct BusyTime(Mutex<Stretches>);

struct Stretches {
    /// The sum of those that have ended.
    ended: Duration,
    /// When the present one began.
    since: Option<Instant>,
}

impl BusyTime {
    pub(crate) fn new() -> Self {
        BusyTime(Mutex::new(Stretches { ended: Duration::ZERO, since: None }))
    }

    /// The worker is awake from now on.
    pub(crate) fn begin(&self) {
        lock(&self.0).since = Some(clock::now());
    }

    /// It sleeps, or ends.
    pub(crate) fn end(&self) {
        let mut stretches = lock(&self.0);
        if let Some(since) = stretches.since.take() {
            stretches.ended += clock::now().saturating_duration_since(since);
        }
    }

    pub(crate) fn get(&self) -> Duration {
        let stretches = lock(&self.0);
        let present = |since| clock::now().saturating_duration_since(since);
        stretches.ended + stretches.since.map_or(Duration::ZERO, present)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_in_which_it_sleeps_does_not_count_and_the_present_stretch_does() {
        let nap = Duration::from_millis(2);
        let busy = BusyTime::new();
        assert_eq!(busy.get(), Duration::ZERO);
        busy.begin();
        std::thread::sleep(nap);
        assert!(busy.get() >= nap);
        busy.end();
        let before = busy.get();
        std::thread::sleep(nap);
        assert_eq!(busy.get(), before);
        busy.begin();
        std::thread::sleep(nap);
        assert!(busy.get() >= before + nap);
    }
}
