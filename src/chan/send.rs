//! Sending: the futures, and the code they share.

#![forbid(unsafe_code)]

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use crate::chan::claim::Claim;
use crate::chan::core::Core;
use crate::chan::error::{SendError, TrySendError};
use crate::chan::lock::LockGuard;
use crate::chan::outcomes::SendAttempt;
use crate::chan::slots::{Parcel, Slots};
use crate::chan::waiters::{Side, SlotKey, Waiter};
use crate::scheduler::operation::Operation;
use crate::scheduler::{foreign_wakers, gate};

/// The channel was closed.
pub(crate) struct Closed;

/// A send operation, without its value.
pub(crate) struct SendOp<'a, T> {
    core: &'a Core<T>,
    state: State,
}

#[derive(Clone, Copy)]
enum State {
    New,
    /// As a case of a `select!`: found a receiver, and its large value needs a box.
    Unboxed,
    /// The channel has the value, in a slot that waits in the queue. (As a case of a `select!`: or
    /// that has been parked before that.)
    Waits(SlotKey),
    /// It was committed, but has not returned that yet.
    Sent,
    Done,
}

impl<'a, T> SendOp<'a, T> {
    fn new(core: &'a Core<T>) -> Self {
        SendOp { core, state: State::New }
    }

    pub(crate) fn core(&self) -> &'a Core<T> {
        self.core
    }

    // Always inline: a send that does not wait is short, and a call would add a fifth to it.
    #[inline(always)]
    #[track_caller]
    fn poll(&mut self, value: &mut Option<T>, cx: &mut Context<'_>) -> Poll<Result<(), Closed>> {
        let waker = cx.waker();
        let waits = || matches!(self.state, State::Waits(_));
        if !(gate::enter(waker) || waits() && gate::is_withdrawing(waker)) {
            return Poll::Pending;
        }
        let State::New = self.state else {
            return gate::note_wait(Operation::Send, self.poll_again(value, waker));
        };
        let core = self.core;
        let mut guard = core.acquire();
        let mut locked = core.locked(&mut guard);
        // An open channel: no receiver that can be served waits at a closed one.
        if !Slots::<T>::ARE_BOXED && locked.state.waiters.any(Side::Receivers) {
            // Before a waker is called.
            self.state = State::Done;
            match hand_over(core, guard, value) {
                Some(held) => guard = held,
                None => return Poll::Ready(Ok(())),
            }
            self.state = State::New;
            locked = core.locked(&mut guard);
        }
        let sent = locked.send(value);
        if let SendAttempt::Full | SendAttempt::Unboxed = sent {
            return gate::note_wait(Operation::Send, self.wait(guard, value, waker));
        }
        drop(guard);
        Poll::Ready(self.complete(sent))
    }

    /// Enters the queue, after an attempt that found no room.
    #[inline(never)]
    fn wait(
        &mut self,
        mut guard: LockGuard<'a>,
        value: &mut Option<T>,
        waker: &Waker,
    ) -> Poll<Result<(), Closed>> {
        if Slots::<T>::ARE_BOXED {
            drop(guard);
            return self.wait_boxed(value, waker);
        }
        if gate::is_withdrawing(waker) || foreign_wakers::may_be_foreign(waker) {
            return self.wait_or_withdraw(guard, value, waker);
        }
        let mut locked = self.core.locked(&mut guard);
        let waiter = Waiter::Alone(waker.clone());
        let key = locked.enqueue(Side::Senders, Parcel::pack(value.take()), waiter, 0);
        self.state = State::Waits(key);
        Poll::Pending
    }

    /// As `wait`, with any waker. A call of its own, so that the usual path saves few registers.
    #[inline(never)]
    fn wait_or_withdraw(
        &mut self,
        guard: LockGuard<'a>,
        value: &mut Option<T>,
        waker: &Waker,
    ) -> Poll<Result<(), Closed>> {
        drop(guard);
        if gate::is_withdrawing(waker) {
            waker.wake_by_ref();
            return Poll::Pending;
        }
        // A foreign waker's clone runs user code.
        let clone = waker.clone();
        let mut guard = self.core.acquire();
        let sent = self.core.locked(&mut guard).send(value);
        if !matches!(sent, SendAttempt::Full) {
            drop(guard);
            foreign_wakers::drop_waker(clone);
            return Poll::Ready(self.complete(sent));
        }
        let parcel = Parcel::pack(value.take());
        let waiter = Waiter::Alone(clone);
        let key = self.core.locked(&mut guard).enqueue(Side::Senders, parcel, waiter, 0);
        self.state = State::Waits(key);
        Poll::Pending
    }

    /// As `wait`, for a large value. The value gets its box while the lock is free, so this tries
    /// again.
    fn wait_boxed(&mut self, value: &mut Option<T>, waker: &Waker) -> Poll<Result<(), Closed>> {
        let clone = waker.clone();
        let mut parcel = Parcel::pack(value.take());
        let mut guard = self.core.acquire();
        let sent = self.core.locked(&mut guard).send_parcel(&mut parcel);
        let is_full = matches!(sent, SendAttempt::Full);
        if is_full && !gate::is_withdrawing(waker) {
            let waiter = Waiter::Alone(clone);
            let key = self.core.locked(&mut guard).enqueue(Side::Senders, parcel, waiter, 0);
            self.state = State::Waits(key);
            return Poll::Pending;
        }
        drop(guard);
        *value = parcel.unpack();
        foreign_wakers::drop_waker(clone);
        if is_full {
            waker.wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(self.complete(sent))
    }

    #[inline(never)]
    fn poll_again(&mut self, value: &mut Option<T>, waker: &Waker) -> Poll<Result<(), Closed>> {
        match self.state {
            State::Waits(key) => match self.core.poll_slot(key, waker) {
                Some(returned) => *value = returned,
                None if gate::is_withdrawing(waker) => {
                    self.cancel(value);
                    if value.is_some() {
                        waker.wake_by_ref();
                        return Poll::Pending;
                    }
                }
                None => return Poll::Pending,
            },
            State::New | State::Unboxed | State::Sent => {}
            State::Done => {
                panic!("a send was polled after it had completed: begin another one with `send`")
            }
        }
        self.state = State::Done;
        Poll::Ready(if value.is_none() { Ok(()) } else { Err(Closed) })
    }

    /// Turns the result of an attempt that was not `Full` into the outcome, and wakes the partner.
    /// The lock must be free.
    #[inline]
    fn complete(&mut self, sent: SendAttempt) -> Result<(), Closed> {
        self.state = State::Done;
        match sent {
            SendAttempt::Sent(wake) => {
                if let Some(waker) = wake {
                    foreign_wakers::wake(waker);
                }
                Ok(())
            }
            SendAttempt::Full | SendAttempt::Unboxed | SendAttempt::Closed => Err(Closed),
        }
    }

    /// Stops waiting. Afterwards the value is back, or was sent.
    #[inline]
    pub(crate) fn cancel(&mut self, value: &mut Option<T>) {
        if let State::Waits(key) = self.state {
            self.cancel_waiting(key, value);
        }
    }

    fn cancel_waiting(&mut self, key: SlotKey, value: &mut Option<T>) {
        self.state = State::New;
        let cancelled = self.core.locked(&mut self.core.acquire()).cancel(Side::Senders, key);
        // A case of a `select!` may have taken it back already.
        if let Some(returned) = cancelled.release() {
            *value = Some(returned);
        }
        if value.is_none() {
            self.state = State::Sent;
        }
    }

    /// As a case of a `select!`: tries to send, under the lock, also when it already waits. The
    /// caller wakes the waker in the result.
    pub(crate) fn attempt(
        &mut self,
        value: &mut Option<T>,
        guard: &mut LockGuard<'_>,
    ) -> Option<(Result<(), Closed>, Option<Waker>)> {
        let mut locked = self.core.locked(guard);
        let (sent, waiting) = match self.state {
            State::Sent => return Some((Ok(()), None)),
            State::Waits(key) => (locked.send_waiting(key), Some(key)),
            State::New | State::Unboxed | State::Done => (locked.send(value), None),
        };
        match (sent, waiting) {
            (SendAttempt::Sent(waker), _) => Some((Ok(()), waker)),
            (SendAttempt::Closed, Some(key)) => {
                *value = locked.take_back(key);
                Some((Err(Closed), None))
            }
            (SendAttempt::Closed, None) => Some((Err(Closed), None)),
            (SendAttempt::Unboxed, _) => {
                self.state = State::Unboxed;
                None
            }
            (SendAttempt::Full, _) => None,
        }
    }

    /// As a case of a `select!`, without a lock: packs a large value that will need its box,
    /// because an attempt said so, or because the case is about to wait. Whether it did.
    pub(crate) fn park(&mut self, value: &mut Option<T>, waits: bool) -> bool {
        let needs_box =
            matches!(self.state, State::Unboxed) || waits && matches!(self.state, State::New);
        if !Slots::<T>::ARE_BOXED || !needs_box {
            return false;
        }
        let parcel = Parcel::pack(value.take());
        let key = self.core.locked(&mut self.core.acquire()).park(parcel);
        self.state = State::Waits(key);
        true
    }

    /// As a case of a `select!`: enters the queue, after an attempt under the same lock.
    pub(crate) fn enqueue(
        &mut self,
        value: &mut Option<T>,
        guard: &mut LockGuard<'_>,
        claim: &Arc<Claim>,
        case: u8,
    ) {
        let mut locked = self.core.locked(guard);
        let key = match self.state {
            State::New => {
                let waiter = Waiter::Case(Some(claim.clone()));
                locked.enqueue(Side::Senders, Parcel::pack(value.take()), waiter, case)
            }
            State::Waits(key) if Slots::<T>::ARE_BOXED => locked.enqueue_parked(key, claim, case),
            _ => return,
        };
        self.state = State::Waits(key);
    }

    /// As a case of a `select!`: collects the outcome that a partner has decided.
    pub(crate) fn take_outcome(&mut self, value: &mut Option<T>) -> Result<(), Closed> {
        if let State::Waits(key) = self.state {
            let parcel = self.core.locked(&mut self.core.acquire()).take_outcome(key);
            *value = parcel.expect("decided").unpack();
            self.state = State::Done;
        }
        if value.is_none() { Ok(()) } else { Err(Closed) }
    }
}

