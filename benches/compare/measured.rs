//! What one run of a workload came to.

use std::time::{Duration, Instant};

use crate::runtime::Runtime;

pub(crate) struct Measured {
    /// In the workload's unit, one operation.
    pub(crate) value: f64,
    /// A second figure, if the workload has one.
    pub(crate) second: Option<f64>,
}

impl Measured {
    pub(crate) fn per_operation(took: Duration, operations: usize) -> Self {
        Measured { value: took.as_secs_f64() * 1e9 / operations as f64, second: None }
    }

    /// In the median, and the 99th of a hundred; in microseconds.
    pub(crate) fn delays(delays: Vec<Duration>) -> Self {
        Self::quantiles(delays, 0.5, 0.99)
    }

    /// The 99th of a hundred, and the 999th of a thousand; in microseconds.
    pub(crate) fn tail(delays: Vec<Duration>) -> Self {
        Self::quantiles(delays, 0.99, 0.999)
    }

    fn quantiles(mut delays: Vec<Duration>, value: f64, second: f64) -> Self {
        delays.sort();
        let at = |part| microseconds(delays[(delays.len() as f64 * part) as usize]);
        Measured { value: at(value), second: Some(at(second)) }
    }
}

pub(crate) fn microseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}

/// Runs `root` as a goroutine, so that main's thread has no part in it, and times it.
pub(crate) fn timed<R: Runtime, F>(workers: usize, root: F) -> Duration
where
    F: Future<Output = ()> + Send + 'static,
{
    R::block_on(workers, async {
        R::spawn(async {
            let start = Instant::now();
            root.await;
            start.elapsed()
        })
        .await
    })
}
