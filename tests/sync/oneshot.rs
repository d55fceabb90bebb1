//! Channels for a single value.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::Context;

use gorun::TryRecvError;
use gorun::sync::oneshot;
use gorun::time::timeout;

use super::{Task, WORKERS, calls, now};
use crate::common::*;

#[test]
pub(crate) fn a_value_sent_before_or_during_the_wait_arrives() {
    let (tx, rx) = oneshot::channel();
    tx.send(1).unwrap();
    assert_eq!(now(rx), Ok(1));
    let (tx, rx) = oneshot::channel();
    let rx = Task::waiting(rx);
    tx.send(2).unwrap();
    assert_eq!(rx.finish(), Ok(2));
}

#[test]
pub(crate) fn a_sender_that_is_dropped_ends_the_wait() {
    let (tx, rx) = oneshot::channel::<u32>();
    let rx = Task::waiting(rx);
    drop(tx);
    assert!(rx.finish().is_err());
}

#[test]
pub(crate) fn a_receiver_that_is_dropped_or_closed_ends_the_senders_wait() {
    for closes in [true, false] {
        let (mut tx, mut rx) = oneshot::channel::<u32>();
        let closed = Task::waiting(tx.closed());
        if closes {
            rx.close();
            closed.finish();
            assert_eq!(rx.try_recv(), Err(TryRecvError::Closed));
        } else {
            drop(rx);
            closed.finish();
        }
        assert!(tx.is_closed());
        assert_eq!(tx.send(7).unwrap_err().into_inner(), 7);
    }
}

#[test]
pub(crate) fn a_value_that_was_sent_before_the_close_is_received() {
    let (tx, mut rx) = oneshot::channel();
    tx.send(1).unwrap();
    rx.close();
    assert_eq!(now(&mut rx), Ok(1));
    assert_eq!(rx.try_recv(), Err(TryRecvError::Closed));
    assert!(now(rx).is_err());
}

#[test]
pub(crate) fn a_value_that_nobody_receives_is_dropped_with_the_receiver() {
    let drops = Drops::new(2);
    let (tx, rx) = oneshot::channel();
    tx.send(drops.probe(0)).unwrap();
    drop(rx);
    let (tx, rx) = oneshot::channel();
    let rx = Task::waiting(rx);
    tx.send(drops.probe(1)).unwrap();
    drop(rx);
    drops.assert_each_once("values");
}

#[test]
pub(crate) fn a_receiver_that_is_kept_after_a_timeout_gets_the_value() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            for n in 0..100 {
                let (tx, mut rx) = oneshot::channel();
                let limit = std::time::Duration::from_micros(n % 5);
                let sender = gorun::spawn(async move { tx.send(n) });
                let value = match timeout(limit, &mut rx).await {
                    Ok(value) => value,
                    Err(_) => rx.await,
                };
                assert_eq!(value, Ok(n));
                sender.await.unwrap().unwrap();
            }
        });
    }
}

/// Either the sender is told that it failed, or the value arrives.
#[test]
pub(crate) fn a_value_is_delivered_or_given_back() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            for _ in 0..500 {
                let (tx, mut rx) = oneshot::channel();
                let sender = gorun::spawn(async move { tx.send(7).is_ok() });
                let received = gorun::spawn(async move {
                    rx.close();
                    rx.try_recv().is_ok()
                });
                assert_eq!(sender.await.unwrap(), received.await.unwrap());
            }
        });
    }
}

#[test]
pub(crate) fn a_thread_that_blocks_for_a_value_is_woken() {
    let _watchdog = watchdog();
    let (tx, rx) = oneshot::channel();
    let thread = std::thread::spawn(move || rx.recv_blocking());
    tx.send(7).unwrap();
    assert_eq!(thread.join().unwrap(), Ok(7));
}

/// A waker that runs between the value and the end of the sender.
#[test]
pub(crate) fn a_value_that_has_come_is_the_last_one_at_once() {
    let (tx, rx) = oneshot::channel();
    let rx = Arc::new(Mutex::new(rx));
    let seen = Arc::new(Mutex::new(Vec::new()));
    let waker = calls({
        let (rx, seen) = (rx.clone(), seen.clone());
        move || {
            let mut rx = rx.lock().unwrap();
            seen.lock().unwrap().extend([rx.try_recv(), rx.try_recv()]);
        }
    });
    let poll = Pin::new(&mut *rx.lock().unwrap()).poll(&mut Context::from_waker(&waker));
    assert!(poll.is_pending());
    tx.send(7).unwrap();
    assert_eq!(*seen.lock().unwrap(), [Ok(7), Err(TryRecvError::Closed)]);
}
