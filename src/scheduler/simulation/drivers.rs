//! Futures that threads drive: main, and each in a nested `block_on`.

#![forbid(unsafe_code)]

use std::sync::Arc;
use std::thread;

use crate::primitives::lock;
use crate::scheduler::simulation::baton::Baton;
use crate::scheduler::simulation::state::{Drive, Entry, Runnable, Simulation, State};
use crate::scheduler::simulation::steps::{Number, Polled, Step, Stop};

impl Simulation {
    /// The calling thread begins to drive a future. Returns who ran before.
    pub(crate) fn begin_drive(&self, address: usize, is_mains: bool) -> Number {
        let mut state = lock(&self.state);
        let number = state.running;
        state.has_nested |= !is_mains;
        state.drivers.push(Drive {
            address,
            number,
            is_mains,
            waits_at: None,
            is_queued: false,
            has_turn: false,
            least: 0,
            is_given_up: false,
            woken_by: number,
            runnable: 1,
            budget: 0,
        });
        number
    }

    /// How many operations its next poll may begin.
    pub(crate) fn driver_budget(&self, address: usize) -> u32 {
        let mut state = lock(&self.state);
        let least = state.drive(address).map_or(0, |drive| drive.least);
        let budget = state.choices.budget(least);
        state.drive(address).into_iter().for_each(|drive| drive.budget = budget);
        budget
    }

    pub(crate) fn end_drive(&self, address: usize, before: Number, polled: Option<&Polled>) {
        let mut state = lock(&self.state);
        if let Some(polled) = polled {
            self.note_drive(&mut state, address, Stop::Ended, polled);
        }
        state.drivers.retain(|drive| drive.address != address);
        let is_other =
            |entry: &Entry| !matches!(entry.what, Runnable::Driver(other) if other == address);
        state.runnable.retain(is_other);
        state.running = before;
    }

    /// A driver waits at `baton` for its turn. `is_woken`: it wants one at once.
    pub(super) fn driver_waits(
        &self,
        address: usize,
        baton: &Arc<Baton>,
        is_woken: impl Fn() -> bool,
        polled: &Polled,
    ) {
        let mut state = lock(&self.state);
        // From now on whoever wakes it makes it runnable. Who has woken it before does not.
        if let Some(drive) = state.drive(address) {
            (drive.waits_at, drive.has_turn) = (Some(baton.clone()), false);
            if drive.is_mains {
                state.main_panics = thread::panicking();
            }
        }
        let is_woken = is_woken();
        let stop = match (polled.gave_way, is_woken) {
            (true, _) => Stop::GaveWay,
            (false, true) => Stop::Yielded,
            (false, false) => Stop::Waits(polled.wait),
        };
        self.note_drive(&mut state, address, stop, polled);
        if is_woken {
            let itself = state.running;
            state.push_driver(address, itself);
        }
    }

    pub(super) fn note_drive(
        &self,
        state: &mut State,
        address: usize,
        stop: Stop,
        polled: &Polled,
    ) {
        let at = state.now - self.settings.start;
        if let Some(drive) = state.drive(address) {
            drive.least = stop.least(drive.least, polled.wait.is_some());
            let &mut Drive { number, woken_by, runnable, budget, .. } = drive;
            let host = state.places.host_of(number);
            let step = Step::new(number, woken_by, runnable, at, budget, stop, polled);
            state.note(Step { host, ..step });
        }
    }

    /// Its thread runs again. Returns whether that is because it has its turn.
    pub(super) fn driver_runs(&self, address: usize) -> bool {
        let mut state = lock(&self.state);
        let Some(drive) = state.drive(address) else { return false };
        drive.waits_at = None;
        let (number, has_turn, is_mains) = (drive.number, drive.has_turn, drive.is_mains);
        if is_mains {
            state.main_panics = false;
        }
        state.running = number;
        has_turn
    }
}
