//! Calls of users' code that may panic: a panic ends the request, not the server.

#![forbid(unsafe_code)]

use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;

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

/// Ends also if `future` panics, or its destructor.
pub(super) async fn contained(future: impl Future<Output = ()>) {
    let mut future = pin!(Some(future));
    poll_fn(|cx| {
        let Some(some) = future.as_mut().as_pin_mut() else { return Poll::Ready(()) };
        let polled = contain(|| some.poll(cx)).unwrap_or(Poll::Ready(()));
        if polled.is_ready() {
            let _ = contain(|| future.set(None));
        }
        polled
    })
    .await
}
