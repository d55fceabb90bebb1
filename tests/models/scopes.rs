//! The scopes of contexts: whoever has ended one finds all below it ended, nobody waits for ever for a scope that
//! has ended, none joins or leaves a tree unnoticed while it ends, and the goroutine of a deadline is aborted.
//!
//! Seen to fail, each in one model at least: with an `end` that does not wait for an earlier one, or gives up its
//! place before all is marked; with a `mark` that sets the ending when it has released the lock, drops the wakers,
//! or leaves the alarm; with an `end` that marks no children; with an `adopt` that looks at the ending before it has
//! the lock; with a `poll` that looks at the ending once; with a `keep_alarm` that does not look at it; with a
//! `detach` that gives up a place twice, or does not abort the alarm.
//!
//! Loom sees the locks and the endings, but no reference counts.

use std::sync::Arc;
use std::task::{Poll, Waker};

use loom::thread;

use super::error::ContextError;
use super::scope::Scope;
use crate::explore::{ALL, block, explore};
use crate::join_handle::AbortHandle;
use crate::sync::wait_queue::Key;

const CANCELLED: ContextError = ContextError::Cancelled;
const LATE: ContextError = ContextError::DeadlineExceeded;

fn root() -> Arc<Scope> {
    Scope::new(None, None)
}

fn below(parent: &Arc<Scope>) -> Arc<Scope> {
    Scope::new(Some(parent), None)
}

/// A wait for the end.
struct Done<'a> {
    scope: &'a Scope,
    key: Option<Key>,
}

impl<'a> Done<'a> {
    fn new(scope: &'a Scope) -> Self {
        Done { scope, key: None }
    }

    fn poll(&mut self, waker: &Waker) -> Poll<ContextError> {
        self.scope.poll(&mut self.key, waker)
    }

    /// Blocks until it is over.
    fn block(mut self) -> ContextError {
        block(|waker| self.poll(waker))
    }
}

impl Drop for Done<'_> {
    fn drop(&mut self) {
        if let Some(key) = self.key.take() {
            self.scope.leave(key);
        }
    }
}

/// One ends the tree from the top, the other one from the middle. Either may be first.
#[test]
fn who_has_ended_a_scope_finds_all_below_it_ended_though_another_one_began() {
    explore(ALL, || {
        let top = root();
        let middle = below(&top);
        let bottom = below(&middle);
        let other = {
            let (middle, bottom) = (middle.clone(), bottom.clone());
            thread::spawn(move || {
                middle.end(LATE, None);
                assert_eq!(bottom.error(), middle.error(), "one below has not ended");
                middle.error()
            })
        };
        top.end(CANCELLED, None);
        assert_eq!(top.error(), Some(CANCELLED));
        assert!(middle.error().is_some() && bottom.error().is_some(), "one below has not ended");
        let error = other.join().unwrap();
        // The first reason stays.
        assert_eq!((middle.error(), bottom.error()), (error, error));
    });
}

/// Two end the same scope, for different reasons.
#[test]
fn two_that_end_a_scope_agree_on_the_reason_and_both_find_its_child_ended() {
    explore(ALL, || {
        let scope = root();
        let child = below(&scope);
        let other = {
            let (scope, child) = (scope.clone(), child.clone());
            thread::spawn(move || {
                scope.end(LATE, None);
                (scope.error(), child.error())
            })
        };
        scope.end(CANCELLED, None);
        let reasons = (scope.error(), child.error());
        assert!(reasons.0.is_some() && reasons.0 == reasons.1);
        assert_eq!(other.join().unwrap(), reasons);
    });
}

#[test]
fn one_that_waits_for_a_scope_is_woken_whoever_ends_it() {
    explore(Some(2), || {
        let top = root();
        let child = below(&top);
        let ends = {
            let child = child.clone();
            thread::spawn(move || child.end(LATE, None))
        };
        let waits = {
            let child = child.clone();
            thread::spawn(move || Done::new(&child).block())
        };
        top.end(CANCELLED, None);
        assert_eq!(Some(waits.join().unwrap()), child.error());
        ends.join().unwrap();
    });
}

/// One looks, and goes away; another one waits behind it.
#[test]
fn a_wait_that_goes_away_at_the_end_takes_nobody_elses_wake() {
    explore(Some(3), || {
        let scope = root();
        let mut gone = Done::new(&scope);
        assert!(gone.poll(Waker::noop()).is_pending());
        let ends = {
            let scope = scope.clone();
            thread::spawn(move || scope.end(CANCELLED, None))
        };
        let waits = {
            let scope = scope.clone();
            thread::spawn(move || Done::new(&scope).block())
        };
        drop(gone);
        assert_eq!(waits.join().unwrap(), CANCELLED);
        ends.join().unwrap();
    });
}

#[test]
fn a_child_that_comes_while_its_parent_ends_has_ended() {
    explore(ALL, || {
        let top = root();
        let middle = below(&top);
        let bears = {
            let middle = middle.clone();
            thread::spawn(move || below(&middle))
        };
        top.end(CANCELLED, None);
        let child = bears.join().unwrap();
        assert_eq!(child.error(), Some(CANCELLED));
        assert_eq!(Done::new(&child).block(), CANCELLED);
    });
}

/// One child ends by itself and goes, and another one may get its place.
#[test]
fn a_child_that_ends_and_goes_leaves_the_place_to_the_next_one() {
    explore(ALL, || {
        let top = root();
        let first = below(&top);
        let goes = thread::spawn(move || {
            first.end(CANCELLED, None);
            drop(first);
        });
        let second = below(&top);
        goes.join().unwrap();
        top.end(LATE, None);
        assert_eq!(second.error(), Some(LATE), "it has lost its place");
    });
}

/// A scope and its child lose their last users while the tree ends from above.
#[test]
fn a_scope_that_goes_while_its_parent_ends_leaves_nothing() {
    explore(ALL, || {
        let top = root();
        let middle = below(&top);
        let bottom = below(&middle);
        let alarms = [AbortHandle::default(), AbortHandle::default()];
        middle.keep_alarm(alarms[0].clone());
        bottom.keep_alarm(alarms[1].clone());
        let goes = thread::spawn(move || {
            for scope in [bottom, middle] {
                // Loom sees no reference counts, but it sees this.
                let _ = scope.error();
                drop(scope);
            }
        });
        let beside = below(&top);
        top.end(CANCELLED, None);
        goes.join().unwrap();
        assert_eq!(alarms.map(|alarm| alarm.times_aborted()), [1, 1]);
        assert_eq!(beside.error(), Some(CANCELLED));
        drop(beside);
        assert_eq!(Arc::strong_count(&top), 1, "somebody still keeps the parent");
    });
}

#[test]
fn the_goroutine_of_a_deadline_is_aborted_when_the_scope_ends_or_goes() {
    explore(ALL, || {
        let top = root();
        let scope = below(&top);
        let alarm = AbortHandle::default();
        let keeps = {
            let (scope, alarm) = (scope.clone(), alarm.clone());
            thread::spawn(move || scope.keep_alarm(alarm))
        };
        let ends = {
            let scope = scope.clone();
            thread::spawn(move || scope.end(LATE, None))
        };
        top.end(CANCELLED, None);
        keeps.join().unwrap();
        ends.join().unwrap();
        assert_eq!(alarm.times_aborted(), 1);
    });
}
