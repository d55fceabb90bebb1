//! The locks and atomics that the model-checked files use.
//!
//! `tests/models/models.rs` compiles the same files against a `sync` that has the same names, made of
//! loom's types. So the checked code and the shipped code are one text, without a `cfg` in either.

#![forbid(unsafe_code)]

use std::hint;
use std::thread;
use std::time::Duration;

pub(crate) use std::sync::atomic::{
    AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence,
};
pub(crate) use std::sync::{Condvar, Mutex, MutexGuard, OnceLock};

/// A constructor that can make a `static`. Under loom it cannot, as loom's types are not made so.
macro_rules! const_fn {
    ($visibility:vis fn $($rest:tt)*) => {
        $visibility const fn $($rest)*
    };
}
pub(crate) use const_fn;

/// A limit, which is small in models, so that they reach it.
pub(crate) const fn limit(shipped: usize, _modelled: usize) -> usize {
    shipped
}

/// Locks, also after a panic elsewhere: no user code runs under our locks, so what a lock protects
/// is consistent whenever it is free.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Backoff before lock attempt `turn`: spin, yield, sleep. For locks that are never held for long,
/// as those of channels.
///
/// The first wait is a microsecond or two, a hundred times as long as a channel's lock is held, and
/// the next one twice as long. That makes a channel fast between two cores: the other core
/// meanwhile goes on alone, with all of the channel in its cache, until the buffer is full or
/// empty. If the holder has lost its core, the waiters give up theirs, even to a thread of lower
/// priority, since they end up sleeping.
pub(crate) fn lock_backoff(turn: u32) {
    const SPINS: u32 = 3;
    const YIELDS: u32 = 8;
    if turn < SPINS {
        (0..64 << turn).for_each(|_| hint::spin_loop());
    } else if turn < SPINS + YIELDS {
        // The holder may have lost its core. Few yields: on a busy machine each may take
        // milliseconds.
        thread::yield_now();
    } else {
        // The holder may also have a lower priority.
        thread::sleep(Duration::from_micros(50));
    }
}
