//! `sleep`, `sleep_until`, `timeout`.

use std::future::{Future, pending, poll_fn, ready};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

use futures::future::{join_all, select};
use gorun::time::{Elapsed, Sleep, now, sleep, sleep_until, timeout, timeout_at};
use gorun::{Handle, JoinSet, block_on, channel, spawn, yield_now};

use super::{HOUR, MILLI, WORKERS};
use crate::common::*;

async fn is_ready_at_once(future: impl Future) -> bool {
    let mut future = pin!(future);
    poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx).is_ready())).await
}

/// Sleeps in a goroutine until the time `by`, and says when it was over.
async fn over_at(by: Instant) -> (Instant, Instant) {
    sleep_until(by).await;
    (by, now())
}

#[test]
pub(crate) fn no_sleep_is_over_too_early() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            let start = now();
            // In an order that is not that of the deadlines, many with the same.
            let deadlines = (0..2000_u32).map(|i| start + MILLI * (i * 7919 % 40));
            let mut sleepers = JoinSet::new();
            for by in deadlines {
                sleepers.spawn(over_at(by));
            }
            let mut count = 0;
            while let Some(result) = sleepers.join_next().await {
                let (by, over) = result.unwrap();
                assert!(over >= by, "{:?} early", by - over);
                count += 1;
            }
            assert_eq!(count, 2000);
        });
    }
}

#[test]
pub(crate) fn a_sleep_counts_from_the_call_and_not_from_the_first_poll() {
    let _watchdog = watchdog();
    block_on(async {
        let (before, sleep) = (now(), sleep(5 * MILLI));
        assert!(sleep.deadline() >= before + 5 * MILLI && sleep.deadline() <= now() + 5 * MILLI);
        thread::sleep(6 * MILLI);
        assert!(is_ready_at_once(sleep).await);
    });
}

#[test]
pub(crate) fn a_sleep_of_nothing_and_one_until_the_past_are_ready_at_once() {
    let _watchdog = watchdog();
    block_on(async {
        assert!(is_ready_at_once(sleep(Duration::ZERO)).await);
        let past = now();
        assert!(is_ready_at_once(sleep_until(past)).await);
        assert!(is_ready_at_once(sleep_until(past - MILLI)).await);
    });
}

/// Go's `TestOverflowSleep`.
#[test]
pub(crate) fn a_duration_beyond_the_clock_overflows_nothing_and_does_not_end() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            let longest = [Duration::MAX, Duration::from_nanos(u64::MAX), HOUR * 24 * 365 * 580];
            for duration in longest {
                let forever = spawn(sleep(duration));
                sleep(MILLI).await;
                assert!(!forever.is_finished(), "{duration:?}");
                assert!(!is_ready_at_once(sleep(duration)).await, "{duration:?}");
                assert_eq!(timeout(duration, ready(1)).await, Ok(1), "{duration:?}");
            }
        });
    }
}

#[test]
pub(crate) fn a_sleeper_that_moved_to_another_goroutine_wakes_that_one() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            for _ in 0..50 {
                let (tx, rx) = channel::<Pin<Box<Sleep>>>(1);
                // It goes on living, so that a wake of the wrong one is lost.
                let first = spawn(async move {
                    let mut sleep = Box::pin(sleep(2 * MILLI));
                    assert!(!is_ready_at_once(&mut sleep).await);
                    tx.send(sleep).await.unwrap();
                    pending::<()>().await
                });
                let second = spawn(async move { rx.recv().await.unwrap().await });
                second.await.unwrap();
                first.abort();
            }
        });
    }
}

#[test]
pub(crate) fn a_sleep_of_one_runtime_wakes_a_goroutine_of_another() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async move {
            let foreign = sleep(2 * MILLI);
            let by = foreign.deadline();
            run(workers, async { spawn(foreign).await.unwrap() });
            assert!(now() >= by);
        });
    }
}

#[test]
pub(crate) fn a_plain_thread_sleeps_inside_block_on_of_a_handle() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            let handle = Handle::current();
            let threads: Vec<_> = (0..4)
                .map(|_| {
                    let handle = handle.clone();
                    thread::spawn(move || {
                        handle.block_on(async {
                            let by = now() + 2 * MILLI;
                            sleep_until(by).await;
                            assert!(now() >= by);
                        });
                    })
                })
                .collect();
            threads.into_iter().for_each(|thread| thread.join().unwrap());
        });
    }
}

