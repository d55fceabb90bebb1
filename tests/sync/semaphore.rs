//! Semaphores.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::task::{Context, Poll, Waker};

use gorun::sync::{Semaphore, TryAcquireError};

use super::locks::OVERTAKES;
use super::{Task, Wakes, now};
use crate::common::*;

#[test]
pub(crate) fn who_came_first_is_served_first() {
    let semaphore = Semaphore::new(0);
    let mut tasks: Vec<_> = (0..5).map(|_| Task::waiting(semaphore.acquire())).collect();
    for _ in 0..5 {
        semaphore.add_permits(1);
        tasks.remove(0).finish().unwrap().forget();
        tasks.iter_mut().for_each(Task::waits);
    }
}

#[test]
pub(crate) fn one_that_needs_little_does_not_overtake_one_that_needs_much() {
    let semaphore = Semaphore::new(2);
    let mut many = Task::waiting(semaphore.acquire_many(3));
    let mut one = Task::waiting(semaphore.acquire());
    assert_eq!(semaphore.try_acquire().unwrap_err(), TryAcquireError::NoPermits);
    assert_eq!(semaphore.available_permits(), 2);
    many.waits();
    one.waits();
    semaphore.add_permits(1);
    one.waits();
    let three = many.finish().unwrap();
    assert_eq!((three.count(), semaphore.available_permits()), (3, 0));
    drop(three);
    drop(one.finish().unwrap());
    assert_eq!(semaphore.available_permits(), 3);
}

/// Both had been woken, and the second one was in the way of the first.
#[test]
pub(crate) fn one_that_was_late_gets_what_another_late_one_leaves() {
    let semaphore = Semaphore::new(9);
    let one = semaphore.try_acquire().unwrap();
    let eight = semaphore.try_acquire_many(8).unwrap();
    let mut first = Task::waiting(semaphore.acquire_many(3));
    let mut second = Task::waiting(semaphore.acquire_many(5));
    drop(eight);
    let overtakes = now(semaphore.acquire_many(6)).unwrap();
    assert!(first.poll().is_pending());
    drop(one);
    // Five are to come for the second one, beside the three that there are.
    assert!(first.poll().is_pending());
    assert!(second.poll().is_pending());
    drop(first.finish().unwrap());
    drop(overtakes);
    drop(second.finish().unwrap());
    assert_eq!(semaphore.available_permits(), 9);
}

/// Otherwise all wait from then on, however short they keep what they get.
#[test]
pub(crate) fn newcomers_overtake_each_one_that_is_woken_although_another_one_has_not_come() {
    let semaphore = Semaphore::new(2);
    let (one, other) = (semaphore.try_acquire().unwrap(), semaphore.try_acquire().unwrap());
    let first = Task::waiting(semaphore.acquire());
    let second = Task::waiting(semaphore.acquire());
    drop(one);
    for _ in 0..OVERTAKES {
        drop(now(semaphore.acquire()).unwrap());
    }
    let mut third = Task::waiting(semaphore.acquire());
    drop(other);
    assert_eq!((first.wakes(), second.wakes()), (1, 1));
    for _ in 0..OVERTAKES {
        drop(now(semaphore.acquire()).unwrap());
    }
    third.waits();
    let fourth = Task::waiting(semaphore.acquire());
    for task in [first, second, third, fourth] {
        drop(task.finish().unwrap());
    }
    assert_eq!(semaphore.available_permits(), 2);
}

#[test]
pub(crate) fn permits_that_come_one_by_one_are_collected_for_the_first() {
    let semaphore = Semaphore::new(0);
    let mut many = Task::waiting(semaphore.acquire_many(10));
    for _ in 0..9 {
        semaphore.add_permits(1);
        many.waits();
    }
    semaphore.add_permits(1);
    assert_eq!(many.finish().unwrap().count(), 10);
}

#[test]
pub(crate) fn several_that_need_little_are_served_by_one_large_gift() {
    let semaphore = Semaphore::new(0);
    let tasks: Vec<_> = (0..4).map(|_| Task::waiting(semaphore.acquire_many(2))).collect();
    semaphore.add_permits(7);
    let mut tasks = tasks.into_iter();
    let three: Vec<_> = tasks.by_ref().take(3).map(|task| task.finish().unwrap()).collect();
    let mut last = tasks.next().unwrap();
    last.waits();
    assert_eq!(semaphore.available_permits(), 1);
    drop(three);
    drop(last.finish().unwrap());
}

