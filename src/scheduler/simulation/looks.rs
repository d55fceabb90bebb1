//! What a run has done so far, and what it has left.

#![forbid(unsafe_code)]

use crate::primitives::lock;
use crate::scheduler::simulation::choices::Choices;
use crate::scheduler::simulation::notes::Notes;
use crate::scheduler::simulation::state::{Simulation, Trouble};
use crate::scheduler::simulation::steps::{Number, Steps};

impl Simulation {
    /// How many steps there were.
    pub(crate) fn steps(&self) -> u64 {
        lock(&self.state).steps.count()
    }

    /// Main's thread waits while it panics.
    pub(super) fn main_panics(&self) -> bool {
        lock(&self.state).main_panics
    }

    /// The limit of steps was reached after the end of main: says what all do.
    pub(super) fn describe_limit(&self, describe: impl FnOnce() -> String) {
        let is_bare =
            |trouble: &Option<Trouble>| *trouble == Some(Trouble::StepLimit(String::new()));
        if is_bare(&lock(&self.state).trouble) {
            let described = describe();
            lock(&self.state).trouble = Some(Trouble::StepLimit(described));
        }
    }

    /// Who runs.
    pub(crate) fn running(&self) -> Number {
        lock(&self.state).running
    }

    /// A goroutine has begun a nested `block_on`.
    pub(crate) fn has_nested(&self) -> bool {
        lock(&self.state).has_nested
    }

    /// What the network has done.
    pub(crate) fn notes(&self) -> Notes {
        lock(&self.state).notes.clone()
    }

    /// What the run has left: why it ended early, its steps, its decisions.
    pub(crate) fn inspect<R>(
        &self,
        f: impl FnOnce(Option<&Trouble>, &mut Steps, &Choices) -> R,
    ) -> R {
        let state = &mut *lock(&self.state);
        f(state.trouble.as_ref(), &mut state.steps, &state.choices)
    }
}
