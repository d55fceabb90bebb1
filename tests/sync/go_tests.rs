//! What Go's tests of package `sync` guard against: `mutex_test.go`, `rwmutex_test.go`, `cond_test.go`,
//! `once_test.go`, `oncefunc_test.go`.

use std::future::pending;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use futures::FutureExt;
use gorun::sync::{Cond, Mutex, OnceCell, OwnedRwLockReadGuard, RwLock, Semaphore};
use gorun::time::{sleep, timeout};
use gorun::{JoinHandle, JoinSet, channel, spawn, yield_now};

use super::{Task, WORKERS, now};
use crate::common::*;

/// Starts so many, and waits for all. A panic in one is the test's.
async fn all<F>(count: usize, goroutine: impl Fn(usize) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let set: JoinSet<()> = (0..count).map(goroutine).collect();
    set.join_all().await;
}

/// Go's `TestSemaphore`.
#[test]
pub(crate) fn ten_that_take_and_give_back_one_permit_leave_it_there() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            let semaphore = Arc::new(Semaphore::new(1));
            all(10, |_| {
                let semaphore = semaphore.clone();
                async move {
                    for _ in 0..1000 {
                        drop(semaphore.acquire().await.unwrap());
                    }
                }
            })
            .await;
            assert_eq!(semaphore.available_permits(), 1);
        });
    }
}

/// Go's `TestMutex`.
#[test]
pub(crate) fn a_mutex_that_some_lock_and_others_try_is_free_in_the_end() {
    let _watchdog = watchdog();
    let mutex = Mutex::new(());
    let guard = now(mutex.lock());
    assert!(mutex.try_lock().is_none());
    drop(guard);
    assert!(mutex.try_lock().is_some());
    for workers in WORKERS {
        run(workers, async {
            let mutex = Arc::new(Mutex::new(0));
            let locked = Arc::new(AtomicUsize::new(0));
            all(10, |_| {
                let (mutex, locked) = (mutex.clone(), locked.clone());
                async move {
                    for n in 0..1000 {
                        let guard = match n % 3 {
                            0 => mutex.try_lock(),
                            _ => Some(mutex.lock().await),
                        };
                        if let Some(mut guard) = guard {
                            *guard += 1;
                            locked.fetch_add(1, SeqCst);
                        }
                    }
                }
            })
            .await;
            assert_eq!(*mutex.try_lock().expect("free"), locked.load(SeqCst));
        });
    }
}

/// Go's `TestMutexFairness`.
#[test]
pub(crate) fn one_that_always_locks_again_does_not_keep_another_one_out() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            let (mutex, stop) = (Arc::new(Mutex::new(())), flag());
            let greedy = {
                let (mutex, stop) = (mutex.clone(), stop.clone());
                spawn(async move {
                    while !stop.load(SeqCst) {
                        let _guard = mutex.lock().await;
                        sleep(Duration::from_micros(100)).await;
                    }
                })
            };
            let modest = spawn(async move {
                for _ in 0..10 {
                    sleep(Duration::from_micros(100)).await;
                    drop(mutex.lock().await);
                }
            });
            timeout(DEADLINE, modest).await.expect("it gets its turns").unwrap();
            stop.store(true, SeqCst);
            greedy.await.unwrap();
        });
    }
}

/// Go's `TestParallelReaders`.
#[test]
pub(crate) fn readers_have_the_lock_at_the_same_time() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        for count in [1, 3, 4] {
            run(workers, async {
                let lock = Arc::new(RwLock::new(()));
                let (has, all_have) = channel(0);
                let (leave, may_leave) = channel::<()>(0);
                let mut set = JoinSet::new();
                for _ in 0..count {
                    let (lock, has, may_leave) = (lock.clone(), has.clone(), may_leave.clone());
                    set.spawn(async move {
                        let _guard = lock.read().await;
                        has.send(()).await.unwrap();
                        assert_eq!(may_leave.recv().await, None);
                    });
                }
                // None leaves before all are in.
                for _ in 0..count {
                    all_have.recv().await.unwrap();
                }
                assert!(lock.try_write().is_none());
                drop(leave);
                set.join_all().await;
                assert!(lock.try_write().is_some());
            });
        }
    }
}

