//! The errors of a semaphore.

#![forbid(unsafe_code)]

use std::error::Error;
use std::fmt;

use crate::sync::permits::{Closed, Refused};

/// The semaphore was closed.
///
/// # Examples
///
/// See [`Semaphore::close`](crate::sync::Semaphore::close).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AcquireError(());

impl AcquireError {
    pub(super) fn from(_: Closed) -> Self {
        AcquireError(())
    }
}

impl fmt::Display for AcquireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the semaphore is closed")
    }
}

impl Error for AcquireError {}

/// Why [`Semaphore::try_acquire`](crate::sync::Semaphore::try_acquire) got no permit.
///
/// # Examples
///
/// See [`Semaphore::try_acquire`](crate::sync::Semaphore::try_acquire).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TryAcquireError {
    /// The semaphore was closed.
    Closed,
    /// Too few permits are free, or others wait for them.
    NoPermits,
}

impl TryAcquireError {
    pub(super) fn from(refused: Refused) -> Self {
        match refused {
            Refused::Closed => TryAcquireError::Closed,
            Refused::Insufficient => TryAcquireError::NoPermits,
        }
    }
}

impl fmt::Display for TryAcquireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            TryAcquireError::Closed => "the semaphore is closed",
            TryAcquireError::NoPermits => "the semaphore has no permit at once",
        })
    }
}

impl Error for TryAcquireError {}
