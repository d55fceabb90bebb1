//! Waiting until a context is done.

#![forbid(unsafe_code)]

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use crate::context::error::ContextError;
use crate::context::scope::Scope;
use crate::scheduler::gate;
use crate::scheduler::operation::Operation;
use crate::sync::wait_queue::Key;

/// The future of [`Context::done`](super::Context::done).
///
/// # Examples
///
/// See [`Context::done`](super::Context::done).
#[must_use = "futures do nothing unless awaited"]
pub struct Done<'a> {
    /// `None`: the context is never done.
    scope: Option<&'a Arc<Scope>>,
    key: Option<Key>,
}

impl<'a> Done<'a> {
    pub(super) fn new(scope: Option<&'a Arc<Scope>>) -> Self {
        Done { scope, key: None }
    }

    pub(super) fn error(&self) -> Option<ContextError> {
        self.scope?.error()
    }

    /// Polls without the gate, for a future that has passed it.
    pub(super) fn poll_inside(&mut self, waker: &Waker) -> Poll<ContextError> {
        match self.scope {
            Some(scope) => scope.poll(&mut self.key, waker),
            None => Poll::Pending,
        }
    }
}

impl Future for Done<'_> {
    type Output = ContextError;

    #[track_caller]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<ContextError> {
        match gate::enter(cx.waker()) {
            true => gate::note_wait(Operation::Done, self.get_mut().poll_inside(cx.waker())),
            false => Poll::Pending,
        }
    }
}

impl Drop for Done<'_> {
    fn drop(&mut self) {
        if let (Some(scope), Some(key)) = (self.scope, self.key.take()) {
            scope.leave(key);
        }
    }
}

impl fmt::Debug for Done<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Done").field("error", &self.error()).finish_non_exhaustive()
    }
}
