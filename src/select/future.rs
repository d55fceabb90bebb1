//! Waiting for one of several cases.
//!
//! # Protocol
//!
//! One poll, by the select (the *owner*). Its partners send, receive or close at its channels.
//!
//! ```text
//! 1  if it has waited: claim WAITING → BUSY. Decided by a partner? That case happens.
//! 2  try each case that may be ready, in random order: attempt one at a channel, under that
//!    channel's lock; poll any other future, with no lock held. The first that is ready happens.
//!    A receive may be ready unless the channel's `may_receive` denies it (`chan/core.rs`). If
//!    all cases are at channels, any one is tried before all are asked for that: each that is ready
//!    remains equally likely.
//!    (A large value that waits, or goes to a waiting receiver, is boxed and parked first.)
//! 3  lock all its channels, in the order of their addresses
//! 4  attempt each case at a channel again, in random order. Here a `may_receive` that denies it is
//!    certain. One that succeeds happens.
//! 5  enter the queues (once), claim := WAITING, unlock: pending
//! drop   claim := BUSY; then each case leaves its queue, under its channel's lock
//! ```
//!
//! A partner that reaches a slot of a select, under the channel's lock, commits WAITING → case. If
//! that fails it passes the slot over (`claim.rs`, `Waiters::serve`). A busy select keeps its
//! place, since it may wait again. The partner takes a decided one out of the queue, and its case
//! only leaves: a sender's slot still has its value, a receiver's has none.
//!
//! # Why exactly one case happens
//!
//! - Not two: the owner makes a case happen (2, 4) only while the claim says BUSY, when no partner
//!   can commit. After WAITING → case no partner can commit again, and the owner finds the decision
//!   in 1. The owner polls other futures while the claim says BUSY. So it may take one that is
//!   ready, whatever happens meanwhile.
//! - Not none, although a partner was passed over: from its attempt in 4 on, no channel of the
//!   select changes: what was detached is attached, and the lock is held. So the select begins to
//!   wait at a moment when none of its cases at channels is possible, which is what the invariant
//!   in `core.rs` requires of servable waiters. A partner that reaches one of the channels later
//!   finds the select waiting. A partner that came earlier has left the value or the room in the
//!   channel, or waits in its queue; 4 finds it in either place.
//! - Two selects that face each other pass each other over while both are in 2. Both reach 3. The
//!   one that gets the locks second finds the other waiting, in 4, and commits it.
//! - No deadlock: 3 takes the locks in one order, all other code holds one channel's at a time, and
//!   under the lock of a claim's waker, or of a channel's head, no other is taken.
//!
//! A dropped select: if a partner has decided, the case was committed, and is dropped as a
//! committed `recv` or `send` is, in `LockedState::cancel`: a received value goes back to the head.
//! The select need not ask which case that was. The swap to BUSY before it leaves the first queue
//! is not needed for correctness: without it a partner could still commit to a select that is being
//! dropped, but nothing would be lost.
//!
//! If the select has waited and no partner has decided, 2 need not attempt cases at channels again:
//! none was possible while the select was servable. 4 finds what has become possible since.
//!
//! A `timeout` that is due asks a select to withdraw (`gate.rs`). Then the select skips 5 and stays
//! BUSY: no partner can commit it, wherever it is queued, and its next poll tries all cases anew.
//!
//! `default` is taken after 3 and 4, not after 2. So at one moment no case was possible, instead of
//! each of them at a different moment. Go's tests require that (`TestNonblockSelectRace`).
//!
//! # Rejected
//!
//! - Claiming the partner's select and the own one together, without the locks of all channels:
//!   that changes two words at once, and has to undo the first when the second fails.
//! - Polling other futures while partners may commit, and finding out afterwards which was first: a
//!   future that was ready has happened, and cannot be taken back.
//! - Leaving all queues at each poll, as Go does for each `select`: a select with other futures is
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
use crate::chan::lock::Lock;
use crate::scheduler::foreign_wakers;
use crate::scheduler::gate;
use crate::scheduler::operation::Operation;
use crate::select::cases::Cases;
use crate::select::locks::Locks;
use crate::select::order;

pin_project! {
    /// Waits for one of the cases.
    #[must_use]
    pub struct Select<'a, C> {
        // Dropped before the cases, each of which leaves its queue by itself.
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
    #[inline]
    fn drop(&mut self) {
        if let Some(claim) = &self.0 {
            claim.abandon();
        }
    }
}

#[inline]
pub fn wait<'a, C: Cases<'a>>(cases: C) -> Select<'a, C> {
    Select { claim: Claimed(None), has_waited: false, cases, channels: PhantomData }
}

impl<'a, C: Cases<'a>> Future for Select<'a, C> {
    type Output = C::Output;

    #[track_caller]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<C::Output> {
        let waker = cx.waker();
        if !C::HAS_OTHERS {
            let waits = || self.claim.0.is_some() && gate::is_withdrawing(waker);
            return match gate::enter(waker) || waits() {
                true => gate::note_wait(Operation::Select, self.poll_entered(cx)),
                false => Poll::Pending,
            };
        }
        let Some(outer) = gate::enter_outer(waker, self.has_waited) else {
            return Poll::Pending;
        };
        *self.as_mut().project().has_waited = true;
        // Over what its cases have noted.
        let chosen = gate::note_wait(Operation::Select, self.poll_entered(cx));
        if chosen.is_ready() {
            outer.finish();
        }
        chosen
    }
}

