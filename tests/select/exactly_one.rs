//! Exactly one case happens. Polled by hand, so that nothing is left to chance.

use std::future::poll_fn;
use std::task::Poll;

use gorun::{SendError, TryRecvError, channel, select};
use tokio_test::{assert_pending, assert_ready_eq, task};

#[test]
pub(crate) fn what_is_sent_to_a_select_that_waits_goes_straight_to_it() {
    let ((tx, a), (tx2, b)) = (channel(0), channel(0));
    let mut waits = task::spawn(async {
        select! { v = a.recv() => v, v = b.recv() => v }
    });
    assert_pending!(waits.poll());
    assert_eq!(tx2.try_send(2), Ok(()));
    assert!(waits.is_woken());
    // It has been decided: nobody else can choose.
    assert!(tx.try_send(1).is_err() && tx2.try_send(1).is_err());
    assert_ready_eq!(waits.poll(), Some(2));
}

#[test]
pub(crate) fn what_a_select_that_waits_would_send_can_be_taken_once() {
    let ((tx, a), (tx2, b)) = (channel(0), channel(0));
    let mut waits = task::spawn(async {
        let mut option = Some(2);
        let chosen =
            select! { r = tx.send(1) => r.is_ok(), _ = tx2.send_from(&mut option) => false };
        (chosen, option)
    });
    assert_pending!(waits.poll());
    assert_eq!(a.try_recv(), Ok(1));
    assert_eq!(b.try_recv(), Err(TryRecvError::Empty));
    assert_ready_eq!(waits.poll(), (true, Some(2)));
}

#[test]
pub(crate) fn a_select_that_is_decided_has_left_the_other_lines() {
    let ((tx, a), (tx2, b)) = (channel(0), channel(0));
    let mut waits = task::spawn(async {
        select! { v = a.recv() => v, v = b.recv() => v }
    });
    assert_pending!(waits.poll());
    let mut behind = task::spawn(b.recv());
    assert_pending!(behind.poll());
    assert_eq!(tx.try_send(1), Ok(()));
    assert_eq!(tx2.try_send(2), Ok(()), "to the receiver behind it");
    assert_ready_eq!(behind.poll(), Some(2));
    assert_ready_eq!(waits.poll(), Some(1));
}

#[test]
pub(crate) fn a_select_that_is_dropped_while_it_waits_leaves_all_lines() {
    let ((tx, a), (tx2, b)) = (channel(0), channel(0));
    let mut option = Some(3);
    let mut waits = task::spawn(async {
        select! { _ = a.recv() => {} _ = b.recv() => {} _ = tx2.send_from(&mut option) => {} }
    });
    assert_pending!(waits.poll());
    drop(waits);
    assert!(tx.try_send(1).is_err() && tx2.try_send(1).is_err());
    assert_eq!(b.try_recv(), Err(TryRecvError::Empty));
    assert_eq!(option, Some(3));
}

#[test]
pub(crate) fn a_select_that_is_dropped_after_it_was_decided_gives_the_value_back() {
    let ((tx, a), (_tx2, b)) = (channel(0), channel::<u32>(0));
    let mut waits = task::spawn(async {
        select! { v = a.recv() => v, v = b.recv() => v }
    });
    assert_pending!(waits.poll());
    assert_eq!(tx.try_send(1), Ok(()));
    let mut behind = task::spawn(async {
        select! { v = b.recv() => v, v = a.recv() => v }
    });
    assert_pending!(behind.poll());
    drop(waits);
    assert!(behind.is_woken());
    drop(behind);
    assert_eq!((a.len(), a.try_recv()), (1, Ok(1)));
}

#[test]
pub(crate) fn a_send_case_that_was_committed_has_sent_though_the_select_is_dropped() {
    let ((tx, a), (_tx2, b)) = (channel(0), channel::<u32>(0));
    let mut option = Some(1);
    let mut waits = task::spawn(async {
        select! { _ = tx.send_from(&mut option) => {} _ = b.recv() => {} }
    });
    assert_pending!(waits.poll());
    assert_eq!(a.try_recv(), Ok(1));
    drop(waits);
    assert_eq!(option, None);
}

#[test]
pub(crate) fn closing_decides_a_select_that_waits() {
    let ((tx, a), (tx2, b)) = (channel::<u32>(0), channel(0));
    let mut waits = task::spawn(async {
        select! { v = a.recv() => assert_eq!(v, None), r = tx2.send(7) => assert_eq!(r, Ok(())) }
    });
    assert_pending!(waits.poll());
    tx.close();
    assert_eq!(b.try_recv(), Err(TryRecvError::Empty));
    assert_ready_eq!(waits.poll(), ());

    let (tx, a) = channel::<u32>(0);
    let mut waits = task::spawn(async {
        select! { _ = a.recv() => unreachable!(), r = tx2.send(7) => r }
    });
    assert_pending!(waits.poll());
    b.close();
    assert!(tx.try_send(1).is_err());
    assert_ready_eq!(waits.poll(), Err(SendError(7)));
}

