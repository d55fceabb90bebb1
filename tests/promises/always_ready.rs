//! The end of main beside goroutines whose every await is ready at once: they are dropped before
//! `block_on` returns, and nothing of theirs runs after it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::thread;
use std::time::Instant;

use futures::FutureExt;
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use gorun::time::{now, sleep_until, timeout};
use gorun::{Builder, Handle, JoinSet, WaitGroup, block_on, channel, select, spawn};

use super::endless::{ALL, Loop, MANY};
use super::exit::LIMIT;
use super::{MILLI, WORKERS, scaled};
use crate::common::*;

const ROUNDS: usize = scaled(50, 8);
const EACH: usize = 4;

/// Main returns in the middle of what `loops` makes, again and again. Each advances the counter it is given.
#[track_caller]
fn end_beside(what: &str, loops: impl Fn(usize, Arc<AtomicUsize>) -> Loop) {
    end_so_often_beside(ROUNDS, what, loops);
}

#[track_caller]
fn end_so_often_beside(rounds: usize, what: &str, loops: impl Fn(usize, Arc<AtomicUsize>) -> Loop) {
    let _watchdog = watchdog();
    for workers in WORKERS {
        let counter = Arc::new(AtomicUsize::new(0));
        for round in 0..rounds {
            let drops = Drops::new(EACH);
            let mut returned = Instant::now();
            Builder::new()
                .worker_threads(workers)
                .block_on(async {
                    let seen = counter.load(SeqCst);
                    for index in 0..EACH {
                        let (probe, endless) = (drops.probe(index), loops(index, counter.clone()));
                        spawn(async move {
                            let _probe = probe;
                            endless.await;
                        });
                    }
                    yield_until(|| counter.load(SeqCst) > seen + 10).await;
                    returned = Instant::now();
                })
                .unwrap();
            let case = format!("{what}, {workers} workers, run {round}");
            let took = returned.elapsed();
            drops.assert_each_once_off_main(&case);
            let seen = counter.load(SeqCst);
            thread::sleep(MILLI);
            assert_eq!(counter.load(SeqCst), seen, "{case}: goroutines run on after block_on");
            assert!(took < LIMIT, "{case}: exit took {took:?}");
        }
    }
}

#[test]
fn a_supervisor_that_awaits_cancelled_handles_outlives_main() {
    end_beside("handles", |_, counter| {
        Box::pin(async move {
            loop {
                let _ = spawn(async {}).await;
                counter.fetch_add(1, SeqCst);
            }
        })
    });
}

#[test]
fn a_supervisor_that_asks_its_set_outlives_main() {
    end_beside("a set", |_, counter| {
        Box::pin(async move {
            let mut set = JoinSet::new();
            loop {
                set.spawn(async {});
                let _ = set.join_next().await;
                counter.fetch_add(1, SeqCst);
            }
        })
    });
}

#[test]
fn a_supervisor_with_a_limit_and_a_select_outlives_main() {
    end_beside("limits and selects", |index, counter| {
        Box::pin(async move {
            let (_tx, rx) = channel::<()>(0);
            loop {
                let child = spawn(async {});
                match index % 2 {
                    0 => drop(timeout(HOUR, child).await),
                    _ => select! {
                        ended = child => drop(ended),
                        never = rx.recv() => unreachable!("{never:?}"),
                    },
                }
                counter.fetch_add(1, SeqCst);
            }
        })
    });
}

/// The combinator polls with a waker of its own.
#[test]
fn a_supervisor_of_several_in_one_future_outlives_main() {
    end_beside("FuturesUnordered", |_, counter| {
        Box::pin(async move {
            let mut children = FuturesUnordered::new();
            loop {
                while children.len() < 3 {
                    children.push(spawn(async {}));
                }
                let _ = children.next().await;
                counter.fetch_add(1, SeqCst);
            }
        })
    });
}

#[test]
fn a_supervisor_that_waits_for_its_group_outlives_main() {
    end_beside("a wait group", |_, counter| {
        Box::pin(async move {
            let group = WaitGroup::new();
            loop {
                group.go(async {});
                group.wait().await;
                counter.fetch_add(1, SeqCst);
            }
        })
    });
}

#[test]
fn a_loop_that_alternates_what_is_always_ready_outlives_main() {
    end_beside("closed channels and sleeps that are due", |index, counter| {
        Box::pin(async move {
            let (tx, rx) = channel::<()>(1);
            tx.close();
            let past = now();
            let group = WaitGroup::new();
            loop {
                match (index + counter.fetch_add(1, SeqCst)) % 4 {
                    0 => assert!(rx.recv().await.is_none()),
                    1 => sleep_until(past).await,
                    2 => assert!(tx.send(()).await.is_err()),
                    _ => group.wait().await,
                }
            }
        })
    });
}

#[test]
fn a_loop_over_any_public_future_outlives_main() {
    for &case in ALL {
        end_so_often_beside(ROUNDS / 4, case.name, |_, counter| {
            case.begin(move || {
                counter.fetch_add(1, SeqCst);
                true
            })
        });
    }
}

/// What polls then is the destructor's own executor. It is let through to its end.
#[test]
fn what_a_destructor_awaits_at_exit_is_cut_short() {
    const AWAITS: usize = 1000;
    let _watchdog = watchdog();
    for workers in WORKERS {
        let awaited = Arc::new(AtomicUsize::new(0));
        let drain = {
            let awaited = awaited.clone();
            OnDrop(move || {
                let (tx, rx) = channel(1);
                let past = now();
                block_on(async {
                    for _ in 0..AWAITS {
                        tx.send(()).await.unwrap();
                        rx.recv().await.unwrap();
                        sleep_until(past).await;
                        assert!(spawn(async {}).await.unwrap_err().is_cancelled());
                        awaited.fetch_add(1, SeqCst);
                    }
                });
                for _ in 0..AWAITS {
                    assert!(spawn(async {}).now_or_never().unwrap().unwrap_err().is_cancelled());
                }
            })
        };
        end_while_parked(workers, drain);
        assert_eq!(awaited.load(SeqCst), AWAITS, "{workers} workers");
    }
}

/// The end of main does not interrupt whoever waits on a thread outside.
#[test]
fn a_guest_is_cut_short_by_exit() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        let (main_ended, started) = (flag(), flag());
        let guest = run(workers, async {
            let handle = Handle::current();
            let (main_ended, is_started) = (main_ended.clone(), started.clone());
            let guest = thread::spawn(move || {
                let (tx, rx) = channel(1);
                handle.block_on(async {
                    let mut after = 0;
                    while after < MANY {
                        tx.send(()).await.unwrap();
                        rx.recv().await.unwrap();
                        is_started.store(true, SeqCst);
                        after += usize::from(main_ended.load(SeqCst));
                    }
                    assert!(spawn(async {}).await.unwrap_err().is_cancelled());
                });
            });
            wait_until(|| started.load(SeqCst));
            guest
        });
        main_ended.store(true, SeqCst);
        guest.join().unwrap();
    }
}
