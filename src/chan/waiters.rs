//! The senders and receivers that wait at a channel, first come, first served.
//!
//! Two lists of slots share one `Vec`, linked by slot numbers. To enter, to be served and to be
//! removed from the middle take a constant number of steps, with no allocation for each and no
//! unsafe code. A served waiter keeps its slot, and so its number, until it collects the outcome.
//! The values lie in a `Vec` with the same numbers, in `slots.rs`, which knows their type.
//!
//! # Passing over
//!
//! A `select!` waits in several queues, and may have been decided at another channel when its turn
//! comes here. Thousands of decided cases may be in one queue, since each stays until its goroutine
//! runs. So a partner that meets a decided case takes it out of the queue: each is passed over
//! once. A busy one keeps its place, because it may wait again; there are no more busy ones than
//! threads that poll.
//!
//! A slot that has been *dequeued* was served, or belongs to a `select!` that was decided at another
//! channel. The owner need not know which. It calls `take_outcome` only for the decided case, and
//! `cancel` treats both alike: it frees the slot and returns its content. A sender that was passed
//! over gets its own value; a receiver gets nothing.
//!
//! A *parked* slot is in no queue either: a `select!` keeps a large value there before it waits
//! (`state.rs`).
//!
//! # Memory
//!
//! The first 64 slots are kept for good. Their free list is linked one way, which keeps its
//! operations short: few channels have more waiters. Other free slots are *releasable*. Their list
//! is linked both ways, so that the slot at the end can be unlinked in constant time. Freeing the
//! last slot pops it, and all releasable slots before it: each slot is popped once for each time it
//! was pushed. A new waiter prefers a kept slot, so that a few waiters do not block the release of
//! many freed slots. A waiter in the last slot keeps those before it, because its number must not
//! change.
//!
//! A slot takes 24 bytes, since there may be a million: 16 for the waker, and two links, which
//! carry the number of a `select!`'s case in their unused bits.

#![forbid(unsafe_code)]

use std::mem;
use std::sync::Arc;
use std::task::Waker;

use crate::chan::claim::{CannotCommit, Claim};

/// The number of a slot. Its waiter frees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SlotKey(pub(crate) u32);

impl SlotKey {
    /// Whether its slot is never released.
    #[inline(always)]
    pub(crate) fn is_kept(self) -> bool {
        self.0 < KEPT
    }
}

/// No slot.
const END: u32 = (1 << NUMBER_BITS) - 1;
/// In place of the next slot: the slot is in no queue.
const DEQUEUED: u32 = END - 1;

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
    /// The first releasable slot. The last slot is never releasable.
    releasable: u32,
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
    fn is_dequeued(&self) -> bool {
        // Who takes it off the list clears the number of the case.
        self.next.0 == DEQUEUED
    }
}

impl Waiter {
    const NONE: Self = Waiter::Case(None);
}

impl Waiters {
    pub(crate) const fn new() -> Self {
        let empty = List { first: END, last: END };
        Waiters { slots: Vec::new(), free: END, releasable: END, lists: [empty; 2] }
    }

    /// Enters a list at its end; `case` is used for a `select!` only.
    #[inline(always)]
    pub(crate) fn enqueue(&mut self, side: Side, waiter: Waiter, case: u8) -> SlotKey {
        let Slot { waiter, previous, next } =
            Slot::new(waiter, case, self.lists[side as usize].last);
        let mut number = self.free;
        // There is no slot `END`.
        if let Some(slot) = self.slots.get_mut(number as usize) {
            self.free = slot.next.number();
            // A free slot has no waiter, so nothing is lost. To assign it would look for one to drop.
            mem::forget(mem::replace(&mut slot.waiter, waiter));
            slot.previous = previous;
            slot.next = next;
        } else {
            number = self.put_beyond(Slot { waiter, previous, next });
        }
        let list = &mut self.lists[side as usize];
        match list.last {
            END => list.first = number,
            last => self.slots[last as usize].next.set(number),
        }
        list.last = number;
        SlotKey(number)
    }