/// Go's `TestRWMutex`.
#[test]
pub(crate) fn writers_are_alone_among_any_number_of_readers() {
    const WRITER: i64 = 10_000;
    const ROUNDS: usize = scaled(1000, 200);
    let _watchdog = watchdog();
    let lock = RwLock::new(());
    let writer = now(lock.write());
    assert!(lock.try_write().is_none() && lock.try_read().is_none());
    drop(writer);
    drop(lock.try_write().expect("free"));
    let readers = (lock.try_read().expect("free"), lock.try_read().expect("only read"));
    assert!(lock.try_write().is_none());
    drop(readers);

    for workers in WORKERS {
        for readers in [1, 3, 5, 10] {
            run(workers, async {
                let lock = Arc::new(RwLock::new(()));
                let inside = Arc::new(AtomicI64::new(0));
                all(readers + 2, |index| {
                    let (lock, inside) = (lock.clone(), inside.clone());
                    async move {
                        for round in 0..ROUNDS {
                            if index == 0 || index == readers / 2 + 1 {
                                let _guard = lock.write().await;
                                assert_eq!(inside.fetch_add(WRITER, SeqCst), 0, "not alone");
                                inside.fetch_sub(WRITER, SeqCst);
                            } else {
                                let _guard = lock.read().await;
                                let before = inside.fetch_add(1, SeqCst);
                                assert!((0..WRITER).contains(&before), "beside a writer");
                                if round % 8 == 0 {
                                    yield_now().await;
                                }
                                inside.fetch_sub(1, SeqCst);
                            }
                        }
                    }
                })
                .await;
                assert_eq!(inside.load(SeqCst), 0);
            });
        }
    }
}

/// Go's `TestRLocker`: one reads twice and then writes, while another one gives back its locks.
#[test]
pub(crate) fn a_writer_waits_for_each_of_two_reads_and_keeps_readers_out() {
    const ROUNDS: usize = 10;
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            let lock = Arc::new(RwLock::new(()));
            let (read, reads) = channel::<OwnedRwLockReadGuard<()>>(2);
            let (written, writes) = channel(1);
            let locker = spawn({
                let lock = lock.clone();
                async move {
                    for _ in 0..ROUNDS {
                        read.send(lock.clone().read_owned().await).await.unwrap();
                        read.send(lock.clone().read_owned().await).await.unwrap();
                        written.send(lock.clone().write_owned().await).await.unwrap();
                    }
                }
            });
            for _ in 0..ROUNDS {
                let (one, other) = (reads.recv().await.unwrap(), reads.recv().await.unwrap());
                drop(one);
                yield_now().await;
                assert!(writes.try_recv().is_err(), "it writes beside a reader");
                drop(other);
                let writer = writes.recv().await.unwrap();
                yield_now().await;
                assert!(reads.try_recv().is_err(), "it reads beside a writer");
                drop(writer);
            }
            locker.await.unwrap();
        });
    }
}

/// One that locks, says that it does, waits, and says that it goes on.
fn waits(
    shared: &Arc<(Mutex<()>, Cond)>,
    index: usize,
    running: &gorun::Sender<usize>,
    awake: &gorun::Sender<usize>,
) -> JoinHandle<()> {
    let (shared, running, awake) = (shared.clone(), running.clone(), awake.clone());
    spawn(async move {
        let guard = shared.0.lock().await;
        running.send(index).await.unwrap();
        let _guard = shared.1.wait(guard).await;
        awake.send(index).await.unwrap();
    })
}

/// Whoever has said that it runs has the lock until it waits.
async fn notify_one(shared: &(Mutex<()>, Cond)) {
    let _guard = shared.0.lock().await;
    shared.1.notify_one();
}

/// Go's `TestCondSignal`.
#[test]
pub(crate) fn each_signal_wakes_one_and_never_two() {
    const COUNT: usize = 5;
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            let shared = Arc::new((Mutex::new(()), Cond::new()));
            let ((run, running), (wake, awake)) = (channel(COUNT), channel(COUNT));
            let all: Vec<_> = (0..COUNT).map(|index| waits(&shared, index, &run, &wake)).collect();
            for _ in 0..COUNT {
                running.recv().await.unwrap();
            }
            for _ in 0..COUNT {
                yield_now().await;
                assert!(awake.try_recv().is_err(), "nobody has signalled");
                notify_one(&shared).await;
                awake.recv().await.unwrap();
                yield_now().await;
                assert!(awake.try_recv().is_err(), "two are awake");
            }
            // This one has nobody to wake.
            shared.1.notify_one();
            for each in all {
                each.await.unwrap();
            }
        });
    }
}

/// Go's `TestCondSignalGenerations`.
#[test]
pub(crate) fn a_signal_wakes_the_one_that_waits_and_not_the_one_that_comes_next() {
    const COUNT: usize = 100;
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            let shared = Arc::new((Mutex::new(()), Cond::new()));
            let ((run, running), (wake, awake)) = (channel(COUNT), channel(COUNT));
            for index in 0..COUNT {
                waits(&shared, index, &run, &wake).detach();
                if index > 0 {
                    assert_eq!(awake.recv().await, Some(index - 1));
                }
                assert_eq!(running.recv().await, Some(index));
                notify_one(&shared).await;
            }
            assert_eq!(awake.recv().await, Some(COUNT - 1));
        });
    }
}

