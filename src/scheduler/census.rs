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
use std::task::Waker;
use std::time::Duration;

use crate::clock;
use crate::scheduler::diagnostics::Waited;
use crate::scheduler::goroutine::entry;
use crate::scheduler::shared::Scheduler;
use crate::scheduler::wait::{Activity, RawActivity};
use crate::scheduler::worker::Worker;

pub(crate) struct Census {
    /// `None`: it has ended.
    pub(crate) main: Option<Activity>,
    /// For how long it has been waiting, if that is known.
    pub(crate) main_waited: Option<Duration>,
    /// The goroutines that do that and were spawned there, of those that have been suspended before.
    pub(crate) tallies: HashMap<(&'static Location<'static>, Activity), Tally>,
    /// How many have never been suspended: they are in queues, or in their first poll. While the runtime
    /// ends, all that are left.
    pub(crate) new: usize,
    pub(crate) is_ending: bool,
    pub(crate) workers: Vec<WorkerState>,
}

/// Goroutines of one kind.
#[derive(Clone, Copy, Default)]
pub(crate) struct Tally {
    pub(crate) count: usize,
    /// For how long the one has been waiting that has waited longest. Only with full diagnostics, as the next.
    pub(crate) longest: Option<Duration>,
    /// How many nobody can wake.
    pub(crate) orphans: usize,
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

impl Tally {
    fn with(self, other: Tally) -> Tally {
        Tally {
            count: self.count + other.count,
            longest: self.longest.max(other.longest),
            orphans: self.orphans + other.orphans,
        }
    }
}

impl Scheduler {
    pub(crate) fn census(&self) -> Census {
        let suspended = self.registry.len();
        let new = self.live_in_a_moment().saturating_sub(suspended.unwrap_or(0));
        // By address: to hash a place is to hash the path of its file.
        let mut raw = HashMap::new();
        let most = self.diagnostics.as_ref().and(suspended).unwrap_or(0);
        let mut waiting = Vec::with_capacity(most);
        self.registry.visit(|entry| {
            let (spawned_at, activity) = entry.inspect();
            let key = (ptr::from_ref(spawned_at).addr(), activity);
            raw.entry(key).or_insert((spawned_at, Tally::default())).1.count += 1;
            if self.diagnostics.is_some() && activity.is_wait() {
                waiting.push((entry.address(), key));
            }
        });
        // One that ends, and one that begins at its address, were both seen.
        waiting.sort_unstable_by_key(|(address, _)| *address);
        waiting.dedup_by_key(|(address, _)| *address);
        // Not with the registry's lock, for which goroutines wait that suspend for the first time.
        for (address, key) in waiting {
            if let (Some(waited), Some((_, tally))) = (self.waited(address, key), raw.get_mut(&key))
            {
                tally.longest = tally.longest.max(Some(waited.waited));
                tally.orphans += usize::from(waited.is_orphaned);
            }
        }
        let mut tallies = HashMap::new();
        for ((_, activity), (spawned_at, some)) in raw {
            let tally: &mut Tally = tallies.entry((spawned_at, activity.unpack())).or_default();
            *tally = tally.with(some);
        }
        let main = (!self.main.is_main_done()).then(|| self.main_activity.get());
        let diagnostics = self.diagnostics.as_ref();
        let main_waits = main.is_some_and(RawActivity::is_wait);
        Census {
            main: main.map(RawActivity::unpack),
            main_waited: diagnostics.filter(|_| main_waits).map(|known| known.main_waited()),
            tallies,
            new,
            is_ending: suspended.is_none(),
            workers: self.workers().map(|worker| self.state_of(worker)).collect(),
        }
    }

    /// What full diagnostics know of the goroutine at this address, if it is still one that was spawned and waits
    /// there.
    fn waited(&self, address: usize, (site, wait): (usize, RawActivity)) -> Option<Waited> {
        let waits = |waker: &Waker| {
            let (spawned_at, activity) = entry::inspect(waker);
            (ptr::from_ref(spawned_at).addr(), activity) == (site, wait)
        };
        self.diagnostics.as_ref()?.look(address, waits)
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
