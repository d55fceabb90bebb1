//! Workloads of goroutines that sleep.

use std::time::{Duration, Instant};

use crate::measured::{Measured, timed};
use crate::runtime::{Gorun, Runtime, TokioWithTime};

/// A runtime with timers.
pub(crate) trait Sleep: Runtime {
    fn sleep(duration: Duration) -> impl Future<Output = ()> + Send;
}

impl Sleep for Gorun {
    fn sleep(duration: Duration) -> impl Future<Output = ()> + Send {
        gorun::time::sleep(duration)
    }
}

impl Sleep for TokioWithTime {
    fn sleep(duration: Duration) -> impl Future<Output = ()> + Send {
        tokio::time::sleep(duration)
    }
}

const MILLI: Duration = Duration::from_millis(1);

/// `n` goroutines sleep 1 to 10 ms each. In milliseconds, all of it.
pub(crate) fn many<R: Sleep>(workers: usize, n: usize) -> Measured {
    let took = timed::<R, _>(workers, async move {
        let sleepers: Vec<_> = (0..n as u64)
            .map(|i| {
                // In no order.
                let duration = MILLI + Duration::from_micros(i * 7919 % 9000);
                R::spawn(R::sleep(duration))
            })
            .collect();
        for sleeper in sleepers {
            sleeper.await;
        }
    });
    Measured { value: took.as_secs_f64() * 1e3, second: None }
}

/// A goroutine sleeps 1 ms, `n` times. How late it is each time, in microseconds: in the median, and
/// the 99th of a hundred.
pub(crate) fn late<R: Sleep>(workers: usize, n: usize) -> Measured {
    Measured::delays(R::block_on(workers, async move {
        R::spawn(async move {
            let mut lateness = Vec::with_capacity(n);
            for _ in 0..n {
                let start = Instant::now();
                R::sleep(MILLI).await;
                lateness.push(start.elapsed() - MILLI);
            }
            lateness
        })
        .await
    }))
}
