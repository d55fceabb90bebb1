//! Mutexes and readers-writer locks.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};

use gorun::sync::{Mutex, OwnedRwLockWriteGuard, RwLock, RwLockWriteGuard};
use gorun::{Builder, JoinSet, UnhandledPanic, spawn, yield_now};

use super::{Task, WORKERS, now};
use crate::common::*;

/// Each reads, gives way, and writes: two at the same time would lose one.
#[test]
pub(crate) fn two_never_have_the_mutex_at_the_same_time() {
    const EACH: usize = 200;
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            let (count, inside) = (Arc::new(Mutex::new(0)), Arc::new(AtomicBool::new(false)));
            let mut set = JoinSet::new();
            for _ in 0..8 {
                let (count, inside) = (count.clone(), inside.clone());
                set.spawn(async move {
                    for n in 0..EACH {
                        let mut guard = count.lock().await;
                        assert!(!inside.swap(true, SeqCst), "two at the same time");
                        let before = *guard;
                        if n % 3 == 0 {
                            yield_now().await;
                        }
                        *guard = before + 1;
                        inside.store(false, SeqCst);
                    }
                });
            }
            set.join_all().await;
            assert_eq!(*count.lock().await, 8 * EACH);
        });
    }
}

#[test]
pub(crate) fn writers_are_alone_and_readers_together() {
    const EACH: usize = 200;
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            // Two halves that are the same, outside of a write.
            let value = Arc::new(RwLock::new((0, 0)));
            let mut set = JoinSet::new();
            for task in 0..8 {
                let value = value.clone();
                set.spawn(async move {
                    for n in 0..EACH {
                        if (n + task) % 4 == 0 {
                            let mut guard = value.write().await;
                            guard.0 += 1;
                            yield_now().await;
                            guard.1 += 1;
                            if n % 8 == 0 {
                                let read = RwLockWriteGuard::downgrade(guard);
                                assert_eq!(read.0, read.1);
                            }
                        } else {
                            let guard = value.read().await;
                            yield_now().await;
                            assert_eq!(guard.0, guard.1);
                        }
                    }
                });
            }
            set.join_all().await;
            let writes = value.read().await.0;
            assert_eq!(writes, 8 * EACH / 4);
        });
    }
}

/// So says the documentation of `gorun::sync`.
pub(crate) const OVERTAKES: usize = 127;

#[test]
pub(crate) fn newcomers_overtake_one_that_is_being_woken_so_often_and_no_more() {
    let mutex = Mutex::new(());
    let guard = now(mutex.lock());
    let first = Task::waiting(mutex.lock());
    let mut second = Task::waiting(mutex.lock());
    drop(guard);
    // Only those that would wait otherwise.
    assert!(mutex.try_lock().is_none());
    for _ in 0..OVERTAKES {
        drop(now(mutex.lock()));
    }
    let mut newcomer = Task::waiting(mutex.lock());
    second.waits();
    newcomer.waits();
    drop(first.finish());
    // The next one is being woken.
    drop(now(mutex.lock()));
    newcomer.waits();
    drop(second.finish());
    drop(newcomer.finish());
    assert!(mutex.try_lock().is_some());
}

#[test]
pub(crate) fn a_mutex_is_handed_over_to_one_that_was_late_and_a_newcomer_does_not_barge_in() {
    let mutex = Mutex::new(());
    let guard = now(mutex.lock());
    let mut first = Task::waiting(mutex.lock());
    let mut second = Task::waiting(mutex.lock());
    drop(guard);
    let overtakes = now(mutex.lock());
    assert_eq!(first.wakes(), 1);
    assert!(first.poll().is_pending());
    let mut third = Task::waiting(mutex.lock());
    drop(overtakes);
    // It has not run yet, but the lock is its own.
    assert_eq!(first.wakes(), 2);
    assert!(mutex.try_lock().is_none());
    let fourth = Task::waiting(mutex.lock());
    second.waits();
    third.waits();
    drop(first.finish());
    drop(second.finish());
    drop(third.finish());
    drop(fourth.finish());
    assert!(mutex.try_lock().is_some());
}