/// Gives a small value to the first receiver that can be served, and wakes it. If there is none, returns
/// the lock.
#[inline(never)]
fn hand_over<'a, T>(
    core: &Core<T>,
    mut guard: LockGuard<'a>,
    value: &mut Option<T>,
) -> Option<LockGuard<'a>> {
    let Some(wake) = core.locked(&mut guard).hand_over(value) else { return Some(guard) };
    drop(guard);
    if let Some(waker) = wake {
        foreign_wakers::wake(waker);
    }
    None
}

pub(crate) fn try_send<T>(core: &Core<T>, value: T) -> Result<(), TrySendError<T>> {
    let mut value = Some(value);
    let mut sent = core.locked(&mut core.acquire()).send(&mut value);
    if let SendAttempt::Unboxed = sent {
        let mut parcel = Parcel::pack(value);
        sent = core.locked(&mut core.acquire()).send_parcel(&mut parcel);
        value = parcel.unpack();
    }
    match (sent, value) {
        (SendAttempt::Sent(waker), _) => {
            if let Some(waker) = waker {
                foreign_wakers::wake(waker);
            }
            Ok(())
        }
        (SendAttempt::Full, Some(value)) => Err(TrySendError::Full(value)),
        (_, Some(value)) => Err(TrySendError::Closed(value)),
        (_, None) => unreachable!("what is not sent stays"),
    }
}

