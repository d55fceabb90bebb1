//! The receiver of a watch channel.

#![forbid(unsafe_code)]

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_core::Stream;

use crate::scheduler::at_caller::at_caller;
use crate::scheduler::operation::Operation;
use crate::scheduler::worker::away;
use crate::sync::channel::{Channel, Counted};
use crate::sync::wait_queue::Key;
use crate::sync::wait_until::{poll_until, wait_until};
use crate::sync::waitable::Attempt;
use crate::sync::watch::error::RecvError;
use crate::sync::watch::state::State;

/// Looks at the value of a channel made by [`channel`](super::channel), and waits for new ones. A clone has seen
/// what this one has seen.
///
/// A receiver is also a [`Stream`] of the values that were not seen, which ends with the last sender.
/// The present value is the first one after [`mark_changed`](Self::mark_changed).
///
/// # Examples
///
/// ```
/// use futures::StreamExt;
/// use gorun::sync::watch;
///
/// gorun::block_on(async {
///     let (tx, mut rx) = watch::channel(1);
///     rx.mark_changed();
///     assert_eq!(rx.next().await.as_deref(), Some(&1));
///     (2..=3).for_each(|n| _ = tx.send(n));
///     drop(tx);
///     assert_eq!(rx.next().await.as_deref(), Some(&3));
///     assert_eq!(rx.next().await, None);
/// });
/// ```
pub struct Receiver<T> {
    channel: Arc<Channel<State<T>>>,
    /// The version that it has seen.
    seen: u64,
    /// Its waiter, if it is awaited as a stream.
    stream: Option<Key>,
}

/// Waits for a value that was not `seen`, and marks it as seen.
fn next_change<T>(
    seen: &mut u64,
    attempt: &Attempt<'_, Counted<State<T>>>,
) -> Option<Result<(), RecvError>> {
    let Counted { state: State { version, .. }, senders, .. } = *attempt.state;
    if version != *seen {
        *seen = version;
        return Some(Ok(()));
    }
    (senders == 0).then_some(Err(RecvError::new()))
}

/// Likewise, and takes it along.
fn next_value<T>(
    seen: &mut u64,
    attempt: Attempt<'_, Counted<State<T>>>,
) -> Option<Result<Arc<T>, RecvError>> {
    let result = next_change(seen, &attempt)?;
    Some(result.map(|()| attempt.state.state.value.clone()))
}

impl<T> Receiver<T> {
    /// One that has been counted.
    pub(super) fn new(channel: Arc<Channel<State<T>>>, seen: u64) -> Self {
        Receiver { channel, seen, stream: None }
    }

    /// The present value. [`changed`](Self::changed) still returns at once if it is new.
    ///
    /// # Examples
    ///
    /// ```
    /// let (_tx, rx) = gorun::sync::watch::channel(1);
    /// assert_eq!(*rx.borrow(), 1);
    /// ```
    pub fn borrow(&self) -> Arc<T> {
        self.channel.access(|counted| counted.state.value.clone())
    }

    /// The present value, which counts as seen.
    ///
    /// # Examples
    ///
    /// ```
    /// let (tx, mut rx) = gorun::sync::watch::channel(1);
    /// tx.send(2).unwrap();
    /// assert_eq!(*rx.borrow_and_update(), 2);
    /// assert_eq!(rx.has_changed(), Ok(false));
    /// ```
    pub fn borrow_and_update(&mut self) -> Arc<T> {
        let (value, version) =
            self.channel.access(|counted| (counted.state.value.clone(), counted.state.version));
        self.seen = version;
        value
    }

    /// Marks the present value as not seen.
    ///
    /// # Examples
    ///
    /// ```
    /// let (_tx, mut rx) = gorun::sync::watch::channel(1);
    /// rx.mark_changed();
    /// assert_eq!(rx.has_changed(), Ok(true));
    /// rx.mark_unchanged();
    /// assert_eq!(rx.has_changed(), Ok(false));
    /// ```
    pub fn mark_changed(&mut self) {
        self.seen = self.version().wrapping_sub(1);
    }

    /// Marks the present value as seen.
    ///
    /// # Examples
    ///
    /// See [`mark_changed`](Self::mark_changed).
    pub fn mark_unchanged(&mut self) {
        self.seen = self.version();
    }

    fn version(&self) -> u64 {
        self.channel.access(|counted| counted.state.version)
    }

