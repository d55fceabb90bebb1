//! `block_on` inside a runtime: a future driven on a thread that has other duties.
//!
//! A worker whose goroutine blocks in `block_on` runs no other goroutines meanwhile, and one of
//! those may be what it waits for, in its own next slot even. So first its queue is emptied into
//! the injector, then another worker is started to cover for it; what is spawned or woken here in
//! the meantime goes to the injector as well.
//!
//! Rejected: running other goroutines in here while waiting (rayon's way). The wait would end only
//! when the innermost of them does, stacks would grow without a bound, and a goroutine that blocks
//! would hold up all the frames below it.

#![forbid(unsafe_code)]

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;

use crate::scheduler::context::{self, Context, Place, Role};
use crate::scheduler::drive::drive;
use crate::scheduler::{Scheduler, main_guard};

/// Drives `future` on the calling thread, inside `scheduler`, to which it may or may not belong
/// already. Cancels nothing.
pub(crate) fn block_on<F: Future>(scheduler: &Arc<Scheduler>, future: F) -> F::Output {
    while_blocked(|| {
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

fn drive_to_end<F: Future>(future: F) -> F::Output {
    // Inside main, a goroutine's unhandled panic is resumed here, since main would not come to an
    // await of its own before this ends.
    drive(pin!(future), main_guard::must_unwind).unwrap_or_else(|| main_guard::unwind())
}

/// Runs `f`, which will block the thread. If that is a worker, another one covers for it.
pub(crate) fn while_blocked<R>(f: impl FnOnce() -> R) -> R {
    context::with(|place| match place {
        Place::Inside(context) if matches!(context.role, Role::Worker(_)) => {
            let _blocked = Blocked::new(context);
            f()
        }
        _ => f(),
    })
}

/// A worker inside `block_on`. Ends that when dropped.
struct Blocked<'a> {
    context: &'a Context,
    is_outermost: bool,
    by_goroutine: bool,
}

impl<'a> Blocked<'a> {
    fn new(context: &'a Context) -> Self {
        let is_outermost = !context.blocked.replace(true);
        // A destructor that exit has called is waited for like any other.
        let by_goroutine = context.polling.get().is_some() && !context.dropping_at_exit.get();
        if is_outermost && let Some(worker) = context.worker() {
            context.scheduler.inject_batch(worker.drain());
            context.scheduler.worker_unavailable();
            context.scheduler.threads.block(&context.scheduler, by_goroutine);
        }
        Blocked { context, is_outermost, by_goroutine }
    }
}

impl Drop for Blocked<'_> {
    fn drop(&mut self) {
        if self.is_outermost {
            self.context.scheduler.threads.unblock(self.by_goroutine);
            self.context.scheduler.idle.worker_available();
            self.context.blocked.set(false);
        }
    }
}