/// Whoever is late and goes away leaves the lock to the next one, in its turn.
#[test]
pub(crate) fn one_that_was_late_and_is_dropped_passes_the_lock_on() {
    let mutex = Mutex::new(());
    for is_granted in [false, true] {
        let guard = now(mutex.lock());
        let mut late = Task::waiting(mutex.lock());
        let next = Task::waiting(mutex.lock());
        drop(guard);
        let overtakes = now(mutex.lock());
        assert!(late.poll().is_pending());
        if is_granted {
            drop(overtakes);
            drop(late);
        } else {
            drop(late);
            drop(overtakes);
        }
        drop(next.finish());
        assert!(mutex.try_lock().is_some());
    }
}

/// Each of the others stands in front of it once at most, and so often newcomers overtake each.
#[test]
pub(crate) fn a_waiter_gets_the_lock_in_time_beside_goroutines_that_lock_in_a_loop() {
    const OTHERS: usize = 4;
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            let (mutex, turns, stop) =
                (Arc::new(Mutex::new(())), Arc::new(AtomicUsize::new(0)), flag());
            let mut set = JoinSet::new();
            for _ in 0..OTHERS {
                let (mutex, turns, stop) = (mutex.clone(), turns.clone(), stop.clone());
                set.spawn(async move {
                    while !stop.load(SeqCst) {
                        let _guard = mutex.lock().await;
                        if turns.fetch_add(1, SeqCst) % 50 == 0 {
                            yield_now().await;
                        }
                    }
                });
            }
            let mut has_waited = 0;
            while has_waited < 100 {
                let mut lock = mutex.lock();
                if futures::poll!(&mut lock).is_pending() {
                    // It is in the queue.
                    let before = turns.load(SeqCst);
                    let _guard = lock.await;
                    let overtaken = turns.load(SeqCst) - before;
                    assert!(overtaken <= (OTHERS + 1) * (OVERTAKES + 1), "{overtaken} times");
                    has_waited += 1;
                }
                yield_now().await;
            }
            stop.store(true, SeqCst);
            set.join_all().await;
        });
    }
}

#[test]
pub(crate) fn readers_overtake_a_writer_only_while_it_is_being_woken() {
    let lock = RwLock::new(());
    let reader = now(lock.read());
    let mut writer = Task::waiting(lock.write());
    let before = Task::waiting(lock.read());
    drop(reader);
    let overtakes = now(lock.read());
    assert!(writer.poll().is_pending());
    let later = Task::waiting(lock.read());
    drop(overtakes);
    drop(writer.finish());
    drop((before.finish(), later.finish()));
    assert!(lock.try_write().is_some());
}

#[test]
pub(crate) fn readers_that_come_later_do_not_starve_a_writer() {
    let lock = RwLock::new(());
    let reader = now(lock.read());
    let writer = Task::waiting(lock.write());
    let later = Task::waiting(lock.read());
    assert!(lock.try_read().is_none());
    drop(reader);
    drop(writer.finish());
    drop(later.finish());
}

/// In a stream of readers that never ends by itself.
#[test]
pub(crate) fn a_writer_gets_its_turn_among_readers_that_never_all_leave() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            let (lock, stop) = (Arc::new(RwLock::new(0)), flag());
            let mut set = JoinSet::new();
            for _ in 0..4 {
                let (lock, stop) = (lock.clone(), stop.clone());
                set.spawn(async move {
                    while !stop.load(SeqCst) {
                        let _guard = lock.read().await;
                        yield_now().await;
                    }
                });
            }
            for _ in 0..50 {
                *lock.write().await += 1;
            }
            stop.store(true, SeqCst);
            set.join_all().await;
            assert_eq!(*lock.read().await, 50);
        });
    }
}

