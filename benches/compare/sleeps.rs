//! Workloads of goroutines that sleep.

use std::future::poll_fn;
use std::task::Poll;
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

const HOUR: Duration = Duration::from_secs(3600);

/// Timers that are set and removed, a million at a time.
pub(crate) fn limits_many<R: Sleep>(workers: usize, n: usize) -> Measured {
    limits::<R>(workers, n, 1_000_000)
}

/// The same, a thousand at a time.
pub(crate) fn limits_few<R: Sleep>(workers: usize, n: usize) -> Measured {
    limits::<R>(workers, n, 1_000)
}

/// A goroutine sets `n` timers, so many at a time, with deadlines in no order, and removes them in another order.
/// What one takes.
fn limits<R: Sleep>(workers: usize, n: usize, at_a_time: usize) -> Measured {
    let took = timed::<R, _>(workers, async move {
        for begin in (0..n).step_by(at_a_time) {
            let count = at_a_time.min(n - begin);
            let sleep = |i: usize| {
                let more = Duration::from_micros(i as u64 * 7919 % 1_000_003);
                Some(Box::pin(R::sleep(HOUR + more)))
            };
            let mut timers: Vec<_> = (0..count).map(sleep).collect();
            // So few in a poll that each runtime lets them be polled.
            for some in timers.chunks_mut(64) {
                poll_fn(|cx| {
                    let mut all = some.iter_mut().flatten();
                    assert!(all.all(|timer| timer.as_mut().poll(cx).is_pending()));
                    Poll::Ready(())
                })
                .await;
                R::yield_now().await;
            }
            // 7,907 divides no such number.
            for i in 0..count {
                timers[i * 7907 % count] = None;
            }
            assert!(timers.iter().all(Option::is_none));
        }
    });
    Measured::per_operation(took, n)
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
