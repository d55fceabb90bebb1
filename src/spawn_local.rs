//! Futures that stay on main's thread.

#![forbid(unsafe_code)]

use std::cell::{Cell, RefCell};
use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, Location, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use crate::join_error::JoinError;
use crate::scheduler::context;
use crate::scheduler::foreign_wakers;
use crate::scheduler::gate;
use crate::scheduler::goroutine::outcome::Outcome;
use crate::scheduler::main::local_futures::LocalTask;
use crate::scheduler::main::main_guard::{self, MainGuard};
use crate::scheduler::operation::Operation;

/// Starts a future that need not be [`Send`]: it runs on main's thread, concurrently with main. The
/// handle gives its result; dropping the handle detaches the future, which runs on.
///
/// Main's thread polls it between two polls of main's future, so each holds up the other while it
/// computes or blocks. While main is in a nested [`block_on`](crate::block_on), no local future is
/// polled. So a nested `block_on` in main that awaits a local future's handle never returns.
///
/// Use [`spawn`](crate::spawn) for all that can be `Send`. A local future is no goroutine:
/// [`num_goroutines`](crate::num_goroutines) does not count it, and nobody covers for it when it
/// blocks.
///
/// Go counterpart: none. A goroutine that calls `runtime.LockOSThread` in `init` is the nearest.
///
/// # Panics
///
/// If the calling code belongs neither to main's future nor to a local one: in a goroutine, in
/// [`Handle::block_on`](crate::Handle::block_on) on another thread, and outside a runtime.
///
/// A panic inside the future goes to the code that awaits the handle. If none can, see
/// [`UnhandledPanic`](crate::UnhandledPanic).
///
/// # Cancellation
///
/// When main ends, its thread drops main's future, then the local futures that are left, and only
/// then do workers drop the goroutines. The handle of a dropped local future reports it as cancelled.
///
/// # Examples
///
/// ```
/// use std::cell::Cell;
/// use std::rc::Rc;
///
/// use gorun::{block_on, channel, spawn, spawn_local};
///
/// block_on(async {
///     let (tx, rx) = channel(0);
///     let sum = Rc::new(Cell::new(0)); // not `Send`
///     let adder = spawn_local({
///         let sum = sum.clone();
///         async move {
///             while let Some(n) = rx.recv().await {
///                 sum.set(sum.get() + n);
///             }
///         }
///     });
///     for n in 1..=4 {
///         let tx = tx.clone();
///         spawn(async move { tx.send(n).await.unwrap() }).detach();
///     }
///     drop(tx);
///     adder.await.unwrap();
///     assert_eq!(sum.get(), 10);
/// });
/// ```
#[track_caller]
pub fn spawn_local<F>(future: F) -> LocalJoinHandle<F::Output>
where
    F: Future + 'static,
    F::Output: 'static,
{
    let completion = Rc::new(Completion {
        spawned_at: Location::caller(),
        outcome: RefCell::new(None),
        is_finished: Cell::new(false),
        is_aborted: Cell::new(false),
        awaiter: RefCell::new(None),
    });
    let future = Some(Box::pin(future));
    let waker = context::with_inside(|context| {
        let context = context?;
        let futures = context.local_futures()?;
        let main = context.scheduler.main.clone();
        let task = Local { future, completion: completion.clone(), main };
        Some(futures.add(Box::new(task)))
    });
    match waker {
        Some(waker) => LocalJoinHandle { waker, completion },
        None => panic!(
            "`spawn_local` was called elsewhere than in main's future: it needs main's thread, which \
             polls what it starts; in a goroutine or on another thread use `gorun::spawn`"
        ),
    }
}

/// A future of [`spawn_local`]: await it to get the result, or the reason why there is none.
///
/// It stays on main's thread, as its future does. Dropping it detaches the future.
///
/// # Cancellation
///
/// It may be awaited by reference, and again after the wait was dropped: nothing is lost.
///
/// # Panics
///
/// When it is polled again after it has given its result.
///
/// # Examples
///
/// ```
/// use gorun::{block_on, spawn_local};
///
/// block_on(async {
///     let handle = spawn_local(async { "done" });
///     assert_eq!(handle.await.unwrap(), "done");
///
///     let handle = spawn_local(std::future::pending::<()>());
///     handle.abort();
///     assert!(handle.await.unwrap_err().is_cancelled());
/// });
/// ```
pub struct LocalJoinHandle<T> {
    /// The future's waker; `None` if it never ran.
    waker: Option<Waker>,
    completion: Rc<Completion<T>>,
}

impl<T> LocalJoinHandle<T> {
    /// Cancels the future: main's thread drops it at its next turn instead of polling it. It does
    /// nothing once the future has completed. It does not wait; await the handle for that.
    ///
    /// # Examples
    ///
    /// See [`LocalJoinHandle`].
    pub fn abort(&self) {
        if !self.is_finished() {
            self.completion.is_aborted.set(true);
            self.waker.iter().for_each(Waker::wake_by_ref);
        }
    }

