//! `select!`: exactly one case happens, and nobody waits for ever.
//!
//! Seen to fail with any one of these: no second look with all locks held (deadlock); a partner that
//! commits whatever the claim says, or although it says `BUSY`; a take-over that leaves it `WAITING`
//! ("twice", or "lost"); a take-over that overlooks what a partner has decided (deadlock); `close` that
//! passes over selects (deadlock); a dropped select whose value is not given back ("lost"); a busy
//! select that is taken out of the wait queue (deadlock); a decided one that was taken out, and is unlinked
//! again when it leaves (deadlock, or "lost"); a `may_receive` that says no after a push, after a value
//! has come back, when a sender has joined the queue, or once the channel is closed (deadlock). With
//! `WAITING` set after the locks are free they do not end.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use loom::thread;

use crate::chan::core::Core;
use crate::chan::recv::{Recv, try_recv};
use crate::chan::send::{Send, SendFrom, try_send};
use crate::channels::{block_on, poll_once};
use crate::explore::{explore, neighbours};
use crate::select::case_kinds::{OtherFuture, kind};
use crate::select::cases::{And, Choice, Nil};
use crate::select::future::{try_once, wait};

/// What the macro makes of two cases.
macro_rules! two {
    ($first:expr, $second:expr) => {
        And {
            rest: And { rest: Nil, case: Some(kind($first).case()) },
            case: Some(kind($second).case()),
        }
    };
}

fn either<T>(choice: Choice<Choice<std::convert::Infallible, T>, T>) -> (usize, T) {
    match choice {
        Choice::Before(Choice::Before(never)) => match never {},
        Choice::Before(Choice::Last(output)) => (0, output),
        Choice::Last(output) => (1, output),
    }
}

/// The order of the channels is as unfortunate as possible.
#[test]
fn facing_selects_meet_once() {
    explore(Some(3), || {
        let (a, b) = neighbours(Core::new(0), Core::new(0));
        let sender = thread::spawn({
            let (a, b) = (a.clone(), b.clone());
            move || {
                let cases = two!(Send::new(&a, 1), Send::new(&b, 2));
                let (place, result) = either(block_on(wait(cases)));
                result.unwrap();
                place
            }
        });
        let cases = two!(Recv::new(&b), Recv::new(&a));
        let (place, value) = either(block_on(wait(cases)));
        let sent = sender.join().unwrap();
        assert_eq!((1 - place, value), (sent, Some([1, 2][sent])), "lost, or twice");
        assert!(try_recv(&a).is_err() && try_recv(&b).is_err(), "twice");
    });
}

/// Two partners, of whom a select may take one only; the other has to find somebody else.
#[test]
fn two_partners_come_to_one_select() {
    explore(Some(3), || {
        let (a, b) = neighbours(Core::new(0), Core::new(0));
        let partners: Vec<_> = [(&a, 1), (&b, 2)]
            .map(|(core, value)| {
                let core = core.clone();
                thread::spawn(move || try_send(&core, value).is_ok())
            })
            .into_iter()
            .collect();
        let value =
            poll_once(wait(two!(Recv::new(&a), Recv::new(&b)))).map(|c| either(c).1.unwrap());
        let sent: Vec<_> = partners.into_iter().map(|partner| partner.join().unwrap()).collect();
        // It was dropped after one poll: what it was given is in the channel again.
        let left = [try_recv(&a).ok(), try_recv(&b).ok()];
        let found =
            [1, 2].map(|n| usize::from(value == Some(n)) + usize::from(left[n - 1].is_some()));
        assert_eq!(found, [usize::from(sent[0]), usize::from(sent[1])], "lost, or twice");
        assert!(!(sent[0] && sent[1]), "twice");
    });
}

/// A plain sender waits, at one of two channels, while the select decides to wait.
#[test]
fn a_sender_and_a_select_do_not_miss_each_other() {
    explore(Some(4), || {
        let (a, b) = neighbours(Core::<u32>::new(0), Core::new(0));
        let sender = thread::spawn({
            let b = b.clone();
            move || block_on(Send::new(&b, 7)).unwrap()
        });
        let cases = two!(Recv::new(&a), Recv::new(&b));
        assert_eq!(either(block_on(wait(cases))), (1, Some(7)));
        sender.join().unwrap();
    });
}

