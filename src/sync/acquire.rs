//! Permits that are held, and the future that acquires them: for a semaphore, and for the locks.

#![forbid(unsafe_code)]

use std::future::Future;
use std::ops::Deref;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use crate::scheduler::gate::{self, Operation};
use crate::sync::permits::{Closed, Permits, Refused};
use crate::sync::wait_queue::Key;

/// Something that has permits.
pub(crate) trait Owner {
    fn permits(&self) -> &Permits;
}

/// How to reach an owner: by a borrow, or by shared ownership. It always leads to the same one.
pub(crate) trait OwnerRef: Deref<Target: Owner> {}

impl<P: Owner + ?Sized> OwnerRef for &P {}
impl<P: Owner + ?Sized> OwnerRef for Arc<P> {}

/// A number of permits, until this is dropped. Every guard has one of these.
pub(crate) struct RawPermit<O: OwnerRef> {
    owner: O,
    count: usize,
}

impl<O: OwnerRef> RawPermit<O> {
    pub(crate) fn try_new(owner: O, count: usize) -> Result<Self, Refused> {
        owner.permits().try_acquire(count)?;
        Ok(RawPermit { owner, count })
    }

    pub(crate) fn owner(&self) -> &O {
        &self.owner
    }

    pub(crate) fn count(&self) -> usize {
        self.count
    }

    /// Keeps `count` permits, and releases the others.
    pub(crate) fn release_all_but(&mut self, count: usize) {
        let others = self.count.checked_sub(count).expect("it has no more than it has");
        self.count = count;
        self.owner.permits().release(others);
    }

    /// Never releases the permits. Returns how many they were.
    pub(crate) fn forget(mut self) -> usize {
        std::mem::take(&mut self.count)
    }

    /// Takes over the permits of another one, which has the same owner.
    pub(crate) fn merge(&mut self, other: Self) {
        self.count += other.forget();
    }
}

impl<O: OwnerRef + Clone> RawPermit<O> {
    /// Hands `count` of the permits over to another one.
    pub(crate) fn split(&mut self, count: usize) -> Option<Self> {
        self.count = self.count.checked_sub(count)?;
        Some(RawPermit { owner: self.owner.clone(), count })
    }
}

impl<O: OwnerRef> Drop for RawPermit<O> {
    #[inline]
    fn drop(&mut self) {
        if self.count > 0 {
            self.owner.permits().release(self.count);
        }
    }
}

/// Waits for permits, and makes the result of them: a permit, or a guard.
///
/// It is `Unpin`, and has no state that a panic of its waker could spoil, unlike an `async` block.
pub(crate) struct Acquire<O: OwnerRef, G> {
    /// Until it is ready.
    owner: Option<O>,
    count: usize,
    key: Option<Key>,
    then: fn(Result<RawPermit<O>, Closed>) -> G,
}

impl<O: OwnerRef, G> Acquire<O, G> {
    pub(crate) fn new(owner: O, count: usize, then: fn(Result<RawPermit<O>, Closed>) -> G) -> Self {
        Acquire { owner: Some(owner), count, key: None, then }
    }
}

impl<O: OwnerRef, G> Unpin for Acquire<O, G> {}

impl<O: OwnerRef, G> Future for Acquire<O, G> {
    type Output = G;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<G> {
        let this = self.get_mut();
        if !gate::enter(Operation::Acquire, cx.waker()) {
            return Poll::Pending;
        }
        let owner = this.owner.as_ref().expect("a future is not polled after it was ready");
        let Poll::Ready(acquired) = owner.permits().poll(&mut this.key, this.count, cx.waker())
        else {
            return Poll::Pending;
        };
        let owner = this.owner.take().expect("just seen");
        Poll::Ready((this.then)(acquired.map(|()| RawPermit { owner, count: this.count })))
    }
}

impl<O: OwnerRef, G> Drop for Acquire<O, G> {
    fn drop(&mut self) {
        if let (Some(owner), Some(key)) = (&self.owner, self.key.take()) {
            owner.permits().cancel(key, self.count);
        }
    }
}
