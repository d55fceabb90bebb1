//! Values behind a lock that does not know their type.
//!
//! A `Mutex<(C, V)>` for each `V` would do, but its guards would be of as many types, and `select!`
//! has to hold those of all its channels at once. So the lock holds `C` alone, and lies beside the
//! values, which whoever shows its guard gets.
//!
//! The only unsafe code of the channels.

#![allow(unsafe_code)]

use std::cell::UnsafeCell;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::ptr;

use crate::sync::{Mutex, MutexGuard, lock_shortly};

pub(crate) struct LockCell<C, V> {
    control: Mutex<C>,
    values: UnsafeCell<V>,
}

// SAFETY: shared, it gives out `values` to one thread at a time (see `get`), which takes no more
// than `V: Send`, as for a `Mutex<V>`.
unsafe impl<C: Send, V: Send> Sync for LockCell<C, V> {}

// No code of the user runs under the lock, so there is no panic that could leave things half done.
impl<C, V> UnwindSafe for LockCell<C, V> {}
impl<C, V> RefUnwindSafe for LockCell<C, V> {}

impl<C, V> LockCell<C, V> {
    pub(crate) fn new(control: C, values: V) -> Self {
        LockCell { control: Mutex::new(control), values: UnsafeCell::new(values) }
    }

    #[inline]
    pub(crate) fn mutex(&self) -> &Mutex<C> {
        &self.control
    }

    #[inline]
    pub(crate) fn lock(&self) -> MutexGuard<'_, C> {
        lock_shortly(&self.control)
    }

    /// What `guard` protects, both halves.
    ///
    /// # Panics
    ///
    /// If it is the guard of another lock.
    #[inline]
    pub(crate) fn get<'g>(&'g self, guard: &'g mut MutexGuard<'_, C>) -> (&'g mut C, &'g mut V) {
        let control: &mut C = guard;
        let offset =
            ptr::from_ref(control).addr().wrapping_sub(ptr::from_ref(&self.control).addr());
        assert!(
            size_of::<C>() > 0 && offset < size_of::<Mutex<C>>(),
            "a guard opens its own lock only"
        );
        // SAFETY: `control` lies inside `self.control`, so `guard` is a guard of that lock, of which
        // there is one at a time. It is borrowed mutably for as long as the reference made here, the
        // only kind there is to `values`, so there is no other.
        let values = unsafe { &mut *self.values.get() };
        (control, values)
    }
}
