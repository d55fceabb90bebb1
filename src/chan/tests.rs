//! The wait queues of a channel, without threads.
//!
//! These tests are not in `waiters.rs`, because the models compile that file too, with loom's
//! locks.

#![forbid(unsafe_code)]

use std::sync::Arc;
use std::task::Waker;

use crate::chan::claim::Claim;
use crate::chan::core::Core;
use crate::chan::head::FEWEST;
use crate::chan::outcomes::{RecvAttempt, SendAttempt};
use crate::chan::recv::try_recv;
use crate::chan::send::try_send;
use crate::chan::slots::Parcel;
use crate::chan::waiters::{Side, SlotKey, Waiter, Waiters};

const SIDES: [Side; 2] = [Side::Senders, Side::Receivers];

/// Cases of different selects that wait in one queue.
fn selects(waiters: &mut Waiters, side: Side, count: usize) -> Vec<(SlotKey, Arc<Claim>)> {
    let enqueue = |_| {
        let claim = Claim::new(Waker::noop().clone());
        let key = waiters.enqueue(side, Waiter::Case(Some(claim.clone())), 1);
        claim.wait();
        (key, claim)
    };
    (0..count).map(enqueue).collect()
}

/// Each call of `serve` walks the queue from its beginning, so a decided case that it leaves there
/// would be passed over again.
#[test]
fn selects_that_were_decided_elsewhere_are_passed_over_once() {
    for side in SIDES {
        let mut waiters = Waiters::new();
        let decided = selects(&mut waiters, side, 1_000);
        let alone: Vec<_> = (0..3)
            .map(|_| waiters.enqueue(side, Waiter::Alone(Waker::noop().clone()), 0))
            .collect();
        decided.iter().for_each(|(_, claim)| assert!(claim.commit(0).is_ok()));
        assert_eq!(waiters.queue(side).len(), 1_003);
        for (number, key) in alone.iter().enumerate() {
            let (served, waker) = waiters.serve(side).unwrap();
            assert!(served == *key && waker.is_some());
            assert_eq!(waiters.queue(side).len(), 2 - number, "what the next one passes over");
        }
        assert!(waiters.serve(side).is_none() && !waiters.any(side));
    }
}

#[test]
fn a_busy_select_keeps_its_place_in_the_queue() {
    for side in SIDES {
        let mut waiters = Waiters::new();
        let cases = selects(&mut waiters, side, 5);
        let [first, second, third, fourth, fifth] = &cases[..] else { unreachable!() };
        assert!(first.1.take_over().is_ok() && third.1.take_over().is_ok());
        assert!(second.1.commit(0).is_ok());
        assert!(waiters.serve(side).unwrap().0 == fourth.0, "the first that can be served");
        assert_eq!(waiters.queue(side), [first.0.0, third.0.0, fifth.0.0]);
        first.1.wait();
        third.1.wait();
        let order: Vec<_> =
            std::iter::from_fn(|| waiters.serve(side)).map(|(key, _)| key).collect();
        assert_eq!(order, [first.0, third.0, fifth.0], "in the order in which they came");
    }
}

/// A slot that was taken out of the queue is freed once, and that disturbs no other slot.
#[test]
fn a_decided_select_that_was_passed_over_leaves_the_queue_whole() {
    for side in SIDES {
        let mut waiters = Waiters::new();
        let cases = selects(&mut waiters, side, 4);
        assert!(cases[1].1.commit(0).is_ok() && cases[2].1.commit(0).is_ok());
        assert!(waiters.serve(side).unwrap().0 == cases[0].0);
        assert!(waiters.serve(side).unwrap().0 == cases[3].0, "passes over the two between");
        let late = waiters.enqueue(side, Waiter::Alone(Waker::noop().clone()), 0);
        for (key, claim) in &cases {
            // As a dropped select does.
            claim.abandon();
            drop(waiters.remove(side, *key));
        }
        assert_eq!(waiters.queue(side), [late.0]);
        // All four slots can be used again.
        let again = selects(&mut waiters, side, 4);
        let mut numbers: Vec<_> = again.iter().map(|(key, _)| key.0).collect();
        numbers.sort();
        assert_eq!(numbers, [0, 1, 2, 3]);
        assert_eq!(waiters.queue(side).len(), 5);
    }
}

