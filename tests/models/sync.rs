//! `src/sync.rs` in loom's types.

use std::cell::Cell;
use std::sync::LockResult;
use std::time::Duration;

pub(crate) use loom::sync::atomic::{
    AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence,
};
pub(crate) use loom::sync::{Mutex, MutexGuard};

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap()
}

thread_local! {
    // All threads of a model run on the thread of its test.
    static TIME_PASSES: Cell<bool> = const { Cell::new(false) };
}

/// Whether timed waits end by themselves in the models of this test.
pub(crate) fn let_time_pass(passes: bool) {
    TIME_PASSES.set(passes);
}

/// Loom's `wait_timeout` (0.7.2) never times out. Here it either does that, which is the harder
/// case for whoever should be woken, or it always times out at once; the moment in which it does
/// is as arbitrary as the schedule. A loop of timed waits must then yield to the other threads.
pub(crate) struct Condvar(loom::sync::Condvar);

impl Condvar {
    pub(crate) fn new() -> Self {
        Condvar(loom::sync::Condvar::new())
    }

    pub(crate) fn wait<'a, T>(&self, guard: MutexGuard<'a, T>) -> LockResult<MutexGuard<'a, T>> {
        self.0.wait(guard)
    }

    pub(crate) fn wait_timeout<'a, T>(
        &self,
        guard: MutexGuard<'a, T>,
        _limit: Duration,
    ) -> LockResult<(MutexGuard<'a, T>, bool)> {
        if TIME_PASSES.get() {
            return Ok((guard, true));
        }
        Ok((self.0.wait(guard).unwrap(), false))
    }

    pub(crate) fn notify_one(&self) {
        self.0.notify_one();
    }
}