#[test]
pub(crate) fn goroutines_that_block_on_a_sleep_are_woken() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            let sleepers: Vec<_> =
                (0..20).map(|_| spawn(async { block_on(sleep(2 * MILLI)) })).collect();
            for sleeper in sleepers {
                sleeper.await.unwrap();
            }
        });
    }
}

#[test]
pub(crate) fn a_goroutine_whose_sleeps_are_always_over_gives_way() {
    let _watchdog = watchdog();
    run_without_spares(1, async {
        let flag = flag();
        let waits = spawn({
            let flag = flag.clone();
            async move {
                while !flag.load(SeqCst) {
                    sleep(Duration::ZERO).await;
                }
            }
        });
        spawn(async move { flag.store(true, SeqCst) });
        waits.await.unwrap();
    });
}

#[test]
pub(crate) fn a_million_timers_are_pending_and_exit_drops_them() {
    let _watchdog = watchdog();
    let count = if cfg!(debug_assertions) { 100_000 } else { 1_000_000 };
    let drops = Drops::new(count);
    patient(2)
        .block_on(async {
            let polled = Arc::new(AtomicUsize::new(0));
            for index in 0..count {
                let (probe, polled) = (drops.probe(index), polled.clone());
                spawn(async move {
                    let _probe = probe;
                    polled.fetch_add(1, SeqCst);
                    sleep(HOUR + MILLI * (index as u32 % 1000)).await;
                });
            }
            yield_until(|| polled.load(SeqCst) == count).await;
            // Others are on time beside them.
            sleep(MILLI).await;
            assert_eq!(drops.dropped(), 0);
        })
        .unwrap();
    drops.assert_each_once_off_main(count);
}

#[test]
pub(crate) fn destructors_at_exit_may_still_sleep() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        let slept = Arc::new(AtomicUsize::new(0));
        let count = slept.clone();
        patient(workers)
            .block_on(async move {
                let (tx, rx) = channel(0);
                spawn(async move {
                    let _sleeps = OnDrop(|| {
                        block_on(sleep(2 * MILLI));
                        // With a waker that is not gorun's.
                        block_on(join_all((0..50).map(|_| sleep(MILLI))));
                        count.fetch_add(1, SeqCst);
                    });
                    tx.send(()).await.unwrap();
                    pending::<()>().await
                });
                rx.recv().await.unwrap();
            })
            .unwrap();
        assert_eq!(slept.load(SeqCst), 1);
    }
}

#[test]
pub(crate) fn timers_that_others_wake_for_fire_too() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            // Fifty are polled through wakers of `FuturesUnordered`'s own.
            let by = now() + MILLI;
            join_all((0..50).map(|_| sleep_until(by))).await;
            spawn(join_all((0..50).map(|_| sleep(MILLI)))).await.unwrap();
            assert!(now() >= by);
        });
    }
}

// `timeout`

#[test]
pub(crate) fn a_future_that_is_ready_never_times_out() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            assert_eq!(timeout(Duration::ZERO, ready(1)).await, Ok(1));
            // Nor when it has to give way in between, which channels make it do now and then.
            let always_ready = spawn(async {
                let (tx, rx) = channel(1);
                for i in 0..1000 {
                    timeout(Duration::ZERO, tx.send(i)).await.unwrap().unwrap();
                    assert_eq!(timeout(Duration::ZERO, rx.recv()).await, Ok(Some(i)));
                }
            });
            always_ready.await.unwrap();
        });
    }
}

#[test]
pub(crate) fn a_future_that_takes_too_long_is_dropped_and_the_error_says_the_limit() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            let drops = Drops::new(1);
            let probe = drops.probe(0);
            let slow = async move {
                let _probe = probe;
                pending::<()>().await
            };
            let error: Elapsed = timeout(MILLI, slow).await.unwrap_err();
            drops.assert_each_once("timeout");
            assert_eq!(error.to_string(), "the time limit of 1ms has passed");
            let _: &dyn std::error::Error = &error;
        });
    }
}

#[test]
pub(crate) fn a_timeout_that_loses_to_the_future_wakes_nobody_later() {
    let _watchdog = watchdog();
    block_on(async {
        // A lost race leaves the goroutine's waker nowhere: it is polled no more often than it wakes.
        let polls = Arc::new(AtomicUsize::new(0));
        let counted = {
            let polls = polls.clone();
            async move {
                assert_eq!(timeout(2 * MILLI, ready(1)).await, Ok(1));
                let mut never = pin!(pending::<()>());
                poll_fn(|cx| {
                    polls.fetch_add(1, SeqCst);
                    never.as_mut().poll(cx)
                })
                .await
            }
        };
        let goroutine = spawn(counted);
        sleep(6 * MILLI).await;
        goroutine.abort();
        assert!(goroutine.await.unwrap_err().is_cancelled());
        assert_eq!(polls.load(SeqCst), 1);
    });
}

