//! Wakers belong to their users.
//!
//! A waker that gorun was polled with may be anybody's. Its functions may panic, and they may come back in:
//! poll, send, close, spawn, block. None of this is to cost anybody else anything. So:
//!
//! 1. gorun clones, wakes and drops wakers outside of every lock, and never on the monitor.
//! 2. It does so when all state is as it is to stay: whatever such a call does, it finds things whole.
//! 3. What a waker panics with goes to whoever brought it, or nowhere:
//!
//! | the waker panics | the panic |
//! |---|---|
//! | when it is cloned, or woken by reference, in the poll that it was given to | goes to who polls: the operation is as it was, or can be polled again |
//! | when it is woken on somebody else's account: by a send, a receive, a `close`, a `done`, a timer | is an unhandled one of the runtime that the calling thread works for. Where there is none the panic hook has reported it, and that is all |
//! | when gorun drops its clone: another one takes its place, or nobody needs it any more | likewise |
//!
//! So nobody loses an outcome by another's waker: a value that was received arrives, and a send that has
//! sent says so.
//!
//! A clone may be cheap to make and is only sometimes needed. It is made before the lock is taken, and given
//! to [`let_go`] if things have changed meanwhile.
//!
//! What `async-task` does with the wakers of those who await a handle is its own: it ends the process if one
//! panics (`docs/reliability.md`).

#![forbid(unsafe_code)]

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::Waker;

use crate::panics::discard;
use crate::scheduler::context;

/// Wakes somebody. The caller holds no lock.
#[inline]
pub(crate) fn wake(waker: Waker) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(|| waker.wake())) {
        unhandled(payload);
    }
}

/// Drops a clone of a waker, or what has one in it. The caller holds no lock.
#[inline]
pub(crate) fn let_go<W>(waker: W) {
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
