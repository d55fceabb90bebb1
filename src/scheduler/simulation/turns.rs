//! Steps: whose turn it is, and how a poll has ended.

#![forbid(unsafe_code)]

use std::sync::Arc;

use crate::primitives::lock;
use crate::scheduler::budget::FULL;
use crate::scheduler::queues::run_queue::RawTask;
use crate::scheduler::simulation::baton::Baton;
use crate::scheduler::simulation::state::{Entry, Runnable, Simulation, Trouble};
use crate::scheduler::simulation::steps::{Number, Polled, Step, Stop};

/// Whose turn it is.
pub(crate) enum Turn {
    Task(Planned),
    /// Of the one that waits there.
    Driver(Arc<Baton>),
}

/// A step to take.
pub(crate) struct Planned {
    pub(crate) task: RawTask,
    pub(super) number: Number,
    pub(super) woken_by: Number,
    pub(super) runnable: u32,
    pub(crate) budget: u32,
    /// Its host has crashed.
    pub(crate) is_dead: bool,
}

impl Simulation {
    /// Whose turn it is. `None`: nobody can run.
    pub(crate) fn next_turn(&self) -> Option<Turn> {
        let state = &mut *lock(&self.state);
        if state.runnable.is_empty() {
            return None;
        }
        if state.turns_left == 0 {
            // Also what follows the end of main must end.
            state.trouble.get_or_insert(Trouble::StepLimit(String::new()));
            return None;
        }
        state.turns_left -= 1;
        let index = if state.is_closing {
            0
        } else {
            state.choices.next(state.runnable.iter().map(|entry| entry.number))
        };
        let runnable = state.runnable.len() as u32;
        let entry = state.runnable.remove(index)?;
        state.running = entry.number;
        match entry.what {
            Runnable::Task(task) => {
                let (number, woken_by) = (entry.number, entry.woken_by);
                let least = state.known.get(&task).map_or(0, |known| known.least);
                let budget = match state.is_closing {
                    true => FULL,
                    false => state.choices.budget(least),
                };
                let is_dead = state.places.is_dead(number);
                Some(Turn::Task(Planned { task, number, woken_by, runnable, budget, is_dead }))
            }
            Runnable::Driver(address) => {
                let drive = state.drive(address).expect("only who waits is runnable");
                (drive.woken_by, drive.runnable) = (entry.woken_by, runnable);
                (drive.is_queued, drive.has_turn) = (false, true);
                Some(Turn::Driver(drive.waits_at.clone().expect("it waits")))
            }
        }
    }

    /// Notes a step. The goroutine may have been pushed meanwhile. Returns whether it waits although its host has crashed.
    pub(crate) fn note_step(&self, planned: &Planned, polled: Polled) -> bool {
        let state = &mut *lock(&self.state);
        let &Planned { task, number, woken_by, runnable, budget, .. } = planned;
        let is_last = |entry: &Entry| entry.number == number;
        let is_queued = polled.is_suspended && state.runnable.iter().rev().take(2).any(is_last);
        let stop = match (polled.is_suspended, polled.gave_way, is_queued) {
            (false, ..) => {
                state.known.remove(&task);
                Stop::Ended
            }
            (_, true, _) => Stop::GaveWay,
            (_, _, true) => Stop::Yielded,
            _ => Stop::Waits(polled.wait),
        };
        if let Some(known) = state.known.get_mut(&task) {
            known.least = stop.least(known.least, polled.wait.is_some());
        }
        let at = state.now - self.settings.start;
        let host = state.places.host_of(number);
        let is_dead = polled.is_suspended && state.places.is_dead(number);
        let step = Step::new(number, woken_by, runnable, at, budget, stop, &polled);
        state.note(Step { host, ..step });
        if !polled.is_suspended {
            state.places.remove(number);
        }
        is_dead
    }

    /// One of so many, by choice.
    pub(crate) fn below(&self, bound: usize) -> usize {
        lock(&self.state).choices.below(bound)
    }

    /// True once in `n`; never if that is zero. Zero, which is what a shortened schedule draws, is the rule.
    #[cfg(feature = "net")]
    pub(super) fn one_in(&self, n: usize) -> bool {
        n > 0 && lock(&self.state).choices.one_in(n)
    }

    /// Whether the run must not go on. `dump` says what all do.
    pub(crate) fn has_trouble(&self, dump: impl FnOnce() -> String) -> bool {
        let mut state = lock(&self.state);
        if state.trouble.is_none() && state.steps.count() >= self.settings.step_limit {
            drop(state);
            let dump = dump();
            state = lock(&self.state);
            state.trouble.get_or_insert(Trouble::StepLimit(dump));
        }
        state.trouble.is_some()
    }

    pub(crate) fn note_trouble(&self, trouble: Trouble) {
        lock(&self.state).trouble.get_or_insert(trouble);
    }
}
