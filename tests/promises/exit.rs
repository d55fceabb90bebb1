//! The end of main beside goroutines that do not end, while something rings, retries or wakes for ever.

use std::future::{Future, pending};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use futures::StreamExt;
use futures::future::{join, join_all};
use futures::stream::FuturesUnordered;
use gorun::time::{after, interval, sleep, tick};
use gorun::{Builder, Handle, JoinSet, block_on, blocking, channel, go, spawn};

use super::{MILLI, WORKERS, programs, scaled};
use crate::common::*;

/// The grace, which is 100 ms, and a second; and two more for a machine that is busy elsewhere.
pub(crate) const LIMIT: Duration = Duration::from_millis(3100);

const EVERY: Duration = Duration::from_millis(5);

/// How many goroutines and threads have begun.
type Begun = Arc<AtomicUsize>;

/// Main returns when so many have begun. The program then has to end in time.
#[track_caller]
fn ends_beside(test: &str, count: usize, begin: impl FnOnce(&Begun)) {
    programs::for_each_workers(test, |workers| {
        let begun = Begun::default();
        let mut returned = Instant::now();
        Builder::new()
            .worker_threads(workers)
            .block_on(async {
                begin(&begun);
                yield_until(|| begun.load(SeqCst) == count).await;
                sleep(10 * EVERY).await;
                returned = Instant::now();
                end_the_process_at_the_latest(LIMIT + Duration::from_secs(1));
            })
            .unwrap();
        let took = returned.elapsed();
        assert!(took < LIMIT, "exit took {took:?}");
    });
}

/// A fault is seen sooner than by the parent's patience.
fn end_the_process_at_the_latest(after: Duration) {
    thread::spawn(move || {
        thread::sleep(after);
        eprintln!("{after:?} after main has returned block_on has not");
        std::process::exit(1);
    });
}

/// A goroutine that does not come to an await.
fn asleep(begun: &Begun) {
    let begun = begun.clone();
    go!(move || {
        begun.fetch_add(1, SeqCst);
        thread::sleep(HOUR);
    });
}

/// A goroutine that drives a future which has no end.
fn nested<F: Future<Output = ()>>(begun: &Begun, endless: impl FnOnce() -> F + Send + 'static) {
    let begun = begun.clone();
    go!(move || {
        block_on(async {
            begun.fetch_add(1, SeqCst);
            endless().await;
        })
    });
}

/// A thread outside that does so.
fn guest<F: Future<Output = ()>>(begun: &Begun, endless: impl FnOnce() -> F + Send + 'static) {
    let (begun, handle) = (begun.clone(), Handle::current());
    thread::spawn(move || {
        handle.block_on(async {
            begun.fetch_add(1, SeqCst);
            endless().await;
        })
    });
}

// Something rings, beside a goroutine that does not come to an await.

#[test]
fn a_ticker_of_a_goroutine_that_sleeps_renews_the_grace() {
    ends_beside("exit::a_ticker_of_a_goroutine_that_sleeps_renews_the_grace", 1, |begun| {
        let begun = begun.clone();
        go!(move || {
            let _ticks = tick(EVERY);
            begun.fetch_add(1, SeqCst);
            thread::sleep(HOUR);
        });
    });
}

#[test]
fn a_ticker_that_is_forgotten_renews_the_grace() {
    ends_beside("exit::a_ticker_that_is_forgotten_renews_the_grace", 1, |begun| {
        std::mem::forget(tick(EVERY));
        asleep(begun);
    });
}

#[test]
fn a_ticker_that_is_forgotten_renews_the_grace_of_one_that_computes() {
    let test = "exit::a_ticker_that_is_forgotten_renews_the_grace_of_one_that_computes";
    ends_beside(test, 1, |begun| {
        std::mem::forget(tick(EVERY));
        let begun = begun.clone();
        go!(move || {
            begun.fetch_add(1, SeqCst);
            loop {
                std::hint::spin_loop();
            }
        });
    });
}

// A nested `block_on` that is polled again and again.

#[test]
fn ticks_in_a_nested_block_on_renew_the_grace() {
    ends_beside("exit::ticks_in_a_nested_block_on_renew_the_grace", 2, |begun| {
        for _ in 0..2 {
            nested(begun, async || {
                let ticks = tick(EVERY);
                loop {
                    ticks.recv().await;
                }
            });
        }
    });
}

