//! The news that a set gets of its goroutines.

#![forbid(unsafe_code)]

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::{Wake, Waker};

use crate::primitives::{Mutex, lock};
use crate::scheduler::foreign;

/// The goroutines with news, and the waker of the task that waits for it.
#[derive(Default)]
pub(super) struct News {
    /// In the order of completion. A key may occur twice, or belong to an entry that has been
    /// removed or replaced, so the set checks the entry. [`EVERY`] stands for all entries.
    pub(super) keys: VecDeque<usize>,
    pub(super) waiting: Option<Waker>,
}

/// The key for all entries: some runtime has left goroutines behind.
pub(super) const EVERY: usize = usize::MAX;

/// Adds a goroutine's key, or [`EVERY`], to the news.
pub(super) struct Announce {
    pub(super) news: Arc<Mutex<News>>,
    pub(super) key: usize,
}

impl Wake for Announce {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let mut news = lock(&self.news);
        news.keys.push_back(self.key);
        let waiting = news.waiting.take();
        drop(news);
        // Outside the lock.
        if let Some(waker) = waiting {
            foreign::wake(waker);
        }
    }
}
