//! The lock of a channel, and the value it protects.
//!
//! `std`'s `Mutex<V>` would do, except for two things. First, `select!` holds the locks of channels
//! of different types at once, so a guard must not carry the type: [`Held`] does not, and opens a
//! [`Locked`] of any type whose lock it holds. Second, the lock is held for about twenty
//! nanoseconds, so taking and releasing a `Mutex` was half of the cost of a value.
//!
//! # Protocol
//!
//! ```text
//! take        false → true, one compare-exchange; the thread that makes it has the lock
//! release     false, a plain store: it wakes no thread, because none sleeps until it is woken
//! wait        spin, then yield, then sleep briefly, and try again after each (`primitives::wait_a_turn`)
//! ```
//!
//! A waiter that finds the lock taken backs off for a microsecond or two, a hundred times as long
//! as the lock is held, and twice as long the next time. That makes a channel fast between two
//! cores: the other core meanwhile goes on alone, with all of the channel in its cache, until the
//! buffer is full or empty. If the holder has lost its core, the waiters give up theirs, even to a
//! thread of lower priority, since they end up sleeping.
//!
//! The lock is not fair. Waiters for *values* are served first come, first served; the lock only
//! decides which one joins the queue next.
//!
//! # Why it is sound
//!
//! - At most one `Held` of a lock exists: it is made after false → true, and only its drop stores
//!   false again. A forgotten `Held` leaves the lock taken.
//! - Two live locks have different addresses, because they are not zero-sized, and a `Held` borrows
//!   its lock. So a `Held` with the address of the lock in a `Locked` belongs to that lock.
//! - `get` borrows the `Held` mutably for as long as the reference it returns, so there is one such
//!   reference at a time.
//! - The former holder's accesses happen before the next one's: Release in `drop`, Acquire in
//!   `try_take`.
//!
//! Modelled in `tests/models/lock.rs`.
//!
//! # Rejected
//!
//! - `std::sync::Mutex`: it needs a swap to release, and a flag for panics; 80 instructions more
//!   for each value.
//! - `parking_lot::Mutex`: it needs a second read-modify-write, to release, to learn of sleepers.
//!   With the same backoff, a value took 1.17 times as long from four goroutines to four, and 1.4
//!   times one to one.
//! - A short spin before the second attempt, instead of the long one: twice the time, four to four.
//!   A spin of 256 turns: 1.5 times the time, one to one.

#![allow(unsafe_code)]

use std::cell::UnsafeCell;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::ptr;

use crate::primitives::{AtomicBool, Ordering, wait_a_turn};

pub struct Lock {
    is_held: AtomicBool,
}

/// A guard: the lock is held until this is dropped.
pub struct Held<'a>(&'a Lock);

/// A value that only the holder of its lock may access.
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

// SAFETY: a shared `Locked` lends the value to one thread at a time (see above). That requires no
// more than `V: Send`, as for a `Mutex<V>`.
unsafe impl<V: Send> Sync for Locked<V> {}

// No user code runs under the lock, so no panic can leave the value half changed.
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
    /// If `held` holds another lock than this value's.
    #[inline]
    pub(crate) fn get<'g>(&'g self, held: &'g mut Held<'_>) -> &'g mut V {
        assert!(held.is_of(&self.lock), "a lock opens its own value only");
        // SAFETY: `held` is the one `Held` of this value's lock (see above). It is borrowed mutably
        // for as long as the reference made here, so there is no other. Exercised by
        // `soundness::values_behind_the_locks_of_channels`.
        unsafe { &mut *self.value.get() }
    }
}
