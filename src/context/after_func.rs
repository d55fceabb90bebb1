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

/// Whether somebody has decided if the function is called.
struct Decided(AtomicBool);

impl Decided {
    /// Returns whether this call makes the decision.
    fn take(&self) -> bool {
        // Ordering: this passes on nothing else; the function went to its goroutine with the
        // spawn.
        !self.0.swap(true, Ordering::Relaxed)
    }
}

/// What the goroutine has. If it is dropped, there is no call that a `stop` could prevent.
struct Caller<F> {
    /// Above the function, so that its destructor finds the decision.
    decided: DecideOnDrop,
    f: F,
}

struct DecideOnDrop(Arc<Decided>);

impl<F: FnOnce()> Caller<F> {
    fn call(self) {
        let Caller { decided, f } = self;
        if decided.0.take() {
            f();
        }
    }
}

impl Drop for DecideOnDrop {
    fn drop(&mut self) {
        self.0.take();
    }
}

impl AfterFunc {
    /// `scope` is `None` if the context is never done.
    #[track_caller]
    pub(super) fn new<F: FnOnce() + Send + 'static>(scope: Option<&Arc<Scope>>, f: F) -> Self {
        let decided = Arc::new(Decided(AtomicBool::new(false)));
        // No closure, so that `spawn` sees the caller's line.
        let Some(scope) = scope.cloned() else { return AfterFunc { decided, goroutine: None } };
        let caller = Caller { decided: DecideOnDrop(decided.clone()), f };
        let goroutine = spawn(async move {
            Done::new(Some(&scope)).await;
            caller.call();
        });
        AfterFunc { decided, goroutine: Some(goroutine.abort_handle()) }
    }

    /// Prevents the call of the function, unless it has been called. Returns whether this `stop`
    /// did so.
    ///
    /// If the function is running, this does not wait for it. After the end of main, which drops the
    /// function, this prevents nothing, and returns `false`.
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
