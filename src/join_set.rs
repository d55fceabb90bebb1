//! A set of goroutines whose results arrive in the order of completion.

#![forbid(unsafe_code)]

mod completions;
mod finished;

use std::fmt;
use std::future::Future;
use std::panic::resume_unwind;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use slab::Slab;

use crate::join_error::JoinError;
use crate::join_handle::{AbortHandle, JoinHandle};
use crate::primitives::{Mutex, lock};
use crate::scheduler::foreign_wakers;
use crate::scheduler::gate::{self, Operation};
use crate::scheduler::main::left_behind;
use crate::spawn::{MAX_UNBOXED, spawn};
use completions::{ALL, Completions, NotifyCompletion};
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
/// thread may await it, even after the runtime has ended.
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

    /// Waits for the next goroutine to complete, removes it from the set, and returns its result:
    /// the value, or a [`JoinError`] if it panicked or was cancelled. Returns `None` if the set is
    /// empty.
    ///
    /// **Cancellation**: dropping the future loses nothing; the result stays in the set.
    ///
    /// # Examples
    ///
    /// ```
    /// use gorun::{JoinSet, block_on, yield_now};
    ///
    /// block_on(async {
    ///     let mut set = JoinSet::new();
    ///     let (send, receive) = futures::channel::oneshot::channel();
    ///     set.spawn(async { receive.await.unwrap() });
    ///     set.spawn(async { "second" });
    ///     assert_eq!(set.join_next().await.unwrap().unwrap(), "second");
    ///     send.send("first").unwrap();
    ///     assert_eq!(set.join_next().await.unwrap().unwrap(), "first");
    ///     assert!(set.join_next().await.is_none());
    /// });
    /// ```
    pub async fn join_next(&mut self) -> Option<Result<T, JoinError>> {
        Next { set: self }.await.map(Finished::take)
    }

    /// The result of a goroutine that has completed, or `None` if there is none.
    ///
    /// # Examples
    ///
    /// ```
    /// gorun::block_on(async {
    ///     let mut set = gorun::JoinSet::new();
    ///     set.spawn(async { 42 });
    ///     let result = loop {
    ///         match set.try_join_next() {
    ///             Some(result) => break result,
    ///             None => gorun::yield_now().await,
    ///         }
    ///     };
    ///     assert_eq!(result.unwrap(), 42);
    /// });
    /// ```
    pub fn try_join_next(&mut self) -> Option<Result<T, JoinError>> {
        self.take_finished().map(Finished::take)
    }

    /// Waits for all goroutines, and returns their values in the order in which they completed.
    ///
    /// **Cancellation**: dropping the future drops the set, which aborts the goroutines.
    ///
    /// # Panics
    ///
    /// With a goroutine's panic, as soon as one panics, or if a goroutine was cancelled. The other
    /// goroutines are aborted then. To go on with them, use [`join_next`](Self::join_next).
    ///
    /// # Examples
    ///
    /// ```
    /// gorun::block_on(async {
    ///     let mut set = gorun::JoinSet::new();
    ///     for n in 0..3 {
    ///         set.spawn(async move { n });
    ///     }
    ///     let mut values = set.join_all().await;
    ///     values.sort();
    ///     assert_eq!(values, [0, 1, 2]);
    /// });
    /// ```
    pub async fn join_all(mut self) -> Vec<T> {
        let mut values = Vec::with_capacity(self.len());
        while let Some(result) = self.join_next().await {
            values.push(result.unwrap_or_else(|error| match error.try_into_panic() {
                Ok(payload) => resume_unwind(payload),
                Err(cancelled) => panic!(
                    "`join_all` waits for a value, but {cancelled}; use `join_next` where \
                     goroutines may be aborted"
                ),
            }));
        }
        values
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
        self.completions = Arc::default();
        drop(std::mem::take(&mut self.entries));
    }

    /// Cancels all goroutines, and waits until their futures have been dropped. The set is empty
    /// afterwards.
    ///
    /// Their results are not taken, so a panic among them is unhandled, as when the set is dropped.
    /// To handle panics yourself, call [`abort_all`](Self::abort_all) and then
    /// [`join_next`](Self::join_next).
    ///
    /// **Cancellation**: if the future is dropped, all goroutines are cancelled. Those it has not
    /// yet waited for are still in the set.
    ///
    /// # Examples
    ///
    /// ```
    /// gorun::block_on(async {
    ///     let mut set = gorun::JoinSet::new();
    ///     set.spawn(std::future::pending::<()>());
    ///     set.shutdown().await;
    ///     assert!(set.is_empty());
    ///     assert_eq!(gorun::num_goroutines(), 1);
    /// });
    /// ```
    pub async fn shutdown(&mut self) {
        self.abort_all();
        while let Some(finished) = (Next { set: self }).await {
            drop(finished);
        }
    }

    /// Removes the first finished goroutine of those that told the set.
    fn take_finished(&mut self) -> Option<Finished<T>> {
        loop {
            let key = lock(&self.completions).keys.pop_front();
            let Some(key) = key else {
                if self.exits.is_some() || self.is_empty() {
                    return None;
                }
                self.watch_exits();
                continue;
            };
            if key == ALL {
                lock(&self.completions).keys.extend(self.entries.iter().map(|(key, _)| key));
            }
            let Some(entry) = self.entries.get_mut(key) else { continue };
            if let Poll::Ready(finished) = entry.poll() {
                self.entries.remove(key);
                return Some(finished);
            }
        }
    }

    /// From now on, goroutines that exit leaves behind count as completed, too; some may have been left
    /// already.
    fn watch_exits(&mut self) {
        let tell = Waker::from(Arc::new(NotifyCompletion {
            completions: self.completions.clone(),
            key: ALL,
        }));
        let address = Arc::as_ptr(&self.completions).addr();
        let (exits, is_late) = left_behind::Subscription::new(address, tell.clone());
        self.exits = Some(exits);
        if is_late {
            tell.wake();
        }
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Finished<T>>> {
        loop {
            if let Some(finished) = self.take_finished() {
                return Poll::Ready(Some(finished));
            }
            if self.is_empty() {
                return Poll::Ready(None);
            }
            // Cloning and dropping a waker may run user code, so both happen outside the lock.
            let waker = cx.waker().clone();
            let mut completions = lock(&self.completions);
            if completions.keys.is_empty() {
                let replaced = completions.waiting.replace(waker);
                drop(completions);
                foreign_wakers::drop_waker(replaced);
                return Poll::Pending;
            }
            drop(completions);
            foreign_wakers::drop_waker(waker);
        }
    }
}

/// A set moves its results, and never pins them.
impl<T> Unpin for JoinSet<T> {}

impl<T> Drop for JoinSet<T> {
    /// Aborts all goroutines. Panics that were not taken are unhandled.
    fn drop(&mut self) {
        self.abort_all();
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

/// The next goroutine to finish; `None` if the set is empty.
struct Next<'a, T> {
    set: &'a mut JoinSet<T>,
}

impl<T> Future for Next<'_, T> {
    type Output = Option<Finished<T>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if !gate::enter(Operation::JoinNext, cx.waker()) {
            return Poll::Pending;
        }
        self.set.poll_next(cx)
    }
}

impl<T> Drop for Next<'_, T> {
    fn drop(&mut self) {
        let waker = lock(&self.set.completions).waiting.take();
        // Outside the lock.
        foreign_wakers::drop_waker(waker);
    }
}
