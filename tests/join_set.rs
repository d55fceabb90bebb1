//! Join sets: results in the order of completion, and goroutines that end with their set.

mod common;

use std::future::{Future, pending};
use std::panic::panic_any;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};
use std::task::{Context, Wake, Waker};
use std::thread;
use std::time::{Duration, Instant};

use common::*;
use futures::channel::oneshot;
use futures::future::select;
use futures::{FutureExt, Stream, StreamExt};
use gorun::{
    Builder, Handle, JoinError, JoinSet, UnhandledPanic, num_goroutines, spawn, yield_now,
};

const WORKERS: [usize; 3] = [1, 2, 16];

/// Held by tests whose runtimes leave goroutines behind: all sets of the process are told of that.
static LEAVING: RwLock<()> = RwLock::new(());

fn lock_shared(lock: &RwLock<()>) -> RwLockReadGuard<'_, ()> {
    lock.read().unwrap_or_else(PoisonError::into_inner)
}

/// Runs a main that ends with a panic, and returns its text.
#[track_caller]
fn crash<F: Future>(workers: usize, main: F) -> String {
    message(&*payload_of(|| patient(workers).block_on(main))).expect("a text").to_owned()
}

fn is_cancelled<T>(result: Option<Result<T, JoinError>>) -> bool {
    result.expect("a result").is_err_and(|error| error.is_cancelled())
}

/// Sets a flag at the end of a destructor that takes its time.
fn slow(drops: &Arc<AtomicUsize>) -> OnDrop<impl FnMut() + Send + use<>> {
    let drops = drops.clone();
    OnDrop(move || {
        (0..20).for_each(|_| thread::yield_now());
        drops.fetch_add(1, SeqCst);
    })
}

/// Counts its wakes.
#[derive(Default)]
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, SeqCst);
    }
}

// Results.

#[test]
fn results_come_in_the_order_of_completion() {
    const COUNT: usize = 50;
    let _watchdog = watchdog();
    for workers in WORKERS {
        for waits_first in [false, true] {
            run(workers, async {
                let mut set = JoinSet::new();
                let mut gates = Vec::new();
                for i in 0..COUNT {
                    let (open, opened) = oneshot::channel::<()>();
                    gates.push(Some(open));
                    set.spawn(async move {
                        opened.await.unwrap();
                        i
                    });
                }
                assert_eq!(set.len(), COUNT);
                // 0, 37, 24, ..: each once.
                let order = (0..COUNT).map(|i| i * 37 % COUNT);
                for (n, i) in order.enumerate() {
                    let open = gates[i].take().unwrap();
                    if waits_first {
                        let mut next = pin!(set.join_next());
                        let waker = Waker::noop();
                        assert!(next.as_mut().poll(&mut Context::from_waker(waker)).is_pending());
                    }
                    open.send(()).unwrap();
                    assert_eq!(set.join_next().await.unwrap().unwrap(), i);
                    assert_eq!(set.len(), COUNT - n - 1);
                }
                assert!(set.is_empty() && set.join_next().await.is_none());
            });
        }
    }
}

/// Nobody awaits while they complete, one after the other.
#[test]
fn the_order_of_completion_is_kept_until_somebody_asks() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run_without_spares(workers, async {
            let mut set = JoinSet::new();
            let mut gates = Vec::new();
            for i in 0..20 {
                let (open, opened) = oneshot::channel::<()>();
                gates.push(open);
                set.spawn(async move {
                    opened.await.unwrap();
                    i
                });
            }
            for (n, open) in gates.into_iter().enumerate().rev() {
                open.send(()).unwrap();
                // Counted out before it tells its news, which on one worker comes before anything
                // else runs there.
                yield_until(|| num_goroutines() == n + 1).await;
                spawn(async {}).await.unwrap();
            }
            let mut seen = Vec::new();
            while let Some(result) = set.join_next().await {
                seen.push(result.unwrap());
            }
            if workers > 1 {
                seen.sort();
                seen.reverse();
            }
            assert_eq!(seen, (0..20).rev().collect::<Vec<_>>());
        });
    }
}

