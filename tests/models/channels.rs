//! Channels without `select!`: nobody waits for ever (a deadlock, for loom), and no value is lost.
//!
//! Seen to fail with any one of these: `cancel` without giving the value back ("lost"), or without
//! waking the next receiver (deadlock); `close` that serves no receivers, or no senders (deadlock);
//! `receive` that does not wake the sender it serves, or that does not pull the value of one into the
//! room it makes (deadlock); a notice that joins the wait queue under another lock than the one under
//! which its value was left (deadlock), or that `close` does not serve (deadlock).
//!
//! Likewise of what is detached (`head.rs`): `attach` that puts the buffer first; a receive, or a value that
//! comes back, without `attach` (out of order); `len` without the head. (What is full is tested in
//! `src/chan/tests.rs`: room that does not count what is detached, or that counts it for ever.)

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use loom::thread;

use crate::chan::core::Core;
use crate::chan::recv::{Recv, try_recv};
use crate::chan::send::{Send, try_send};
use crate::explore::{block, explore};
use crate::scheduler::foreign_wakers::with_own_wakers;

/// A thread that waits for a future.
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    block(|waker| future.as_mut().poll(&mut Context::from_waker(waker)))
}

/// Polls once, and drops it.
pub(crate) fn poll_once<F: Future>(future: F) -> Option<F::Output> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}

fn values_pass_in_order(capacity: usize, count: u32) {
    explore(Some(3), move || {
        let core = Arc::new(Core::new(capacity));
        let sender = thread::spawn({
            let core = core.clone();
            move || (0..count).for_each(|n| block_on(Send::new(&core, n)).unwrap())
        });
        for n in 0..count {
            assert_eq!(block_on(Recv::new(&core)), Some(n));
        }
        sender.join().unwrap();
        assert_eq!(core.len(), 0);
    });
}

#[test]
fn values_pass_through_a_rendezvous() {
    values_pass_in_order(0, 2);
}

/// Seen to fail (deadlock) with a `wait` that releases the lock before it joins the queue.
#[test]
fn values_pass_where_goroutines_wait() {
    with_own_wakers(|| (0..=1).for_each(|capacity| values_pass_in_order(capacity, 2)));
}

#[test]
fn values_pass_through_a_buffer() {
    values_pass_in_order(1, 3);
}

/// A channel with `N` values. The first receive detaches the others.
fn filled<const N: u32>(capacity: usize) -> Arc<Core<u32>> {
    let core = Arc::new(Core::new(capacity));
    (0..N).for_each(|n| try_send(&core, n).unwrap());
    core
}

/// A sender that finds no room, although some values are detached, waits for the receives that take
/// those, and its value comes after them.
#[test]
fn values_that_are_detached_leave_room_and_keep_their_order() {
    explore(Some(3), || {
        let core = filled::<3>(3);
        assert_eq!(try_recv(&core), Ok(0));
        let sender = thread::spawn({
            let core = core.clone();
            move || (3..6).for_each(|n| block_on(Send::new(&core, n)).unwrap())
        });
        for n in 1..6 {
            assert_eq!(block_on(Recv::new(&core)), Some(n));
        }
        sender.join().unwrap();
        assert_eq!((core.len(), try_recv(&core).is_err()), (0, true));
    });
}

#[test]
fn two_receivers_share_what_is_detached() {
    explore(Some(3), || {
        let core = filled::<3>(3);
        let receive = |core: Arc<Core<u32>>| {
            move || (0..2).filter_map(|_| try_recv(&core).ok()).collect::<Vec<_>>()
        };
        let other = thread::spawn(receive(core.clone()));
        let mine = receive(core.clone())();
        let others = other.join().unwrap();
        assert!(mine.is_sorted() && others.is_sorted(), "{mine:?} {others:?}");
        let mut all = [mine, others].concat();
        all.sort();
        assert_eq!(all, [0, 1, 2], "lost, or received twice");
    });
}

/// The length counts what is detached, and no value goes away with the channel's end.
#[test]
fn what_is_detached_is_counted_and_outlives_close() {
    explore(Some(3), || {
        let core = filled::<4>(4);
        assert_eq!((try_recv(&core), core.len()), (Ok(0), 3));
        let receiver = thread::spawn({
            let core = core.clone();
            move || block_on(Recv::new(&core))
        });
        let seen = core.len();
        core.close();
        let taken = receiver.join().unwrap();
        assert!((2..=3).contains(&seen) && taken == Some(1));
        let rest: Vec<_> = std::iter::from_fn(|| block_on(Recv::new(&core))).collect();
        assert_eq!(rest, [2, 3]);
    });
}

/// A value that comes back stands before those that are detached.
#[test]
fn a_value_that_comes_back_is_the_first_one() {
    explore(Some(3), || {
        let core = Arc::new(Core::new(4));
        let dropped = thread::spawn({
            let core = core.clone();
            move || poll_once(Recv::new(&core)).flatten()
        });
        (0..4).for_each(|n| try_send(&core, n).unwrap());
        let mut received: Vec<_> = (0..2).filter_map(|_| try_recv(&core).ok()).collect();
        let looked = dropped.join().unwrap();
        let rest: Vec<_> = std::iter::from_fn(|| try_recv(&core).ok()).collect();
        assert!(rest.is_sorted(), "{rest:?}");
        received.extend(rest);
        received.extend(looked);
        received.sort();
        assert_eq!(received, [0, 1, 2, 3], "lost, or received twice");
    });
}

