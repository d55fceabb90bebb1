//! Operations that are dropped: what becomes of the value.

use std::sync::Arc;

use gorun::{SendError, TryRecvError, TrySendError, channel, spawn, yield_now};
use tokio_test::{assert_pending, assert_ready_eq, task};

use crate::WORKERS;
use crate::common::*;

#[test]
pub(crate) fn a_send_that_is_dropped_before_it_is_committed_drops_its_value_unseen() {
    for capacity in [0, 1] {
        let (tx, rx) = channel(capacity);
        let drops = Drops::new(capacity + 2);
        (0..capacity).for_each(|n| assert!(tx.try_send(drops.probe(n)).is_ok()));
        drop(tx.send(drops.probe(capacity)));
        let mut send = task::spawn(tx.send(drops.probe(capacity + 1)));
        assert_pending!(send.poll());
        drop(send);
        assert_eq!(drops.dropped(), 2);
        (0..capacity).for_each(|_| drop(rx.try_recv().ok().unwrap()));
        assert!(rx.try_recv().is_err());
        drops.assert_each_once(capacity);
    }
}

#[test]
pub(crate) fn a_send_that_is_dropped_after_it_was_committed_has_delivered() {
    let (tx, rx) = channel(1);
    tx.try_send(1).unwrap();
    let mut send = task::spawn(tx.send(2));
    assert_pending!(send.poll());
    assert_eq!(rx.try_recv(), Ok(1));
    drop(send);
    assert_eq!((rx.len(), rx.try_recv()), (1, Ok(2)));
}

#[test]
pub(crate) fn what_a_dropped_receive_was_given_goes_to_the_next_receiver() {
    let (tx, rx) = channel(0);
    let (mut first, mut second) = (task::spawn(rx.recv()), task::spawn(rx.recv()));
    assert_pending!(first.poll());
    assert_pending!(second.poll());
    tx.try_send(1).unwrap();
    assert!(!second.is_woken());
    drop(first);
    assert!(second.is_woken());
    assert_ready_eq!(second.poll(), Some(1));
}

#[test]
pub(crate) fn what_a_dropped_receive_was_given_is_the_first_in_the_channel_again() {
    for capacity in [0, 1, 2] {
        let (tx, rx) = channel(capacity);
        let mut recv = task::spawn(rx.recv());
        assert_pending!(recv.poll());
        (0..=capacity).for_each(|n| tx.try_send(n).unwrap());
        drop(recv);
        assert_eq!(tx.len(), capacity + 1);
        assert_eq!(tx.try_send(9), Err(TrySendError::Full(9)));
        // Full as it is, a receive makes no room yet.
        let mut send = task::spawn(tx.send(capacity + 1));
        assert_pending!(send.poll());
        for n in 0..=capacity {
            assert_eq!(rx.try_recv(), Ok(n));
            assert_eq!(send.is_woken(), n > 0, "capacity {capacity}, after {n}");
        }
        assert_eq!(rx.try_recv(), Ok(capacity + 1));
        assert_ready_eq!(send.poll(), Ok(()));
    }
}

#[test]
pub(crate) fn what_a_dropped_receive_was_given_is_kept_by_a_closed_channel() {
    for close_first in [false, true] {
        let (tx, rx) = channel(0);
        let mut recv = task::spawn(rx.recv());
        assert_pending!(recv.poll());
        tx.try_send(1).unwrap();
        if close_first {
            tx.close();
            drop(recv);
        } else {
            drop(recv);
            drop(tx);
        }
        assert_eq!(rx.len(), 1);
        assert_eq!(rx.recv_blocking(), Some(1));
        assert_eq!(rx.recv_blocking(), None);
    }
}

#[test]
pub(crate) fn what_a_dropped_receive_was_given_is_dropped_with_the_last_receiver() {
    let drops = Drops::new(1);
    let (tx, rx) = channel(0);
    let mut recv = task::spawn(rx.recv());
    assert_pending!(recv.poll());
    assert!(tx.try_send(drops.probe(0)).is_ok());
    drop(recv);
    assert_eq!(drops.dropped(), 0);
    drop(rx);
    drops.assert_each_once(());
    assert!(tx.is_closed() && tx.is_empty());
}

#[test]
pub(crate) fn a_lost_race_leaves_the_value_of_send_from_in_its_option() {
    let (tx, rx) = channel(0);
    let mut value = Some(Box::new(1));
    drop(tx.send_from(&mut value));
    assert_eq!(value.as_deref(), Some(&1));
    {
        let mut send = task::spawn(tx.send_from(&mut value));
        assert_pending!(send.poll());
    }
    assert_eq!(value.as_deref(), Some(&1));
    {
        let mut send = task::spawn(tx.send_from(&mut value));
        assert_pending!(send.poll());
        assert_eq!(rx.try_recv().as_deref(), Ok(&1));
    }
    assert_eq!(value, None, "committed, though nobody looked");
}

#[test]
pub(crate) fn a_failed_send_from_leaves_the_value_in_its_option() {
    let (tx, rx) = channel(0);
    let mut value = Some(1);
    {
        let mut send = task::spawn(tx.send_from(&mut value));
        assert_pending!(send.poll());
        rx.close();
        assert!(send.is_woken());
        assert_ready_eq!(send.poll(), Err(SendError(())));
    }
    assert_eq!(value, Some(1));
    assert_ready_eq!(task::spawn(tx.send_from(&mut value)).poll(), Err(SendError(())));
    assert_eq!(value, Some(1));
    {
        let (tx, rx) = channel(0);
        let mut send = task::spawn(tx.send_from(&mut value));
        assert_pending!(send.poll());
        rx.close();
    }
    assert_eq!(value, Some(1));
}

#[test]
pub(crate) fn send_from_an_empty_option_panics_at_its_line() {
    let (tx, _rx) = channel::<u32>(0);
    let line = line!() + 1;
    let seen = panic_of(|| drop(tx.send_from(&mut None)));
    assert_eq!((seen.file.as_str(), seen.line), (file!(), line));
    assert!(seen.message.contains("send_from"), "{}", seen.message);
}

#[test]
pub(crate) fn an_aborted_goroutine_leaves_the_queue() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            let (tx, rx) = channel(0);
            let rx = Arc::new(rx);
            for n in 0..100 {
                let receiver = spawn({
                    let rx = rx.clone();
                    async move { rx.recv().await }
                });
                let sender = spawn({
                    let tx = tx.clone();
                    async move { tx.send(n).await }
                });
                if n % 2 == 0 {
                    yield_now().await;
                }
                receiver.abort();
                let received = receiver.await;
                // Whatever the moment: the value is somewhere, once.
                let value = match received {
                    Ok(value) => value,
                    Err(_) => rx.recv().await,
                };
                assert_eq!(value, Some(n));
                assert_eq!(sender.await.unwrap(), Ok(()));
                assert_eq!(rx.try_recv(), Err(TryRecvError::Empty));
            }
        });
    }
}

#[test]
pub(crate) fn goroutines_that_main_leaves_waiting_are_dropped_with_their_values() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        let drops = Drops::new(100);
        let (tx, rx) = channel(0);
        patient(workers)
            .block_on(async {
                for n in 0..100 {
                    let (tx, value) = (tx.clone(), drops.probe(n));
                    spawn(async move {
                        let _ = tx.send(value).await;
                    });
                }
                yield_now().await;
            })
            .unwrap();
        assert!(rx.try_recv().is_err());
        drops.assert_each_once(workers);
    }
}
