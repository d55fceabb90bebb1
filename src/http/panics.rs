//! Calls of users' code that may panic: a panic ends the request, not the server.

#![forbid(unsafe_code)]

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use crate::panics::discard;

/// The code panicked. The panic hook has reported it.
pub(super) struct Panicked;

/// The caller uses what `f` works on no more, if it panics.
pub(super) fn contain<R>(f: impl FnOnce() -> R) -> Result<R, Panicked> {
    catch_unwind(AssertUnwindSafe(f)).map_err(|payload| {
        discard(payload);
        Panicked
    })
}

pin_project! {
    /// Ends also if the future panics, or its destructor.
    pub(super) struct Contained<F> {
        #[pin]
        future: Option<F>,
    }
}

pub(super) fn contained<F: Future<Output = ()>>(future: F) -> Contained<F> {
    Contained { future: Some(future) }
}

impl<F: Future<Output = ()>> Future for Contained<F> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut future = self.project().future;
        let Some(some) = future.as_mut().as_pin_mut() else { return Poll::Ready(()) };
        let polled = contain(|| some.poll(cx)).unwrap_or(Poll::Ready(()));
        if polled.is_ready() {
            let _ = contain(|| future.set(None));
        }
        polled
    }
}