#[test]
fn an_empty_set_has_nothing_to_wait_for() {
    let _watchdog = watchdog();
    let mut set = JoinSet::<u32>::default();
    assert!(set.try_join_next().is_none() && set.is_empty());
    run(1, async {
        assert!(set.join_next().await.is_none());
        set.shutdown().await;
        set.abort_all();
        set.detach_all();
        assert_eq!(set.join_all().await, []);
    });
}

#[test]
fn try_join_next_gives_what_has_completed_and_nothing_else() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            let mut set = JoinSet::new();
            let (open, opened) = oneshot::channel::<u32>();
            set.spawn(async move { opened.await.unwrap() });
            yield_now().await;
            assert!(set.try_join_next().is_none());
            assert_eq!(set.len(), 1);
            open.send(7).unwrap();
            let result = loop {
                match set.try_join_next() {
                    Some(result) => break result,
                    None => yield_now().await,
                }
            };
            assert_eq!(result.unwrap(), 7);
            assert!(set.is_empty());
        });
    }
}

#[test]
fn a_join_next_dropped_at_any_moment_loses_no_result() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            for round in 0..50usize {
                let mut set = JoinSet::new();
                for i in 0..20usize {
                    set.spawn(async move {
                        for _ in 0..(i + round) % 4 {
                            yield_now().await;
                        }
                        i
                    });
                }
                let mut seen = Vec::new();
                while !set.is_empty() {
                    let next = pin!(set.join_next());
                    if let futures::future::Either::Left((result, _)) =
                        select(next, pin!(yield_now())).await
                    {
                        seen.push(result.unwrap().unwrap());
                    }
                }
                seen.sort();
                assert_eq!(seen, (0..20).collect::<Vec<_>>());
            }
        });
    }
}

#[test]
fn a_join_next_dropped_forgets_its_waker() {
    let _watchdog = watchdog();
    run(1, async {
        let mut set = JoinSet::new();
        let (open, opened) = oneshot::channel::<()>();
        set.spawn(async move { opened.await.unwrap() });
        let wakes = Arc::new(Count::default());
        {
            let waker = Waker::from(wakes.clone());
            let mut next = pin!(set.join_next());
            for _ in 0..2 {
                assert!(next.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
            }
        }
        assert_eq!(Arc::strong_count(&wakes), 1);
        open.send(()).unwrap();
        set.join_next().await.unwrap().unwrap();
        assert_eq!(wakes.0.load(SeqCst), 0);
    });
}

#[test]
fn a_completion_wakes_the_last_who_waited_once() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            let mut set = JoinSet::new();
            let (open, opened) = oneshot::channel::<()>();
            set.spawn(async move { opened.await.unwrap() });
            set.spawn(pending());
            let wakes: [Arc<Count>; 2] = Default::default();
            let mut next = pin!(set.join_next());
            for count in &wakes {
                let waker = Waker::from(count.clone());
                assert!(next.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
            }
            open.send(()).unwrap();
            yield_until(|| wakes[1].0.load(SeqCst) == 1).await;
            assert_eq!(wakes[0].0.load(SeqCst), 0);
            assert!(next.await.unwrap().is_ok());
        });
    }
}

/// With a look at each of the others this would be five thousand million looks, which the watchdog
/// does not wait for. All on one worker, so that no thread waits for another.
#[test]
fn a_completion_costs_the_same_however_many_there_are() {
    const COUNT: usize = 100_000;
    let _watchdog = watchdog();
    run(1, async {
        let join_each = async {
            let mut set = JoinSet::new();
            let mut gates = Vec::new();
            for _ in 0..COUNT {
                let (open, opened) = oneshot::channel::<()>();
                gates.push(open);
                set.spawn(async move { opened.await.unwrap() });
            }
            for open in gates {
                open.send(()).unwrap();
                set.join_next().await.unwrap().unwrap();
            }
            assert!(set.is_empty());
        };
        spawn(join_each).await.unwrap();
    });
}

