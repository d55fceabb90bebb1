//! A set of goroutines whose results arrive in the order of completion.

#![forbid(unsafe_code)]

mod collect;
mod completions;
mod finished;
mod results;

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::task::{Poll, Waker};

use slab::Slab;

use crate::handle::Handle;
use crate::join_handle::{AbortHandle, JoinHandle};
use crate::primitives::Mutex;
use crate::scheduler::main::left_behind;
use crate::spawn::{MAX_UNBOXED, spawn};
use completions::{Completions, NotifyCompletion};
use finished::Finished;

/// A set of goroutines with results of one type. It returns the results in the order in which the
/// goroutines complete.
///
/// The set owns its goroutines: dropping it aborts them all. [`shutdown`](Self::shutdown) also
/// waits until they have ended; [`detach_all`](Self::detach_all) lets them run on.
///
/// The code that takes a goroutine's result observes its panic. If the set is dropped, shut down or
/// detached, the results that were not taken are treated like those of a dropped [`JoinHandle`]: a
/// panic among them is *unhandled*, see [`UnhandledPanic`](crate::UnhandledPanic).
///
/// Awaiting the next result costs the same for any number of goroutines. Any executor and any
/// thread may await it, even after the runtime has ended. A set is also a
/// [`Stream`](futures_core::Stream) of the results.
///
/// tokio counterpart: `JoinSet`, where a panic that is not taken is lost. Go counterpart: none; a
/// Go program uses a channel of results.
///
/// # Examples
///
/// ```
/// use gorun::{JoinSet, block_on};
///
/// block_on(async {
///     let mut set = JoinSet::new();
///     for n in 1..=10 {
///         set.spawn(async move { n * n });
///     }
///     let mut sum = 0;
///     while let Some(square) = set.join_next().await {
///         sum += square?;
///     }
///     assert_eq!(sum, 385);
///     Ok::<(), gorun::JoinError>(())
/// })?;
/// # Ok::<(), gorun::JoinError>(())
/// ```
pub struct JoinSet<T> {
    entries: Slab<Entry<T>>,
    completions: Arc<Mutex<Completions>>,
    /// Made when the set first finds that no goroutine has finished.
    exits: Option<left_behind::Subscription>,
}

struct Entry<T> {
    handle: JoinHandle<T>,
    /// A result that was ready when the entry was made. The mutex is never contended. It makes the
    /// set `Sync`, although a result may not be.
    early: Mutex<Option<Finished<T>>>,
    /// Adds the entry's key to the set's completions.
    waker: Waker,
}

impl<T> JoinSet<T> {
    /// An empty set.
    ///
    /// # Examples
    ///
    /// ```
    /// let set = gorun::JoinSet::<u32>::new();
    /// assert!(set.is_empty());
    /// ```
    pub fn new() -> Self {
        JoinSet { entries: Slab::new(), completions: Arc::default(), exits: None }
    }

    /// How many goroutines are in the set: those whose results have not been taken, whether they
    /// still run or not.
    ///
    /// # Examples
    ///
    /// ```
    /// gorun::block_on(async {
    ///     let mut set = gorun::JoinSet::new();
    ///     set.spawn(async {});
    ///     assert_eq!(set.len(), 1);
    ///     set.join_next().await;
    ///     assert_eq!(set.len(), 0);
    /// });
    /// ```
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether the set holds no goroutine.
    ///
    /// # Examples
    ///
    /// ```
    /// gorun::block_on(async {
    ///     let mut set = gorun::JoinSet::new();
    ///     assert!(set.is_empty());
    ///     set.spawn(async {});
    ///     assert!(!set.is_empty());
    /// });
    /// ```
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Starts a goroutine, as [`spawn`](crate::spawn()) does, and adds it to the set.
    ///
    /// # Panics
    ///
    /// When called on a thread that belongs to no runtime, as `spawn` does.
    ///
    /// # Cancellation
    ///
    /// If main has already ended, a worker drops the future without polling it, and its result
    /// reports it as cancelled.
    ///
    /// # Examples
    ///
    /// ```
    /// gorun::block_on(async {
    ///     let mut set = gorun::JoinSet::new();
    ///     let abort = set.spawn(std::future::pending::<()>());
    ///     abort.abort();
    ///     assert!(set.join_next().await.unwrap().unwrap_err().is_cancelled());
    /// });
    /// ```
    #[track_caller]
    pub fn spawn<F>(&mut self, future: F) -> AbortHandle
    where
        F: Future<Output = T> + Send + 'static,
        T: Send + 'static,
    {
        // Moves a large future to the heap here, so that no further function copies it on its
        // stack.
        let handle = if const { size_of::<F>() > MAX_UNBOXED } {
            spawn(Box::pin(future))
        } else {
            spawn(future)
        };
        self.add(handle)
    }

