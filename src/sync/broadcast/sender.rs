//! The sender of a broadcast channel.

#![forbid(unsafe_code)]

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use crate::chan::error::SendError;
use crate::scheduler::operation::Operation;
use crate::sync::broadcast::receiver::Receiver;
use crate::sync::broadcast::state::{self, State};
use crate::sync::channel::{Counted, SenderSide};

/// Sends to all receivers of a channel made by [`channel`](super::channel). Clones send to the same ones.
///
/// When the last one is dropped, receivers get the values that are left, and then an error.
///
/// # Examples
///
/// See [`channel`](super::channel).
pub struct Sender<T> {
    side: SenderSide<State<T>>,
}

impl<T> Sender<T> {
    /// The sender of a new channel that has no receiver yet: they [subscribe](Self::subscribe).
    ///
    /// # Panics
    ///
    /// If `capacity` is zero.
    ///
    /// # Examples
    ///
    /// ```
    /// let tx = gorun::sync::broadcast::Sender::new(16);
    /// assert!(tx.send(7).is_err());
    /// ```
    #[track_caller]
    pub fn new(capacity: usize) -> Self {
        Sender::from(state::open(capacity, 0).sender)
    }

    /// Sends a value to all receivers, and does not wait. Returns how many there are.
    ///
    /// # Errors
    ///
    /// The value, if there is no receiver.
    ///
    /// # Examples
    ///
    /// ```
    /// let (tx, rx) = gorun::sync::broadcast::channel(16);
    /// assert_eq!(tx.send(7), Ok(1));
    /// drop(rx);
    /// assert!(tx.send(8).is_err());
    /// ```
    pub fn send(&self, value: T) -> Result<usize, SendError<T>> {
        let (mut value, mut boxed) = (Some(value), None);
        loop {
            let sent = self.side.counted().with(|inner, wakes| {
                let Counted { ref mut state, receivers, .. } = inner.state;
                if receivers == 0 {
                    return Some((0, None));
                }
                let boxed = boxed.take().or_else(|| state.fill_spare(&mut value))?;
                let is_full = state.values.len() == state.capacity;
                let oldest = if is_full { state.values.pop_front() } else { None };
                state.push(boxed, receivers);
                wakes.release_all(&mut inner.queue);
                Some((receivers, oldest))
            });
            match sent {
                Some((0, _)) => {
                    let value = value.or_else(|| boxed.and_then(Arc::into_inner).flatten());
                    return Err(SendError(value.expect("nobody has got it")));
                }
                Some((receivers, _oldest)) => return Ok(receivers),
                // There was no spare box.
                None => boxed = Some(Arc::new(value.take())),
            }
        }
    }

    /// Another receiver, of the values that are sent from now on.
    ///
    /// # Examples
    ///
    /// ```
    /// let (tx, _) = gorun::sync::broadcast::channel(16);
    /// let mut rx = tx.subscribe();
    /// tx.send(7).unwrap();
    /// assert_eq!(rx.try_recv(), Ok(7));
    /// ```
    pub fn subscribe(&self) -> Receiver<T> {
        Receiver::subscribe(self.side.channel())
    }

    /// How many receivers there are.
    ///
    /// # Examples
    ///
    /// ```
    /// let (tx, _rx) = gorun::sync::broadcast::channel::<u32>(16);
    /// assert_eq!(tx.receiver_count(), 1);
    /// ```
    pub fn receiver_count(&self) -> usize {
        self.side.receivers()
    }

    /// How many values are kept, because a receiver has not got them.
    ///
    /// # Examples
    ///
    /// ```
    /// let (tx, mut rx) = gorun::sync::broadcast::channel(16);
    /// tx.send(7).unwrap();
    /// assert_eq!(tx.len(), 1);
    /// rx.try_recv().unwrap();
    /// assert!(tx.is_empty());
    /// ```
    pub fn len(&self) -> usize {
        self.side.access(|counted| counted.state.values.len())
    }

    /// Whether all receivers have got all values.
    ///
    /// # Examples
    ///
    /// See [`len`](Self::len).
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Waits until there is no receiver, at any moment since this was first polled.
    ///
    /// **Cancellation**: dropping the future drops its waker.
    ///
    /// # Examples
    ///
    /// ```
    /// gorun::block_on(async {
    ///     let (tx, rx) = gorun::sync::broadcast::channel::<u32>(16);
    ///     gorun::go!(async move { drop(rx) });
    ///     tx.closed().await;
    /// });
    /// ```
    pub fn closed(&self) -> impl Future<Output = ()> + Unpin {
        self.side.closed(Operation::Broadcast)
    }
}

impl<T> Sender<T> {
    pub(super) fn from(side: SenderSide<State<T>>) -> Self {
        Sender { side }
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        Sender { side: self.side.clone() }
    }
}

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").finish_non_exhaustive()
    }
}