#[test]
fn join_all_gives_every_value() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        let mut values = run(workers, async {
            let mut set = JoinSet::new();
            for i in 0..100 {
                set.spawn(async move {
                    if i % 2 == 0 {
                        yield_now().await;
                    }
                    i
                });
            }
            set.join_all().await
        });
        values.sort();
        assert_eq!(values, (0..100).collect::<Vec<_>>());
    }
}

#[test]
fn join_all_panics_with_the_first_panic_and_aborts_the_others() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        let drops = Arc::new(AtomicUsize::new(0));
        let text = crash(workers, async {
            let mut set = JoinSet::new();
            let guard = slow(&drops);
            set.spawn(async move {
                let _guard = guard;
                pending::<()>().await;
            });
            set.spawn(async { panic!("boom") });
            set.join_all().await
        });
        assert_eq!(text, "boom");
        assert_eq!(drops.load(SeqCst), 1);
    }
}

#[test]
fn join_all_says_that_it_cannot_give_the_value_of_a_cancelled_one() {
    let _watchdog = watchdog();
    let text = crash(1, async {
        let mut set = JoinSet::new();
        set.spawn(pending::<()>()).abort();
        let waiting = spawn(set.join_all()).await;
        let text = message(&*waiting.unwrap_err().into_panic()).unwrap().to_owned();
        panic!("boom: {text}")
    });
    assert!(text.contains("was cancelled") && text.contains("use `join_next`"), "{text}");
}

/// Goroutines of one set in every state, spawned, aborted and joined in turn, in reused places.
#[test]
fn every_goroutine_of_a_busy_set_is_joined_once() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            let mut set = JoinSet::new();
            let (mut spawned, mut seen) = (0usize, Vec::new());
            let mut cancelled = 0;
            for round in 0..300usize {
                for _ in 0..round % 7 {
                    let id = spawned;
                    let abort = set.spawn(async move {
                        for _ in 0..id % 3 {
                            yield_now().await;
                        }
                        id
                    });
                    if id % 5 == 0 {
                        abort.abort();
                    }
                    spawned += 1;
                }
                for _ in 0..round % 6 {
                    let result = match round % 2 {
                        0 => set.try_join_next(),
                        _ => set.join_next().await,
                    };
                    match result {
                        Some(Ok(id)) => seen.push(id),
                        Some(Err(_)) => cancelled += 1,
                        None => {}
                    }
                }
                assert_eq!(set.len(), spawned - seen.len() - cancelled);
            }
            while let Some(result) = set.join_next().await {
                match result {
                    Ok(id) => seen.push(id),
                    Err(error) => {
                        assert!(error.is_cancelled());
                        cancelled += 1;
                    }
                }
            }
            assert_eq!(seen.len() + cancelled, spawned);
            assert!(cancelled <= spawned.div_ceil(5));
            seen.sort();
            seen.dedup();
            assert_eq!(seen.len() + cancelled, spawned);
        });
    }
}

// Panics.

#[test]
fn a_panic_is_observed_by_join_next_with_the_place_of_the_spawn() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            for waits in [false, true] {
                let mut set = JoinSet::new();
                let line = line!() + 1;
                set.spawn(async { panic_any(5u32) });
                if waits {
                    yield_until(|| num_goroutines() == 1).await;
                }
                let error: JoinError = set.join_next().await.unwrap().unwrap_err();
                let place = (error.spawned_at().file(), error.spawned_at().line());
                assert_eq!(place, (file!(), line));
                assert_eq!(*error.into_panic().downcast::<u32>().unwrap(), 5);
                set.spawn(async {});
                assert!(set.join_next().await.unwrap().is_ok());
            }
        });
    }
}

