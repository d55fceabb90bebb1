//! What a set is told of its goroutines.

#![forbid(unsafe_code)]

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::{Wake, Waker};

use crate::scheduler::foreign;
use crate::sync::{Mutex, lock};

/// Of which goroutines there is news, and who waits for it.
#[derive(Default)]
pub(super) struct News {
    /// In the order of completion. A key may come twice, or be that of an entry that is gone or has
    /// been replaced: who takes it has to look. [`EVERY`] stands for all there are.
    pub(super) keys: VecDeque<usize>,
    pub(super) waiting: Option<Waker>,
}

/// Goroutines of some runtime were left behind.
pub(super) const EVERY: usize = usize::MAX;

/// Tells the set that there is news of the goroutine with this key, or of [`EVERY`] one.
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