/// Go's `TestCondBroadcast`.
#[test]
pub(crate) fn all_that_wait_go_on_in_each_of_many_rounds_and_each_once() {
    const COUNT: usize = scaled(100, 30);
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            let shared = Arc::new((Mutex::new(false), Cond::new()));
            let ((run, running), (wake, awake)) = (channel(COUNT), channel(COUNT));
            let mut set = JoinSet::new();
            for index in 0..COUNT {
                let (shared, run, wake) = (shared.clone(), run.clone(), wake.clone());
                set.spawn(async move {
                    let mut is_over = shared.0.lock().await;
                    while !*is_over {
                        run.send(index).await.unwrap();
                        is_over = shared.1.wait(is_over).await;
                        wake.send(index).await.unwrap();
                    }
                });
            }
            for round in 0..COUNT {
                for _ in 0..COUNT {
                    running.recv().await.unwrap();
                }
                assert!(awake.try_recv().is_err(), "nobody has notified them");
                *shared.0.lock().await = round + 1 == COUNT;
                shared.1.notify_all();
                let mut seen = [false; COUNT];
                for _ in 0..COUNT {
                    let index: usize = awake.recv().await.unwrap();
                    assert!(!std::mem::replace(&mut seen[index], true), "{index} woke up twice");
                }
            }
            set.join_all().await;
            assert!(running.try_recv().is_err(), "one waits again");
            shared.1.notify_all();
        });
    }
}

/// Go's `TestRace`: what one changes under the lock, and signals, the next one sees.
#[test]
pub(crate) fn a_change_is_seen_by_the_one_it_was_signalled_to() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            for _ in 0..scaled(1000, 100) {
                let shared = Arc::new((Mutex::new(0), Cond::new()));
                let mut set = JoinSet::new();
                let of = |_: &str| shared.clone();
                let first = of("sets 1, and waits for 2");
                set.spawn(async move {
                    let mut x = first.0.lock().await;
                    *x = 1;
                    let mut x = first.1.wait(x).await;
                    assert_eq!(*x, 2);
                    *x = 3;
                    first.1.notify_one();
                });
                let second = of("sees 1, sets 2");
                set.spawn(async move {
                    loop {
                        let mut x = second.0.lock().await;
                        if *x == 1 {
                            *x = 2;
                            second.1.notify_one();
                            return;
                        }
                        drop(x);
                        yield_now().await;
                    }
                });
                let third = of("sees 2, and waits for 3, or sees 3");
                set.spawn(async move {
                    loop {
                        let mut x = third.0.lock().await;
                        if *x == 2 {
                            x = third.1.wait(x).await;
                            assert_eq!(*x, 3);
                        }
                        if *x == 3 {
                            return;
                        }
                        drop(x);
                        yield_now().await;
                    }
                });
                set.join_all().await;
            }
        });
    }
}

/// Go's `TestCondSignalStealing`.
#[test]
pub(crate) fn one_that_comes_later_does_not_take_the_notification_of_one_that_waits() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            for round in 0..scaled(1000, 200) {
                let shared = Arc::new((Mutex::new(false), Cond::new()));
                let (waits, is_waiting) = channel(0);
                let first = spawn({
                    let shared = shared.clone();
                    async move {
                        let guard = shared.0.lock().await;
                        waits.send(()).await.unwrap();
                        drop(shared.1.wait(guard).await);
                    }
                });
                is_waiting.recv().await.unwrap();
                // Now it waits.
                drop(shared.0.lock().await);
                let notifies = spawn({
                    let shared = shared.clone();
                    async move {
                        match round % 2 {
                            0 => shared.1.notify_all(),
                            _ => shared.1.notify_one(),
                        }
                    }
                });
                let second = spawn({
                    let shared = shared.clone();
                    async move {
                        let guard = shared.0.lock().await;
                        drop(shared.1.wait_while(guard, |is_over| !*is_over).await);
                    }
                });
                first.await.unwrap();
                *shared.0.lock().await = true;
                shared.1.notify_all();
                second.await.unwrap();
                notifies.await.unwrap();
            }
        });
    }
}