/// Dropped, shut down, or detached: nobody takes the panic of one that has finished.
#[test]
fn a_panic_that_nobody_takes_from_the_set_is_unhandled() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        for way in 0..3 {
            for round in 0..30 {
                let text = crash(workers, async {
                    let mut set = JoinSet::new();
                    set.spawn(async { panic!("boom") });
                    set.spawn(pending::<()>());
                    // It may have panicked long ago, or just now, or not at all yet.
                    if round % 2 == 0 || way < 2 {
                        yield_until(|| num_goroutines() == 2).await;
                    }
                    match way {
                        0 => drop(set),
                        1 => set.shutdown().await,
                        _ => set.detach_all(),
                    }
                    pending::<()>().await;
                });
                assert_eq!(text, "boom");
            }
        }
    }
}

#[test]
fn panics_that_nobody_takes_are_ignored_where_that_is_wanted() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        let builder =
            Builder::new().worker_threads(workers).unhandled_panic(UnhandledPanic::Ignore);
        let left = builder
            .block_on(async {
                let mut set = JoinSet::new();
                set.spawn(async { panic!("boom") });
                yield_until(|| num_goroutines() == 1).await;
                set.shutdown().await;
                set.len()
            })
            .unwrap();
        assert_eq!(left, 0);
    }
}

#[test]
fn a_result_that_nobody_takes_is_dropped_and_its_panic_is_its_goroutines() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        for way in 0..2 {
            let text = crash(workers, async {
                let mut set = JoinSet::new();
                set.spawn(async { OnDrop(|| panic!("boom")) });
                yield_until(|| num_goroutines() == 1).await;
                if way == 0 {
                    drop(set);
                } else {
                    set.shutdown().await;
                }
                pending::<()>().await;
            });
            assert_eq!(text, "boom");
        }
    }
}

// The end of the set.

#[test]
fn dropping_the_set_aborts_all() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            let drops = Arc::new(AtomicUsize::new(0));
            let mut set = JoinSet::new();
            for i in 0..50 {
                let guard = slow(&drops);
                set.spawn(async move {
                    let _guard = guard;
                    pending::<()>().await;
                });
                // Some are parked, some have not run.
                if i == 25 {
                    yield_now().await;
                }
            }
            drop(set);
            yield_until(|| num_goroutines() == 1).await;
            assert_eq!(drops.load(SeqCst), 50);
        });
    }
}

#[test]
fn shutdown_waits_until_every_future_has_been_dropped() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            for _ in 0..20 {
                let drops = Arc::new(AtomicUsize::new(0));
                let mut set = JoinSet::new();
                for i in 0..20 {
                    let guard = slow(&drops);
                    set.spawn(async move {
                        let _guard = guard;
                        if i % 2 == 0 {
                            pending::<()>().await;
                        }
                    });
                }
                set.shutdown().await;
                assert_eq!((set.len(), drops.load(SeqCst), num_goroutines()), (0, 20, 1));
                // It may be used again.
                set.spawn(async {});
                set.join_next().await.unwrap().unwrap();
            }
        });
    }
}

#[test]
fn abort_all_leaves_the_results_to_be_taken() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            let mut set = JoinSet::new();
            set.spawn(async { 1 });
            yield_until(|| num_goroutines() == 1).await;
            let one = set.spawn(pending());
            set.spawn(pending());
            one.abort();
            set.abort_all();
            set.abort_all();
            assert_eq!(set.len(), 3);
            let mut values = Vec::new();
            while let Some(result) = set.join_next().await {
                match result {
                    Ok(value) => values.push(Some(value)),
                    Err(error) => {
                        assert!(error.is_cancelled());
                        values.push(None);
                    }
                }
            }
            values.sort();
            assert_eq!(values, [None, None, Some(1)]);
        });
    }
}

