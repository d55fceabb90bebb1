//! The sender of a watch channel.

#![forbid(unsafe_code)]

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use crate::chan::error::SendError;
use crate::scheduler::operation::Operation;
use crate::sync::channel::{Counted, SenderSide};
use crate::sync::watch::receiver::Receiver;
use crate::sync::watch::state::{self, State};

/// Replaces the value of a channel made by [`channel`](super::channel). Clones do so for the same one.
///
/// When the last one is dropped, receivers that wait get an error.
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
    /// # Examples
    ///
    /// ```
    /// let tx = gorun::sync::watch::Sender::new(1);
    /// tx.send_replace(2);
    /// assert_eq!(*tx.subscribe().borrow(), 2);
    /// ```
    pub fn new(value: T) -> Self {
        Sender::from(state::open(value, 0).sender)
    }

    /// Replaces the value, and lets receivers know.
    ///
    /// # Errors
    ///
    /// The value, if there is no receiver. [`send_replace`](Self::send_replace) replaces it anyway,
    /// for those that [subscribe](Self::subscribe) later.
    ///
    /// # Examples
    ///
    /// ```
    /// let (tx, rx) = gorun::sync::watch::channel(1);
    /// tx.send(2).unwrap();
    /// assert_eq!(*rx.borrow(), 2);
    /// drop(rx);
    /// assert!(tx.send(3).is_err());
    /// ```
    pub fn send(&self, value: T) -> Result<(), SendError<T>> {
        match self.replace_if(Arc::new(value), |counted| counted.receivers > 0) {
            Ok(_) => Ok(()),
            Err(value) => Err(SendError(Arc::into_inner(value).expect("nobody has got it"))),
        }
    }

    /// Replaces the value, whether there are receivers or not. Returns the former one.
    ///
    /// # Examples
    ///
    /// ```
    /// let (tx, _) = gorun::sync::watch::channel(1);
    /// assert_eq!(*tx.send_replace(2), 1);
    /// assert_eq!(*tx.borrow(), 2);
    /// ```
    pub fn send_replace(&self, value: T) -> Arc<T> {
        self.replace_if(Arc::new(value), |_| true).unwrap_or_else(|_| unreachable!("in any case"))
    }

    /// Replaces the value, if it `may`. Returns the former one, or the one that was not put in its
    /// place.
    fn replace_if(
        &self,
        value: Arc<T>,
        may: impl FnOnce(&Counted<State<T>>) -> bool,
    ) -> Result<Arc<T>, Arc<T>> {
        self.side.counted().with(|inner, wakes| {
            if !may(&inner.state) {
                return Err(value);
            }
            let state = &mut inner.state.state;
            state.version += 1;
            wakes.release_all(&mut inner.queue);
            Ok(std::mem::replace(&mut state.value, value))
        })
    }

    /// Changes a copy of the value, and puts it in its place.
    ///
    /// `change` runs without a lock. If somebody else replaces the value meanwhile, it is called
    /// again with a copy of the new one, so that no change is lost. There is no limit to that: one that
    /// takes longer than the time between the others' values is called for ever. Keep it short, and
    /// compute before.
    ///
    /// # Examples
    ///
    /// ```
    /// let (tx, rx) = gorun::sync::watch::channel(1);
    /// tx.send_modify(|n| *n += 1);
    /// assert_eq!(*rx.borrow(), 2);
    /// ```
    pub fn send_modify(&self, mut change: impl FnMut(&mut T))
    where
        T: Clone,
    {
        self.send_if_modified(|value| {
            change(value);
            true
        });
    }

    /// Changes a copy of the value, and puts it in its place if `change` says that it has changed it.
    /// Returns whether it has.
    ///
    /// Otherwise like [`send_modify`](Self::send_modify).
    ///
    /// # Examples
    ///
    /// ```
    /// let (tx, mut rx) = gorun::sync::watch::channel(1);
    /// let count_to = |limit| tx.send_if_modified(|n| {
    ///     let counts = *n < limit;
    ///     *n += u32::from(counts);
    ///     counts
    /// });
    /// assert!(count_to(2) && !count_to(2));
    /// assert_eq!(*rx.borrow_and_update(), 2);
    /// ```
    pub fn send_if_modified(&self, mut change: impl FnMut(&mut T) -> bool) -> bool
    where
        T: Clone,
    {
        loop {
            let (former, version) = self.present();
            let mut value = T::clone(&former);
            if !change(&mut value) {
                return false;
            }
            let is_former = |counted: &Counted<State<T>>| counted.state.version == version;
            if self.replace_if(Arc::new(value), is_former).is_ok() {
                return true;
            }
        }
    }

    fn present(&self) -> (Arc<T>, u64) {
        self.side.access(|counted| (counted.state.value.clone(), counted.state.version))
    }

    /// The present value.
    ///
    /// # Examples
    ///
    /// ```
    /// let (tx, _) = gorun::sync::watch::channel(1);
    /// assert_eq!(*tx.borrow(), 1);
    /// ```
    pub fn borrow(&self) -> Arc<T> {
        self.present().0
    }

    /// Another receiver. It has seen the present value.
    ///
    /// # Examples
    ///
    /// ```
    /// let (tx, _) = gorun::sync::watch::channel(1);
    /// let rx = tx.subscribe();
    /// assert_eq!(*rx.borrow(), 1);
    /// ```
    pub fn subscribe(&self) -> Receiver<T> {
        let channel = self.side.channel();
        let seen = channel.add_receiver(|state| state.version);
        Receiver::new(channel.clone(), seen)
    }

    /// How many receivers there are.
    ///
    /// # Examples
    ///
    /// ```
    /// let (tx, rx) = gorun::sync::watch::channel(1);
    /// assert_eq!((tx.receiver_count(), tx.is_closed()), (1, false));
    /// ```
    pub fn receiver_count(&self) -> usize {
        self.side.receivers()
    }

    /// How many senders there are.
    ///
    /// # Examples
    ///
    /// ```
    /// let (tx, _rx) = gorun::sync::watch::channel(1);
    /// let other = tx.clone();
    /// assert_eq!(other.sender_count(), 2);
    /// assert!(tx.same_channel(&other));
    /// ```
    pub fn sender_count(&self) -> usize {
        self.side.access(|counted| counted.senders)
    }

    /// Whether both send to the same receivers.
    ///
    /// # Examples
    ///
    /// See [`sender_count`](Self::sender_count).
    pub fn same_channel(&self, other: &Self) -> bool {
        Arc::ptr_eq(self.side.channel(), other.side.channel())
    }

    /// Whether there is no receiver.
    ///
    /// # Examples
    ///
    /// See [`receiver_count`](Self::receiver_count).
    pub fn is_closed(&self) -> bool {
        self.receiver_count() == 0
    }

    /// Waits until there is no receiver, at any moment since this was first polled.
    ///
    /// **Cancellation**: dropping the future drops its waker.
    ///
    /// # Examples
    ///
    /// ```
    /// gorun::block_on(async {
    ///     let (tx, rx) = gorun::sync::watch::channel(1);
    ///     gorun::go!(async move { drop(rx) });
    ///     tx.closed().await;
    /// });
    /// ```
    pub fn closed(&self) -> impl Future<Output = ()> + Unpin {
        self.side.closed(Operation::Watch)
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

impl<T: Default> Default for Sender<T> {
    fn default() -> Self {
        Sender::new(T::default())
    }
}

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").finish_non_exhaustive()
    }
}
