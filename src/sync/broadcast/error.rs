//! The errors of a broadcast channel.

#![forbid(unsafe_code)]

use std::error::Error;
use std::fmt;

/// Why [`Receiver::recv`](crate::sync::broadcast::Receiver::recv) has no value.
///
/// # Examples
///
/// See [`Receiver::recv`](crate::sync::broadcast::Receiver::recv).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecvError {
    /// All values were received, and no sender is left.
    Closed,
    /// The receiver was so far behind that it has missed so many values. It goes on with the oldest
    /// one that is kept.
    Lagged(u64),
}

/// Why [`Receiver::try_recv`](crate::sync::broadcast::Receiver::try_recv) has no value.
///
/// # Examples
///
/// See [`Receiver::try_recv`](crate::sync::broadcast::Receiver::try_recv).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TryRecvError {
    /// There is none yet.
    Empty,
    /// As [`RecvError::Closed`].
    Closed,
    /// As [`RecvError::Lagged`].
    Lagged(u64),
}

const CLOSED: &str = "no value comes: all senders were dropped";

fn lagged(missed: u64, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    write!(f, "the receiver was too far behind and has missed {missed} values")
}

impl fmt::Display for RecvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            RecvError::Closed => f.write_str(CLOSED),
            RecvError::Lagged(missed) => lagged(missed, f),
        }
    }
}

impl fmt::Display for TryRecvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            TryRecvError::Empty => f.write_str("there is no value yet"),
            TryRecvError::Closed => f.write_str(CLOSED),
            TryRecvError::Lagged(missed) => lagged(missed, f),
        }
    }
}

impl Error for RecvError {}
impl Error for TryRecvError {}
