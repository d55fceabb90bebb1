//! Which queue a goroutine goes to when it is spawned or woken: the calling worker's own, or the
//! injector. A wake on a thread of no runtime, or of another one, does not come here:
//! `task::schedule` injects it.

#![forbid(unsafe_code)]

use crate::scheduler::context::{Context, Role};
use crate::scheduler::queues::run_queue::RawTask;
use crate::scheduler::shared::Scheduler;
use crate::scheduler::worker::Worker;

impl Scheduler {
    #[inline]
    pub(super) fn push_spawned(&self, context: Option<&Context>, task: RawTask) {
        match context.and_then(own_queue) {
            Some(worker) => self.push_back(worker, task),
            None => self.inject(task),
        }
    }

    /// Queues a woken goroutine of this scheduler. The calling thread works for it.
    #[inline]
    pub(super) fn push_woken(&self, context: &Context, task: RawTask, while_running: bool) {
        let Some(worker) = own_queue(context) else { return self.inject(task) };
        if while_running {
            return self.push_yielded(context, worker, task);
        }
        let is_between_polls = context.polling.get().is_none();
        if is_between_polls {
            // A completed goroutine, or a timer, wakes it. It goes to the back, because in the next
            // slot a task that awaits many goroutines would run once for each.
            return match context.injects_woken.get() {
                false => self.push_behind(worker, task),
                true => self.inject(task),
            };
        }
        match worker.next.replace(task) {
            Some(displaced) => self.push_behind(worker, displaced),
            // This worker runs it next. If its present poll lasts, the monitor gives it to another
            // worker (`share_neglected`).
            None => self.idle.ensure_monitor_awake(),
        }
    }

    /// As `push_back`. Never inline: it is the last call of each caller, so that these save no registers.
    #[inline(never)]
    fn push_behind(&self, worker: &Worker, task: RawTask) {
        self.push_back(worker, task);
    }

    /// Queues `task` behind this worker's queue; and if that is empty, behind a batch from the
    /// injector. A worker that must check in takes no batch, because its polls may be long. It runs
    /// an injected task before this one.
    #[inline(never)]
    fn push_yielded(&self, context: &Context, worker: &Worker, task: RawTask) {
        if worker.ring.len() == 0 {
            self.refill_before(context, worker);
        }
        if let Some(earlier) = worker.next.take() {
            self.push_back(worker, earlier);
        }
        self.push_back(worker, task);
    }

    /// Fills the empty ring of a worker whose goroutine yields.
    fn refill_before(&self, context: &Context, worker: &Worker) {
        if worker.parker.must_check_in() {
            return context.yielded_to_none.set(true);
        }
        self.refill(worker);
    }
}

/// The run queue of the calling worker, unless it blocks and has given its queue away.
#[inline]
fn own_queue(context: &Context) -> Option<&Worker> {
    match &context.role {
        Role::Worker(worker) if !worker.is_blocked() => Some(worker),
        _ => None,
    }
}