#[test]
pub(crate) fn all_readers_behind_a_writer_go_on_together() {
    let lock = RwLock::new(());
    let writer = now(lock.write());
    let readers: Vec<_> = (0..100).map(|_| Task::waiting(lock.read())).collect();
    let mut last = Task::waiting(lock.write());
    drop(writer);
    let guards: Vec<_> = readers.into_iter().map(Task::finish).collect();
    last.waits();
    drop(guards);
    drop(last.finish());
}

#[test]
pub(crate) fn a_downgrade_lets_readers_in_and_no_writer() {
    let lock = Arc::new(RwLock::new(0));
    let write = now(lock.clone().write_owned());
    let reader = Task::waiting(lock.read());
    let mut writer = Task::waiting(lock.write());
    let read = OwnedRwLockWriteGuard::downgrade(write);
    let other = reader.finish();
    writer.waits();
    drop((read, other));
    drop(writer.finish());
}

#[test]
pub(crate) fn a_panic_while_a_guard_is_held_releases_the_lock_and_leaves_the_value() {
    let _watchdog = watchdog();
    let builder = Builder::new().worker_threads(2).unhandled_panic(UnhandledPanic::Ignore);
    builder
        .block_on(async {
            let (mutex, lock) = (Arc::new(Mutex::new(0)), Arc::new(RwLock::new(0)));
            let has_both = flag();
            let panics = {
                let (mutex, lock, has_both) = (mutex.clone(), lock.clone(), has_both.clone());
                spawn(async move {
                    let mut one = mutex.lock().await;
                    let mut other = lock.write().await;
                    (*one, *other) = (1, 1);
                    has_both.store(true, SeqCst);
                    yield_now().await;
                    panic!("boom");
                })
            };
            yield_until(|| has_both.load(SeqCst)).await;
            let waits = mutex.lock().await;
            assert!(panics.await.unwrap_err().is_panic());
            assert_eq!((*waits, *lock.read().await), (1, 1));
        })
        .unwrap();
}

#[test]
pub(crate) fn a_goroutine_that_is_aborted_with_a_guard_releases_the_lock() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            for _ in 0..100 {
                let (mutex, is_locked) = (Arc::new(Mutex::new(())), flag());
                let holds = {
                    let (mutex, is_locked) = (mutex.clone(), is_locked.clone());
                    spawn(async move {
                        let _guard = mutex.lock_owned().await;
                        is_locked.store(true, SeqCst);
                        pending::<()>().await;
                    })
                };
                yield_until(|| is_locked.load(SeqCst)).await;
                holds.abort();
                drop(mutex.lock().await);
            }
        });
    }
}

/// The holder of the lock and those that wait are dropped with the runtime.
#[test]
pub(crate) fn a_lock_outlives_the_runtime_whose_goroutines_had_it() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        let mutex = Arc::new(Mutex::new(0));
        run(workers, async {
            let has_it = flag();
            for _ in 0..10 {
                let (mutex, has_it) = (mutex.clone(), has_it.clone());
                gorun::go!(async move {
                    let mut guard = mutex.lock().await;
                    *guard += 1;
                    has_it.store(true, SeqCst);
                    pending::<()>().await;
                });
            }
            yield_until(|| has_it.load(SeqCst)).await;
        });
        assert!(*mutex.try_lock().expect("nobody has it") >= 1);
    }
}

#[test]
pub(crate) fn a_forgotten_future_keeps_nobody_out() {
    let mutex = Mutex::new(());
    let _never_polled = mutex.lock();
    assert!(mutex.try_lock().is_some());
}

#[test]
pub(crate) fn a_guard_that_moves_to_another_goroutine_is_the_same_lock() {
    let _watchdog = watchdog();
    run(2, async {
        let mutex = Arc::new(Mutex::new(Vec::new()));
        let mut guard = mutex.clone().lock_owned().await;
        guard.push(1);
        let other = spawn(async move {
            guard.push(2);
            yield_now().await;
        });
        mutex.lock().await.push(3);
        other.await.unwrap();
        assert_eq!(*mutex.lock().await, [1, 2, 3]);
    });
}

