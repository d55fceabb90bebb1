//! A handle to a runtime, for any thread.

#![forbid(unsafe_code)]

use std::convert::identity;
use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::sync::Arc;

use crate::join_handle::JoinHandle;
use crate::scheduler::context;
use crate::scheduler::entered;
use crate::scheduler::shared::{Phase, Scheduler};
use crate::scheduler::worker::away;
use crate::spawn::MAX_UNBOXED;

/// A handle to a runtime, for threads outside it: they can spawn goroutines there and wait for
/// them.
///
/// It does not keep the runtime alive. After main has ended, [`spawn`](Self::spawn) drops the
/// future and returns a handle that reports it as cancelled.
///
/// Go counterpart: none; every thread of a Go program belongs to its only runtime.
///
/// # Examples
///
/// ```
/// use gorun::{Handle, block_on};
///
/// block_on(async {
///     let runtime = Handle::current();
///     let thread = std::thread::spawn(move || runtime.block_on(runtime.spawn(async { 42 })));
///     assert_eq!(thread.join().unwrap().unwrap(), 42);
/// });
/// ```
#[derive(Clone)]
pub struct Handle {
    scheduler: Arc<Scheduler>,
}

impl Handle {
    /// The runtime of the calling code: the one of the innermost `block_on`, or else the one that the
    /// thread has [entered](Self::enter).
    ///
    /// # Panics
    ///
    /// If the calling code is in no runtime. See [`try_current`](Self::try_current).
    ///
    /// # Examples
    ///
    /// ```
    /// gorun::block_on(async {
    ///     let runtime = gorun::Handle::current();
    ///     std::thread::spawn(move || runtime.spawn(async {}).detach()).join().unwrap();
    /// });
    /// ```
    #[track_caller]
    pub fn current() -> Handle {
        match Self::try_current() {
            Some(handle) => handle,
            None => panic!(
                "`Handle::current()` was called on a thread that belongs to no gorun runtime; call \
                 it inside `gorun::block_on` and pass the handle to the other thread"
            ),
        }
    }

    /// The runtime of the calling code, or `None` if it is in none.
    ///
    /// # Examples
    ///
    /// ```
    /// assert!(gorun::Handle::try_current().is_none());
    /// gorun::block_on(async { assert!(gorun::Handle::try_current().is_some()) });
    /// ```
    pub fn try_current() -> Option<Handle> {
        entered::surrounding().map(|scheduler| Handle { scheduler })
    }

    /// Starts a goroutine on this runtime, as [`spawn`](crate::spawn) does on the current one.
    ///
    /// # Panics
    ///
    /// Never. After the end of main the future is dropped, and the handle reports it as cancelled.
    ///
    /// # Examples
    ///
    /// ```
    /// let runtime = gorun::block_on(async { gorun::Handle::current() });
    /// let late = runtime.spawn(async { unreachable!("main has ended") });
    /// assert!(gorun::block_on(late).unwrap_err().is_cancelled());
    /// ```
    #[track_caller]
    pub fn spawn<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let spawned_at = Location::caller();
        if const { size_of::<F>() > MAX_UNBOXED } {
            self.spawn_at(Box::pin(future), spawned_at)
        } else {
            self.spawn_at(future, spawned_at)
        }
    }

    fn spawn_at<F>(
        &self,
        future: F,
        spawned_at: &'static Location<'static>,
    ) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        context::with_inside(|context| {
            let task = self.scheduler.spawn(context, future, spawned_at, identity);
            JoinHandle::new(task, spawned_at)
        })
    }

    /// Starts a goroutine without a handle. Says whether the runtime takes it.
    #[track_caller]
    pub(crate) fn start<F>(&self, future: F) -> bool
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let spawned_at = Location::caller();
        context::with_inside(|context| {
            self.scheduler.spawn(context, future, spawned_at, |task| task.is_some())
        })
    }

    /// Whether the runtime takes no goroutines any more.
    pub(crate) fn is_closed(&self) -> bool {
        self.scheduler.phase() >= Phase::Closed
    }

    pub(crate) fn scheduler(&self) -> &Arc<Scheduler> {
        &self.scheduler
    }

    /// Drives a future on the calling thread, with this runtime as the current one: the future's
    /// spawns go there. Neither the future nor its output need be `Send`.
    ///
    /// This is a wait, not a main: the end of the future cancels nothing, and the end of main does
    /// not interrupt it. The end of main may cancel the goroutines that the future waits for, and
    /// their handles report that; a timer panics. If a goroutine calls this, it blocks a worker,
    /// and another thread stands in for it.
    ///
    /// Calls that need a runtime belong inside the future:
    /// `block_on(async { sleep(limit).await })`, because `block_on(sleep(limit))` calls `sleep`
    /// first.
    ///
    /// Go counterpart: none; see [`Handle`].
    ///
    /// # Panics
    ///
    /// With the future's own panic. On main's thread also with a goroutine's unhandled panic.
    ///
    /// # Examples
    ///
    /// ```
    /// gorun::block_on(async {
    ///     let runtime = gorun::Handle::current();
    ///     let thread = std::thread::spawn(move || {
    ///         runtime.block_on(async { gorun::spawn(async { "from afar" }).await })
    ///     });
    ///     assert_eq!(thread.join().unwrap().unwrap(), "from afar");
    /// });
    /// ```
    pub fn block_on<F: Future>(&self, future: F) -> F::Output {
        if const { size_of::<F>() > MAX_UNBOXED } {
            away::block_on(&self.scheduler, Box::pin(future))
        } else {
            away::block_on(&self.scheduler, future)
        }
    }

    /// The number of goroutines in this runtime, as [`num_goroutines`](crate::num_goroutines)
    /// returns it for the current one. Main counts until it ends.
    ///
    /// # Examples
    ///
    /// ```
    /// let runtime = gorun::block_on(async { gorun::Handle::current() });
    /// assert_eq!(runtime.num_goroutines(), 0);
    /// ```
    pub fn num_goroutines(&self) -> usize {
        self.scheduler.num_goroutines()
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle").field("num_goroutines", &self.num_goroutines()).finish()
    }
}
