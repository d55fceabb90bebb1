//! Each value to each receiver.

use std::sync::Arc;
use std::task::{Context, Waker};

use futures::{FutureExt, StreamExt};
use gorun::sync::broadcast::{self, RecvError, TryRecvError};
use gorun::{JoinSet, yield_now};

use super::{Task, WORKERS, Wakes, now};
use crate::common::*;

#[test]
pub(crate) fn every_receiver_gets_every_value_in_order() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            const COUNT: usize = 500;
            let (tx, rx) = broadcast::channel(COUNT);
            let mut set = JoinSet::new();
            for _ in 0..4 {
                let mut rx = tx.subscribe();
                set.spawn(async move {
                    let mut values = Vec::new();
                    while let Ok(value) = rx.recv().await {
                        values.push(value);
                    }
                    values
                });
            }
            drop(rx);
            for n in 0..COUNT {
                tx.send(n).unwrap();
                if n % 7 == 0 {
                    yield_now().await;
                }
            }
            drop(tx);
            for values in set.join_all().await {
                assert_eq!(values, (0..COUNT).collect::<Vec<_>>());
            }
        });
    }
}

#[test]
pub(crate) fn one_that_lags_is_told_how_much_and_goes_on_with_the_oldest_kept() {
    let (tx, mut rx) = broadcast::channel(3);
    let mut quick = tx.subscribe();
    for n in 0..10 {
        tx.send(n).unwrap();
        assert_eq!(quick.try_recv(), Ok(n));
    }
    assert_eq!(tx.len(), 3);
    assert_eq!(now(rx.recv()), Err(RecvError::Lagged(7)));
    tx.send(10).unwrap();
    assert_eq!(rx.try_recv(), Err(TryRecvError::Lagged(1)));
    for n in 8..=10 {
        assert_eq!(rx.try_recv(), Ok(n));
    }
    assert_eq!(rx.try_recv(), Err(TryRecvError::Empty));
}

/// What is received and what is missed is all that was sent.
#[test]
pub(crate) fn nothing_is_missed_that_is_not_reported() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            let (tx, rx) = broadcast::channel(4);
            let mut set = JoinSet::new();
            for _ in 0..4 {
                let mut rx = tx.subscribe();
                set.spawn(async move {
                    let mut next = 0;
                    loop {
                        match rx.recv().await {
                            Ok(value) => {
                                assert_eq!(value, next);
                                next += 1;
                            }
                            Err(RecvError::Lagged(missed)) => next += missed,
                            Err(RecvError::Closed) => return next,
                        }
                    }
                });
            }
            drop(rx);
            for n in 0..2000 {
                tx.send(n).unwrap();
                if n % 5 == 0 {
                    yield_now().await;
                }
            }
            drop(tx);
            assert_eq!(set.join_all().await, [2000; 4]);
        });
    }
}

#[test]
pub(crate) fn a_receiver_gets_what_is_left_after_the_last_sender_has_gone() {
    let (tx, mut rx) = broadcast::channel(4);
    let mut late = tx.subscribe();
    let other = tx.clone();
    tx.send(1).unwrap();
    drop(tx);
    assert_eq!(now(late.recv()), Ok(1));
    let mut waits = Task::waiting(late.recv());
    waits.waits();
    drop(other);
    assert_eq!(waits.finish(), Err(RecvError::Closed));
    assert_eq!(now(rx.recv()), Ok(1));
    assert_eq!(rx.try_recv(), Err(TryRecvError::Closed));
}

#[test]
pub(crate) fn values_are_dropped_as_soon_as_all_have_got_them() {
    let drops = Drops::new(4);
    let (tx, mut one) = broadcast::channel(4);
    let mut other = tx.subscribe();
    for n in 0..3 {
        tx.send(Arc::new(drops.probe(n))).unwrap();
    }
    drop((one.try_recv(), other.try_recv()));
    assert_eq!((drops.dropped(), tx.len()), (1, 2));
    drop(one.try_recv());
    assert_eq!(drops.dropped(), 1);
    // It needs no more.
    drop(other);
    assert_eq!((drops.dropped(), tx.len()), (2, 1));
    drop(one);
    assert_eq!((drops.dropped(), tx.len()), (3, 0));
    assert!(tx.send(Arc::new(drops.probe(3))).is_err());
    drops.assert_each_once("values");
}

/// One that has lagged, and one that has not, go away.
#[test]
pub(crate) fn a_receiver_that_goes_away_takes_nothing_from_others() {
    let (tx, lags) = broadcast::channel(2);
    let (mut stays, reads) = (tx.subscribe(), tx.subscribe());
    (0..5).for_each(|n| _ = tx.send(n).unwrap());
    drop(lags);
    drop(reads);
    assert_eq!(stays.try_recv(), Err(TryRecvError::Lagged(3)));
    assert_eq!((stays.try_recv(), stays.try_recv()), (Ok(3), Ok(4)));
    assert!(tx.is_empty());
}

