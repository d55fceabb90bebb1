//! A future that goes on until a context is done.

#![forbid(unsafe_code)]

use std::fmt;
use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use crate::context::done::Done;
use crate::context::error::ContextError;
use crate::scheduler::gate;
use crate::scheduler::operation::Operation;

pin_project! {
    /// The future of [`Context::run`](super::Context::run).
    ///
    /// # Examples
    ///
    /// See [`Context::run`](super::Context::run).
    #[must_use = "futures do nothing unless awaited"]
    pub struct Run<'a, F> {
        // Until it is ready, or the context is done.
        #[pin]
        future: Option<F>,
        done: Done<'a>,
        // The future has been polled, so operations in it may wait.
        has_begun: bool,
    }
}

impl<'a, F> Run<'a, F> {
    pub(super) fn new(future: F, done: Done<'a>) -> Self {
        Run { future: Some(future), done, has_begun: false }
    }
}

impl<F: Future> Future for Run<'_, F> {
    type Output = Result<F::Output, ContextError>;

    #[track_caller]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut parts = self.project();
        let outer = gate::enter_outer(cx.waker(), *parts.has_begun);
        let Some(outer) = outer else { return Poll::Pending };
        let had_begun = mem::replace(parts.has_begun, true);
        let future = parts.future.as_mut().as_pin_mut();
        let mut future = future.expect("a future is not polled after it was ready");
        let result = match parts.done.error() {
            Some(error) if !had_begun => Err(error),
            Some(error) => last(future, error, cx),
            None => match future.as_mut().poll(cx) {
                Poll::Ready(output) => Ok(output),
                Poll::Pending => match parts.done.poll_inside(cx.waker()) {
                    Poll::Ready(error) => last(future, error, cx),
                    Poll::Pending => {
                        outer.note_wait(Operation::Done);
                        return Poll::Pending;
                    }
                },
            },
        };
        parts.future.set(None);
        outer.finish();
        Poll::Ready(result)
    }
}

/// Polls the future a last time, and its operations withdraw. So an operation that is reported as
/// cancelled has not happened.
fn last<F: Future>(
    future: Pin<&mut F>,
    error: ContextError,
    cx: &mut Context<'_>,
) -> Result<F::Output, ContextError> {
    match gate::withdraw(cx.waker(), || future.poll(cx)) {
        Poll::Ready(output) => Ok(output),
        Poll::Pending => Err(error),
    }
}

impl<F> fmt::Debug for Run<'_, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Run").field("done", &self.done).finish_non_exhaustive()
    }
}
