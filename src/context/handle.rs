//! A context, as its users hold it.

#![forbid(unsafe_code)]

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::clock;
use crate::context::after_func::AfterFunc;
use crate::context::alarm;
use crate::context::cancel_guard::CancelGuard;
use crate::context::done::Done;
use crate::context::error::{Cause, ContextError};
use crate::context::run::Run;
use crate::context::scope::Scope;
use crate::context::values::Values;

/// Tells when to stop, and why. It also carries values.
///
/// Each context is made from another one. The first one is [`background`](Self::background), which
/// never ends. A context is *done* when its [`CancelGuard`] cancels it, when its deadline passes,
/// or when the context that it was made from is done. Then it stays done.
///
/// Clones are the same context. Any thread and any executor may use it, also outside a runtime; only
/// a deadline needs one.
///
/// Go counterpart: `context.Context`. tokio counterpart: `CancellationToken` in `tokio-util`.
///
/// # Examples
///
/// See the [module](super).
#[derive(Clone, Default)]
pub struct Context {
    /// `None`: it is never done.
    scope: Option<Arc<Scope>>,
    values: Option<Arc<Values>>,
}

impl Context {
    /// The context that is never done and has no values. It costs nothing.
    ///
    /// Go counterpart: `context.Background`, `context.TODO`.
    ///
    /// # Examples
    ///
    /// ```
    /// assert!(!gorun::context::Context::background().is_done());
    /// ```
    pub const fn background() -> Self {
        Context { scope: None, values: None }
    }

    /// Returns a context, and a guard that cancels it: by a call, or when the guard is dropped.
    ///
    /// Go counterpart: `context.WithCancel` and `WithCancelCause`.
    ///
    /// # Examples
    ///
    /// ```
    /// use gorun::context::Context;
    ///
    /// gorun::block_on(async {
    ///     let (ctx, cancel) = Context::background().with_cancel();
    ///     let waits = gorun::spawn(async move { ctx.done().await });
    ///     cancel.cancel();
    ///     waits.await.unwrap();
    /// });
    /// ```
    pub fn with_cancel(&self) -> (Context, CancelGuard) {
        let scope = Scope::new(self.scope.as_ref(), self.deadline());
        (self.in_scope(&scope), CancelGuard::new(scope))
    }

    /// A context that is also done when `limit` has passed. A limit beyond the clock's range never
    /// passes.
    ///
    /// Otherwise like [`with_deadline`](Self::with_deadline).
    ///
    /// Go counterpart: `context.WithTimeout`.
    ///
    /// # Panics
    ///
    /// As `with_deadline`.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use gorun::context::{Context, ContextError};
    ///
    /// gorun::block_on(async {
    ///     let (ctx, _cancel) = Context::background().with_timeout(Duration::from_millis(1));
    ///     assert_eq!(ctx.done().await, ContextError::DeadlineExceeded);
    /// });
    /// ```
    #[track_caller]
    pub fn with_timeout(&self, limit: Duration) -> (Context, CancelGuard) {
        self.until(clock::now().checked_add(limit), None)
    }

    /// Like `with_timeout`, with a [`cause`](Self::cause) for the case that the limit passes.
    ///
    /// Go counterpart: `context.WithTimeoutCause`.
    ///
    /// # Panics
    ///
    /// As [`with_deadline`](Self::with_deadline).
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use gorun::context::Context;
    ///
    /// let (ctx, _cancel) = Context::background().with_timeout_cause(Duration::ZERO, "too slow");
    /// assert_eq!(ctx.cause().unwrap().to_string(), "too slow");
    /// ```
    #[track_caller]
    pub fn with_timeout_cause(
        &self,
        limit: Duration,
        cause: impl Into<Box<dyn Error + Send + Sync>>,
    ) -> (Context, CancelGuard) {
        let cause = cause.into();
        self.until(clock::now().checked_add(limit), Some(cause.into()))
    }

    /// A context that is also done at `deadline`, or at once if that has passed.
    ///
    /// A goroutine of the runtime waits for the deadline, until the context is done or nobody
    /// holds it any more. If the runtime ends first, nobody keeps the time any more, and the
    /// context is cancelled. There is no such goroutine if this context has an earlier deadline.
    ///
    /// Go counterpart: `context.WithDeadline`.
    ///
    /// # Panics
    ///
    /// On a thread that belongs to no runtime, if a goroutine has to wait for the deadline.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use gorun::{context::Context, time};
    ///
    /// gorun::block_on(async {
    ///     let deadline = time::now() + Duration::from_millis(1);
    ///     let (ctx, _cancel) = Context::background().with_deadline(deadline);
    ///     ctx.done().await;
    ///     assert!(time::now() >= deadline);
    /// });
    /// ```
    #[track_caller]
    pub fn with_deadline(&self, deadline: Instant) -> (Context, CancelGuard) {
        self.until(Some(deadline), None)
    }

