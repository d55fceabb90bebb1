//! A channel for a single value.

#![forbid(unsafe_code)]

mod shared;

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use crate::chan::error::{SendError, TryRecvError};
use crate::scheduler::gate;
use crate::scheduler::worker::away;
use shared::{Closed, Shared};

/// Makes a channel for a single value, such as the answer to a request.
///
/// The sender does not wait. The [`Receiver`] is a future.
///
/// Go counterpart: `make(chan T, 1)`. tokio counterpart: `oneshot`.
///
/// # Examples
///
/// ```
/// use gorun::sync::oneshot;
/// use gorun::{block_on, channel, go};
///
/// block_on(async {
///     let (requests, served) = channel::<(u32, oneshot::Sender<u32>)>(0);
///     go!(async move {
///         while let Some((n, answer)) = served.recv().await {
///             let _ = answer.send(n * n);
///         }
///     });
///     let (answer, answered) = oneshot::channel();
///     requests.send((7, answer)).await.unwrap();
///     assert_eq!(answered.await, Ok(49));
/// });
/// ```
pub fn channel<T>() -> (Sender<T>, Receiver<T>) {
    let shared = Arc::new(Shared::new());
    (Sender { shared: Some(shared.clone()) }, Receiver { shared: Some(shared) })
}

/// Sends one value to the [`Receiver`] that [`channel`] made with it.
///
/// Dropping it lets the receiver know that none comes.
///
/// # Examples
///
/// See [`channel`].
pub struct Sender<T> {
    /// Until it has sent.
    shared: Option<Arc<Shared<T>>>,
}

impl<T> Sender<T> {
    fn shared(&self) -> &Shared<T> {
        self.shared.as_deref().expect(NOT_SENT)
    }

    /// Sends the value, and does not wait.
    ///
    /// # Errors
    ///
    /// The value, if the receiver was dropped or [closed](Receiver::close). If the receiver is
    /// dropped later, before it took the value, the value is dropped with it, although this has
    /// returned `Ok`.
    ///
    /// # Examples
    ///
    /// ```
    /// use gorun::SendError;
    /// use gorun::sync::oneshot;
    ///
    /// let (tx, rx) = oneshot::channel();
    /// drop(rx);
    /// assert_eq!(tx.send(7), Err(SendError(7)));
    /// ```
    pub fn send(mut self, value: T) -> Result<(), SendError<T>> {
        self.shared.take().expect(NOT_SENT).send(value)
    }

    /// Whether the receiver was dropped or closed.
    ///
    /// # Examples
    ///
    /// ```
    /// let (tx, rx) = gorun::sync::oneshot::channel::<u32>();
    /// drop(rx);
    /// assert!(tx.is_closed());
    /// ```
    pub fn is_closed(&self) -> bool {
        self.shared().is_closed()
    }

    /// Waits until the receiver was dropped or closed, so that nobody needs the value any more.
    ///
    /// **Cancellation**: dropping the future drops its waker.
    ///
    /// # Examples
    ///
    /// ```
    /// use gorun::sync::oneshot;
    /// use gorun::{block_on, go, select};
    ///
    /// block_on(async {
    ///     let (mut tx, rx) = oneshot::channel::<u32>();
    ///     go!(async move { drop(rx) });
    ///     select! {
    ///         _ = tx.closed() => println!("nobody waits for the result"),
    ///         () = std::future::pending() => unreachable!(),
    ///     }
    /// });
    /// ```
    pub fn closed(&mut self) -> impl Future<Output = ()> + Unpin {
        ClosedFuture { shared: self.shared() }
    }
}

const NOT_SENT: &str = "a sender sends once";

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        if let Some(shared) = &self.shared {
            shared.end_without_value();
        }
    }
}

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").finish_non_exhaustive()
    }
}

/// The future of [`Sender::closed`].
struct ClosedFuture<'a, T> {
    shared: &'a Shared<T>,
}

impl<T> Future for ClosedFuture<'_, T> {
    type Output = ();

    #[track_caller]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.shared.poll_closed(cx.waker())
    }
}

