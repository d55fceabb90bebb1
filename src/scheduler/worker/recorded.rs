//! A poll of which a trace tells.

#![forbid(unsafe_code)]

use crate::scheduler::context::Context;
use crate::scheduler::goroutine::task;
use crate::scheduler::queues::run_queue::RawTask;
use crate::scheduler::trace::event::EventKind;
use crate::scheduler::trace::recorder::Recorder;
use crate::scheduler::wait::RawActivity;
use crate::scheduler::worker::Worker;

/// As `task::run`.
#[cold]
#[inline(never)]
pub(super) fn run_recorded(task: RawTask, context: &Context, worker: &Worker, recorder: &Recorder) {
    let is_suspended = task::run(task, context, worker, |site| recorder.poll_begins(task, site));
    let (kind, activity) = match is_suspended {
        true => (EventKind::PollEnds, RawActivity::waiting(context.wait.get())),
        false => (EventKind::PollCompletes, RawActivity::RUNNING),
    };
    recorder.poll_ends(kind, task, context.site.get(), activity);
}
