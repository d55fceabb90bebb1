//! Hostile programs: destructors, wakers and hooks that do all they can, at the worst time. Each goes through the
//! public items of several modules.

mod common;

use std::any::Any;
use std::cell::RefCell;
use std::future::{Future, pending};
use std::panic::{AssertUnwindSafe, catch_unwind, panic_any};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex as StdMutex};
use std::time::Duration;

use common::*;
use futures::StreamExt;
use gorun::context::{Context, ContextError};
use gorun::errgroup::Group;
use gorun::sync::{
    Barrier, Cond, Mutex, Notify, OnceCell, Semaphore, broadcast, oneshot, singleflight, watch,
};
use gorun::time::{
    MissedTickBehavior, after_func, interval, now, sleep, sleep_until, tick, timeout, timeout_at,
};
use gorun::{
    Builder, Handle, JoinSet, Sender, UnhandledPanic, block_on, channel, num_goroutines, spawn,
    yield_now,
};

const WORKERS: [usize; 3] = [1, 2, 16];
const MILLI: Duration = Duration::from_millis(1);

/// What the goroutines of a program share.
struct World {
    ctx: Context,
    cancel: gorun::context::CancelGuard,
    queue: (Sender<u32>, gorun::Receiver<u32>),
    mutex: Mutex<u32>,
    semaphore: Semaphore,
    notify: Notify,
    watch: watch::Sender<u32>,
    broadcast: broadcast::Sender<u32>,
    group: Group<String>,
}

impl World {
    fn new() -> Arc<Self> {
        let (ctx, cancel) = Context::background().with_cancel();
        Arc::new(World {
            ctx,
            cancel,
            queue: channel(1),
            mutex: Mutex::new(0),
            semaphore: Semaphore::new(1),
            notify: Notify::new(),
            watch: watch::Sender::new(0),
            broadcast: broadcast::Sender::new(2),
            group: Group::new(),
        })
    }

    /// All that a destructor may do.
    fn meddle(&self) {
        self.cancel.cancel();
        let _ = (self.queue.0.try_send(1), self.queue.1.try_recv());
        let (child, _guard) = self.ctx.with_timeout(MILLI);
        assert!(child.is_done());
        self.ctx.after_func(|| ());
        after_func(Duration::ZERO, || ());
        self.watch.send_modify(|n| *n += 1);
        let _ = self.broadcast.send(1);
        self.notify.notify_one();
        self.notify.notify_all();
        drop((self.mutex.try_lock(), self.semaphore.try_acquire()));
        assert!(self.group.try_go(async { Err("late".to_owned()) }).is_ok());
        spawn(yield_now()).detach();
        *self.mutex.lock_blocking() += 1;
        block_on(async {
            yield_now().await;
            assert_eq!(timeout(MILLI, self.ctx.done()).await, Ok(ContextError::Cancelled));
        });
    }
}

#[test]
fn destructors_that_do_all_they_can_end_when_they_are_aborted_and_when_main_ends() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        for _ in 0..scaled(50, 10) {
            let meddled = Arc::new(AtomicUsize::new(0));
            patient(workers)
                .block_on(async {
                    let world = World::new();
                    for n in 0..20 {
                        let meddles = {
                            let (world, meddled) = (world.clone(), meddled.clone());
                            OnDrop(move || {
                                world.meddle();
                                meddled.fetch_add(1, SeqCst);
                            })
                        };
                        let world = world.clone();
                        let handle = spawn(async move {
                            let _meddles = meddles;
                            if n % 2 == 0 {
                                drop(world.mutex.lock().await);
                            }
                            world.ctx.done().await;
                            pending::<()>().await;
                        });
                        if n % 3 == 0 {
                            yield_now().await;
                            handle.abort();
                        }
                    }
                    yield_now().await;
                })
                .unwrap();
            assert_eq!(meddled.load(SeqCst), 20);
        }
    }
}

