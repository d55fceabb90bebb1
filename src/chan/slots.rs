//! The values of a channel's waiters, by slot number (`waiters.rs`).
//!
//! Most slots are empty: a receiver's slot is, until it is served. So a large value lies in a box,
//! and an empty slot takes one word. Small values lie in the slots themselves, since a box for each
//! wait would cost more than the room does.
//!
//! # Boxes and the lock
//!
//! The allocator may be the user's, and slow. So boxes are made and freed while the channel's lock
//! is free, and only move under it: a sender brings its value as a [`Parcel`], and who frees a slot
//! gets its content as a parcel, to open it without the lock. Code under the lock that needs the
//! value itself, for the buffer or for a receiver that does not wait, takes it out of the box and
//! leaves the empty box in the slot.
//!
//! A value keeps its box when it moves from slot to slot.

#![forbid(unsafe_code)]

use crate::chan::waiters::{SlotKey, shrink_if_sparse};

/// The largest value that is not boxed, in bytes. A box costs a wait 170 instructions, which makes
/// a round trip with two waits a quarter longer. A slot of this size costs an idle receiver 136
/// bytes, less than its goroutine takes.
const LARGEST_INLINE: usize = 128;

/// The size of `T` selects one of the two; the other stays empty.
pub(crate) struct Slots<T> {
    inline: Vec<Option<T>>,
    boxed: Vec<Option<Box<Option<T>>>>,
}

/// The content of a slot, on its way in or out. The size of `T` selects the field.
pub(crate) struct Parcel<T> {
    inline: Option<T>,
    boxed: Option<Box<Option<T>>>,
}

impl<T> Parcel<T> {
    pub(crate) const EMPTY: Self = Parcel { inline: None, boxed: None };

    /// Boxes a large value, so the lock must be free. A small one may be packed anywhere.
    #[inline(always)]
    pub(crate) fn pack(value: Option<T>) -> Self {
        if Slots::<T>::ARE_BOXED {
            Parcel { inline: None, boxed: value.map(|value| Box::new(Some(value))) }
        } else {
            Parcel { inline: value, boxed: None }
        }
    }

    /// Frees the box of a large value, so the lock must be free.
    #[inline(always)]
    pub(crate) fn unpack(self) -> Option<T> {
        if Slots::<T>::ARE_BOXED { self.boxed.and_then(|value| *value) } else { self.inline }
    }

    /// Takes the value, and leaves its box in the parcel.
    pub(crate) fn take_value(&mut self) -> Option<T> {
        if Slots::<T>::ARE_BOXED { self.boxed.as_mut()?.take() } else { self.inline.take() }
    }
}

impl<T> Slots<T> {
    pub(crate) const ARE_BOXED: bool = size_of::<T>() > LARGEST_INLINE;

    pub(crate) const fn new() -> Self {
        Slots { inline: Vec::new(), boxed: Vec::new() }
    }

    /// Fills the slot of a new waiter: an empty slot, or a new one at the end.
    #[inline(always)]
    pub(crate) fn insert(&mut self, key: SlotKey, parcel: Parcel<T>) {
        if Self::ARE_BOXED {
            insert(&mut self.boxed, key, parcel.boxed);
        } else {
            insert(&mut self.inline, key, parcel.inline);
        }
    }

    /// Fills an empty slot.
    #[inline(always)]
    pub(crate) fn put(&mut self, key: SlotKey, parcel: Parcel<T>) {
        if Self::ARE_BOXED {
            self.boxed[key.0 as usize] = parcel.boxed;
        } else {
            self.inline[key.0 as usize] = parcel.inline;
        }
    }

    /// Empties a slot.
    #[inline(always)]
    pub(crate) fn take(&mut self, key: SlotKey) -> Parcel<T> {
        if Self::ARE_BOXED {
            Parcel { inline: None, boxed: self.boxed[key.0 as usize].take() }
        } else {
            Parcel { inline: self.inline[key.0 as usize].take(), boxed: None }
        }
    }

    /// Takes the value out of a slot, and leaves its box there.
    #[inline(always)]
    pub(crate) fn take_value(&mut self, key: SlotKey) -> Option<T> {
        if Self::ARE_BOXED {
            self.boxed[key.0 as usize].as_mut()?.take()
        } else {
            self.inline[key.0 as usize].take()
        }
    }

    pub(crate) fn has(&self, key: SlotKey) -> bool {
        if Self::ARE_BOXED {
            self.boxed[key.0 as usize].as_ref().is_some_and(|value| value.is_some())
        } else {
            self.inline[key.0 as usize].is_some()
        }
    }

    /// Moves the content of a slot to an empty one.
    pub(crate) fn pass(&mut self, from: SlotKey, to: SlotKey) {
        if Self::ARE_BOXED {
            self.boxed.swap(from.0 as usize, to.0 as usize);
        } else {
            self.inline.swap(from.0 as usize, to.0 as usize);
        }
    }

    /// Releases the slots from `len` on, which are empty.
    pub(crate) fn truncate(&mut self, len: usize) {
        self.boxed.truncate(len);
        self.inline.truncate(len);
        shrink_if_sparse(&mut self.boxed);
        shrink_if_sparse(&mut self.inline);
    }
}

#[inline(always)]
fn insert<S>(slots: &mut Vec<Option<S>>, key: SlotKey, value: Option<S>) {
    match slots.get_mut(key.0 as usize) {
        Some(slot) => *slot = value,
        None => push(slots, value),
    }
}

// A call of its own, so that a wait saves no registers for it.
#[cold]
#[inline(never)]
fn push<S>(slots: &mut Vec<S>, slot: S) {
    slots.push(slot);
}
