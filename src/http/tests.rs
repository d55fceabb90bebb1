//! The waker of rare events, step by step.

#![forbid(unsafe_code)]

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::task::{Context, Wake, Waker};

use super::alert::Alert;

#[derive(Default)]
struct Count(AtomicU32);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, SeqCst);
    }
}

/// A user's waker, whose destructor does something.
struct OnDrop(Waker);

impl Wake for OnDrop {
    fn wake(self: Arc<Self>) {}
}

impl Drop for OnDrop {
    fn drop(&mut self) {
        self.0.wake_by_ref();
    }
}

#[test]
fn an_event_that_comes_in_the_middle_of_a_poll_leaves_the_next_one_a_waker() {
    let mut alert = Alert::new();
    let event = alert.waker().clone();
    let former = Waker::from(Arc::new(OnDrop(event.clone())));
    assert!(alert.is_raised(&mut Context::from_waker(&former)), "it begins so");
    drop(former);
    let count = Arc::new(Count::default());
    let waker = Waker::from(count.clone());
    let cx = &mut Context::from_waker(&waker);
    // The former waker goes, and an event comes.
    alert.is_raised(cx);
    assert_eq!(count.0.load(SeqCst), 1, "it wakes the task");
    alert.is_raised(cx);
    event.wake_by_ref();
    assert_eq!(count.0.load(SeqCst), 2, "so does another one");
    assert!(alert.is_raised(cx) && !alert.is_raised(cx));
}
