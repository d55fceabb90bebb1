//! Time limits around futures that are never at a loss for something to do.

use std::future::{Future, poll_fn};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, OnceLock};
use std::task::Poll;
use std::time::Duration;

use futures::FutureExt;
use gorun::time::{now, sleep_until, timeout};
use gorun::{JoinSet, WaitGroup, block_on, channel, context::Context, go, spawn, yield_now};

use super::WORKERS;
use super::endless::{ALL, Goes, Names, PLACES, Place, add, assert_none, until_long_after};
use super::hogs::alone;
use crate::common::*;

const TIME: Duration = Duration::from_millis(2);

/// A limit may be set that much later than the loop inside it reads the clock.
pub(crate) const SLACK: Duration = Duration::from_millis(20);

/// Goes on until long after a limit that begins now, which is noted then.
fn overdue(outlived: &Names, name: String) -> impl Goes {
    let (due, outlived) = (now() + TIME + SLACK, outlived.clone());
    until_long_after(move || now() >= due, move || add(&outlived, &name))
}

/// Runs `limited` in each place, with each number of workers. It is given where to note what outlived
/// its limit.
#[track_caller]
fn in_each_place<F: Future<Output = ()> + Send + 'static>(limited: impl Fn(Names) -> F) {
    let _watchdog = watchdog();
    let outlived = Names::default();
    for workers in WORKERS {
        run(workers, async {
            for place in PLACES {
                let noted = Names::default();
                place.drive(limited(noted.clone())).await;
                for name in noted.lock().unwrap().drain(..) {
                    add(&outlived, format!("{name} in {place:?}, {workers} workers"));
                }
            }
        });
    }
    assert_none(&outlived, "these outlived their limits");
}

#[test]
fn an_echo_that_is_always_ready_outlives_its_limit() {
    in_each_place(|outlived| async move {
        let (tx, rx) = channel(1);
        let mut goes = overdue(&outlived, "echo".to_owned());
        let start = now();
        let echo = async {
            let mut n = 0;
            while goes() {
                tx.send(n).await.unwrap();
                n = rx.recv().await.unwrap() + 1;
            }
        };
        if timeout(TIME, echo).await.is_err() {
            assert!(start.elapsed() >= TIME);
        }
    });
}

#[test]
fn loops_outlive_limits_inside_limits() {
    in_each_place(|outlived| async move {
        // The outer one ends first, the inner one, or both at once.
        let limits = [(TIME, HOUR), (HOUR, TIME), (TIME, TIME)];
        for (&case, &(outer, inner)) in ALL.iter().zip(limits.iter().cycle()) {
            let goes = overdue(&outlived, format!("{} in {outer:?}, {inner:?}", case.name));
            let _ = timeout(outer, timeout(HOUR, timeout(inner, case.begin(goes)))).await;
        }
    });
}

#[test]
fn a_loop_over_a_set_that_is_full_of_results_outlives_its_limit() {
    in_each_place(|outlived| async move {
        let mut goes = overdue(&outlived, "a set".to_owned());
        let supervise = async {
            let mut set = JoinSet::new();
            while goes() {
                set.spawn(async {});
                set.spawn(async {});
                set.join_next().await.unwrap().unwrap();
            }
        };
        let _ = timeout(TIME, supervise).await;
    });
}

#[test]
fn a_loop_that_waits_for_a_group_at_zero_outlives_its_limit() {
    in_each_place(|outlived| async move {
        let group = WaitGroup::new();
        let mut goes = overdue(&outlived, "a group".to_owned());
        let waits = async {
            while goes() {
                group.add(1);
                group.done();
                group.wait().await;
            }
        };
        let _ = timeout(TIME, waits).await;
    });
}

#[test]
fn a_loop_that_yields_outlives_its_limit() {
    in_each_place(|outlived| async move {
        let mut goes = overdue(&outlived, "yields".to_owned());
        let yields = async {
            while goes() {
                yield_now().await;
            }
        };
        let _ = timeout(TIME, timeout(TIME, yields)).await;
    });
}

/// Looks, and an executor of its own inside, spend what there is of the budget.
#[test]
fn a_loop_that_looks_and_drives_others_outlives_its_limit() {
    in_each_place(|outlived| async move {
        for inner in ["looks", "futures", "gorun"] {
            let (tx, rx) = channel(1);
            let mut goes = overdue(&outlived, inner.to_owned());
            let busy = async {
                // It has 50 operations in each round.
                while (0..50).all(|_| goes()) {
                    for _ in 0..50 {
                        match inner {
                            "looks" => drop(tx.send(()).now_or_never()),
                            "futures" => drop(futures::executor::block_on(tx.send(()))),
                            _ => drop(block_on(tx.send(()))),
                        }
                        let _ = rx.try_recv();
                    }
                    tx.send(()).await.unwrap();
                    rx.recv().await.unwrap();
                }
            };
            let _ = timeout(TIME, busy).await;
        }
    });
}

