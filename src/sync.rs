//! The locks and atomics that the model-checked files use.
//!
//! `tests/models.rs` compiles the same files against a `sync` of the same names made of loom's
//! types, so the checked code and the shipped code are one text, without a `cfg` in either.

#![forbid(unsafe_code)]

pub(crate) use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};
pub(crate) use std::sync::{Condvar, Mutex, MutexGuard};

/// Locks, also after a panic elsewhere: no code of the user runs under our locks, so what a lock
/// protects is whole whenever it is free.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
