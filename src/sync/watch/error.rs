//! The error of a watch channel.

#![forbid(unsafe_code)]

use std::error::Error;
use std::fmt;

/// The last value was seen, and no sender is left.
///
/// # Examples
///
/// See [`Receiver::has_changed`](crate::sync::watch::Receiver::has_changed).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecvError(());

impl RecvError {
    pub(super) fn new() -> Self {
        RecvError(())
    }
}

impl fmt::Display for RecvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no new value comes: all senders were dropped")
    }
}

impl Error for RecvError {}
