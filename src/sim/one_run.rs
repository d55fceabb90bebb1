//! One simulated run of a program.

#![forbid(unsafe_code)]

use std::any::Any;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::failure::Cause;
use crate::clock;
use crate::dump::Dump;
use crate::panics;
use crate::scheduler::main::exit;
use crate::scheduler::main::main_end::MainEnd;
use crate::scheduler::main::main_guard::{GivenUp, UnhandledPanic};
use crate::scheduler::shared::{Config, Scheduler, Simulated};
use crate::scheduler::simulation::choices::{Branch, Choices, Plan};
use crate::scheduler::simulation::panic_hook::{self, Panics};
use crate::scheduler::simulation::steps::{Step, Steps};
use crate::scheduler::simulation::{Settings, Simulation, Trouble};

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
    pub(super) steps: u64,
    pub(super) hash: u64,
    pub(super) elapsed: Duration,
    pub(super) last: Vec<Step>,
    pub(super) hashes: Option<Arc<[u64]>>,
    pub(super) taken: Vec<u32>,
    pub(super) operations: u64,
    pub(super) path: Option<Vec<Branch>>,
}

/// Runs the program whose main `main` makes.
pub(super) fn run<M: Future>(
    settings: &Settings,
    plan: Plan,
    compared: Compared,
    allows_leaks: bool,
    main: impl FnOnce() -> M,
) -> Ran {
    let (keeps, expected) = match compared {
        Compared::No => (false, None),
        Compared::Kept => (true, None),
        Compared::With(hashes) => (false, Some(hashes)),
    };
    let simulation =
        Simulation::new(settings.clone(), Choices::new(plan), Steps::new(keeps, expected));
    let _clock = OwnClock(clock::simulate(Some(settings.start)));
    let _watched = panic_hook::watch(simulation.panics.clone());
    let ended = catch_unwind(AssertUnwindSafe(|| {
        let scheduler = Scheduler::start_simulated(config(simulation.clone()));
        let main_end = main_end(allows_leaks);
        exit::run_main(&scheduler, Some(&main_end), async { drop(main().await) })
    }));
    let ended = ended.unwrap_or_else(Err);
    let elapsed = simulation.now() - settings.start;
    simulation.inspect(|trouble, steps, choices| Ran {
        cause: cause(trouble, ended.err(), &simulation.panics),
        needs_threads: trouble == Some(&Trouble::NeedsThreads),
        differs: steps.differs_at().is_some(),
        steps: steps.count(),
        hash: steps.hash(),
        elapsed,
        last: steps.last().copied().collect(),
        hashes: steps.hashes(),
        taken: choices.taken().to_vec(),
        operations: choices.operations(),
        path: choices.path().map(<[_]>::to_vec),
    })
}

/// Puts the clock of the calling thread back.
struct OwnClock(Option<Instant>);

impl Drop for OwnClock {
    fn drop(&mut self) {
        clock::simulate(self.0);
    }
}

fn config(simulation: Arc<Simulation>) -> Config {
    Config {
        workers: 1,
        follows_cpu_limits: false,
        thread_name: "gorun".to_owned(),
        stack_size: None,
        exit_grace: Duration::ZERO,
        unhandled_panic: UnhandledPanic::Crash,
        reports_left_behind: false,
        max_threads: 256,
        on_blocked: Vec::new(),
        thread_hooks: Box::default(),
        tokio: None,
        traced_events: None,
        simulated: Some(Simulated {
            simulation,
            describe: |scheduler| Dump::of(scheduler).to_string(),
        }),
    }
}

/// The panic of goroutines that are left.
struct Leak(String);

fn main_end(allows_leaks: bool) -> MainEnd {
    let call = move |scheduler: &Arc<Scheduler>, has_panicked: bool| {
        if allows_leaks || has_panicked {
            return has_panicked;
        }
        scheduler.settle();
        let left = Dump::of(scheduler);
        if left.num_goroutines() > 0 {
            std::panic::resume_unwind(Box::new(Leak(left.to_string())));
        }
        false
    };
    MainEnd { call: Arc::new(call), settles: !allows_leaks }
}

fn cause(
    trouble: Option<&Trouble>,
    payload: Option<Box<dyn Any + Send>>,
    noted: &Panics,
) -> Option<Cause> {
    match trouble {
        Some(Trouble::Deadlock(dump)) => return Some(Cause::Deadlock { dump: dump.clone() }),
        Some(Trouble::StepLimit(dump)) => return Some(Cause::StepLimit { dump: dump.clone() }),
        Some(Trouble::Outside { thread, action }) => {
            return Some(Cause::Outside { thread: thread.clone(), action });
        }
        Some(Trouble::NeedsThreads | Trouble::Differs) | None => {}
    }
    let payload = payload?;
    if payload.is::<GivenUp>() {
        return None;
    }
    if let Some(Leak(dump)) = payload.downcast_ref() {
        return Some(Cause::Leak { dump: dump.clone() });
    }
    let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let message = text.or_else(|| payload.downcast_ref::<String>().cloned());
    panics::discard(payload);
    let message = message.unwrap_or_else(|| "a payload that is no text".to_owned());
    let place = noted.place_of(&message);
    Some(Cause::Panic { message, place })
}
