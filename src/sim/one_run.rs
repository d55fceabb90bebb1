//! One simulated run of a program.

#![forbid(unsafe_code)]

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use super::failure::Cause;
use super::watchdog::Watchdog;
use crate::panics;
use crate::scheduler::main::main_guard::GivenUp;
use crate::scheduler::simulation::choices::{Branch, Choices, Plan};
use crate::scheduler::simulation::notes::Notes;
use crate::scheduler::simulation::panic_hook::Panics;
use crate::scheduler::simulation::state::{Settings, Simulation, Trouble};
use crate::scheduler::simulation::steps::{Step, Steps};

/// What a run is compared with.
pub(super) enum Compared {
    No,
    /// Another one will be compared with it.
    Kept,
    /// With these steps.
    With(Arc<[u64]>),
}

/// What a run has left.
pub(super) struct Ran {
    pub(super) cause: Option<Cause>,
    /// It has to begin again, with threads for goroutines.
    pub(super) needs_threads: bool,
    /// It took another step than the run that it repeats.
    pub(super) differs: bool,
    /// A goroutine has waited in a nested `block_on`.
    pub(super) has_nested: bool,
    pub(super) steps: u64,
    pub(super) hash: u64,
    pub(super) elapsed: Duration,
    pub(super) last: Vec<Step>,
    pub(super) notes: Notes,
    pub(super) hashes: Option<Arc<[u64]>>,
    pub(super) taken: Vec<u32>,
    pub(super) operations: u64,
    pub(super) path: Option<Vec<Branch>>,
}

impl Ran {
    /// Whether it is the same run again. The text of a failure may differ, where it has an address for one.
    pub(super) fn is_like(&self, other: &Ran) -> bool {
        let is_same_cause = match (&self.cause, &other.cause) {
            (Some(own), Some(other)) => own.is_like(other),
            (own, other) => own.is_none() && other.is_none(),
        };
        !self.differs && self.hash == other.hash && is_same_cause
    }
}

/// Runs the program once.
pub(super) fn run<T>(
    settings: &Settings,
    plan: &Plan,
    compared: &Compared,
    watchdog: &Watchdog,
    program: impl FnOnce() -> T,
) -> Ran {
    let (keeps, expected) = match compared {
        Compared::No => (false, None),
        Compared::Kept => (true, None),
        Compared::With(hashes) => (false, Some(hashes.clone())),
    };
    let simulation =
        Simulation::new(settings.clone(), Choices::new(plan.clone()), Steps::new(keeps, expected));
    watchdog.begin(&simulation, plan);
    let ended = simulation.enter(|| catch_unwind(AssertUnwindSafe(|| drop(program()))));
    watchdog.end();
    let elapsed = simulation.now() - settings.start;
    let (has_nested, notes) = (simulation.has_nested(), simulation.notes());
    simulation.inspect(|trouble, steps, choices| Ran {
        cause: cause(trouble, ended.err(), &simulation.panics),
        needs_threads: trouble == Some(&Trouble::NeedsThreads),
        differs: steps.differs_at().is_some(),
        has_nested,
        steps: steps.count(),
        hash: steps.hash(),
        elapsed,
        last: steps.last().copied().collect(),
        notes,
        hashes: steps.hashes(),
        taken: choices.taken().to_vec(),
        operations: choices.operations(),
        path: choices.path().map(<[_]>::to_vec),
    })
}

fn cause(
    trouble: Option<&Trouble>,
    payload: Option<Box<dyn Any + Send>>,
    noted: &Panics,
) -> Option<Cause> {
    match trouble {
        Some(Trouble::Deadlock(dump)) => return Some(Cause::Deadlock { dump: dump.clone() }),
        Some(Trouble::StepLimit(dump)) => return Some(Cause::StepLimit { dump: dump.clone() }),
        Some(Trouble::Leak(dump)) => return Some(Cause::Leak { dump: dump.clone() }),
        Some(Trouble::Outside { thread, action }) => {
            return Some(Cause::Outside { thread: thread.clone(), action });
        }
        Some(Trouble::Threads(error)) => return Some(Cause::Threads { error: error.clone() }),
        Some(Trouble::NeedsThreads | Trouble::Differs) | None => {}
    }
    let payload = payload?;
    if payload.is::<GivenUp>() {
        return None;
    }
    let message = panics::text(&*payload);
    panics::discard(payload);
    let message = message.unwrap_or_else(|| "a payload that is no text".to_owned());
    let place = noted.place_of(&message);
    Some(Cause::Panic { message, place })
}
