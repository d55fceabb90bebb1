//! How many operations may still begin in the poll that runs on a thread (`gate.rs`).

#![forbid(unsafe_code)]

use crate::primitives::{AtomicU32, Ordering};

/// A send or a receive that is ready takes some ten nanoseconds; giving way after this many costs two
/// percent. With 128, a sender filled a buffer of 128 and gave way, where it could have waited for
/// the receiver: then both were in the run queue, another worker took one of them, and each value
/// changed cores, for one and a half times the time.
pub(crate) const FULL: u32 = 256;

/// Its own thread spends it. Others only exhaust it. That may be lost if the thread spends at the
/// same moment, which does no harm: they try again.
pub(crate) struct Budget {
    left: AtomicU32,
}

impl Budget {
    pub(crate) fn new() -> Self {
        Budget { left: AtomicU32::new(FULL) }
    }

    /// Returns whether there was something to spend.
    #[inline]
    pub(crate) fn spend(&self) -> bool {
        let left = self.left.load(Ordering::Relaxed);
        if left == 0 {
            return false;
        }
        self.left.store(left - 1, Ordering::Relaxed);
        true
    }

    #[inline]
    pub(crate) fn refill(&self) {
        self.left.store(FULL, Ordering::Relaxed);
    }

    /// Sets what is left.
    pub(crate) fn set(&self, left: u32) {
        self.left.store(left, Ordering::Relaxed);
    }

    pub(crate) fn left(&self) -> u32 {
        self.left.load(Ordering::Relaxed)
    }

    /// Other threads call this: the next operation gives way.
    pub(crate) fn exhaust(&self) {
        self.left.store(0, Ordering::Relaxed);
    }
}