#[test]
fn close_ends_a_select() {
    explore(Some(3), || {
        let (a, b) = neighbours(Core::<u32>::new(0), Core::<u32>::new(0));
        let closer = thread::spawn({
            let b = b.clone();
            move || b.close()
        });
        let cases = two!(Recv::new(&a), Recv::new(&b));
        assert_eq!(either(block_on(wait(cases))), (1, None));
        closer.join().unwrap();
    });
}

/// A channel that says without its lock that a receive would find nothing.
fn emptied(capacity: usize) -> Core<u32> {
    let core = Core::new(capacity);
    try_send(&core, 0).unwrap();
    assert_eq!(try_recv(&core), Ok(0));
    core
}

/// A sender fills one of them, waits there, and closes it.
#[test]
fn a_select_sees_all_that_happens_to_channels_that_were_empty() {
    explore(Some(3), || {
        let (a, b) = neighbours(emptied(1), emptied(1));
        let sender = thread::spawn({
            let b = b.clone();
            move || {
                (1..3).for_each(|n| block_on(Send::new(&b, n)).unwrap());
                b.close();
            }
        });
        for expected in [Some(1), Some(2), None, None] {
            let cases = two!(Recv::new(&a), Recv::new(&b));
            assert_eq!(either(block_on(wait(cases))), (1, expected));
        }
        sender.join().unwrap();
    });
}

/// A value that a dropped receive gives back, beside a receive that has seen the channel empty.
#[test]
fn a_select_sees_what_comes_back() {
    explore(Some(3), || {
        let (a, b) = neighbours(emptied(1), emptied(1));
        let dropped = thread::spawn({
            let b = b.clone();
            move || poll_once(Recv::new(&b)).flatten()
        });
        try_send(&b, 1).unwrap();
        let chosen = try_once(two!(Recv::new(&a), Recv::new(&b))).map(either);
        let looked = dropped.join().unwrap();
        match (looked, chosen) {
            (None, Some(chosen)) => assert_eq!(chosen, (1, Some(1))),
            (Some(1), None) => {}
            (None, None) => {
                let cases = two!(Recv::new(&a), Recv::new(&b));
                assert_eq!(either(block_on(wait(cases))), (1, Some(1)));
            }
            both => panic!("lost, or received twice: {both:?}"),
        }
    });
}

/// A rendezvous has a value in its buffer only if one comes back.
#[test]
fn a_select_sees_a_sender_after_a_value_has_come_back() {
    explore(Some(3), || {
        let (a, b) = neighbours(Core::new(0), Core::new(0));
        let mut recv = Recv::new(&b);
        assert!(Pin::new(&mut recv).poll(&mut Context::from_waker(Waker::noop())).is_pending());
        try_send(&b, 0).unwrap();
        drop(recv);
        assert_eq!(try_recv(&b), Ok(0));
        let sender = thread::spawn({
            let b = b.clone();
            move || block_on(Send::new(&b, 1)).unwrap()
        });
        let cases = two!(Recv::new(&a), Recv::new(&b));
        assert_eq!(either(block_on(wait(cases))), (1, Some(1)));
        sender.join().unwrap();
    });
}

/// A foreign future that is ready at the second poll, which it asks for itself, against a partner
/// that comes at any time: both agree who was first.
#[test]
fn a_foreign_future_and_a_partner_agree() {
    explore(Some(4), || {
        let core = Arc::new(Core::new(0));
        let partner = thread::spawn({
            let core = core.clone();
            move || try_send(&core, Some(())).is_ok()
        });
        let mut polls = 0;
        let foreign = poll_fn(|cx| {
            polls += 1;
            if polls == 2 {
                return Poll::Ready(None);
            }
            cx.waker().wake_by_ref();
            Poll::Pending
        });
        let cases = And {
            rest: And { rest: Nil, case: Some(kind(Recv::new(&core)).case()) },
            case: Some(kind(foreign).case()),
        };
        let received = match block_on(wait(cases)) {
            Choice::Before(Choice::Before(never)) => match never {},
            Choice::Before(Choice::Last(value)) => value.is_some(),
            Choice::Last(None::<()>) => false,
            Choice::Last(Some(())) => unreachable!(),
        };
        assert_eq!(partner.join().unwrap(), received, "lost, or twice");
        assert!(try_recv(&core).is_err());
    });
}

