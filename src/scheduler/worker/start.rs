//! A worker's thread: its start, and what it does around its loop.

#![forbid(unsafe_code)]

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;

use crate::scheduler::context::{self, Context, Role};
use crate::scheduler::shared::Scheduler;
use crate::scheduler::trace::event::EventKind;
use crate::scheduler::worker::Worker;
use crate::scheduler::worker::run_loop::RunLoop;
use crate::scheduler::worker::thread_hooks::ThreadHook;

impl Scheduler {
    /// Starts one more worker, if there are fewer than `limit`, spares included.
    pub(crate) fn start_worker(self: &Arc<Self>, limit: usize) -> io::Result<()> {
        let worker = self.threads.reserve(limit, |index| self.make_worker(index))?;
        self.idle.worker_added();
        let index = worker.index;
        let name = [&self.config.thread_name, "-", &index.to_string()].concat();
        let mut builder = thread::Builder::new().name(name);
        if let Some(bytes) = self.config.stack_size {
            builder = builder.stack_size(bytes);
        }
        let started = self.threads.spawn(builder, Some(index), {
            let (scheduler, worker) = (self.clone(), worker.clone());
            move || thread_main(scheduler, worker)
        });
        let handle = started.inspect_err(|_| {
            self.idle.worker_removed(&worker.parker);
            self.threads.release(Some(index));
        })?;
        self.threads.note(index, handle);
        Ok(())
    }
}

/// Runs a worker until the runtime ends, or until it retires as a spare that is not needed.
fn thread_main(scheduler: Arc<Scheduler>, worker: Arc<Worker>) {
    worker.set_thread();
    worker.busy.begin();
    let context = Context::new(scheduler, Role::Worker(worker.clone()));
    context.record(EventKind::ThreadBegins, 0, 0);
    let hooks = &context.scheduler.config.thread_hooks;
    let call = |hook: &Option<ThreadHook>| {
        hook.iter().for_each(|hook| hook.call(&context.scheduler.main));
    };
    context.enter(|| call(&hooks.start));
    let ran = catch_unwind(AssertUnwindSafe(|| context.enter(|| RunLoop::new(&context).run())));
    if ran.is_err() {
        // All user code runs under a `catch_unwind` inside. So this is a defect of gorun, and the
        // state it left is unknown.
        eprintln!("gorun: a worker failed; this is a defect of gorun, please report it");
        std::process::abort();
    }
    context::end_thread();
    call(&hooks.stop);
    context.record(EventKind::ThreadEnds, 0, 0);
    worker.busy.end();
}
