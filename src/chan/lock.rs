//! The lock of a channel, and of what `sync` has, and the value it protects.
//!
//! `std`'s `Mutex<V>` would do, except for two things. First, `select!` holds the locks of channels
//! of different types at once, so a guard must not carry the type: [`LockGuard`] does not, and
//! opens a [`Locked`] of any type whose lock it holds. Second, the lock is held for about twenty
//! nanoseconds, so taking and releasing a `Mutex` was half of the cost of a value.
//!
//! # Protocol
//!
//! ```text
//! take        false → true, one compare-exchange; the thread that makes it has the lock
//! release     false, a plain store: it wakes no thread, because none sleeps until it is woken
//! wait        spin, then yield, then sleep briefly, and try again after each (`lock_backoff`)
//! ```
//!
//! `lock_backoff` (`primitives.rs`) says why the waits are as long as they are.
//!
//! The lock is not fair. Waiters for *values* are served first come, first served; the lock only
//! decides which one enters the queue next.
//!
//! # Why it is sound
//!
//! - At most one `LockGuard` of a lock exists: it is made after false → true, and only its drop
//!   stores false again. A forgotten `LockGuard` leaves the lock taken.
//! - Two live locks have different addresses, because they are not zero-sized, and a `LockGuard`
//!   borrows its lock. So a `LockGuard` with the address of the lock in a `Locked` belongs to that
//!   lock.
//! - `get` borrows the `LockGuard` mutably for as long as the reference it returns, so there is one
//!   such reference at a time.
//! - The former holder's accesses happen before the next one's: Release in `drop`, Acquire in
//!   `try_acquire`.
//!
//! Modelled in `tests/models/lock_model.rs`.
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

use crate::primitives::{AtomicBool, Ordering, const_fn, lock_backoff};

pub struct Lock {
    is_held: AtomicBool,
}

/// A guard: the lock is held until this is dropped.
pub struct LockGuard<'a>(&'a Lock);

/// A value that only the holder of its lock may access.
pub(crate) struct Locked<V> {
    lock: Lock,
    value: UnsafeCell<V>,
}

impl Lock {
    #[inline]
    pub(crate) fn acquire(&self) -> LockGuard<'_> {
        if !self.try_acquire() {
            self.acquire_contended();
        }
        LockGuard(self)
    }

    #[inline]
    fn try_acquire(&self) -> bool {
        // Ordering: Acquire pairs with the Release in `LockGuard::drop`.
        self.is_held.compare_exchange(false, true, Ordering::Acquire, Ordering::Relaxed).is_ok()
    }

    #[cold]
    fn acquire_contended(&self) {
        let mut turn = 0;
        loop {
            lock_backoff(turn);
            if self.try_acquire() {
                return;
            }
            turn += 1;
        }
    }
}

impl LockGuard<'_> {
    #[inline]
    pub(crate) fn is_of(&self, lock: &Lock) -> bool {
        ptr::eq(self.0, lock)
    }
}

impl Drop for LockGuard<'_> {
    #[inline]
    fn drop(&mut self) {
        // Ordering: Release pairs with the Acquire in `try_acquire`.
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
    const_fn! {
        pub(crate) fn new(value: V) -> Self {
            let lock = Lock { is_held: AtomicBool::new(false) };
            Locked { lock, value: UnsafeCell::new(value) }
        }
    }

    #[inline]
    pub(crate) fn lock(&self) -> &Lock {
        &self.lock
    }

    /// # Panics
    ///
    /// If `guard` holds another lock than this value's.
    #[inline]
    pub(crate) fn get<'g>(&'g self, guard: &'g mut LockGuard<'_>) -> &'g mut V {
        assert!(guard.is_of(&self.lock), "a lock opens its own value only");
        // SAFETY: `guard` is the one `LockGuard` of this value's lock (see above). It is borrowed
        // mutably for as long as the reference made here, so there is no other. Exercised by
        // `soundness::values_behind_the_locks_of_channels`.
        unsafe { &mut *self.value.get() }
    }
}
