//! Who becomes runnable, and by whom.

#![forbid(unsafe_code)]

use std::thread;

use crate::primitives::{MutexGuard, lock};
use crate::scheduler::queues::run_queue::RawTask;
use crate::scheduler::simulation::state::{Known, Runnable, Simulation, State, Trouble};
use crate::scheduler::simulation::steps::Number;

impl Simulation {
    /// A goroutine was spawned or woken.
    pub(crate) fn push(&self, task: RawTask) {
        let (mut state, woken_by) = self.state_for("wakes a goroutine, or spawns one");
        let fresh = Number(state.next_number);
        let new = Known { number: fresh, least: 0 };
        let number = state.known.entry(task).or_insert(new).number;
        if number == fresh {
            state.next_number += 1;
            state.places.inherit(fresh, woken_by);
        }
        state.push(Runnable::Task(task), number, woken_by);
        drop(state);
        self.tell_if_outside();
    }

    /// A driver's future is woken, for the first time since its poll began.
    pub(crate) fn wake_driver(&self, address: usize) {
        let (mut state, woken_by) = self.state_for("wakes main, or a `block_on`");
        // While it is polled, `driver_waits` finds that it was woken.
        state.push_driver(address, woken_by);
        drop(state);
        self.tell_if_outside();
    }

    /// For who makes somebody runnable; and which goroutine that is.
    pub(super) fn state_for(&self, action: &'static str) -> (MutexGuard<'_, State>, Number) {
        let mut state = lock(&self.state);
        let mut woken_by = state.running;
        if !self.is_here() {
            woken_by = Number::OUTSIDE;
            if !self.settings.allows_threads && state.trouble.is_none() {
                let thread = thread::current();
                let thread = thread.name().map_or("a thread without a name".to_owned(), |name| {
                    format!("the thread `{name}`")
                });
                state.trouble = Some(Trouble::Outside { thread, action });
            }
        }
        (state, woken_by)
    }

    pub(super) fn tell_if_outside(&self) {
        if !self.is_here() {
            lock(&self.state).outside_acts += 1;
            self.outside_acted.notify_all();
        }
    }

    /// Refuses what a thread outside does that nobody would notice otherwise.
    pub(crate) fn check_inside(&self, action: &'static str) {
        if !self.is_here() {
            drop(self.state_for(action));
        }
    }
}
