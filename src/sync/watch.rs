//! A value that is replaced from time to time, and receivers that want to know the latest one.

#![forbid(unsafe_code)]

mod error;
mod receiver;
mod sender;
mod state;

use crate::sync::channel::Opened;
pub use error::RecvError;
pub use receiver::Receiver;
pub use sender::Sender;

/// Makes a channel that keeps the latest value only, such as a configuration or a state.
///
/// Each [`Receiver`] can look at the value at any time, and wait until there is a new one. It does
/// not see values that are replaced before it looks, but it always sees the last one. Looking
/// holds no lock: the value is in an `Arc`, and stays as it was seen.
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
    let Opened { sender, channel } = state::open(value, 1);
    (Sender::from(sender), Receiver::new(channel, 0))
}
