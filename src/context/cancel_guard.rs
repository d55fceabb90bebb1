//! What cancels a context.

#![forbid(unsafe_code)]

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use crate::context::error::ContextError;
use crate::context::scope::Scope;

/// Cancels a context and all contexts made from it: by a call, or when this guard is dropped.
///
/// [`Context::with_cancel`](super::Context::with_cancel) and similar methods return it with the
/// context. Only its holder can cancel that context; a function that is given a context cannot.
/// Share the guard in an `Arc`.
///
/// **A trap**: `let (ctx, _) = ..` drops the guard in the same statement, and `ctx` is done from the
/// start. Write `let (ctx, _cancel) = ..`, which drops it at the end of the block.
///
/// Go counterpart: a `CancelFunc` with its `defer cancel()`.
///
/// # Examples
///
/// ```
/// use gorun::context::Context;
///
/// fn scope(parent: &Context) -> Context {
///     let (ctx, _cancel) = parent.with_cancel();
///     assert!(!ctx.is_done());
///     ctx
/// }
/// assert!(scope(&Context::background()).is_done());
/// ```
#[must_use = "the context is cancelled when this is dropped"]
pub struct CancelGuard {
    /// `None` after `detach`.
    scope: Option<Arc<Scope>>,
}

impl CancelGuard {
    pub(super) fn new(scope: Arc<Scope>) -> Self {
        CancelGuard { scope: Some(scope) }
    }

    /// Cancels the context and all below it.
    ///
    /// When this returns, each of them is done. This wakes the tasks that wait for them; if there
    /// are many, a goroutine wakes them, some at a time. If the context was done before, nothing
    /// happens.
    ///
    /// For a tree of 100,000 contexts the call takes ten to thirty milliseconds.
    ///
    /// Go counterpart: the call of a `CancelFunc`.
    ///
    /// # Examples
    ///
    /// ```
    /// use gorun::context::Context;
    ///
    /// let (parent, cancel) = Context::background().with_cancel();
    /// let (child, _cancel_child) = parent.with_cancel();
    /// cancel.cancel();
    /// assert!(parent.is_done() && child.is_done());
    /// ```
    pub fn cancel(&self) {
        if let Some(scope) = &self.scope {
            scope.end(ContextError::Cancelled, None);
        }
    }

    /// Cancels the context, and says why. [`Context::cause`](super::Context::cause) returns
    /// `cause`, which is an error or a text.
    ///
    /// If the context was done before, it keeps the cause it had.
    ///
    /// Go counterpart: the call of a `CancelCauseFunc`.
    ///
    /// # Examples
    ///
    /// ```
    /// use gorun::context::{Context, ContextError};
    ///
    /// let (ctx, cancel) = Context::background().with_cancel();
    /// cancel.cancel_with_cause("no disk");
    /// assert_eq!(ctx.err(), Some(ContextError::Cancelled));
    /// assert_eq!(ctx.cause().unwrap().to_string(), "no disk");
    /// ```
    pub fn cancel_with_cause(&self, cause: impl Into<Box<dyn Error + Send + Sync>>) {
        let cause = cause.into();
        if let Some(scope) = &self.scope {
            scope.end(ContextError::Cancelled, Some(cause.into()));
        }
    }

    /// Drops the guard without cancelling. The context then ends with its parent, or at its deadline.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use gorun::context::Context;
    ///
    /// gorun::block_on(async {
    ///     let (ctx, cancel) = Context::background().with_timeout(Duration::from_millis(1));
    ///     cancel.detach();
    ///     ctx.done().await;
    /// });
    /// ```
    pub fn detach(mut self) {
        self.scope = None;
    }
}

impl Drop for CancelGuard {
    fn drop(&mut self) {
        if let Some(scope) = &self.scope
            && scope.error().is_none()
        {
            scope.end(ContextError::Cancelled, None);
        }
    }
}

impl fmt::Debug for CancelGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CancelGuard").finish_non_exhaustive()
    }
}
