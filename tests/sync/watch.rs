//! The latest value.

use std::sync::Arc;
use std::task::{Context, Waker};

use futures::{FutureExt, StreamExt};
use gorun::sync::watch;
use gorun::{JoinSet, spawn, yield_now};

use super::{Task, WORKERS, Wakes, now};
use crate::common::*;

#[test]
pub(crate) fn a_receiver_sees_the_value_it_was_made_with_as_old() {
    let (tx, mut rx) = watch::channel(0);
    assert_eq!(rx.has_changed(), Ok(false));
    let waits = Task::waiting(rx.changed());
    tx.send(1).unwrap();
    waits.finish().unwrap();
    assert_eq!((*rx.borrow(), rx.has_changed()), (1, Ok(false)));
    let mut late = tx.subscribe();
    Task::waiting(late.changed());
}

#[test]
pub(crate) fn values_that_are_replaced_are_not_seen_and_the_last_one_is() {
    let (tx, mut rx) = watch::channel(0);
    (1..=5).for_each(|n| tx.send(n).unwrap());
    now(rx.changed()).unwrap();
    assert_eq!(*rx.borrow(), 5);
    Task::waiting(rx.changed());
}

#[test]
pub(crate) fn the_last_value_is_seen_although_the_sender_has_gone() {
    let (tx, mut rx) = watch::channel(0);
    tx.send(1).unwrap();
    drop(tx);
    now(rx.changed()).unwrap();
    assert_eq!(*rx.borrow(), 1);
    assert!(now(rx.changed()).is_err());
    assert_eq!(now(rx.wait_for(|&n| n == 1)).as_deref(), Ok(&1));
    assert!(now(rx.wait_for(|&n| n == 2)).is_err());
}

#[test]
pub(crate) fn the_last_sender_that_goes_ends_the_waits_and_no_other() {
    let (tx, mut rx) = watch::channel(0);
    let other = tx.clone();
    let mut waits = Task::waiting(rx.changed());
    drop(tx);
    waits.waits();
    drop(other);
    assert!(waits.finish().is_err());
}

#[test]
pub(crate) fn the_last_receiver_that_goes_tells_the_senders() {
    let (tx, rx) = watch::channel(0);
    let (other, mut closed) = (rx.clone(), Task::waiting(tx.closed()));
    drop(rx);
    closed.waits();
    drop(other);
    closed.finish();
    assert_eq!(tx.send(1).unwrap_err().into_inner(), 1);
    assert_eq!(*tx.borrow(), 0);
    let rx = tx.subscribe();
    tx.send(2).unwrap();
    assert_eq!(*rx.borrow(), 2);
}

#[test]
pub(crate) fn a_value_that_is_looked_at_does_not_keep_senders_waiting() {
    let (tx, rx) = watch::channel(vec![0]);
    let seen = rx.borrow();
    tx.send(vec![1]).unwrap();
    tx.send_modify(|value| value.push(2));
    assert_eq!((&*seen, &*rx.borrow()), (&vec![0], &vec![1, 2]));
}

#[test]
pub(crate) fn a_change_that_was_not_awaited_to_its_end_is_still_new() {
    let (tx, mut rx) = watch::channel(0);
    let waits = Task::waiting(rx.changed());
    tx.send(1).unwrap();
    drop(waits);
    assert_eq!(rx.has_changed(), Ok(true));
    now(rx.changed()).unwrap();
}

#[test]
pub(crate) fn a_change_that_changes_the_channel_itself_is_made_again() {
    let (tx, rx) = watch::channel(0);
    let mut times = 0;
    tx.send_modify(|n| {
        times += 1;
        if times == 1 {
            tx.send(10).unwrap();
        }
        *n += 1;
    });
    assert_eq!((times, *rx.borrow()), (2, 11));
}

#[test]
pub(crate) fn no_change_of_many_senders_is_lost() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            let (tx, rx) = watch::channel(0);
            let mut set = JoinSet::new();
            for _ in 0..4 {
                let tx = tx.clone();
                set.spawn(async move {
                    for _ in 0..200 {
                        tx.send_modify(|n| *n += 1);
                        yield_now().await;
                    }
                });
            }
            set.join_all().await;
            assert_eq!(*rx.borrow(), 800);
        });
    }
}

