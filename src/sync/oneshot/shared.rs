//! What the two sides of a oneshot channel share.
//!
//! One lock protects the state, as in a [`Waitable`](crate::sync::waitable), and nothing that
//! belongs to a user runs under it. There is no queue: each side has one waiter at most, because
//! it waits by `&mut`, so a waker is all there is of it. That is an allocation less than a queue.

#![forbid(unsafe_code)]

use std::task::{Poll, Waker};

use crate::chan::error::TryRecvError;
use crate::chan::lock::Locked;
use crate::scheduler::gate::{self, Operation};
use crate::scheduler::{context, foreign_wakers};

pub(super) struct Shared<T> {
    state: Locked<State<T>>,
}

pub(super) struct State<T> {
    pub(super) value: Option<T>,
    /// Or it has sent.
    pub(super) sender_dropped: bool,
    /// By the receiver.
    pub(super) is_closed: bool,
    /// Their wakers, until they are woken.
    pub(super) receiver: Option<Waker>,
    pub(super) sender: Option<Waker>,
    /// Which of them wait, or have been woken and not come since.
    receiver_waits: bool,
    sender_waits: bool,
}

/// Who waits.
#[derive(Clone, Copy)]
pub(super) enum Side {
    Sender,
    Receiver,
}

impl<T> State<T> {
    pub(super) fn try_recv(&mut self) -> Result<T, TryRecvError> {
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
    pub(super) fn new() -> Self {
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
    pub(super) fn with<R>(&self, act: impl FnOnce(&mut State<T>) -> R) -> R {
        let mut guard = self.state.lock().acquire();
        act(self.state.get(&mut guard))
    }

    /// One poll of a side that waits until `look` finds something: through the gate, and the last one
    /// if a `timeout` asks for it.
    #[inline]
    pub(super) fn poll<R>(
        &self,
        side: Side,
        waker: &Waker,
        look: impl Fn(&mut State<T>) -> Option<R>,
    ) -> Poll<R> {
        let withdraws = gate::is_withdrawing(waker);
        let waits = || withdraws && self.with(|state| *state.waiter(side).1);
        if !(gate::enter(Operation::Oneshot, waker) || waits()) {
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
        looked.found.map_or(Poll::Pending, Poll::Ready)
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

    /// The sender does not wait any more.
    pub(super) fn leave(&self) {
        drop_waker(self.with(|state| {
            state.sender_waits = false;
            state.sender.take()
        }));
    }

    /// There is no receiver any more. The value is dropped without the lock.
    pub(super) fn end(&self) {
        let (_unreceived, own, sender) = self.with(|state| {
            state.is_closed = true;
            (state.value.take(), state.receiver.take(), state.sender.take())
        });
        drop_waker(own);
        wake(sender);
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
pub(super) fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        foreign_wakers::wake(waker);
    }
}