#[test]
pub(crate) fn sleeps_that_are_dropped_at_random_points_disturb_nobody() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            let racers: Vec<_> = (0..500_u32)
                .map(|i| {
                    spawn(async move {
                        for round in 0..5 {
                            let micros = |n| Duration::from_micros(u64::from(n % 3000));
                            let (one, other) =
                                (sleep(micros(i * 37 + round)), sleep(micros(i * 91 + round)));
                            let by = one.deadline().min(other.deadline());
                            select(pin!(one), pin!(other)).await;
                            assert!(now() >= by);
                        }
                    })
                })
                .collect();
            let aborted: Vec<_> = (0..200_u32)
                .map(|i| spawn(sleep(Duration::from_micros(u64::from(i) * 13))))
                .collect();
            for (i, handle) in aborted.iter().enumerate() {
                if i % 3 == 0 {
                    yield_now().await;
                }
                handle.abort();
            }
            for racer in racers {
                racer.await.unwrap();
            }
        });
    }
}

#[test]
pub(crate) fn a_sleep_that_nobody_polls_again_is_over_all_the_same() {
    let _watchdog = watchdog();
    block_on(async {
        let mut sleep = pin!(sleep(MILLI));
        let mut cx = Context::from_waker(Waker::noop());
        while sleep.as_mut().poll(&mut cx).is_pending() {
            thread::yield_now();
        }
        assert!(now() >= sleep.deadline());
    });
}

#[test]
pub(crate) fn a_future_that_gives_way_is_not_late() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            spawn(async {
                // One that gives way again and again is late (`promises::timeouts`).
                for count in [127, 128, 129, 200, 255] {
                    let (tx, rx) = channel(count);
                    (0..count).for_each(|n| tx.try_send(n).unwrap());
                    yield_now().await;
                    let all = async {
                        for _ in 0..count {
                            rx.recv().await;
                        }
                    };
                    assert_eq!(timeout(Duration::ZERO, all).await, Ok(()), "{count}");
                }
            })
            .await
            .unwrap();
        });
    }
}

#[test]
pub(crate) fn a_sleep_that_is_reset_ends_at_the_new_deadline_alone() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            let mut sleep = sleep(HOUR);
            // Sooner, while it waits.
            assert!(!is_ready_at_once(&mut sleep).await);
            let by = now() + 2 * MILLI;
            sleep.reset(by);
            assert_eq!(sleep.deadline(), by);
            (&mut sleep).await;
            assert!(now() >= by);
            // Again, after it has ended.
            let by = now() + 2 * MILLI;
            sleep.reset(by);
            assert!(!is_ready_at_once(&mut sleep).await || now() >= by);
            (&mut sleep).await;
            assert!(now() >= by);
            // Later, while it waits: the old deadline passes.
            sleep.reset(now() + MILLI);
            assert!(!is_ready_at_once(&mut sleep).await);
            sleep.reset(now() + HOUR);
            assert!(timeout(3 * MILLI, &mut sleep).await.is_err());
            // Into the past.
            sleep.reset(now());
            assert!(is_ready_at_once(sleep).await);
        });
    }
}

#[test]
pub(crate) fn a_sleep_that_is_reset_and_awaited_elsewhere_wakes_that_one() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            let mut sleep = sleep(HOUR);
            assert!(!is_ready_at_once(&mut sleep).await);
            sleep.reset(now() + 2 * MILLI);
            spawn(sleep).await.unwrap();
        });
    }
}

#[test]
pub(crate) fn a_deadline_that_has_passed_is_a_limit_of_zero() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            let past = now() - MILLI;
            assert_eq!(timeout_at(past, ready(1)).await, Ok(1), "it is polled first");
            assert!(timeout_at(past, pending::<()>()).await.is_err());
            let by = now() + 3 * MILLI;
            // The deadline counts, not the call.
            sleep(MILLI).await;
            let error = timeout_at(by, pending::<()>()).await.unwrap_err();
            assert!(now() >= by);
            assert_eq!(error.to_string(), "the deadline has passed");
            assert!(timeout_at(now() + HOUR, sleep(MILLI)).await.is_ok());
        });
    }
}
