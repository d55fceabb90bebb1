//! Those who wait at a channel, senders and receivers, first come, first served.
//!
//! Two lists of slots in one `Vec`, linked by their numbers. To join, to be served and to leave from
//! the middle take the same few steps however many wait, with no allocation for each and no unsafe
//! code. A waiter that has been served keeps its slot until it comes to look, so its number stays
//! its own; what it gave or got lies in a `Vec` of the same numbers, in `core.rs`, which knows the
//! type.

#![forbid(unsafe_code)]

use std::task::Waker;

use crate::chan::claim::Place;

/// The number of a slot. Whoever joined frees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Key(pub(crate) u32);

/// No slot.
const END: u32 = u32::MAX;

#[derive(Clone, Copy)]
pub(crate) enum Side {
    Senders,
    Receivers,
}

pub(crate) struct Waiters {
    slots: Vec<Slot>,
    /// The first of those that are not in use.
    free: u32,
    lists: [List; 2],
}

#[derive(Clone, Copy)]
struct List {
    first: u32,
    last: u32,
}

struct Slot {
    is_served: bool,
    previous: u32,
    /// Also of those that are not in use.
    next: u32,
    /// Of one that waits by itself, until it is served.
    waker: Option<Waker>,
    /// Of a case of a `select!`.
    place: Option<Place>,
}

impl Waiters {
    pub(crate) const fn new() -> Self {
        let empty = List { first: END, last: END };
        Waiters { slots: Vec::new(), free: END, lists: [empty; 2] }
    }

    /// Joins at the end of a list.
    #[inline]
    pub(crate) fn join(&mut self, side: Side, waker: Option<Waker>, place: Option<Place>) -> Key {
        let list = &mut self.lists[side as usize];
        let slot = Slot { is_served: false, previous: list.last, next: END, waker, place };
        let number = if self.free == END {
            self.slots.push(slot);
            u32::try_from(self.slots.len() - 1)
                .ok()
                .filter(|&number| number != END)
                .expect("fewer than 2^32 - 1 wait at one channel")
        } else {
            let number = self.free;
            self.free = self.slots[number as usize].next;
            self.slots[number as usize] = slot;
            number
        };
        match list.last {
            END => list.first = number,
            last => self.slots[last as usize].next = number,
        }
        list.last = number;
        Key(number)
    }

    /// Takes the first off a list that can be served. Its waker is to be woken, without the lock.
    ///
    /// A `select!` that looks at its cases itself is passed over: before it waits again it looks at
    /// this channel.
    #[inline]
    pub(crate) fn serve(&mut self, side: Side) -> Option<(Key, Option<Waker>)> {
        match self.lists[side as usize].first {
            END => None,
            first => self.serve_from(side, first),
        }
    }

    fn serve_from(&mut self, side: Side, first: u32) -> Option<(Key, Option<Waker>)> {
        let mut number = first;
        while number != END {
            let slot = &mut self.slots[number as usize];
            let served = match &slot.place {
                None => Ok(slot.waker.take()),
                Some(place) => place.commit(),
            };
            let next = slot.next;
            if let Ok(waker) = served {
                slot.is_served = true;
                self.unlink(side, number);
                return Some((Key(number), waker));
            }
            number = next;
        }
        None
    }

    #[inline]
    pub(crate) fn is_served(&self, key: Key) -> bool {
        self.slots[key.0 as usize].is_served
    }

    #[inline]
    pub(crate) fn will_wake(&self, key: Key, waker: &Waker) -> bool {
        self.slots[key.0 as usize].waker.as_ref().is_some_and(|own| own.will_wake(waker))
    }

    /// Another waker for one that waits by itself. Returns the former one, to be dropped without
    /// the lock.
    pub(crate) fn set_waker(&mut self, key: Key, waker: Waker) -> Option<Waker> {
        self.slots[key.0 as usize].waker.replace(waker)
    }

    /// Frees a slot, of one that has been served or gives up. Returns what is to be dropped without
    /// the lock.
    #[inline]
    pub(crate) fn leave(&mut self, side: Side, key: Key) -> (Option<Waker>, Option<Place>) {
        if !self.slots[key.0 as usize].is_served {
            self.unlink(side, key.0);
        }
        let slot = &mut self.slots[key.0 as usize];
        slot.next = self.free;
        self.free = key.0;
        (slot.waker.take(), slot.place.take())
    }

    #[inline]
    fn unlink(&mut self, side: Side, number: u32) {
        let Slot { previous, next, .. } = self.slots[number as usize];
        let list = &mut self.lists[side as usize];
        match previous {
            END => list.first = next,
            previous => self.slots[previous as usize].next = next,
        }
        match next {
            END => list.last = previous,
            next => self.slots[next as usize].previous = previous,
        }
    }
}
