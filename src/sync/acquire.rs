//! Permits that are held, and the future that acquires them: for a semaphore, and for the locks.

#![forbid(unsafe_code)]

use std::future::Future;
use std::ops::Deref;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use crate::scheduler::gate;
use crate::scheduler::operation::Operation;
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

    #[inline]
    pub(crate) fn owner(&self) -> &O {
        &self.owner
    }

    #[inline]
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
// Of the two functions, the locks' have no size.
pub(crate) struct Acquire<O: OwnerRef, C: Fn() -> usize, F> {
    /// Until it is ready.
    owner: Option<O>,
    key: Option<Key>,
    count: C,
    then: F,
}

impl<O: OwnerRef, C: Fn() -> usize, F> Acquire<O, C, F> {
    #[inline]
    pub(crate) fn new<G>(owner: O, count: C, then: F) -> Self
    where
        F: Fn(Result<RawPermit<O>, Closed>) -> G,
    {
        Acquire { owner: Some(owner), key: None, count, then }
    }

    /// If somebody waits, or there are too few, or others change their number at the same time.
    #[inline(never)]
    fn poll_slowly(&mut self, waker: &Waker) -> Poll<Result<(), Closed>> {
        let owner = self.owner.as_ref().expect("a future is not polled after it was ready");
        if let Some(key) = self.key
            && gate::is_withdrawing(waker)
            && !owner.permits().has_released(key)
        {
            // Its turn would begin what comes after it, in a future that is over, and pass on to the
            // next one like it. So the drop passes it on.
            waker.wake_by_ref();
            return Poll::Pending;
        }
        owner.permits().poll(&mut self.key, (self.count)(), waker)
    }
}

impl<O: OwnerRef, C: Fn() -> usize, F> Unpin for Acquire<O, C, F> {}

impl<O, G, C, F> Future for Acquire<O, C, F>
where
    O: OwnerRef,
    C: Fn() -> usize,
    F: Fn(Result<RawPermit<O>, Closed>) -> G,
{
    type Output = G;

    // A free lock is taken without a call.
    #[inline(always)]
    #[track_caller]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<G> {
        let this = self.get_mut();
        if !gate::enter(cx.waker()) {
            return Poll::Pending;
        }
        let count = (this.count)();
        let is_free = this.key.is_none()
            && this.owner.as_ref().is_some_and(|owner| owner.permits().try_at_once(count));
        let acquired = match is_free {
            true => Poll::Ready(Ok(())),
            false => this.poll_slowly(cx.waker()),
        };
        let Poll::Ready(acquired) = acquired else {
            return gate::note_wait(Operation::Acquire, Poll::Pending);
        };
        let owner = this.owner.take().expect("just seen");
        Poll::Ready((this.then)(acquired.map(|()| RawPermit { owner, count })))
    }
}

impl<O: OwnerRef, C: Fn() -> usize, F> Drop for Acquire<O, C, F> {
    #[inline]
    fn drop(&mut self) {
        let Some(key) = self.key.take() else { return };
        if let Some(owner) = &self.owner {
            owner.permits().cancel(key, (self.count)());
        }
    }
}
