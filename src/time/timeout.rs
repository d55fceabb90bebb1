//! `timeout`: a future that does not take longer than that.

#![forbid(unsafe_code)]

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use pin_project_lite::pin_project;

use super::sleep::{Sleep, sleep};
use crate::scheduler::context;

/// Waits for `future`, but no longer than `limit`.
///
/// The future is polled first, so one that is ready at once never times out, even if `limit` is zero.
///
/// # Errors
///
/// [`Elapsed`], if the future was not ready in time. It is dropped with what this returns, at the end
/// of the statement, usually.
///
/// **Cancellation**: dropping it drops `future` and removes the timer.
///
/// Go counterpart: `select` with `time.After`, or `context.WithTimeout`.
///
/// # Panics
///
/// Outside a runtime.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use gorun::time::timeout;
///
/// gorun::block_on(async {
///     assert_eq!(timeout(Duration::from_secs(60), async { 42 }).await, Ok(42));
///     let never = std::future::pending::<()>();
///     let error = timeout(Duration::from_millis(1), never).await.unwrap_err();
///     assert_eq!(error.to_string(), "the time limit of 1ms has passed");
/// });
/// ```
#[track_caller]
pub fn timeout<F: Future>(limit: Duration, future: F) -> Timeout<F> {
    Timeout { future, sleep: sleep(limit), limit }
}

pin_project! {
    /// The future of [`timeout`].
    #[must_use = "futures do nothing unless polled"]
    pub struct Timeout<F> {
        #[pin]
        future: F,
        sleep: Sleep,
        limit: Duration,
    }
}

impl<F: Future> Future for Timeout<F> {
    type Output = Result<F::Output, Elapsed>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let parts = self.project();
        let given_way = context::times_given_way();
        if let Poll::Ready(output) = parts.future.poll(cx) {
            return Poll::Ready(Ok(output));
        }
        if context::times_given_way() != given_way {
            // It is to be polled again, and may be ready then.
            return Poll::Pending;
        }
        let limit = *parts.limit;
        Pin::new(parts.sleep).poll(cx).map(|()| Err(Elapsed { limit }))
    }
}

impl<F> fmt::Debug for Timeout<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Timeout").field("limit", &self.limit).finish_non_exhaustive()
    }
}

/// A [`timeout`] has passed.
///
/// Go counterpart: `context.DeadlineExceeded`.
///
/// # Examples
///
/// See [`timeout`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Elapsed {
    limit: Duration,
}

impl fmt::Display for Elapsed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the time limit of {:?} has passed", self.limit)
    }
}

impl Error for Elapsed {}
