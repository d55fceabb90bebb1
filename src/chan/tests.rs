//! The wait queues of a channel, without threads.
//!
//! These tests are not in `waiters.rs`, because the models compile that file too, with loom's
//! locks.

#![forbid(unsafe_code)]

use std::sync::Arc;
use std::task::Waker;

use crate::chan::claim::Claim;
use crate::chan::core::Core;
use crate::chan::inside::{Receiving, Sending};
use crate::chan::slots::Parcel;
use crate::chan::waiters::{Key, Side, Waiter, Waiters};

const SIDES: [Side; 2] = [Side::Senders, Side::Receivers];

/// Cases of different selects that wait in one queue.
fn selects(waiters: &mut Waiters, side: Side, count: usize) -> Vec<(Key, Arc<Claim>)> {
    let join = |_| {
        let claim = Claim::new(Waker::noop().clone());
        let key = waiters.join(side, Waiter::Case(Some(claim.clone())), 1);
        claim.wait();
        (key, claim)
    };
    (0..count).map(join).collect()
}

/// Each call of `serve` walks the queue from its beginning, so a decided case that it leaves there
/// would be passed over again.
#[test]
fn selects_that_were_decided_elsewhere_are_passed_over_once() {
    for side in SIDES {
        let mut waiters = Waiters::new();
        let decided = selects(&mut waiters, side, 1_000);
        let alone: Vec<_> =
            (0..3).map(|_| waiters.join(side, Waiter::Alone(Waker::noop().clone()), 0)).collect();
        decided.iter().for_each(|(_, claim)| assert!(claim.commit(0).is_ok()));
        assert_eq!(waiters.line(side).len(), 1_003);
        for (number, key) in alone.iter().enumerate() {
            let (served, waker) = waiters.serve(side).unwrap();
            assert!(served == *key && waker.is_some());
            assert_eq!(waiters.line(side).len(), 2 - number, "what the next one passes over");
        }
        assert!(waiters.serve(side).is_none() && !waiters.any(side));
    }
}

#[test]
fn a_busy_select_keeps_its_place_in_the_line() {
    for side in SIDES {
        let mut waiters = Waiters::new();
        let cases = selects(&mut waiters, side, 5);
        let [first, second, third, fourth, fifth] = &cases[..] else { unreachable!() };
        assert!(first.1.take_over().is_ok() && third.1.take_over().is_ok());
        assert!(second.1.commit(0).is_ok());
        assert!(waiters.serve(side).unwrap().0 == fourth.0, "the first that can be served");
        assert_eq!(waiters.line(side), [first.0.0, third.0.0, fifth.0.0]);
        first.1.wait();
        third.1.wait();
        let order: Vec<_> =
            std::iter::from_fn(|| waiters.serve(side)).map(|(key, _)| key).collect();
        assert_eq!(order, [first.0, third.0, fifth.0], "in the order in which they came");
    }
}

/// A slot that was taken out of the queue is freed once, and that disturbs no other slot.
#[test]
fn a_decided_select_that_was_passed_over_leaves_the_line_whole() {
    for side in SIDES {
        let mut waiters = Waiters::new();
        let cases = selects(&mut waiters, side, 4);
        assert!(cases[1].1.commit(0).is_ok() && cases[2].1.commit(0).is_ok());
        assert!(waiters.serve(side).unwrap().0 == cases[0].0);
        assert!(waiters.serve(side).unwrap().0 == cases[3].0, "passes over the two between");
        let late = waiters.join(side, Waiter::Alone(Waker::noop().clone()), 0);
        for (key, claim) in &cases {
            // As a dropped select does.
            claim.retire();
            drop(waiters.leave(side, *key));
        }
        assert_eq!(waiters.line(side), [late.0]);
        // All four slots can be used again.
        let again = selects(&mut waiters, side, 4);
        let mut numbers: Vec<_> = again.iter().map(|(key, _)| key.0).collect();
        numbers.sort();
        assert_eq!(numbers, [0, 1, 2, 3]);
        assert_eq!(waiters.line(side).len(), 5);
    }
}

#[test]
fn a_sender_that_was_passed_over_gets_its_value_back() {
    for is_passed_over in [false, true] {
        let core = Core::new(0);
        let claim = Claim::new(Waker::noop().clone());
        let mut held = core.hold();
        let mut inside = core.inside(&mut held);
        let key =
            inside.join(Side::Senders, Parcel::pack(Some(7)), Waiter::Case(Some(claim.clone())), 1);
        claim.wait();
        assert!(claim.commit(0).is_ok());
        if is_passed_over {
            assert!(matches!(inside.receive(), Receiving::Empty));
        }
        assert_eq!(inside.leave(Side::Senders, key).settle(), Some(7));
        assert!(matches!(inside.send(&mut Some(8)), Sending::Full), "nobody is in a line");
        assert!(matches!(inside.receive(), Receiving::Empty));
    }
}

