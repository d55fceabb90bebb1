//! The senders and receivers that wait at a channel, first come, first served.
//!
//! Two lists of slots share one `Vec`, linked by slot numbers. To join, to be served and to leave
//! from the middle take a constant number of steps, with no allocation for each and no unsafe code.
//! A served waiter keeps its slot, and so its number, until it collects the outcome. The values lie
//! in a `Vec` with the same numbers, in `slots.rs`, which knows their type.
//!
//! # Passing over
//!
//! A `select!` waits in several queues, and may have been decided at another channel when its turn
//! comes here. Thousands of decided cases may be in one queue, since each stays until its goroutine
//! runs. So a partner that meets a decided case takes it out of the queue: each is passed over
//! once. A busy one keeps its place, because it may wait again; there are no more busy ones than
//! threads that poll.
//!
//! A slot that is *out* of the queue has been served, or belongs to a `select!` that was decided at
//! another channel. The claim says which, and the owner does not need to ask: it calls `finish`
//! only for the case that was decided, and `leave` does the same for both. `leave` frees the slot
//! and returns its content. A sender that was passed over gets its own value; a receiver gets
//! nothing.
//!
//! # Memory
//!
//! The first 64 slots are kept for good. Their free list is linked one way, which keeps its
//! operations short: few channels have more waiters. Other free slots are *spare*. Their list is
//! linked both ways, so that the slot at the end can be unlinked in constant time. Freeing the last
//! slot pops it, and all spare slots before it: each slot is popped once for each time it was
//! pushed. A joining waiter prefers a kept slot, so that a few waiters do not block the release of
//! many freed slots. A waiter in the last slot keeps those before it, because its number must not
//! change.
//!
//! A slot takes 24 bytes, since there may be a million: 16 for the waker, and two links, which
//! carry the number of a `select!`'s case in their unused bits.

#![forbid(unsafe_code)]

use std::mem;
use std::sync::Arc;
use std::task::Waker;

use crate::chan::claim::{Claim, Unavailable};

/// The number of a slot. The waiter that joined frees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Key(pub(crate) u32);

impl Key {
    /// Whether its slot is never released.
    #[inline(always)]
    pub(crate) fn is_kept(self) -> bool {
        self.0 < KEPT
    }
}

/// No slot.
const END: u32 = (1 << NUMBER_BITS) - 1;
/// In place of the next slot: the slot is out of its queue.
const OUT: u32 = END - 1;

/// The first slots, which are never released, and are used before others.
const KEPT: u32 = 64;

#[derive(Clone, Copy)]
pub(crate) enum Side {
    Senders,
    Receivers,
}

pub(crate) struct Waiters {
    slots: Vec<Slot>,
    /// The first free slot among the kept ones.
    free: u32,
    /// The first spare slot. The last slot is never spare.
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
    /// Also links the free lists.
    next: Link,
}

#[cfg(target_pointer_width = "64")]
const _: () = assert!(size_of::<Slot>() == 24);

/// What to wake for a slot. No larger than a waker.
pub(crate) enum Waiter {
    /// A single operation, until it is served.
    Alone(Waker),
    /// A case of a `select!`; `None` if the slot has no waiter.
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

    /// Joins the end of a list; `case` is used for a `select!` only.
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

    /// Takes a slot that is in no list, as if it had been passed over.
    pub(crate) fn park(&mut self) -> Key {
        let key = self.join(Side::Senders, Waiter::NOBODY, 0);
        self.take_out(Side::Senders, key.0);
        key
    }

    /// Whether a list has a waiter.
    #[inline]
    pub(crate) fn any(&self, side: Side) -> bool {
        self.lists[side as usize].first != END
    }

    /// Takes the first servable waiter off a list. The caller wakes the waker after it has released
    /// the lock.
    ///
    /// Passes over a busy `select!`: it looks at this channel before it waits again. Takes a
    /// decided one off the list as well.
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

    /// Returns the number of the next slot.
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

    /// Replaces the waker of a single operation. Returns the former one, which the caller drops
    /// without the lock.
    pub(crate) fn set_waker(&mut self, key: Key, waker: Waker) -> Waiter {
        mem::replace(&mut self.slots[key.0 as usize].waiter, Waiter::Alone(waker))
    }

    /// Frees the slot of a waiter that is out of the queue or gives up. Returns what the caller
    /// drops without the lock.
    #[inline]
    pub(crate) fn leave(&mut self, side: Side, key: Key) -> Waiter {
        if !self.is_out(key) {
            self.unlink(side, key.0);
        }
        let waiter = mem::replace(&mut self.slots[key.0 as usize].waiter, Waiter::NOBODY);
        self.free(key);
        waiter
    }

    /// Frees the slot of a served waiter. It holds nothing that has to be dropped without the lock:
    /// the partner took the waker, and a `select!` has its own reference to the claim.
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

    /// Puts a joining waiter into a spare slot, or into a new one.
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

    /// Frees a slot that is not kept, and releases unused slots at the end.
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

    /// The slot numbers of a list, in order.
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

/// Shrinks a list when three quarters of it are unused, or only the kept slots are left. It keeps
/// as much room again as is in use, so the next move comes only after that many waiters have joined
/// or left.
pub(crate) fn give_back<S>(slots: &mut Vec<S>) {
    let len = slots.len();
    if len == KEPT as usize || slots.capacity() >= 4 * len {
        slots.shrink_to(2 * len);
    }
}
