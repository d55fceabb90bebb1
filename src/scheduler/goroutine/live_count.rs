//! How many goroutines are alive, without a counter that all workers share.
//!
//! Each worker counts, in cells that only it writes, the goroutines spawned and finished inside
//! polls on it. Everything else (main, foreign threads, destructors that run after a goroutine
//! completed) counts in a shared pair with read-modify-writes; there are a few of these, so that
//! threads do not contend for one.
//!
//! The sum is taken finished first, then spawned. If both are equal, nothing is alive:
//!
//! - Counters only grow, so equality says that at the moment between the two phases no goroutine
//!   *visible to the reader* was alive.
//! - A finish that the reader sees makes the spawn of that goroutine visible too: spawn, push, pop
//!   and finish are one chain of happens-before that ends in the reader's Acquire.
//! - Suppose a living goroutine's spawn is not visible. If it was counted by a worker, it was
//!   spawned inside the poll of a parent. The parent's finish is not among those seen, since it
//!   comes after the spawn on the same worker; so the parent's spawn is not visible either, or the
//!   sums would differ. And so on up, to a goroutine spawned by main, which is the reader itself,
//!   or counted in a shared pair. That one was counted before its spawner looked whether the
//!   runtime is closed, and the reader reads after it has set that (both SeqCst): it is visible,
//!   or its spawner found the runtime closed. A contradiction.
//!
//! So equality means "nothing is alive" once the runtime is closed, and is a good figure before.

#![forbid(unsafe_code)]

use crate::sync::{AtomicU64, Ordering};

/// Goroutines spawned and finished in one place.
#[repr(align(128))]
pub(crate) struct LiveCount {
    spawned: AtomicU64,
    finished: AtomicU64,
}

impl LiveCount {
    pub(crate) fn new() -> Self {
        LiveCount { spawned: AtomicU64::new(0), finished: AtomicU64::new(0) }
    }

    /// By the worker these counts belong to.
    #[inline]
    pub(crate) fn count_spawned(&self) {
        let spawned = self.spawned.load(Ordering::Relaxed);
        self.spawned.store(spawned + 1, Ordering::Relaxed);
    }

    /// By the worker these counts belong to.
    #[inline]
    pub(crate) fn count_finished(&self) {
        let finished = self.finished.load(Ordering::Relaxed);
        // Ordering: Release pairs with the Acquire in `finished`.
        self.finished.store(finished + 1, Ordering::Release);
    }

    /// By anybody, in a shared pair.
    pub(crate) fn count_spawned_outside(&self) {
        // Ordering: SeqCst, before the spawner's look at the phase; see the top of this file.
        self.spawned.fetch_add(1, Ordering::SeqCst);
    }

    /// By anybody, in the shared pair in which it was counted: the spawn was refused.
    pub(crate) fn count_refused_outside(&self) {
        self.finished.fetch_add(1, Ordering::Release);
    }

    pub(crate) fn spawned(&self) -> u64 {
        // Ordering: SeqCst, after the reader has set the phase; see the top of this file.
        self.spawned.load(Ordering::SeqCst)
    }

    pub(crate) fn finished(&self) -> u64 {
        // Ordering: Acquire pairs with the Release in `count_finished`.
        self.finished.load(Ordering::Acquire)
    }
}