/// Kept by a worker's thread, they go when there is no runtime around them any more.
#[test]
fn what_a_thread_local_keeps_until_its_thread_ends_does_no_harm_there() {
    thread_local! {
        static KEPT: RefCell<Vec<Box<dyn Any>>> = const { RefCell::new(Vec::new()) };
    }
    fn keep(value: impl Any) {
        KEPT.with_borrow_mut(|kept| kept.push(Box::new(value)));
    }
    let _watchdog = watchdog();
    for workers in WORKERS {
        let ended = Arc::new(AtomicUsize::new(0));
        run(workers, async {
            let (ctx, cancel) = Context::background().with_cancel();
            // More than are woken at once.
            for _ in 0..300 {
                let (ctx, ended) = (ctx.clone(), ended.clone());
                let ends = OnDrop(move || _ = ended.fetch_add(1, SeqCst));
                spawn(async move {
                    let _ends = ends;
                    ctx.done().await;
                });
            }
            let keeps = spawn(async move {
                keep(cancel);
                keep(spawn(pending::<()>()).abort_on_drop());
                let mut set = JoinSet::new();
                set.spawn(pending::<()>());
                keep(set);
                let group = Group::<String>::new();
                group.go(pending()).await;
                keep(group);
                keep(channel::<u32>(1));
                keep(Arc::new(Mutex::new(0)).lock_owned().await);
                keep((after_func(HOUR, || ()), interval(HOUR), sleep(HOUR)));
                let (tx, rx) = broadcast::channel(1);
                tx.send(1).unwrap();
                keep((tx, rx, watch::channel(1), oneshot::channel::<u32>()));
                keep(Handle::current());
                keep(OnDrop(|| {
                    let (ctx, guard) = Context::background().with_cancel();
                    guard.cancel();
                    assert!(ctx.is_done() && Handle::try_current().is_none());
                    assert!(spawn(async {}).is_finished());
                }));
            });
            keeps.await.unwrap();
        });
        assert_eq!(ended.load(SeqCst), 300);
    }
}

type Wait = Pin<Box<dyn Future<Output = ()>>>;

/// Everything that main may wait for.
fn waits() -> Vec<(&'static str, Wait)> {
    vec![
        ("done", Box::pin(async { _ = Context::background().done().await })),
        ("run", Box::pin(async { _ = Context::background().run(pending::<()>()).await })),
        ("lock", {
            Box::pin(async {
                let mutex = Mutex::new(());
                let _guard = mutex.lock().await;
                drop(mutex.lock().await);
            })
        }),
        ("lock_blocking", {
            Box::pin(async {
                let mutex = Mutex::new(());
                let _guard = mutex.lock().await;
                drop(mutex.lock_blocking());
            })
        }),
        ("acquire", Box::pin(async { drop(Semaphore::new(0).acquire().await) })),
        ("notified", Box::pin(async { Notify::new().notified().await })),
        ("wait for a change", {
            Box::pin(async {
                let (mutex, cond) = (Mutex::new(()), Cond::new());
                drop(cond.wait(mutex.lock().await).await);
            })
        }),
        ("barrier", Box::pin(async { _ = Barrier::new(2).wait().await })),
        ("once", Box::pin(async { *OnceCell::new().get_or_init(pending).await })),
        ("singleflight", Box::pin(async { singleflight::Group::new().run(1, pending).await })),
        ("oneshot", {
            Box::pin(async {
                let (_tx, rx) = oneshot::channel::<()>();
                let _ = rx.recv_blocking();
            })
        }),
        ("broadcast", {
            Box::pin(async {
                let (_tx, mut rx) = broadcast::channel::<()>(1);
                let _ = rx.recv_blocking();
            })
        }),
        ("watch", {
            Box::pin(async {
                let (_tx, mut rx) = watch::channel(0);
                let _ = rx.changed_blocking();
            })
        }),
        ("watch, as a stream", {
            Box::pin(async {
                let (_tx, mut rx) = watch::channel(0);
                rx.next().await;
            })
        }),
        ("interval", {
            Box::pin(async {
                let mut ticks = interval(HOUR);
                ticks.tick().await;
                ticks.next().await;
            })
        }),
        ("group", {
            Box::pin(async {
                let group = Group::<String>::new();
                group.go(pending()).await;
                let _ = group.wait().await;
            })
        }),
        ("room in a group", {
            Box::pin(async {
                let mut group = Group::<String>::new();
                group.set_limit(0);
                group.go(pending()).await;
            })
        }),
        ("send_timeout", {
            Box::pin(async {
                let (tx, _rx) = channel(0);
                let _ = tx.send_timeout(1, HOUR).await;
            })
        }),
        ("recv_many", {
            Box::pin(async {
                let (_tx, rx) = channel::<u32>(0);
                rx.recv_many(&mut Vec::new(), 2).await;
            })
        }),
        ("a set, as a stream", {
            Box::pin(async {
                let mut set = JoinSet::new();
                set.spawn(pending::<()>());
                set.next().await;
            })
        }),
        ("abort_on_drop", Box::pin(async { spawn(pending()).abort_on_drop().await.unwrap() })),
    ]
}

