//! Goroutines that work on one task, up to the first error.
//!
//! Go counterpart: package `golang.org/x/sync/errgroup`.
//!
//! | to | use |
//! |---|---|
//! | do several things, and stop at the first error | [`Group`], with a context |
//! | have the values as they come | [`JoinSet`](crate::JoinSet) |
//! | have the values in order | `spawn` each, keep the handles in a `Vec`, and await them one after the other |
//! | the same, at most `n` at a time | `buffered(n)` of a `futures` stream of handles |
//! | know only that all have ended | [`WaitGroup`] |

#![forbid(unsafe_code)]

use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, Location, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{self, Poll, ready};

use crate::context::{CancelGuard, Context};
use crate::primitives::{AtomicBool, Mutex, Ordering, lock};
use crate::scheduler::at_caller::at_caller;
use crate::spawn::MAX_UNBOXED;
use crate::sync::{AcquireError, OwnedPermit, Semaphore};
use crate::wait_group::WaitGroup;

/// A group of goroutines that may fail. Waiting for them gives the first error.
///
/// [`with_context`](Self::with_context) makes a group with a context, which is cancelled at the first
/// error. The goroutines are not dropped then: each is given the context, and ends as it sees fit. To
/// drop them at their next await, start `ctx.run(..)`, as below.
///
/// Dropping a group cancels its context. Its goroutines run on, as in a dropped
/// [`WaitGroup`]. If one panics, the panic is
/// [unhandled](crate::UnhandledPanic), and main does not get past the wait.
///
/// Share a group in an `Arc`, for example with its own goroutines, which may start others.
///
/// Go counterpart: `errgroup.Group`.
///
/// # Examples
///
/// ```
/// use gorun::block_on;
/// use gorun::context::Context;
/// use gorun::errgroup::Group;
///
/// async fn fetch(url: &str) -> Result<(), String> {
///     if url.is_empty() { Err("no url".to_owned()) } else { std::future::pending().await }
/// }
///
/// let result = block_on(async {
///     let (group, ctx) = Group::with_context(&Context::background());
///     for url in ["a", "", "b"] {
///         let ctx = ctx.clone();
///         // If another one fails, this one is dropped: its error is not the first. If the caller's
///         // context ends, `wait` says so.
///         group.go(async move { ctx.run(fetch(url)).await.map_err(|e| e.to_string())? }).await;
///     }
///     group.wait().await
/// });
/// assert_eq!(result, Err("no url".to_owned()));
/// ```
pub struct Group<E> {
    goroutines: WaitGroup,
    limit: usize,
    permits: Arc<Semaphore>,
    outcome: Arc<Outcome<E>>,
}

/// How the work of the group turns out.
struct Outcome<E> {
    has_failed: AtomicBool,
    /// The first error, until somebody takes it.
    first: Mutex<Option<E>>,
    context: Option<GroupContext<E>>,
}

struct GroupContext<E> {
    cancel: CancelGuard,
    text_of: fn(&E) -> String,
}