/// The foreign future asks for a second poll, and is never ready. A partner that comes in between
/// finds the select busy, and leaves; the next one must find it in the wait queue.
#[test]
fn a_select_that_was_busy_is_still_in_the_queue() {
    explore(Some(3), || {
        let core = Arc::new(Core::new(0));
        let partner = thread::spawn({
            let core = core.clone();
            move || {
                if try_send(&core, 1).is_err() {
                    block_on(Send::new(&core, 2)).unwrap();
                }
            }
        });
        let mut has_asked = false;
        let foreign = poll_fn(|cx| {
            if !std::mem::replace(&mut has_asked, true) {
                cx.waker().wake_by_ref();
            }
            Poll::<Option<u32>>::Pending
        });
        let cases = And {
            rest: And { rest: Nil, case: Some(kind(Recv::new(&core)).case()) },
            case: Some(kind(foreign).case()),
        };
        assert!(matches!(either(block_on(wait(cases))), (0, Some(1 | 2))));
        partner.join().unwrap();
    });
}

/// A select is decided at one channel, while others come to its slot at the other one, which it leaves
/// sooner or later. Somebody who waits there, behind it, must be found all the same.
#[test]
fn a_decided_select_that_is_passed_over_costs_nobody_his_place() {
    for is_polled_again in [true, false] {
        explore(Some(3), move || {
            let (a, b) = neighbours(Core::new(0), Core::new(0));
            let mut select = Box::pin(wait(two!(Recv::new(&a), Recv::new(&b))));
            let mut cx = Context::from_waker(Waker::noop());
            assert!(select.as_mut().poll(&mut cx).is_pending());
            try_send(&a, 1).unwrap();
            let behind = thread::spawn({
                let b = b.clone();
                move || block_on(Recv::new(&b))
            });
            let partner = thread::spawn({
                let b = b.clone();
                move || {
                    let _ = try_send(&b, 2);
                    block_on(Send::new(&b, 3)).is_ok()
                }
            });
            if is_polled_again {
                let Poll::Ready(choice) = select.as_mut().poll(&mut cx) else { panic!("decided") };
                assert_eq!(either(choice), (0, Some(1)));
            }
            drop(select);
            if !is_polled_again {
                assert_eq!(try_recv(&a), Ok(1), "lost");
            }
            let first = behind.join().unwrap();
            let second = if first == Some(2) { block_on(Recv::new(&b)) } else { first };
            assert_eq!((partner.join().unwrap(), second), (true, Some(3)), "lost, or twice");
        });
    }
}

/// The same for a select that sends. The value in a slot that was passed over comes back.
#[test]
fn a_send_that_is_passed_over_gives_its_value_back() {
    explore(Some(3), || {
        let (a, b) = neighbours(Core::new(0), Core::new(0));
        let mut kept = Some(2);
        let mut select = Box::pin(wait(two!(Send::new(&a, 1), SendFrom::new(&b, &mut kept))));
        let mut cx = Context::from_waker(Waker::noop());
        assert!(select.as_mut().poll(&mut cx).is_pending());
        let partner = thread::spawn({
            let (a, b) = (a.clone(), b.clone());
            move || (try_recv(&a), try_recv(&b))
        });
        let is_done = select.as_mut().poll(&mut cx).is_ready();
        drop(select);
        let (from_a, from_b) = partner.join().unwrap();
        assert_eq!(
            (from_b.ok(), kept),
            if kept.is_some() { (None, Some(2)) } else { (Some(2), None) }
        );
        assert!(!(from_a.is_ok() && from_b.is_ok()), "twice");
        assert!(!is_done || from_a.is_ok() || from_b.is_ok(), "lost");
        let sender = thread::spawn({
            let b = b.clone();
            move || block_on(Send::new(&b, 3)).is_ok()
        });
        assert_eq!(block_on(Recv::new(&b)), Some(3), "nobody else is in the wait queue");
        assert!(sender.join().unwrap());
    });
}

/// At each moment one of the two channels has a value, so a look must find one.
#[test]
fn default_sees_all_channels_at_one_moment() {
    explore(Some(3), || {
        let (a, b) = neighbours(Core::new(1), Core::new(1));
        try_send(&a, 1).unwrap();
        let looker = thread::spawn({
            let (a, b) = (a.clone(), b.clone());
            move || try_once(two!(Recv::new(&b), Recv::new(&a))).is_some()
        });
        try_send(&b, 2).unwrap();
        let _ = try_recv(&a);
        assert!(looker.join().unwrap(), "default was chosen");
    });
}