#[test]
fn detached_goroutines_run_on_and_their_news_disturb_nobody() {
    let _watchdog = watchdog();
    let _nobody_leaves = LEAVING.write().unwrap_or_else(PoisonError::into_inner);
    for workers in WORKERS {
        run(workers, async {
            let ran = Arc::new(AtomicUsize::new(0));
            let mut set = JoinSet::new();
            let mut gates = Vec::new();
            for _ in 0..20 {
                let (open, opened) = oneshot::channel::<()>();
                gates.push(open);
                let ran = ran.clone();
                set.spawn(async move {
                    opened.await.unwrap();
                    ran.fetch_add(1, SeqCst);
                });
            }
            set.detach_all();
            assert!(set.is_empty() && set.join_next().await.is_none());
            // In the places of those detached.
            for _ in 0..20 {
                set.spawn(pending());
            }
            let wakes = Arc::new(Count::default());
            let waker = Waker::from(wakes.clone());
            {
                let mut next = pin!(set.join_next());
                assert!(next.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
                gates.into_iter().for_each(|open| open.send(()).unwrap());
                yield_until(|| num_goroutines() == 21).await;
                assert!(next.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
            }
            assert_eq!((ran.load(SeqCst), wakes.0.load(SeqCst)), (20, 0));
            assert_eq!(set.len(), 20);
        });
    }
}

// The end of the runtime.

#[test]
fn a_set_is_joined_on_any_executor_and_after_the_runtime_has_ended() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        let mut set = run(workers, async {
            let mut set = JoinSet::new();
            set.spawn(async { 1 });
            set.spawn(async { 2 });
            let waiter = thread::spawn(move || {
                let first = futures::executor::block_on(set.join_next()).unwrap().unwrap();
                (set, first)
            });
            let (mut set, first) = waiter.join().unwrap();
            yield_until(|| num_goroutines() == 1).await;
            assert!(first == 1 || first == 2);
            set.spawn(pending());
            set
        });
        let mut cancelled = 0;
        while let Some(result) = futures::executor::block_on(set.join_next()) {
            cancelled += usize::from(result.is_err_and(|error| error.is_cancelled()));
        }
        assert_eq!(cancelled, 1);
    }
}

#[test]
fn a_goroutine_left_behind_counts_as_cancelled() {
    let _watchdog = watchdog();
    let _leaves = lock_shared(&LEAVING);
    for waits in [false, true] {
        let (started, release) = (flag(), flag());
        let mut waiter = None;
        let set = Builder::new()
            .worker_threads(2)
            .exit_grace(Duration::from_millis(20))
            .block_on(async {
                let mut set = JoinSet::new();
                let (is_started, released) = (started.clone(), release.clone());
                set.spawn(async move {
                    is_started.store(true, SeqCst);
                    wait_until(|| released.load(SeqCst));
                });
                wait_until(|| started.load(SeqCst));
                if waits {
                    waiter =
                        Some(thread::spawn(move || futures::executor::block_on(set.join_next())));
                    return None;
                }
                Some(set)
            })
            .unwrap();
        let result = match waiter {
            Some(waiter) => waiter.join().unwrap(),
            None => futures::executor::block_on(set.unwrap().join_next()),
        };
        assert!(is_cancelled(result));
        release.store(true, SeqCst);
    }
}

/// Adds a goroutine that does not come to an await before it is told to. Its runtime has left it behind
/// when this returns. `before` may look at the set while it runs.
fn leave_one_behind(
    set: &mut JoinSet<u32>,
    release: &Arc<AtomicBool>,
    before: impl FnOnce(&mut JoinSet<u32>),
) {
    Builder::new()
        .worker_threads(2)
        .exit_grace(Duration::ZERO)
        .block_on(async {
            let (started, released) = (flag(), release.clone());
            let tell = started.clone();
            set.spawn(async move {
                tell.store(true, SeqCst);
                spin_until(&released);
                0
            });
            wait_until(|| started.load(SeqCst));
            before(set);
        })
        .unwrap();
}

