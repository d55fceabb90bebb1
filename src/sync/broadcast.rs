//! A channel from which each receiver gets every value.

#![forbid(unsafe_code)]

mod error;

use std::collections::VecDeque;
use std::fmt;
use std::future::Future;
use std::sync::Arc;

use crate::chan::error::SendError;
use crate::scheduler::gate::Operation;
use crate::scheduler::worker::away;
use crate::sync::line::Line;
use crate::sync::waiting::waiting;
pub use error::{RecvError, TryRecvError};

/// Makes a channel from which each [`Receiver`] gets every value that is sent from the time on at
/// which it was made.
///
/// The channel keeps the last `capacity` values for receivers that have not got them yet. Senders do
/// not wait: a receiver that is further behind misses the oldest values, and is told
/// [how many](RecvError::Lagged). Values are dropped when all receivers have got them.
///
/// Go counterpart: none; a channel for each receiver, and a loop that sends to all. tokio
/// counterpart: `broadcast`.
///
/// # Panics
///
/// If `capacity` is zero.
///
/// # Examples
///
/// ```
/// use gorun::sync::broadcast;
/// use gorun::{block_on, spawn};
///
/// block_on(async {
///     let (tx, mut one) = broadcast::channel(16);
///     let mut other = tx.subscribe();
///     let sum = spawn(async move {
///         let mut sum = 0;
///         while let Ok(n) = one.recv().await {
///             sum += n;
///         }
///         sum
///     });
///     tx.send(1).unwrap();
///     tx.send(2).unwrap();
///     drop(tx);
///     assert_eq!(sum.await.unwrap(), 3);
///     assert_eq!(other.recv().await, Ok(1));
/// });
/// ```
#[track_caller]
pub fn channel<T>(capacity: usize) -> (Sender<T>, Receiver<T>) {
    assert!(
        capacity > 0,
        "a broadcast channel needs room for one value; for none, use `channel(0)`"
    );
    let state = State { values: VecDeque::new(), capacity, sent: 0, senders: 1, receivers: 1 };
    let line = Arc::new(Line::new(state));
    (Sender { line: line.clone() }, Receiver { line, next: 0 })
}

struct State<T> {
    /// Those that somebody has not got yet. The last one is the number `sent - 1`.
    values: VecDeque<Slot<T>>,
    capacity: usize,
    sent: u64,
    senders: usize,
    receivers: usize,
}

struct Slot<T> {
    value: Arc<T>,
    /// How many receivers have not got it.
    left: usize,
}

impl<T> State<T> {
    /// The number of the first value.
    fn first(&self) -> u64 {
        self.sent - self.values.len() as u64
    }

    /// The value `next`, which advances. All that has to be dropped without the lock is returned.
    fn receive(&mut self, next: &mut u64) -> Result<Arc<T>, TryRecvError> {
        let first = self.first();
        if *next == self.sent {
            return Err(match self.senders {
                0 => TryRecvError::Closed,
                _ => TryRecvError::Empty,
            });
        }
        if *next < first {
            let missed = first - *next;
            *next = first;
            return Err(TryRecvError::Lagged(missed));
        }
        let index = (*next - first) as usize;
        *next += 1;
        let slot = &mut self.values[index];
        slot.left -= 1;
        if slot.left > 0 {
            return Ok(slot.value.clone());
        }
        // Whoever has got this one has got those before it, so it is the first one.
        let slot = self.values.pop_front().expect("just seen");
        self.give_back();
        Ok(slot.value)
    }

    /// A receiver goes that has got what is before `next`. Returns what nobody needs any more.
    fn forgo(&mut self, next: u64) -> Vec<Slot<T>> {
        let seen = next.saturating_sub(self.first()) as usize;
        self.values.iter_mut().skip(seen).for_each(|slot| slot.left -= 1);
        let unneeded = self.values.iter().take_while(|slot| slot.left == 0).count();
        let unneeded = self.values.drain(..unneeded).collect();
        self.give_back();
        unneeded
    }

    /// Memory follows what is there.
    fn give_back(&mut self) {
        const KEPT: usize = 64;
        if self.values.is_empty() && self.values.capacity() > KEPT {
            self.values = VecDeque::new();
        }
    }
}

/// Sends to all receivers of a channel made by [`channel`]. Clones send to the same ones.
///
/// When the last one is dropped, receivers get the values that are left, and then an error.
///
/// # Examples
///
/// See [`channel`].
pub struct Sender<T> {
    line: Arc<Line<State<T>>>,
}

impl<T> Sender<T> {
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
        let value = Arc::new(value);
        let (result, _oldest) = self.line.change(|inner, parting| {
            let state = &mut inner.state;
            let left = state.receivers;
            if left == 0 {
                return (Err(value), None);
            }
            let is_full = state.values.len() == state.capacity;
            let oldest = if is_full { state.values.pop_front() } else { None };
            state.values.push_back(Slot { value, left });
            state.sent += 1;
            parting.release_all(&mut inner.queue);
            (Ok(left), oldest)
        });
        result.map_err(|value| SendError(Arc::into_inner(value).expect("nobody has got it")))
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
        let next = self.line.change(|inner, _| {
            inner.state.receivers += 1;
            inner.state.sent
        });
        Receiver { line: self.line.clone(), next }
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
        self.line.change(|inner, _| inner.state.receivers)
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
        self.line.change(|inner, _| inner.state.values.len())
    }

    /// Whether all receivers have got all values.
    ///
    /// # Examples
    ///
    /// See [`len`](Self::len).
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Waits until there is no receiver.
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
        let line = &self.line;
        waiting(
            line,
            Operation::Broadcast,
            |look| (look.state.receivers == 0).then_some(()),
            |()| (),
        )
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

/// Gets every value of a channel made by [`channel`].
///
/// # Examples
///
/// See [`channel`].
pub struct Receiver<T> {
    line: Arc<Line<State<T>>>,
    /// The number of the value that it gets next.
    next: u64,
}

impl<T: Clone> Receiver<T> {
    /// Waits for the next value. The last receiver that gets a value gets the one that was sent, the
    /// others get clones of it.
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
        let Receiver { line, next } = self;
        waiting(
            line,
            Operation::Broadcast,
            |look| match look.state.receive(next) {
                Ok(value) => Some(Ok(value)),
                Err(TryRecvError::Lagged(missed)) => Some(Err(RecvError::Lagged(missed))),
                Err(TryRecvError::Closed) => Some(Err(RecvError::Closed)),
                Err(TryRecvError::Empty) => None,
            },
            |received| received.map(Arc::unwrap_or_clone),
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
        let received = self.line.change(|inner, _| inner.state.receive(next));
        received.map(Arc::unwrap_or_clone)
    }

    /// Waits for the next value, and blocks the calling thread meanwhile. In a goroutine, other
    /// goroutines go on: another thread stands in.
    ///
    /// # Errors
    ///
    /// As [`recv`](Self::recv).
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
        // The values are dropped without the lock.
        let _unneeded = self.line.change(|inner, parting| {
            inner.state.receivers -= 1;
            if inner.state.receivers == 0 {
                parting.release_all(&mut inner.queue);
            }
            inner.state.forgo(self.next)
        });
    }
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver").finish_non_exhaustive()
    }
}
