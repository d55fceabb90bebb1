//! `select!`: exactly one case happens, and nobody waits for ever.
//!
//! Seen to fail with any one of these: no second look with all locks held (deadlock); a partner that
//! commits whatever the claim says, or although it says `BUSY`; a take-over that leaves it `WAITING`
//! ("twice", or "lost"); a take-over that overlooks what a partner has decided (deadlock); `close` that
//! passes over selects (deadlock); a dropped select whose value is not given back ("lost"). With
//! `WAITING` set after the locks are free they do not end.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;

use loom::thread;

use crate::chan::core::Core;
use crate::chan::recv::{Recv, try_recv};
use crate::chan::send::{Send, try_send};
use crate::channels::{block_on, poll_once};
use crate::explore::explore;
use crate::select::cases::{And, Choice, Nil};
use crate::select::future::{try_once, wait};
use crate::select::kinds::{OtherFuture, kind};

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
        let (a, b) = (Arc::new(Core::new(0)), Arc::new(Core::new(0)));
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
        let (a, b) = (Arc::new(Core::new(0)), Arc::new(Core::new(0)));
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
        let (a, b) = (Arc::new(Core::<u32>::new(0)), Arc::new(Core::new(0)));
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
        let (a, b) = (Arc::new(Core::<u32>::new(0)), Arc::new(Core::<u32>::new(0)));
        let closer = thread::spawn({
            let b = b.clone();
            move || b.close()
        });
        let cases = two!(Recv::new(&a), Recv::new(&b));
        assert_eq!(either(block_on(wait(cases))), (1, None));
        closer.join().unwrap();
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

/// At each moment one of the two channels has a value, so a look must find one.
#[test]
fn default_sees_all_channels_at_one_moment() {
    explore(Some(3), || {
        let (a, b) = (Arc::new(Core::new(1)), Arc::new(Core::new(1)));
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
