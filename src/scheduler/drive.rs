//! Driving one future on the calling thread: poll, park, poll again.

#![forbid(unsafe_code)]

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use crate::patience::wait_a_moment;
use crate::scheduler::context;
use crate::sync::{AtomicBool, Ordering};

struct Unpark {
    thread: Thread,
    /// Woken since the last poll began. The thread's park token does not serve for this, since
    /// the future may park and unpark the thread for purposes of its own.
    woken: AtomicBool,
}

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // Ordering: Release pairs with the Acquire in `drive`: what was done before the wake is
        // seen by the poll it causes.
        if !self.woken.swap(true, Ordering::Release) {
            self.thread.unpark();
        }
    }
}

/// Polls `future` until it is ready; `None` if `interrupted` said so first, between two polls.
/// Who makes `interrupted` true unparks the thread.
pub(crate) fn drive<F: Future>(
    mut future: Pin<&mut F>,
    interrupted: impl Fn() -> bool,
) -> Option<F::Output> {
    let unpark = Arc::new(Unpark { thread: thread::current(), woken: AtomicBool::new(true) });
    let waker = Waker::from(unpark.clone());
    let _driving = Driving::new(&waker);
    loop {
        // Ordering: Acquire pairs with the Release in `wake_by_ref`.
        while !unpark.woken.swap(false, Ordering::Acquire) {
            if interrupted() {
                return None;
            }
            if !wait_a_moment(|| unpark.woken.load(Ordering::Relaxed)) {
                thread::park();
            }
        }
        if interrupted() {
            return None;
        }
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return Some(output);
        }
    }
}

/// Notes whose waker it is. Ends that when dropped.
struct Driving {
    before: Option<*const ()>,
}

impl Driving {
    fn new(waker: &Waker) -> Self {
        let before = context::with_inside(|context| {
            context.map(|context| context.driving.replace(waker.data()))
        });
        Driving { before }
    }
}

impl Drop for Driving {
    fn drop(&mut self) {
        if let Some(before) = self.before {
            context::with_inside(|context| {
                context.expect("it was there before").driving.set(before);
            });
        }
    }
}
