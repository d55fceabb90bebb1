//! How long goroutines that could run wait for a worker, sampled.
//!
//! A thread of the runtime that spawns or wakes a goroutine looks at a flag, of which a trace makes use as well
//! (`context.rs`). Now and then the flag is set: after some sleeps, and after about a thousand polls. Then the next
//! goroutine that is spawned or woken there is *marked*: its time is kept here, and a bit is set in its
//! word, beside the one that says that it was aborted. Who polls it looks at both by one test, and takes the time.
//! So goroutines that are not marked pay nothing. A marked one is found wherever it goes, by way of whatever queue.
//!
//! What threads outside spawn and wake is not sampled: they have no flag.
//!
//! Rejected: to look at the clock for each wake (20 to 30 ns of some 100); to keep times in the queues, of which each
//! would be twice as large; a goroutine that the monitor injects to see when it comes to run, since it sleeps
//! while nothing moves, and waits in one queue of many.

#![forbid(unsafe_code)]

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::clock;
use crate::primitives::lock;
use crate::scheduler::queues::run_queue::RawTask;

/// How many buckets there are. Each reaches twice as far as the one before, and the last has no limit.
pub(crate) const BUCKETS: usize = 25;

/// The limit of the first bucket, in nanoseconds.
const FIRST: u64 = 1 << 10;

pub(crate) struct Latencies {
    /// The goroutines that are marked, and since when they can run. They are few: of those that are queued one of a
    /// thousand or so.
    marked: Mutex<Vec<(RawTask, Instant)>>,
    counts: [AtomicU64; BUCKETS],
    nanoseconds: AtomicU64,
}

impl Latencies {
    pub(crate) fn new() -> Self {
        Latencies {
            marked: Mutex::default(),
            counts: [const { AtomicU64::new(0) }; BUCKETS],
            nanoseconds: AtomicU64::new(0),
        }
    }

    /// The goroutine at this address can run from now on.
    pub(crate) fn begin(&self, task: RawTask) {
        lock(&self.marked).push((task, clock::now()));
    }

    /// It runs.
    pub(crate) fn end(&self, task: RawTask) {
        let now = clock::now();
        let mut marked = lock(&self.marked);
        if let Some(place) = marked.iter().position(|&(found, _)| found == task) {
            let (_, began) = marked.swap_remove(place);
            drop(marked);
            self.count(now.saturating_duration_since(began));
        }
    }

    fn count(&self, latency: Duration) {
        let nanoseconds = latency.as_nanos() as u64;
        self.nanoseconds.fetch_add(nanoseconds, Ordering::Relaxed);
        self.counts[bucket(nanoseconds)].fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn counts(&self) -> [u64; BUCKETS] {
        std::array::from_fn(|bucket| self.counts[bucket].load(Ordering::Relaxed))
    }

    pub(crate) fn sum(&self) -> Duration {
        Duration::from_nanos(self.nanoseconds.load(Ordering::Relaxed))
    }
}

/// The first bucket whose limit is not less.
fn bucket(nanoseconds: u64) -> usize {
    (0..BUCKETS - 1).find(|&bucket| nanoseconds <= FIRST << bucket).unwrap_or(BUCKETS - 1)
}

/// What the bucket contains at most; `None`: it has no limit.
pub(crate) fn limit(bucket: usize) -> Option<Duration> {
    (bucket < BUCKETS - 1).then(|| Duration::from_nanos(FIRST << bucket))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_latency_is_in_the_first_bucket_whose_limit_it_does_not_exceed() {
        for (index, nanoseconds) in
            [(0, 0), (0, 1), (0, 1024), (1, 1025), (1, 2048), (24, u64::MAX)]
        {
            assert_eq!(bucket(nanoseconds), index, "{nanoseconds}");
        }
        for index in 0..BUCKETS - 1 {
            let limit = limit(index).unwrap().as_nanos() as u64;
            assert_eq!((bucket(limit), bucket(limit + 1)), (index, index + 1));
        }
        assert_eq!(limit(BUCKETS - 1), None);
    }

    #[test]
    fn a_latency_is_from_when_a_goroutine_can_run_until_it_does() {
        let latencies = Latencies::new();
        latencies.begin(16);
        // Not marked.
        latencies.end(32);
        assert_eq!(latencies.counts().iter().sum::<u64>(), 0);
        let shortest = Duration::from_millis(1);
        std::thread::sleep(shortest);
        latencies.end(16);
        latencies.end(16);
        assert_eq!(latencies.counts().iter().sum::<u64>(), 1);
        assert!(latencies.sum() >= shortest);
    }
}