    /// Starts a goroutine on another runtime, or from a thread that belongs to none, and adds it to
    /// the set. The goroutines of a set may belong to several runtimes.
    ///
    /// # Panics
    ///
    /// Never. After the end of that runtime's main the goroutine's result says cancelled.
    ///
    /// # Examples
    ///
    /// ```
    /// use gorun::{Handle, JoinSet, block_on};
    ///
    /// block_on(async {
    ///     let runtime = Handle::current();
    ///     let thread = std::thread::spawn(move || {
    ///         let mut set = JoinSet::new();
    ///         set.spawn_on(async { 42 }, &runtime);
    ///         runtime.block_on(set.join_next())
    ///     });
    ///     assert_eq!(thread.join().unwrap().unwrap().unwrap(), 42);
    /// });
    /// ```
    #[track_caller]
    pub fn spawn_on<F>(&mut self, future: F, runtime: &Handle) -> AbortHandle
    where
        F: Future<Output = T> + Send + 'static,
        T: Send + 'static,
    {
        let handle = if const { size_of::<F>() > MAX_UNBOXED } {
            runtime.spawn(Box::pin(future))
        } else {
            runtime.spawn(future)
        };
        self.add(handle)
    }

    fn add(&mut self, handle: JoinHandle<T>) -> AbortHandle {
        let abort_handle = handle.abort_handle();
        let place = self.entries.vacant_entry();
        let waker = Waker::from(Arc::new(NotifyCompletion {
            completions: self.completions.clone(),
            key: place.key(),
        }));
        let mut entry = Entry { handle, early: Mutex::new(None), waker };
        // The poll leaves the waker with the goroutine.
        if let Poll::Ready(finished) = entry.poll() {
            entry.early = Mutex::new(Some(finished));
            entry.waker.wake_by_ref();
        }
        place.insert(entry);
        abort_handle
    }

    /// Cancels all goroutines that have not completed, as [`JoinHandle::abort`] does. They stay in
    /// the set, and [`join_next`](Self::join_next) returns the result of each.
    ///
    /// # Examples
    ///
    /// ```
    /// gorun::block_on(async {
    ///     let mut set = gorun::JoinSet::new();
    ///     set.spawn(std::future::pending::<()>());
    ///     set.abort_all();
    ///     assert!(set.join_next().await.unwrap().unwrap_err().is_cancelled());
    /// });
    /// ```
    pub fn abort_all(&mut self) {
        for (_, entry) in &self.entries {
            entry.handle.abort();
        }
    }

    /// Detaches all goroutines, which run on. The set is empty afterwards. A panic among them is
    /// unhandled.
    ///
    /// # Examples
    ///
    /// ```
    /// gorun::block_on(async {
    ///     let mut set = gorun::JoinSet::new();
    ///     set.spawn(async { /* perhaps main ends first */ });
    ///     set.detach_all();
    ///     assert!(set.is_empty());
    /// });
    /// ```
    pub fn detach_all(&mut self) {
        // Detached goroutines may still add themselves to the former completions.
        self.exits = None;
        self.forget_waker();
        self.completions = Arc::default();
        drop(std::mem::take(&mut self.entries));
    }
}

/// A set moves its results, and never pins them.
impl<T> Unpin for JoinSet<T> {}

impl<T> Drop for JoinSet<T> {
    /// Aborts all goroutines. Panics that were not taken are unhandled.
    fn drop(&mut self) {
        self.abort_all();
        self.forget_waker();
    }
}

impl<T> Default for JoinSet<T> {
    fn default() -> Self {
        JoinSet::new()
    }
}

impl<T> fmt::Debug for JoinSet<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinSet").field("len", &self.len()).finish()
    }
}

impl<T> Entry<T> {
    fn poll(&mut self) -> Poll<Finished<T>> {
        let early = self.early.get_mut().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(finished) = early.take() {
            return Poll::Ready(finished);
        }
        let spawned_at = self.handle.spawned_at();
        let outcome = self.handle.poll_outcome_in_set(&self.waker);
        outcome.map(|outcome| Finished::new(outcome, spawned_at))
    }
}