#[test]
fn a_sender_that_was_passed_over_gets_its_value_back() {
    for is_passed_over in [false, true] {
        let core = Core::new(0);
        let claim = Claim::new(Waker::noop().clone());
        let mut guard = core.acquire();
        let mut locked = core.locked(&mut guard);
        let key = locked.enqueue(
            Side::Senders,
            Parcel::pack(Some(7)),
            Waiter::Case(Some(claim.clone())),
            1,
        );
        claim.wait();
        assert!(claim.commit(0).is_ok());
        if is_passed_over {
            assert!(matches!(locked.receive(), RecvAttempt::Empty));
        }
        assert_eq!(locked.cancel(Side::Senders, key).release(), Some(7));
        assert!(matches!(locked.send(&mut Some(8)), SendAttempt::Full), "no waiter is queued");
        assert!(matches!(locked.receive(), RecvAttempt::Empty));
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
        let (mut queue, mut served) = (Vec::<SlotKey>::new(), Vec::<SlotKey>::new());
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
                    let key = waiters.enqueue(side, Waiter::Alone(Waker::noop().clone()), 0);
                    assert!(!queue.contains(&key) && !served.contains(&key), "it is another's");
                    queue.push(key);
                }
                0 if !queue.is_empty() => {
                    let key = queue.remove(below(queue.len()));
                    drop(waiters.remove(side, key));
                }
                1 if !queue.is_empty() => {
                    let (key, waker) = waiters.serve(side).unwrap();
                    assert!(key == queue.remove(0) && waker.is_some(), "out of turn");
                    served.push(key);
                }
                _ if !served.is_empty() => {
                    waiters.remove_served(served.swap_remove(below(served.len())))
                }
                _ => {}
            }
            most = most.max(queue.len() + served.len());
            assert!(waiters.len() <= most, "one that is free is not used again");
            assert!(queue.iter().all(|key| !waiters.is_dequeued(*key)));
            assert!(served.iter().all(|key| waiters.is_dequeued(*key)));
        }
        assert_eq!(waiters.queue(side), queue.iter().map(|key| key.0).collect::<Vec<_>>());
        queue.into_iter().for_each(|key| drop(waiters.remove(side, key)));
        served.into_iter().for_each(|key| waiters.remove_served(key));
        assert_eq!(waiters.len(), 64, "what is kept");
    }
}

type Large = [u64; 512];

/// The value goes to the next receiver, and from there back into the channel, in its box and out of
/// it.
#[test]
fn a_large_value_that_a_receiver_leaves_is_not_lost() {
    let core = Core::<Large>::new(0);
    let mut guard = core.acquire();
    let mut locked = core.locked(&mut guard);
    let mut enqueue =
        || locked.enqueue(Side::Receivers, Parcel::EMPTY, Waiter::Alone(Waker::noop().clone()), 0);
    let (first, second) = (enqueue(), enqueue());
    assert!(matches!(
        locked.send_parcel(&mut Parcel::pack(Some([7; 512]))),
        SendAttempt::Sent(Some(_))
    ));
    assert!(locked.cancel(Side::Receivers, first).release().is_none());
    assert!(locked.cancel(Side::Receivers, second).release().is_none());
    assert!(matches!(locked.receive(), RecvAttempt::Received(value, None) if value == [7; 512]));
    assert!(matches!(locked.receive(), RecvAttempt::Empty));
}

/// A case that is attempted again while it waits.
#[test]
fn a_large_value_that_waits_is_sent_from_its_slot_once() {
    for capacity in [0, 1] {
        let core = Core::<Large>::new(capacity);
        let mut guard = core.acquire();
        let mut locked = core.locked(&mut guard);
        while let SendAttempt::Sent(_) = locked.send(&mut Some([1; 512])) {}
        let claim = Claim::new(Waker::noop().clone());
        let waiter = Waiter::Case(Some(claim.clone()));
        let sender = locked.enqueue(Side::Senders, Parcel::pack(Some([2; 512])), waiter, 0);
        assert!(matches!(locked.send_waiting(sender), SendAttempt::Full), "it stays where it is");
        while let RecvAttempt::Received(value, _) = locked.receive() {
            assert_eq!(value, [1; 512]);
        }
        let waiter = Waiter::Alone(Waker::noop().clone());
        let receiver =
            (capacity == 0).then(|| locked.enqueue(Side::Receivers, Parcel::EMPTY, waiter, 0));
        assert!(matches!(locked.send_waiting(sender), SendAttempt::Sent(_)));
        assert!(locked.cancel(Side::Senders, sender).release().is_none(), "it was sent");
        let received = match receiver {
            Some(receiver) => locked.take_outcome(receiver).unwrap().unpack(),
            None => match locked.receive() {
                RecvAttempt::Received(value, None) => Some(value),
                _ => None,
            },
        };
        assert!(received == Some([2; 512]));
        assert!(matches!(locked.receive(), RecvAttempt::Empty));
    }
}

/// The first of these receives moves what is left where receivers take it without the channel's lock.
#[test]
fn a_channel_whose_values_are_detached_is_as_full_as_before() {
    const CAPACITY: usize = 2 * FEWEST;
    let core = Core::new(CAPACITY);
    for value in 0..CAPACITY {
        assert!(try_send(&core, value).is_ok());
    }
    assert_eq!(try_recv(&core), Ok(0));
    assert_eq!(core.len(), CAPACITY - 1);
    assert!(try_send(&core, CAPACITY).is_ok());
    assert!(try_send(&core, CAPACITY + 1).is_err(), "there was room for one");
    assert_eq!(try_recv(&core), Ok(1));
    assert_eq!(try_recv(&core), Ok(2));
    assert!(try_send(&core, CAPACITY + 1).is_ok(), "receives of detached values make room");
    let rest: Vec<_> = std::iter::from_fn(|| try_recv(&core).ok()).collect();
    assert_eq!(rest, (3..=CAPACITY + 1).collect::<Vec<_>>());
    assert_eq!(core.len(), 0);
}

#[test]
fn values_that_are_detached_go_with_the_last_receiver() {
    let core = Core::new(4 * FEWEST);
    let value = Arc::new(());
    for _ in 0..2 * FEWEST {
        assert!(try_send(&core, value.clone()).is_ok());
    }
    assert!(try_recv(&core).is_ok());
    assert_eq!(Arc::strong_count(&value), 2 * FEWEST);
    core.remove_receiver();
    assert_eq!(Arc::strong_count(&value), 1);
}
