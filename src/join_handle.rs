//! The handle that `spawn` returns.

#![forbid(unsafe_code)]

use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::ptr;
use std::task::{Context, Poll, Waker};

use crate::join_error::JoinError;
use crate::scheduler::context;
use crate::scheduler::gate;
use crate::scheduler::goroutine::outcome::Outcome;
use crate::scheduler::goroutine::task::{Spawned, TaskRef};
use crate::scheduler::main::left_behind;
use crate::scheduler::operation::Operation;

/// A handle to a goroutine: a future of its result.
///
/// Awaiting it gives `Ok` with the goroutine's value, or a [`JoinError`] if the goroutine panicked
/// or was cancelled. It gives the result only after the goroutine's future has been dropped. Any
/// executor and any thread may await a handle, even after the runtime has ended; a goroutine that
/// exit left behind counts as cancelled.
///
/// Dropping the handle, or [`detach`](Self::detach), detaches the goroutine, which runs on. If it
/// then panics, or has panicked, no code can observe that any more, and the panic is *unhandled*:
/// see [`UnhandledPanic`](crate::UnhandledPanic).
///
/// **Cancellation**: dropping the handle while it is awaited loses only the result. It also drops
/// the waker it was polled with, unless a completion is calling that waker at this moment.
///
/// Go counterpart: none; a Go program passes a channel to the goroutine for this.
///
/// # Panics
///
/// When it is polled again after it has given its result.
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
    Waiting(Waiting<T>),
    /// Spawned at this line after its runtime had ended.
    Cancelled(&'static Location<'static>),
    /// Spawned at this line; the result has been taken.
    Taken(&'static Location<'static>),
}

struct Waiting<T> {
    task: Spawned<T>,
    awaited: Awaited,
}

/// Where the waker of the last poll is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Awaited {
    /// There is no waker.
    Never,
    /// The goroutine has it, for its completion.
    Near,
    /// `left_behind` has it as well, because the awaiting task is not a goroutine of the same
    /// runtime.
    Outside,
}

impl<T> Unpin for JoinHandle<T> {}

impl<T> JoinHandle<T> {
    /// The handle of a goroutine, or of none if its runtime had ended.
    pub(crate) fn new(task: Option<Spawned<T>>, spawned_at: &'static Location<'static>) -> Self {
        JoinHandle(match task {
            Some(task) => State::Waiting(Waiting { task, awaited: Awaited::Never }),
            None => State::Cancelled(spawned_at),
        })
    }