    /// Whether the present value was not seen yet.
    ///
    /// # Errors
    ///
    /// [`RecvError`], if it was seen, and no sender is left.
    ///
    /// # Examples
    ///
    /// ```
    /// let (tx, rx) = gorun::sync::watch::channel(1);
    /// assert_eq!(rx.has_changed(), Ok(false));
    /// drop(tx);
    /// assert!(rx.has_changed().is_err());
    /// ```
    pub fn has_changed(&self) -> Result<bool, RecvError> {
        self.channel.access(|counted| {
            let is_new = counted.state.version != self.seen;
            if is_new || counted.senders > 0 { Ok(is_new) } else { Err(RecvError::new()) }
        })
    }

    /// Waits until there is a value that was not seen, and marks it as seen.
    ///
    /// **Cancellation**: dropping the future leaves everything as it is.
    ///
    /// # Errors
    ///
    /// [`RecvError`], if the last value was seen, and no sender is left.
    ///
    /// # Examples
    ///
    /// See [`channel`](super::channel).
    pub fn changed(&mut self) -> impl Future<Output = Result<(), RecvError>> + Unpin {
        let Receiver { channel, seen, stream } = self;
        channel.end_stream(stream);
        wait_until(
            channel.counted(),
            Operation::Watch,
            |attempt| next_change(seen, &attempt),
            |result| result,
        )
    }

    /// Waits until there is a value that was not seen, and marks it as seen. Blocks the calling thread
    /// meanwhile. In a goroutine, other goroutines go on: another thread stands in.
    ///
    /// # Errors
    ///
    /// As [`changed`](Self::changed).
    ///
    /// # Panics
    ///
    /// In main, if a goroutine's panic is unhandled meanwhile: with that panic, as at an await.
    ///
    /// # Examples
    ///
    /// ```
    /// let (tx, mut rx) = gorun::sync::watch::channel(1);
    /// std::thread::spawn(move || tx.send(2));
    /// rx.changed_blocking().unwrap();
    /// assert_eq!(*rx.borrow(), 2);
    /// ```
    pub fn changed_blocking(&mut self) -> Result<(), RecvError> {
        away::wait_for(self.changed())
    }

    /// Waits until `is_wanted` says so of a value, the present one to begin with, and returns it.
    /// `is_wanted` runs without a lock, and may miss values that are replaced at once.
    ///
    /// **Cancellation**: dropping the future loses nothing but the mark that a value was seen.
    ///
    /// # Errors
    ///
    /// [`RecvError`], if it does not say so of the last value, and no sender is left.
    ///
    /// # Examples
    ///
    /// ```
    /// use gorun::sync::watch;
    ///
    /// gorun::block_on(async {
    ///     let (tx, mut rx) = watch::channel(0);
    ///     gorun::go!(async move {
    ///         for n in 1..=10 {
    ///             tx.send_replace(n);
    ///             gorun::yield_now().await;
    ///         }
    ///     });
    ///     assert!(*rx.wait_for(|&n| n >= 5).await.unwrap() >= 5);
    /// });
    /// ```
    pub fn wait_for(
        &mut self,
        mut is_wanted: impl FnMut(&T) -> bool,
    ) -> impl Future<Output = Result<Arc<T>, RecvError>> {
        at_caller(async move {
            let Receiver { channel, seen, stream } = self;
            channel.end_stream(stream);
            // The present value counts as new.
            *seen = channel.access(|counted| counted.state.version).wrapping_sub(1);
            loop {
                let attempt = |attempt: Attempt<'_, _>| next_value(seen, attempt);
                let value =
                    wait_until(channel.counted(), Operation::Watch, attempt, |result| result)
                        .await?;
                if is_wanted(&value) {
                    return Ok(value);
                }
            }
        })
    }
}

impl<T> Stream for Receiver<T> {
    type Item = Arc<T>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Arc<T>>> {
        let Receiver { channel, seen, stream } = self.get_mut();
        let (waitable, operation) = (channel.counted(), Operation::Watch);
        poll_until(waitable, operation, stream, cx.waker(), |attempt| next_value(seen, attempt))
            .map(Result::ok)
    }
}

impl<T> Clone for Receiver<T> {
    fn clone(&self) -> Self {
        self.channel.add_receiver(|_| ());
        Receiver::new(self.channel.clone(), self.seen)
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        self.channel.remove_receiver(self.stream.take(), |_| ());
    }
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver").finish_non_exhaustive()
    }
}