/// One that spends its whole budget in each poll.
#[test]
fn an_overdue_limit_is_deferred_more_than_once() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        for place in PLACES {
            let polls_after = Arc::new(AtomicUsize::new(0));
            let counted = polls_after.clone();
            let limited = async move {
                let (tx, rx) = channel(1);
                let due = Arc::new(OnceLock::new());
                let its_due = due.clone();
                let watched = poll_fn(|cx| {
                    let is_late = its_due.get().is_some_and(|&due| now() > due);
                    if is_late && counted.fetch_add(1, SeqCst) > 1000 {
                        return Poll::Ready(());
                    }
                    // More than a budget.
                    for _ in 0..5000 {
                        if tx.send(()).poll_unpin(cx).is_pending() {
                            return Poll::Pending;
                        }
                        rx.try_recv().unwrap();
                    }
                    cx.waker().wake_by_ref();
                    Poll::Pending
                });
                let limited = timeout(TIME, timeout(TIME, watched));
                due.set(now() + TIME).unwrap();
                let _ = limited.await;
            };
            run(workers, place.drive(limited));
            // One more may be the last look.
            let polls = polls_after.load(SeqCst);
            assert!(polls <= 3, "{polls} polls after the limit in {place:?}, {workers} workers");
        }
    }
}

/// The goroutine spends its budget in front of the limit, in each poll.
#[test]
fn a_limit_behind_a_neighbour_that_spends_the_budget_never_ends() {
    in_each_place(|outlived| async move {
        let (tx, rx) = channel(1);
        let over = flag();
        let mut goes = overdue(&outlived, "a neighbour".to_owned());
        let neighbour = async {
            while !over.load(SeqCst) && goes() {
                tx.send(()).await.unwrap();
                rx.recv().await.unwrap();
            }
        };
        let limited = async {
            let never = std::future::pending::<()>();
            assert!(timeout(TIME, timeout(HOUR, never)).await.is_err());
            over.store(true, SeqCst);
        };
        futures::join!(neighbour, limited);
    });
}

/// What is ready at once does not time out, whatever of the budget is left.
#[test]
fn what_is_ready_times_out_because_of_the_budget() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            for place in PLACES {
                place
                    .drive(async {
                        let (tx, rx) = channel(1);
                        let zero = Duration::ZERO;
                        let past = now();
                        for _ in 0..1000 {
                            tx.try_send(()).unwrap();
                            assert_eq!(timeout(zero, rx.recv()).await, Ok(Some(())));
                            let sent = timeout(zero, timeout(zero, tx.send(()))).await;
                            assert!(matches!(sent, Ok(Ok(Ok(())))), "{sent:?}");
                            rx.try_recv().unwrap();
                            timeout(zero, sleep_until(past)).await.unwrap();
                            timeout(zero, WaitGroup::new().wait()).await.unwrap();
                            timeout(zero, JoinSet::<()>::new().join_next()).await.unwrap();
                        }
                    })
                    .await;
            }
        });
    }
}

/// A handle is ready, and a limit of no time beside it.
#[test]
fn a_finished_goroutine_times_out_because_of_the_budget() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            for place in [Place::Main, Place::Goroutine, Place::Guest] {
                place
                    .drive(async {
                        let handles: Vec<_> = (0..5000).map(|n| spawn(async move { n })).collect();
                        yield_until(|| handles.iter().all(|handle| handle.is_finished())).await;
                        for (n, handle) in handles.into_iter().enumerate() {
                            let result = timeout(Duration::ZERO, handle).await;
                            assert_eq!(result.unwrap().unwrap(), n);
                        }
                    })
                    .await;
            }
        });
    }
}

/// The monitor ends the budget of a last poll as of any other.
#[test]
fn a_last_poll_that_computes_lets_others_run() {
    let _watchdog = watchdog();
    let _alone = alone();
    for in_context in [false, true] {
        run(1, async move {
            go!(async {
                loop {
                    yield_now().await;
                }
            });
            // How many turns the busy one has had in this poll, and the most in one.
            let (turns, most) = (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
            let (had, noted) = (turns.clone(), most.clone());
            let busy = async move {
                let (tx, rx) = channel(1);
                loop {
                    tx.send(()).await.unwrap();
                    rx.recv().await;
                    noted.fetch_max(had.fetch_add(1, SeqCst) + 1, SeqCst);
                    compute_for(TIME);
                }
            };
            let mut limited = Box::pin(async move {
                if in_context {
                    let (context, _cancel) = Context::background().with_timeout(TIME);
                    let _ = context.run(busy).await;
                } else {
                    let _ = timeout(TIME, busy).await;
                }
            });
            let counted = poll_fn(move |cx| {
                turns.store(0, SeqCst);
                limited.as_mut().poll(cx)
            });
            spawn(counted).await.unwrap();
            let most = most.load(SeqCst);
            assert!(most < 100, "{most} turns in one poll, in a context: {in_context}");
        });
    }
}
