//! How often something has taken how long.

#![forbid(unsafe_code)]

use std::time::Duration;

use crate::scheduler::latency::{Latencies, limit};

/// How often something has taken how long, in buckets: each has those that took longer than the limit of the bucket
/// before, and no longer than its own.
///
/// Limits double from about a microsecond, 1.024 µs, to 8.6 s. The last bucket has none. All counts begin
/// at the start of the runtime and only grow, so those between two moments are a difference.
///
/// Go counterpart: `metrics.Float64Histogram`.
///
/// # Examples
///
/// ```
/// use gorun::{Handle, block_on, yield_now};
///
/// block_on(async {
///     gorun::spawn(async {
///         for _ in 0..10_000 {
///             yield_now().await;
///         }
///     })
///     .await?;
///     let latencies = Handle::current().metrics().schedule_latencies;
///     let half = latencies.count().div_ceil(2);
///     let mut sum = 0;
///     let median = latencies.buckets().find(|(_, count)| {
///         sum += count;
///         sum >= half
///     });
///     println!("half of them had to wait for {:?} at most", median.unwrap().0);
///     # assert!(latencies.count() > 0);
///     Ok::<(), gorun::JoinError>(())
/// })?;
/// # Ok::<(), gorun::JoinError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Histogram {
    counts: Vec<u64>,
    sum: Duration,
}

impl Histogram {
    pub(super) fn of(latencies: &Latencies) -> Self {
        Histogram { counts: latencies.counts().to_vec(), sum: latencies.sum() }
    }

    /// The buckets in the order of their limits: the limit, which is `None` for the last, and how often it was between
    /// the limit before and this one.
    ///
    /// # Examples
    ///
    /// See [`Histogram`].
    pub fn buckets(&self) -> impl Iterator<Item = (Option<Duration>, u64)> + '_ {
        self.counts.iter().enumerate().map(|(bucket, &count)| (limit(bucket), count))
    }

    /// How often in all.
    ///
    /// # Examples
    ///
    /// See [`Histogram`].
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// How long all have taken together. (At the moment of a measurement it may be in the counts and not yet here, or
    /// the other way round.)
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// gorun::block_on(async {
    ///     let latencies = gorun::Handle::current().metrics().schedule_latencies;
    ///     assert_eq!((latencies.count(), latencies.sum()), (0, Duration::ZERO));
    /// });
    /// ```
    pub fn sum(&self) -> Duration {
        self.sum
    }
}
