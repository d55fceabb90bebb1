//! The locks and atomics that the model-checked files use.
//!
//! `tests/models.rs` compiles the same files against a `sync` of the same names made of loom's
//! types, so the checked code and the shipped code are one text, without a `cfg` in either.

#![forbid(unsafe_code)]

pub(crate) use std::sync::atomic::{
    AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence,
};
pub(crate) use std::sync::{Condvar, Mutex, MutexGuard};

/// Locks, also after a panic elsewhere: no code of the user runs under our locks, so what a lock
/// protects is whole whenever it is free.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// The same for a lock that is held for some twenty nanoseconds at a time. Sleeping for it costs a
/// hundred times as much, and makes the holder wake the sleeper.
#[inline]
pub(crate) fn lock_shortly<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    match mutex.try_lock() {
        Ok(guard) => guard,
        Err(_) => lock_contended(mutex),
    }
}

#[cold]
fn lock_contended<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    const SPINS: u32 = 6;
    const YIELDS: u32 = 8;
    for round in 0..SPINS + YIELDS {
        if round < SPINS {
            (0..1 << round).for_each(|_| std::hint::spin_loop());
        } else {
            // The holder may have lost its core.
            std::thread::yield_now();
        }
        if let Ok(guard) = mutex.try_lock() {
            return guard;
        }
    }
    lock(mutex)
}
