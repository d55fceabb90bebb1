//! `timeout`: a future with a time limit.

#![forbid(unsafe_code)]

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use pin_project_lite::pin_project;

use super::sleep::{Sleep, sleep, sleep_until};
use crate::scheduler::gate::{self, OuterOp};
use crate::scheduler::operation::Operation;

/// Waits for `future`, but no longer than `limit`.
///
/// The future is polled first, so one that is ready at once never times out, even if `limit` is
/// zero. A future that always has something to do times out, too.
///
/// # Errors
///
/// [`Elapsed`], if the future was not ready in time. The future is dropped together with the
/// `Timeout`, usually at the end of the statement.
///
/// `Elapsed` around a `send`, a `recv`, a `send_from`, a `select!` of them, or a stream's `next`
/// means that the operation has not happened: it left its wait queue before this future was ready.
/// In an `async` block of several operations this holds for the last one; the earlier ones have
/// happened. It does not hold for operations that are polled with other wakers, as in
/// `FuturesUnordered` or `Shared`.
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
    Timeout::new(future, sleep(limit), limit)
}

/// Waits for `future`, but no longer than until `deadline`. A deadline that has passed is a limit of
/// zero.
///
/// Otherwise like [`timeout`].
///
/// Go counterpart: `context.WithDeadline`.
///
/// # Errors
///
/// [`Elapsed`], as [`timeout`].
///
/// # Panics
///
/// Outside a runtime.
///
/// # Examples
///
/// One deadline for several steps:
///
/// ```
/// use std::time::Duration;
/// use gorun::time::{now, timeout_at};
///
/// gorun::block_on(async {
///     let deadline = now() + Duration::from_millis(5);
///     assert_eq!(timeout_at(deadline, async { 42 }).await, Ok(42));
///     let error = timeout_at(deadline, std::future::pending::<()>()).await.unwrap_err();
///     assert_eq!(error.to_string(), "the deadline has passed");
///     assert!(now() >= deadline);
/// });
/// ```
#[track_caller]
pub fn timeout_at<F: Future>(deadline: Instant, future: F) -> Timeout<F> {
    Timeout { future, sleep: sleep_until(deadline), limit: None, is_deferred: false }
}

pin_project! {
    /// The future of [`timeout`] and [`timeout_at`].
    #[must_use = "futures do nothing unless polled"]
    pub struct Timeout<F> {
        #[pin]
        future: F,
        sleep: Sleep,
        // None: the caller gave a deadline.
        limit: Option<Duration>,
        // The limit had passed, but an operation had yielded, so the future is polled once more.
        is_deferred: bool,
    }
}

impl<F> Timeout<F> {
    /// `sleep` ends when the limit has passed.
    pub(super) fn new(future: F, sleep: Sleep, limit: Duration) -> Self {
        Timeout { future, sleep, limit: Some(limit), is_deferred: false }
    }
}

impl<F: Future> Future for Timeout<F> {
    type Output = Result<F::Output, Elapsed>;

    #[track_caller]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut parts = self.project();
        let has_waited = parts.sleep.is_waited_for();
        let outer = gate::enter_outer(cx.waker(), has_waited);
        // A deferred timeout is not deferred again.
        if outer.is_none() && !*parts.is_deferred {
            *parts.is_deferred = parts.sleep.is_due();
            return Poll::Pending;
        }
        let given_way = gate::times_given_way();
        if let Poll::Ready(output) = parts.future.as_mut().poll(cx) {
            outer.into_iter().for_each(OuterOp::finish);
            return Poll::Ready(Ok(output));
        }
        if let Some(outer) = &outer {
            outer.note_wait(Operation::Timeout);
        }
        if !parts.sleep.is_due() {
            return match parts.sleep.poll_timer(cx) {
                Poll::Ready(()) => timed_out(parts.future, *parts.limit, outer, cx),
                Poll::Pending => Poll::Pending,
            };
        }
        let may_be_ready = gate::times_given_way() != given_way;
        if may_be_ready && !*parts.is_deferred {
            *parts.is_deferred = true;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        timed_out(parts.future, *parts.limit, outer, cx)
    }
}

/// Polls the future a last time, and its operations withdraw.
fn timed_out<F: Future>(
    future: Pin<&mut F>,
    limit: Option<Duration>,
    outer: Option<OuterOp>,
    cx: &mut Context<'_>,
) -> Poll<Result<F::Output, Elapsed>> {
    let waker = cx.waker();
    let last = gate::withdraw(waker, || future.poll(cx));
    // A timeout that elapses completes, too. Otherwise a loop of them would never yield.
    outer.into_iter().for_each(OuterOp::finish);
    Poll::Ready(match last {
        Poll::Ready(output) => Ok(output),
        Poll::Pending => Err(Elapsed { limit }),
    })
}

impl<F> fmt::Debug for Timeout<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Timeout");
        match self.limit {
            Some(limit) => debug.field("limit", &limit),
            None => debug.field("deadline", &self.sleep.deadline()),
        };
        debug.finish_non_exhaustive()
    }
}

/// The error of a [`timeout`] or [`timeout_at`] whose time has passed.
///
/// Go counterpart: `context.DeadlineExceeded`.
///
/// # Examples
///
/// See [`timeout`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Elapsed {
    limit: Option<Duration>,
}

impl fmt::Display for Elapsed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.limit {
            Some(limit) => write!(f, "the time limit of {limit:?} has passed"),
            None => f.write_str("the deadline has passed"),
        }
    }
}

impl Error for Elapsed {}
