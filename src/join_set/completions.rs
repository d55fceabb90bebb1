//! What the goroutines of a set tell it.

#![forbid(unsafe_code)]

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::{Wake, Waker};

use crate::primitives::{Mutex, lock};
use crate::scheduler::foreign_wakers;

/// The goroutines that may have completed, and the waker of the task that waits for one.
#[derive(Default)]
pub(super) struct Completions {
    /// In the order of completion. A key may occur twice, or belong to an entry that has been
    /// removed or replaced, so the set checks the entry. [`ALL`] stands for all entries.
    pub(super) keys: VecDeque<usize>,
    pub(super) waiting: Option<Waker>,
}

/// The key for all entries: some runtime has left goroutines behind.
pub(super) const ALL: usize = usize::MAX;

/// A waker: adds a goroutine's key, or [`ALL`], to the completions.
pub(super) struct NotifyCompletion {
    pub(super) completions: Arc<Mutex<Completions>>,
    pub(super) key: usize,
}

impl Wake for NotifyCompletion {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let mut completions = lock(&self.completions);
        completions.keys.push_back(self.key);
        let waiting = completions.waiting.take();
        drop(completions);
        // Outside the lock.
        if let Some(waker) = waiting {
            foreign_wakers::wake(waker);
        }
    }
}
