//! What the two sides of a oneshot channel share.
//!
//! One lock protects the state, as in a [`Waitable`](crate::sync::waitable), and nothing that
//! belongs to a user runs under it. There is no queue: each side has one waiter at most, because
//! it waits by `&mut`, so a waker is all there is of it. That is an allocation less than a queue.
//!
//! Modelled in `tests/models/oneshot.rs`.

#![forbid(unsafe_code)]

use std::task::{Poll, Waker};

use crate::chan::error::{SendError, TryRecvError};
use crate::chan::lock::Locked;
use crate::scheduler::gate;
use crate::scheduler::operation::Operation;
use crate::scheduler::{context, foreign_wakers};

pub(crate) struct Shared<T> {
    state: Locked<State<T>>,
}

struct State<T> {
    value: Option<T>,
    /// Or it has sent.
    sender_dropped: bool,
    /// By the receiver.
    is_closed: bool,
    /// Their wakers, until they are woken.
    receiver: Option<Waker>,
    sender: Option<Waker>,
    /// Which of them wait, or have been woken and not come since.
    receiver_waits: bool,
    sender_waits: bool,
}

/// No value comes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Closed;

/// Who waits.
#[derive(Clone, Copy)]
enum Side {
    Sender,
    Receiver,
}

impl<T> State<T> {
    fn try_recv(&mut self) -> Result<T, TryRecvError> {
        match self.value.take() {
            Some(value) => Ok(value),
            None if self.sender_dropped || self.is_closed => Err(TryRecvError::Closed),
            None => Err(TryRecvError::Empty),
        }
    }

    /// A side's waker, and whether it waits.
    #[inline]
    fn waiter(&mut self, side: Side) -> (&mut Option<Waker>, &mut bool) {
        match side {
            Side::Sender => (&mut self.sender, &mut self.sender_waits),
            Side::Receiver => (&mut self.receiver, &mut self.receiver_waits),
        }
    }
}

/// What a look has found, and whether the waker is in its place or not needed.
struct Looked<R> {
    found: Option<R>,
    is_settled: bool,
    /// To be dropped without the lock.
    unneeded: Option<Waker>,
}

impl<T> Shared<T> {
    pub(crate) fn new() -> Self {
        let state = State {
            value: None,
            sender_dropped: false,
            is_closed: false,
            receiver: None,
            sender: None,
            receiver_waits: false,
            sender_waits: false,
        };
        Shared { state: Locked::new(state) }
    }

    /// Calls `act` under the lock. The caller drops the result without the lock.
    #[inline]
    fn with<R>(&self, act: impl FnOnce(&mut State<T>) -> R) -> R {
        let mut guard = self.state.lock().acquire();
        act(self.state.get(&mut guard))
    }

    /// Sends, which ends the sender as well: there is no moment at which another value may still come.
    pub(crate) fn send(&self, value: T) -> Result<(), SendError<T>> {
        let waker = self.with(|state| {
            state.sender_dropped = true;
            if state.is_closed {
                return Err(SendError(value));
            }
            state.value = Some(value);
            Ok(state.receiver.take())
        })?;
        wake(waker);
        Ok(())
    }

    /// The sender goes, and has not sent.
    pub(crate) fn end_without_value(&self) {
        wake(self.with(|state| {
            state.sender_dropped = true;
            state.receiver.take()
        }));
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.with(|state| state.is_closed)
    }

    /// Waits until the receiver was closed or has gone.
    #[track_caller]
    pub(crate) fn poll_closed(&self, waker: &Waker) -> Poll<()> {
        self.poll(Side::Sender, waker, |state| state.is_closed.then_some(()))
    }

    /// The sender does not wait for that any more.
    pub(crate) fn leave(&self) {
        drop_waker(self.with(|state| {
            state.sender_waits = false;
            state.sender.take()
        }));
    }

    pub(crate) fn try_recv(&self) -> Result<T, TryRecvError> {
        self.with(State::try_recv)
    }

    #[inline]
    #[track_caller]
    pub(crate) fn poll_recv(&self, waker: &Waker) -> Poll<Result<T, Closed>> {
        self.poll(Side::Receiver, waker, |state| match state.try_recv() {
            Ok(value) => Some(Ok(value)),
            Err(TryRecvError::Closed) => Some(Err(Closed)),
            Err(TryRecvError::Empty) => None,
        })
    }

    /// From now on sending fails. A value that is there can still be received.
    pub(crate) fn close(&self) {
        let (own, sender) = self.with(|state| {
            state.is_closed = true;
            (state.receiver.take(), state.sender.take())
        });
        wake(own);
        wake(sender);
    }

    /// The receiver goes. The value is dropped without the lock.
    pub(crate) fn end_receiving(&self) {
        let (_unreceived, own, sender) = self.with(|state| {
            state.is_closed = true;
            (state.value.take(), state.receiver.take(), state.sender.take())
        });
        drop_waker(own);
        wake(sender);
    }

    /// One poll of a side that waits until `look` finds something: through the gate, and the last one
    /// if a `timeout` asks for it.
    #[inline]
    #[track_caller]
    fn poll<R>(
        &self,
        side: Side,
        waker: &Waker,
        look: impl Fn(&mut State<T>) -> Option<R>,
    ) -> Poll<R> {
        let withdraws = gate::is_withdrawing(waker);
        let waits = || withdraws && self.with(|state| *state.waiter(side).1);
        if !(gate::enter(waker) || waits()) {
            return Poll::Pending;
        }
        let is_own = !withdraws && context::is_own_waker(waker);
        let mut looked = self.with(|state| {
            let found = look(state);
            let (place, waits) = state.waiter(side);
            let is_over = found.is_some() || withdraws;
            let stays = !is_over && place.as_ref().is_some_and(|own| own.will_wake(waker));
            let unneeded = match () {
                () if is_over => place.take(),
                () if is_own && !stays => place.replace(waker.clone()),
                () => None,
            };
            let is_settled = is_over || stays || is_own;
            *waits = is_settled && !is_over;
            Looked { found, is_settled, unneeded }
        });
        if !looked.is_settled {
            looked = self.look_with_clone(side, waker, look);
        }
        drop_waker(looked.unneeded);
        if withdraws && looked.found.is_none() {
            // A future that is kept waits anew.
            waker.wake_by_ref();
        }
        gate::note_wait(Operation::Oneshot, looked.found.map_or(Poll::Pending, Poll::Ready))
    }

    /// With a clone of a foreign waker, which runs user code.
    #[inline(never)]
    fn look_with_clone<R>(
        &self,
        side: Side,
        waker: &Waker,
        look: impl Fn(&mut State<T>) -> Option<R>,
    ) -> Looked<R> {
        let mut clone = Some(waker.clone());
        let looked = self.with(|state| {
            let found = look(state);
            let (place, waits) = state.waiter(side);
            let unneeded = place.take();
            if found.is_none() {
                *place = clone.take();
            }
            *waits = found.is_none();
            Looked { found, is_settled: true, unneeded }
        });
        drop_waker(clone);
        looked
    }
}

/// The caller holds no lock.
#[inline]
fn drop_waker(waker: Option<Waker>) {
    if let Some(waker) = waker {
        foreign_wakers::drop_waker(waker);
    }
}

/// The caller holds no lock.
#[inline]
fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        foreign_wakers::wake(waker);
    }
}
