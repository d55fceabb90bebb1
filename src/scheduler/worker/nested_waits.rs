//! How many workers wait inside a nested `block_on`. Exit does not wait for these as for others
//! (`main/grace.rs`). What such a wait does: `away.rs`, `main/drive.rs`.

#![forbid(unsafe_code)]

use crate::primitives::{AtomicUsize, Ordering};

pub(crate) struct NestedWaits {
    workers: AtomicUsize,
    /// Those where a goroutine called it in its poll, rather than a destructor that exit calls, or
    /// one after the poll.
    goroutines: AtomicUsize,
}

impl NestedWaits {
    pub(crate) fn new() -> Self {
        NestedWaits { workers: AtomicUsize::new(0), goroutines: AtomicUsize::new(0) }
    }

    /// Counts a worker that begins to wait for others.
    pub(crate) fn begin(&self, by_goroutine: bool) {
        self.workers.fetch_add(1, Ordering::SeqCst);
        self.goroutines.fetch_add(by_goroutine.into(), Ordering::SeqCst);
    }

    pub(crate) fn end(&self, by_goroutine: bool) {
        self.goroutines.fetch_sub(by_goroutine.into(), Ordering::SeqCst);
        self.workers.fetch_sub(1, Ordering::SeqCst);
    }

    /// How many workers are inside a nested `block_on`.
    pub(crate) fn workers(&self) -> usize {
        self.workers.load(Ordering::SeqCst)
    }

    /// How many goroutines are inside a nested `block_on` that they called in their polls.
    pub(crate) fn goroutines(&self) -> usize {
        self.goroutines.load(Ordering::SeqCst)
    }
}
