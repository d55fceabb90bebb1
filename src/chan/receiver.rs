//! The receiving half of a channel.

#![forbid(unsafe_code)]

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_core::Stream;

use crate::chan::core::Core;
use crate::chan::error::TryRecvError;
use crate::chan::recv::{self, Recv};
use crate::chan::waiters::SlotKey;
use crate::primitives::{AtomicU32, Ordering};
use crate::scheduler::at_caller::at_caller;
use crate::scheduler::worker::away;

/// Receives values from a channel, made by [`channel`](crate::channel()).
///
/// Clones receive from the same channel: each value goes to one of them. Dropping the last one
/// closes the channel and drops the values in it. All methods take `&self`; only the stream needs
/// the receiver alone.
///
/// A receiver is also a [`Stream`], for the combinators of the `futures` crate. A stream's `next()`
/// cannot tell the channel that it is dropped. If it was polled and is dropped before it was ready,
/// it keeps its place in the queue, and the value it may have been given, until this receiver is
/// used again or dropped. Use [`recv`](Receiver::recv) where a receive may be dropped, and where
/// the channel has other receivers.
///
/// Go counterpart: `<-chan T`.
///
/// # Examples
///
/// ```
/// use futures::StreamExt;
/// use gorun::{block_on, channel, go};
///
/// block_on(async {
///     let (tx, rx) = channel(4);
///     go!(async move {
///         for number in 0..5 {
///             tx.send(number).await.unwrap();
///         }
///     });
///     let doubled: Vec<_> = rx.map(|number| 2 * number).collect().await;
///     assert_eq!(doubled, [0, 2, 4, 6, 8]);
/// });
/// ```
pub struct Receiver<T> {
    core: Arc<Core<T>>,
    /// The slot in which this waits as a stream, plus one. Only one thread at a time uses it:
    /// `poll_next` has the receiver to itself, and when threads share the receiver, no stream is
    /// being awaited.
    stream: AtomicU32,
}

impl<T> Receiver<T> {
    pub(crate) fn new(core: Arc<Core<T>>) -> Self {
        Receiver { core, stream: AtomicU32::new(0) }
    }

    /// The channel, for any use but as a stream.
    #[inline]
    fn core(&self) -> &Core<T> {
        // Ordering: Relaxed, because the thread that set it had the receiver to itself.
        if self.stream.load(Ordering::Relaxed) != 0 {
            self.leave_stream();
        }
        &self.core
    }

    #[cold]
    fn leave_stream(&self) {
        // Ordering: Relaxed; the swap gives the slot to one thread, and the lock protects the rest.
        if let Some(key) = self.stream.swap(0, Ordering::Relaxed).checked_sub(1) {
            recv::cancel(&self.core, SlotKey(key));
        }
    }

