//! The sending half of a channel.

#![forbid(unsafe_code)]

use std::fmt;
use std::sync::Arc;
use std::task::Waker;

use crate::chan::core::{Core, Fired};
use crate::chan::error::{SendError, TrySendError};
use crate::chan::send::{self, Send, SendFrom};
use crate::chan::waiters::SlotKey;
use crate::scheduler::worker::away;

/// Sends values into a channel, made by [`channel`](crate::channel()).
///
/// Clones send into the same channel. Dropping the last one closes the channel.
///
/// Go counterpart: `chan<- T`.
///
/// # Examples
///
/// ```
/// use gorun::{block_on, channel, spawn};
///
/// block_on(async {
///     let (tx, rx) = channel(4);
///     let sum = spawn(async move {
///         let mut sum = 0;
///         while let Some(number) = rx.recv().await {
///             sum += number;
///         }
///         sum
///     });
///     for number in 1..=10 {
///         tx.send(number).await.unwrap();
///     }
///     drop(tx);
///     assert_eq!(sum.await.unwrap(), 55);
/// });
/// ```
pub struct Sender<T> {
    core: Arc<Core<T>>,
}

impl<T> Sender<T> {
    pub(crate) fn new(core: Arc<Core<T>>) -> Self {
        Sender { core }
    }