/// A set waits for such news once for all its goroutines, whatever runtimes they are of.
#[test]
fn a_set_of_several_runtimes_is_told_of_each_that_leaves_goroutines_behind() {
    let _watchdog = watchdog();
    let _leaves = lock_shared(&LEAVING);
    for waits in [false, true] {
        let release = flag();
        run(2, async {
            let mut set = JoinSet::new();
            let (open, gate) = oneshot::channel::<()>();
            // It completes last.
            set.spawn(async {
                gate.await.unwrap();
                1
            });
            for _ in 0..3 {
                let count = Arc::new(Count::default());
                let waker = Waker::from(count.clone());
                let look = |set: &mut JoinSet<u32>| {
                    let mut next = pin!(set.join_next());
                    assert!(next.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
                };
                thread::scope(|scope| {
                    let (set, release) = (&mut set, &release);
                    scope.spawn(move || {
                        leave_one_behind(set, release, |set| {
                            if waits {
                                look(set);
                            }
                        });
                    });
                });
                assert!(is_cancelled(set.join_next().await));
                assert_eq!(set.len(), 1);
            }
            open.send(()).unwrap();
            assert_eq!(set.join_next().await.unwrap().unwrap(), 1);
            assert!(set.join_next().await.is_none());
        });
        release.store(true, SeqCst);
    }
}

#[test]
fn who_only_looks_at_a_set_is_told_that_a_goroutine_was_left_behind() {
    let _watchdog = watchdog();
    let _leaves = lock_shared(&LEAVING);
    for looks_before in [false, true] {
        let (release, mut set) = (flag(), JoinSet::new());
        leave_one_behind(&mut set, &release, |set| {
            assert!(!looks_before || set.try_join_next().is_none());
        });
        let mut result = None;
        let start = Instant::now();
        while result.is_none() {
            assert!(start.elapsed() < DEADLINE, "nobody says so");
            result = set.try_join_next();
        }
        assert!(is_cancelled(result));
        assert!(set.is_empty());
        release.store(true, SeqCst);
    }
}

/// Each may be told while it goes, and what it was told of is another set by then.
#[test]
fn sets_come_and_go_while_runtimes_leave_goroutines_behind() {
    let _watchdog = watchdog();
    let _leaves = lock_shared(&LEAVING);
    let (stop, release) = (flag(), flag());
    let others: Vec<_> = (0..2)
        .map(|number| {
            let stop = stop.clone();
            thread::spawn(move || {
                run(1 + number, async {
                    let mut kept = JoinSet::new();
                    kept.spawn(pending::<u32>());
                    while !stop.load(SeqCst) {
                        let mut set = JoinSet::new();
                        (0..3).for_each(|n| drop(set.spawn(async move { n })));
                        set.spawn(pending());
                        while set.len() > 1 {
                            assert!(set.join_next().await.unwrap().is_ok());
                        }
                        assert!(set.try_join_next().is_none() && kept.try_join_next().is_none());
                        set.abort_all();
                        set.detach_all();
                    }
                })
            })
        })
        .collect();
    for _ in 0..20 {
        let mut set = JoinSet::new();
        leave_one_behind(&mut set, &release, |_| {});
        assert!(is_cancelled(futures::executor::block_on(set.join_next())));
    }
    stop.store(true, SeqCst);
    others.into_iter().for_each(|other| other.join().unwrap());
    release.store(true, SeqCst);
}

#[test]
fn spawn_while_the_runtime_is_closing_adds_a_cancelled_one() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        let spawned = flag();
        let late = {
            let spawned = spawned.clone();
            OnDrop(move || {
                let mut set = JoinSet::new();
                set.spawn(async { 1 });
                assert_eq!(set.len(), 1);
                // A worker drops it.
                assert!(is_cancelled(gorun::block_on(set.join_next())));
                set.spawn(async { 2 });
                drop(set);
                spawned.store(true, SeqCst);
            })
        };
        end_while_parked(workers, late);
        assert!(spawned.load(SeqCst));
    }
}

#[test]
fn spawn_outside_a_runtime_panics_at_its_line_and_adds_nothing() {
    let mut set = JoinSet::new();
    let line = line!() + 1;
    let seen = panic_of(|| set.spawn(async {}));
    assert_eq!((&*seen.file, seen.line), (file!(), line));
    assert!(seen.message.contains("belongs to no gorun runtime"), "{}", seen.message);
    assert!(set.is_empty());
}

