//! A scope: what a cancellation reaches. The scopes of a program form trees.
//!
//! A scope has a strong reference to its parent, and weak ones to its children. So a child lives
//! as long as somebody uses it, and a parent at least as long as its children. A child that ends
//! alone, or that nobody uses any more, takes itself off its parent's list.
//!
//! # How a scope ends
//!
//! An *ending* says why a scope has ended. The thread that ends a scope takes its lock, sets the
//! ending, and takes the list of children and the waiters. After that nobody joins: a new child of
//! an ended scope has ended too, and a new wait is over. Then the thread does the same to each
//! child, in a loop. Last, it wakes all who waited. So no user code runs before the state of the
//! whole tree is final.
//!
//! When [`Scope::end`] returns, every scope below has ended. That has to hold even if another
//! thread was the first one, and still marks the tree. So an ending has a lock, which its owner
//! holds while it marks the tree. A thread that finds an ended scope waits for that lock. Until
//! the tree is marked, its root stays on its parent's list. No circle of waiting threads can
//! arise: a thread that marks one tree waits only for threads that mark trees inside it.
//!
//! Marking a scope takes a constant number of steps: a hundred nanoseconds. The caller marks all
//! scopes: if it gave way in between, callers would see a tree that has half ended. Waking takes
//! ten times as long, so a goroutine does that if there are many wakers (`wakes.rs`).
//!
//! Modelled in `tests/models/scopes.rs`.

#![forbid(unsafe_code)]

use std::mem;
use std::sync::{Arc, Weak};
use std::task::{Poll, Waker};
use std::time::Instant;

use slab::Slab;

use crate::context::error::{Cause, ContextError};
use crate::context::wakes;
use crate::join_handle::AbortHandle;
use crate::primitives::{Mutex, OnceLock, lock};
use crate::sync::wait_queue::{Key, WaiterState};
use crate::sync::waitable::Waitable;

/// A list keeps room for this many children. It frees more room when it is empty.
const KEPT: usize = 64;

pub(super) struct Scope {
    parent: Option<Arc<Scope>>,
    /// Its place in the parent's list. Set under the parent's lock.
    place: OnceLock<usize>,
    /// Its own deadline, or an earlier one above it.
    deadline: Option<Instant>,
    /// Set under the lock of `waiters`.
    ending: OnceLock<Arc<Ending>>,
    waiters: Waitable<Links>,
}

struct Links {
    children: Slab<Weak<Scope>>,
    /// The goroutine that waits for the deadline.
    alarm: Option<AbortHandle>,
}

/// Why scopes have ended. All that end together share it.
struct Ending {
    error: ContextError,
    cause: Option<Cause>,
    /// Held while scopes are being marked with this ending.
    marking: Mutex<()>,
}

impl Scope {
    /// A child of `parent`, or the root of a tree.
    pub(super) fn new(parent: Option<&Arc<Scope>>, deadline: Option<Instant>) -> Arc<Self> {
        let scope = Arc::new(Scope {
            parent: parent.cloned(),
            place: OnceLock::new(),
            deadline,
            ending: OnceLock::new(),
            waiters: Waitable::new(Links { children: Slab::new(), alarm: None }),
        });
        if let Some(parent) = parent {
            parent.adopt(&scope);
        }
        scope
    }

    /// Called only when the child is complete: from here on, others may end it.
    fn adopt(&self, child: &Arc<Scope>) {
        self.waiters.with(|inner, _| {
            // Nobody else sets these: the child is new.
            let _ = match self.ending.get() {
                Some(ending) => child.ending.set(ending.clone()).is_ok(),
                None => child.place.set(inner.state.children.insert(Arc::downgrade(child))).is_ok(),
            };
        });
    }

