//! A poll of which a trace tells, or full diagnostics.

#![forbid(unsafe_code)]

use crate::scheduler::context::Context;
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
    let polled = task::run(task, context, worker, |site| {
        recorder.into_iter().for_each(|recorder| recorder.poll_begins(task, site));
    });
    // Not before: only now is it known whether somebody has woken it meanwhile.
    context.end_pending(polled.is_queued);
    let Some(recorder) = recorder else { return };
    let (kind, activity) = match polled.is_suspended {
        true => (EventKind::PollEnds, RawActivity::waiting(context.wait.get())),
        false => (EventKind::PollCompletes, RawActivity::RUNNING),
    };
    recorder.poll_ends(kind, task, context.site.get(), activity);
}
