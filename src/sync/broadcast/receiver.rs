//! The receiver of a broadcast channel.

#![forbid(unsafe_code)]

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_core::Stream;

use crate::scheduler::operation::Operation;
use crate::scheduler::worker::away;
use crate::sync::broadcast::error::{RecvError, TryRecvError};
use crate::sync::broadcast::state::{Received, State};
use crate::sync::channel::{Channel, Counted};
use crate::sync::wait_queue::Key;
use crate::sync::wait_until::{poll_until, wait_until};
use crate::sync::waitable::Attempt;

/// Gets every value of a channel made by [`channel`](super::channel).
///
/// A receiver is also a [`Stream`] of what [`recv`](Self::recv) gives, which ends when the channel is
/// closed. So the only error in it is [`RecvError::Lagged`].
///
/// # Examples
///
/// ```
/// use futures::StreamExt;
/// use gorun::sync::broadcast;
///
/// gorun::block_on(async {
///     let (tx, rx) = broadcast::channel(16);
///     (1..=3).for_each(|n| _ = tx.send(n));
///     drop(tx);
///     assert_eq!(rx.collect::<Vec<_>>().await, [Ok(1), Ok(2), Ok(3)]);
/// });
/// ```
pub struct Receiver<T> {
    channel: Arc<Channel<State<T>>>,
    /// The number of the value that it gets next.
    next: u64,
    /// Its waiter, if it is awaited as a stream.
    stream: Option<Key>,
}

/// Waits for a value, or for what there is to say instead.
fn next_value<T>(
    next: &mut u64,
    attempt: Attempt<'_, Counted<State<T>>>,
) -> Option<Result<Received<T>, RecvError>> {
    match attempt.state.receive(next) {
        Ok(value) => Some(Ok(value)),
        Err(TryRecvError::Lagged(missed)) => Some(Err(RecvError::Lagged(missed))),
        Err(TryRecvError::Closed) => Some(Err(RecvError::Closed)),
        Err(TryRecvError::Empty) => None,
    }
}

impl<T> Receiver<T> {
    /// The one that the channel was made with.
    pub(super) fn first(channel: Arc<Channel<State<T>>>) -> Self {
        Receiver { channel, next: 0, stream: None }
    }

    pub(super) fn subscribe(channel: &Arc<Channel<State<T>>>) -> Self {
        let next = channel.add_receiver(|state| state.sent);
        Receiver { channel: channel.clone(), next, stream: None }
    }

    /// Another receiver, of the values that are sent from now on.
    ///
    /// # Examples
    ///
    /// ```
    /// let (tx, mut rx) = gorun::sync::broadcast::channel(16);
    /// tx.send(1).unwrap();
    /// let mut other = rx.resubscribe();
    /// tx.send(2).unwrap();
    /// assert_eq!((rx.try_recv(), other.try_recv()), (Ok(1), Ok(2)));
    /// ```
    pub fn resubscribe(&self) -> Self {
        Receiver::subscribe(&self.channel)
    }

    /// How many values are kept that it has not got.
    ///
    /// # Examples
    ///
    /// ```
    /// let (tx, mut rx) = gorun::sync::broadcast::channel(16);
    /// tx.send(7).unwrap();
    /// assert_eq!(rx.len(), 1);
    /// rx.try_recv().unwrap();
    /// assert!(rx.is_empty());
    /// ```
    pub fn len(&self) -> usize {
        self.channel.access(|counted| counted.state.count_from(self.next))
    }

    /// Whether it has got all values.
    ///
    /// # Examples
    ///
    /// See [`len`](Self::len).
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<T: Clone> Receiver<T> {
    /// Waits for the next value. Receivers get clones of what was sent; the last one usually gets the
    /// value itself, unless another one is just making its clone.
    ///
    /// **Cancellation**: dropping the future loses nothing.
    ///
    /// # Errors
    ///
    /// [`RecvError::Lagged`], if values were dropped that this receiver has not got: it goes on with
    /// the oldest one that is kept. [`RecvError::Closed`], if it has got all, and no sender is left.
    ///
    /// # Examples
    ///
    /// ```
    /// use gorun::sync::broadcast::{self, RecvError};
    ///
    /// gorun::block_on(async {
    ///     let (tx, mut rx) = broadcast::channel(2);
    ///     (1..=5).for_each(|n| _ = tx.send(n));
    ///     drop(tx);
    ///     assert_eq!(rx.recv().await, Err(RecvError::Lagged(3)));
    ///     assert_eq!(rx.recv().await, Ok(4));
    ///     assert_eq!(rx.recv().await, Ok(5));
    ///     assert_eq!(rx.recv().await, Err(RecvError::Closed));
    /// });
    /// ```
    pub fn recv(&mut self) -> impl Future<Output = Result<T, RecvError>> + Unpin {
        let Receiver { channel, next, stream } = self;
        channel.end_stream(stream);
        wait_until(
            channel.counted(),
            Operation::Broadcast,
            |attempt| next_value(next, attempt),
            |received| received.map(Received::into_value),
        )
    }

    /// The next value, if it is there.
    ///
    /// # Errors
    ///
    /// As [`recv`](Self::recv), and [`TryRecvError::Empty`] if there is none yet.
    ///
    /// # Examples
    ///
    /// ```
    /// use gorun::sync::broadcast::{self, TryRecvError};
    ///
    /// let (tx, mut rx) = broadcast::channel(2);
    /// assert_eq!(rx.try_recv(), Err(TryRecvError::Empty));
    /// tx.send(7).unwrap();
    /// assert_eq!(rx.try_recv(), Ok(7));
    /// ```
    pub fn try_recv(&mut self) -> Result<T, TryRecvError> {
        let next = &mut self.next;
        let received = self.channel.access(|counted| counted.receive(next));
        received.map(Received::into_value)
    }

    /// Waits for the next value, and blocks the calling thread meanwhile. In a goroutine, other
    /// goroutines go on: another thread stands in.
    ///
    /// # Errors
    ///
    /// As [`recv`](Self::recv).
    ///
    /// # Panics
    ///
    /// In main, if a goroutine's panic is unhandled meanwhile: with that panic, as at an await.
    ///
    /// # Examples
    ///
    /// ```
    /// let (tx, mut rx) = gorun::sync::broadcast::channel(2);
    /// std::thread::spawn(move || tx.send(7));
    /// assert_eq!(rx.recv_blocking(), Ok(7));
    /// ```
    pub fn recv_blocking(&mut self) -> Result<T, RecvError> {
        away::wait_for(self.recv())
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        let stream = self.stream.take();
        // The values are dropped without the lock.
        let _unneeded = self.channel.remove_receiver(stream, |state| state.unsubscribe(self.next));
    }
}

impl<T: Clone> Stream for Receiver<T> {
    type Item = Result<T, RecvError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Receiver { channel, next, stream } = self.get_mut();
        let (waitable, operation) = (channel.counted(), Operation::Broadcast);
        let received = poll_until(waitable, operation, stream, cx.waker(), |attempt| {
            next_value(next, attempt)
        });
        received.map(|received| match received {
            Err(RecvError::Closed) => None,
            received => Some(received.map(Received::into_value)),
        })
    }
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver").finish_non_exhaustive()
    }
}
