//! What the steps of a channel's protocol result in. The caller acts on it without the lock.

#![forbid(unsafe_code)]

use std::task::Waker;

use crate::chan::slots::Parcel;
use crate::chan::waiters::Waiter;
use crate::scheduler::foreign_wakers;

/// The outcome of an attempt to send. Unless it is `Sent`, the value is where it was.
pub(crate) enum SendAttempt {
    /// The waker to wake.
    Sent(Option<Waker>),
    /// A receiver may be waiting, and the value is large and has no box. The caller packs it
    /// without the lock, and tries again.
    Unboxed,
    Full,
    Closed,
}

/// The outcome of an attempt to receive.
pub(crate) enum RecvAttempt<T> {
    /// A value, and the waker to wake.
    Received(T, Option<Waker>),
    Empty,
    Closed,
}

/// What a leaving waiter returns to its owner, which handles it after it has released the lock.
#[must_use]
pub(crate) struct Cancelled<T> {
    pub(crate) parcel: Parcel<T>,
    /// The owner wakes it.
    pub(crate) wake: Option<Waker>,
    pub(crate) waiter: Waiter,
}

impl<T> Cancelled<T> {
    /// Drops the waiter's waker, wakes the partner, and returns the value. The lock must be free.
    #[inline]
    pub(crate) fn release(self) -> Option<T> {
        foreign_wakers::drop_waker(self.waiter);
        if let Some(waker) = self.wake {
            foreign_wakers::wake(waker);
        }
        self.parcel.unpack()
    }
}