    /// Sends a value, and waits until the buffer has room for it. In a rendezvous channel it waits
    /// until a receive takes the value.
    ///
    /// # Errors
    ///
    /// [`SendError`], with the value in it, if the channel is closed, or closes while this waits.
    ///
    /// # Cancellation
    ///
    /// A send that is dropped before it was committed drops its value; no receiver has seen it.
    /// After the commit the value is in the buffer, or with a receiver. It stays there even if the
    /// send is dropped before it was polled again. To keep the value of a dropped send, use
    /// [`send_from`](Sender::send_from).
    ///
    /// Go counterpart: `ch <- value`.
    ///
    /// # Examples
    ///
    /// ```
    /// use gorun::{SendError, block_on, channel};
    ///
    /// block_on(async {
    ///     let (tx, rx) = channel(1);
    ///     assert_eq!(tx.send("kept").await, Ok(()));
    ///     assert_eq!(rx.recv().await, Some("kept"));
    ///     drop(rx);
    ///     assert_eq!(tx.send("too late").await, Err(SendError("too late")));
    /// });
    /// ```
    #[inline]
    pub fn send(&self, value: T) -> Send<'_, T> {
        Send::new(&self.core, value)
    }

    /// Sends the value in `value`, and takes it out only when the send is committed. If the send
    /// fails, is dropped, or is a case of a [`select!`](crate::select!) that chooses another case,
    /// the value is still there afterwards.
    ///
    /// # Errors
    ///
    /// [`SendError`] if the channel is closed, or closes while this waits.
    ///
    /// # Panics
    ///
    /// At the caller's line, if `value` is empty.
    ///
    /// Go counterpart: `case out <- head:`, where the program keeps `head` if another case happens.
    ///
    /// # Examples
    ///
    /// An unbounded queue between two channels:
    ///
    /// ```
    /// use std::collections::VecDeque;
    /// use gorun::{block_on, channel, select, spawn};
    ///
    /// block_on(async {
    ///     let (tx, inbox) = channel(0);
    ///     let (outbox, rx) = channel(0);
    ///     spawn(async move {
    ///         let (mut head, mut queue, mut is_open) = (None, VecDeque::new(), true);
    ///         while is_open || head.is_some() {
    ///             select! {
    ///                 value = inbox.recv(), if is_open => match value {
    ///                     Some(value) => queue.push_back(value),
    ///                     None => is_open = false,
    ///                 },
    ///                 sent = outbox.send_from(&mut head), if head.is_some() => sent.unwrap(),
    ///             }
    ///             if head.is_none() {
    ///                 head = queue.pop_front();
    ///             }
    ///         }
    ///     });
    ///     for number in 0..100 {
    ///         tx.send(number).await.unwrap();
    ///     }
    ///     drop(tx);
    ///     for number in 0..100 {
    ///         assert_eq!(rx.recv().await, Some(number));
    ///     }
    ///     assert_eq!(rx.recv().await, None);
    /// });
    /// ```
    #[track_caller]
    pub fn send_from<'a>(&'a self, value: &'a mut Option<T>) -> SendFrom<'a, T> {
        assert!(value.is_some(), "`send_from` needs a value to send, and the option is empty");
        SendFrom::new(&self.core, value)
    }

    /// Sends a value without waiting: the buffer has room, or a receiver waits.
    ///
    /// # Errors
    ///
    /// [`TrySendError`], with the value in it, if that is not possible, or if the channel is
    /// closed.
    ///
    /// Go counterpart: a `select` with this one case and a `default`.
    ///
    /// # Examples
    ///
    /// ```
    /// use gorun::{TrySendError, channel};
    ///
    /// let (tx, rx) = channel(1);
    /// assert_eq!(tx.try_send(1), Ok(()));
    /// assert_eq!(tx.try_send(2), Err(TrySendError::Full(2)));
    /// assert_eq!(rx.try_recv(), Ok(1));
    /// assert_eq!(tx.try_send(2), Ok(()));
    /// ```
    pub fn try_send(&self, value: T) -> Result<(), TrySendError<T>> {
        send::try_send(&self.core, value)
    }

    /// Sends a value, and blocks the thread until the buffer has room for it or, in a rendezvous
    /// channel, until a receive takes it.
    ///
    /// For threads outside the runtime. It also works in a goroutine: another worker takes over
    /// meanwhile, as for a nested [`block_on`](crate::block_on). `send` is cheaper there.
    ///
    /// # Errors
    ///
    /// [`SendError`], with the value in it, if the channel is closed, or closes while this waits.
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
    /// let thread = thread::spawn(move || tx.send_blocking("from a thread").unwrap());
    /// assert_eq!(block_on(rx.recv()), Some("from a thread"));
    /// thread.join().unwrap();
    /// ```
    pub fn send_blocking(&self, value: T) -> Result<(), SendError<T>> {
        match self.try_send(value) {
            Ok(()) => Ok(()),
            Err(TrySendError::Closed(value)) => Err(SendError(value)),
            Err(TrySendError::Full(value)) => away::wait_for(self.send(value)),
        }
    }

    /// Closes the channel. Sends fail from now on, waiting ones included. Receives return what is
    /// in the buffer, and then `None`. Closing a closed channel does nothing.
    ///
    /// Go counterpart: `close(ch)`, which panics if it is closed already.
    ///
    /// # Examples
    ///
    /// ```
    /// let (tx, rx) = gorun::channel(1);
    /// tx.try_send(1).unwrap();
    /// tx.close();
    /// assert!(tx.try_send(2).is_err());
    /// assert_eq!(rx.recv_blocking(), Some(1));
    /// assert_eq!(rx.recv_blocking(), None);
    /// ```
    pub fn close(&self) {
        self.core.close();
    }

    /// Whether either half has closed the channel. Values may still be in it.
    ///
    /// # Examples
    ///
    /// ```
    /// let (tx, rx) = gorun::channel::<u32>(1);
    /// assert!(!tx.is_closed());
    /// drop(rx);
    /// assert!(tx.is_closed());
    /// ```
    pub fn is_closed(&self) -> bool {
        self.core.is_closed()
    }

    /// How many values are in the channel: those in the buffer, and those that a receive put back.
    /// The values of waiting senders do not count.
    ///
    /// Go counterpart: `len(ch)`.
    ///
    /// # Examples
    ///
    /// ```
    /// let (tx, _rx) = gorun::channel(8);
    /// tx.try_send('a').unwrap();
    /// assert_eq!(tx.len(), 1);
    /// ```
    pub fn len(&self) -> usize {
        self.core.len()
    }

    /// Whether [`len`](Sender::len) is 0.
    ///
    /// # Examples
    ///
    /// ```
    /// let (tx, _rx) = gorun::channel(8);
    /// assert!(tx.is_empty());
    /// tx.try_send('a').unwrap();
    /// assert!(!tx.is_empty());
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
    /// let (tx, _rx) = gorun::channel::<u32>(8);
    /// assert_eq!(tx.capacity(), 8);
    /// ```
    pub fn capacity(&self) -> usize {
        self.core.unlocked.capacity
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        self.core.add_sender();
        Sender { core: self.core.clone() }
    }
}

impl<T> Sender<T> {
    /// Wakes `watcher` when the channel is closed. The channel must be open, and have no watcher.
    pub(crate) fn wake_when_closed(&self, watcher: Waker) {
        self.core.wake_when_closed(watcher);
    }

    /// See [`Core::ring`]. This is the only sender.
    pub(crate) fn fire(&self, value: T, notice: Option<Waker>) -> Fired {
        self.core.fire(value, notice)
    }

    /// See [`Core::is_taken`].
    pub(crate) fn is_taken(&self, notice: SlotKey) -> bool {
        self.core.is_taken(notice)
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        self.core.remove_sender();
    }
}

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.core.describe(&mut f.debug_struct("Sender"))
    }
}
