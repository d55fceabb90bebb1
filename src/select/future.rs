//! Waiting for one of several cases.
//!
//! # Protocol
//!
//! A poll, by the select (the *owner*); its partners are who sends, receives or closes at its channels:
//!
//! ```text
//! 1  it has waited: claim WAITING → BUSY. Decided by a partner? That case happens.
//! 2  each case in random order: one at a channel is attempted, under that channel's lock;
//!    any other future is polled, with no lock held. The first that is ready happens.
//! 3  lock all its channels, in the order of their addresses
//! 4  attempt each case at a channel again. One that succeeds happens.
//! 5  join the lines (once), claim := WAITING, unlock: pending
//! drop   claim := BUSY; then each case leaves its line, under its channel's lock
//! ```
//!
//! A partner that comes to a slot of a select, under the channel's lock, commits WAITING → case, and
//! passes it over if that fails (`claim.rs`, `Waiters::serve`). One that is busy keeps its place, since it may
//! wait again; one that has been decided is taken out of the line then, and its case only leaves: a sender's
//! slot still has its value, a receiver's has none.
//!
//! # Why exactly one case happens
//!
//! - Not two: the owner makes a case happen (2, 4) only while the claim says BUSY, when no partner can
//!   commit; and after WAITING → case nobody can commit again, and the owner finds that in 1. A foreign
//!   future is polled while it says BUSY, so whatever happens meanwhile, it may be taken if it is
//!   ready.
//! - Not none, although a partner was passed over: from 3 to 5 no channel of the select changes. So the
//!   select begins to wait at a moment when none of its cases at channels is possible, and that is what
//!   the invariant in `core.rs` asks of those who can be served. Who comes to one of the channels
//!   later finds it waiting; who came earlier has left there what it could not hand over, which 4
//!   finds, or waits in the line there, where 4 finds it.
//! - Two selects that face each other: each passes the other over while both are in 2. Both come to 3,
//!   and the one that gets the locks second finds the other waiting, in 4, and commits it.
//! - Nobody waits for ever for a lock: 3 takes them in one order, everybody else holds one at a time,
//!   and a claim's waker is behind a lock under which no other is taken.
//!
//! A select that is dropped: if a partner has decided, its case was committed and is dropped as a
//! committed `recv` or `send` is, in `Core::leave`: a value that was received goes back to the head. It
//! need not ask which case that was. The swap to BUSY before the first line is left is a courtesy: nothing
//! would be lost without it, but a partner could still commit to a select that is on its way out.
//!
//! When nobody has decided, 2 need not attempt cases at channels again if the select has waited: none
//! was possible while it could be served. What became possible since is found in 4.
//!
//! A `timeout` whose time is up asks a select to withdraw (`gate.rs`). Then it does not go on to 5, but stays
//! BUSY: nobody can commit it, wherever it is in line, and when it is polled again it looks anew.
//!
//! `default` is taken after 3 and 4, not after 2: at one moment no case was possible, not each of
//! them at a moment of its own. Go's tests ask for that (`TestNonblockSelectRace`).
//!
//! # Rejected
//!
//! - Claiming the partner's select and one's own together, without the locks of all channels: two
//!   words to be changed at once, and a way to back out when the second fails.
//! - Polling foreign futures while others may commit, and then finding out who was first: a future
//!   that was ready has happened, and cannot be taken back.
//! - Leaving all lines for each poll, as Go does for each `select`: a select with a foreign future is
//!   polled often, and would lose its place each time.

#![forbid(unsafe_code)]
#![allow(missing_docs)] // Public for the macro only, and hidden.

use std::future::Future;
use std::marker::PhantomData;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use pin_project_lite::pin_project;

use crate::chan::claim::Claim;
use crate::scheduler::foreign;
use crate::scheduler::gate::{self, Operation};
use crate::select::cases::Cases;
use crate::select::locks::Locks;
use crate::select::order::Order;

pin_project! {
    /// Waits for one of the cases.
    #[must_use]
    pub struct Select<'a, C> {
        // Dropped before the cases, each of which leaves its line by itself.
        claim: Claimed,
        has_waited: bool,
        #[pin]
        cases: C,
        channels: PhantomData<&'a ()>,
    }
}

/// The claim of a select that has waited.
struct Claimed(Option<Arc<Claim>>);

impl Drop for Claimed {
    fn drop(&mut self) {
        if let Some(claim) = &self.0 {
            claim.retire();
        }
    }
}

#[inline]
pub fn wait<'a, C: Cases<'a>>(cases: C) -> Select<'a, C> {
    Select { claim: Claimed(None), has_waited: false, cases, channels: PhantomData }
}