#[test]
fn whatever_main_waits_for_an_unhandled_panic_of_a_function_called_later_ends_it() {
    let _watchdog = watchdog();
    quiet();
    for index in 0..waits().len() {
        let (name, wait) = waits().swap_remove(index);
        let payload = payload_of(AssertUnwindSafe(|| {
            run(2, async {
                let _call = after_func(MILLI, || panic!("boom: later"));
                wait.await;
            });
        }));
        assert_eq!(message(&*payload), Some("boom: later"), "main waits for {name}");
    }
}

/// As far as the clock goes.
#[test]
fn deadlines_in_thousands_of_years_neither_pass_nor_overflow() {
    let _watchdog = watchdog();
    run(2, async {
        let start = now();
        let far = [32, 40, 50, 60, 62]
            .into_iter()
            .filter_map(|shift| start.checked_add(Duration::from_secs(1 << shift)));
        for at in far {
            let period = at - start;
            let (ctx, _guard) = Context::background().with_deadline(at);
            assert!(timeout(MILLI, ctx.done()).await.is_err());
            assert!(timeout(MILLI, sleep_until(at)).await.is_err());
            assert!(timeout_at(at, yield_now()).await.is_ok());
            assert!(tick(period).try_recv().is_err());
            for behavior in
                [MissedTickBehavior::Skip, MissedTickBehavior::Burst, MissedTickBehavior::Delay]
            {
                let mut ticks = interval(period);
                ticks.set_missed_tick_behavior(behavior);
                ticks.tick().await;
                assert!(timeout(MILLI, ticks.tick()).await.is_err());
            }
            let call = after_func(period, || unreachable!());
            yield_now().await;
            assert!(call.reset(period) && call.stop());
            let (tx, rx) = channel(0);
            assert!(timeout(MILLI, tx.send_timeout(1, period)).await.is_err());
            assert!(timeout(MILLI, rx.recv_timeout(period)).await.is_err());
        }
    });
}

/// Its handle is entered, and everything that starts a goroutine is tried.
#[test]
fn what_is_begun_in_a_runtime_that_has_ended_is_over_at_once() {
    let _watchdog = watchdog();
    let runtime = run(1, async { Handle::current() });
    let _guard = runtime.enter();
    assert_eq!(block_on(async { 7 }), 7);
    let (ctx, _cancel) = Context::background().with_timeout(HOUR);
    assert_eq!(ctx.err(), Some(ContextError::Cancelled), "nobody keeps the time");
    let (ctx, cancel) = Context::background().with_cancel();
    let call = ctx.after_func(|| unreachable!());
    cancel.cancel();
    assert!(!call.stop());
    let call = after_func(HOUR, || unreachable!());
    assert!(!call.reset(Duration::ZERO) && !call.stop());
    let mut group = Group::<String>::new();
    group.set_limit(1);
    block_on(async {
        for _ in 0..3 {
            group.go(async { unreachable!() }).await;
        }
        assert_eq!(group.wait().await, Ok(()));
        let mut set: JoinSet<()> = (0..3).map(|_| async { unreachable!() }).collect();
        while let Some(result) = set.next().await {
            assert!(result.unwrap_err().is_cancelled());
        }
    });
    assert!(spawn(async {}).abort_on_drop().is_finished());
    assert_eq!(num_goroutines(), 0);
}

#[test]
fn hooks_that_run_other_runtimes_and_panic_with_payloads_that_panic_change_no_result() {
    struct PanicsAgain;
    impl Drop for PanicsAgain {
        fn drop(&mut self) {
            if !std::thread::panicking() {
                panic!("boom");
            }
        }
    }
    let _watchdog = watchdog();
    for workers in WORKERS {
        let runtime = Arc::new(StdMutex::new(None::<Handle>));
        let slot = runtime.clone();
        let result = Builder::new()
            .worker_threads(workers)
            .unhandled_panic(UnhandledPanic::Ignore)
            .on_thread_start(|| {
                let own = Handle::current();
                drop(own.enter());
                std::mem::forget(own.enter());
                spawn(async {}).detach();
                assert_eq!(run(1, async { spawn(async { 3 }).await.unwrap() }), 3);
                panic_any(PanicsAgain)
            })
            .on_thread_stop(move || {
                if let Some(ended) = &*slot.lock().unwrap() {
                    let _guard = ended.enter();
                    assert!(spawn(async {}).is_finished());
                    assert_eq!(block_on(async { 5 }), 5);
                }
                panic_any(PanicsAgain)
            })
            .block_on(async {
                *runtime.lock().unwrap() = Some(Handle::current());
                for _ in 0..10 {
                    spawn(async {}).await.unwrap();
                }
                8
            });
        assert_eq!(result.unwrap(), 8);
    }
}

