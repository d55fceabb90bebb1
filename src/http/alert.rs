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
    /// The waker of the task, as of the last time that it was put into `shared`.
    task: Option<Waker>,
}

struct Shared {
    is_raised: AtomicBool,
    /// To be woken by the next event.
    task: Mutex<Option<Waker>>,
}

impl Wake for Shared {
    fn wake(self: Arc<Self>) {
        // Ordering: Release pairs with the Acquire in `is_raised`, so that whoever sees it finds the event.
        self.is_raised.store(true, Ordering::Release);
        // Whoever took the waker before has woken the task for this event, too.
        let task = lock(&self.task).take();
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
        if is_same && !self.shared.is_raised.load(Ordering::Relaxed) {
            return false;
        }
        // It may be a user's, so it is cloned and dropped without the lock.
        let (own, shared) = (cx.waker().clone(), cx.waker().clone());
        self.task = Some(own);
        let former = lock(&self.shared.task).replace(shared);
        drop(former);
        // After the waker stands there: an event that comes now calls it. One that came before has perhaps
        // woken the former task.
        //
        // Ordering: Acquire pairs with the Release in `wake`.
        self.shared.is_raised.swap(false, Ordering::Acquire) || !is_same
    }

    /// For polls of the events.
    pub(super) fn waker(&self) -> &Waker {
        &self.waker
    }
}