/// However the sender and the receivers take turns.
#[test]
pub(crate) fn the_last_value_reaches_every_receiver() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            for _ in 0..50 {
                let (tx, rx) = watch::channel(0);
                let mut set = JoinSet::new();
                for _ in 0..4 {
                    let mut rx = rx.clone();
                    set.spawn(async move {
                        let (mut last, mut seen) = (0, Vec::new());
                        while rx.changed().await.is_ok() {
                            last = *rx.borrow_and_update();
                            seen.push(last);
                        }
                        assert!(seen.is_sorted(), "{seen:?}");
                        last
                    });
                }
                let sender = spawn(async move {
                    for n in 1..=20 {
                        tx.send(n).unwrap();
                        if n % 3 == 0 {
                            yield_now().await;
                        }
                    }
                });
                sender.await.unwrap();
                assert_eq!(set.join_all().await, [20; 4]);
            }
        });
    }
}

#[test]
pub(crate) fn replaced_values_are_dropped() {
    let drops = Drops::new(3);
    let (tx, rx) = watch::channel(drops.probe(0));
    tx.send(drops.probe(1)).unwrap();
    assert_eq!(drops.dropped(), 1);
    let seen: Arc<Probe> = rx.borrow();
    drop(tx.send_replace(drops.probe(2)));
    assert_eq!(drops.dropped(), 1);
    drop(seen);
    assert_eq!(drops.dropped(), 2);
    drop((tx, rx));
    drops.assert_each_once("values");
}

#[test]
pub(crate) fn values_do_not_wake_those_who_wait_for_the_last_receiver_to_go() {
    let (tx, rx) = watch::channel(0);
    let mut closed = Task::waiting(tx.closed());
    tx.send(1).unwrap();
    closed.waits();
    drop(rx);
    let _rx = tx.subscribe();
    closed.finish();
}

#[test]
pub(crate) fn a_change_that_turns_out_to_be_none_wakes_nobody() {
    let (tx, mut rx) = watch::channel(0);
    let mut waits = Task::waiting(rx.changed());
    assert!(!tx.send_if_modified(|n| {
        *n += 1;
        false
    }));
    waits.waits();
    assert!(tx.send_if_modified(|n| {
        *n += 1;
        true
    }));
    waits.finish().unwrap();
    assert_eq!(*rx.borrow(), 1);
}

#[test]
pub(crate) fn a_stream_gives_what_was_not_seen_and_ends_with_the_senders() {
    let (tx, mut rx) = watch::channel(0);
    let waits = Task::waiting(rx.next());
    tx.send(1).unwrap();
    assert_eq!(waits.finish().as_deref(), Some(&1));
    assert_eq!(rx.has_changed(), Ok(false));
    (2..4).for_each(|n| tx.send(n).unwrap());
    drop(tx);
    assert_eq!(now(rx.next()).as_deref(), Some(&3));
    assert_eq!(now(rx.next()), None);
}

#[test]
pub(crate) fn a_stream_that_is_no_longer_awaited_lets_its_waker_go() {
    let wakes = Arc::new(Wakes::default());
    let waker = Waker::from(wakes.clone());
    let (_tx, mut rx) = watch::channel(0);
    assert!(rx.next().poll_unpin(&mut Context::from_waker(&waker)).is_pending());
    let other = rx.clone();
    drop(rx.changed());
    assert_eq!(Arc::strong_count(&wakes), 2);
    assert!(rx.next().poll_unpin(&mut Context::from_waker(&waker)).is_pending());
    drop(rx);
    assert_eq!(Arc::strong_count(&wakes), 2);
    drop(other);
}

#[test]
pub(crate) fn a_value_that_is_marked_is_new_or_not() {
    let (tx, mut rx) = watch::channel(0);
    for n in 1..3 {
        rx.mark_changed();
        assert_eq!(rx.has_changed(), Ok(true));
        now(rx.changed()).unwrap();
        tx.send(n).unwrap();
        rx.mark_unchanged();
        assert_eq!(rx.has_changed(), Ok(false));
    }
    Task::waiting(rx.changed());
}
