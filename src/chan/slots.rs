//! What those who wait at a channel gave or got, by the numbers of their slots (`waiters.rs`).
//!
//! Most slots are empty: those of receivers, until they are served. So a large value lies in a box, which
//! is there as long as the value, and an empty slot takes a word. Small ones lie in the slots themselves,
//! since a box for each wait would cost them more than the room does.
//!
//! A value goes from slot to slot, and from an attempt of a `select!` back to its own, without leaving its
//! box.

#![forbid(unsafe_code)]

use crate::chan::waiters::{Key, give_back};

/// In bytes, the largest value that is not boxed. A wait with a box takes 170 instructions more, a
/// quarter more for a round trip with two; an idle receiver with a slot of this size 136 bytes, less than its
/// goroutine.
const LARGEST_INLINE: usize = 128;

/// One of the two stays empty, whichever values these are.
pub(crate) struct Slots<T> {
    inline: Vec<Option<T>>,
    boxed: Vec<Option<Box<T>>>,
}

impl<T> Slots<T> {
    const ARE_BOXED: bool = size_of::<T>() > LARGEST_INLINE;

    pub(crate) const fn new() -> Self {
        Slots { inline: Vec::new(), boxed: Vec::new() }
    }

    /// For one that joins: the slot is empty, or the next one.
    #[inline(always)]
    pub(crate) fn open(&mut self, key: Key, value: Option<T>) {
        if Self::ARE_BOXED {
            open(&mut self.boxed, key, value.map(Box::new));
        } else {
            open(&mut self.inline, key, value);
        }
    }

    #[inline(always)]
    pub(crate) fn put(&mut self, key: Key, value: Option<T>) {
        if Self::ARE_BOXED {
            self.boxed[key.0 as usize] = value.map(Box::new);
        } else {
            self.inline[key.0 as usize] = value;
        }
    }

    #[inline(always)]
    pub(crate) fn take(&mut self, key: Key) -> Option<T> {
        if Self::ARE_BOXED {
            self.boxed[key.0 as usize].take().map(|value| *value)
        } else {
            self.inline[key.0 as usize].take()
        }
    }

    pub(crate) fn has(&self, key: Key) -> bool {
        if Self::ARE_BOXED {
            self.boxed[key.0 as usize].is_some()
        } else {
            self.inline[key.0 as usize].is_some()
        }
    }

    /// Moves what is in a slot to an empty one.
    pub(crate) fn pass(&mut self, from: Key, to: Key) {
        if Self::ARE_BOXED {
            self.boxed.swap(from.0 as usize, to.0 as usize);
        } else {
            self.inline.swap(from.0 as usize, to.0 as usize);
        }
    }

    /// Gives back the slots from `len` on, which are empty.
    pub(crate) fn truncate(&mut self, len: usize) {
        self.boxed.truncate(len);
        self.inline.truncate(len);
        give_back(&mut self.boxed);
        give_back(&mut self.inline);
    }
}

#[inline(always)]
fn open<S>(slots: &mut Vec<Option<S>>, key: Key, value: Option<S>) {
    match slots.get_mut(key.0 as usize) {
        Some(slot) => *slot = value,
        None => slots.push(value),
    }
}
