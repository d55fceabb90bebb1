//! Timers of main, and of guests, which have threads of their own: nobody's polls make them late, neither
//! those of goroutines nor those of their neighbours in the same future.

use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::{Duration, Instant};

use futures::future::{Either, join_all, select};
use futures::stream::FuturesUnordered;
use futures::{FutureExt, StreamExt};
use gorun::time::{Sleep, after, interval, now, sleep, tick, timeout};
use gorun::{Handle, WaitGroup, block_on, channel, spawn};

use super::endless::{ALL, Names, PLACES, add, assert_none, until_long_after};
use super::hogs::{Hogs, alone};
use super::timeouts::SLACK;
use super::{MILLI, WORKERS};
use crate::common::*;

const SAMPLES: usize = 12;
const HOGS: usize = 8;
const STEP: Duration = Duration::from_millis(5);

/// What others may do while main's thread waits for a core, on a machine that is busy: about 75 ms.
fn allowed(workers: usize) -> usize {
    HOGS.max(15 * workers.min(HOGS))
}

/// Waits for a sleep in some way.
type Way = (&'static str, fn(Sleep) -> std::pin::Pin<Box<dyn Future<Output = ()>>>);

/// Combinators with wakers of their own.
const WAYS: &[Way] = &[
    ("FuturesUnordered", |sleep| {
        Box::pin(async {
            let mut all: FuturesUnordered<_> = [sleep].into_iter().collect();
            all.next().await.unwrap();
        })
    }),
    ("FuturesUnordered inside another", |sleep| {
        Box::pin(async {
            let inner = async {
                let mut all: FuturesUnordered<_> = [sleep].into_iter().collect();
                all.next().await.unwrap();
            };
            let mut all: FuturesUnordered<_> = [inner].into_iter().collect();
            all.next().await.unwrap();
        })
    }),
    ("Shared", |sleep| {
        Box::pin(async {
            let shared = sleep.shared();
            futures::join!(shared.clone(), shared);
        })
    }),
    ("join_all", |asleep| {
        Box::pin(async {
            let others = (0..40).map(|_| sleep(Duration::ZERO));
            join_all(others.chain([asleep])).await;
        })
    }),
    ("a timeout in FuturesUnordered", |sleep| {
        Box::pin(async {
            let limited = timeout(HOUR, sleep);
            let mut all: FuturesUnordered<_> = [limited].into_iter().collect();
            all.next().await.unwrap().unwrap();
        })
    }),
];

type Sample = (Instant, Instant);

async fn samples(wait: fn(Sleep) -> std::pin::Pin<Box<dyn Future<Output = ()>>>) -> Vec<Sample> {
    let mut samples = Vec::new();
    for _ in 0..SAMPLES {
        let asleep = sleep(3 * MILLI);
        let due = asleep.deadline();
        wait(asleep).await;
        samples.push((due, now()));
    }
    samples
}

#[test]
fn mains_timer_in_a_combinator_is_as_late_as_a_goroutine() {
    let _watchdog = watchdog();
    let _alone = alone();
    for workers in WORKERS {
        run(workers, async {
            let hogs = Hogs::start(HOGS, STEP);
            for &(name, wait) in WAYS {
                let case = format!("{name}, {workers} workers");
                hogs.check(&case, &samples(wait).await, allowed(workers));
            }
        });
    }
}

#[test]
fn mains_timer_as_a_channel_is_as_late_as_a_goroutine() {
    let _watchdog = watchdog();
    let _alone = alone();
    for workers in WORKERS {
        run(workers, async {
            let hogs = Hogs::start(HOGS, STEP);
            let mut samples = Vec::new();
            for _ in 0..SAMPLES {
                let due = now() + 3 * MILLI;
                after(3 * MILLI).recv().await.unwrap();
                samples.push((due, now()));
            }
            hogs.check(&format!("after, {workers} workers"), &samples, 3 * HOGS + allowed(workers));
            samples.clear();
            let mut ticks = interval(3 * MILLI);
            for _ in 0..SAMPLES {
                let mut all: FuturesUnordered<_> = [ticks.tick()].into_iter().collect();
                let due = all.next().await.unwrap();
                drop(all);
                samples.push((due, now()));
            }
            hogs.check(&format!("interval, {workers} workers"), &samples, allowed(workers));
        });
    }
}

#[test]
fn a_guests_timer_in_a_combinator_is_as_late_as_a_goroutine() {
    let _watchdog = watchdog();
    let _alone = alone();
    for workers in WORKERS {
        run(workers, async {
            let hogs = Hogs::start(HOGS, STEP);
            for &(name, wait) in &WAYS[..3] {
                let handle = Handle::current();
                let guest = thread::spawn(move || handle.block_on(samples(wait)));
                while !guest.is_finished() {
                    sleep(MILLI).await;
                }
                let case = format!("{name} in a guest, {workers} workers");
                hogs.check(&case, &guest.join().unwrap(), allowed(workers));
                let case = format!("{name} in main's nested block_on, {workers} workers");
                hogs.check(&case, &block_on(samples(wait)), allowed(workers));
            }
        });
    }
}

/// Runs main while all workers are in a poll that does not end, and nobody may step in.
#[track_caller]
fn while_all_are_stuck<F: Future<Output = ()>>(main: impl Fn() -> F) {
    let _watchdog = watchdog();
    for workers in WORKERS {
        let started = std::sync::atomic::AtomicUsize::new(0);
        let started = std::sync::Arc::new(started);
        run_without_spares(workers, async {
            let over = flag();
            for _ in 0..workers {
                let (over, started) = (over.clone(), started.clone());
                spawn(async move {
                    started.fetch_add(1, SeqCst);
                    while !over.load(SeqCst) {
                        thread::sleep(MILLI / 5);
                    }
                });
            }
            wait_until(|| started.load(SeqCst) == workers);
            // Also if it fails: it would hang otherwise.
            let free = over.clone();
            let (rang, has_rung) = std::sync::mpsc::channel::<()>();
            let rescue = thread::spawn(move || {
                let in_time = has_rung.recv_timeout(Duration::from_secs(5)).is_ok();
                free.store(true, SeqCst);
                in_time
            });
            main().await;
            let _ = rang.send(());
            over.store(true, SeqCst);
            assert!(rescue.join().unwrap(), "{workers} workers: it waited until one was free");
        });
    }
}

#[test]
fn mains_timer_in_a_combinator_waits_for_a_worker_that_is_stuck() {
    while_all_are_stuck(async || {
        for &(_, wait) in WAYS {
            wait(sleep(2 * MILLI)).await;
        }
        block_on(WAYS[0].1(sleep(2 * MILLI)));
    });
}

#[test]
fn mains_timer_as_a_channel_waits_for_a_worker_that_is_stuck() {
    while_all_are_stuck(async || {
        after(2 * MILLI).recv().await.unwrap();
        let ticks = tick(2 * MILLI);
        ticks.recv().await.unwrap();
        ticks.recv().await.unwrap();
    });
}

// Beside a neighbour in the same future that is never at a loss.

#[test]
fn a_timer_joined_with_what_is_always_ready_never_rings() {
    let _watchdog = watchdog();
    let silent = Names::default();
    for workers in WORKERS {
        run(workers, async {
            for &case in ALL {
                for place in PLACES {
                    let name = format!("{} in {place:?}", case.name);
                    let silent = silent.clone();
                    let pair = async move {
                        let due = now() + 2 * MILLI;
                        let hopeless = move || add(&silent, &name);
                        let endless =
                            case.begin(until_long_after(move || now() > due + SLACK, hopeless));
                        let stop = pin!(sleep(2 * MILLI));
                        if let Either::Right(_) = select(endless, stop).await {
                            assert!(now() >= due);
                        }
                    };
                    place.drive(pair).await;
                }
            }
        });
    }
    assert_none(&silent, "a timer never rings beside");
}

#[test]
fn what_others_send_never_arrives_beside_what_is_always_ready() {
    let _watchdog = watchdog();
    let silent = Names::default();
    for workers in WORKERS {
        run(workers, async {
            for &case in ALL {
                for place in PLACES {
                    let name = format!("{} in {place:?}", case.name);
                    let silent = silent.clone();
                    let pair = async move {
                        let (tx, rx) = channel(0);
                        let sent = flag();
                        thread::spawn({
                            let sent = sent.clone();
                            move || {
                                sent.store(true, SeqCst);
                                let _ = tx.send_blocking(());
                            }
                        });
                        let since = std::sync::Mutex::new(None);
                        let over = move || {
                            let mut since = since.lock().unwrap();
                            if since.is_none() && sent.load(SeqCst) {
                                *since = Some(now());
                            }
                            since.is_some_and(|since| now() > since + SLACK)
                        };
                        let hopeless = move || add(&silent, &name);
                        let endless = case.begin(until_long_after(over, hopeless));
                        select(endless, pin!(rx.recv())).await;
                    };
                    place.drive(pair).await;
                }
            }
        });
    }
    assert_none(&silent, "a value never arrives beside");
}

/// Parks the thread that wakes it for no time, as a lock or a channel inside may: that takes the token by which
/// another thread, or itself, has told it something.
struct Parks<F> {
    wakes: Waker,
    before: F,
}

impl<F: Fn() + Send + Sync> Wake for Parks<F> {
    fn wake(self: Arc<Self>) {
        self.wakes.wake_by_ref();
        (self.before)();
        thread::park_timeout(Duration::ZERO);
    }
}

async fn with_waker<F: Future>(future: F, before: impl Fn() + Send + Sync + Clone + 'static) {
    let mut future = pin!(future);
    poll_fn(|cx| {
        let parks = Parks { wakes: cx.waker().clone(), before: before.clone() };
        future.as_mut().poll(&mut Context::from_waker(&Waker::from(Arc::new(parks)))).map(drop)
    })
    .await
}

#[test]
fn a_waker_of_main_s_timer_takes_the_token_of_a_wake() {
    let (_alone, _watchdog) = (alone(), watchdog());
    // So that main finds that others want its core, and sleeps at once.
    let over = flag();
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let spinners: Vec<_> = (0..3 * cores)
        .map(|_| {
            let over = over.clone();
            thread::spawn(move || spin_until(&over))
        })
        .collect();
    run(1, async {
        for _ in 0..100 {
            with_waker(sleep(MILLI / 5), || ()).await;
        }
    });
    over.store(true, SeqCst);
    spinners.into_iter().for_each(|spinner| spinner.join().unwrap());
}

#[test]
fn a_waker_of_main_s_timer_takes_the_token_of_a_panic() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        let (may_panic, group) = (flag(), WaitGroup::new());
        let main = || {
            let (may_panic, group) = (may_panic.clone(), group.clone());
            run(workers, async move {
                let panics = may_panic.clone();
                group.go(async move {
                    spin_until(&panics);
                    panic!("nobody handles it");
                });
                let wait = move || {
                    may_panic.store(true, SeqCst);
                    // It is unhandled before it is counted down.
                    wait_until(|| group.wait().now_or_never().is_some());
                };
                let mut sleep = pin!(sleep(MILLI));
                let waker =
                    Waker::from(Arc::new(Parks { wakes: Waker::noop().clone(), before: wait }));
                poll_fn(|_| {
                    let _ = sleep.as_mut().poll(&mut Context::from_waker(&waker));
                    Poll::<()>::Pending
                })
                .await
            })
        };
        assert!(catch_unwind(AssertUnwindSafe(main)).is_err(), "{workers} workers");
    }
}

#[test]
fn sleeps_that_are_kept_make_each_later_block_on_slower() {
    const KEPT: usize = 20_000;
    const CHUNK: usize = 500;
    let (_alone, _watchdog) = (alone(), watchdog());
    run(1, async {
        let mut kept = Vec::new();
        let mut chunk = || {
            let start = Instant::now();
            for _ in 0..CHUNK {
                let mut asleep = Box::pin(sleep(HOUR));
                let polled = block_on(poll_fn(|cx| Poll::Ready(asleep.as_mut().poll(cx))));
                assert!(polled.is_pending());
                kept.push(asleep);
            }
            start.elapsed()
        };
        let mut least_of_four = || (0..4).map(|_| chunk()).min().unwrap();
        let first = least_of_four();
        let rest: Vec<_> = (1..KEPT / CHUNK / 4).map(|_| least_of_four()).collect();
        // A list of them would take thirty times as long.
        assert!(rest.last().unwrap() < &(8 * first), "{first:?} at first, then {rest:?}");
    });
}
