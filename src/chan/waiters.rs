//! Those who wait at a channel, senders and receivers, first come, first served.
//!
//! Two lists of slots in one `Vec`, linked by their numbers. To join, to be served and to leave from
//! the middle take the same few steps however many wait, with no allocation for each and no unsafe
//! code. A waiter that has been served keeps its slot until it comes to look, so its number stays
//! its own; what it gave or got lies in a `Vec` of the same numbers, in `core.rs`, which knows the
//! type.
//!
//! # Who is passed over
//!
//! A `select!` stands in several lines, and may have been decided at another channel when its turn
//! comes here. Thousands of those may stand in one line, since each stays until its goroutine runs. So
//! whoever meets a decided one takes it out of the line: each is passed over once. One that is busy
//! keeps its place, because it may wait again; of those there are no more than threads that poll.
//!
//! A slot that is *out* of the line has been served, or belongs to a `select!` that was decided at
//! another channel. Which of the two its claim says, and the owner does not need to ask: `finish` is
//! called only for the case that was decided, and `leave` does the same for both. It frees the slot and
//! hands back what is in it. In the slot of a sender that was passed over that is its own value, and in
//! that of a receiver nothing.
//!
//! # Memory
//!
//! The first 64 slots are kept, in a list that is linked one way, as short as can be: few channels have more.
//! The others are *spare* when they are free, in a list that is linked both ways, so that one at the end is
//! taken out of it in a few steps. Whoever frees the last slot gives it back, with the spare ones before
//! it: each slot goes once for each time it came. Who joins takes a kept one if there is one, so that those few
//! who wait after many have gone are not in the way. One that waits at the end keeps those before it: its
//! number is its own.
//!
//! A slot takes 24 bytes, since there may be a million: 16 for whom to wake, and two links that carry
//! the number of a `select!`'s case in the bits they do not need.

#![forbid(unsafe_code)]

use std::mem;
use std::sync::Arc;
use std::task::Waker;

use crate::chan::claim::{Claim, Unavailable};

/// The number of a slot. Whoever joined frees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Key(pub(crate) u32);

impl Key {
    /// Whether its slot is never given back.
    #[inline(always)]
    pub(crate) fn is_kept(self) -> bool {
        self.0 < KEPT
    }
}

/// No slot.
const END: u32 = (1 << NUMBER_BITS) - 1;
/// In place of the next slot: it is in no line any more.
const OUT: u32 = END - 1;

/// So many slots are never given back, and used before others.
const KEPT: u32 = 64;

#[derive(Clone, Copy)]
pub(crate) enum Side {
    Senders,
    Receivers,
}

pub(crate) struct Waiters {
    slots: Vec<Slot>,
    /// The first of those that are not in use, and are kept.
    free: u32,
    /// The first of the others, which are linked both ways. The last slot is never among them.
    spare: u32,
    lists: [List; 2],
}

#[derive(Clone, Copy)]
struct List {
    first: u32,
    last: u32,
}

struct Slot {
    waiter: Waiter,
    previous: Link,
    /// Also of those that are not in use.
    next: Link,
}

#[cfg(target_pointer_width = "64")]
const _: () = assert!(size_of::<Slot>() == 24);

/// Who waits in a slot. No larger than a waker.
pub(crate) enum Waiter {
    /// Somebody by himself, until he is served.
    Alone(Waker),
    /// A case of a `select!`; without a claim, nobody.
    Case(Option<Arc<Claim>>),
}

/// The number of another slot, and half of the number of a case of a `select!`.
#[derive(Clone, Copy)]
struct Link(u32);

const NUMBER_BITS: u32 = 28;
const HALF_BITS: u32 = 32 - NUMBER_BITS;

impl Link {
    #[inline]
    fn new(number: u32, half: u32) -> Self {
        Link(half << NUMBER_BITS | number)
    }

    #[inline]
    fn number(self) -> u32 {
        self.0 & END
    }

    #[inline]
    fn half(self) -> u32 {
        self.0 >> NUMBER_BITS
    }

