//! A function that is called when a context is done.

#![forbid(unsafe_code)]

use std::fmt;
use std::sync::Arc;

use crate::context::done::Done;
use crate::context::scope::Scope;
use crate::join_handle::AbortHandle;
use crate::primitives::{AtomicBool, Ordering};
use crate::spawn::spawn;

/// A function that waits for a context to be done. [`Context::after_func`](super::Context::after_func)
/// returns it.
///
/// Dropping this changes nothing: the function goes on waiting.
///
/// Go counterpart: the `stop` function that `context.AfterFunc` returns.
///
/// # Examples
///
/// See [`Context::after_func`](super::Context::after_func).
pub struct AfterFunc {
    decided: Arc<Decided>,
    /// `None`: the context is never done.
    goroutine: Option<AbortHandle>,
}

/// Whether it is decided what becomes of the function: it is called, or it is not.
struct Decided(AtomicBool);

impl Decided {
    /// Whether the caller decides it.
    fn take(&self) -> bool {
        // Ordering: nothing else is passed on by this; the function went to its goroutine with the spawn.
        !self.0.swap(true, Ordering::Relaxed)
    }
}

impl AfterFunc {
    /// `scope` is `None` if the context is never done.
    #[track_caller]
    pub(super) fn new<F: FnOnce() + Send + 'static>(scope: Option<&Arc<Scope>>, f: F) -> Self {
        let decided = Arc::new(Decided(AtomicBool::new(false)));
        // No closure: `spawn` is to see the caller's line.
        let Some(scope) = scope.cloned() else { return AfterFunc { decided, goroutine: None } };
        let goroutine = spawn({
            let decided = decided.clone();
            async move {
                Done::new(Some(&scope)).await;
                if decided.take() {
                    f();
                }
            }
        });
        AfterFunc { decided, goroutine: Some(goroutine.abort_handle()) }
    }

    /// Keeps the function from being called, if it has not been yet. Returns whether this call did.
    ///
    /// It does not wait for a function that runs.
    ///
    /// # Examples
    ///
    /// ```
    /// use gorun::context::Context;
    ///
    /// gorun::block_on(async {
    ///     let (ctx, cancel) = Context::background().with_cancel();
    ///     let after = ctx.after_func(|| unreachable!());
    ///     assert!(after.stop());
    ///     cancel.cancel();
    ///     assert!(!after.stop());
    /// });
    /// ```
    pub fn stop(&self) -> bool {
        let is_stopped = self.decided.take();
        if let (true, Some(goroutine)) = (is_stopped, &self.goroutine) {
            goroutine.abort();
        }
        is_stopped
    }
}

impl fmt::Debug for AfterFunc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AfterFunc").finish_non_exhaustive()
    }
}