    /// Receives a value, and waits until there is one. Returns `None` if the channel is closed and
    /// empty.
    ///
    /// # Cancellation
    ///
    /// No value is lost. If a receive was given a value, and is dropped before it was polled again,
    /// the value goes to the next waiting receiver. If there is none, the value is put back at the
    /// head of the channel, even if the channel is closed or has no capacity. Other receivers may
    /// have found a closed channel empty before that, and got `None`.
    ///
    /// Go counterpart: `value, ok := <-ch`.
    ///
    /// # Examples
    ///
    /// ```
    /// use gorun::{block_on, channel};
    ///
    /// block_on(async {
    ///     let (tx, rx) = channel(1);
    ///     tx.send("only").await.unwrap();
    ///     drop(tx);
    ///     assert_eq!(rx.recv().await, Some("only"));
    ///     assert_eq!(rx.recv().await, None);
    /// });
    /// ```
    #[inline]
    pub fn recv(&self) -> Recv<'_, T> {
        Recv::new(self.core())
    }

    /// Waits until there is a value, and appends all values that are there to `values`, but no more
    /// than `limit`. Returns how many: 0 if the channel is closed and empty, or `limit` is 0.
    ///
    /// It gives way as one receive does, so a `limit` that is not too high is fair to others. It does
    /// not wait for `limit` values, nor go on for ever if others keep sending.
    ///
    /// # Cancellation
    ///
    /// As of [`recv`](Receiver::recv): dropping the future takes no value.
    ///
    /// Go counterpart: a receive, and then a loop of `select`s with `default`.
    ///
    /// # Examples
    ///
    /// ```
    /// use gorun::{block_on, channel};
    ///
    /// block_on(async {
    ///     let (tx, rx) = channel(8);
    ///     for n in 0..5 {
    ///         tx.send(n).await.unwrap();
    ///     }
    ///     drop(tx);
    ///     let mut values = Vec::new();
    ///     assert_eq!(rx.recv_many(&mut values, 3).await, 3);
    ///     assert_eq!(rx.recv_many(&mut values, 3).await, 2);
    ///     assert_eq!(rx.recv_many(&mut values, 3).await, 0);
    ///     assert_eq!(values, [0, 1, 2, 3, 4]);
    /// });
    /// ```
    pub fn recv_many(&self, values: &mut Vec<T>, limit: usize) -> impl Future<Output = usize> {
        at_caller(async move {
            if limit == 0 {
                return 0;
            }
            let Some(first) = self.recv().await else { return 0 };
            values.push(first);
            // Senders that wait, and those that come meanwhile, could keep it for ever.
            let limit = limit.min(self.core().most_ready().saturating_add(1));
            for count in 1..limit {
                match self.try_recv() {
                    Ok(value) => values.push(value),
                    Err(_) => return count,
                }
            }
            limit
        })
    }

    /// Receives a value without waiting, from the buffer or from a waiting sender.
    ///
    /// # Errors
    ///
    /// [`TryRecvError`] if there is none.
    ///
    /// Go counterpart: a `select` with this one case and a `default`.
    ///
    /// # Examples
    ///
    /// ```
    /// use gorun::{TryRecvError, channel};
    ///
    /// let (tx, rx) = channel(1);
    /// assert_eq!(rx.try_recv(), Err(TryRecvError::Empty));
    /// tx.try_send(1).unwrap();
    /// assert_eq!(rx.try_recv(), Ok(1));
    /// ```
    pub fn try_recv(&self) -> Result<T, TryRecvError> {
        recv::try_recv(self.core())
    }

    /// Receives a value, and blocks the thread until there is one. Returns `None` if the channel is
    /// closed and empty.
    ///
    /// For threads outside the runtime. It also works in a goroutine: another worker takes over
    /// meanwhile, as for a nested [`block_on`](crate::block_on). `recv` is cheaper there.
    ///
    /// # Panics
    ///
    /// In main, with a goroutine's unhandled panic, which could not reach main otherwise.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::thread;
    /// use gorun::{block_on, channel};
    ///
    /// let (tx, rx) = channel(0);
    /// let thread = thread::spawn(move || rx.recv_blocking());
    /// block_on(tx.send(7)).unwrap();
    /// assert_eq!(thread.join().unwrap(), Some(7));
    /// ```
    pub fn recv_blocking(&self) -> Option<T> {
        match self.try_recv() {
            Ok(value) => Some(value),
            Err(TryRecvError::Closed) => None,
            Err(TryRecvError::Empty) => away::wait_for(self.recv()),
        }
    }

    /// Closes the channel. Sends fail from now on, waiting ones included. Receives return what is
    /// in the buffer, and then `None`. Closing a closed channel does nothing.
    ///
    /// Go counterpart: none; in Go only senders should close. Here a receiver that wants no more
    /// values closes the channel, or is dropped, to tell its senders.
    ///
    /// # Examples
    ///
    /// ```
    /// use gorun::{TrySendError, channel};
    ///
    /// let (tx, rx) = channel(2);
    /// tx.try_send(1).unwrap();
    /// rx.close();
    /// assert_eq!(tx.try_send(2), Err(TrySendError::Closed(2)));
    /// assert_eq!(rx.recv_blocking(), Some(1));
    /// ```
    pub fn close(&self) {
        self.core().close();
    }

    /// Whether either half has closed the channel. Values may still be in it.
    ///
    /// # Examples
    ///
    /// ```
    /// let (tx, rx) = gorun::channel::<u32>(1);
    /// assert!(!rx.is_closed());
    /// drop(tx);
    /// assert!(rx.is_closed());
    /// ```
    pub fn is_closed(&self) -> bool {
        self.core().is_closed()
    }

    /// How many values are in the channel: those in the buffer, and those that a receive put back.
    /// The values of waiting senders do not count.
    ///
    /// Go counterpart: `len(ch)`.
    ///
    /// # Examples
    ///
    /// ```
    /// let (tx, rx) = gorun::channel(8);
    /// tx.try_send('a').unwrap();
    /// assert_eq!(rx.len(), 1);
    /// ```
    pub fn len(&self) -> usize {
        self.core().len()
    }

    /// Whether [`len`](Receiver::len) is 0.
    ///
    /// # Examples
    ///
    /// ```
    /// let (tx, rx) = gorun::channel(8);
    /// assert!(rx.is_empty());
    /// tx.try_send('a').unwrap();
    /// assert!(!rx.is_empty());
    /// ```
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The capacity the channel was made with.
    ///
    /// Go counterpart: `cap(ch)`.
    ///
    /// # Examples
    ///
    /// ```
    /// let (_tx, rx) = gorun::channel::<u32>(8);
    /// assert_eq!(rx.capacity(), 8);
    /// ```
    pub fn capacity(&self) -> usize {
        self.core.unlocked.capacity
    }
}

/// Receives until the channel is closed and empty.
impl<T> Stream for Receiver<T> {
    type Item = T;

    #[track_caller]
    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        let Receiver { core, stream } = self.get_mut();
        let mut key = stream.load(Ordering::Relaxed).checked_sub(1).map(SlotKey);
        let received = recv::poll(core, &mut key, cx);
        stream.store(key.map_or(0, |key| key.0 + 1), Ordering::Relaxed);
        received
    }
}

impl<T> Clone for Receiver<T> {
    fn clone(&self) -> Self {
        let core = self.core();
        core.add_receiver();
        Receiver::new(self.core.clone())
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        self.core().remove_receiver();
    }
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.core.describe(&mut f.debug_struct("Receiver"))
    }
}
