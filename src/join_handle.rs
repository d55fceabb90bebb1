//! What `spawn` returns: a goroutine seen from outside.

#![forbid(unsafe_code)]

use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::ptr;
use std::task::{Context, Poll};

use crate::join_error::JoinError;
use crate::scheduler::context;
use crate::scheduler::left_behind;
use crate::scheduler::outcome::Outcome;
use crate::scheduler::task::{Meta, Spawned, TaskRef};

/// A goroutine, seen by whoever spawned it: a future of its result.
///
/// Awaiting it gives `Ok` with the goroutine's value, or a [`JoinError`] if it panicked or was
/// cancelled. That happens only after the goroutine's future has been dropped. Any executor and
/// any thread may await a handle, also after the runtime has ended: goroutines that exit left
/// behind count as cancelled.
///
/// Dropping the handle, or [`detach`](Self::detach), lets the goroutine run on by itself. If it then
/// panics, or has panicked, nobody can observe that any more, and the panic is *unhandled*: see
/// [`UnhandledPanic`](crate::UnhandledPanic).
///
/// **Cancellation**: dropping the handle in the middle of awaiting it loses nothing but the
/// result. The waker it was polled with goes with it: nothing keeps it, and only a completion that is
/// calling it already goes on.
///
/// Go counterpart: none; a Go program passes a channel to the goroutine for this.
///
/// # Panics
///
/// When it is polled again after it gave its result.
///
/// # Examples
///
/// ```
/// gorun::block_on(async {
///     let handle = gorun::spawn(async { 6 * 7 });
///     assert_eq!(handle.await?, 42);
///     Ok::<(), gorun::JoinError>(())
/// })?;
/// # Ok::<(), gorun::JoinError>(())
/// ```
pub struct JoinHandle<T>(State<T>);

enum State<T> {
    Waiting {
        task: Spawned<T>,
        /// It was polled, so the goroutine has a waker to call when it completes.
        awaited: bool,
        /// For news that the goroutine was left behind, if the handle is awaited from outside.
        news: Option<left_behind::Subscription>,
    },
    /// Spawned there when its runtime was over.
    Cancelled(&'static Location<'static>),
    /// Spawned there; the result has been given.
    Taken(&'static Location<'static>),
}

impl<T> Unpin for JoinHandle<T> {}

impl<T> JoinHandle<T> {
    pub(crate) fn new(task: Spawned<T>) -> Self {
        JoinHandle(State::Waiting { task, awaited: false, news: None })
    }

    pub(crate) fn cancelled(spawned_at: &'static Location<'static>) -> Self {
        JoinHandle(State::Cancelled(spawned_at))
    }

    /// Cancels the goroutine: its future is dropped at its next await (or, if it has not been
    /// polled yet, without being polled), and awaiting the handle says cancelled.
    ///
    /// Returns at once; await the handle to wait until the future has been dropped. A goroutine
    /// that completes before its next await is not cancelled, and a completed one not affected.
    /// One inside a `block_on` of its own comes to its next await when that has ended. A goroutine
    /// may abort itself. Repeating it does nothing.
    ///
    /// Go counterpart: none; a Go program passes a `context.Context`.
    ///
    /// # Examples
    ///
    /// ```
    /// gorun::block_on(async {
    ///     let handle = gorun::spawn(std::future::pending::<()>());
    ///     handle.abort();
    ///     assert!(handle.await.unwrap_err().is_cancelled());
    /// });
    /// ```
    pub fn abort(&self) {
        if let State::Waiting { task, .. } = &self.0 {
            task.abort();
        }
    }

    /// What can abort the goroutine, but not await it, and may be kept elsewhere.
    ///
    /// # Examples
    ///
    /// ```
    /// gorun::block_on(async {
    ///     let handle = gorun::spawn(std::future::pending::<()>());
    ///     let abort = handle.abort_handle();
    ///     gorun::spawn(async move { abort.abort() });
    ///     assert!(handle.await.unwrap_err().is_cancelled());
    /// });
    /// ```
    pub fn abort_handle(&self) -> AbortHandle {
        AbortHandle {
            task: match &self.0 {
                State::Waiting { task, .. } => Some(task.task_ref()),
                State::Cancelled(_) | State::Taken(_) => None,
            },
        }
    }

    /// Whether the goroutine has completed, or was cancelled, and its future been dropped.
    ///
    /// # Examples
    ///
    /// ```
    /// gorun::block_on(async {
    ///     let handle = gorun::spawn(async {});
    ///     while !handle.is_finished() {
    ///         gorun::yield_now().await;
    ///     }
    ///     handle.await.unwrap();
    /// });
    /// ```
    pub fn is_finished(&self) -> bool {
        match &self.0 {
            State::Waiting { task, .. } => task.is_finished(),
            State::Cancelled(_) | State::Taken(_) => true,
        }
    }