#[test]
fn many_sleeps_joined_in_a_nested_block_on_renew_the_grace() {
    ends_beside("exit::many_sleeps_joined_in_a_nested_block_on_renew_the_grace", 1, |begun| {
        nested(begun, async || {
            loop {
                join_all((0..40).map(|_| sleep(EVERY))).await;
            }
        });
    });
}

#[test]
fn sleeps_of_different_lengths_in_a_nested_block_on_renew_the_grace() {
    let test = "exit::sleeps_of_different_lengths_in_a_nested_block_on_renew_the_grace";
    ends_beside(test, 3, |begun| {
        nested(begun, async || {
            let mut sleeps: FuturesUnordered<_> = (1..40).map(|n| sleep(n * EVERY)).collect();
            while sleeps.next().await.is_some() {
                sleeps.push(sleep(3 * EVERY));
            }
        });
        nested(begun, async || {
            loop {
                join(sleep(EVERY), sleep(2 * EVERY)).await;
            }
        });
        nested(begun, async || {
            loop {
                sleep(EVERY).await;
            }
        });
    });
}

#[test]
fn an_interval_in_a_nested_block_on_renews_the_grace() {
    ends_beside("exit::an_interval_in_a_nested_block_on_renews_the_grace", 1, |begun| {
        nested(begun, async || {
            let mut ticks = interval(EVERY);
            loop {
                ticks.tick().await;
            }
        });
    });
}

#[test]
fn timers_set_anew_in_a_nested_block_on_renew_the_grace() {
    ends_beside("exit::timers_set_anew_in_a_nested_block_on_renew_the_grace", 1, |begun| {
        nested(begun, async || while after(EVERY).recv().await.is_some() {});
    });
}

#[test]
fn a_handle_s_block_on_in_a_goroutine_renews_the_grace() {
    ends_beside("exit::a_handle_s_block_on_in_a_goroutine_renews_the_grace", 1, |begun| {
        let begun = begun.clone();
        go!(move || {
            Handle::current().block_on(async {
                begun.fetch_add(1, SeqCst);
                let ticks = tick(EVERY);
                loop {
                    ticks.recv().await;
                }
            })
        });
    });
}

#[test]
fn a_block_on_that_begins_again_and_again_renews_the_grace() {
    ends_beside("exit::a_block_on_that_begins_again_and_again_renews_the_grace", 1, |begun| {
        let begun = begun.clone();
        go!(move || {
            begun.fetch_add(1, SeqCst);
            loop {
                block_on(async { after(EVERY).recv().await });
            }
        });
    });
}

// Guests, and wakes from outside.

#[test]
fn a_guest_that_waits_for_ticks_renews_the_grace() {
    ends_beside("exit::a_guest_that_waits_for_ticks_renews_the_grace", 2, |begun| {
        guest(begun, async || {
            let ticks = tick(EVERY);
            while ticks.recv().await.is_some() {}
        });
        asleep(begun);
    });
}

#[test]
fn a_guest_that_sets_timers_renews_the_grace() {
    ends_beside("exit::a_guest_that_sets_timers_renews_the_grace", 2, |begun| {
        guest(begun, async || while after(EVERY).recv().await.is_some() {});
        asleep(begun);
    });
}

#[test]
fn a_thread_outside_that_wakes_a_nested_block_on_renews_the_grace() {
    let test = "exit::a_thread_outside_that_wakes_a_nested_block_on_renews_the_grace";
    ends_beside(test, 1, |begun| {
        let (tx, rx) = channel(1);
        thread::spawn(move || {
            loop {
                let _ = tx.try_send(());
                thread::sleep(MILLI);
            }
        });
        nested(begun, async move || while rx.recv().await.is_some() {});
    });
}

#[test]
fn a_thread_outside_that_spawns_renews_the_grace() {
    ends_beside("exit::a_thread_outside_that_spawns_renews_the_grace", 1, |begun| {
        let handle = Handle::current();
        thread::spawn(move || {
            loop {
                handle.spawn(async {}).detach();
                thread::sleep(MILLI);
            }
        });
        asleep(begun);
    });
}

// Retries in one poll.

#[test]
fn blocking_again_and_again_renews_the_grace() {
    ends_beside("exit::blocking_again_and_again_renews_the_grace", 2, |begun| {
        for _ in 0..2 {
            let begun = begun.clone();
            go!(move || {
                begun.fetch_add(1, SeqCst);
                loop {
                    blocking(|| thread::sleep(MILLI));
                }
            });
        }
    });
}