#[test]
pub(crate) fn a_select_does_not_meet_itself() {
    let (tx, rx) = channel(0);
    let mut waits = task::spawn(async {
        select! { v = rx.recv() => v.unwrap(), _ = tx.send(1) => 0 }
    });
    assert_pending!(waits.poll());
    assert_pending!(waits.poll());
    let mut other = task::spawn(async {
        select! { v = rx.recv() => v.unwrap(), _ = tx.send(2) => 0 }
    });
    let (mine, theirs) = match other.poll() {
        Poll::Ready(theirs) => (waits.poll(), theirs),
        Poll::Pending => panic!("they face each other"),
    };
    assert!([(Poll::Ready(0), 1), (Poll::Ready(2), 0)].contains(&(mine, theirs)));
}

#[test]
pub(crate) fn the_same_channel_may_stand_in_several_cases() {
    let (tx, rx) = channel(0);
    let mut waits = task::spawn(async {
        select! { v = rx.recv() => v, v = rx.recv() => v, v = rx.recv() => v }
    });
    assert_pending!(waits.poll());
    assert_eq!(tx.try_send(1), Ok(()));
    assert!(tx.try_send(2).is_err());
    assert_ready_eq!(waits.poll(), Some(1));
    assert!(tx.try_send(3).is_err());
}

/// A partner comes while a foreign future is polled: it finds the select busy, and what it leaves is
/// found afterwards.
#[test]
pub(crate) fn a_partner_that_comes_while_another_future_is_polled_is_not_missed() {
    for capacity in [0, 1] {
        for first_time in [false, true] {
            let (tx, rx) = channel(capacity);
            let mut send = task::spawn(tx.send(1));
            let mut polls = 0;
            let mut waits = task::spawn(async {
                select! {
                    v = rx.recv() => v,
                    _ = poll_fn(|_| {
                        polls += 1;
                        if first_time || polls > 1 {
                            // A rendezvous send cannot be committed now.
                            assert_eq!(send.poll().is_ready(), capacity > 0);
                        }
                        Poll::<()>::Pending
                    }) => None,
                }
            });
            let mut polled = waits.poll();
            if !first_time {
                assert_pending!(polled);
                polled = waits.poll();
            }
            assert_ready_eq!(polled, Some(1));
            drop(waits);
            if capacity == 0 {
                assert!(send.is_woken());
                assert_ready_eq!(send.poll(), Ok(()));
            }
        }
    }
}

/// The foreign future is ready although a partner came: the partner has not been committed.
#[test]
pub(crate) fn a_future_that_is_ready_wins_over_a_partner_that_came_meanwhile() {
    let (tx, rx) = channel(0);
    let mut polls = 0;
    let mut waits = task::spawn(async {
        select! {
            _ = rx.recv() => false,
            _ = poll_fn(|_| {
                polls += 1;
                if polls == 1 {
                    return Poll::Pending;
                }
                assert!(tx.try_send(1).is_err());
                Poll::Ready(())
            }) => true,
        }
    });
    assert_pending!(waits.poll());
    assert_ready_eq!(waits.poll(), true);
}

#[test]
pub(crate) fn a_panic_of_a_future_leaves_the_queues() {
    crate::common::quiet();
    let (tx, rx) = channel::<u32>(0);
    let mut polls = 0;
    let mut waits = Box::pin(task::spawn(async {
        select! {
            _ = rx.recv() => {}
            _ = poll_fn(|_| {
                polls += 1;
                assert!(polls < 2, "boom");
                Poll::<()>::Pending
            }) => {}
        }
    }));
    assert_pending!(waits.poll());
    crate::common::payload_of(|| waits.poll().is_ready());
    assert!(tx.try_send(1).is_err());
    drop(waits);
    let mut recv = task::spawn(rx.recv());
    assert_pending!(recv.poll());
    assert!(tx.try_send(1).is_ok());
}

#[test]
pub(crate) fn the_waker_of_the_last_poll_is_woken() {
    let (tx, rx) = channel(0);
    let mut waits = Box::pin(async {
        select! { v = rx.recv() => v }
    });
    let (mut first, mut last) = (task::spawn(()), task::spawn(()));
    first.enter(|cx, _| assert!(waits.as_mut().poll(cx).is_pending()));
    last.enter(|cx, _| assert!(waits.as_mut().poll(cx).is_pending()));
    tx.try_send(1).unwrap();
    assert_eq!((first.is_woken(), last.is_woken()), (false, true));
}

use std::future::Future;
