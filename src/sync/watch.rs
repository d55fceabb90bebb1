//! A value that is replaced from time to time, and receivers that want to know the latest one.

#![forbid(unsafe_code)]

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::sync::Arc;

use crate::chan::error::SendError;
use crate::scheduler::gate::Operation;
use crate::sync::line::{Line, Look};
use crate::sync::waiting::waiting;

/// Makes a channel that keeps the latest value only, such as a configuration or a state.
///
/// Each [`Receiver`] can look at the value at any time, and wait until there is a new one. Values
/// that are replaced before it looks are not seen; the last one always is. Looking holds no lock:
/// the value is in an `Arc`, and stays as it was seen.
///
/// Go counterpart: none; a `sync.Cond`, or a channel that is closed and replaced for each change.
/// tokio counterpart: `watch`.
///
/// # Examples
///
/// ```
/// use gorun::sync::watch;
/// use gorun::{block_on, spawn};
///
/// block_on(async {
///     let (tx, mut rx) = watch::channel("starting");
///     let other = spawn(async move {
///         while rx.changed().await.is_ok() {
///             if *rx.borrow() == "ready" {
///                 return "seen";
///             }
///         }
///         "never"
///     });
///     tx.send("ready").unwrap();
///     assert_eq!(other.await.unwrap(), "seen");
/// });
/// ```
pub fn channel<T>(value: T) -> (Sender<T>, Receiver<T>) {
    let state = State { value: Arc::new(value), version: 0, senders: 1, receivers: 1 };
    let line = Arc::new(Line::new(state));
    (Sender { line: line.clone() }, Receiver { line, seen: 0 })
}

struct State<T> {
    value: Arc<T>,
    /// How often it was replaced.
    version: u64,
    senders: usize,
    receivers: usize,
}

/// Replaces the value of a channel made by [`channel`]. Clones do so for the same one.
///
/// When the last one is dropped, receivers that wait get an error.
///
/// # Examples
///
/// See [`channel`].
pub struct Sender<T> {
    line: Arc<Line<State<T>>>,
}

impl<T> Sender<T> {
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
        if self.is_closed() {
            return Err(SendError(value));
        }
        self.send_replace(value);
        Ok(())
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
        self.replace(Arc::new(value), None).unwrap_or_else(|_| unreachable!("of any version"))
    }

    /// Replaces the value, of this version if one is given. Returns the former one, or the one that
    /// was not put in its place.
    fn replace(&self, value: Arc<T>, of: Option<u64>) -> Result<Arc<T>, Arc<T>> {
        self.line.change(|inner, parting| {
            if of.is_some_and(|version| version != inner.state.version) {
                return Err(value);
            }
            inner.state.version += 1;
            parting.release_all(&mut inner.queue);
            Ok(std::mem::replace(&mut inner.state.value, value))
        })
    }

    /// Changes a copy of the value, and puts it in its place.
    ///
    /// `change` runs without a lock. If somebody else replaces the value meanwhile, it is called
    /// again with a copy of the new one, so that no change is lost.
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
        loop {
            let (value, version) = self.look();
            let mut value = T::clone(&value);
            change(&mut value);
            if self.replace(Arc::new(value), Some(version)).is_ok() {
                return;
            }
        }
    }

    fn look(&self) -> (Arc<T>, u64) {
        self.line.change(|inner, _| (inner.state.value.clone(), inner.state.version))
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
        self.look().0
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
        let seen = self.line.change(|inner, _| {
            inner.state.receivers += 1;
            inner.state.version
        });
        Receiver { line: self.line.clone(), seen }
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
        self.line.change(|inner, _| inner.state.receivers)
    }

    /// Whether there is no receiver.
    ///
    /// # Examples
    ///
    /// See [`receiver_count`](Self::receiver_count).
    pub fn is_closed(&self) -> bool {
        self.receiver_count() == 0
    }

    /// Waits until there is no receiver.
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
        let line = &self.line;
        waiting(line, Operation::Watch, |look| (look.state.receivers == 0).then_some(()), |()| ())
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        self.line.change(|inner, _| inner.state.senders += 1);
        Sender { line: self.line.clone() }
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        self.line.change(|inner, parting| {
            inner.state.senders -= 1;
            if inner.state.senders == 0 {
                parting.release_all(&mut inner.queue);
            }
        });
    }
}

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").finish_non_exhaustive()
    }
}

/// Looks at the value of a channel made by [`channel`], and waits for new ones. A clone has seen
/// what this one has seen.
///
/// # Examples
///
/// See [`channel`].
pub struct Receiver<T> {
    line: Arc<Line<State<T>>>,
    /// The version that it has seen.
    seen: u64,
}

impl<T> Receiver<T> {
    /// The present value. [`changed`](Self::changed) still returns at once if it is new.
    ///
    /// # Examples
    ///
    /// ```
    /// let (_tx, rx) = gorun::sync::watch::channel(1);
    /// assert_eq!(*rx.borrow(), 1);
    /// ```
    pub fn borrow(&self) -> Arc<T> {
        self.line.change(|inner, _| inner.state.value.clone())
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
        let seen = &mut self.seen;
        self.line.change(|inner, _| {
            *seen = inner.state.version;
            inner.state.value.clone()
        })
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
        self.line.change(|inner, _| {
            let is_new = inner.state.version != self.seen;
            if is_new || inner.state.senders > 0 { Ok(is_new) } else { Err(RecvError(())) }
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
    /// See [`channel`].
    pub fn changed(&mut self) -> impl Future<Output = Result<(), RecvError>> + Unpin {
        let Receiver { line, seen } = self;
        let look = move |look: Look<'_, State<T>>| {
            if look.state.version != *seen {
                *seen = look.state.version;
                return Some(Ok(()));
            }
            (look.state.senders == 0).then_some(Err(RecvError(())))
        };
        waiting(line, Operation::Watch, look, |result| result)
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
    pub async fn wait_for(
        &mut self,
        mut is_wanted: impl FnMut(&T) -> bool,
    ) -> Result<Arc<T>, RecvError> {
        let Receiver { line, seen } = self;
        // The version that was asked about.
        let mut asked = None;
        loop {
            let look = |look: Look<'_, State<T>>| {
                let State { ref value, version, senders, .. } = *look.state;
                if asked != Some(version) {
                    asked = Some(version);
                    *seen = version;
                    return Some(Ok(value.clone()));
                }
                (senders == 0).then_some(Err(RecvError(())))
            };
            let value = waiting(line, Operation::Watch, look, |result| result).await?;
            if is_wanted(&value) {
                return Ok(value);
            }
        }
    }
}

impl<T> Clone for Receiver<T> {
    fn clone(&self) -> Self {
        self.line.change(|inner, _| inner.state.receivers += 1);
        Receiver { line: self.line.clone(), seen: self.seen }
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        self.line.change(|inner, parting| {
            inner.state.receivers -= 1;
            if inner.state.receivers == 0 {
                parting.release_all(&mut inner.queue);
            }
        });
    }
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver").finish_non_exhaustive()
    }
}

/// The last value was seen, and no sender is left.
///
/// # Examples
///
/// See [`Receiver::has_changed`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecvError(());

impl fmt::Display for RecvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no new value comes: all senders were dropped")
    }
}

impl Error for RecvError {}
