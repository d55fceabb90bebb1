//! A channel from which each receiver gets every value.

#![forbid(unsafe_code)]

mod error;
mod receiver;
mod sender;
mod state;

use crate::sync::channel::Opened;
pub use error::{RecvError, TryRecvError};
pub use receiver::Receiver;
pub use sender::Sender;

/// Makes a channel from which each [`Receiver`] gets every value that is sent after that receiver
/// was made.
///
/// The channel keeps the last `capacity` values for receivers that have not got them yet. Senders
/// do not wait: a receiver that is further behind misses the oldest values, and learns
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
    let Opened { sender, channel } = state::open(capacity, 1);
    (Sender::from(sender), Receiver::first(channel))
}
