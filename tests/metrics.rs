//! The numbers of a runtime.

mod common;

use std::time::Duration;

use common::watchdog;
use gorun::{Builder, Handle, Metrics, blocking, channel, go, spawn, time, yield_now};

fn now() -> Metrics {
    Handle::current().metrics()
}

/// Until the numbers are so.
async fn until(are_right: impl Fn(&Metrics) -> bool) -> Metrics {
    loop {
        let metrics = now();
        if are_right(&metrics) {
            return metrics;
        }
        time::sleep(Duration::from_millis(1)).await;
    }
}

#[test]
fn goroutines_are_counted_from_their_spawn_to_their_end() {
    let _watchdog = watchdog();
    for workers in [1, 2, 16] {
        let main = async {
            let (tx, rx) = channel::<u32>(0);
            for _ in 0..100 {
                let rx = rx.clone();
                go!(async move { rx.recv().await });
            }
            let metrics = now();
            assert_eq!((metrics.num_goroutines, metrics.spawned, metrics.ended), (101, 100, 0));
            drop(tx);
            let metrics = until(|metrics| metrics.num_goroutines == 1).await;
            assert_eq!((metrics.spawned, metrics.ended), (100, 100));
            assert!((100..=200).contains(&metrics.polls), "{metrics:?}");
            assert_eq!((metrics.num_workers, metrics.num_queued), (workers, 0));
            until(|metrics| metrics.num_idle == workers).await;
        };
        Builder::new().worker_threads(workers).block_on(main).unwrap();
    }
}

#[test]
fn threads_that_block_are_away_and_those_that_stood_in_stand_by() {
    let _watchdog = watchdog();
    let main = async {
        let (stop, stopped) = channel::<u32>(0);
        let announced = spawn({
            let stopped = stopped.clone();
            async move { blocking(|| stopped.recv_blocking()) }
        });
        until(|metrics| metrics.num_away == 1).await;
        assert_eq!(now().written_off, 0);
        let unannounced = spawn(async move {
            let (_tx, rx) = std::sync::mpsc::channel::<()>();
            rx.recv_timeout(Duration::from_millis(300)).unwrap_err();
        });
        // Something waits, so that the monitor has to see to it.
        while now().num_away < 2 {
            spawn(yield_now()).await.unwrap();
        }
        assert_eq!(now().written_off, 1);
        unannounced.await.unwrap();
        drop(stop);
        announced.await.unwrap();
        until(|metrics| metrics.num_away == 0 && metrics.num_spares > 0).await;
        until(|metrics| metrics.num_spares == 0).await;
    };
    Builder::new().worker_threads(1).block_on(main).unwrap();
}

#[test]
fn timers_are_counted_until_they_have_fired_or_are_dropped() {
    let _watchdog = watchdog();
    Builder::new()
        .block_on(async {
            let hour = Duration::from_secs(3600);
            let sleeps: Vec<_> =
                (0..10).map(|_| spawn(async move { time::sleep(hour).await })).collect();
            until(|metrics| metrics.num_timers >= 10).await;
            sleeps.iter().for_each(|sleep| sleep.abort());
            for sleep in sleeps {
                sleep.await.unwrap_err();
            }
            assert_eq!(now().num_timers, 0);
        })
        .unwrap();
}

#[cfg(feature = "net")]
#[test]
fn sockets_are_counted_while_they_are_open() {
    let _watchdog = watchdog();
    Builder::new()
        .block_on(async {
            assert_eq!(now().num_sockets, 0);
            let listener = gorun::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            assert_eq!(now().num_sockets, 1);
            drop(listener);
            assert_eq!(now().num_sockets, 0);
        })
        .unwrap();
}

#[test]
fn a_queue_that_is_full_overflows_and_others_steal_from_one_that_is_not() {
    let _watchdog = watchdog();
    let main = async {
        let spawner = spawn(async {
            let all: Vec<_> = (0..2000)
                .map(|_| {
                    spawn(async {
                        let start = std::time::Instant::now();
                        while start.elapsed() < Duration::from_micros(20) {}
                    })
                })
                .collect();
            for one in all {
                one.await.unwrap();
            }
        });
        spawner.await.unwrap();
        // At the start they may have had work at once, and not have slept yet.
        let metrics = until(|metrics| metrics.sleeps > 0).await;
        assert!(metrics.overflows > 0, "{metrics:?}");
        assert_eq!(metrics.num_queued, 0);
    };
    Builder::new().worker_threads(2).block_on(main).unwrap();
}

