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
use crate::chan::lock::LockGuard;
use crate::chan::outcomes::RecvAttempt;
use crate::chan::slots::Parcel;
use crate::chan::waiters::{Side, SlotKey, Waiter};
use crate::scheduler::operation::Operation;
use crate::scheduler::{foreign_wakers, gate};

/// Receives, or waits with the slot `key`.
// Always inline: a receive that does not wait is short, and a call would add a fifth to it.
#[inline(always)]
#[track_caller]
pub(crate) fn poll<T>(
    core: &Core<T>,
    key: &mut Option<SlotKey>,
    cx: &mut Context<'_>,
) -> Poll<Option<T>> {
    let waker = cx.waker();
    if !(gate::enter(waker) || key.is_some() && gate::is_withdrawing(waker)) {
        return Poll::Pending;
    }
    if let Some(waiting) = *key {
        return match core.poll_slot(waiting, waker) {
            Some(received) => {
                *key = None;
                Poll::Ready(received)
            }
            None if gate::is_withdrawing(waker) => withdraw(core, key, waker),
            None => gate::note_wait(Operation::Receive, Poll::Pending),
        };
    }
    if let Some(value) = core.unlocked.take_from_head() {
        return Poll::Ready(Some(value));
    }
    let mut guard = core.acquire();
    let received = core.locked(&mut guard).receive_first();
    if let RecvAttempt::Empty = received {
        return gate::note_wait(Operation::Receive, wait(core, guard, key, waker));
    }
    drop(guard);
    Poll::Ready(complete(received))
}

/// Leaves the queue, unless a partner has served it; then returns that outcome.
#[cold]
fn withdraw<T>(core: &Core<T>, key: &mut Option<SlotKey>, waker: &Waker) -> Poll<Option<T>> {
    let waiting = key.take().expect("it waits");
    let mut guard = core.acquire();
    let received = core.locked(&mut guard).take_outcome(waiting);
    if let Some(received) = received {
        drop(guard);
        return Poll::Ready(received.unpack());
    }
    let cancelled = core.locked(&mut guard).cancel(Side::Receivers, waiting);
    drop(guard);
    cancelled.release();
    waker.wake_by_ref();
    Poll::Pending
}

/// Enters the queue, after an attempt that found nothing.
#[inline(never)]
fn wait<'a, T>(
    core: &'a Core<T>,
    mut guard: LockGuard<'a>,
    key: &mut Option<SlotKey>,
    waker: &Waker,
) -> Poll<Option<T>> {
    if gate::is_withdrawing(waker) || foreign_wakers::may_be_foreign(waker) {
        return wait_or_withdraw(core, guard, key, waker);
    }
    let mut locked = core.locked(&mut guard);
    let waiter = Waiter::Alone(waker.clone());
    *key = Some(locked.enqueue(Side::Receivers, Parcel::EMPTY, waiter, 0));
    Poll::Pending
}

/// As `wait`, with any waker. A call of its own, so that the usual path saves few registers.
#[inline(never)]
fn wait_or_withdraw<'a, T>(
    core: &'a Core<T>,
    guard: LockGuard<'a>,
    key: &mut Option<SlotKey>,
    waker: &Waker,
) -> Poll<Option<T>> {
    drop(guard);
    if gate::is_withdrawing(waker) {
        waker.wake_by_ref();
        return Poll::Pending;
    }
    // A foreign waker's clone runs user code.
    let clone = waker.clone();
    let mut guard = core.acquire();
    let received = core.locked(&mut guard).receive();
    if !matches!(received, RecvAttempt::Empty) {
        drop(guard);
        foreign_wakers::drop_waker(clone);
        return Poll::Ready(complete(received));
    }
    let waiter = Waiter::Alone(clone);
    *key = Some(core.locked(&mut guard).enqueue(Side::Receivers, Parcel::EMPTY, waiter, 0));
    Poll::Pending
}

/// Turns the result of an attempt that was not `Empty` into the outcome, and wakes the partner. The
/// lock must be free.
#[inline]
fn complete<T>(received: RecvAttempt<T>) -> Option<T> {
    match received {
        RecvAttempt::Received(value, wake) => {
            if let Some(waker) = wake {
                foreign_wakers::wake(waker);
            }
            Some(value)
        }
        RecvAttempt::Empty | RecvAttempt::Closed => None,
    }
}

/// Stops waiting. A value that was received meanwhile goes to the next receiver, or back.
pub(crate) fn cancel<T>(core: &Core<T>, key: SlotKey) {
    let cancelled = core.locked(&mut core.acquire()).cancel(Side::Receivers, key);
    cancelled.release();
}

pub(crate) fn try_recv<T>(core: &Core<T>) -> Result<T, TryRecvError> {
    if let Some(value) = core.unlocked.take_from_head() {
        return Ok(value);
    }
    let mut guard = core.acquire();
    let mut locked = core.locked(&mut guard);
    let received = locked.receive_first();
    if let RecvAttempt::Empty = received {
        locked.shrink_idle_buffer();
    }
    drop(guard);
    match received {
        RecvAttempt::Empty => Err(TryRecvError::Empty),
        received => complete(received).ok_or(TryRecvError::Closed),
    }
}

/// The future of [`Receiver::recv`](crate::Receiver::recv).
#[must_use = "futures do nothing unless awaited: `rx.recv().await`"]
pub struct Recv<'a, T> {
    core: &'a Core<T>,
    key: Option<SlotKey>,
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
    pub(crate) fn cancel(&mut self) {
        if let Some(key) = self.key.take() {
            cancel(self.core, key);
        }
    }

    /// As a case of a `select!`: tries to receive, under the lock, also when it already waits. The
    /// caller wakes the waker in the result.
    pub(crate) fn attempt(
        &mut self,
        guard: &mut LockGuard<'_>,
    ) -> Option<(Option<T>, Option<Waker>)> {
        let mut locked = self.core.locked(guard);
        match locked.receive() {
            RecvAttempt::Received(value, waker) => Some((Some(value), waker)),
            RecvAttempt::Closed => Some((None, None)),
            RecvAttempt::Empty => {
                locked.shrink_idle_buffer();
                None
            }
        }
    }

    /// As a case of a `select!`: enters the queue, after an attempt under the same lock.
    pub(crate) fn enqueue(&mut self, guard: &mut LockGuard<'_>, claim: &Arc<Claim>, case: u8) {
        if self.key.is_none() {
            let waiter = Waiter::Case(Some(claim.clone()));
            let key = self.core.locked(guard).enqueue(Side::Receivers, Parcel::EMPTY, waiter, case);
            self.key = Some(key);
        }
    }

    /// As a case of a `select!`: collects the outcome that a partner has decided.
    pub(crate) fn take_outcome(&mut self) -> Option<T> {
        let key = self.key.take().expect("it waited");
        let received = self.core.locked(&mut self.core.acquire()).take_outcome(key);
        received.expect("decided").unpack()
    }
}

impl<T> Future for Recv<'_, T> {
    type Output = Option<T>;

    #[inline(always)]
    #[track_caller]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        let core = self.core;
        poll(core, &mut self.key, cx)
    }
}

impl<T> Drop for Recv<'_, T> {
    #[inline]
    fn drop(&mut self) {
        if let Some(key) = self.key {
            cancel(self.core, key);
        }
    }
}

impl<T> fmt::Debug for Recv<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recv").finish_non_exhaustive()
    }
}
