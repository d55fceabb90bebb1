//! What a scope uses of a goroutine that waits for its deadline.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Counts how often it was aborted.
#[derive(Clone, Default)]
pub(crate) struct AbortHandle(Arc<AtomicUsize>);

impl AbortHandle {
    pub(crate) fn abort(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn times_aborted(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}
