//! Channels and their futures.
//!
//! [`channel`](crate::channel()) makes a channel and returns its [`Sender`] and [`Receiver`]. This
//! module exports the futures that their methods return, for code that has to name them. The
//! crate's root does not export them, so that `Send` keeps its usual meaning there.

// The parts, bottom up.
pub(crate) mod claim;
pub(crate) mod core;
pub(crate) mod error;
pub(crate) mod head;
pub(crate) mod lock;
pub(crate) mod outcomes;
pub(crate) mod receiver;
pub(crate) mod recv;
pub(crate) mod send;
pub(crate) mod sender;
pub(crate) mod slots;
pub(crate) mod state;
#[cfg(test)]
mod tests;
pub(crate) mod unlocked;
pub(crate) mod waiters;

pub use recv::Recv;
pub use send::{Send, SendFrom};

use std::sync::Arc;

use self::core::Core;
use receiver::Receiver;
use sender::Sender;

/// Makes a channel whose buffer holds up to `capacity` values. With capacity 0 it is a
/// *rendezvous*: a send completes when a receive takes its value.
///
/// Both halves can be cloned, shared and sent to other threads. Any number of goroutines may send
/// and receive at the same time. Channels need no runtime: they work on plain threads and with
/// other executors, and keep working after a runtime has ended.
///
/// # Order
///
/// Receivers get values in the order in which they were sent. Waiting senders are served first
/// come, first served, and so are waiting receivers. A value sent while a receiver waits goes
/// straight to that receiver. There is one exception: a receive that is dropped after it was given
/// a value, and before it was polled again, puts the value back at the head. With several
/// receivers, another value may have overtaken it by then.
///
/// # Closing
///
/// Either half can [`close`](Sender::close) the channel. Dropping the last sender or the last
/// receiver closes it too. After that, sends fail and return their value; receives return what is
/// in the buffer, and then `None`. Dropping the last receiver also drops the values in the buffer.
///
/// # Capacity
///
/// The buffer allocates memory as values arrive. With `usize::MAX` a send never waits. A receive
/// that finds the channel empty gives most of the memory back.
///
/// Each waiting operation takes some dozens of bytes in the channel. Values of more than 128 bytes
/// lie on the heap while they wait for a sender or receiver, so a waiting receiver reserves no room
/// for one. The future of a send always has room for its value; the future of
/// [`send_from`](Sender::send_from) borrows the value instead.
///
/// # Cancellation
///
/// Sends and receives can be dropped at any time. [`Sender::send`] and [`Receiver::recv`] say what
/// happens to the value.
///
/// Go counterpart: `make(chan T, capacity)`. In Go, a send on a closed channel panics, and senders
/// wait for ever on a channel that has no receiver left.
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
