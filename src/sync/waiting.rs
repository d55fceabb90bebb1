//! The future of an operation that waits until it finds something in a state.

#![forbid(unsafe_code)]

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::scheduler::gate::{self, Operation};
use crate::sync::line::{Line, Look};
use crate::sync::wait_queue::Key;

/// Looks under the lock, until there is something, and then makes of it what is wanted, without the
/// lock.
pub(crate) struct Waiting<'a, S, R, O, L> {
    line: &'a Line<S>,
    operation: Operation,
    key: Option<Key>,
    look: L,
    then: fn(R) -> O,
}

pub(crate) fn waiting<S, R, O, L>(
    line: &Line<S>,
    operation: Operation,
    look: L,
    then: fn(R) -> O,
) -> Waiting<'_, S, R, O, L>
where
    L: FnMut(Look<'_, S>) -> Option<R>,
{
    Waiting { line, operation, key: None, look, then }
}

impl<S, R, O, L> Unpin for Waiting<'_, S, R, O, L> {}

impl<S, R, O, L> Future for Waiting<'_, S, R, O, L>
where
    L: FnMut(Look<'_, S>) -> Option<R>,
{
    type Output = O;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<O> {
        let this = self.get_mut();
        if !gate::enter(this.operation, cx.waker()) {
            return Poll::Pending;
        }
        this.line.poll(&mut this.key, 1, cx.waker(), &mut this.look).map(this.then)
    }
}

impl<S, R, O, L> Drop for Waiting<'_, S, R, O, L> {
    fn drop(&mut self) {
        if let Some(key) = self.key.take() {
            self.line.leave(key, |_, _, _| {});
        }
    }
}
