//! The last events of one thread: a ring, in which the newest takes the place of the oldest.
//!
//! # Protocol
//!
//! One thread writes, and any may read meanwhile, without a lock. Event `n` lies in slot `n % capacity`.
//!
//! - The writer stores the event in its slot, in several words, and then `next = n + 1`.
//! - A reader loads `next` (`count`), then slots, then `next` again. If that is `m` then, event `m` may have been on
//!   its way into its slot, where event `m - capacity` was. So the reader discards that one, and all before it.
//!
//! Nothing torn is kept: a reader that has seen a word of event `m` sees `next >= m` afterwards, because the
//! writer had stored that before (the two fences), and so discards what was in that slot. A reader never
//! sees an event that is not complete, because its first load of `next` is an `Acquire` of the writer's
//! `Release`.
//!
//! The slots are made of atomics, so all this is safe code, and a reader costs the writer nothing but the
//! cache lines it looks at. Modelled in `tests/models/trace_model.rs`.
//!
//! Rejected: `concurrent-queue`, bounded, with forced pushes: 21 ns for an event instead of one, and a reader takes
//! the events away (`docs/benchmarks.md`).

#![forbid(unsafe_code)]

use std::collections::TryReserveError;

use crate::primitives::{AtomicU64, Ordering, fence};

/// A place for an event. Both methods are relaxed: the ring orders them.
pub(crate) trait Slot {
    type Event;

    fn empty() -> Self;
    fn store(&self, event: Self::Event);
    /// If a store goes on meanwhile, it may be of several events.
    fn load(&self) -> Self::Event;
}

pub(crate) struct Ring<S> {
    slots: Box<[S]>,
    /// How many events there have been.
    next: AtomicU64,
}

/// What a ring had in it, the oldest first.
pub(crate) struct Kept<E> {
    pub(crate) events: Vec<E>,
    /// How many were before these, and have been overwritten.
    pub(crate) lost: u64,
}

impl<S: Slot> Ring<S> {
    /// It keeps one event less than `capacity`, which is a power of two. Fails if there is no memory for it.
    pub(crate) fn new(capacity: usize) -> Result<Self, TryReserveError> {
        assert!(capacity.is_power_of_two());
        let mut slots = Vec::new();
        slots.try_reserve_exact(capacity)?;
        slots.extend((0..capacity).map(|_| S::empty()));
        Ok(Ring { slots: slots.into_boxed_slice(), next: AtomicU64::new(0) })
    }

    pub(crate) fn capacity(&self) -> usize {
        self.slots.len()
    }

    /// For one thread at a time.
    #[inline]
    pub(crate) fn push(&self, event: S::Event) {
        let next = self.next.load(Ordering::Relaxed);
        // Ordering: Release pairs with the Acquire fence in `read`: whoever sees a word of this event sees
        // this `next`, or a later one.
        fence(Ordering::Release);
        self.slot(next).store(event);
        // Ordering: Release pairs with the Acquire in `read`: whoever sees it sees the event.
        self.next.store(next + 1, Ordering::Release);
    }

    /// How many events there have been.
    pub(crate) fn count(&self) -> u64 {
        self.next.load(Ordering::Acquire)
    }

    /// The last of the first `end` events, at most so many. There have been that many already. Fails if there is no
    /// memory for them.
    pub(crate) fn read(&self, end: u64, most: usize) -> Result<Kept<S::Event>, TryReserveError> {
        let begin = end.saturating_sub(most.min(self.slots.len()) as u64);
        let mut events = Vec::new();
        events.try_reserve_exact((end - begin) as usize)?;
        events.extend((begin..end).map(|n| self.slot(n).load()));
        // Ordering: Acquire pairs with the Release fence in `push`.
        fence(Ordering::Acquire);
        let next = self.next.load(Ordering::Relaxed);
        let first_whole = (next + 1).saturating_sub(self.slots.len() as u64).clamp(begin, end);
        events.drain(..(first_whole - begin) as usize);
        Ok(Kept { events, lost: first_whole })
    }

    fn slot(&self, n: u64) -> &S {
        &self.slots[n as usize & (self.slots.len() - 1)]
    }
}
