//! `src/primitives.rs` in loom's types.

use std::cell::Cell;
use std::sync::LockResult;
use std::time::Duration;

pub(crate) use loom::sync::atomic::{Ordering, fence};
pub(crate) use loom::sync::{Mutex, MutexGuard};

/// To choose the schedules worth trying, loom 0.7.2 remembers the last access to each atomic only,
/// so it overlooks that a load conflicts with a later store if the storing thread (or any other)
/// has loaded in between, and never tries them in the other order: `count_finished` by one thread
/// and `finished` by another is an example. So each access here comes with one to a gate, which
/// conflicts with every other. The gate orders nothing: it is relaxed, and what a relaxed
/// read-modify-write adds between `SeqCst` fences, loom's fences have by themselves.
macro_rules! atomics {
    ($($name:ident of $value:ty),*) => {$(
        pub(crate) struct $name {
            gate: loom::sync::atomic::AtomicUsize,
            inner: loom::sync::atomic::$name,
        }

        #[allow(dead_code)]
        impl $name {
            pub(crate) fn new(value: $value) -> Self {
                $name {
                    gate: loom::sync::atomic::AtomicUsize::new(0),
                    inner: loom::sync::atomic::$name::new(value),
                }
            }

            fn pass(&self) -> &loom::sync::atomic::$name {
                self.gate.fetch_add(1, Ordering::Relaxed);
                &self.inner
            }

            pub(crate) fn load(&self, order: Ordering) -> $value {
                self.pass().load(order)
            }

            pub(crate) fn store(&self, value: $value, order: Ordering) {
                self.pass().store(value, order);
            }

            pub(crate) fn swap(&self, value: $value, order: Ordering) -> $value {
                self.pass().swap(value, order)
            }

            pub(crate) fn compare_exchange(
                &self,
                current: $value,
                new: $value,
                success: Ordering,
                failure: Ordering,
            ) -> Result<$value, $value> {
                self.pass().compare_exchange(current, new, success, failure)
            }
        }
    )*};
}

macro_rules! numbers {
    ($($name:ident of $value:ty),*) => {
        atomics!($($name of $value),*);
        $(#[allow(dead_code)]
        impl $name {
            pub(crate) fn fetch_add(&self, value: $value, order: Ordering) -> $value {
                self.pass().fetch_add(value, order)
            }

            pub(crate) fn fetch_sub(&self, value: $value, order: Ordering) -> $value {
                self.pass().fetch_sub(value, order)
            }
        })*
    };
}

atomics!(AtomicBool of bool);
numbers!(AtomicU32 of u32, AtomicU64 of u64, AtomicUsize of usize);

macro_rules! const_fn {
    ($($function:tt)*) => {
        $($function)*
    };
}
pub(crate) use const_fn;

pub(crate) const fn limit(_shipped: usize, modelled: usize) -> usize {
    modelled
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap()
}

/// The others go first: as long as they have not, another attempt would find the same.
pub(crate) fn lock_backoff(_turn: u32) {
    loom::thread::yield_now();
}

/// Set under a lock, and read without one.
pub(crate) struct OnceLock<T> {
    is_set: AtomicBool,
    value: std::sync::OnceLock<T>,
}

impl<T> OnceLock<T> {
    pub(crate) fn new() -> Self {
        OnceLock { is_set: AtomicBool::new(false), value: std::sync::OnceLock::new() }
    }

    pub(crate) fn get(&self) -> Option<&T> {
        if self.is_set.load(Ordering::Acquire) { self.value.get() } else { None }
    }

    pub(crate) fn set(&self, value: T) -> Result<(), T> {
        self.value.set(value)?;
        self.is_set.store(true, Ordering::Release);
        Ok(())
    }
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