/// Whatever the moment, a send is `Ok` if and only if its value is received.
#[test]
fn close_ends_all_waits() {
    for capacity in [0, 1] {
        explore(Some(3), move || {
            let core = Arc::new(Core::new(capacity));
            let sender = thread::spawn({
                let core = core.clone();
                move || (0..2).filter(|&n| block_on(Send::new(&core, n)).is_ok()).count()
            });
            let receiver = thread::spawn({
                let core = core.clone();
                move || std::iter::from_fn(|| block_on(Recv::new(&core))).count()
            });
            core.close();
            let sent = sender.join().unwrap();
            assert_eq!(sent, receiver.join().unwrap(), "lost, or received twice");
        });
    }
}

/// A receive is polled once and dropped; another one waits, behind it or before it.
#[test]
fn a_dropped_receive_loses_nothing() {
    for capacity in [0, 1] {
        explore(Some(3), move || {
            let core = Arc::new(Core::new(capacity));
            let dropped = thread::spawn({
                let core = core.clone();
                move || poll_once(Recv::new(&core)).flatten()
            });
            let receiver = thread::spawn({
                let core = core.clone();
                move || std::iter::from_fn(|| block_on(Recv::new(&core))).collect::<Vec<u32>>()
            });
            (0..2).for_each(|n| block_on(Send::new(&core, n)).unwrap());
            let looked = dropped.join().unwrap();
            core.close();
            let mut received = receiver.join().unwrap();
            // What came back after the receiver had seen the end.
            received.extend(std::iter::from_fn(|| try_recv(&core).ok()));
            received.extend(looked);
            received.sort();
            assert_eq!(received, [0, 1], "lost, or received twice");
        });
    }
}

/// A send is polled once and dropped: its value arrives, or nobody has seen it; and it does not keep
/// others from sending.
#[test]
fn a_dropped_send_does_not_stop_the_others() {
    explore(Some(3), || {
        let core = Arc::new(Core::new(0));
        let dropped = thread::spawn({
            let core = core.clone();
            move || poll_once(Send::new(&core, 1)).is_some()
        });
        let sender = thread::spawn({
            let core = core.clone();
            move || block_on(Send::new(&core, 2)).unwrap()
        });
        let mut received = Vec::new();
        while received.last() != Some(&2) {
            received.extend(block_on(Recv::new(&core)));
        }
        let sent = dropped.join().unwrap();
        sender.join().unwrap();
        assert!(!sent || received.contains(&1) || try_recv(&core) == Ok(1));
        assert!(try_send(&core, 3).is_err());
    });
}

/// One receive for two sends.
#[test]
fn the_room_that_a_receive_makes_is_filled() {
    explore(None, || {
        let core = Arc::new(Core::new(1));
        let sender = thread::spawn({
            let core = core.clone();
            move || (0..2).for_each(|n| block_on(Send::new(&core, n)).unwrap())
        });
        assert_eq!(block_on(Recv::new(&core)), Some(0));
        sender.join().unwrap();
        assert_eq!((core.len(), try_recv(&core)), (1, Ok(1)));
    });
}

/// What an alarm does: rings, and waits until somebody has taken what it left.
fn ring(core: &Core<u32>, value: u32) {
    let mut notice = None;
    block_on(poll_fn(|cx| match notice {
        None => {
            let fired = core.fire(value, Some(cx.waker().clone()));
            if let Some(waker) = fired.wake {
                waker.wake();
            }
            notice = fired.notice;
            if notice.is_some() { Poll::Pending } else { Poll::Ready(()) }
        }
        Some(key) if core.is_taken(key) => Poll::Ready(()),
        Some(_) => Poll::Pending,
    }));
}

/// One receives, and one gives up, which may put a value back in front of another.
#[test]
fn an_alarm_is_told_when_its_value_has_been_taken() {
    explore(Some(3), || {
        let core = Arc::new(Core::new(1));
        let alarm = thread::spawn({
            let core = core.clone();
            move || (0..2).for_each(|n| ring(&core, n))
        });
        let dropped = thread::spawn({
            let core = core.clone();
            move || poll_once(Recv::new(&core)).flatten()
        });
        let mut received = vec![block_on(Recv::new(&core)).unwrap()];
        let looked = dropped.join().unwrap();
        if looked.is_none() {
            received.push(block_on(Recv::new(&core)).unwrap());
        }
        alarm.join().unwrap();
        received.extend(looked);
        received.sort();
        assert_eq!((received, core.len()), (vec![0, 1], 0), "lost, or received twice");
    });
}

#[test]
fn an_alarm_is_told_when_its_channel_is_closed() {
    explore(None, || {
        let core = Arc::new(Core::new(1));
        let alarm = thread::spawn({
            let core = core.clone();
            move || ring(&core, 7)
        });
        core.close();
        alarm.join().unwrap();
    });
}

/// Nobody receives.
#[test]
fn close_gives_the_value_back_to_a_sender_that_waits() {
    explore(None, || {
        let core = Arc::new(Core::new(0));
        let sender = thread::spawn({
            let core = core.clone();
            move || block_on(Send::new(&core, 7))
        });
        core.close();
        assert_eq!(sender.join().unwrap().unwrap_err().into_inner(), 7);
    });
}