#[test]
pub(crate) fn threads_that_block_for_a_lock_take_turns() {
    let _watchdog = watchdog();
    let (mutex, lock) = (Arc::new(Mutex::new(0)), Arc::new(RwLock::new(0)));
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let (mutex, lock) = (mutex.clone(), lock.clone());
            std::thread::spawn(move || {
                for _ in 0..500 {
                    *mutex.lock_blocking() += 1;
                    *lock.write_blocking() += 1;
                    assert!(*lock.read_blocking() > 0);
                }
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    assert_eq!((*mutex.lock_blocking(), *lock.read_blocking()), (2000, 2000));
}

#[test]
pub(crate) fn values_without_a_size_can_be_locked() {
    let slice: Arc<Mutex<[u32]>> = Arc::new(Mutex::new([1, 2, 3]));
    now(slice.lock())[1] = 7;
    assert_eq!(**now(slice.clone().lock_owned()).first().as_ref().unwrap(), 1);
    let object: Arc<RwLock<dyn Fn() -> u32 + Send + Sync>> = Arc::new(RwLock::new(|| 7));
    assert_eq!(now(object.read())(), 7);
}

#[test]
pub(crate) fn a_value_is_dropped_once_with_its_lock() {
    let drops = Drops::new(3);
    drop(Mutex::new(drops.probe(0)));
    drop(RwLock::new(drops.probe(1)));
    drop(Mutex::new(drops.probe(2)).into_inner());
    drops.assert_each_once("locks");
}

#[test]
pub(crate) fn debugging_a_lock_shows_the_value_or_that_it_is_locked() {
    let mutex = Mutex::new(7);
    assert_eq!(format!("{mutex:?}"), "Mutex { value: 7 }");
    let guard = now(mutex.lock());
    assert_eq!(format!("{mutex:?} {guard:?} {guard}"), "Mutex { value: <locked> } 7 7");
    let lock = RwLock::new(7);
    let guard = now(lock.write());
    assert_eq!(format!("{lock:?} {guard}"), "RwLock { value: <locked> } 7");
}

/// A lock is held while its holder gives way. It is not handed to somebody who does not run meanwhile.
#[test]
pub(crate) fn a_served_goroutine_runs_although_others_lock_in_a_loop() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            let (mutex, turns, stop) =
                (Arc::new(Mutex::new(())), Arc::new([const { AtomicUsize::new(0) }; 4]), flag());
            let mut set = JoinSet::new();
            for who in 0..4 {
                let (mutex, turns, stop) = (mutex.clone(), turns.clone(), stop.clone());
                set.spawn(async move {
                    while !stop.load(SeqCst) {
                        let _guard = mutex.lock().await;
                        turns[who].fetch_add(1, SeqCst);
                    }
                });
            }
            yield_until(|| turns.iter().all(|turns| turns.load(SeqCst) > 100)).await;
            stop.store(true, SeqCst);
            set.join_all().await;
        });
    }
}

#[test]
pub(crate) fn locks_in_statics_need_no_cell() {
    static MUTEX: Mutex<u32> = Mutex::new(0);
    static LOCK: RwLock<u32> = RwLock::new(0);
    let guard = now(MUTEX.lock());
    let waits = Task::waiting(MUTEX.lock());
    drop(guard);
    *waits.finish() += 1;
    *now(LOCK.write()) += *now(MUTEX.lock());
    assert_eq!(*now(LOCK.read()), 1);
}

#[test]
pub(crate) fn owned_guards_that_are_taken_at_once_exclude_each_other() {
    let lock = Arc::new(RwLock::new(0));
    let read = lock.clone().try_read_owned().unwrap();
    assert!(lock.clone().try_write_owned().is_none());
    drop(read);
    let mut write = lock.clone().try_write_owned().unwrap();
    *write += 1;
    assert!(lock.clone().try_read_owned().is_none() && lock.clone().try_write_owned().is_none());
    let waits = Task::waiting(lock.read());
    drop(write);
    assert_eq!(*waits.finish(), 1);
}
