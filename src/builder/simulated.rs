//! A runtime in a simulation.

#![forbid(unsafe_code)]

use std::future::Future;
use std::io;
use std::mem;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::time::Duration;

use super::Builder;
use super::variables::diagnostics_are_full;
use crate::clock;
use crate::dump::Dump;
use crate::scheduler::main::exit;
use crate::scheduler::main::main_end::MainEnd;
use crate::scheduler::shared::{Config, Scheduler, Simulated};
use crate::scheduler::simulation::state::{self, Simulation, Trouble};

/// How many goroutines may be in a nested `block_on`.
const MOST_THREADS: usize = 512;

impl Builder {
    /// The simulation that a runtime belongs to which the calling thread starts, if there is one.
    pub(super) fn surrounding_simulation() -> io::Result<Option<Arc<Simulation>>> {
        if !clock::is_simulated() {
            return Ok(None);
        }
        match state::current().filter(|simulation| simulation.begin_runtime()) {
            Some(simulation) => Ok(Some(simulation)),
            None => Err(io::Error::other(
                "a simulation has one runtime at a time, and this would be another one, inside a goroutine or \
                 inside main: use `spawn`, or `gorun::block_on` to wait here",
            )),
        }
    }

    /// Runs main in a runtime of `simulation`.
    pub(super) fn run_simulated<F: Future>(
        mut self,
        simulation: Arc<Simulation>,
        main: F,
    ) -> io::Result<F::Output> {
        let end = End(simulation);
        let allows_leaks = end.0.settings.allows_leaks || self.leaks.fails == Some(false);
        let of_program = mem::take(&mut self.leaks).into_main_end(None)?;
        let main_end = main_end(end.0.clone(), of_program, allows_leaks);
        let has_full_diagnostics = diagnostics_are_full(self.full_diagnostics)?;
        let config = config(self, end.0.clone(), has_full_diagnostics);
        let scheduler = Scheduler::start_simulated(config);
        let ended = exit::run_main(&scheduler, Some(&main_end), main);
        ended.or_else(|payload| resume_unwind(payload))
    }
}

/// Ends the runtime of a simulation.
struct End(Arc<Simulation>);

impl Drop for End {
    fn drop(&mut self) {
        self.0.end_runtime();
    }
}

fn config(builder: Builder, simulation: Arc<Simulation>, has_full_diagnostics: bool) -> Config {
    Config {
        workers: 1,
        follows_cpu_limits: false,
        thread_name: builder.thread_name,
        stack_size: builder.stack_size,
        exit_grace: Duration::ZERO,
        unhandled_panic: builder.unhandled_panic,
        reports_left_behind: false,
        max_threads: MOST_THREADS,
        on_blocked: Vec::new(),
        thread_hooks: Box::default(),
        tokio: None,
        trace: None,
        has_full_diagnostics,
        simulated: Some(Simulated {
            simulation,
            describe: |scheduler| Dump::of(scheduler).to_string(),
        }),
    }
}

/// What the program wants when main ends, and a look who is left.
fn main_end(
    simulation: Arc<Simulation>,
    of_program: Option<MainEnd>,
    allows_leaks: bool,
) -> MainEnd {
    let settles = !allows_leaks || of_program.as_ref().is_some_and(|end| end.settles);
    let call = move |scheduler: &Arc<Scheduler>, has_panicked: bool| {
        let of_program = of_program.as_ref().map(|end| (end.call)(scheduler, has_panicked));
        let has_failed = of_program.unwrap_or(has_panicked);
        if !allows_leaks && !has_failed {
            scheduler.settle();
            let left = Dump::of(scheduler);
            if left.num_goroutines() > 0 {
                simulation.note_trouble(Trouble::Leak(left.to_string()));
            }
        }
        has_failed
    };
    MainEnd { call: Arc::new(call), settles }
}
