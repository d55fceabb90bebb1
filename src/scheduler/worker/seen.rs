//! A poll of which a trace tells, or full diagnostics.

#![forbid(unsafe_code)]

use crate::scheduler::context::Context;
use crate::scheduler::goroutine::spawn_site::SpawnSite;
use crate::scheduler::goroutine::task;
use crate::scheduler::queues::run_queue::RawTask;
use crate::scheduler::trace::event::EventKind;
use crate::scheduler::wait::RawActivity;
use crate::scheduler::worker::Worker;

/// As `task::run`.
#[cold]
#[inline(never)]
pub(super) fn run_seen(task: RawTask, context: &Context, worker: &Worker) {
    let recorder = context.recorder.as_ref();
    let polled = task::run(task, context, worker, |meta| match recorder {
        Some(recorder) => recorder.poll_begins(task, meta.site()),
        None => context.record(EventKind::PollBegins, task, meta.site().address()),
    });
    // Not before: only now is it known whether somebody has woken it meanwhile.
    context.end_pending(polled.is_queued);
    let Some(trace) = &context.scheduler.trace else { return };
    let (kind, activity) = match polled.is_suspended {
        true => (EventKind::PollEnds, RawActivity::waiting(context.wait.get())),
        false => (EventKind::PollCompletes, RawActivity::RUNNING),
    };
    let site = context.site.get().map_or(0, SpawnSite::address);
    match recorder {
        Some(recorder) => recorder.poll_ends(kind, task, site, activity),
        None => trace.record_outside(kind, task, site, activity),
    }
}