    /// Returns a new slot that is in no list, as if it had been passed over.
    pub(crate) fn park(&mut self) -> SlotKey {
        let key = self.enqueue(Side::Senders, Waiter::NONE, 0);
        self.dequeue(Side::Senders, key.0);
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
    pub(crate) fn serve(&mut self, side: Side) -> Option<(SlotKey, Option<Waker>)> {
        let list = &mut self.lists[side as usize];
        let number = list.first;
        // There is no slot `END`.
        let slot = self.slots.get_mut(number as usize)?;
        match mem::replace(&mut slot.waiter, Waiter::NONE) {
            Waiter::Alone(waker) => {
                list.first = slot.next.number();
                slot.next = Link(DEQUEUED);
                match self.slots.get_mut(list.first as usize) {
                    Some(first) => first.previous.set(END),
                    None => list.last = END,
                }
                Some((SlotKey(number), Some(waker)))
            }
            case => {
                // It goes back, and the slot has no other waiter to drop.
                mem::forget(mem::replace(&mut slot.waiter, case));
                self.serve_past_cases(side)
            }
        }
    }

    /// As `serve`, if the first in the list is a case.
    #[inline(never)]
    fn serve_past_cases(&mut self, side: Side) -> Option<(SlotKey, Option<Waker>)> {
        let mut number = self.lists[side as usize].first;
        while number != END {
            let slot = &mut self.slots[number as usize];
            let case = slot.case();
            let served = match &mut slot.waiter {
                Waiter::Case(claim) => {
                    claim.as_ref().expect("a queued slot has a waiter").commit(case)
                }
                alone => match mem::replace(alone, Waiter::NONE) {
                    Waiter::Alone(waker) => Ok(Some(waker)),
                    Waiter::Case(_) => unreachable!(),
                },
            };
            match served {
                Ok(waker) => {
                    self.dequeue(side, number);
                    return Some((SlotKey(number), waker));
                }
                Err(why) => number = self.pass_over(side, number, why),
            }
        }
        None
    }

    /// Returns the number of the next slot.
    #[cold]
    fn pass_over(&mut self, side: Side, number: u32, why: CannotCommit) -> u32 {
        let next = self.slots[number as usize].next.number();
        if why == CannotCommit::Decided {
            self.dequeue(side, number);
        }
        next
    }

    #[inline]
    fn dequeue(&mut self, side: Side, number: u32) {
        self.unlink(side, number);
        self.slots[number as usize].next = Link(DEQUEUED);
    }

    /// Whether it has been served, or passed over for good.
    #[inline]
    pub(crate) fn is_dequeued(&self, key: SlotKey) -> bool {
        self.slots[key.0 as usize].is_dequeued()
    }

    #[inline]
    pub(crate) fn will_wake(&self, key: SlotKey, waker: &Waker) -> bool {
        match &self.slots[key.0 as usize].waiter {
            Waiter::Alone(own) => own.will_wake(waker),
            Waiter::Case(_) => false,
        }
    }

    /// Replaces the waker of a single operation. Returns the former one, which the caller drops
    /// without the lock.
    pub(crate) fn set_waker(&mut self, key: SlotKey, waker: Waker) -> Waiter {
        mem::replace(&mut self.slots[key.0 as usize].waiter, Waiter::Alone(waker))
    }

    /// Frees the slot of a waiter that is out of the queue or gives up. Returns what the caller
    /// drops without the lock.
    #[inline]
    pub(crate) fn remove(&mut self, side: Side, key: SlotKey) -> Waiter {
        if !self.is_dequeued(key) {
            self.unlink(side, key.0);
        }
        let waiter = mem::replace(&mut self.slots[key.0 as usize].waiter, Waiter::NONE);
        self.free(key);
        waiter
    }

    /// Frees the slot of a single operation if it has been served. Whether it has.
    #[inline(always)]
    pub(crate) fn remove_if_served(&mut self, key: SlotKey) -> bool {
        let slot = &mut self.slots[key.0 as usize];
        if !slot.is_dequeued() {
            return false;
        }
        debug_assert!(matches!(slot.waiter, Waiter::Case(None)), "who served it took the waker");
        self.free(key);
        true
    }

    /// Frees the slot of a served waiter. It holds nothing that has to be dropped without the lock:
    /// the partner took the waker, and a `select!` has its own reference to the claim.
    #[inline(always)]
    pub(crate) fn remove_served(&mut self, key: SlotKey) {
        match &mut self.slots[key.0 as usize].waiter {
            Waiter::Case(claim) => drop(claim.take()),
            Waiter::Alone(_) => unreachable!("who served it took the waker"),
        }
        self.free(key);
    }

    #[inline(always)]
    fn free(&mut self, key: SlotKey) {
        if key.is_kept() {
            self.slots[key.0 as usize].next = Link(self.free);
            self.free = key.0;
        } else {
            self.free_beyond(key.0);
        }
    }

    /// Puts a new waiter into a releasable slot, or into a new one.
    #[inline(never)]
    fn put_beyond(&mut self, slot: Slot) -> u32 {
        if self.releasable != END {
            let number = self.releasable;
            self.unlink_releasable(number);
            self.slots[number as usize] = slot;
            return number;
        }
        let number = self.slots.len();
        assert!(number < DEQUEUED as usize, "fewer than 2^28 - 2 wait at one channel");
        self.slots.push(slot);
        number as u32
    }

    /// Frees a slot that is not kept, and releases unused slots at the end.
    #[cold]
    #[inline(never)]
    fn free_beyond(&mut self, number: u32) {
        if let Some(next) = self.slots.get_mut(self.releasable as usize) {
            next.previous.set(number);
        }
        self.slots[number as usize].previous.set(END);
        self.slots[number as usize].next.set(self.releasable);
        self.releasable = number;
        while self.slots.len() > KEPT as usize
            && let Some(last) = self.slots.last()
            && matches!(last.waiter, Waiter::Case(None))
            && !last.is_dequeued()
        {
            self.unlink_releasable(self.slots.len() as u32 - 1);
            self.slots.pop();
        }
        shrink_if_sparse(&mut self.slots);
    }

    fn unlink_releasable(&mut self, number: u32) {
        let slot = &self.slots[number as usize];
        let (previous, next) = (slot.previous.number(), slot.next.number());
        match self.slots.get_mut(previous as usize) {
            Some(previous) => previous.next.set(next),
            None => self.releasable = next,
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
    pub(crate) fn queue(&self, side: Side) -> Vec<u32> {
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
/// as much room again as is in use, so the next move comes only after that many waiters have come
/// or gone.
pub(crate) fn shrink_if_sparse<S>(slots: &mut Vec<S>) {
    let len = slots.len();
    if len == KEPT as usize || slots.capacity() >= 4 * len {
        slots.shrink_to(2 * len);
    }
}
