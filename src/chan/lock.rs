//! The lock of a channel, and what it protects.
//!
//! `std`'s `Mutex<V>` would do, but for two things. `select!` holds the locks of channels of different
//! types at once, so what is held must not have the type in it: [`Held`] has not, and opens a [`Locked`]
//! of any type whose lock it is. And the lock is held for twenty nanoseconds, so that taking it and
//! giving it back were half of the cost of a value.
//!
//! # Protocol
//!
//! ```text
//! take        false → true, one compare-exchange; whoever has made it has the lock
//! give back   false, a plain store: nobody is to be woken, because nobody sleeps until he is woken
//! wait        spin, then yield, then sleep for moments, and try again after each (`sync::wait_a_turn`)
//! ```
//!
//! A waiter that finds the lock taken keeps away for a microsecond or two, a hundred times as long as it
//! is held, and twice as long the next time. That is what makes a channel fast between two cores:
//! meanwhile the other one goes on by itself, with all of the channel in its cache, until the buffer is
//! full or empty. And if the holder has lost its core the waiters give up theirs, also to a thread of a
//! lower priority, since they end up sleeping.
//!
//! It is not fair. Who waits for *values* is served first come, first served; the lock decides
//! only whose turn it is to join the line.
//!
//! # Why it is sound
//!
//! - At most one `Held` of a lock exists: it is made after false → true, and only its drop makes it false
//!   again. (Forgotten, it stays taken.)
//! - Two locks that are alive are at different addresses, as they are not of size zero, and a `Held`
//!   borrows its lock. So a `Held` that shows the address of the lock in a `Locked` is of that lock.
//! - `get` borrows the `Held` mutably for as long as the reference it gives out, so there is one such
//!   reference at a time.
//! - What the former holder did happens before what the next one does: Release in `drop`, Acquire in
//!   `try_take`.
//!
//! Modelled in `tests/models/lock.rs`.
//!
//! # Rejected
//!
//! - `std::sync::Mutex`: a swap to give back, and a flag for panics; 80 instructions more for each value.
//! - `parking_lot::Mutex`: a second read-modify-write, to give back, which tells it of sleepers. With the
//!   same way of waiting a value from four goroutines to four took 1.17 times as long, one to one 1.4 times.
//! - Spinning for a moment only before the second attempt, as if to be quick: twice the time, four to
//!   four. 256 turns of it: 1.5 times the time, one to one.

#![allow(unsafe_code)]

use std::cell::UnsafeCell;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::ptr;

use crate::sync::{AtomicBool, Ordering, wait_a_turn};

pub struct Lock {
    is_held: AtomicBool,
}

/// A lock that is held, until this is dropped.
pub struct Held<'a>(&'a Lock);

/// A value that is only for whoever holds its lock.
pub(crate) struct Locked<V> {
    lock: Lock,
    value: UnsafeCell<V>,
}

impl Lock {
    #[inline]
    pub(crate) fn hold(&self) -> Held<'_> {
        if !self.try_take() {
            self.take_in_turn();
        }
        Held(self)
    }

    #[inline]
    fn try_take(&self) -> bool {
        // Ordering: Acquire pairs with the Release in `Held::drop`.
        self.is_held.compare_exchange(false, true, Ordering::Acquire, Ordering::Relaxed).is_ok()
    }

    #[cold]
    fn take_in_turn(&self) {
        let mut turn = 0;
        loop {
            wait_a_turn(turn);
            if self.try_take() {
                return;
            }
            turn += 1;
        }
    }
}

impl Held<'_> {
    #[inline]
    pub(crate) fn is_of(&self, lock: &Lock) -> bool {
        ptr::eq(self.0, lock)
    }
}

impl Drop for Held<'_> {
    #[inline]
    fn drop(&mut self) {
        // Ordering: Release pairs with the Acquire in `try_take`.
        self.0.is_held.store(false, Ordering::Release);
    }
}

// SAFETY: shared, it gives out the value to one thread at a time (see above), which takes no more than
// `V: Send`, as for a `Mutex<V>`.
unsafe impl<V: Send> Sync for Locked<V> {}

// No code of the user runs under the lock, so there is no panic that could leave things half done.
impl<V> UnwindSafe for Locked<V> {}
impl<V> RefUnwindSafe for Locked<V> {}

impl<V> Locked<V> {
    pub(crate) fn new(value: V) -> Self {
        let lock = Lock { is_held: AtomicBool::new(false) };
        Locked { lock, value: UnsafeCell::new(value) }
    }

    #[inline]
    pub(crate) fn lock(&self) -> &Lock {
        &self.lock
    }

    /// # Panics
    ///
    /// If another lock is held than the one of this value.
    #[inline]
    pub(crate) fn get<'g>(&'g self, held: &'g mut Held<'_>) -> &'g mut V {
        assert!(held.is_of(&self.lock), "a lock opens its own value only");
        // SAFETY: `held` is the one `Held` of the lock of this value (see above), and is borrowed mutably
        // for as long as the reference made here, so there is no other. Exercised by
        // `soundness::values_behind_the_locks_of_channels`.
        unsafe { &mut *self.value.get() }
    }
}
