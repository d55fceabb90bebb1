//! Every public future passes the scheduler's gate when it is polled. A loop over one that does not would
//! keep its neighbours waiting, outlive its time limit, and outlive main.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::task::Poll;
use std::time::{Duration, Instant};

use gorun::time::{now, timeout};
use gorun::{Handle, spawn};

use super::endless::{
    self, MANY, Names, PLACES, Place, add, assert_none, is_closing, until_long_after,
};
use super::timeouts::SLACK;
use super::{MILLI, WORKERS};
use crate::common::*;

/// So long nobody is kept waiting by a thread that has lost its core.
const LONG: Duration = Duration::from_secs(1);

fn names() -> Names {
    Names::default()
}

/// Ready at the third poll, as something is that has a few things to do.
async fn three_polls() {
    let mut polls = 0;
    poll_fn(|cx| {
        polls += 1;
        if polls == 3 {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await
}

/// Joined, and selected, with a loop that begins first.
async fn beside(case: endless::Endless, starved: Names, place: Place) {
    for joined in [true, false] {
        let over = flag();
        let goes = {
            let (over, starved) = (over.clone(), starved.clone());
            let mut rounds = 0;
            move || {
                rounds += 1;
                if rounds > MANY {
                    add(&starved, format!("{} in {place:?}", case.name));
                }
                rounds <= MANY && !over.load(SeqCst)
            }
        };
        let endless = case.begin(goes);
        let neighbour = async {
            three_polls().await;
            over.store(true, SeqCst);
        };
        match joined {
            true => drop(futures::join!(endless, neighbour)),
            false => drop(futures::future::select(endless, pin!(neighbour)).await),
        }
    }
}

#[test]
fn a_future_that_is_always_ready_starves_its_neighbour_in_a_join() {
    let _watchdog = watchdog();
    let starved = names();
    for workers in WORKERS {
        run(workers, async {
            for &case in endless::ALL {
                for place in PLACES {
                    place.drive(beside(case, starved.clone(), place)).await;
                }
            }
        });
    }
    assert_none(&starved, "the neighbour in the same future never had a turn beside");
}

#[test]
fn a_future_that_is_always_ready_keeps_a_worker_from_other_goroutines() {
    let _watchdog = watchdog();
    let starved = names();
    for workers in WORKERS {
        run_without_spares(workers, async {
            for &case in endless::ALL {
                // One for each worker, so that nobody is free.
                let loops: Vec<_> = (0..workers)
                    .map(|_| {
                        let starved = starved.clone();
                        spawn(async move {
                            let over = flag();
                            let goes = {
                                let over = over.clone();
                                let (mut rounds, since) = (0, Instant::now());
                                move || {
                                    rounds += 1;
                                    // The worker that has the other one may have lost its core.
                                    let is_late = rounds % MANY == 0 && since.elapsed() > LONG;
                                    if is_late {
                                        add(&starved, case.name);
                                    }
                                    !is_late && !over.load(SeqCst)
                                }
                            };
                            spawn(async move { over.store(true, SeqCst) });
                            case.begin(goes).await;
                        })
                    })
                    .collect();
                for each in loops {
                    each.await.unwrap();
                }
            }
        });
    }
    assert_none(&starved, "another goroutine never had a turn beside");
}

#[test]
fn a_future_that_is_always_ready_outlives_main() {
    let _watchdog = watchdog();
    let outlived = names();
    for workers in WORKERS {
        for &case in endless::ALL {
            let drops = Drops::new(workers + 1);
            let main_ends = flag();
            let outlived = outlived.clone();
            patient(workers)
                .block_on(async {
                    let started = Arc::new(std::sync::atomic::AtomicUsize::new(0));
                    for index in 0..=workers {
                        let probe = drops.probe(index);
                        let (main_ends, started) = (main_ends.clone(), started.clone());
                        let outlived = outlived.clone();
                        spawn(async move {
                            let _probe = probe;
                            started.fetch_add(1, SeqCst);
                            let over = move || main_ends.load(SeqCst) && is_closing();
                            let hopeless = move || add(&outlived, case.name);
                            case.begin(until_long_after(over, hopeless)).await;
                        });
                    }
                    yield_until(|| started.load(SeqCst) > 0).await;
                    main_ends.store(true, SeqCst);
                })
                .unwrap();
            drops.assert_each_once_off_main(case.name);
        }
    }
    assert_none(&outlived, "exit does not drop a goroutine that loops over");
}

#[test]
fn a_future_that_is_always_ready_outlives_its_time_limit() {
    let _watchdog = watchdog();
    let outlived = names();
    for workers in WORKERS {
        run(workers, async {
            for &case in endless::ALL {
                for place in PLACES {
                    let outlived = outlived.clone();
                    let limited = async move {
                        let due = now() + 2 * MILLI + SLACK;
                        let over = move || now() >= due;
                        let hopeless =
                            move || add(&outlived, format!("{} in {place:?}", case.name));
                        let _ =
                            timeout(2 * MILLI, case.begin(until_long_after(over, hopeless))).await;
                    };
                    place.drive(limited).await;
                }
            }
        });
    }
    assert_none(&outlived, "a timeout does not end a loop over");
}

/// The goroutines of the loop over handles belong to a runtime that has ended. It matters who polls, not
/// whose handle it is.
#[test]
fn a_handle_of_another_runtime_is_polled_for_nothing() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        let other = run(workers, async { Handle::current() });
        run(workers, async move {
            let rounds = spawn(async move {
                let over = flag();
                spawn({
                    let over = over.clone();
                    async move { over.store(true, SeqCst) }
                });
                let mut rounds = 0;
                while !over.load(SeqCst) && rounds <= MANY {
                    assert!(other.spawn(async {}).await.unwrap_err().is_cancelled());
                    rounds += 1;
                }
                rounds
            });
            let rounds = rounds.await.unwrap();
            assert!(workers > 1 || rounds <= MANY, "nobody else had a turn in {rounds} rounds");
        });
    }
}