impl<'a, C: Cases<'a>> Select<'a, C> {
    #[inline]
    fn poll_entered(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<C::Output> {
        let mut this = self.project();
        let claim = &mut this.claim.0;
        if let Some(claim) = claim
            && let Err(case) = claim.take_over()
        {
            return Poll::Ready(this.cases.take_outcome(case));
        }
        // While the select waited, each partner that came has served it.
        let has_waited = claim.is_some();
        if let Some(output) = try_cases(this.cases.as_mut(), has_waited, cx) {
            return Poll::Ready(output);
        }
        let cases = &*this.cases;
        if at_channels(cases).next().is_none() {
            return Poll::Pending;
        }
        let withdraws = gate::is_withdrawing(cx.waker());
        // Cloning and dropping a waker may run user code, so no lock is held here.
        match claim {
            Some(claim) => foreign_wakers::drop_waker(claim.set_waker(cx.waker())),
            None => *claim = Some(Claim::new(cx.waker().clone())),
        }
        let claim = claim.as_ref().expect("it was made just now");
        park_boxed(this.cases.as_mut());
        let waits = |mut cases: Pin<&mut C>, locks: &mut Locks<'a>| {
            if withdraws {
                return;
            }
            for number in 0..C::COUNT {
                if let Some(channel) = cases.channel(number) {
                    cases.as_mut().enqueue(number, locks.of(channel), claim);
                }
            }
            claim.wait();
        };
        match try_channels_at_once(this.cases, waits) {
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

/// Tries each case once, for a `select!` with `default`.
pub fn try_once<'a, C: Cases<'a>>(cases: C) -> Option<C::Output> {
    let mut cases = pin!(cases);
    let mut cx = Context::from_waker(Waker::noop());
    // If all cases are at channels, the second attempt suffices: most such calls find none ready.
    let are_all_at_channels =
        (0..C::COUNT).all(|number| !cases.is_enabled(number) || cases.channel(number).is_some());
    if !are_all_at_channels {
        let first = gate::probe(|| try_cases(cases.as_mut(), false, &mut cx));
        if first.is_some() {
            return first;
        }
    }
    // Otherwise the attempts would pass over a large value that has no box yet.
    park_boxed(cases.as_mut());
    try_channels_at_once(cases, |_, _| {})
}

/// Boxes the large values of all cases, while no lock is held.
#[inline]
fn park_boxed<'a, C: Cases<'a>>(mut cases: Pin<&mut C>) {
    if C::HAS_BOXED {
        for number in 0..C::COUNT {
            if cases.is_enabled(number) {
                cases.as_mut().park(number, true);
            }
        }
    }
}

#[inline]
fn at_channels<'a, C: Cases<'a>>(cases: &C) -> impl Iterator<Item = &'a Lock> + Clone {
    (0..C::COUNT).filter_map(|number| cases.channel(number))
}

/// Tries the cases one by one that may be ready, or only those of them that are not at channels.
#[inline]
fn try_cases<'a, C: Cases<'a>>(
    mut cases: Pin<&mut C>,
    only_others: bool,
    cx: &mut Context<'_>,
) -> Option<C::Output> {
    // If most may be ready, most calls end here, without a question to each.
    if !C::HAS_OTHERS
        && C::COUNT > 1
        && !only_others
        && let Some(number) = order::any_of(C::COUNT)
        && cases.may_be_ready(number)
        && let Some(channel) = cases.channel(number)
        && let Some(output) = try_channel(cases.as_mut(), number, channel)
    {
        return Some(output);
    }
    let mut order = cases.order(only_others);
    while let Some(number) = order.next() {
        match cases.channel(number) {
            Some(channel) => {
                if let Some(output) = try_channel(cases.as_mut(), number, channel) {
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

/// Tries the case with this number, which is at `channel`.
#[inline]
fn try_channel<'a, C: Cases<'a>>(
    mut cases: Pin<&mut C>,
    number: usize,
    channel: &Lock,
) -> Option<C::Output> {
    let mut attempted = cases.as_mut().attempt(number, &mut channel.acquire());
    if C::HAS_BOXED && attempted.is_none() && cases.as_mut().park(number, false) {
        attempted = cases.as_mut().attempt(number, &mut channel.acquire());
    }
    let (output, wake) = attempted?;
    if let Some(waker) = wake {
        foreign_wakers::wake(waker);
    }
    Some(output)
}

/// Tries all cases at channels at one moment. Calls `none` at that moment if none is possible.
#[inline]
fn try_channels_at_once<'a, C: Cases<'a>>(
    mut cases: Pin<&mut C>,
    none: impl FnOnce(Pin<&mut C>, &mut Locks<'a>),
) -> Option<C::Output> {
    let mut locks = Locks::take(at_channels(&*cases));
    // With the locks, a case that does not look ready is not.
    let mut order = cases.order(false);
    while let Some(number) = order.next() {
        let Some(channel) = cases.channel(number) else { continue };
        let attempted = cases.as_mut().attempt(number, locks.of(channel));
        if let Some((output, wake)) = attempted {
            drop(locks);
            if let Some(waker) = wake {
                foreign_wakers::wake(waker);
            }
            return Some(output);
        }
    }
    none(cases, &mut locks);
    None
}