impl<'a, C: Cases<'a>> Future for Select<'a, C> {
    type Output = C::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<C::Output> {
        let waker = cx.waker();
        if !C::HAS_OTHERS {
            let waits = || self.claim.0.is_some() && gate::is_withdrawing(waker);
            return match gate::enter(Operation::Select, waker) || waits() {
                true => self.poll_opened(cx),
                false => Poll::Pending,
            };
        }
        let Some(opened) = gate::open(Operation::Select, waker, self.has_waited) else {
            return Poll::Pending;
        };
        *self.as_mut().project().has_waited = true;
        let chosen = self.poll_opened(cx);
        if chosen.is_ready() {
            opened.close();
        }
        chosen
    }
}

impl<'a, C: Cases<'a>> Select<'a, C> {
    #[inline]
    fn poll_opened(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<C::Output> {
        let mut this = self.project();
        let claim = &mut this.claim.0;
        if let Some(claim) = claim
            && let Err(case) = claim.take_over()
        {
            return Poll::Ready(this.cases.finish(case));
        }
        let mut order = Order::new(C::COUNT, |number| this.cases.is_enabled(number));
        // While it waited no partner could come without being served.
        let has_waited = claim.is_some();
        if let Some(output) = look(this.cases.as_mut(), &mut order, cx, has_waited) {
            return Poll::Ready(output);
        }
        let cases = &*this.cases;
        if order.drawn().all(|number| cases.channel(number).is_none()) {
            return Poll::Pending;
        }
        let withdraws = gate::is_withdrawing(cx.waker());
        // With no lock held.
        match claim {
            Some(claim) => foreign::let_go(claim.set_waker(cx.waker())),
            None => *claim = Some(Claim::new(cx.waker().clone())),
        }
        let claim = claim.as_ref().expect("it was made just now");
        let waits = |mut cases: Pin<&mut C>, locks: &mut Locks<'a>| {
            if withdraws {
                return;
            }
            for number in order.drawn() {
                if let Some(channel) = cases.channel(number) {
                    cases.as_mut().join(number, locks.of(channel), claim);
                }
            }
            claim.wait();
        };
        match look_at_once(this.cases, &order, waits) {
            Some(output) => Poll::Ready(output),
            None => {
                if withdraws {
                    cx.waker().wake_by_ref();
                }
                Poll::Pending
            }
        }
    }
}

/// Whether a case is possible now; with `default`.
pub fn try_once<'a, C: Cases<'a>>(cases: C) -> Option<C::Output> {
    let mut cases = pin!(cases);
    let mut order = Order::new(C::COUNT, |number| cases.is_enabled(number));
    let mut cx = Context::from_waker(Waker::noop());
    // If all are at channels the second look is enough, and most who ask in this way find none ready.
    let are_all_at_channels =
        (0..C::COUNT).all(|number| !cases.is_enabled(number) || cases.channel(number).is_some());
    let first = match are_all_at_channels {
        true => look(cases.as_mut(), &mut order, &mut cx, true),
        false => gate::only_look(|| look(cases.as_mut(), &mut order, &mut cx, false)),
    };
    first.or_else(|| look_at_once(cases, &order, |_, _| {}))
}

/// Each case by itself, or only those that are not at channels.
#[inline]
fn look<'a, C: Cases<'a>>(
    mut cases: Pin<&mut C>,
    order: &mut Order,
    cx: &mut Context<'_>,
    only_others: bool,
) -> Option<C::Output> {
    while let Some(number) = order.next() {
        match cases.channel(number) {
            Some(_) if only_others => {}
            Some(channel) => {
                let attempted = cases.as_mut().attempt(number, &mut channel.hold());
                if let Some((output, wake)) = attempted {
                    if let Some(waker) = wake {
                        foreign::wake(waker);
                    }
                    return Some(output);
                }
            }
            None => {
                if let Poll::Ready(output) = cases.as_mut().poll(number, cx) {
                    return Some(output);
                }
            }
        }
    }
    None
}

/// All cases at channels, at one moment. `none` is called at that moment if none is possible.
#[inline]
fn look_at_once<'a, C: Cases<'a>>(
    mut cases: Pin<&mut C>,
    order: &Order,
    none: impl FnOnce(Pin<&mut C>, &mut Locks<'a>),
) -> Option<C::Output> {
    let mut locks = Locks::take(order.drawn().filter_map(|number| cases.channel(number)));
    for number in order.drawn() {
        let Some(channel) = cases.channel(number) else { continue };
        let attempted = cases.as_mut().attempt(number, locks.of(channel));
        if let Some((output, wake)) = attempted {
            drop(locks);
            if let Some(waker) = wake {
                foreign::wake(waker);
            }
            return Some(output);
        }
    }
    none(cases, &mut locks);
    None
}