    /// Whether the future has completed or was dropped, so that awaiting the handle does not wait.
    ///
    /// # Examples
    ///
    /// ```
    /// use gorun::{block_on, spawn_local, yield_now};
    ///
    /// block_on(async {
    ///     let handle = spawn_local(async {});
    ///     assert!(!handle.is_finished());
    ///     while !handle.is_finished() {
    ///         yield_now().await;
    ///     }
    /// });
    /// ```
    pub fn is_finished(&self) -> bool {
        self.completion.is_finished.get()
    }

    /// Lets the future run on its own: says that dropping the handle is meant.
    ///
    /// # Examples
    ///
    /// ```
    /// gorun::block_on(async {
    ///     gorun::spawn_local(async { println!("on main's thread") }).detach();
    /// });
    /// ```
    pub fn detach(self) {}
}

impl<T> Future for LocalJoinHandle<T> {
    type Output = Result<T, JoinError>;

    #[track_caller]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if !gate::enter(cx.waker()) {
            return Poll::Pending;
        }
        let completion = &self.completion;
        if completion.is_finished.get() {
            let outcome = completion.outcome.take();
            return Poll::Ready(outcome.unwrap_or_else(|| completion.already_taken()).take());
        }
        let is_known =
            completion.awaiter.borrow().as_ref().is_some_and(|old| old.will_wake(cx.waker()));
        if !is_known {
            let waker = cx.waker().clone();
            let former = completion.awaiter.replace(Some(waker));
            foreign_wakers::drop_waker(former);
        }
        gate::note_wait(Operation::Join, Poll::Pending)
    }
}

/// Nothing keeps the waker of a handle that is gone.
impl<T> Drop for LocalJoinHandle<T> {
    fn drop(&mut self) {
        foreign_wakers::drop_waker(self.completion.awaiter.take());
    }
}

impl<T> fmt::Debug for LocalJoinHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalJoinHandle")
            .field("spawned_at", &format_args!("{}", self.completion.spawned_at))
            .field("is_finished", &self.is_finished())
            .finish()
    }
}

/// What a local future and its handle share.
struct Completion<T> {
    spawned_at: &'static Location<'static>,
    /// `None` until the future has completed, and once the result has been taken.
    outcome: RefCell<Option<Outcome<T>>>,
    is_finished: Cell<bool>,
    is_aborted: Cell<bool>,
    awaiter: RefCell<Option<Waker>>,
}

impl<T> Completion<T> {
    fn deliver(&self, outcome: Outcome<T>) {
        self.outcome.replace(Some(outcome));
        self.is_finished.set(true);
        if let Some(waker) = self.awaiter.take() {
            foreign_wakers::wake(waker);
        }
    }

    #[track_caller]
    fn already_taken(&self) -> ! {
        panic!(
            "the LocalJoinHandle of the future spawned at {} was polled again after it had given its \
             result; await a handle once, or keep it in an Option and take it",
            self.spawned_at
        )
    }
}

/// A future of [`spawn_local`], until it has completed.
struct Local<F: Future> {
    future: Option<Pin<Box<F>>>,
    completion: Rc<Completion<F::Output>>,
    main: Arc<MainGuard>,
}

impl<F: Future> Local<F> {
    fn finish(&mut self, outcome: Outcome<F::Output>) {
        let future = self.future.take();
        let outcome = match catch_unwind(AssertUnwindSafe(|| drop(future))) {
            Ok(()) => outcome,
            Err(payload) => outcome.then_panicked(self.panicked(payload)),
        };
        self.completion.deliver(outcome);
    }

    fn panicked(&self, payload: crate::panics::Payload) -> Outcome<F::Output> {
        Outcome::panicked(payload, &self.main, self.completion.spawned_at)
    }
}

impl<F: Future> LocalTask for Local<F> {
    fn poll(&mut self, waker: &Waker) -> Poll<()> {
        if !self.completion.is_aborted.get() {
            let future = self.future.as_mut().expect("it has not completed").as_mut();
            let poll = || future.poll(&mut Context::from_waker(waker));
            let outcome = match catch_unwind(AssertUnwindSafe(poll)) {
                Ok(Poll::Ready(value)) => Some(Outcome::value(value)),
                Ok(Poll::Pending) => None,
                // This is a goroutine's unhandled panic, which a blocking call has resumed here.
                Err(payload) if main_guard::must_stop() => resume_unwind(payload),
                Err(payload) => Some(self.panicked(payload)),
            };
            if let Some(outcome) = outcome {
                self.finish(outcome);
                return Poll::Ready(());
            }
        }
        if !self.completion.is_aborted.get() {
            return Poll::Pending;
        }
        self.cancel();
        Poll::Ready(())
    }

    fn cancel(&mut self) {
        self.finish(Outcome::cancelled(self.completion.spawned_at));
    }
}
