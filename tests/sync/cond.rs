//! Condition variables. Some mirror Go's `cond_test.go`.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use gorun::sync::{Cond, Mutex, RwLock};
use gorun::{JoinSet, spawn, yield_now};

use super::{Task, WORKERS, now};
use crate::common::*;

#[test]
pub(crate) fn a_wait_releases_the_lock_only_when_it_can_be_notified() {
    let (mutex, cond) = (Mutex::new(()), Cond::new());
    let wait = cond.wait(now(mutex.lock()));
    assert!(mutex.try_lock().is_none(), "released before it waits");
    let wait = Task::waiting(wait);
    let guard = mutex.try_lock().expect("released");
    cond.notify_one();
    drop(guard);
    drop(wait.finish());
}

#[test]
pub(crate) fn a_wait_that_is_over_waits_for_the_lock() {
    let (mutex, cond) = (Mutex::new(()), Cond::new());
    let mut wait = Task::waiting(cond.wait(now(mutex.lock())));
    let guard = now(mutex.lock());
    cond.notify_one();
    assert!(wait.wakes() > 0 && wait.poll().is_pending());
    drop(guard);
    drop(wait.finish());
}

#[test]
pub(crate) fn a_notification_without_a_wait_is_not_kept() {
    let (mutex, cond) = (Mutex::new(()), Cond::new());
    cond.notify_one();
    cond.notify_all();
    Task::waiting(cond.wait(now(mutex.lock())));
}

/// Mirrors `TestCondSignal`.
#[test]
pub(crate) fn each_notification_lets_one_go_on_in_the_order_of_the_waits() {
    let (mutex, cond) = (Mutex::new(()), Cond::new());
    let mut waits: Vec<_> = (0..3).map(|_| Task::waiting(cond.wait(now(mutex.lock())))).collect();
    while !waits.is_empty() {
        cond.notify_one();
        drop(waits.remove(0).finish());
        waits.iter_mut().for_each(Task::waits);
    }
}

/// Mirrors `TestCondBroadcast`.
#[test]
pub(crate) fn notifying_all_lets_all_go_on_one_after_the_other() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            let shared = Arc::new((Mutex::new(0), Cond::new()));
            let (waiting, inside) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
            let mut set = JoinSet::new();
            for _ in 0..20 {
                let (shared, waiting, inside) = (shared.clone(), waiting.clone(), inside.clone());
                set.spawn(async move {
                    let guard = shared.0.lock().await;
                    waiting.fetch_add(1, SeqCst);
                    let mut guard = shared.1.wait(guard).await;
                    assert_eq!(inside.fetch_add(1, SeqCst), 0);
                    *guard += 1;
                    yield_now().await;
                    inside.fetch_sub(1, SeqCst);
                });
            }
            yield_until(|| waiting.load(SeqCst) == 20).await;
            // Whoever counted has the lock until it waits.
            drop(shared.0.lock().await);
            shared.1.notify_all();
            set.join_all().await;
            assert_eq!(*shared.0.lock().await, 20);
        });
    }
}

#[test]
pub(crate) fn a_notification_of_a_wait_that_goes_away_reaches_the_next_one() {
    let (mutex, cond) = (Mutex::new(()), Cond::new());
    let gone = Task::waiting(cond.wait(now(mutex.lock())));
    let next = Task::waiting(cond.wait(now(mutex.lock())));
    cond.notify_one();
    drop(gone);
    drop(next.finish());
}

/// It knows that it was notified, and is in the queue for the lock.
#[test]
pub(crate) fn a_notification_of_one_that_goes_away_while_it_locks_reaches_the_next_one() {
    let (mutex, cond) = (Mutex::new(()), Cond::new());
    let mut gone = Task::waiting(cond.wait(now(mutex.lock())));
    let next = Task::waiting(cond.wait(now(mutex.lock())));
    let guard = now(mutex.lock());
    cond.notify_one();
    assert!(gone.poll().is_pending());
    drop(gone);
    drop(guard);
    drop(next.finish());
}

#[test]
pub(crate) fn a_wait_that_goes_away_at_any_stage_leaves_the_lock_free() {
    let (mutex, cond) = (Mutex::new(()), Cond::new());
    drop(cond.wait(now(mutex.lock())));
    drop(Task::waiting(cond.wait(now(mutex.lock()))));
    let wait = Task::waiting(cond.wait(now(mutex.lock())));
    cond.notify_all();
    drop(wait);
    drop(now(mutex.lock()));
}

/// All are notified between the call and the first poll.
#[test]
pub(crate) fn a_wait_that_is_over_before_it_began_still_has_the_lock() {
    let (mutex, cond) = (Mutex::new(()), Cond::new());
    let wait = cond.wait(now(mutex.lock()));
    cond.notify_all();
    let guard = now(wait);
    assert!(mutex.try_lock().is_none());
    drop(guard);
}

/// Two that take turns, for as long as neither misses a notification.
#[test]
pub(crate) fn nothing_is_missed_between_goroutines_that_take_turns() {
    const TURNS: usize = 1000;
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            let shared = Arc::new((Mutex::new(0), Cond::new()));
            let players: Vec<_> = [0, 1]
                .into_iter()
                .map(|parity| {
                    let shared = shared.clone();
                    spawn(async move {
                        let (turn, cond) = &*shared;
                        for _ in 0..TURNS {
                            let guard = turn.lock().await;
                            let mut turn = cond.wait_while(guard, |turn| *turn % 2 != parity).await;
                            *turn += 1;
                            cond.notify_one();
                        }
                    })
                })
                .collect();
            for player in players {
                player.await.unwrap();
            }
            assert_eq!(*shared.0.lock().await, 2 * TURNS);
        });
    }
}

#[test]
pub(crate) fn any_guard_of_a_lock_is_given_back_after_the_wait() {
    let (mutex, lock, cond) = (Arc::new(Mutex::new(0)), Arc::new(RwLock::new(0)), Cond::new());
    let owned = Task::waiting(cond.wait(now(mutex.clone().lock_owned())));
    let write = Task::waiting(cond.wait(now(lock.write())));
    let read = Task::waiting(cond.wait(now(lock.read())));
    *mutex.try_lock().unwrap() += 1;
    *lock.try_write().unwrap() += 1;
    cond.notify_all();
    assert_eq!(*owned.finish(), 1);
    *write.finish() += 1;
    let read = read.finish();
    assert_eq!(*read, 2);
    assert!(lock.try_write().is_none() && lock.try_read().is_some());
}
