//! `block_on` inside a runtime: a future driven on a thread that has other duties.
//!
//! A worker whose goroutine blocks in `block_on` runs no other goroutines meanwhile, and one of those may
//! be what it waits for, in its own next slot even. So first its queue is emptied into the injector, then
//! another worker covers for it; what is spawned or woken here in the meantime goes to the injector as
//! well. If there is no spare for that the monitor starts a thread (`thread_requests.rs`), and nobody
//! waits here until it has.
//!
//! Rejected: running other goroutines in here while waiting (rayon's way). The wait would end only
//! when the innermost of them does, stacks would grow without a bound, and a goroutine that blocks
//! would hold up all the frames below it.

#![forbid(unsafe_code)]

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;

use crate::scheduler::context::{self, Context, Place, Role};
use crate::scheduler::main::drive::drive;
use crate::scheduler::main::main_guard;
use crate::scheduler::shared::Scheduler;
use crate::scheduler::worker::Worker;

/// Drives `future` on the calling thread, inside `scheduler`, to which it may or may not belong
/// already. Cancels nothing.
pub(crate) fn block_on<F: Future>(scheduler: &Arc<Scheduler>, future: F) -> F::Output {
    while_blocked(Wait::ForOthers, || {
        let is_inside = context::with_inside(|context| {
            context.is_some_and(|context| context.belongs_to(Arc::as_ptr(scheduler)))
        });
        if is_inside {
            drive_to_end(future)
        } else {
            let context = Context::new(scheduler.clone(), Role::Guest);
            context.enter(|| drive_to_end(future))
        }
    })
}

/// Drives `future`, on which other goroutines may have to act, on the calling thread, which may
/// belong to any runtime or to none.
pub(crate) fn wait_for<F: Future>(future: F) -> F::Output {
    while_blocked(Wait::ForOthers, || drive_to_end(future))
}

fn drive_to_end<F: Future>(future: F) -> F::Output {
    // Inside main, a goroutine's unhandled panic is resumed here, since main would not come to an
    // await of its own before this ends.
    drive(pin!(future), main_guard::must_unwind).unwrap_or_else(|| main_guard::unwind())
}

/// What a thread does while it blocks.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wait {
    /// It waits for goroutines, perhaps, which at exit will never come.
    ForOthers,
    /// Something that ends by itself.
    ForTheSystem,
}

/// Runs `f`, which will block the thread. If that is a worker, another one covers for it.
pub(crate) fn while_blocked<R>(wait: Wait, f: impl FnOnce() -> R) -> R {
    context::with(|place| match place {
        Place::Inside(context) => {
            let worker = context.worker();
            let _away = worker.and_then(|worker| Away::new(&context.scheduler, worker));
            let _waiting = worker.and_then(|_| Waiting::new(context, wait));
            f()
        }
        _ => f(),
    })
}

/// A worker that has said that it blocks. Ends that when dropped.
struct Away<'a> {
    scheduler: &'a Arc<Scheduler>,
    worker: &'a Worker,
}

impl<'a> Away<'a> {
    /// `None` if the worker has said so already.
    fn new(scheduler: &'a Arc<Scheduler>, worker: &'a Worker) -> Option<Self> {
        if worker.is_blocked() {
            return None;
        }
        worker.step();
        scheduler.inject_batch(worker.drain());
        if scheduler.idle.block(&worker.parker) > 0 {
            scheduler.request_cover();
        }
        scheduler.pass_on_shared_work();
        Some(Away { scheduler, worker })
    }
}

impl Drop for Away<'_> {
    fn drop(&mut self) {
        // Before it counts as in a poll again, which would else have lasted all the time.
        self.worker.step();
        self.scheduler.idle.unblock(&self.worker.parker);
    }
}

/// A worker that waits for others, which exit must know. Ends that when dropped.
struct Waiting<'a> {
    context: &'a Context,
    by_goroutine: bool,
}

impl<'a> Waiting<'a> {
    /// `None` if there is nothing that exit does not know.
    fn new(context: &'a Context, wait: Wait) -> Option<Self> {
        if wait == Wait::ForTheSystem || context.waits_for_others.replace(true) {
            return None;
        }
        // A destructor that exit has called is waited for like any other.
        let by_goroutine = context.polling.get().is_some() && !context.dropping_at_exit.get();
        context.scheduler.threads.begin_wait(by_goroutine);
        Some(Waiting { context, by_goroutine })
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.context.scheduler.threads.end_wait(self.by_goroutine);
        self.context.waits_for_others.set(false);
    }
}
