//! Threads outside that enter a runtime, and runtimes as executors of the `futures` crate.

mod common;

use std::future::{pending, ready};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use common::*;
use futures::task::{Spawn, SpawnExt};
use gorun::time::{after, after_func, interval, sleep, timeout};
use gorun::{
    Builder, Handle, JoinSet, UnhandledPanic, WaitGroup, block_on, channel, go, num_goroutines,
    spawn, yield_now,
};

const WORKERS: [usize; 3] = [1, 2, 16];
const MILLI: Duration = Duration::from_millis(1);

/// Runs `outside` on a plain thread, with the handle of a runtime that goes on meanwhile.
fn beside<R: Send>(workers: usize, outside: impl FnOnce(Handle) -> R + Send) -> R {
    let (handle, handles) = channel(1);
    let (stop, stopped) = channel::<()>(0);
    thread::scope(|scope| {
        scope.spawn(move || {
            run(workers, async {
                handle.send(Handle::current()).await.unwrap();
                stopped.recv().await;
            })
        });
        let handle = handles.recv_blocking().unwrap();
        let result = catch_unwind(AssertUnwindSafe(|| outside(handle)));
        drop(stop);
        result.unwrap_or_else(|payload| std::panic::resume_unwind(payload))
    })
}

/// In which runtime the calling code is, by how many goroutines that has.
fn is_in(runtime: &Handle) -> bool {
    let waits = runtime.spawn(pending::<()>());
    let inside = Handle::try_current().is_some_and(|current| {
        current.num_goroutines() == runtime.num_goroutines() && num_goroutines() > 1
    });
    waits.abort();
    let _ = futures::executor::block_on(waits);
    inside
}

#[test]
fn a_thread_that_has_entered_may_do_all_that_needs_a_runtime_until_it_leaves() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        beside(workers, |runtime| {
            assert!(Handle::try_current().is_none());
            let guard = runtime.enter();
            assert!(is_in(&runtime));
            let all = async {
                let sleeps = (sleep(MILLI), timeout(HOUR, ready(1)), after(MILLI), interval(MILLI));
                let (tx, rx) = channel(1);
                (sleeps, tx, rx)
            };
            let ((sleep, timeout, after, mut interval), tx, rx) = futures::executor::block_on(all);
            go!(async move { tx.send(1).await.unwrap() });
            let waits = spawn(async move {
                sleep.await;
                interval.tick().await;
                assert!(after.recv().await.is_some());
                timeout.await.unwrap() + rx.recv().await.unwrap()
            });
            let mut set = JoinSet::new();
            set.spawn(async { 3 });
            let group = WaitGroup::new();
            group.go(async {});
            // With an executor that knows nothing of gorun.
            futures::executor::block_on(async {
                assert_eq!(waits.await.unwrap(), 2);
                assert_eq!(set.join_next().await.unwrap().unwrap(), 3);
                group.wait().await;
            });
            let (tx, rx) = channel(1);
            after_func(MILLI, move || tx.try_send(()).unwrap());
            assert_eq!(rx.recv_blocking(), Some(()));
            drop(guard);
            assert!(Handle::try_current().is_none());
            assert_eq!(num_goroutines(), 0);
            let seen = panic_of(|| spawn(async {}));
            assert!(seen.message.contains("belongs to no gorun runtime"), "{}", seen.message);
        });
    }
}

#[test]
fn of_several_guards_the_last_one_alive_counts_in_whatever_order_they_are_dropped() {
    let _watchdog = watchdog();
    beside(1, |one| {
        beside(1, |two| {
            // They differ in the number of their goroutines.
            let (a, b) = (two.spawn(pending::<()>()), two.spawn(pending::<()>()));
            let count = || num_goroutines();
            for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
                let runtimes = [&one, &two, &one];
                let mut guards = runtimes.map(|runtime| Some(runtime.enter()));
                for dropped in order {
                    let last = guards.iter().rposition(Option::is_some).unwrap();
                    let expected = [1, 3, 1][last];
                    assert_eq!(count(), expected, "{order:?}");
                    guards[dropped] = None;
                }
                assert!(Handle::try_current().is_none(), "{order:?}");
            }
            a.abort();
            b.abort();
        });
    });
}

#[test]
fn a_panic_leaves_the_runtime_and_a_forgotten_guard_does_no_harm() {
    let _watchdog = watchdog();
    beside(1, |runtime| {
        let panics = || {
            let _guard = runtime.enter();
            panic!("boom");
        };
        drop(payload_of::<()>(panics));
        assert!(Handle::try_current().is_none());
        let other = runtime.clone();
        let forgets = move || {
            std::mem::forget(other.enter());
            futures::executor::block_on(spawn(async { 1 })).unwrap()
        };
        assert_eq!(thread::spawn(forgets).join().unwrap(), 1);
        // A main on such a thread has its own runtime to the end.
        let other = runtime.clone();
        let forgets = move || {
            std::mem::forget(other.enter());
            Builder::new().block_on(async { num_goroutines() }).unwrap()
        };
        assert_eq!(thread::spawn(forgets).join().unwrap(), 1);
    });
}