#[test]
fn latencies_are_sampled_while_goroutines_come_to_run_again_and_again() {
    let _watchdog = watchdog();
    const YIELDS: u64 = 50_000;
    for workers in [1, 2, 16] {
        let main = async {
            spawn(async {
                for _ in 0..YIELDS {
                    yield_now().await;
                }
            })
            .await
            .unwrap();
            let latencies = now().schedule_latencies;
            assert!(latencies.count() >= YIELDS / 61 / 16 - 1, "{latencies:?}");
            assert!(latencies.count() < YIELDS, "{latencies:?}");
            let sum: u64 = latencies.buckets().map(|(_, count)| count).sum();
            assert_eq!(sum, latencies.count());
            assert!(latencies.sum() > Duration::ZERO);
        };
        Builder::new().worker_threads(workers).block_on(main).unwrap();
    }
}

/// Of the first goroutine that is spawned or woken on a worker the latency is known.
#[test]
fn a_latency_is_as_long_as_what_runs_before() {
    let _watchdog = watchdog();
    for workers in [1, 2, 16] {
        let before = Duration::from_millis(5);
        let main = async {
            let all: Vec<_> = (0..2 * workers)
                .map(|_| {
                    spawn(async move {
                        let next: Vec<_> = (0..4).map(|_| spawn(async {})).collect();
                        common::compute_for(before);
                        for one in next {
                            one.await.unwrap();
                        }
                    })
                })
                .collect();
            for one in all {
                one.await.unwrap();
            }
            now().schedule_latencies
        };
        // Nobody takes over from them.
        let builder = Builder::new().worker_threads(workers).max_threads(workers);
        let latencies = builder.block_on(main).unwrap();
        let long: u64 = latencies
            .buckets()
            .filter(|(limit, _)| limit.is_none_or(|limit| limit >= before))
            .map(|(_, count)| count)
            .sum();
        assert!(workers > 1 || long > 0, "{latencies:?}");
        assert!(latencies.count() > 0, "{latencies:?}");
    }
}

/// Its place in memory is another one's then, which was not sampled.
#[test]
fn who_is_aborted_in_a_queue_is_sampled_once() {
    let _watchdog = watchdog();
    for workers in [1, 2, 16] {
        let main = async {
            for _ in 0..100 {
                let aborted = spawn(async {});
                aborted.abort();
                _ = aborted.await;
                spawn(async {}).await.unwrap();
            }
            let metrics = now();
            assert!(metrics.schedule_latencies.count() <= metrics.polls, "{metrics:?}");
        };
        Builder::new().worker_threads(workers).block_on(main).unwrap();
    }
}

#[test]
fn a_worker_is_busy_while_it_computes_and_not_while_it_sleeps() {
    let _watchdog = watchdog();
    for workers in [1, 2, 16] {
        let main = async {
            let long = Duration::from_millis(20);
            let before = now().busy;
            spawn(async move { common::compute_for(long) }).await.unwrap();
            assert!(now().busy - before >= long);
            // As long as it takes them; then none of them wakes up for a while.
            let all_sleep = async || until(|metrics| metrics.num_idle == workers).await;
            loop {
                let before = all_sleep().await;
                let start = std::time::Instant::now();
                std::thread::sleep(long);
                let after = now();
                if after.num_idle == workers && after.sleeps == before.sleeps {
                    assert_eq!(after.busy, before.busy, "{:?}", start.elapsed());
                    break;
                }
            }
        };
        Builder::new().worker_threads(workers).block_on(main).unwrap();
    }
}

/// Also those of workers that blocked, and of the threads that stood in for them.
#[test]
fn busy_time_never_falls() {
    let _watchdog = watchdog();
    for workers in [1, 2, 16] {
        let main = async {
            let runtime = Handle::current();
            let (stop, stopped) = std::sync::mpsc::channel::<()>();
            let looks = std::thread::spawn(move || {
                let mut last = Duration::ZERO;
                while stopped.try_recv() == Err(std::sync::mpsc::TryRecvError::Empty) {
                    let busy = runtime.metrics().busy;
                    assert!(busy >= last, "{busy:?} after {last:?}");
                    last = busy;
                }
            });
            for _ in 0..100 {
                let blocked =
                    spawn(async { blocking(|| std::thread::sleep(Duration::from_micros(50))) });
                spawn(yield_now()).await.unwrap();
                blocked.await.unwrap();
            }
            drop(stop);
            blocking(|| looks.join().unwrap());
        };
        Builder::new().worker_threads(workers).block_on(main).unwrap();
    }
}
