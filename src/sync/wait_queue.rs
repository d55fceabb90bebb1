//! A queue of waiters: tasks that wait for something, first come, first served.
//!
//! The waiters lie in a slab and are linked by their keys. So entering at the back, leaving from
//! the front, and leaving from the middle take a constant number of steps. A waiter that has left
//! the queue stays in the slab until its owner has seen why.
//!
//! The queue calls no waker, and drops none. The lock of a [`Waitable`](super::waitable) protects
//! it. It gives wakers to the caller, who releases the lock first.

#![forbid(unsafe_code)]

use std::task::Waker;

use slab::Slab;

use crate::primitives::const_fn;

/// Names a waiter. Code that makes one with [`WaitQueue::push_back`] gives it back with
/// [`WaitQueue::remove`].
pub(crate) type Key = usize;

/// No waiter.
const END: usize = usize::MAX;

/// Places for waiters that are kept for good. More are freed when there is no waiter.
const KEPT: usize = 64;

/// The state of a waiter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WaiterState {
    /// There is none yet.
    New,
    /// It is in the queue.
    Waiting,
    /// Its turn has come, and it has been woken, to take what it waits for itself.
    Called,
    /// Its turn has come: it has been granted what it waits for.
    Granted,
    /// All were let go at once.
    Released,
}

pub(crate) struct WaitQueue {
    waiters: Slab<Waiter>,
    front: Key,
    back: Key,
    /// Those that were late are at the front. This is the last of them.
    last_late: Key,
    length: usize,
    /// How many have entered at the back.
    entered: u64,
}

struct Waiter {
    /// `None`: it is out of the queue, and the waker has been called.
    waker: Option<Waker>,
    state: WaiterState,
    /// How much it waits for.
    wanted: usize,
    /// It was called, and came too late.
    was_late: bool,
    /// How many had entered before it.
    turn: u64,
    previous: Key,
    next: Key,
}

/// What the one at the front waits for.
#[derive(Clone, Copy)]
pub(crate) struct Front {
    pub(crate) wanted: usize,
    /// It was called, and came too late.
    pub(crate) was_late: bool,
}

impl WaitQueue {
    const_fn! {
        pub(crate) fn new() -> Self {
            WaitQueue {
                waiters: Slab::new(),
                front: END,
                back: END,
                last_late: END,
                length: 0,
                entered: 0,
            }
        }
    }

    /// How many are in the queue.
    pub(crate) fn length(&self) -> usize {
        self.length
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Enters at the back.
    pub(crate) fn push_back(&mut self, waker: Waker, wanted: usize) -> Key {
        let (previous, turn) = (self.back, self.entered);
        self.entered += 1;
        let key = self.waiters.insert(Waiter {
            waker: Some(waker),
            state: WaiterState::Waiting,
            wanted,
            was_late: false,
            turn,
            previous,
            next: END,
        });
        match self.waiters.get_mut(previous) {
            Some(previous) => previous.next = key,
            None => self.front = key,
        }
        self.back = key;
        self.length += 1;
        key
    }

    /// One that was called, and came too late, enters again: behind those that were late as well and
    /// had come before it, and before all others. The caller sets its waker.
    pub(crate) fn return_late(&mut self, key: Key) {
        let turn = self.waiters[key].turn;
        // Mostly they come in their order, so this ends at once.
        let mut previous = self.last_late;
        while let Some(late) = self.waiters.get(previous).filter(|late| late.turn > turn) {
            previous = late.previous;
        }
        if previous == self.last_late {
            self.last_late = key;
        }
        let next = match self.waiters.get_mut(previous) {
            Some(previous) => std::mem::replace(&mut previous.next, key),
            None => std::mem::replace(&mut self.front, key),
        };
        match self.waiters.get_mut(next) {
            Some(next) => next.previous = key,
            None => self.back = key,
        }
        let waiter = &mut self.waiters[key];
        (waiter.state, waiter.was_late) = (WaiterState::Waiting, true);
        (waiter.previous, waiter.next) = (previous, next);
        self.length += 1;
    }

    pub(crate) fn front(&self) -> Option<Front> {
        let Waiter { wanted, was_late, .. } = *self.waiters.get(self.front)?;
        Some(Front { wanted, was_late })
    }

    /// Takes the one at the front out of the queue. It finds that it is in this `state`.
    pub(crate) fn pop_front(&mut self, state: WaiterState) -> Option<Waker> {
        let key = self.front;
        let waker = self.waiters.get_mut(key)?.waker.take();
        self.unlink(key);
        self.waiters[key].state = state;
        waker
    }

    pub(crate) fn state(&self, key: Key) -> WaiterState {
        self.waiters[key].state
    }

    /// Whether this one is in the queue, with a waker that does the same as `waker`.
    pub(crate) fn will_wake(&self, key: Key, waker: &Waker) -> bool {
        self.waiters[key].waker.as_ref().is_some_and(|own| own.will_wake(waker))
    }

    /// Replaces the waker of one in the queue. The caller drops the former one without the lock.
    pub(crate) fn set_waker(&mut self, key: Key, waker: Waker) -> Option<Waker> {
        self.waiters[key].waker.replace(waker)
    }

    /// Removes a waiter. The caller drops the waker without the lock.
    pub(crate) fn remove(&mut self, key: Key) -> (WaiterState, Option<Waker>) {
        if self.state(key) == WaiterState::Waiting {
            self.unlink(key);
        }
        let waiter = self.waiters.remove(key);
        if self.waiters.is_empty() && self.waiters.capacity() > KEPT {
            self.waiters = Slab::new();
        }
        (waiter.state, waiter.waker)
    }

    fn unlink(&mut self, key: Key) {
        let Waiter { previous, next, .. } = self.waiters[key];
        match self.waiters.get_mut(previous) {
            Some(previous) => previous.next = next,
            None => self.front = next,
        }
        match self.waiters.get_mut(next) {
            Some(next) => next.previous = previous,
            None => self.back = previous,
        }
        if self.last_late == key {
            self.last_late = previous;
        }
        self.length -= 1;
    }
}
