//! What is known of a channel without its lock.

#![forbid(unsafe_code)]

use crate::chan::head::Head;
use crate::primitives::{AtomicBool, OnceLock, Ordering};

pub(crate) struct Unlocked<T> {
    pub(crate) capacity: usize,
    /// `false`: a receive would find nothing, and the channel is open. Written with the lock. Read
    /// with it, or without it as a hint.
    may_receive: AtomicBool,
    head: OnceLock<Box<Head<T>>>,
}

impl<T> Unlocked<T> {
    pub(crate) fn new(capacity: usize) -> Self {
        Unlocked { capacity, may_receive: AtomicBool::new(false), head: OnceLock::new() }
    }

    /// `false`: a receive would have found nothing, a moment ago. With the lock that is certain.
    #[inline]
    pub(crate) fn may_receive(&self) -> bool {
        // Ordering: Relaxed. Without the lock it is a hint, and who knows of a send knows what that
        // wrote.
        self.may_receive.load(Ordering::Relaxed)
    }

    /// Receives, if there are values that receivers take without the lock.
    #[inline(always)]
    pub(crate) fn take_from_head(&self) -> Option<T> {
        self.head()?.take()
    }

    #[inline]
    pub(crate) fn head(&self) -> Option<&Head<T>> {
        self.head.get().map(Box::as_ref)
    }

    /// With the lock.
    pub(crate) fn head_or_new(&self) -> &Head<T> {
        if self.head.get().is_none() {
            _ = self.head.set(Box::new(Head::new()));
        }
        self.head.get().expect("it is set")
    }

    /// With the lock.
    #[inline(always)]
    pub(crate) fn note_may_receive(&self, may: bool) {
        self.may_receive.store(may, Ordering::Relaxed);
    }
}
