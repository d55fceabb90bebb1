//! Who gets what, in which order. Polled by hand, so that nothing is left to chance.

use std::future::Future;
use std::task::Poll;

use gorun::{TryRecvError, TrySendError, channel};
use tokio_test::{assert_pending, assert_ready_eq, task};

#[test]
pub(crate) fn values_arrive_in_the_order_in_which_they_were_sent() {
    let (tx, rx) = channel(3);
    (1..=3).for_each(|n| tx.try_send(n).unwrap());
    assert_eq!(tx.try_send(4), Err(TrySendError::Full(4)));
    assert_eq!((1..=3).map(|_| rx.try_recv().unwrap()).collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!(rx.try_recv(), Err(TryRecvError::Empty));
}

#[test]
pub(crate) fn a_rendezvous_send_completes_when_a_receive_is_committed_to_its_value() {
    let (tx, rx) = channel(0);
    let mut send = task::spawn(tx.send('a'));
    assert_pending!(send.poll());
    assert_eq!((tx.len(), rx.is_empty()), (0, true));
    assert_eq!(rx.try_recv(), Ok('a'));
    assert!(send.is_woken());
    assert_ready_eq!(send.poll(), Ok(()));

    let mut recv = task::spawn(rx.recv());
    assert_pending!(recv.poll());
    assert_ready_eq!(task::spawn(tx.send('b')).poll(), Ok(()));
    assert!(recv.is_woken());
    assert_ready_eq!(recv.poll(), Some('b'));
}

#[test]
pub(crate) fn try_operations_need_a_partner_that_waits_at_a_rendezvous() {
    let (tx, rx) = channel(0);
    assert_eq!(tx.try_send(1), Err(TrySendError::Full(1)));
    assert_eq!(rx.try_recv(), Err(TryRecvError::Empty));
    let mut recv = task::spawn(rx.recv());
    assert_pending!(recv.poll());
    assert_eq!(tx.try_send(1), Ok(()));
    assert_eq!(tx.try_send(2), Err(TrySendError::Full(2)));
    assert_ready_eq!(recv.poll(), Some(1));
}

#[test]
pub(crate) fn receivers_that_wait_are_served_first_come_first_served() {
    for capacity in [0, 1, 5] {
        let (tx, rx) = channel(capacity);
        let mut recvs: Vec<_> = (0..5).map(|_| task::spawn(rx.recv())).collect();
        recvs.iter_mut().for_each(|recv| assert_pending!(recv.poll()));
        // Being polled again does not change one's place.
        assert_pending!(recvs[0].poll());
        for n in 0..5 {
            tx.try_send(n).unwrap();
            assert_eq!(tx.len(), 0, "straight to the receiver");
        }
        for (n, recv) in recvs.iter_mut().enumerate() {
            assert!(recv.is_woken());
            assert_ready_eq!(recv.poll(), Some(n));
        }
    }
}

#[test]
pub(crate) fn senders_that_wait_are_served_first_come_first_served() {
    for capacity in [0, 1, 2] {
        let (tx, rx) = channel(capacity);
        let mut sends: Vec<_> = (0..5).map(|n| task::spawn(tx.send(n))).collect();
        for (n, send) in sends.iter_mut().enumerate() {
            assert_eq!(send.poll().is_ready(), n < capacity);
        }
        for n in 0..5 {
            assert_eq!(rx.try_recv(), Ok(n));
            for (m, send) in sends.iter().enumerate().skip(capacity) {
                assert_eq!(send.is_woken(), m <= n + capacity);
            }
        }
        assert_eq!(rx.try_recv(), Err(TryRecvError::Empty));
        for send in sends.iter_mut().skip(capacity) {
            assert_ready_eq!(send.poll(), Ok(()));
        }
    }
}

#[test]
pub(crate) fn nobody_overtakes_a_receiver_that_was_given_a_value() {
    let (tx, rx) = channel(1);
    let mut first = task::spawn(rx.recv());
    assert_pending!(first.poll());
    tx.try_send(1).unwrap();
    assert_eq!(rx.try_recv(), Err(TryRecvError::Empty));
    assert_ready_eq!(first.poll(), Some(1));
}

#[test]
pub(crate) fn leaving_from_any_place_in_the_queue_leaves_the_others_in_order() {
    for gone in 0..4 {
        let (tx, rx) = channel(0);
        let mut recvs: Vec<_> = (0..4).map(|_| task::spawn(rx.recv())).collect();
        recvs.iter_mut().for_each(|recv| assert_pending!(recv.poll()));
        drop(recvs.remove(gone));
        // The slot is used again, at the end of the wait queue.
        recvs.push(task::spawn(rx.recv()));
        assert_pending!(recvs[3].poll());
        (0..4).for_each(|n| tx.try_send(n).unwrap());
        for (n, recv) in recvs.iter_mut().enumerate() {
            assert_ready_eq!(recv.poll(), Some(n));
        }
    }
}

#[test]
pub(crate) fn an_unbounded_channel_allocates_as_values_come() {
    let (tx, rx) = channel(usize::MAX);
    (0..10_000).for_each(|n| tx.try_send(n).unwrap());
    assert_eq!((tx.len(), tx.capacity()), (10_000, usize::MAX));
    (0..10_000).for_each(|n| assert_eq!(rx.try_recv(), Ok(n)));
}

#[test]
pub(crate) fn values_without_a_size_are_counted() {
    let (tx, rx) = channel(2);
    tx.try_send(()).unwrap();
    tx.try_send(()).unwrap();
    assert_eq!(tx.try_send(()), Err(TrySendError::Full(())));
    let mut send = task::spawn(tx.send(()));
    assert_pending!(send.poll());
    assert_eq!((0..3).map(|_| rx.try_recv()).collect::<Vec<_>>(), [Ok(()); 3]);
    assert_ready_eq!(send.poll(), Ok(()));
    assert_eq!(rx.try_recv(), Err(TryRecvError::Empty));
}

#[test]
pub(crate) fn the_waker_of_the_last_poll_is_woken() {
    let (tx, rx) = channel(0);
    let mut recv = Box::pin(rx.recv());
    let (mut first, mut last) = (task::spawn(()), task::spawn(()));
    first.enter(|cx, _| assert_pending!(recv.as_mut().poll(cx)));
    last.enter(|cx, _| assert_pending!(recv.as_mut().poll(cx)));
    tx.try_send(1).unwrap();
    assert_eq!((first.is_woken(), last.is_woken()), (false, true));
    last.enter(|cx, _| assert_eq!(recv.as_mut().poll(cx), Poll::Ready(Some(1))));

    let mut send = Box::pin(tx.send(2));
    first.enter(|cx, _| assert_pending!(send.as_mut().poll(cx)));
    last.enter(|cx, _| assert_pending!(send.as_mut().poll(cx)));
    assert_eq!(rx.try_recv(), Ok(2));
    assert_eq!((first.is_woken(), last.is_woken()), (false, true));
    last.enter(|cx, _| assert_eq!(send.as_mut().poll(cx), Poll::Ready(Ok(()))));
}

#[test]
#[should_panic(expected = "a send was polled after it had completed")]
pub(crate) fn a_send_polled_after_it_has_completed_panics() {
    let (tx, _rx) = channel(1);
    let mut send = task::spawn(tx.send(1));
    assert_ready_eq!(send.poll(), Ok(()));
    let _ = send.poll();
}