/// Go's `TestOnce`.
#[test]
pub(crate) fn what_is_done_once_is_done_before_anybody_goes_on() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            for _ in 0..100 {
                let (once, count) = (Arc::new(OnceCell::new()), Arc::new(AtomicUsize::new(0)));
                all(10, |index| {
                    let (once, count) = (once.clone(), count.clone());
                    async move {
                        once.get_or_init(async || {
                            if index % 2 == 0 {
                                yield_now().await;
                            }
                            count.fetch_add(1, SeqCst);
                        })
                        .await;
                        assert_eq!(count.load(SeqCst), 1);
                    }
                })
                .await;
                assert_eq!(count.load(SeqCst), 1);
            }
        });
    }
}

/// Go's `TestOncePanic`, with another answer.
#[test]
pub(crate) fn a_panic_does_not_count_as_done() {
    quiet();
    let once = OnceCell::new();
    let panics = AssertUnwindSafe(once.get_or_init(async || panic!("boom")));
    assert!(now(panics.catch_unwind()).is_err());
    assert_eq!(now(once.get_or_init(async || 7)), &7);
    now(once.get_or_init(async || unreachable!("it is done")));
}

/// Go's `TestOnceFunc`, `TestOnceValue`, `TestOnceValues`. (For what they allocate see `memory`.)
#[test]
pub(crate) fn a_value_is_made_by_the_first_call_and_given_by_all() {
    let calls = AtomicUsize::new(0);
    let cell = OnceCell::new();
    let value = async || {
        let make = async || {
            let call = calls.fetch_add(1, SeqCst) + 1;
            (call, call + 1)
        };
        *cell.get_or_init(make).await
    };
    for _ in 0..10 {
        assert_eq!(now(value()), (1, 2));
    }
    assert_eq!(calls.load(SeqCst), 1);
}

/// Go's `TestOnceFuncPanic`, `TestOnceValuePanic`, `TestOnceValuesPanic`, with another answer: there the
/// panic of the one call is that of all calls.
#[test]
pub(crate) fn a_panic_is_that_of_the_call_that_made_the_value_and_of_no_other() {
    quiet();
    let cell = OnceCell::<u32>::new();
    let (open, opened) = futures::channel::oneshot::channel::<()>();
    let makes = async || {
        opened.await.unwrap();
        panic!("boom: the first")
    };
    let mut first = Task::waiting(AssertUnwindSafe(cell.get_or_init(makes)).catch_unwind());
    let second = Task::waiting(
        AssertUnwindSafe(cell.get_or_init(async || panic!("boom: x"))).catch_unwind(),
    );
    let third = Task::waiting(cell.get_or_init(async || 3));
    open.send(()).unwrap();
    let std::task::Poll::Ready(Err(payload)) = first.poll() else { panic!("it panics") };
    assert_eq!(message(&*payload), Some("boom: the first"));
    let payload = second.finish().expect_err("its own panic");
    assert_eq!(message(&*payload), Some("boom: x"));
    assert_eq!(third.finish(), &3);
}

/// Go's `TestOnceFuncGoexit`, with another answer: there nobody calls it again.
#[test]
pub(crate) fn a_goroutine_that_is_aborted_while_it_makes_the_value_leaves_that_to_the_next_one() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            let (cell, makes) = (Arc::new(OnceCell::new()), flag());
            let maker = {
                let (cell, makes) = (cell.clone(), makes.clone());
                spawn(async move {
                    let make = async || {
                        makes.store(true, SeqCst);
                        pending().await
                    };
                    *cell.get_or_init(make).await
                })
            };
            yield_until(|| makes.load(SeqCst)).await;
            let next = spawn(async move { *cell.get_or_init(async || 2).await });
            yield_now().await;
            maker.abort();
            assert!(maker.await.unwrap_err().is_cancelled());
            assert_eq!(next.await.unwrap(), 2);
        });
    }
}

/// Go's `TestOnceFuncPanicTraceback`.
#[test]
pub(crate) fn a_panic_is_reported_where_it_began() {
    let cell = OnceCell::<u32>::new();
    let mut line = 0;
    let seen = panic_of(|| {
        now(cell.get_or_init(async || {
            line = line!() + 1;
            panic!("boom")
        }))
        .to_owned()
    });
    assert_eq!((&*seen.file, seen.line), (file!(), line));
}

/// Go's `TestOnceXGC`.
#[test]
pub(crate) fn what_makes_the_value_is_dropped_when_it_has_and_not_before() {
    quiet();
    for panics in [false, true] {
        let drops = Drops::new(1);
        let probe = drops.probe(0);
        let cell = OnceCell::new();
        let make = cell.get_or_init(move || async move {
            let _probe = probe;
            assert!(!panics, "boom");
        });
        assert!(!drops.all_dropped(), "before it was called");
        let made = now(AssertUnwindSafe(make).catch_unwind());
        drops.assert_each_once(panics);
        assert_eq!(made.is_err(), panics);
    }
}
