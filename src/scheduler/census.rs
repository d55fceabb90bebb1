//! What all goroutines and workers do at a moment, for a dump.
//!
//! Nothing is polled, woken or waited for. The registry has every suspended goroutine, and each has a word
//! that says what it does (`wait.rs`). A shard's lock is held for some microseconds at a time. So the
//! census also works while all workers are stuck. It is not a moment of the whole program: goroutines
//! that suspend or end meanwhile may be counted or not.

#![forbid(unsafe_code)]

use std::collections::HashMap;
use std::panic::Location;
use std::time::Duration;

use crate::clock;
use crate::scheduler::goroutine::task::Inspector;
use crate::scheduler::shared::Scheduler;
use crate::scheduler::wait::Activity;
use crate::scheduler::worker::Worker;

pub(crate) struct Census {
    /// `None`: it has ended.
    pub(crate) main: Option<Activity>,
    /// How many do that and were spawned there, of the goroutines that have been suspended before.
    pub(crate) counts: HashMap<(&'static Location<'static>, Activity), usize>,
    /// How many have never been suspended: they are in queues, or in their first poll.
    pub(crate) new: usize,
    pub(crate) workers: Vec<WorkerState>,
}

pub(crate) struct WorkerState {
    pub(crate) index: usize,
    /// `None`: it has nothing to do.
    pub(crate) poll: Option<PollState>,
}

/// What a worker has on its thread.
pub(crate) struct PollState {
    pub(crate) spawned_at: Option<&'static Location<'static>>,
    /// For at least so long, if the monitor has seen it.
    pub(crate) held_for: Option<Duration>,
    pub(crate) is_blocked: bool,
    /// What the innermost `block_on` waits for.
    pub(crate) driving: Option<Activity>,
}

impl Scheduler {
    pub(crate) fn census(&self) -> Census {
        let live = self.live() as usize;
        let inspector = Inspector::new();
        let (mut counts, mut suspended) = (HashMap::new(), 0);
        self.registry.visit(|entry| {
            suspended += 1;
            if let Some(key) = inspector.look(entry) {
                *counts.entry(key).or_insert(0) += 1;
            }
        });
        Census {
            main: (!self.main.is_main_done()).then(|| self.main_activity.get()),
            counts,
            new: live.saturating_sub(suspended),
            workers: self.workers().map(|worker| self.state_of(worker)).collect(),
        }
    }

    fn state_of(&self, worker: &Worker) -> WorkerState {
        let ticks = worker.ticks();
        let poll = || {
            let now = self.milliseconds(clock::now());
            let held_for = worker.seen_since(ticks).map(|since| now.wrapping_sub(since).into());
            let is_blocked = worker.is_blocked();
            PollState {
                spawned_at: worker.spawn_site(ticks),
                held_for: held_for.map(Duration::from_millis),
                is_blocked,
                driving: match worker.driving.get() {
                    waiting @ (Activity::Waiting(..) | Activity::WaitingElsewhere)
                        if is_blocked =>
                    {
                        Some(waiting)
                    }
                    _ => None,
                },
            }
        };
        WorkerState { index: worker.index, poll: (ticks % 2 == 1).then(poll) }
    }
}
