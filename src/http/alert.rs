//! A waker for events that are rare, beside a future that is polled often.
//!
//! A connection waits for its requests, and also for the end of the server and the next look at its time
//! limits. To poll those with each request would cost as much as gorun's part of the request. So they have
//! this waker, which remembers that it was called: only then are they polled.
//!
//! Whenever the lock is free, either it is raised, or the task's waker is there for the next event. So an
//! event that finds no waker is one more of those for which the task has been woken, and that it has not
//! looked for yet.

#![forbid(unsafe_code)]

use std::sync::Arc;
use std::task::{Context, Wake, Waker};

use crate::primitives::{AtomicBool, Mutex, Ordering, lock};

pub(super) struct Alert {
    shared: Arc<Shared>,
    waker: Waker,
    /// The waker of the task, as of the last time that it was put into `shared`.
    task: Option<Waker>,
}

struct Shared {
    /// Changes with `task` locked.
    is_raised: AtomicBool,
    /// To be woken by the next event.
    task: Mutex<Option<Waker>>,
}

impl Wake for Shared {
    fn wake(self: Arc<Self>) {
        let task = {
            let mut task = lock(&self.task);
            // Ordering: Relaxed. The lock passes on what came before; and whoever takes the waker wakes
            // the task, which then sees it.
            self.is_raised.store(true, Ordering::Relaxed);
            task.take()
        };
        if let Some(task) = task {
            task.wake();
        }
    }
}

impl Alert {
    /// One that is raised, so that the events are polled for the first time.
    pub(super) fn new() -> Self {
        let shared = Shared { is_raised: AtomicBool::new(true), task: Mutex::new(None) };
        let shared = Arc::new(shared);
        Alert { waker: shared.clone().into(), shared, task: None }
    }

    /// Whether an event has come since the last time. From now on the task of `cx` learns of it.
    pub(super) fn is_raised(&mut self, cx: &mut Context<'_>) -> bool {
        let is_same = self.task.as_ref().is_some_and(|task| task.will_wake(cx.waker()));
        // Ordering: Relaxed. An event that this misses has yet to wake the task.
        if is_same && !self.shared.is_raised.load(Ordering::Relaxed) {
            return false;
        }
        // It may be a user's, so it is cloned and dropped without the lock.
        let (own, shared) = (cx.waker().clone(), cx.waker().clone());
        let (former, was_raised) = {
            let mut task = lock(&self.shared.task);
            // Ordering: Relaxed, as in `wake`.
            (task.replace(shared), self.shared.is_raised.swap(false, Ordering::Relaxed))
        };
        let former_own = self.task.replace(own);
        drop((former, former_own));
        was_raised
    }

    /// For polls of the events.
    pub(super) fn waker(&self) -> &Waker {
        &self.waker
    }
}
