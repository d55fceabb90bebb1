//! `src/chan/lock.rs` as others see it, made of loom's mutex: loom knows who waits for one, where it would
//! run in circles with threads that try again and again.

use std::cell::UnsafeCell;
use std::ptr;

use crate::primitives::{Mutex, MutexGuard, lock};

pub struct Lock(Mutex<()>);

pub struct LockGuard<'a> {
    lock: &'a Lock,
    _guard: MutexGuard<'a, ()>,
}

pub(crate) struct Locked<V> {
    lock: Lock,
    value: UnsafeCell<V>,
}

impl Lock {
    pub(crate) fn acquire(&self) -> LockGuard<'_> {
        LockGuard { lock: self, _guard: lock(&self.0) }
    }
}

impl LockGuard<'_> {
    pub(crate) fn is_of(&self, lock: &Lock) -> bool {
        ptr::eq(self.lock, lock)
    }
}

impl<V> Locked<V> {
    pub(crate) fn new(value: V) -> Self {
        Locked { lock: Lock(Mutex::new(())), value: UnsafeCell::new(value) }
    }

    pub(crate) fn lock(&self) -> &Lock {
        &self.lock
    }

    pub(crate) fn get<'g>(&'g self, guard: &'g mut LockGuard<'_>) -> &'g mut V {
        assert!(guard.is_of(&self.lock));
        // SAFETY: as in `src/chan/lock.rs`. Besides, loom's threads are one thread.
        unsafe { &mut *self.value.get() }
    }
}