    #[inline]
    fn set(&mut self, number: u32) {
        self.0 = self.0 & !END | number;
    }
}

impl Slot {
    #[inline]
    fn new(waiter: Waiter, case: u8, previous: u32) -> Self {
        let case = u32::from(case);
        Slot {
            waiter,
            previous: Link::new(previous, case >> HALF_BITS),
            next: Link::new(END, case & ((1 << HALF_BITS) - 1)),
        }
    }

    #[inline]
    fn case(&self) -> usize {
        (self.previous.half() << HALF_BITS | self.next.half()) as usize
    }

    #[inline]
    fn is_out(&self) -> bool {
        self.next.number() == OUT
    }
}

impl Waiter {
    const NOBODY: Self = Waiter::Case(None);
}

impl Waiters {
    pub(crate) const fn new() -> Self {
        let empty = List { first: END, last: END };
        Waiters { slots: Vec::new(), free: END, spare: END, lists: [empty; 2] }
    }

    /// Joins at the end of a list; `case` is for a `select!`.
    #[inline(always)]
    pub(crate) fn join(&mut self, side: Side, waiter: Waiter, case: u8) -> Key {
        let slot = Slot::new(waiter, case, self.lists[side as usize].last);
        let number = match self.free {
            END => self.put_beyond(slot),
            number => {
                let free = &mut self.slots[number as usize];
                self.free = free.next.number();
                *free = slot;
                number
            }
        };
        let list = &mut self.lists[side as usize];
        match list.last {
            END => list.first = number,
            last => self.slots[last as usize].next.set(number),
        }
        list.last = number;
        Key(number)
    }

    /// Whether anybody is in a list.
    #[inline]
    pub(crate) fn any(&self, side: Side) -> bool {
        self.lists[side as usize].first != END
    }

    /// Takes the first off a list that can be served. Its waker is to be woken, without the lock.
    ///
    /// A `select!` that looks at its cases itself is passed over: before it waits again it looks at
    /// this channel. One that has been decided is taken off as well.
    #[inline(always)]
    pub(crate) fn serve(&mut self, side: Side) -> Option<(Key, Option<Waker>)> {
        let mut number = self.lists[side as usize].first;
        while number != END {
            let slot = &mut self.slots[number as usize];
            let case = slot.case();
            let served = match &mut slot.waiter {
                Waiter::Case(claim) => claim.as_ref().expect("in a line is somebody").commit(case),
                alone => match mem::replace(alone, Waiter::NOBODY) {
                    Waiter::Alone(waker) => Ok(Some(waker)),
                    Waiter::Case(_) => unreachable!(),
                },
            };
            match served {
                Ok(waker) => {
                    self.take_out(side, number);
                    return Some((Key(number), waker));
                }
                Err(why) => number = self.pass_over(side, number, why),
            }
        }
        None
    }

    /// Returns the number of the next one.
    #[cold]
    fn pass_over(&mut self, side: Side, number: u32, why: Unavailable) -> u32 {
        let next = self.slots[number as usize].next.number();
        if why == Unavailable::Decided {
            self.take_out(side, number);
        }
        next
    }

    #[inline]
    fn take_out(&mut self, side: Side, number: u32) {
        self.unlink(side, number);
        self.slots[number as usize].next.set(OUT);
    }

    /// Whether it has been served, or passed over for good.
    #[inline]
    pub(crate) fn is_out(&self, key: Key) -> bool {
        self.slots[key.0 as usize].is_out()
    }

    #[inline]
    pub(crate) fn will_wake(&self, key: Key, waker: &Waker) -> bool {
        match &self.slots[key.0 as usize].waiter {
            Waiter::Alone(own) => own.will_wake(waker),
            Waiter::Case(_) => false,
        }
    }

    /// Another waker for one that waits by itself. Returns the former one, to be dropped without
    /// the lock.
    pub(crate) fn set_waker(&mut self, key: Key, waker: Waker) -> Waiter {
        mem::replace(&mut self.slots[key.0 as usize].waiter, Waiter::Alone(waker))
    }

