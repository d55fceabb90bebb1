//! How many operations whoever is polled on a thread may still begin in this poll (`gate.rs`).

#![forbid(unsafe_code)]

use crate::sync::{AtomicU32, Ordering};

/// At some thirty nanoseconds for each operation, giving way after so many costs two percent.
pub(crate) const FULL: u32 = 128;

/// Spent by its own thread. Others may only exhaust it, and it is no matter if that is lost because the
/// thread spends at the same moment: they come again.
pub(crate) struct Budget {
    left: AtomicU32,
}

impl Budget {
    pub(crate) fn new() -> Self {
        Budget { left: AtomicU32::new(FULL) }
    }

    /// Says whether there was something to spend.
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

    /// Leaves so much.
    pub(crate) fn set(&self, left: u32) {
        self.left.store(left, Ordering::Relaxed);
    }

    pub(crate) fn left(&self) -> u32 {
        self.left.load(Ordering::Relaxed)
    }

    /// By others: the next operation gives way.
    pub(crate) fn exhaust(&self) {
        self.left.store(0, Ordering::Relaxed);
    }
}