    /// Takes a child off the list, if it is still there.
    fn lose(&self, child: &Scope) {
        self.waiters.with(|inner, _| {
            let children = &mut inner.state.children;
            if let Some(place) = child.place.get() {
                children.try_remove(*place);
            }
            if children.is_empty() && children.capacity() > KEPT {
                *children = Slab::new();
            }
        });
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    pub(super) fn error(&self) -> Option<ContextError> {
        self.ending.get().map(|ending| ending.error)
    }

    pub(super) fn cause(&self) -> Option<Cause> {
        let ending = self.ending.get()?;
        Some(ending.cause.clone().unwrap_or_else(|| Arc::new(ending.error)))
    }

    /// Waits for the end, with the slot `key`.
    pub(super) fn poll(&self, key: &mut Option<Key>, waker: &Waker) -> Poll<ContextError> {
        if key.is_none()
            && let Some(error) = self.error()
        {
            return Poll::Ready(error);
        }
        self.waiters.poll(key, 1, waker, |_| self.error())
    }

    /// Gives a slot back.
    pub(super) fn leave(&self, key: Key) {
        self.waiters.cancel(key, |_, _, _| {});
    }

    /// Aborts the goroutine when the scope ends, or is dropped.
    pub(super) fn keep_alarm(&self, alarm: AbortHandle) {
        let late = self.waiters.with(|inner, _| match self.ending.get() {
            Some(_) => Some(alarm),
            None => inner.state.alarm.replace(alarm),
        });
        if let Some(alarm) = late {
            alarm.abort();
        }
    }

    /// Ends the scope and all below it, unless it has ended.
    pub(super) fn end(self: &Arc<Self>, error: ContextError, cause: Option<Cause>) {
        let ending = Arc::new(Ending { error, cause, marking: Mutex::new(()) });
        let mut marked = Marked::default();
        let marking = lock(&ending.marking);
        let is_own = self.mark(&ending, &mut marked);
        while let Some(scope) = marked.scopes.pop() {
            scope.mark(&ending, &mut marked);
        }
        for earlier in &marked.earlier {
            drop(lock(&earlier.marking));
        }
        // Not earlier: whoever ends the parent must find this one, and wait.
        if let (true, Some(parent)) = (is_own, &self.parent) {
            parent.lose(self);
        }
        drop(marking);
        marked.finish();
    }

    /// Returns whether it had not ended before.
    fn mark(&self, ending: &Arc<Ending>, marked: &mut Marked) -> bool {
        let children = self.waiters.with(|inner, _| {
            if let Some(earlier) = self.ending.get() {
                marked.earlier.push(earlier.clone());
                return None;
            }
            // Nobody else sets it: that needs the lock.
            let _ = self.ending.set(ending.clone());
            marked.alarms.extend(inner.state.alarm.take());
            while !inner.queue.is_empty() {
                marked.wakers.extend(inner.queue.pop_front(WaiterState::Released));
            }
            Some(mem::take(&mut inner.state.children))
        });
        let Some(children) = children else { return false };
        marked.scopes.extend(children.iter().filter_map(|(_, child)| child.upgrade()));
        true
    }

    /// Takes the scope out of its tree. Returns its parent.
    fn detach(&mut self) -> Option<Arc<Scope>> {
        let parent = self.parent.take();
        if self.ending.get().is_none() {
            if let Some(alarm) = self.waiters.with(|inner, _| inner.state.alarm.take()) {
                alarm.abort();
            }
            if let Some(parent) = &parent {
                parent.lose(self);
            }
        }
        parent
    }
}

impl Drop for Scope {
    /// Drops ancestors one after the other: a deep tree must not need a deep stack.
    fn drop(&mut self) {
        let mut last = self.detach();
        while let Some(mut scope) = last.and_then(Arc::into_inner) {
            last = scope.detach();
        }
    }
}

/// What leaves the tree while it is being marked.
#[derive(Default)]
struct Marked {
    /// Those still to be marked.
    scopes: Vec<Arc<Scope>>,
    wakers: Vec<Waker>,
    alarms: Vec<AbortHandle>,
    /// Endings of scopes that had ended before. Kept here, because dropping the last reference may
    /// drop a user's error.
    earlier: Vec<Arc<Ending>>,
}

impl Marked {
    /// The caller holds no lock.
    fn finish(self) {
        self.alarms.iter().for_each(AbortHandle::abort);
        wakes::wake_all(self.wakers);
    }
}
