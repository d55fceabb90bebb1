//! Starting a runtime.

#![forbid(unsafe_code)]

use std::io;
use std::sync::Arc;

use crate::scheduler::entered;
use crate::scheduler::main::exit;
use crate::scheduler::monitor;
use crate::scheduler::monitor::stillness::StillnessSettings;
use crate::scheduler::shared::{Config, Scheduler};

impl Scheduler {
    /// Creates a scheduler for a simulation. Goroutines are polled without worker threads; that these count
    /// as blocked makes whatever is woken go where the simulation finds it.
    pub(crate) fn start_simulated(config: Config) -> Arc<Self> {
        Scheduler::new(config)
    }

    /// Creates a scheduler, and starts its workers. The calling thread becomes main's.
    pub(crate) fn start(
        config: Config,
        stillness: Option<StillnessSettings>,
    ) -> io::Result<Arc<Self>> {
        let scheduler = Scheduler::new(config);
        // Before a worker's hook can start a task of tokio's.
        entered::open_bridge(&scheduler);
        let workers = scheduler.config.workers;
        let refused = |what: String, error: io::Error| {
            exit::end_unused(&scheduler);
            let advice = "ask for fewer worker threads, or for smaller stacks";
            io::Error::new(error.kind(), format!("{what}: {error}; {advice}"))
        };
        for number in 1..=workers {
            if let Err(error) = scheduler.start_worker(workers) {
                return Err(refused(format!("worker thread {number} of {workers}"), error));
            }
        }
        if let Err(error) = monitor::start(&scheduler, stillness) {
            return Err(refused("the monitor thread".to_owned(), error));
        }
        Ok(scheduler)
    }
}
