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

/// What has permits.
pub(crate) trait HasPermits {
    fn permits(&self) -> &Permits;
}

/// How one gets at it: it is borrowed, or owned together with others. It stays the same.
pub(crate) trait Home: Deref<Target: HasPermits> {}

impl<P: HasPermits + ?Sized> Home for &P {}
impl<P: HasPermits + ?Sized> Home for Arc<P> {}

/// So many permits, until it is dropped.
pub(crate) struct Held<H: Home> {
    home: H,
    count: usize,
}

impl<H: Home> Held<H> {
    pub(crate) fn try_new(home: H, count: usize) -> Result<Self, Refused> {
        home.permits().try_take(count)?;
        Ok(Held { home, count })
    }

    pub(crate) fn home(&self) -> &H {
        &self.home
    }

    pub(crate) fn count(&self) -> usize {
        self.count
    }

    /// Gives some back.
    pub(crate) fn keep(&mut self, count: usize) {
        let others = self.count.checked_sub(count).expect("it has no more than it has");
        self.count = count;
        self.home.permits().give_back(others);
    }

    /// They are never given back.
    pub(crate) fn forget(mut self) {
        self.count = 0;
    }
}

impl<H: Home + Clone> Held<H> {
    /// Hands some over to another one.
    pub(crate) fn split(&mut self, count: usize) -> Option<Self> {
        self.count = self.count.checked_sub(count)?;
        Some(Held { home: self.home.clone(), count })
    }
}

impl<H: Home> Drop for Held<H> {
    #[inline]
    fn drop(&mut self) {
        if self.count > 0 {
            self.home.permits().give_back(self.count);
        }
    }
}

/// Waits for permits, and makes of them what is wanted: a permit, a guard.
///
/// It is `Unpin`, and has no state that a panic of its waker could spoil, unlike an `async` block.
pub(crate) struct Acquire<H: Home, G> {
    /// Until it is ready.
    home: Option<H>,
    count: usize,
    key: Option<Key>,
    then: fn(Result<Held<H>, Closed>) -> G,
}

impl<H: Home, G> Acquire<H, G> {
    pub(crate) fn new(home: H, count: usize, then: fn(Result<Held<H>, Closed>) -> G) -> Self {
        Acquire { home: Some(home), count, key: None, then }
    }
}

impl<H: Home, G> Unpin for Acquire<H, G> {}

impl<H: Home, G> Future for Acquire<H, G> {
    type Output = G;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<G> {
        let this = self.get_mut();
        if !gate::enter(Operation::Acquire, cx.waker()) {
            return Poll::Pending;
        }
        let home = this.home.as_ref().expect("a future is not polled after it was ready");
        let Poll::Ready(taken) = home.permits().poll(&mut this.key, this.count, cx.waker()) else {
            return Poll::Pending;
        };
        let home = this.home.take().expect("just seen");
        Poll::Ready((this.then)(taken.map(|()| Held { home, count: this.count })))
    }
}

impl<H: Home, G> Drop for Acquire<H, G> {
    fn drop(&mut self) {
        if let (Some(home), Some(key)) = (&self.home, self.key.take()) {
            home.permits().leave(key, self.count);
        }
    }
}
