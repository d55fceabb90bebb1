//! Receiving: the future, and the code it shares with the stream and with `select!`.

#![forbid(unsafe_code)]

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use crate::chan::claim::Claim;
use crate::chan::core::Core;
use crate::chan::error::TryRecvError;
use crate::chan::inside::Receiving;
use crate::chan::lock::Held;
use crate::chan::slots::Parcel;
use crate::chan::waiters::{Key, Side, Waiter};
use crate::scheduler::gate::{self, Operation};
use crate::scheduler::{context, foreign};

/// Receives, or waits with the slot `key`.
// Always inline: a receive that does not wait is short, and a call would add a fifth to it.
#[inline(always)]
pub(crate) fn poll<T>(
    core: &Core<T>,
    key: &mut Option<Key>,
    cx: &mut Context<'_>,
) -> Poll<Option<T>> {
    let waker = cx.waker();
    if !(gate::enter(Operation::Receive, waker) || key.is_some() && gate::is_withdrawing(waker)) {
        return Poll::Pending;
    }
    if let Some(waiting) = *key {
        return match core.look(waiting, waker) {
            Some(received) => {
                *key = None;
                Poll::Ready(received)
            }
            None if gate::is_withdrawing(waker) => withdraw(core, key, waker),
            None => Poll::Pending,
        };
    }
    let mut held = core.hold();
    let received = core.inside(&mut held).receive();
    if let Receiving::Empty = received {
        return wait(core, held, key, waker);
    }
    drop(held);
    Poll::Ready(settle(received))
}

/// Leaves the queue, unless a partner has served it; then returns that outcome.
#[cold]
fn withdraw<T>(core: &Core<T>, key: &mut Option<Key>, waker: &Waker) -> Poll<Option<T>> {
    let waiting = key.take().expect("it waits");
    let mut held = core.hold();
    let received = core.inside(&mut held).finish(waiting);
    if let Some(received) = received {
        drop(held);
        return Poll::Ready(received.open());
    }
    let left = core.inside(&mut held).leave(Side::Receivers, waiting);
    drop(held);
    left.settle();
    waker.wake_by_ref();
    Poll::Pending
}

/// Joins the queue, after an attempt that found nothing.
#[inline(never)]
fn wait<'a, T>(
    core: &'a Core<T>,
    mut held: Held<'a>,
    key: &mut Option<Key>,
    waker: &Waker,
) -> Poll<Option<T>> {
    if gate::is_withdrawing(waker) {
        drop(held);
        waker.wake_by_ref();
        return Poll::Pending;
    }
    let waiter = if context::is_own_waker(waker) {
        Waiter::Alone(waker.clone())
    } else {
        // A foreign waker's clone runs user code.
        drop(held);
        let clone = waker.clone();
        held = core.hold();
        let received = core.inside(&mut held).receive();
        if !matches!(received, Receiving::Empty) {
            drop(held);
            foreign::let_go(clone);
            return Poll::Ready(settle(received));
        }
        Waiter::Alone(clone)
    };
    *key = Some(core.inside(&mut held).join(Side::Receivers, Parcel::EMPTY, waiter, 0));
    Poll::Pending
}

/// Turns the result of an attempt that was not `Empty` into the outcome, and wakes the partner. The
/// lock must be free.
#[inline]
fn settle<T>(received: Receiving<T>) -> Option<T> {
    match received {
        Receiving::Received(value, wake) => {
            if let Some(waker) = wake {
                foreign::wake(waker);
            }
            Some(value)
        }
        Receiving::Empty | Receiving::Closed => None,
    }
}

/// Stops waiting. A value that was received meanwhile goes to the next receiver, or back.
pub(crate) fn leave<T>(core: &Core<T>, key: Key) {
    let left = core.inside(&mut core.hold()).leave(Side::Receivers, key);
    left.settle();
}

pub(crate) fn try_recv<T>(core: &Core<T>) -> Result<T, TryRecvError> {
    let mut held = core.hold();
    let mut inside = core.inside(&mut held);
    let received = inside.receive();
    if let Receiving::Empty = received {
        inside.give_back_buffer();
    }
    drop(held);
    match received {
        Receiving::Empty => Err(TryRecvError::Empty),
        received => settle(received).ok_or(TryRecvError::Closed),
    }
}

/// The future of [`Receiver::recv`](crate::Receiver::recv).
#[must_use = "futures do nothing unless awaited: `rx.recv().await`"]
pub struct Recv<'a, T> {
    core: &'a Core<T>,
    key: Option<Key>,
}

impl<'a, T> Recv<'a, T> {
    pub(crate) fn new(core: &'a Core<T>) -> Self {
        Recv { core, key: None }
    }

    pub(crate) fn core(&self) -> &'a Core<T> {
        self.core
    }

    /// Stops waiting; the next poll starts anew.
    #[inline]
    pub(crate) fn leave(&mut self) {
        if let Some(key) = self.key.take() {
            leave(self.core, key);
        }
    }

    /// As a case of a `select!`: tries to receive, under the lock, also when it already waits. The
    /// caller wakes the waker in the result.
    pub(crate) fn attempt(&mut self, held: &mut Held<'_>) -> Option<(Option<T>, Option<Waker>)> {
        match self.core.inside(held).receive() {
            Receiving::Received(value, waker) => Some((Some(value), waker)),
            Receiving::Closed => Some((None, None)),
            Receiving::Empty => None,
        }
    }

    /// As a case of a `select!`: joins the queue, after an attempt under the same lock.
    pub(crate) fn join(&mut self, held: &mut Held<'_>, claim: &Arc<Claim>, case: u8) {
        if self.key.is_none() {
            let waiter = Waiter::Case(Some(claim.clone()));
            let key = self.core.inside(held).join(Side::Receivers, Parcel::EMPTY, waiter, case);
            self.key = Some(key);
        }
    }

    /// As a case of a `select!`: collects the outcome that a partner has decided.
    pub(crate) fn finish(&mut self) -> Option<T> {
        let key = self.key.take().expect("it waited");
        let received = self.core.inside(&mut self.core.hold()).finish(key);
        received.expect("decided").open()
    }
}

impl<T> Future for Recv<'_, T> {
    type Output = Option<T>;

    #[inline(always)]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        let core = self.core;
        poll(core, &mut self.key, cx)
    }
}

impl<T> Drop for Recv<'_, T> {
    #[inline]
    fn drop(&mut self) {
        self.leave();
    }
}

impl<T> fmt::Debug for Recv<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recv").finish_non_exhaustive()
    }
}