    /// Like `with_deadline`, with a [`cause`](Self::cause) for the case that the deadline passes.
    ///
    /// Go counterpart: `context.WithDeadlineCause`.
    ///
    /// # Panics
    ///
    /// As [`with_deadline`](Self::with_deadline).
    ///
    /// # Examples
    ///
    /// ```
    /// use gorun::{context::Context, time};
    ///
    /// let (ctx, _cancel) = Context::background().with_deadline_cause(time::now(), "too slow");
    /// assert_eq!(ctx.cause().unwrap().to_string(), "too slow");
    /// ```
    #[track_caller]
    pub fn with_deadline_cause(
        &self,
        deadline: Instant,
        cause: impl Into<Box<dyn Error + Send + Sync>>,
    ) -> (Context, CancelGuard) {
        let cause = cause.into();
        self.until(Some(deadline), Some(cause.into()))
    }

    #[track_caller]
    fn until(&self, deadline: Option<Instant>, cause: Option<Cause>) -> (Context, CancelGuard) {
        let own = deadline.filter(|own| self.deadline().is_none_or(|earlier| *own < earlier));
        let scope = Scope::new(self.scope.as_ref(), own.or(self.deadline()));
        if let Some(deadline) = own {
            alarm::set(&scope, deadline, cause);
        }
        (self.in_scope(&scope), CancelGuard::new(scope))
    }

    fn in_scope(&self, scope: &Arc<Scope>) -> Context {
        Context { scope: Some(scope.clone()), values: self.values.clone() }
    }

