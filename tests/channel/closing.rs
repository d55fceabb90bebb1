//! Closing, by whichever half.

use std::error::Error;

use gorun::{
    RecvTimeoutError, SendError, SendTimeoutError, TryRecvError, TrySendError, channel, spawn,
};
use tokio_test::{assert_pending, assert_ready_eq, task};

use crate::WORKERS;
use crate::common::*;

#[test]
pub(crate) fn what_is_in_the_buffer_is_received_after_close() {
    for by_sender in [false, true] {
        let (tx, rx) = channel(2);
        tx.try_send(1).unwrap();
        tx.try_send(2).unwrap();
        if by_sender {
            tx.close()
        } else {
            rx.close()
        }
        assert!(tx.is_closed() && rx.is_closed());
        assert_eq!(tx.try_send(3), Err(TrySendError::Closed(3)));
        assert_eq!(rx.try_recv(), Ok(1));
        assert_ready_eq!(task::spawn(rx.recv()).poll(), Some(2));
        assert_ready_eq!(task::spawn(rx.recv()).poll(), None);
        assert_eq!(rx.try_recv(), Err(TryRecvError::Closed));
        // Once more changes nothing.
        tx.close();
        rx.close();
    }
}

#[test]
pub(crate) fn close_gives_their_values_back_to_senders_that_wait() {
    for capacity in [0, 1] {
        let (tx, rx) = channel(capacity);
        (0..capacity).for_each(|n| tx.try_send(n).unwrap());
        let mut sends: Vec<_> = (10..13).map(|n| task::spawn(tx.send(n))).collect();
        sends.iter_mut().for_each(|send| assert_pending!(send.poll()));
        rx.close();
        for (n, send) in (10..).zip(&mut sends) {
            assert!(send.is_woken());
            assert_ready_eq!(send.poll(), Err(SendError(n)));
        }
        assert_eq!(rx.len(), capacity);
    }
}

#[test]
pub(crate) fn close_ends_receivers_that_wait() {
    let (tx, rx) = channel::<u32>(3);
    let mut recvs: Vec<_> = (0..3).map(|_| task::spawn(rx.recv())).collect();
    recvs.iter_mut().for_each(|recv| assert_pending!(recv.poll()));
    tx.close();
    for recv in &mut recvs {
        assert!(recv.is_woken());
        assert_ready_eq!(recv.poll(), None);
    }
}

#[test]
pub(crate) fn the_last_sender_closes() {
    let (tx, rx) = channel(1);
    let second = tx.clone();
    drop(tx);
    assert!(!rx.is_closed());
    second.try_send(1).unwrap();
    drop(second);
    assert!(rx.is_closed());
    assert_eq!(rx.recv_blocking(), Some(1));
    assert_eq!(rx.recv_blocking(), None);
}

#[test]
pub(crate) fn the_last_receiver_closes_and_drops_what_is_in_the_buffer() {
    let drops = Drops::new(3);
    let (tx, rx) = channel(2);
    let second = rx.clone();
    drop(rx);
    assert!(!tx.is_closed());
    (0..2).for_each(|n| assert!(tx.try_send(drops.probe(n)).is_ok()));
    let mut send = task::spawn(tx.send(drops.probe(2)));
    assert_pending!(send.poll());
    drop(second);
    assert_eq!((tx.is_closed(), drops.dropped(), tx.len()), (true, 2, 0));
    assert!(send.is_woken());
    let back = tokio_test::assert_ready!(send.poll());
    assert_eq!(drops.dropped(), 2);
    drop((back, send));
    drops.assert_each_once(());
}

#[test]
pub(crate) fn a_channel_nobody_uses_any_more_drops_its_values_once() {
    let drops = Drops::new(4);
    let (tx, rx) = channel(4);
    (0..4).for_each(|n| assert!(tx.try_send(drops.probe(n)).is_ok()));
    drop(tx);
    assert_eq!(drops.dropped(), 0);
    drop(rx);
    drops.assert_each_once(());
}

#[test]
pub(crate) fn close_races_with_senders_and_receivers() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        for capacity in [0, 1, 4] {
            run(workers, async {
                for _ in 0..50 {
                    let (tx, rx) = channel(capacity);
                    let senders: Vec<_> = (0..4)
                        .map(|n| {
                            let tx = tx.clone();
                            spawn(async move { tx.send(n).await.is_ok() })
                        })
                        .collect();
                    let receivers: Vec<_> = (0..2)
                        .map(|_| {
                            let rx = rx.clone();
                            spawn(async move {
                                let mut count = 0;
                                while rx.recv().await.is_some() {
                                    count += 1;
                                }
                                count
                            })
                        })
                        .collect();
                    let closer = spawn(async move { tx.close() });
                    let (mut sent, mut received) = (0, 0);
                    for sender in senders {
                        sent += usize::from(sender.await.unwrap());
                    }
                    for receiver in receivers {
                        received += receiver.await.unwrap();
                    }
                    closer.await.unwrap();
                    assert_eq!(sent, received);
                }
            });
        }
    }
}

#[test]
pub(crate) fn a_channel_outlives_the_runtime_it_was_used_in() {
    let _watchdog = watchdog();
    let (tx, rx) = channel(0);
    run(2, async {
        let rx = rx.clone();
        spawn(async move { rx.recv().await });
        gorun::yield_now().await;
    });
    // Whoever waited inside has left the wait queue.
    assert_eq!(tx.try_send(1), Err(TrySendError::Full(1)));
    let thread = std::thread::spawn(move || rx.recv_blocking());
    tx.send_blocking(2).unwrap();
    assert_eq!(thread.join().unwrap(), Some(2));
    run(1, async move { assert_eq!(tx.send(3).await, Err(SendError(3))) });
}

#[test]
pub(crate) fn errors_say_what_happened_whatever_the_value() {
    struct Opaque;
    let errors: [(Box<dyn Error>, &str, &str); 9] = [
        (Box::new(SendError(Opaque)), "the channel is closed", "SendError { .. }"),
        (Box::new(TrySendError::Full(Opaque)), "nobody can take the value at present", "Full(..)"),
        (Box::new(TrySendError::Closed(Opaque)), "the channel is closed", "Closed(..)"),
        (Box::new(TryRecvError::Empty), "the channel is empty", "Empty"),
        (Box::new(TryRecvError::Closed), "the channel is closed and empty", "Closed"),
        (
            Box::new(SendTimeoutError::Timeout(Opaque)),
            "nobody has taken the value in time",
            "Timeout(..)",
        ),
        (Box::new(SendTimeoutError::Closed(Opaque)), "the channel is closed", "Closed(..)"),
        (Box::new(RecvTimeoutError::Timeout), "no value has come in time", "Timeout"),
        (Box::new(RecvTimeoutError::Closed), "the channel is closed and empty", "Closed"),
    ];
    for (error, display, debug) in errors {
        assert_eq!((error.to_string(), format!("{error:?}")), (display.into(), debug.into()));
    }
    assert_eq!(TrySendError::from(SendError(1)), TrySendError::Closed(1));
    let (tx, rx) = channel::<Opaque>(7);
    assert_eq!(format!("{tx:?}"), "Sender { capacity: 7, len: 0, is_closed: false, .. }");
    assert_eq!(format!("{:?}", tx.send(Opaque)), "Send { .. }");
    assert_eq!(format!("{:?}", tx.send_from(&mut Some(Opaque))), "SendFrom { .. }");
    drop(tx);
    assert_eq!(format!("{rx:?}"), "Receiver { capacity: 7, len: 0, is_closed: true, .. }");
    assert_eq!(format!("{:?}", rx.recv()), "Recv { .. }");
}
