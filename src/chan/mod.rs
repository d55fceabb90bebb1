//! Channels: their futures.
//!
//! [`channel`](crate::channel()) makes one, with its [`Sender`] and
//! [`Receiver`]. The types here are what their methods return, for those who have to
//! name them; the crate's root does not export them, so that `Send` stays what it is.

// The parts, from the bottom up.
pub(crate) mod claim;
pub(crate) mod core;
pub(crate) mod error;
pub(crate) mod inside;
pub(crate) mod lock;
pub(crate) mod receiver;
pub(crate) mod recv;
pub(crate) mod send;
pub(crate) mod sender;
pub(crate) mod slots;
#[cfg(test)]
mod tests;
pub(crate) mod waiters;

pub use recv::Recv;
pub use send::{Send, SendFrom};

use std::sync::Arc;

use self::core::Core;
use receiver::Receiver;
use sender::Sender;

/// Makes a channel that holds up to `capacity` values which nobody has received yet. With 0 it is a
/// *rendezvous*: a send completes when a receive takes its value.
///
/// Both halves can be cloned, shared and sent to other threads. Any number of goroutines may send
/// and receive at the same time. They work without a runtime, on plain threads and with other
/// executors too, and go on working when a runtime has ended.
///
/// # Order
///
/// Values are received in the order in which they were sent. Senders that wait are served first come,
/// first served, and so are receivers; a value that is sent while a receiver waits goes straight to
/// it. (A receive that is dropped after it was given a value, and before it looked, puts it back at
/// the head. With several receivers another value may have overtaken it by then.)
///
/// # Closing
///
/// Either half can [`close`](Sender::close) the channel. It is closed too when all senders are gone,
/// or all receivers. Then sends fail and give their value back; receives get what is in the buffer
/// and then `None`. When all receivers are gone, what is in the buffer is dropped.
///
/// # Capacity
///
/// Memory is allocated as values come. With `usize::MAX` a send never waits. When a receive finds the
/// channel empty most of it is given back.
///
/// Whoever waits takes some dozens of bytes at the channel. A value of more than 128 bytes takes none
/// there before it comes: it is on the heap while it waits for its sender or receiver. (The future of a send
/// has room for its value all the time; that of [`send_from`](Sender::send_from) borrows it.)
///
/// # Cancellation
///
/// Sends and receives can be dropped at any time. See [`Sender::send`] and [`Receiver::recv`] for
/// what becomes of the value.
///
/// Go counterpart: `make(chan T, capacity)`. There, a send on a closed channel panics, and a channel
/// that nobody can receive from any more makes its senders wait for ever.
///
/// # Examples
///
/// ```
/// use gorun::{block_on, channel, go};
///
/// block_on(async {
///     let (tx, rx) = channel(0);
///     for name in ["ada", "grace"] {
///         let tx = tx.clone();
///         go!(async move { tx.send(format!("hello {name}")).await.unwrap() });
///     }
///     drop(tx);
///     let mut greetings = Vec::new();
///     while let Some(greeting) = rx.recv().await {
///         greetings.push(greeting);
///     }
///     greetings.sort();
///     assert_eq!(greetings, ["hello ada", "hello grace"]);
/// });
/// ```
pub fn channel<T>(capacity: usize) -> (Sender<T>, Receiver<T>) {
    let core = Arc::new(Core::new(capacity));
    (Sender::new(core.clone()), Receiver::new(core))
}
