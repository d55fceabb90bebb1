//! `block_on` inside a runtime (nested), and other announced blocking: the worker is away, and
//! another covers for it. For exit see `main/grace.rs`.
//!
//! While a goroutine blocks in `block_on`, its worker runs no other goroutines. It may wait for one
//! of those, even for the one in its worker's next slot. So first the worker moves its queue into
//! the injector, and then another worker covers for it. What is spawned or woken here meanwhile
//! goes to the injector as well. If there is no spare to cover, the monitor starts a thread
//! (`thread_requests.rs`), and the blocking worker does not wait for that.
//!
//! Rejected: running other goroutines here while waiting, as rayon does. The wait would end only
//! when the innermost of them does, stacks would grow without a bound, and a goroutine that blocks
//! would hold up all the frames below it.

#![forbid(unsafe_code)]

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;

use crate::scheduler::context::{self, Context, Place, Role};
use crate::scheduler::deadlock::outsiders::Counted;
use crate::scheduler::main::drive::drive;
use crate::scheduler::main::main_guard;
use crate::scheduler::shared::Scheduler;
use crate::scheduler::trace::event::EventKind;
use crate::scheduler::worker::Worker;

/// A nested `block_on`: drives `future` on the calling thread, inside `scheduler`, whether or not
/// the thread belongs to it already. Cancels nothing.
pub(crate) fn block_on<F: Future>(scheduler: &Arc<Scheduler>, future: F) -> F::Output {
    while_away(Reason::MayNeedGoroutines, || {
        let is_inside = context::with_inside(|context| {
            context.is_some_and(|context| context.belongs_to(Arc::as_ptr(scheduler)))
        });
        if is_inside {
            drive_to_end(future)
        } else {
            let context = Context::new(scheduler.clone(), Role::Guest);
            let _guest = Guest::new(scheduler);
            context.enter(|| drive_to_end(future))
        }
    })
}

/// The same on a thread that may belong to any runtime or to none.
pub(crate) fn wait_for<F: Future>(future: F) -> F::Output {
    while_away(Reason::MayNeedGoroutines, || drive_to_end(future))
}

/// Counts a guest, until dropped.
struct Guest<'a> {
    scheduler: &'a Scheduler,
    /// Another runtime's goroutines, too, also when this one has ended.
    _may_wake: Counted,
}

impl<'a> Guest<'a> {
    fn new(scheduler: &'a Scheduler) -> Self {
        scheduler.add_guest();
        Guest { scheduler, _may_wake: Counted::guest() }
    }
}

impl Drop for Guest<'_> {
    fn drop(&mut self) {
        self.scheduler.remove_guest();
    }
}

fn drive_to_end<F: Future>(future: F) -> F::Output {
    // Inside main, this resumes a goroutine's unhandled panic, because main reaches no await of its
    // own before this ends.
    drive(pin!(future), main_guard::must_unwind).unwrap_or_else(|| main_guard::unwind())
}

/// What a thread that blocks waits for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reason {
    /// Perhaps goroutines, which no longer run at exit.
    MayNeedGoroutines,
    /// A call that ends by itself.
    SystemCall,
}

/// Runs `f`, which will block the thread. If the thread is a worker, another one covers for it.
pub(crate) fn while_away<R>(reason: Reason, f: impl FnOnce() -> R) -> R {
    context::with(|place| match place {
        Place::Inside(context) => {
            let worker = context.worker();
            let _away = worker.and_then(|worker| Away::new(context, worker));
            let _waiting = worker.and_then(|_| NestedWait::new(context, reason));
            f()
        }
        _ => f(),
    })
}

/// Keeps a worker marked as blocked, until dropped.
struct Away<'a> {
    context: &'a Context,
    worker: &'a Worker,
    /// The monitor has asked the worker to check in, which it does when it is back.
    must_check_in: bool,
}

impl<'a> Away<'a> {
    /// `None` if the worker is marked as blocked already.
    fn new(context: &'a Context, worker: &'a Worker) -> Option<Self> {
        if worker.is_blocked() {
            return None;
        }
        let scheduler = &context.scheduler;
        context.record(EventKind::BlockingBegins, 0, 0);
        worker.note_blocking();
        scheduler.inject_queue_of(worker);
        let must_check_in = worker.parker.must_check_in();
        if scheduler.idle.block(&worker.parker) > 0 {
            scheduler.request_cover();
        }
        scheduler.pass_on_shared_work();
        Some(Away { context, worker, must_check_in })
    }
}

impl Drop for Away<'_> {
    fn drop(&mut self) {
        // Noted first: once the worker is available again, its poll would seem to have lasted all
        // this time.
        self.worker.note_blocking();
        self.context.scheduler.idle.unblock(&self.worker.parker, self.must_check_in);
        self.context.record(EventKind::BlockingEnds, 0, 0);
    }
}

/// Tells exit, until dropped, that a worker waits for others.
struct NestedWait<'a> {
    context: &'a Context,
    by_goroutine: bool,
}

impl<'a> NestedWait<'a> {
    /// `None` if exit has nothing new to learn.
    fn new(context: &'a Context, reason: Reason) -> Option<Self> {
        if reason == Reason::SystemCall || context.is_in_nested_block_on.replace(true) {
            return None;
        }
        // Exit waits for a goroutine whose destructor runs as for any other, so that one is not
        // counted here.
        let by_goroutine = context.polling.get().is_some() && !context.dropping_at_exit.get();
        context.scheduler.nested_waits.begin(by_goroutine);
        Some(NestedWait { context, by_goroutine })
    }
}

impl Drop for NestedWait<'_> {
    fn drop(&mut self) {
        self.context.scheduler.nested_waits.end(self.by_goroutine);
        self.context.is_in_nested_block_on.set(false);
    }
}