impl<E: Send + 'static> Group<E> {
    /// A group without a context: an error stops no other goroutine.
    ///
    /// # Examples
    ///
    /// ```
    /// gorun::block_on(async {
    ///     let group = gorun::errgroup::Group::new();
    ///     group.go(async { Err("boom") }).await;
    ///     assert_eq!(group.wait().await, Err("boom"));
    /// });
    /// ```
    pub fn new() -> Self {
        Group::in_context(None)
    }

    /// A group, and a context below `parent` that is cancelled at the first error, when a
    /// [`wait`](Self::wait) is over, or when the group is dropped. The cause is the error's text.
    ///
    /// Go counterpart: `errgroup.WithContext`. There the cause is the error itself.
    ///
    /// # Examples
    ///
    /// ```
    /// use gorun::context::Context;
    /// use gorun::errgroup::Group;
    ///
    /// gorun::block_on(async {
    ///     let (group, ctx) = Group::with_context(&Context::background());
    ///     group.go(async { Err("boom") }).await;
    ///     ctx.done().await;
    ///     assert_eq!(ctx.cause().unwrap().to_string(), "boom");
    ///     assert_eq!(group.wait().await, Err("boom"));
    /// });
    /// ```
    pub fn with_context(parent: &Context) -> (Self, Context)
    where
        E: fmt::Display,
    {
        let (context, cancel) = parent.with_cancel();
        (Group::in_context(Some(GroupContext { cancel, text_of: E::to_string })), context)
    }

    fn in_context(context: Option<GroupContext<E>>) -> Self {
        let (has_failed, first) = (AtomicBool::new(false), Mutex::new(None));
        Group {
            goroutines: WaitGroup::new(),
            limit: Semaphore::MAX_PERMITS,
            permits: Arc::new(Semaphore::new(Semaphore::MAX_PERMITS)),
            outcome: Arc::new(Outcome { has_failed, first, context }),
        }
    }

    /// From now on, no more than `limit` goroutines of the group run at the same time. With a
    /// limit of zero, none can start.
    ///
    /// Go counterpart: `Group.SetLimit`.
    ///
    /// # Panics
    ///
    /// If goroutines of the group run.
    ///
    /// # Examples
    ///
    /// ```
    /// use gorun::errgroup::Group;
    ///
    /// gorun::block_on(async {
    ///     let mut group = Group::<()>::new();
    ///     group.set_limit(2);
    ///     for _ in 0..10 {
    ///         group.go(async { Ok(()) }).await;
    ///     }
    ///     group.wait().await.unwrap();
    /// });
    /// ```
    #[track_caller]
    pub fn set_limit(&mut self, limit: usize) {
        let running = self.limit - self.permits.available_permits();
        assert!(
            running == 0,
            "`set_limit({limit})` on a group of which {running} goroutines run; set the limit before \
             the first `go`, or after `wait`"
        );
        self.limit = limit.min(Semaphore::MAX_PERMITS);
        self.permits = Arc::new(Semaphore::new(self.limit));
    }

    /// Starts a goroutine, as soon as fewer than the [limit](Self::set_limit) run. Await this: before
    /// that, nothing happens.
    ///
    /// If several wait, they start in the order in which they came.
    ///
    /// **Cancellation**: dropping this before it is ready drops `future`, which has not begun.
    ///
    /// Go counterpart: `Group.Go`, which blocks.
    ///
    /// # Panics
    ///
    /// On a thread that belongs to no runtime, when it is polled.
    ///
    /// # Examples
    ///
    /// See [`Group`].
    #[track_caller]
    pub fn go<F>(&self, future: F) -> impl Future<Output = ()> + Send + use<'_, F, E>
    where
        F: Future<Output = Result<(), E>> + Send + 'static,
    {
        let permit = self.permits.clone().acquire_owned();
        Go { group: self, permit, future: Some(future), caller: Location::caller() }
    }

    /// Starts a goroutine, if fewer than the [limit](Self::set_limit) run.
    ///
    /// Go counterpart: `Group.TryGo`.
    ///
    /// # Errors
    ///
    /// The future, if as many goroutines run as the limit allows.
    ///
    /// # Panics
    ///
    /// On a thread that belongs to no runtime.
    ///
    /// # Examples
    ///
    /// ```
    /// use gorun::errgroup::Group;
    ///
    /// gorun::block_on(async {
    ///     let mut group = Group::<String>::new();
    ///     group.set_limit(1);
    ///     for _ in 0..10 {
    ///         // Here, if nobody else is free.
    ///         if let Err(work) = group.try_go(async { Ok(()) }) {
    ///             work.await?;
    ///         }
    ///     }
    ///     group.wait().await
    /// })
    /// .unwrap();
    /// ```
    #[track_caller]
    pub fn try_go<F>(&self, future: F) -> Result<(), F>
    where
        F: Future<Output = Result<(), E>> + Send + 'static,
    {
        match self.permits.clone().try_acquire_owned() {
            Ok(permit) => {
                self.start(future, permit, Location::caller());
                Ok(())
            }
            Err(_) => Err(future),
        }
    }

    #[track_caller]
    fn start<F>(&self, future: F, permit: OwnedPermit, caller: &'static Location<'static>)
    where
        F: Future<Output = Result<(), E>> + Send + 'static,
    {
        let outcome = self.outcome.clone();
        let work = async move {
            let _permit = permit;
            if let Err(error) = future.await {
                outcome.fail(error);
            }
        };
        // The `async` block has room for the future twice: as captured, and as awaited.
        if const { 2 * size_of::<F>() > MAX_UNBOXED } {
            self.goroutines.go_at(Box::pin(work), caller);
        } else {
            self.goroutines.go_at(work, caller);
        }
    }

    /// Waits until all goroutines of the group have ended, and cancels its context.
    ///
    /// **Cancellation**: dropping the future loses nothing.
    ///
    /// Go counterpart: `Group.Wait`.
    ///
    /// # Errors
    ///
    /// The first error. Only one `wait` returns it, and the group drops later errors: use a new
    /// group for the next task.
    ///
    /// # Examples
    ///
    /// See [`Group`].
    pub fn wait(&self) -> impl Future<Output = Result<(), E>> {
        at_caller(async move {
            self.goroutines.wait().await;
            self.outcome.end();
            lock(&self.outcome.first).take().map_or(Ok(()), Err)
        })
    }
}