#[test]
fn spawns_that_are_refused_renew_the_grace() {
    ends_beside("exit::spawns_that_are_refused_renew_the_grace", 1, |begun| {
        let begun = begun.clone();
        go!(move || {
            begun.fetch_add(1, SeqCst);
            loop {
                spawn(async {}).detach();
                thread::sleep(MILLI / 10);
            }
        });
    });
}

// All of them together, again and again.

/// Begins one of each, and gives the number of those that say they have begun. Those in `counter` are
/// dropped at exit, so none may advance it later.
fn begin_all(begun: &Begun, counter: &Arc<AtomicUsize>) -> usize {
    let count = |begun: &Begun| {
        let (mut once, begun, counter) = (Some(()), begun.clone(), counter.clone());
        move || {
            begun.fetch_add(usize::from(once.take().is_some()), SeqCst);
            counter.fetch_add(1, SeqCst);
        }
    };
    let mut step = count(begun);
    spawn(async move {
        loop {
            let _ = spawn(async {}).await;
            step();
        }
    });
    let mut step = count(begun);
    spawn(async move {
        let mut set = JoinSet::new();
        loop {
            set.spawn(async {});
            let _ = set.join_next().await;
            step();
        }
    });
    let mut step = count(begun);
    spawn(async move {
        let mut ticks = interval(MILLI);
        loop {
            ticks.tick().await;
            step();
        }
    });
    let mut step = count(begun);
    spawn(async move {
        let (ticks, _unread) = (tick(MILLI), tick(MILLI));
        loop {
            ticks.recv().await;
            step();
        }
    });
    nested(begun, async || {
        let ticks = tick(MILLI);
        loop {
            ticks.recv().await;
        }
    });
    nested(begun, async || {
        loop {
            sleep(MILLI).await;
        }
    });
    nested(begun, pending::<()>);
    guest(begun, async || {
        let ticks = tick(MILLI);
        while ticks.recv().await.is_some() {}
    });
    8
}

#[test]
fn all_that_rings_and_retries_together_holds_up_the_end() {
    let test = "exit::all_that_rings_and_retries_together_holds_up_the_end";
    programs::for_each_workers(test, |workers| {
        let taken = Mutex::new(Vec::new());
        let counter = Arc::new(AtomicUsize::new(0));
        for round in 0..scaled(50, 10) {
            let begun = Begun::default();
            let mut returned = Instant::now();
            Builder::new()
                .worker_threads(workers)
                .exit_grace(20 * MILLI)
                .block_on(async {
                    let count = begin_all(&begun, &counter);
                    yield_until(|| begun.load(SeqCst) == count).await;
                    returned = Instant::now();
                })
                .unwrap();
            let took = returned.elapsed();
            let seen = counter.load(SeqCst);
            thread::sleep(2 * MILLI);
            assert_eq!(counter.load(SeqCst), seen, "round {round}: goroutines run on");
            assert!(took < LIMIT, "round {round}: exit took {took:?}");
            taken.lock().unwrap().push(took);
        }
        let mut taken = taken.into_inner().unwrap();
        taken.sort();
        let of_a_hundred = |n: usize| taken[taken.len() * n / 100];
        let (half, most) = (of_a_hundred(50), of_a_hundred(95));
        println!("{workers} workers: exit took {half:?}, in 95 % at most {most:?}");
    });
}

#[test]
fn a_sleeper_that_exit_leaves_behind_is_kept_awake_by_the_thread_that_drives_it() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        for _ in 0..scaled(20, 5) {
            let begun = Begun::default();
            let counter = Arc::new(AtomicUsize::new(0));
            Builder::new()
                .worker_threads(workers)
                .report_left_behind(false)
                .block_on(async {
                    let counted = counter.clone();
                    nested(&begun, async move || {
                        loop {
                            sleep(MILLI / 20).await;
                            counted.fetch_add(1, SeqCst);
                        }
                    });
                    yield_until(|| counter.load(SeqCst) > 10).await;
                })
                .unwrap();
            let seen = counter.load(SeqCst);
            thread::sleep(5 * MILLI);
            // One sleep may have been over at that moment.
            assert!(
                counter.load(SeqCst) <= seen + 2,
                "{workers} workers: it goes on sleeping and waking"
            );
        }
    }
}
