//! A thread that notices a run that makes no step in real time, and ends the process.
//!
//! Such a run waits for something that gorun does not see: mostly a lock of `std` that another goroutine holds
//! across an await. Its thread cannot be interrupted.

#![forbid(unsafe_code)]

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use super::plans;
use crate::primitives::{Mutex, lock};
use crate::scheduler::simulation::choices::Plan;
use crate::scheduler::simulation::state::Simulation;

/// The run of the moment, and how many there were.
#[derive(Default)]
struct Present {
    run: Option<(Arc<Simulation>, Plan)>,
    runs: u64,
}

/// Watches runs until it is dropped.
pub(super) struct Watchdog {
    present: Arc<Mutex<Present>>,
    /// Dropped, to end the thread.
    _end: Option<mpsc::Sender<()>>,
}

impl Watchdog {
    pub(super) fn start(limit: Duration) -> Self {
        let present = Arc::<Mutex<Present>>::default();
        let (end, ended) = mpsc::channel();
        let watched = present.clone();
        let name = thread::current().name().unwrap_or("").to_owned();
        let watch = move || {
            let mut before = None;
            while ended.recv_timeout(limit) == Err(RecvTimeoutError::Timeout) {
                let (run, runs) = {
                    let present = lock(&watched);
                    (present.run.clone(), present.runs)
                };
                let Some((simulation, plan)) = run else { continue };
                let now = (runs, simulation.steps());
                if before.replace(now) == Some(now) {
                    report(&simulation, &plan, limit, &name);
                }
            }
        };
        // Without it a run that hangs goes on to hang.
        let started = thread::Builder::new().name("gorun-watchdog".to_owned()).spawn(watch);
        Watchdog { present, _end: started.is_ok().then_some(end) }
    }

    pub(super) fn begin(&self, simulation: &Arc<Simulation>, plan: &Plan) {
        let mut present = lock(&self.present);
        present.run = Some((simulation.clone(), plan.clone()));
        present.runs += 1;
    }

    pub(super) fn end(&self) {
        lock(&self.present).run = None;
    }
}

fn report(simulation: &Simulation, plan: &Plan, limit: Duration, test: &str) -> ! {
    let mut text = format!(
        "gorun: a simulated run has taken no step for {limit:?} of real time: {} blocks its thread, perhaps in a \
         lock of `std` that another goroutine holds across an await, or it computes. `Sim::watchdog` changes that \
         limit.\nthe steps before:\n",
        simulation.running(),
    );
    let hosts = simulation.notes().hosts;
    simulation.inspect(|_, steps, _| {
        steps.last().for_each(|step| _ = step.print(&mut text, true, &hosts))
    }); // Not by `eprintln`, of which a harness would show nothing.
    let plan = plans::write(plan);
    let text = format!("{text}to replay it: GORUN_REPLAY={plan} cargo test {test}\n");
    _ = io::stderr().write_all(text.as_bytes());
    std::process::abort();
}