#[test]
pub(crate) fn the_last_receiver_gets_the_value_itself_and_no_clone() {
    #[derive(Debug)]
    struct Cloned(u32);
    impl Clone for Cloned {
        fn clone(&self) -> Self {
            Cloned(self.0 + 1)
        }
    }
    let (tx, mut one) = broadcast::channel(1);
    let mut other = tx.subscribe();
    tx.send(Cloned(0)).unwrap();
    let values = [one.try_recv().unwrap().0, other.try_recv().unwrap().0];
    assert_eq!(values, [1, 0]);
}

#[test]
pub(crate) fn the_last_receiver_that_goes_tells_the_senders() {
    let (tx, rx) = broadcast::channel::<u32>(1);
    let closed = Task::waiting(tx.closed());
    drop(rx);
    closed.finish();
    assert_eq!(tx.send(1).unwrap_err().into_inner(), 1);
    assert_eq!(tx.receiver_count(), 0);
}

#[test]
pub(crate) fn a_channel_without_room_is_refused() {
    assert!(panic_of(|| broadcast::channel::<u32>(0)).message.contains("room"));
}

#[test]
pub(crate) fn a_receive_that_is_dropped_loses_nothing() {
    let (tx, mut rx) = broadcast::channel(2);
    let waits = Task::waiting(rx.recv());
    tx.send(1).unwrap();
    drop(waits);
    assert_eq!(now(rx.recv()), Ok(1));
}

#[test]
pub(crate) fn values_do_not_wake_those_who_wait_for_the_last_receiver_to_go() {
    let (tx, rx) = broadcast::channel(4);
    let mut closed = Task::waiting(tx.closed());
    tx.send(1).unwrap();
    closed.waits();
    drop(rx);
    closed.finish();
}

#[test]
pub(crate) fn a_sender_learns_that_there_was_no_receiver_although_one_has_come_since() {
    let (tx, rx) = broadcast::channel::<u32>(4);
    let closed = Task::waiting(tx.closed());
    drop(rx);
    let _rx = tx.subscribe();
    closed.finish();
    Task::waiting(tx.closed());
}

/// All the ways that senders wait, receivers wait, come and go, at once.
#[test]
pub(crate) fn nobody_misses_the_end_of_the_other_side() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            for _ in 0..100 {
                let tx = broadcast::Sender::<u32>::new(4);
                let mut set = JoinSet::new();
                for _ in 0..3 {
                    let (mut rx, tx) = (tx.subscribe(), tx.clone());
                    set.spawn(async move { _ = rx.recv().await });
                    set.spawn(async move { tx.closed().await });
                }
                _ = tx.send(1);
                drop(tx);
                set.join_all().await;
            }
        });
    }
}

#[test]
pub(crate) fn a_stream_tells_what_was_missed_and_ends_with_the_senders() {
    let (tx, mut rx) = broadcast::channel(2);
    (0..3).for_each(|n| _ = tx.send(n));
    assert_eq!(now(rx.next()), Some(Err(RecvError::Lagged(1))));
    assert_eq!(now(rx.next()), Some(Ok(1)));
    assert_eq!(now(rx.next()), Some(Ok(2)));
    let waits = Task::waiting(rx.next());
    tx.send(3).unwrap();
    assert_eq!(waits.finish(), Some(Ok(3)));
    drop(tx);
    assert_eq!(now(rx.next()), None);
}

#[test]
pub(crate) fn a_stream_that_is_no_longer_awaited_lets_its_waker_go() {
    let wakes = Arc::new(Wakes::default());
    let waker = Waker::from(wakes.clone());
    let (tx, mut rx) = broadcast::channel::<u32>(2);
    let mut next = || rx.next().poll_unpin(&mut Context::from_waker(&waker)).is_pending();
    assert!(next() && next());
    assert_eq!(Arc::strong_count(&wakes), 3);
    drop(rx.recv());
    assert_eq!(Arc::strong_count(&wakes), 2);
    assert!(rx.next().poll_unpin(&mut Context::from_waker(&waker)).is_pending());
    drop(rx);
    assert_eq!(Arc::strong_count(&wakes), 2);
    assert!(tx.is_empty());
}

#[test]
pub(crate) fn a_receiver_knows_how_many_values_it_has_not_got() {
    let (tx, mut rx) = broadcast::channel(2);
    let early = rx.resubscribe();
    (0..3).for_each(|n| _ = tx.send(n));
    let late = rx.resubscribe();
    assert_eq!((rx.len(), early.len(), late.len()), (2, 2, 0));
    _ = rx.try_recv();
    assert_eq!(rx.len(), 2);
    assert_eq!(rx.try_recv(), Ok(1));
    assert_eq!(rx.len(), 1);
}
