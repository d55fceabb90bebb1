//! A thread that drives one future to its end, as that future's waker knows it.

#![forbid(unsafe_code)]

use std::sync::{Arc, OnceLock};
use std::task::Wake;
use std::thread::{self, Thread};

use crate::primitives::{AtomicBool, Ordering};
use crate::scheduler::timers::timer_queue::Shard;

/// Called with the address of the driver that is woken, for the first time since its poll began.
pub(super) type Call = Box<dyn Fn(usize) + Send + Sync>;

/// Who is told of wakes, beside the thread.
pub(super) enum Listener {
    /// Before the wake, so that a trace has it before the poll that it causes.
    Before(Call),
    /// After the wake, so that the poll finds it.
    After(Call),
}

pub(crate) struct Driver {
    thread: Thread,
    /// A wake since the last poll began. The thread's park token cannot serve for this, since the
    /// future may park and unpark the thread for purposes of its own.
    woken: AtomicBool,
    listener: Option<Listener>,
    /// Created with the first timer that the future waits for. `None`: they are in a shared shard.
    pub(crate) timers: OnceLock<Option<Arc<Shard>>>,
}

impl Driver {
    /// Its own timers, if it has any.
    pub(crate) fn shard(&self) -> Option<&Shard> {
        self.timers.get()?.as_deref()
    }

    /// The calling thread, with a first poll to do.
    pub(super) fn new(listener: Option<Listener>) -> Arc<Self> {
        Arc::new(Driver {
            thread: thread::current(),
            woken: AtomicBool::new(true),
            listener,
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

    /// For its own thread: there is a poll to do.
    pub(super) fn set_woken(&self) {
        self.woken.store(true, Ordering::Relaxed);
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
        // Two wakes at the same time may both be told.
        if let Some(Listener::Before(call)) = &self.listener
            && !self.is_woken()
        {
            call(self.address());
        }
        if !self.woken.swap(true, Ordering::Release) {
            self.thread.unpark();
            if let Some(Listener::After(call)) = &self.listener {
                call(self.address());
            }
        }
    }
}
