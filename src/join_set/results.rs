//! Taking the results of a set.

#![forbid(unsafe_code)]

use std::collections::VecDeque;
use std::future::Future;
use std::panic::resume_unwind;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use futures_core::Stream;
use slab::Slab;

use super::JoinSet;
use super::completions::{ALL, NotifyCompletion};
use super::finished::Finished;
use crate::join_error::JoinError;
use crate::primitives::lock;
use crate::scheduler::at_caller::at_caller;
use crate::scheduler::foreign_wakers;
use crate::scheduler::gate;
use crate::scheduler::main::left_behind;
use crate::scheduler::operation::Operation;

impl<T> JoinSet<T> {
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
    pub fn join_next(&mut self) -> impl Future<Output = Option<Result<T, JoinError>>> {
        at_caller(async move { Next { set: self }.await.map(Finished::take) })
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
    pub fn join_all(mut self) -> impl Future<Output = Vec<T>> {
        at_caller(async move {
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
        })
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
    pub fn shutdown(&mut self) -> impl Future<Output = ()> {
        at_caller(async move {
            self.abort_all();
            while let Some(finished) = (Next { set: self }).await {
                drop(finished);
            }
        })
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
                self.free_memory_if_empty();
                return Some(finished);
            }
        }
    }

    /// A set may be kept for ever. Its memory follows what is there.
    fn free_memory_if_empty(&mut self) {
        const KEPT: usize = 64;
        if self.entries.is_empty() && self.entries.capacity() > KEPT {
            self.entries = Slab::new();
            // The keys that are left are of goroutines that have gone.
            lock(&self.completions).keys = VecDeque::new();
        }
    }

    /// Whoever has waited does not wait any more.
    pub(super) fn forget_waker(&mut self) {
        let waker = lock(&self.completions).waiting.take();
        // Outside the lock.
        foreign_wakers::drop_waker(waker);
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

    fn poll_finished(&mut self, cx: &mut Context<'_>) -> Poll<Option<Finished<T>>> {
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

/// The next goroutine to finish; `None` if the set is empty.
struct Next<'a, T> {
    set: &'a mut JoinSet<T>,
}

impl<T> Future for Next<'_, T> {
    type Output = Option<Finished<T>>;

    #[track_caller]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if !gate::enter(cx.waker()) {
            return Poll::Pending;
        }
        gate::note_wait(Operation::JoinNext, self.set.poll_finished(cx))
    }
}

impl<T> Drop for Next<'_, T> {
    fn drop(&mut self) {
        self.set.forget_waker();
    }
}

/// Gives the results in the order of completion, and ends when the set is empty. It may be filled
/// again, and polled again, after that.
///
/// # Examples
///
/// ```
/// use futures::TryStreamExt;
/// use gorun::{JoinError, JoinSet, block_on};
///
/// block_on(async {
///     let set: JoinSet<u32> = (1..=3).map(|n| async move { n * n }).collect();
///     let sum = set.try_fold(0, async |sum, square| Ok(sum + square)).await?;
///     assert_eq!(sum, 14);
///     Ok::<(), JoinError>(())
/// })?;
/// # Ok::<(), JoinError>(())
/// ```
impl<T> Stream for JoinSet<T> {
    type Item = Result<T, JoinError>;

    #[track_caller]
    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if !gate::enter(cx.waker()) {
            return Poll::Pending;
        }
        let next = gate::note_wait(Operation::JoinNext, self.get_mut().poll_finished(cx));
        next.map(|finished| finished.map(Finished::take))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.len(), Some(self.len()))
    }
}