#[test]
fn a_set_inside_a_goroutine_ends_with_it() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            let drops = Arc::new(AtomicUsize::new(0));
            let guard = slow(&drops);
            let parent = spawn(async move {
                let mut set = JoinSet::new();
                set.spawn(async move {
                    let _guard = guard;
                    pending::<()>().await;
                });
                set.join_next().await
            });
            yield_now().await;
            parent.abort();
            assert!(parent.await.is_err());
            yield_until(|| num_goroutines() == 1).await;
            assert_eq!(drops.load(SeqCst), 1);
        });
    }
}

/// The future of `join_next` is polled again after it has waited for goroutines of several rounds.
#[test]
fn a_set_may_be_filled_and_emptied_again_and_again() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            let mut set = JoinSet::new();
            for round in 0..300u32 {
                for i in 0..3 {
                    set.spawn(async move { round * 3 + i });
                }
                let mut sum = 0;
                while let Some(result) = set.join_next().await {
                    sum += result.unwrap();
                }
                assert_eq!(sum, round * 9 + 3);
            }
        });
    }
}

/// Also of results that cannot, and without joining any.
#[test]
fn a_set_can_be_debugged_while_its_goroutines_run() {
    struct Opaque;
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            let mut set = JoinSet::default();
            assert_eq!(format!("{set:?}"), "JoinSet { len: 0 }");
            set.spawn(async { Opaque });
            set.spawn(pending());
            assert_eq!(format!("{set:?}"), "JoinSet { len: 2 }");
            set.join_next().await.unwrap().unwrap();
            assert_eq!(format!("{set:?}"), "JoinSet { len: 1 }");
        });
    }
}

// A stream, and a collection.

#[test]
fn a_set_is_a_stream_that_ends_when_it_is_empty_and_can_be_filled_again() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            let mut set = JoinSet::new();
            for round in 0..3 {
                set.extend((0..10).map(|n| async move { 10 * round + n }));
                assert_eq!(set.size_hint(), (10, Some(10)));
                let mut values: Vec<_> = set.by_ref().map(Result::unwrap).collect().await;
                values.sort();
                assert!(values.into_iter().eq(10 * round..10 * round + 10));
                assert!(set.next().await.is_none());
            }
        });
    }
}

#[test]
fn a_stream_gives_results_in_the_order_of_completion_and_panics_as_errors() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            let mut set = JoinSet::new();
            let (release, released) = oneshot::channel::<()>();
            set.spawn(async { released.await.map(|()| 1) });
            set.spawn(async { panic!("boom") });
            assert!(set.next().await.unwrap().unwrap_err().is_panic());
            release.send(()).unwrap();
            assert_eq!(set.next().await.unwrap().unwrap(), Ok(1));
        });
    }
}

#[test]
fn a_streams_next_that_is_dropped_at_any_moment_loses_no_result() {
    const COUNT: usize = 300;
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            let mut set: JoinSet<usize> = (0..COUNT)
                .map(|n| async move {
                    (0..n % 7).for_each(|_| thread::yield_now());
                    yield_now().await;
                    n
                })
                .collect();
            let mut found = vec![0; COUNT];
            while !set.is_empty() {
                if let std::task::Poll::Ready(Some(result)) = futures::poll!(set.next()) {
                    found[result.unwrap()] += 1;
                } else {
                    yield_now().await;
                }
            }
            assert!(found.iter().all(|&times| times == 1));
        });
    }
}

#[test]
fn a_set_that_is_dropped_or_emptied_forgets_the_waker_of_its_stream() {
    let _watchdog = watchdog();
    for detaches in [false, true] {
        run(2, async {
            let count = Arc::new(Count::default());
            let mut set = JoinSet::new();
            let (release, released) = oneshot::channel::<()>();
            set.spawn(async { _ = released.await });
            let waker = Waker::from(count.clone());
            assert!(set.poll_next_unpin(&mut Context::from_waker(&waker)).is_pending());
            drop(waker);
            assert_eq!(Arc::strong_count(&count), 2);
            if detaches {
                set.detach_all();
            } else {
                drop(set);
            }
            assert_eq!(Arc::strong_count(&count), 1, "detaches: {detaches}");
            let _ = release.send(());
            yield_until(|| num_goroutines() == 1).await;
            assert_eq!(count.0.load(SeqCst), 0);
        });
    }
}