    /// Frees a slot, of one that is out of the line or gives up. Returns what is to be dropped without
    /// the lock.
    #[inline]
    pub(crate) fn leave(&mut self, side: Side, key: Key) -> Waiter {
        if !self.is_out(key) {
            self.unlink(side, key.0);
        }
        let waiter = mem::replace(&mut self.slots[key.0 as usize].waiter, Waiter::NOBODY);
        self.free(key);
        waiter
    }

    /// Frees the slot of one that has been served. There is nothing in it to be dropped without the lock: who
    /// served it took the waker, and a `select!` has a reference of its own to its claim.
    #[inline(always)]
    pub(crate) fn leave_served(&mut self, key: Key) {
        match &mut self.slots[key.0 as usize].waiter {
            Waiter::Case(claim) => drop(claim.take()),
            Waiter::Alone(_) => unreachable!("who served it took the waker"),
        }
        self.free(key);
    }

    #[inline(always)]
    fn free(&mut self, key: Key) {
        if key.is_kept() {
            self.slots[key.0 as usize].next.set(self.free);
            self.free = key.0;
        } else {
            self.free_beyond(key.0);
        }
    }

    /// Puts one that joins into a slot that is not kept, or into another one.
    #[inline(never)]
    fn put_beyond(&mut self, slot: Slot) -> u32 {
        if self.spare != END {
            let number = self.spare;
            self.take_spare(number);
            self.slots[number as usize] = slot;
            return number;
        }
        let number = self.slots.len();
        assert!(number < OUT as usize, "fewer than 2^28 - 2 wait at one channel");
        self.slots.push(slot);
        number as u32
    }

    /// Frees a slot that is not kept, and gives back those at the end that are not in use.
    #[cold]
    #[inline(never)]
    fn free_beyond(&mut self, number: u32) {
        if let Some(next) = self.slots.get_mut(self.spare as usize) {
            next.previous.set(number);
        }
        self.slots[number as usize].previous.set(END);
        self.slots[number as usize].next.set(self.spare);
        self.spare = number;
        while self.slots.len() > KEPT as usize
            && let Some(last) = self.slots.last()
            && matches!(last.waiter, Waiter::Case(None))
            && !last.is_out()
        {
            self.take_spare(self.slots.len() as u32 - 1);
            self.slots.pop();
        }
        give_back(&mut self.slots);
    }

    fn take_spare(&mut self, number: u32) {
        let slot = &self.slots[number as usize];
        let (previous, next) = (slot.previous.number(), slot.next.number());
        match self.slots.get_mut(previous as usize) {
            Some(previous) => previous.next.set(next),
            None => self.spare = next,
        }
        if let Some(next) = self.slots.get_mut(next as usize) {
            next.previous.set(previous);
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.slots.len()
    }

    /// The numbers of those in a list, in order.
    #[cfg(test)]
    pub(crate) fn line(&self, side: Side) -> Vec<u32> {
        let number = |number| (number != END).then_some(number);
        let next = |&slot: &u32| number(self.slots[slot as usize].next.number());
        std::iter::successors(number(self.lists[side as usize].first), next).collect()
    }

    #[inline]
    fn unlink(&mut self, side: Side, number: u32) {
        let slot = &self.slots[number as usize];
        let (previous, next) = (slot.previous.number(), slot.next.number());
        let list = &mut self.lists[side as usize];
        match previous {
            END => list.first = next,
            previous => self.slots[previous as usize].next.set(next),
        }
        match next {
            END => list.last = previous,
            next => self.slots[next as usize].previous.set(previous),
        }
    }
}

/// Gives memory back when three quarters of a list are not in use, or only the slots that are kept are left.
/// Half of what stays is room to grow, so that as many have to come or go as are in the list before it is
/// moved again.
pub(crate) fn give_back<S>(slots: &mut Vec<S>) {
    let len = slots.len();
    if len == KEPT as usize || slots.capacity() >= 4 * len {
        slots.shrink_to(2 * len);
    }
}
