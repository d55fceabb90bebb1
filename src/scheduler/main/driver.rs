//! A thread that drives one future to its end, as that future's waker knows it.

#![forbid(unsafe_code)]

use std::sync::{Arc, OnceLock};
use std::task::Wake;
use std::thread::{self, Thread};

use crate::primitives::{AtomicBool, Ordering};
use crate::scheduler::timers::timer_queue::Shard;

/// Called with the address of the driver that is woken.
pub(super) type RecordWake = Box<dyn Fn(usize) + Send + Sync>;

pub(crate) struct Driver {
    thread: Thread,
    /// A wake since the last poll began. The thread's park token cannot serve for this, since the
    /// future may park and unpark the thread for purposes of its own.
    woken: AtomicBool,
    /// Records wakes, if the runtime of the thread records anything.
    record_wake: Option<RecordWake>,
    /// Created with the first timer that the future waits for. `None`: they are in a shared shard.
    pub(crate) timers: OnceLock<Option<Arc<Shard>>>,
}

impl Driver {
    /// Its own timers, if it has any.
    pub(crate) fn shard(&self) -> Option<&Shard> {
        self.timers.get()?.as_deref()
    }

    /// The calling thread, with a first poll to do.
    pub(crate) fn new(record_wake: Option<RecordWake>) -> Arc<Self> {
        Arc::new(Driver {
            thread: thread::current(),
            woken: AtomicBool::new(true),
            record_wake,
            timers: OnceLock::new(),
        })
    }

    /// How events name it.
    pub(crate) fn address(self: &Arc<Self>) -> usize {
        Arc::as_ptr(self).addr()
    }

    /// Returns whether there is a poll to do, and clears that.
    pub(crate) fn take_wake(&self) -> bool {
        // Ordering: Acquire pairs with the Release in `wake_by_ref`.
        self.woken.swap(false, Ordering::Acquire)
    }

    pub(crate) fn is_woken(&self) -> bool {
        self.woken.load(Ordering::Relaxed)
    }
}

impl Wake for Driver {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // Ordering: Release pairs with the Acquire in `take_wake`: what was done before the wake is
        // seen by the poll it causes.
        // Before the wake, which this thread may find at once. Two at the same time may both record it.
        if let Some(record_wake) = &self.record_wake
            && !self.is_woken()
        {
            record_wake(self.address());
        }
        if !self.woken.swap(true, Ordering::Release) {
            self.thread.unpark();
        }
    }
}
