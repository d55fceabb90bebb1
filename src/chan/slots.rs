//! The values of a channel's waiters, by slot number (`waiters.rs`).
//!
//! Most slots are empty: a receiver's slot is, until it is served. So a large value lies in a box,
//! which exists as long as the value, and an empty slot takes one word. Small values lie in the
//! slots themselves, since a box for each wait would cost more than the room does.
//!
//! A value keeps its box when it moves from slot to slot, or from an attempt of a `select!` back to
//! its own slot.

#![forbid(unsafe_code)]

use crate::chan::waiters::{Key, give_back};

/// The largest value that is not boxed, in bytes. A box costs a wait 170 instructions, which makes
/// a round trip with two waits a quarter longer. A slot of this size costs an idle receiver 136
/// bytes, less than its goroutine takes.
const LARGEST_INLINE: usize = 128;

/// The size of `T` selects one of the two; the other stays empty.
pub(crate) struct Slots<T> {
    inline: Vec<Option<T>>,
    boxed: Vec<Option<Box<T>>>,
}

impl<T> Slots<T> {
    const ARE_BOXED: bool = size_of::<T>() > LARGEST_INLINE;

    pub(crate) const fn new() -> Self {
        Slots { inline: Vec::new(), boxed: Vec::new() }
    }

    /// Fills the slot of a joining waiter: an empty slot, or a new one at the end.
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

    /// Moves the content of a slot to an empty one.
    pub(crate) fn pass(&mut self, from: Key, to: Key) {
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