#[test]
pub(crate) fn nothing_is_acquired_at_once_even_by_those_that_need_none() {
    let semaphore = Semaphore::new(0);
    assert_eq!(now(semaphore.acquire_many(0)).unwrap().count(), 0);
    assert_eq!(semaphore.try_acquire_many(0).unwrap().count(), 0);
}

#[test]
pub(crate) fn closing_ends_all_waits_and_refuses_all_that_come_later() {
    let semaphore = Semaphore::new(1);
    let permit = now(semaphore.acquire()).unwrap();
    let served = Task::waiting(semaphore.acquire());
    let waits: Vec<_> = (0..3).map(|_| Task::waiting(semaphore.acquire_many(2))).collect();
    // Whoever was served before keeps what it has got.
    drop(permit);
    semaphore.close();
    assert!(semaphore.is_closed());
    drop(served.finish().unwrap());
    for wait in waits {
        assert!(wait.finish().is_err());
    }
    assert!(now(semaphore.acquire()).is_err());
    assert!(semaphore.acquire_blocking().is_err());
    assert_eq!(semaphore.try_acquire().unwrap_err(), TryAcquireError::Closed);
    // What was out has come back.
    assert_eq!(semaphore.available_permits(), 1);
    semaphore.close();
}

#[test]
pub(crate) fn those_that_were_woken_together_and_overtaken_are_served_in_their_order() {
    for order in [[0, 1, 2], [2, 1, 0], [1, 0, 2], [2, 0, 1]] {
        let semaphore = Semaphore::new(3);
        let mut permits = now(semaphore.acquire_many(3)).unwrap();
        let mut tasks: Vec<_> = (0..3).map(|_| Task::waiting(semaphore.acquire())).collect();
        let behind = Task::waiting(semaphore.acquire());
        drop(permits);
        permits = now(semaphore.acquire_many(3)).unwrap();
        // All three are late.
        order.into_iter().for_each(|task| assert!(tasks[task].poll().is_pending()));
        let mut got = Vec::new();
        for task in tasks {
            drop(permits.split(1).unwrap());
            got.push(task.finish().unwrap());
        }
        assert_eq!(semaphore.available_permits(), 0);
        drop(got.pop());
        drop(behind.finish().unwrap());
    }
}

#[test]
pub(crate) fn one_that_was_overtaken_before_the_closing_gets_an_error() {
    let semaphore = Semaphore::new(1);
    let permit = now(semaphore.acquire()).unwrap();
    let overtaken = Task::waiting(semaphore.acquire());
    drop(permit);
    let overtakes = now(semaphore.acquire()).unwrap();
    semaphore.close();
    assert!(overtaken.finish().is_err());
    drop(overtakes);
    assert_eq!(semaphore.available_permits(), 1);
}

/// As one in a `Vec`: what it may take is kept for it, and nothing else.
#[test]
pub(crate) fn one_that_is_woken_and_left_alone_keeps_no_more_than_its_own_from_others() {
    let semaphore = Semaphore::new(2);
    let permits = (now(semaphore.acquire()).unwrap(), now(semaphore.acquire()).unwrap());
    let alone = Task::waiting(semaphore.acquire());
    let next = Task::waiting(semaphore.acquire());
    drop(permits.0);
    drop(permits.1);
    drop(next.finish().unwrap());
    // More often than it may be overtaken.
    for _ in 0..1000 {
        drop(now(semaphore.acquire()).unwrap());
    }
    let mut both = Task::waiting(semaphore.acquire_many(2));
    drop(alone.finish().unwrap());
    assert_eq!(both.wakes(), 1);
    assert!(both.poll().is_ready());
}

#[test]
pub(crate) fn a_wait_that_is_dropped_after_closing_harms_nobody() {
    let semaphore = Semaphore::new(0);
    let waits: Vec<_> = (0..3).map(|_| Task::waiting(semaphore.acquire())).collect();
    semaphore.close();
    drop(waits);
    assert!(now(semaphore.acquire()).is_err());
}

#[test]
pub(crate) fn more_permits_than_can_be_counted_are_refused_and_change_nothing() {
    let max = Semaphore::MAX_PERMITS;
    assert!(panic_of(|| Semaphore::new(max + 1)).message.contains("Semaphore"));
    let semaphore = Semaphore::new(max);
    for more in [1, max, usize::MAX] {
        let line = line!() + 1;
        let seen = panic_of(|| semaphore.add_permits(more));
        assert_eq!((&*seen.file, seen.line), (file!(), line));
    }
    assert_eq!(semaphore.available_permits(), max);
    let all = now(semaphore.acquire_many(max)).unwrap();
    assert_eq!(semaphore.available_permits(), 0);
    drop(all);
    assert_eq!(semaphore.available_permits(), max);
    assert!(semaphore.try_acquire_many(usize::MAX).is_err());
}