#[test]
fn goroutines_that_extend_a_set_were_spawned_at_the_callers_line() {
    let _watchdog = watchdog();
    run(1, async {
        let mut set = JoinSet::new();
        let line = line!() + 1;
        set.extend([async { panic!("boom") }]);
        let error: JoinError = set.join_next().await.unwrap().unwrap_err();
        let () = error.try_into_panic().map(drop).unwrap();
        set.extend([pending::<()>()]);
        set.abort_all();
        let error = set.join_next().await.unwrap().unwrap_err();
        assert_eq!((error.spawned_at().file(), error.spawned_at().line()), (file!(), line + 3));
    });
}

#[test]
fn a_set_collects_futures_only_inside_a_runtime() {
    let seen = panic_of(|| [async {}].into_iter().collect::<JoinSet<()>>());
    assert!(seen.message.contains("belongs to no gorun runtime"), "{}", seen.message);
    let nothing = [async {}].into_iter().take(0);
    assert!(nothing.collect::<JoinSet<()>>().is_empty());
}

#[test]
fn a_set_has_goroutines_of_several_runtimes_and_is_filled_from_anywhere() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        let ended = run(1, async { Handle::current() });
        run(workers, async {
            let inner = Handle::current();
            let other = std::thread::scope(|scope| {
                let filled = scope.spawn(|| {
                    let mut set = JoinSet::new();
                    let line = line!() + 1;
                    set.spawn_on(async { num_goroutines() }, &inner);
                    (set, line)
                });
                filled.join().unwrap()
            });
            let (mut set, line) = other;
            assert!(set.join_next().await.unwrap().unwrap() >= 2);
            let late = set.spawn_on(async { unreachable!("it has ended") }, &ended);
            late.abort();
            assert!(is_cancelled(set.join_next().await));
            run(workers, async {
                set.spawn_on(async { 1 }, &Handle::current());
                set.spawn_on(async { 2 }, &inner);
                let mut both = [0; 2];
                for value in &mut both {
                    *value = set.join_next().await.unwrap().unwrap();
                }
                both.sort();
                assert_eq!(both, [1, 2]);
            });
            let place = set.spawn_on(pending(), &inner);
            place.abort();
            let error = set.join_next().await.unwrap().unwrap_err();
            assert_eq!(error.spawned_at().file(), file!());
            assert!(error.spawned_at().line() > line);
        });
    }
}

/// Whoever polled the set by hand left a waker there.
#[test]
fn a_waker_that_panics_when_its_set_goes_is_an_unhandled_panic_and_no_panic_of_the_set() {
    struct Panics;
    impl Wake for Panics {
        fn wake(self: Arc<Self>) {}
    }
    impl Drop for Panics {
        fn drop(&mut self) {
            panic!("boom");
        }
    }
    let _watchdog = watchdog();
    for how in ["dropped", "detached", "waited for by another one"] {
        let gone = flag();
        let program = || {
            run(2, async {
                let mut set = JoinSet::new();
                set.spawn(pending::<()>());
                let waker = Waker::from(Arc::new(Panics));
                assert!(set.poll_next_unpin(&mut Context::from_waker(&waker)).is_pending());
                // The clone that is left is the set's.
                drop(waker);
                match how {
                    "dropped" => drop(set),
                    "detached" => set.detach_all(),
                    _ => assert!(set.join_next().now_or_never().is_none()),
                }
                gone.store(true, SeqCst);
                pending::<()>().await;
            });
        };
        let payload = payload_of(program);
        assert_eq!(message(&*payload), Some("boom"), "{how}");
        assert!(gone.load(SeqCst), "the panic came out of the set that was {how}");
    }
}