#[test]
fn block_on_drives_its_future_inside_the_runtime_that_was_entered_and_cancels_nothing() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        beside(workers, |runtime| {
            let guard = runtime.enter();
            let (goes_on,) = block_on(async {
                assert!(is_in(&runtime));
                sleep(MILLI).await;
                let goes_on = spawn(async {
                    yield_now().await;
                    7
                });
                (goes_on,)
            });
            // A main would have cancelled it.
            assert_eq!(block_on(goes_on).unwrap(), 7);
            // A timer may be made in the argument.
            runtime.block_on(sleep(MILLI));
            // A runtime of its own is its own.
            let own = Builder::new().block_on(async { num_goroutines() }).unwrap();
            assert_eq!(own, 1);
            drop(guard);
        });
    }
}

#[test]
fn a_guard_is_refused_inside_another_runtime_and_changes_nothing_inside_its_own() {
    let _watchdog = watchdog();
    beside(1, |other| {
        run(2, async {
            let own = Handle::current();
            let seen = panic_of(|| other.enter()); // this line
            assert_eq!((&*seen.file, seen.line), (file!(), line!() - 1));
            assert!(seen.message.contains("inside another gorun runtime"), "{}", seen.message);
            let in_goroutine = other.clone();
            let error = spawn(async move { drop(in_goroutine.enter()) }).await.unwrap_err();
            assert!(error.is_panic());
            {
                let _guard = own.enter();
                assert!(is_in(&own));
                // Main may keep it across an await.
                yield_now().await;
                sleep(MILLI).await;
                assert_eq!(spawn(async { 1 }).await.unwrap(), 1);
            }
            assert!(is_in(&own));
        });
        // On a thread that has entered, `block_on` of another is in that other.
        let _guard = other.enter();
        beside(1, |inner| inner.block_on(async { assert!(is_in(&inner)) }));
    });
}

#[test]
fn a_guard_outlives_its_runtime_and_spawns_are_cancelled() {
    let _watchdog = watchdog();
    let ended = run(1, async { Handle::current() });
    let guard = ended.enter();
    let drops = Drops::new(1);
    let probe = drops.probe(0);
    let late = spawn(async move { (pending::<()>().await, probe) });
    drops.assert_each_once("at once");
    assert!(futures::executor::block_on(late).unwrap_err().is_cancelled());
    assert_eq!(num_goroutines(), 0);
    drop(guard);
    // The thread can begin another program.
    assert_eq!(block_on(async { spawn(async { 1 }).await.unwrap() }), 1);
}

#[test]
fn a_guard_kept_by_a_thread_local_ends_with_its_thread() {
    thread_local!(static KEPT: std::cell::RefCell<Vec<gorun::EnterGuard>> = const {
        std::cell::RefCell::new(Vec::new())
    });
    let _watchdog = watchdog();
    beside(1, |runtime| {
        for kept_first in [true, false] {
            let runtime = runtime.clone();
            let keeps = move || {
                if kept_first {
                    KEPT.with_borrow_mut(|kept| assert!(kept.is_empty()));
                }
                let guard = runtime.enter();
                KEPT.with_borrow_mut(|kept| kept.push(guard));
                futures::executor::block_on(spawn(async { 1 })).unwrap()
            };
            assert_eq!(thread::spawn(keeps).join().unwrap(), 1);
        }
    });
}

// As an executor of `futures`.

#[test]
fn a_library_that_is_given_a_spawner_runs_its_futures_as_goroutines() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            let spawner: Arc<dyn Spawn + Send + Sync> = Arc::new(Handle::current());
            assert!(spawner.status().is_ok());
            let (tx, rx) = channel(3);
            for n in 0..3 {
                let tx = tx.clone();
                spawner.spawn(async move { tx.send(n).await.unwrap() }).unwrap();
            }
            drop(tx);
            let mut sum = 0;
            while let Some(n) = rx.recv().await {
                sum += n;
            }
            assert_eq!(sum, 3);
            let handle = spawner.spawn_with_handle(async { num_goroutines() }).unwrap();
            assert!(handle.await >= 2);
            // Its handle cancels when it is dropped.
            let drops = Drops::new(1);
            let probe = drops.probe(0);
            let waits = async move { (pending::<()>().await, probe) };
            drop(spawner.spawn_with_handle(waits).unwrap());
            yield_until(|| drops.all_dropped()).await;
        });
    }
}

#[test]
fn a_runtime_that_has_ended_refuses_futures_and_drops_them() {
    let _watchdog = watchdog();
    let ended = run(1, async { Handle::current() });
    assert!(ended.status().unwrap_err().is_shutdown());
    let drops = Drops::new(1);
    let probe = drops.probe(0);
    let error = ended.spawn(async move { drop(probe) });
    // `Handle::spawn` is nearer than `SpawnExt`'s.
    assert!(futures::executor::block_on(error).unwrap_err().is_cancelled());
    drops.assert_each_once("refused");
    let refused = ended.spawn_obj(Box::pin(async {}).into());
    assert!(refused.unwrap_err().is_shutdown());
}

#[test]
fn a_panic_of_a_future_that_a_library_spawned_is_unhandled() {
    let _watchdog = watchdog();
    let program = || {
        run(1, async {
            Handle::current().spawn_obj(Box::pin(async { panic!("boom") }).into()).unwrap();
            pending::<()>().await;
        })
    };
    assert_eq!(message(&*payload_of(program)), Some("boom"));
    let ignores = Builder::new().unhandled_panic(UnhandledPanic::Ignore);
    let value = ignores.block_on(async {
        Handle::current().spawn_obj(Box::pin(async { panic!("boom") }).into()).unwrap();
        yield_until(|| num_goroutines() == 1).await;
        42
    });
    assert_eq!(value.unwrap(), 42);
}