    /// Cancels the goroutine: its future is dropped at its next await, or without being polled if
    /// it has not run yet. Awaiting the handle then reports it as cancelled. Up to 1,024 awaits that are ready at
    /// once may come before that one, as in any poll.
    ///
    /// Returns at once; await the handle to wait until the future has been dropped. A goroutine
    /// that completes before its next await is not cancelled, and a completed one is not affected.
    /// A goroutine inside a nested `block_on` reaches its next await when that has ended. A
    /// goroutine may abort itself. Further calls do nothing.
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
        if let State::Waiting(waiting) = &self.0 {
            waiting.task.abort();
        }
    }

    /// A handle that can abort the goroutine but not await it, and may be stored elsewhere.
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
                State::Waiting(waiting) => Some(waiting.task.task_ref()),
                State::Cancelled(_) | State::Taken(_) => None,
            },
        }
    }

    /// Whether the goroutine has completed or was cancelled, and its future has been dropped.
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
            State::Waiting(waiting) => waiting.task.is_finished(),
            State::Cancelled(_) | State::Taken(_) => true,
        }
    }

    /// Detaches the goroutine, which runs on. Dropping the handle does the same, but less visibly.
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
            State::Waiting(waiting) => waiting.task.meta().spawned_at(),
            State::Cancelled(spawned_at) | State::Taken(spawned_at) => spawned_at,
        }
    }

    /// Polls for the result, without observing it: if the caller drops it, it counts as not taken.
    #[track_caller]
    #[inline]
    pub(crate) fn poll_outcome(&mut self, cx: &Context<'_>) -> Poll<Outcome<T>> {
        let waker = cx.waker();
        self.poll_or(waker, |waiting| waiting.is_left_behind(waker))
    }

    /// As `poll_outcome`, for a member of a set. The set itself waits for the news of exit.
    #[track_caller]
    pub(crate) fn poll_outcome_in_set(&mut self, waker: &Waker) -> Poll<Outcome<T>> {
        self.poll_or(waker, |waiting| {
            waiting.awaited = Awaited::Near;
            left_behind::is_published(waiting.task.meta().runtime(), waiting.address())
        })
    }

    /// Calls `is_left_behind` while the goroutine has not completed. That also records where the
    /// waker is.
    #[track_caller]
    #[inline]
    fn poll_or(
        &mut self,
        waker: &Waker,
        is_left_behind: impl FnOnce(&mut Waiting<T>) -> bool,
    ) -> Poll<Outcome<T>> {
        let outcome = match &mut self.0 {
            State::Waiting(waiting) => match waiting.task.poll(waker) {
                Poll::Ready(outcome) => {
                    waiting.forget_news();
                    outcome
                }
                Poll::Pending => {
                    if !is_left_behind(waiting) {
                        return Poll::Pending;
                    }
                    match waiting.give_up() {
                        // It has just completed.
                        Poll::Ready(outcome) => outcome,
                        Poll::Pending => Outcome::cancelled(waiting.task.meta().spawned_at()),
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

impl<T> Waiting<T> {
    /// Whether exit has left the goroutine behind. If not, the news of that will wake `waker`,
    /// unless `waker` belongs to a goroutine of the same runtime, which exit drops or leaves behind
    /// as well. A combinator with its own waker may be moved out of that goroutine, and outlive it.
    fn is_left_behind(&mut self, waker: &Waker) -> bool {
        let runtime = self.task.meta().runtime();
        let by_goroutine = context::with_inside(|context| {
            context.is_some_and(|c| c.runtime == runtime && c.is_own_waker(waker))
        });
        if by_goroutine {
            // The handle may have been awaited elsewhere before.
            self.forget_news();
            self.awaited = Awaited::Near;
            return false;
        }
        self.awaited = Awaited::Outside;
        left_behind::is_published_or_wait(runtime, self.address(), waker)
    }

    /// Drops the waker. The result may have arrived meanwhile.
    #[cold]
    fn give_up(&mut self) -> Poll<Outcome<T>> {
        let outcome = self.task.clear_waker();
        self.forget_news();
        outcome
    }

    /// Must run while this still owns the goroutine, because other goroutines may reuse its address
    /// later.
    #[inline]
    fn forget_news(&mut self) {
        let awaited = std::mem::replace(&mut self.awaited, Awaited::Never);
        if awaited == Awaited::Outside {
            left_behind::forget(self.task.meta().runtime(), self.address());
        }
    }

    fn address(&self) -> usize {
        ptr::from_ref(self.task.meta()).addr()
    }
}

impl<T> Drop for Waiting<T> {
    #[inline]
    fn drop(&mut self) {
        if self.awaited != Awaited::Never
            && let Poll::Ready(outcome) = self.give_up()
        {
            // The result was not taken, and cannot be any more.
            context::with_result_of(self.task.meta().spawned_at(), || drop(outcome));
        }
    }
}

impl<T> Future for JoinHandle<T> {
    type Output = Result<T, JoinError>;

    #[track_caller]
    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if !gate::enter(cx.waker()) {
            return Poll::Pending;
        }
        gate::note_wait(Operation::Join, self.get_mut().poll_outcome(cx)).map(Outcome::take)
    }
}

impl<T> fmt::Debug for JoinHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinHandle")
            .field("spawned_at", &format_args!("{}", self.spawned_at()))
            .field("is_finished", &self.is_finished())
            .finish()
    }
}

/// Aborts a goroutine, from any thread and any number of times.
///
/// [`JoinHandle::abort_handle`] makes it. It keeps the goroutine's memory alive, but not the
/// goroutine.
///
/// Go counterpart: the `cancel` function of a `context.Context`. Here the goroutine only has to
/// await something to be cancelled.
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