/// The future of [`Sender::send`](crate::Sender::send).
#[must_use = "futures do nothing unless awaited: `tx.send(value).await`"]
pub struct Send<'a, T> {
    pub(crate) op: SendOp<'a, T>,
    pub(crate) value: Option<T>,
}

impl<'a, T> Send<'a, T> {
    pub(crate) fn new(core: &'a Core<T>, value: T) -> Self {
        Send { op: SendOp::new(core), value: Some(value) }
    }
}

// This future never pins its value.
impl<T> Unpin for Send<'_, T> {}

impl<T> Future for Send<'_, T> {
    type Output = Result<(), SendError<T>>;

    #[inline(always)]
    #[track_caller]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Send { op, value } = self.get_mut();
        op.poll(value, cx).map(|result| result.map_err(|Closed| SendError(unsent(value))))
    }
}

impl<T> Drop for Send<'_, T> {
    #[inline]
    fn drop(&mut self) {
        self.op.cancel(&mut self.value);
    }
}

pub(crate) fn unsent<T>(value: &mut Option<T>) -> T {
    value.take().expect("what is not sent is given back")
}

impl<T> fmt::Debug for Send<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Send").finish_non_exhaustive()
    }
}

/// The future of [`Sender::send_from`](crate::Sender::send_from).
#[must_use = "futures do nothing unless awaited: `tx.send_from(&mut value).await`"]
pub struct SendFrom<'a, T> {
    pub(crate) op: SendOp<'a, T>,
    /// Empty while the value waits in the channel.
    pub(crate) value: &'a mut Option<T>,
}

impl<'a, T> SendFrom<'a, T> {
    pub(crate) fn new(core: &'a Core<T>, value: &'a mut Option<T>) -> Self {
        SendFrom { op: SendOp::new(core), value }
    }
}

impl<T> Future for SendFrom<'_, T> {
    type Output = Result<(), SendError<()>>;

    #[inline(always)]
    #[track_caller]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let SendFrom { op, value } = self.get_mut();
        op.poll(value, cx).map(|result| result.map_err(|Closed| SendError(())))
    }
}

impl<T> Drop for SendFrom<'_, T> {
    #[inline]
    fn drop(&mut self) {
        self.op.cancel(self.value);
    }
}

impl<T> fmt::Debug for SendFrom<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SendFrom").finish_non_exhaustive()
    }
}