/// Joins, leaves and serves in random order, with more waiters than kept slots, and compares with a
/// list.
#[test]
fn slots_that_are_given_back_belong_to_nobody() {
    let mut random = 1_u64;
    let mut below = |n: usize| {
        random =
            random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) as usize % n
    };
    for round in 0..200 {
        let side = SIDES[round % 2];
        let mut waiters = Waiters::new();
        let (mut line, mut served) = (Vec::<Key>::new(), Vec::<Key>::new());
        let mut most = 0;
        for step in 0..2_000 {
            // First more join than leave, then more leave than join, again, and at last all leave.
            let joins = match step {
                0..500 | 650..800 => below(10) < 8,
                500..650 => below(10) < 2,
                _ => false,
            };
            match below(3) {
                _ if joins => {
                    let key = waiters.join(side, Waiter::Alone(Waker::noop().clone()), 0);
                    assert!(!line.contains(&key) && !served.contains(&key), "it is another's");
                    line.push(key);
                }
                0 if !line.is_empty() => {
                    let key = line.remove(below(line.len()));
                    drop(waiters.leave(side, key));
                }
                1 if !line.is_empty() => {
                    let (key, waker) = waiters.serve(side).unwrap();
                    assert!(key == line.remove(0) && waker.is_some(), "out of turn");
                    served.push(key);
                }
                _ if !served.is_empty() => {
                    waiters.leave_served(served.swap_remove(below(served.len())))
                }
                _ => {}
            }
            most = most.max(line.len() + served.len());
            assert!(waiters.len() <= most, "one that is free is not used again");
            assert!(line.iter().all(|key| !waiters.is_out(*key)));
            assert!(served.iter().all(|key| waiters.is_out(*key)));
        }
        assert_eq!(waiters.line(side), line.iter().map(|key| key.0).collect::<Vec<_>>());
        line.into_iter().for_each(|key| drop(waiters.leave(side, key)));
        served.into_iter().for_each(|key| waiters.leave_served(key));
        assert_eq!(waiters.len(), 64, "what is kept");
    }
}

type Large = [u64; 512];

/// The value goes to the next receiver, and from there back into the channel, in its box and out of
/// it.
#[test]
fn a_large_value_that_a_receiver_leaves_is_not_lost() {
    let core = Core::<Large>::new(0);
    let mut held = core.hold();
    let mut inside = core.inside(&mut held);
    let mut join =
        || inside.join(Side::Receivers, Parcel::EMPTY, Waiter::Alone(Waker::noop().clone()), 0);
    let (first, second) = (join(), join());
    assert!(matches!(
        inside.send_parcel(&mut Parcel::pack(Some([7; 512]))),
        Sending::Sent(Some(_))
    ));
    assert!(inside.leave(Side::Receivers, first).settle().is_none());
    assert!(inside.leave(Side::Receivers, second).settle().is_none());
    assert!(matches!(inside.receive(), Receiving::Received(value, None) if value == [7; 512]));
    assert!(matches!(inside.receive(), Receiving::Empty));
}

/// A case that is attempted again while it waits.
#[test]
fn a_large_value_that_waits_is_sent_from_its_slot_once() {
    for capacity in [0, 1] {
        let core = Core::<Large>::new(capacity);
        let mut held = core.hold();
        let mut inside = core.inside(&mut held);
        while let Sending::Sent(_) = inside.send(&mut Some([1; 512])) {}
        let claim = Claim::new(Waker::noop().clone());
        let waiter = Waiter::Case(Some(claim.clone()));
        let sender = inside.join(Side::Senders, Parcel::pack(Some([2; 512])), waiter, 0);
        assert!(matches!(inside.send_waiting(sender), Sending::Full), "it stays where it is");
        while let Receiving::Received(value, _) = inside.receive() {
            assert_eq!(value, [1; 512]);
        }
        let waiter = Waiter::Alone(Waker::noop().clone());
        let receiver =
            (capacity == 0).then(|| inside.join(Side::Receivers, Parcel::EMPTY, waiter, 0));
        assert!(matches!(inside.send_waiting(sender), Sending::Sent(_)));
        assert!(inside.leave(Side::Senders, sender).settle().is_none(), "it was sent");
        let received = match receiver {
            Some(receiver) => inside.finish(receiver).unwrap().open(),
            None => match inside.receive() {
                Receiving::Received(value, None) => Some(value),
                _ => None,
            },
        };
        assert!(received == Some([2; 512]));
        assert!(matches!(inside.receive(), Receiving::Empty));
    }
}
