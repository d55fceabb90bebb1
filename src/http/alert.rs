//! A waker for events that are rare, beside a future that is polled often.
//!
//! A connection waits for its requests, and also for the end of the server and the next look at its time
//! limits. To poll those with each request would cost as much as gorun's part of the request. So they have
//! this waker, which remembers that it was called: only then are they polled.

#![forbid(unsafe_code)]

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Wake, Waker};

use crate::primitives::lock;

pub(super) struct Alert {
    shared: Arc<Shared>,
    waker: Waker,
    /// The waker of the task, as of its last poll.
    task: Option<Waker>,
}

struct Shared {
    is_raised: AtomicBool,
    task: Mutex<Option<Waker>>,
}

impl Wake for Shared {
    fn wake(self: Arc<Self>) {
        // Ordering: Release pairs with the Acquire in `is_raised`, so that whoever sees it finds the event.
        self.is_raised.store(true, Ordering::Release);
        let task = lock(&self.task).clone();
        task.iter().for_each(Waker::wake_by_ref);
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
        if !self.task.as_ref().is_some_and(|task| task.will_wake(cx.waker())) {
            self.task = Some(cx.waker().clone());
            let former = lock(&self.shared.task).replace(cx.waker().clone());
            drop(former);
            // An event may just have woken the former one.
            self.shared.is_raised.store(true, Ordering::Relaxed);
        }
        // Ordering: Acquire pairs with the Release in `wake`.
        self.shared.is_raised.load(Ordering::Relaxed)
            && self.shared.is_raised.swap(false, Ordering::Acquire)
    }

    /// For polls of the events.
    pub(super) fn waker(&self) -> &Waker {
        &self.waker
    }
}