    /// Lets the goroutine run on by itself, as dropping the handle does, but says so.
    ///
    /// # Examples
    ///
    /// ```
    /// gorun::block_on(async {
    ///     gorun::spawn(async { /* perhaps main ends first */ }).detach();
    /// });
    /// ```
    pub fn detach(self) {}

    pub(crate) fn spawned_at(&self) -> &'static Location<'static> {
        match &self.0 {
            State::Waiting { task, .. } => task.meta().spawned_at(),
            State::Cancelled(spawned_at) | State::Taken(spawned_at) => spawned_at,
        }
    }

    /// Polls for the result, which is not observed yet: dropped, it is one that nobody took.
    #[track_caller]
    #[inline]
    pub(crate) fn poll_outcome(&mut self, cx: &mut Context<'_>) -> Poll<Outcome<T>> {
        let outcome = match &mut self.0 {
            State::Waiting { task, awaited, news } => match task.poll(cx) {
                Poll::Ready(outcome) => outcome,
                Poll::Pending => {
                    *awaited = true;
                    if !is_left_behind(task.meta(), news, cx) {
                        return Poll::Pending;
                    }
                    match task.let_go_of_waker() {
                        // It has completed at this moment.
                        Poll::Ready(outcome) => outcome,
                        Poll::Pending => Outcome::cancelled(task.meta().spawned_at()),
                    }
                }
            },
            State::Cancelled(spawned_at) => Outcome::cancelled(spawned_at),
            State::Taken(spawned_at) => panic!(
                "the JoinHandle of the goroutine spawned at {spawned_at} was polled again after it \
                 had given its result; await a handle once, or keep it in an Option and take it",
            ),
        };
        self.0 = State::Taken(self.spawned_at());
        Poll::Ready(outcome)
    }
}

impl<T> Drop for JoinHandle<T> {
    #[inline]
    fn drop(&mut self) {
        if let State::Waiting { task, awaited: true, .. } = &mut self.0
            && let Poll::Ready(outcome) = task.let_go_of_waker()
        {
            // Nobody took the result, and nobody can any more.
            context::with_result_of(task.meta().spawned_at(), || drop(outcome));
        }
    }
}

impl<T> Future for JoinHandle<T> {
    type Output = Result<T, JoinError>;

    #[track_caller]
    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.get_mut().poll_outcome(cx).map(Outcome::take)
    }
}

/// Whether exit has left the goroutine behind. If not, news of that will wake `cx`, unless that is
/// a goroutine of the same runtime, which exit drops or leaves behind as well. (A combinator with a
/// waker of its own may be moved out of that goroutine, and outlive it.)
fn is_left_behind(
    meta: &Meta,
    news: &mut Option<left_behind::Subscription>,
    cx: &mut Context<'_>,
) -> bool {
    let scheduler = meta.scheduler();
    let by_goroutine = context::with_inside(|context| {
        context.is_some_and(|c| c.belongs_to(scheduler) && c.is_own_waker(cx.waker()))
    });
    if by_goroutine {
        // Perhaps it was awaited elsewhere before.
        drop(news.take());
        return false;
    }
    let near = ptr::from_ref(meta).addr() / 128;
    left_behind::is_announced(scheduler, near, news, cx.waker())
}

impl<T> fmt::Debug for JoinHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinHandle")
            .field("spawned_at", &format_args!("{}", self.spawned_at()))
            .field("is_finished", &self.is_finished())
            .finish()
    }
}

/// Aborts a goroutine, from anywhere and as often as you like.
///
/// Got from [`JoinHandle::abort_handle`]. It keeps the goroutine's memory, but not the goroutine,
/// alive.
///
/// Go counterpart: the `cancel` function of a `context.Context`, except that the goroutine need not
/// cooperate beyond awaiting something.
///
/// # Examples
///
/// ```
/// gorun::block_on(async {
///     let handle = gorun::spawn(std::future::pending::<()>());
///     let abort = handle.abort_handle();
///     abort.abort();
///     abort.clone().abort();
///     assert!(handle.await.unwrap_err().is_cancelled());
/// });
/// ```
#[derive(Clone)]
pub struct AbortHandle {
    task: Option<TaskRef>,
}

impl AbortHandle {
    /// Cancels the goroutine, as [`JoinHandle::abort`] does.
    ///
    /// # Examples
    ///
    /// ```
    /// gorun::block_on(async {
    ///     let handle = gorun::spawn(std::future::pending::<()>());
    ///     handle.abort_handle().abort();
    ///     assert!(handle.await.unwrap_err().is_cancelled());
    /// });
    /// ```
    pub fn abort(&self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

impl fmt::Debug for AbortHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AbortHandle").finish_non_exhaustive()
    }
}

const _: () = assert!(size_of::<JoinHandle<()>>() == 16);