/// The future of [`Group::go`]. No `async` block, so that a panic in a poll outside of any runtime is at
/// the line of the await.
struct Go<'g, F, E, P> {
    group: &'g Group<E>,
    permit: P,
    /// Until it is started.
    future: Option<F>,
    caller: &'static Location<'static>,
}

impl<F, E, P> Unpin for Go<'_, F, E, P> {}

impl<F, E, P> Future for Go<'_, F, E, P>
where
    F: Future<Output = Result<(), E>> + Send + 'static,
    E: Send + 'static,
    P: Future<Output = Result<OwnedPermit, AcquireError>> + Unpin,
{
    type Output = ();

    #[track_caller]
    fn poll(self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        let permit = ready!(Pin::new(&mut this.permit).poll(cx));
        let permit = permit.expect("the group does not close it");
        let future = this.future.take().expect("a future is not polled after it was ready");
        this.group.start(future, permit, this.caller);
        Poll::Ready(())
    }
}

impl<E> Outcome<E> {
    fn fail(&self, error: E) {
        // Ordering: this only chooses one error. Those who wait see what the chosen one does,
        // because the goroutine is counted down after it. Others see it under the lock.
        if self.has_failed.swap(true, Ordering::Relaxed) {
            return;
        }
        let Some(context) = &self.context else {
            *lock(&self.first) = Some(error);
            return;
        };
        // User code makes this text, so no lock is held.
        let text = catch_unwind(AssertUnwindSafe(|| (context.text_of)(&error)));
        *lock(&self.first) = Some(error);
        match text {
            Ok(text) => context.cancel.cancel_with_cause(text),
            Err(payload) => {
                context.cancel.cancel();
                resume_unwind(payload);
            }
        }
    }

    fn end(&self) {
        if let Some(context) = &self.context {
            context.cancel.cancel();
        }
    }
}

impl<E> Drop for Group<E> {
    /// The goroutines hold the rest of the group.
    fn drop(&mut self) {
        self.outcome.end();
    }
}

impl<E: Send + 'static> Default for Group<E> {
    fn default() -> Self {
        Group::new()
    }
}

impl<E> fmt::Debug for Group<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let running = self.limit - self.permits.available_permits();
        f.debug_struct("Group").field("running", &running).finish_non_exhaustive()
    }
}
