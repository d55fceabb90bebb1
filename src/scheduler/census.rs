//! What all goroutines and workers do at a moment, for a dump.
//!
//! Nothing is polled, woken or waited for. The registry has every suspended goroutine, and each has a word
//! that says what it does (`wait.rs`). A shard's lock is held for some microseconds at a time. So the
//! census also works while all workers are stuck. It is not a moment of the whole program: goroutines
//! that suspend or end meanwhile may be counted or not.

#![forbid(unsafe_code)]

use std::collections::HashMap;
use std::panic::Location;
use std::ptr;
use std::time::Duration;

use crate::clock;
use crate::scheduler::goroutine::task;
use crate::scheduler::shared::Scheduler;
use crate::scheduler::wait::Activity;
use crate::scheduler::worker::Worker;

pub(crate) struct Census {
    /// `None`: it has ended.
    pub(crate) main: Option<Activity>,
    /// How many do that and were spawned there, of the goroutines that have been suspended before.
    pub(crate) counts: HashMap<(&'static Location<'static>, Activity), usize>,
    /// How many have never been suspended: they are in queues, or in their first poll. While the runtime
    /// ends, all that are left.
    pub(crate) new: usize,
    pub(crate) is_ending: bool,
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

/// So often a count that others change is taken anew, and so often what a worker does.
const TRIES: usize = 16;

impl Scheduler {
    pub(crate) fn census(&self) -> Census {
        let suspended = self.registry.len();
        let new = self.live_in_a_moment().saturating_sub(suspended.unwrap_or(0));
        // By address: to hash a place is to hash the path of its file.
        let mut raw = HashMap::new();
        self.registry.visit(|entry| {
            let (spawned_at, activity) = task::inspect(entry);
            let key = (ptr::from_ref(spawned_at).addr(), activity);
            raw.entry(key).or_insert((spawned_at, 0)).1 += 1;
        });
        let mut counts = HashMap::new();
        for ((_, activity), (spawned_at, count)) in raw {
            *counts.entry((spawned_at, activity.unpack())).or_insert(0) += count;
        }
        Census {
            main: (!self.main.is_main_done()).then(|| self.main_activity.get().unpack()),
            counts,
            new,
            is_ending: suspended.is_none(),
            workers: self.workers().map(|worker| self.state_of(worker)).collect(),
        }
    }

    /// How many goroutines are alive, if some moment comes in which none ends; otherwise roughly.
    fn live_in_a_moment(&self) -> usize {
        for _ in 1..TRIES {
            let finished = self.finished();
            let live = self.live();
            if self.finished() == finished {
                return live as usize;
            }
        }
        self.live() as usize
    }

    fn state_of(&self, worker: &Worker) -> WorkerState {
        for _ in 1..TRIES {
            let ticks = worker.ticks();
            let state = self.state_at(worker, ticks);
            if worker.ticks() == ticks {
                return state;
            }
        }
        self.state_at(worker, worker.ticks())
    }

    fn state_at(&self, worker: &Worker, ticks: u64) -> WorkerState {
        let poll = || {
            let (since, now) = (worker.seen_since(ticks), self.milliseconds(clock::now()));
            // For the next census, if the monitor sleeps.
            worker.note_seen(ticks, now);
            // The monitor may have seen them in this very moment.
            let passed = |since| now.wrapping_sub(since) as i32;
            let held_for = since.map(|since| passed(since).max(0) as u64);
            let is_blocked = worker.is_blocked();
            let driving = worker.driving.get().unpack();
            let waits = matches!(driving, Activity::Waiting(..) | Activity::WaitingElsewhere);
            PollState {
                spawned_at: worker.spawn_site(ticks),
                held_for: held_for.map(Duration::from_millis),
                is_blocked,
                driving: (is_blocked && waits).then_some(driving),
            }
        };
        WorkerState { index: worker.index, poll: (ticks % 2 == 1).then(poll) }
    }
}
