//! The lines of a channel, without anybody who runs.
//!
//! Not in `waiters.rs`: that file is also compiled into the models, where locks are loom's.

#![forbid(unsafe_code)]

use std::sync::Arc;
use std::task::Waker;

use crate::chan::claim::Claim;
use crate::chan::core::{Core, Receiving, Sending};
use crate::chan::waiters::{Key, Side, Waiter, Waiters};

const SIDES: [Side; 2] = [Side::Senders, Side::Receivers];

/// Cases of selects, one of each, that wait in a line.
fn selects(waiters: &mut Waiters, side: Side, count: usize) -> Vec<(Key, Arc<Claim>)> {
    let join = |_| {
        let claim = Claim::new(Waker::noop().clone());
        let key = waiters.join(side, Waiter::Case(Some(claim.clone())), 1);
        claim.wait();
        (key, claim)
    };
    (0..count).map(join).collect()
}

/// Each call of `serve` walks along the line from its beginning, so what it leaves there is what the
/// next one has to pass over.
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

/// A slot that was taken out of the line is freed once, and no other is disturbed by that.
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
            // As a select that is dropped does.
            claim.retire();
            drop(waiters.leave(side, *key));
        }
        assert_eq!(waiters.line(side), [late.0]);
        // All four can be used again.
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
        let key = inside.join(Side::Senders, Some(7), Waiter::Case(Some(claim.clone())), 1);
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