    /// A context with one more value, which [`value`](Self::value) finds by its type. It is done when
    /// this one is.
    ///
    /// Use a type of your own for each kind of value, such as `struct RequestId(u64)`. Pass what a
    /// function needs as an argument. Put into a context only what does not concern the function.
    ///
    /// Go counterpart: `context.WithValue`, where a key says which value is meant.
    ///
    /// # Examples
    ///
    /// ```
    /// use gorun::context::Context;
    ///
    /// #[derive(Debug, PartialEq)]
    /// struct RequestId(u64);
    ///
    /// let ctx = Context::background().with_value(RequestId(7));
    /// assert_eq!(ctx.value(), Some(&RequestId(7)));
    /// assert_eq!(ctx.value::<String>(), None);
    /// ```
    #[must_use]
    pub fn with_value<T: Send + Sync + 'static>(&self, value: T) -> Context {
        let values = Values::new(Box::new(value), self.values.clone());
        Context { scope: self.scope.clone(), values: Some(values) }
    }

    /// A context with the same values that is never done.
    ///
    /// Go counterpart: `context.WithoutCancel`.
    ///
    /// # Examples
    ///
    /// ```
    /// use gorun::context::Context;
    ///
    /// let (ctx, cancel) = Context::background().with_value(7).with_cancel();
    /// let goes_on = ctx.without_cancel();
    /// cancel.cancel();
    /// assert!(!goes_on.is_done());
    /// assert_eq!(goes_on.value(), Some(&7));
    /// ```
    #[must_use]
    pub fn without_cancel(&self) -> Context {
        Context { scope: None, values: self.values.clone() }
    }

    /// The value of type `T`: the latest one, if several were given.
    ///
    /// This looks at all values, one after the other.
    ///
    /// Go counterpart: `Context.Value`.
    ///
    /// # Examples
    ///
    /// See [`with_value`](Self::with_value).
    pub fn value<T: 'static>(&self) -> Option<&T> {
        self.values.as_ref()?.find()
    }

    /// Waits until the context is done, and says why.
    ///
    /// **Cancellation**: dropping the future loses nothing.
    ///
    /// Go counterpart: `<-ctx.Done()`.
    ///
    /// # Examples
    ///
    /// ```
    /// use gorun::context::{Context, ContextError};
    /// use gorun::select;
    ///
    /// gorun::block_on(async {
    ///     let (ctx, cancel) = Context::background().with_cancel();
    ///     gorun::go!(async move { cancel.cancel() });
    ///     select! {
    ///         why = ctx.done() => assert_eq!(why, ContextError::Cancelled),
    ///         () = std::future::pending() => {}
    ///     }
    /// });
    /// ```
    pub fn done(&self) -> Done<'_> {
        Done::new(self.scope.as_ref())
    }

    /// Whether the context is done.
    ///
    /// # Examples
    ///
    /// ```
    /// let (ctx, cancel) = gorun::context::Context::background().with_cancel();
    /// assert!(!ctx.is_done());
    /// cancel.cancel();
    /// assert!(ctx.is_done());
    /// ```
    pub fn is_done(&self) -> bool {
        self.err().is_some()
    }

    /// Why the context is done, or `None` if it is not.
    ///
    /// Go counterpart: `Context.Err`.
    ///
    /// # Examples
    ///
    /// ```
    /// use gorun::context::{Context, ContextError};
    ///
    /// fn work(ctx: &Context) -> Result<(), ContextError> {
    ///     for _step in 0..3 {
    ///         ctx.err().map_or(Ok(()), Err)?;
    ///     }
    ///     Ok(())
    /// }
    /// assert_eq!(work(&Context::background()), Ok(()));
    /// ```
    pub fn err(&self) -> Option<ContextError> {
        self.scope.as_ref()?.error()
    }

    /// Why the context is done, in the words of whoever ended it: what that code gave to
    /// [`cancel_with_cause`](CancelGuard::cancel_with_cause) or
    /// [`with_timeout_cause`](Self::with_timeout_cause), for this context or one above it. If no
    /// cause was given, this returns the same as [`err`](Self::err). `None` if the context is not
    /// done.
    ///
    /// Go counterpart: `context.Cause`.
    ///
    /// # Examples
    ///
    /// See [`cancel_with_cause`](CancelGuard::cancel_with_cause).
    pub fn cause(&self) -> Option<Cause> {
        self.scope.as_ref()?.cause()
    }

    #[cfg(feature = "signal")]
    pub(crate) fn without_values(&self) -> Context {
        Context { scope: self.scope.clone(), values: None }
    }

    /// When the context will be done at the latest, if it has a deadline: its own or an earlier one
    /// above it.
    ///
    /// Go counterpart: `Context.Deadline`.
    ///
    /// # Examples
    ///
    /// ```
    /// use gorun::{context::Context, time};
    ///
    /// let now = time::now();
    /// assert_eq!(Context::background().deadline(), None);
    /// let (ctx, _cancel) = Context::background().with_deadline(now);
    /// assert_eq!(ctx.deadline(), Some(now));
    /// ```
    pub fn deadline(&self) -> Option<Instant> {
        self.scope.as_ref()?.deadline()
    }

    /// Waits for `future`, until the context is done. If it is done already, the future is not
    /// polled. If it ends later, the future is polled one last time, so that a channel operation can
    /// say whether it has happened, and then dropped.
    ///
    /// # Errors
    ///
    /// The [`ContextError`], if the context is done first. The future has been dropped then. As with
    /// [`timeout`](crate::time::timeout), an error around a `send`, a `recv`, or a `select!` of them
    /// means that the operation has not happened; in an `async` block of several operations this
    /// holds for the last one.
    ///
    /// **Cancellation**: dropping the returned future drops `future`.
    ///
    /// Go counterpart: none: a Go function that can wait takes a context itself.
    ///
    /// # Panics
    ///
    /// When it is polled again after it was ready.
    ///
    /// # Examples
    ///
    /// ```
    /// use gorun::context::{Context, ContextError};
    ///
    /// gorun::block_on(async {
    ///     let (ctx, cancel) = Context::background().with_cancel();
    ///     assert_eq!(ctx.run(async { 42 }).await, Ok(42));
    ///     gorun::go!(async move { cancel.cancel() });
    ///     let never = std::future::pending::<()>();
    ///     assert_eq!(ctx.run(never).await, Err(ContextError::Cancelled));
    /// });
    /// ```
    pub fn run<F: Future>(&self, future: F) -> Run<'_, F> {
        Run::new(future, self.done())
    }

    /// Calls `f` in a goroutine of its own, when the context is done.
    ///
    /// The goroutine exists from this call on: [`num_goroutines`](crate::num_goroutines) counts
    /// it, and the end of main drops it with `f`. It keeps the context alive. If `f` panics, the
    /// panic is [unhandled](crate::UnhandledPanic).
    ///
    /// Go counterpart: `context.AfterFunc`.
    ///
    /// # Panics
    ///
    /// On a thread that belongs to no runtime, unless the context is never done.
    ///
    /// # Examples
    ///
    /// ```
    /// use gorun::context::Context;
    ///
    /// gorun::block_on(async {
    ///     let (ctx, cancel) = Context::background().with_cancel();
    ///     let (tx, rx) = gorun::channel(1);
    ///     ctx.after_func(move || tx.try_send("cleaned up").unwrap());
    ///     cancel.cancel();
    ///     assert_eq!(rx.recv().await, Some("cleaned up"));
    /// });
    /// ```
    #[track_caller]
    pub fn after_func(&self, f: impl FnOnce() + Send + 'static) -> AfterFunc {
        AfterFunc::new(self.scope.as_ref(), f)
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (error, deadline) = (self.err(), self.deadline());
        f.debug_struct("Context")
            .field("err", &error)
            .field("deadline", &deadline)
            .finish_non_exhaustive()
    }
}