impl<T> Drop for ClosedFuture<'_, T> {
    fn drop(&mut self) {
        self.shared.leave();
    }
}

/// A future: the value from the [`Sender`] that [`channel`] made with it.
///
/// **Cancellation**: dropping it, or [`close`](Self::close), makes `send` fail; a value that was
/// sent is dropped. To wait only for a while, await `&mut receiver`.
///
/// **Errors**: [`RecvError`], if the sender was dropped without sending, or the receiver closed, or
/// the value taken already.
///
/// # Examples
///
/// See [`channel`].
#[must_use = "a receiver is a future: await it"]
pub struct Receiver<T> {
    /// Until it has received the value, or learnt that none comes: nobody waits any more.
    shared: Option<Arc<Shared<T>>>,
}

impl<T> Receiver<T> {
    /// The value, if it is there.
    ///
    /// # Errors
    ///
    /// [`TryRecvError::Empty`] if it may still come, [`TryRecvError::Closed`] if not.
    ///
    /// # Examples
    ///
    /// ```
    /// use gorun::TryRecvError;
    /// use gorun::sync::oneshot;
    ///
    /// let (tx, mut rx) = oneshot::channel();
    /// assert_eq!(rx.try_recv(), Err(TryRecvError::Empty));
    /// tx.send(7).unwrap();
    /// assert_eq!(rx.try_recv(), Ok(7));
    /// ```
    pub fn try_recv(&mut self) -> Result<T, TryRecvError> {
        let shared = self.shared.as_ref().ok_or(TryRecvError::Closed)?;
        let result = shared.try_recv();
        if !matches!(result, Err(TryRecvError::Empty)) {
            self.shared = None;
        }
        result
    }

    /// Waits for the value, and blocks the calling thread meanwhile. In a goroutine, other
    /// goroutines go on: another thread stands in.
    ///
    /// # Errors
    ///
    /// [`RecvError`], as if awaited.
    ///
    /// # Panics
    ///
    /// In main, if a goroutine's panic is unhandled meanwhile: with that panic, as at an await.
    ///
    /// # Examples
    ///
    /// ```
    /// use gorun::sync::oneshot;
    ///
    /// let (tx, rx) = oneshot::channel();
    /// std::thread::spawn(move || tx.send(7));
    /// assert_eq!(rx.recv_blocking(), Ok(7));
    /// ```
    pub fn recv_blocking(self) -> Result<T, RecvError> {
        away::wait_for(self)
    }

    /// From now on `send` fails. A value that was sent can still be received.
    ///
    /// # Examples
    ///
    /// ```
    /// use gorun::sync::oneshot;
    ///
    /// let (tx, mut rx) = oneshot::channel();
    /// rx.close();
    /// assert!(tx.send(7).is_err());
    /// assert!(gorun::block_on(rx).is_err());
    /// ```
    pub fn close(&mut self) {
        if let Some(shared) = &self.shared {
            shared.close();
        }
    }
}

impl<T> Future for Receiver<T> {
    type Output = Result<T, RecvError>;

    #[track_caller]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<T, RecvError>> {
        let this = self.get_mut();
        let Some(shared) = &this.shared else {
            let goes_on = gate::enter(cx.waker());
            return if goes_on { Poll::Ready(Err(RecvError(()))) } else { Poll::Pending };
        };
        let result = shared.poll_recv(cx.waker()).map_err(|Closed| RecvError(()));
        if result.is_ready() {
            this.shared = None;
        }
        result
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        if let Some(shared) = &self.shared {
            shared.end_receiving();
        }
    }
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver").finish_non_exhaustive()
    }
}

/// No value comes: the sender was dropped, or the receiver closed.
///
/// # Examples
///
/// ```
/// use gorun::sync::oneshot;
///
/// let (tx, rx) = oneshot::channel::<u32>();
/// drop(tx);
/// assert_eq!(gorun::block_on(rx).unwrap_err().to_string(), "no value was sent");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecvError(());

impl fmt::Display for RecvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no value was sent")
    }
}

impl Error for RecvError {}