#[test]
pub(crate) fn permits_are_split_and_forgotten_one_by_one() {
    let semaphore = Arc::new(Semaphore::new(5));
    let mut owned = now(semaphore.clone().acquire_many_owned(5)).unwrap();
    assert!(owned.split(6).is_none());
    owned.split(2).unwrap().forget();
    let one = owned.split(1).unwrap();
    drop(owned);
    assert_eq!(semaphore.available_permits(), 2);
    drop(one);
    assert_eq!(semaphore.available_permits(), 3);
    assert_eq!(semaphore.clone().try_acquire_owned().unwrap().count(), 1);
}

#[test]
pub(crate) fn a_wait_for_more_than_there_ever_are_keeps_others_waiting_until_it_goes() {
    let semaphore = Semaphore::new(1);
    let never = Task::waiting(semaphore.acquire_many(usize::MAX));
    let behind = Task::waiting(semaphore.acquire());
    drop(never);
    drop(behind.finish().unwrap());
}

#[test]
pub(crate) fn a_future_that_is_polled_with_another_waker_wakes_that_one() {
    let semaphore = Semaphore::new(0);
    let mut acquire = semaphore.acquire();
    let (first, second) = (Wakes::default(), Wakes::default());
    let (first, second) = (Arc::new(first), Arc::new(second));
    for wakes in [&first, &second] {
        let waker = Waker::from(wakes.clone());
        let mut cx = Context::from_waker(&waker);
        assert!(Pin::new(&mut acquire).poll(&mut cx).is_pending());
    }
    // The former one is gone.
    assert_eq!(Arc::strong_count(&first), 1);
    semaphore.add_permits(1);
    let woken = |wakes: &Wakes| wakes.0.load(SeqCst);
    assert_eq!((woken(&first), woken(&second)), (0, 1));
    assert!(matches!(
        Pin::new(&mut acquire).poll(&mut Context::from_waker(Waker::noop())),
        Poll::Ready(Ok(_))
    ));
}

#[test]
pub(crate) fn a_thread_that_blocks_for_a_permit_is_woken() {
    let _watchdog = watchdog();
    for workers in super::WORKERS {
        run(workers, async {
            let semaphore = Arc::new(Semaphore::new(1));
            for _ in 0..50 {
                let permit = semaphore.acquire().await.unwrap();
                let other = {
                    let semaphore = semaphore.clone();
                    gorun::spawn(async move { semaphore.acquire_blocking().unwrap().count() })
                };
                gorun::yield_now().await;
                drop(permit);
                assert_eq!(other.await.unwrap(), 1);
            }
        });
    }
}

#[test]
pub(crate) fn permits_that_are_out_count_when_more_are_added() {
    let max = Semaphore::MAX_PERMITS;
    let semaphore = Semaphore::new(max);
    let mut all = now(semaphore.acquire_many(max)).unwrap();
    let line = line!() + 1;
    let seen = panic_of(|| semaphore.add_permits(1));
    assert_eq!((&*seen.file, seen.line), (file!(), line));
    assert_eq!(semaphore.available_permits(), 0);
    // Those that were forgotten do not count.
    all.split(2).unwrap().forget();
    semaphore.add_permits(1);
    drop(all);
    assert_eq!(semaphore.available_permits(), max - 1);
    semaphore.add_permits(1);
    panic_of(|| semaphore.add_permits(1));
    assert_eq!(semaphore.available_permits(), max);
}

#[test]
pub(crate) fn permits_that_are_merged_are_given_back_once() {
    let (semaphore, other) = (Semaphore::new(3), Semaphore::new(1));
    let mut permit = now(semaphore.acquire()).unwrap();
    permit.merge(now(semaphore.acquire_many(2)).unwrap());
    assert_eq!((permit.count(), semaphore.available_permits()), (3, 0));
    let seen = panic_of(|| permit.merge(other.try_acquire().unwrap()));
    assert!(seen.message.contains("two Semaphores"), "{}", seen.message);
    drop(permit);
    assert_eq!((semaphore.available_permits(), other.available_permits()), (3, 1));
}

#[test]
pub(crate) fn a_semaphore_in_a_static_needs_no_cell() {
    static ONE: Semaphore = Semaphore::new(1);
    let permit = ONE.try_acquire().unwrap();
    let waits = Task::waiting(ONE.acquire());
    drop(permit);
    drop(waits.finish().unwrap());
}
