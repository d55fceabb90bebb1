//! The head of a channel's buffer: values that receivers take without the channel's lock.
//!
//! Senders and receivers on two cores would take the channel's lock from each other for each value.
//! So a receive that finds many values, and no sender waiting, *detaches* them: it moves the whole
//! buffer behind a second lock, in constant time. Receivers then take only that lock, and senders
//! only the channel's, until the head is empty or somebody *attaches* it again.
//!
//! # Protocol
//!
//! ```text
//! detach   with the channel's lock, the head empty, no sender queued: swap head and buffer
//! take     without the channel's lock: the first value of the head; if there is none, the caller
//!          goes on with the channel's lock
//! attach   with the channel's lock: the head, then the buffer, become the buffer
//! ```
//!
//! Lock order: the channel's, then the head's. No lock is taken under the head's.
//!
//! # Why nobody can tell
//!
//! - Values stay in order. Those of the head are older than those of the buffer, and the buffer's
//!   are taken, or moved to the head, only after `attach`.
//! - A `take` is as atomic as a receive under the channel's lock: it is the receive that would have
//!   found the same value. It skips the check for waiting senders because there is none: a sender
//!   attaches the head before it waits, and nobody detaches it while one is queued.
//! - Counts are exact. `len` takes both locks. A send first counts as many as were detached, which is
//!   no fewer than are left. If that leaves no room it attaches the head, and counts again.
//! - Receivers wait only when the buffer is empty and the head attached.
//!
//! # Cost
//!
//! `attach` moves the values of the shorter of the two, and no more than were sent since the head
//! was detached. Afterwards they are part of what the next `detach` swaps. So a value moves once at
//! most, on average. The head keeps the memory of the buffer it was swapped for, so a busy channel has two
//! buffers.
//!
//! A channel has a head only after a receive has left [`FEWEST`] values or more in it. A channel of
//! few values stays as small as it was, and its receives take one lock.
//!
//! The idea of a lock for each end is that of M. Michael and M. Scott's two-lock queue (1996). Its
//! ends meet at a node in the middle, which needs an allocation for each value; here they meet when
//! the head is empty.

#![forbid(unsafe_code)]

use std::collections::VecDeque;
use std::mem;

use crate::chan::lock::Locked;
use crate::primitives::{AtomicBool, Ordering, limit};

/// To detach values takes the head's lock, and so does the end of the batch. For fewer values than
/// this it does not pay.
pub(crate) const FEWEST: usize = limit(8, 1);

// On cache lines of its own, away from what senders write.
#[repr(align(128))]
pub(crate) struct Head<T> {
    /// Written with the lock. Read without it, as a hint only: who misses a value takes the
    /// channel's lock, and attaches the head.
    has_values: AtomicBool,
    values: Locked<VecDeque<T>>,
}

impl<T> Head<T> {
    pub(crate) fn new() -> Self {
        Head { has_values: AtomicBool::new(false), values: Locked::new(VecDeque::new()) }
    }

    #[inline]
    pub(crate) fn take(&self) -> Option<T> {
        // Ordering: Relaxed, it is a hint.
        if !self.has_values.load(Ordering::Relaxed) {
            return None;
        }
        let mut guard = self.values.lock().acquire();
        let values = self.values.get(&mut guard);
        let value = values.pop_front();
        if values.is_empty() {
            self.has_values.store(false, Ordering::Relaxed);
        }
        value
    }

    /// Swaps the buffer with the head, which is empty.
    pub(crate) fn detach(&self, buffer: &mut VecDeque<T>) {
        let mut guard = self.values.lock().acquire();
        mem::swap(self.values.get(&mut guard), buffer);
        self.has_values.store(true, Ordering::Relaxed);
    }

    /// Puts what is left of the head in front of the buffer.
    pub(crate) fn attach(&self, buffer: &mut VecDeque<T>) {
        let mut guard = self.values.lock().acquire();
        let values = self.values.get(&mut guard);
        if values.len() < buffer.len() {
            while let Some(value) = values.pop_back() {
                buffer.push_front(value);
            }
        } else {
            values.append(buffer);
            mem::swap(values, buffer);
        }
        self.has_values.store(false, Ordering::Relaxed);
    }

    /// Takes the memory of a head that is attached.
    pub(crate) fn take_memory(&self) -> VecDeque<T> {
        mem::take(self.values.get(&mut self.values.lock().acquire()))
    }

    pub(crate) fn len(&self) -> usize {
        self.values.get(&mut self.values.lock().acquire()).len()
    }

    /// Keeps room for `count` values.
    pub(crate) fn shrink(&self, count: usize) {
        self.values.get(&mut self.values.lock().acquire()).shrink_to(count);
    }
}
