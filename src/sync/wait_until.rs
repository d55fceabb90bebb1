//! The future of an operation that waits until an attempt succeeds.

#![forbid(unsafe_code)]

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use crate::scheduler::gate;
use crate::scheduler::operation::Operation;
use crate::sync::wait_queue::Key;
use crate::sync::waitable::{Attempt, Waitable};

/// Makes attempts under the lock until one succeeds, and calls `then` without the lock.
pub(crate) struct WaitUntil<'a, S, A, F> {
    waitable: &'a Waitable<S>,
    operation: Operation,
    key: Option<Key>,
    attempt: A,
    /// Until it is ready.
    then: Option<F>,
}

pub(crate) fn wait_until<S, R, O>(
    waitable: &Waitable<S>,
    operation: Operation,
    attempt: impl FnMut(Attempt<'_, S>) -> Option<R>,
    then: impl Fn(R) -> O,
) -> impl Future<Output = O> + Unpin {
    WaitUntil { waitable, operation, key: None, attempt, then: Some(then) }
}

/// One poll: through the gate, and the last one if a `timeout` asks for it.
#[inline]
#[track_caller]
pub(crate) fn poll_until<S, R>(
    waitable: &Waitable<S>,
    operation: Operation,
    key: &mut Option<Key>,
    waker: &Waker,
    attempt: impl FnMut(Attempt<'_, S>) -> Option<R>,
) -> Poll<R> {
    let withdraws = gate::is_withdrawing(waker);
    if !(gate::enter(waker) || key.is_some() && withdraws) {
        return Poll::Pending;
    }
    if !withdraws {
        return gate::note_wait(operation, waitable.poll(key, 1, waker, attempt));
    }
    let result = waitable.withdraw(key, attempt);
    if result.is_none() {
        // A future that is kept waits anew.
        waker.wake_by_ref();
    }
    result.map_or(Poll::Pending, Poll::Ready)
}

impl<S, A, F> Unpin for WaitUntil<'_, S, A, F> {}

impl<S, R, O, A, F> Future for WaitUntil<'_, S, A, F>
where
    A: FnMut(Attempt<'_, S>) -> Option<R>,
    F: Fn(R) -> O,
{
    type Output = O;

    #[track_caller]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<O> {
        let WaitUntil { waitable, operation, key, attempt, then } = self.get_mut();
        assert!(then.is_some(), "a future is not polled after it was ready");
        poll_until(waitable, *operation, key, cx.waker(), attempt).map(|result| {
            let then = then.take().expect("just seen");
            then(result)
        })
    }
}

impl<S, A, F> Drop for WaitUntil<'_, S, A, F> {
    fn drop(&mut self) {
        if let Some(key) = self.key.take() {
            self.waitable.cancel(key, |_, _, _| {});
        }
    }
}