/// Trees of contexts with everything in them, which others change and cancel meanwhile.
#[test]
fn whoever_cancels_a_tree_that_grows_and_shrinks_finds_all_of_it_done() {
    const TASKS: u64 = 16;
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            for round in 0..scaled(200, 20) as u64 {
                let (root, cancel) = Context::background().with_cancel();
                let cancel = Arc::new(cancel);
                let grow = |task: u64| {
                    let (root, cancel) = (root.clone(), cancel.clone());
                    async move {
                        let mut own = vec![(root, None)];
                        for step in 0..40 {
                            let pick = (step * 7 + task * 13 + round * 31) as usize % own.len();
                            let (parent, _) = &own[pick];
                            let (ctx, guard) = match step % 4 {
                                0 => parent.with_cancel(),
                                1 => parent.with_timeout(Duration::from_micros(50 * step)),
                                2 => parent.with_value(step).with_deadline(now() + HOUR),
                                _ => parent.with_timeout_cause(MILLI, "late"),
                            };
                            if step % 5 == 0 {
                                let it = ctx.clone();
                                let call = ctx.after_func(move || assert!(it.is_done()));
                                if step % 10 == 0 {
                                    call.stop();
                                }
                            }
                            own.push((ctx, Some(guard)));
                            let other = 1 + (step * 3) as usize % (own.len() - 1);
                            match step % 9 {
                                5 => {
                                    let (ctx, guard) = own.swap_remove(other);
                                    drop(guard);
                                    assert!(ctx.is_done());
                                }
                                8 => own.swap_remove(other).1.unwrap().detach(),
                                _ => {}
                            }
                            if step == 30 && task == round % TASKS || own[0].0.is_done() {
                                cancel.cancel();
                                assert!(own.iter().all(|(ctx, _)| ctx.is_done()), "one is not");
                            }
                            if step % 3 == 0 {
                                yield_now().await;
                            }
                        }
                        cancel.cancel();
                        for (ctx, _) in &own {
                            assert!(ctx.is_done());
                            ctx.done().await;
                        }
                    }
                };
                let set: JoinSet<()> = (0..TASKS).map(grow).collect();
                set.join_all().await;
            }
            // Alarms and functions have gone, too.
            yield_until(|| num_goroutines() == 1).await;
        });
    }
}

/// Keys that use the group when they are compared, hashed and dropped.
#[test]
fn keys_that_use_their_group_find_it_unlocked() {
    type Deed = Arc<dyn Fn() + Send + Sync>;
    struct Key(u32, Deed);
    impl PartialEq for Key {
        fn eq(&self, other: &Self) -> bool {
            (self.1)();
            self.0 == other.0
        }
    }
    impl Eq for Key {}
    impl std::hash::Hash for Key {
        // All have the same, so all are compared.
        fn hash<H: std::hash::Hasher>(&self, _: &mut H) {
            (self.1)();
        }
    }
    impl Drop for Key {
        fn drop(&mut self) {
            (self.1)();
        }
    }
    let _watchdog = watchdog();
    for workers in WORKERS {
        let group = Arc::new(singleflight::Group::<Key, u32>::new());
        let (used, depth) = (Arc::new(AtomicUsize::new(0)), AtomicUsize::new(0));
        let deed: Deed = {
            let (group, used) = (group.clone(), used.clone());
            let nothing: Deed = Arc::new(|| ());
            Arc::new(move || {
                if depth.fetch_add(1, SeqCst) == 0 {
                    used.fetch_add(1, SeqCst);
                    group.forget(&Key(1, nothing.clone()));
                    let call = group.run(Key(2, nothing.clone()), async || 2);
                    drop(catch_unwind(AssertUnwindSafe(|| futures::FutureExt::now_or_never(call))));
                }
                depth.fetch_sub(1, SeqCst);
            })
        };
        run(workers, async {
            for _ in 0..scaled(200, 50) {
                let calls = (0..6).map(|n| {
                    let (group, deed) = (group.clone(), deed.clone());
                    let work = async || {
                        yield_now().await;
                        2
                    };
                    async move { assert_eq!(group.run(Key(n % 3, deed), work).await, 2) }
                });
                let set: JoinSet<()> = calls.collect();
                set.join_all().await;
            }
        });
        assert!(used.load(SeqCst) > 0);
    }
}
