//! Tasks that wait for something, first come, first served.
//!
//! The slots lie in a slab and are linked by their keys. So to join, to be served, and to leave from the
//! middle take a constant number of steps. A slot that is out of the line stays until its owner has
//! seen why.
//!
//! The queue calls no waker, and drops none: it stands behind the lock of a [`Line`](super::line), and
//! gives wakers to the caller, who releases the lock first.

#![forbid(unsafe_code)]

use std::task::Waker;

use slab::Slab;

/// A slot. Whoever joined gives it back with [`WaitQueue::leave`].
pub(crate) type Key = usize;

/// No slot.
const END: usize = usize::MAX;

/// Slots that are kept for good. More are freed when nobody waits.
const KEPT: usize = 64;

/// How it stands with a task that waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It has no slot.
    New,
    /// It is in the line.
    Waiting,
    /// It was its turn: it has been given what it waits for.
    Served,
    /// All were let go at once.
    Released,
}

pub(crate) struct WaitQueue {
    slots: Slab<Slot>,
    first: Key,
    last: Key,
    length: usize,
}

struct Slot {
    /// `None`: it is out of the line, and the waker has been called.
    waker: Option<Waker>,
    standing: Standing,
    /// How much it waits for.
    wanted: usize,
    previous: Key,
    next: Key,
}

impl WaitQueue {
    pub(crate) fn new() -> Self {
        WaitQueue { slots: Slab::new(), first: END, last: END, length: 0 }
    }

    /// How many are in the line.
    pub(crate) fn length(&self) -> usize {
        self.length
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Joins the end of the line.
    pub(crate) fn join(&mut self, waker: Waker, wanted: usize) -> Key {
        let previous = self.last;
        let standing = Standing::Waiting;
        let slot = Slot { waker: Some(waker), standing, wanted, previous, next: END };
        let key = self.slots.insert(slot);
        match self.slots.get_mut(previous) {
            Some(previous) => previous.next = key,
            None => self.first = key,
        }
        self.last = key;
        self.length += 1;
        key
    }

    /// How much the first one waits for.
    pub(crate) fn first_wants(&self) -> Option<usize> {
        self.slots.get(self.first).map(|slot| slot.wanted)
    }

    /// Takes the first one off the line.
    pub(crate) fn take_first(&mut self, standing: Standing) -> Option<Waker> {
        let key = self.first;
        let waker = self.slots.get_mut(key)?.waker.take();
        self.unlink(key);
        self.slots[key].standing = standing;
        waker
    }

    pub(crate) fn standing(&self, key: Key) -> Standing {
        self.slots[key].standing
    }

    /// Whether the one in this slot still waits, with a waker that does the same as `waker`.
    pub(crate) fn will_wake(&self, key: Key, waker: &Waker) -> bool {
        self.slots[key].waker.as_ref().is_some_and(|own| own.will_wake(waker))
    }

    /// Replaces the waker of one in the line. The caller drops the former one without the lock.
    pub(crate) fn set_waker(&mut self, key: Key, waker: Waker) -> Option<Waker> {
        self.slots[key].waker.replace(waker)
    }

    /// Gives a slot back. The caller drops the waker without the lock.
    pub(crate) fn leave(&mut self, key: Key) -> (Standing, Option<Waker>) {
        if self.standing(key) == Standing::Waiting {
            self.unlink(key);
        }
        let slot = self.slots.remove(key);
        if self.slots.is_empty() && self.slots.capacity() > KEPT {
            self.slots = Slab::new();
        }
        (slot.standing, slot.waker)
    }

    fn unlink(&mut self, key: Key) {
        let Slot { previous, next, .. } = self.slots[key];
        match self.slots.get_mut(previous) {
            Some(previous) => previous.next = next,
            None => self.first = next,
        }
        match self.slots.get_mut(next) {
            Some(next) => next.previous = previous,
            None => self.last = previous,
        }
        self.length -= 1;
    }
}
