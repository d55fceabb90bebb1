//! How many goroutines are alive, without a counter that all workers share.
//!
//! Each worker counts the goroutines spawned and finished inside polls on it, in cells that only it
//! writes. All other code (main, outside threads, destructors that run after a goroutine completed)
//! counts in shared pairs with read-modify-writes. There are several such pairs, so that threads do
//! not contend for one.
//!
//! A reader sums the finished counts first, then the spawned ones. If both sums are equal, nothing
//! is alive:
//!
//! - Counters only grow. So equality says that at the moment between the two phases no goroutine
//!   *visible to the reader* was alive.
//! - If the reader sees a finish, it also sees the spawn of that goroutine: spawn, push, pop and
//!   finish are one chain of happens-before that ends in the reader's Acquire.
//! - Suppose a living goroutine's spawn is not visible. If a worker counted it, it was spawned
//!   inside the poll of a parent. The reader does not see the parent's finish, because that comes
//!   after the spawn on the same worker. So the parent's spawn is not visible either, or the sums
//!   would differ. The same holds for each ancestor, up to a goroutine that was spawned by main,
//!   which is the reader itself, or counted in a shared pair. The latter was counted before its
//!   spawner checked whether the runtime is closed, and the reader reads after it has set that
//!   (both SeqCst). So it is visible, or its spawner found the runtime closed. A contradiction.
//!
//! So once the runtime is closed, equality means "nothing is alive". Before that, it is a good
//! figure.

#![forbid(unsafe_code)]

use crate::primitives::{AtomicU64, Ordering};

/// Goroutines spawned and finished, as counted in one place.
#[repr(align(128))]
pub(crate) struct LiveCount {
    spawned: AtomicU64,
    finished: AtomicU64,
}

impl LiveCount {
    pub(crate) fn new() -> Self {
        LiveCount { spawned: AtomicU64::new(0), finished: AtomicU64::new(0) }
    }

    /// Only for the worker that owns these counts.
    #[inline]
    pub(crate) fn count_spawned(&self) {
        let spawned = self.spawned.load(Ordering::Relaxed);
        self.spawned.store(spawned + 1, Ordering::Relaxed);
    }

    /// Only for the worker that owns these counts.
    #[inline]
    pub(crate) fn count_finished(&self) {
        let finished = self.finished.load(Ordering::Relaxed);
        // Ordering: Release pairs with the Acquire in `finished`.
        self.finished.store(finished + 1, Ordering::Release);
    }

    /// For any thread, in a shared pair.
    pub(crate) fn count_spawned_outside(&self) {
        // Ordering: SeqCst, before the spawner reads the phase; see the top of this file.
        self.spawned.fetch_add(1, Ordering::SeqCst);
    }

    /// For any thread whose spawn was refused, in the shared pair that counted it.
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
