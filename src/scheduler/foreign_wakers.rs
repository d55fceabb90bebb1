//! Wakers belong to their users.
//!
//! A waker that gorun was polled with may be user code. Its functions may panic, and they may call
//! gorun again: poll, send, close, spawn, block. None of this may harm other users. So:
//!
//! 1. gorun clones, wakes and drops wakers outside every lock, and never on the monitor. Goroutines' own
//!    wakers are not user code, so a channel may clone them under its lock ([`may_be_foreign`]).
//! 2. It does so when all state is final: whatever such a call does, it finds consistent state.
//! 3. A waker's panic goes to the code that brought the waker, or nowhere:
//!
//! | the waker panics | the panic |
//! |---|---|
//! | when it is cloned, or woken by reference, in the poll that it was given to | goes to the poller: the operation is as it was, or can be polled again |
//! | when another's action wakes it: a send, a receive, a `close`, a `done`, a timer | is an unhandled panic of the calling thread's runtime. On a thread without a runtime only the panic hook reports it |
//! | when gorun drops its clone: another one takes its place, or it is no longer needed | the same |
//!
//! So another's waker never costs an operation its outcome: a value that was received arrives, and
//! a send that has sent says so.
//!
//! A clone is often cheap, but only sometimes needed. gorun makes it before it takes the lock, and
//! passes it to [`drop_waker`] if the state has changed meanwhile.
//!
//! `async-task` itself calls the wakers that await a handle: it ends the process if one panics
//! (`docs/reliability.md`).

#![forbid(unsafe_code)]

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::Waker;

use crate::panics::discard;
use crate::scheduler::context;

/// Whether a waker may be user code. It is not if its functions are those of the goroutine whose poll runs
/// here: then it is the waker of a goroutine that was spawned at the same place, and to clone it only counts a
/// reference. So it may be cloned under a lock.
#[inline]
pub(crate) fn may_be_foreign(waker: &Waker) -> bool {
    let site = context::with_inside(|context| context?.site.get());
    !site.is_some_and(|site| site.makes(waker))
}

/// Wakes a waker. The caller holds no lock.
#[inline]
pub(crate) fn wake(waker: Waker) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(|| waker.wake())) {
        unhandled(payload);
    }
}

/// Drops a clone of a waker, or a value that contains one. The caller holds no lock.
#[inline]
pub(crate) fn drop_waker<W>(waker: W) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(waker))) {
        unhandled(payload);
    }
}

#[cold]
fn unhandled(payload: Box<dyn Any + Send>) {
    context::with_inside(|context| match context {
        Some(context) => context.scheduler.main.unhandled(payload, None),
        None => discard(payload),
    });
}
