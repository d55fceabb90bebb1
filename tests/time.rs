//! Time: what timers promise, hazard by hazard.

mod common;

#[path = "time/after_func.rs"]
mod after_func;
#[path = "time/channels.rs"]
mod channels;
#[path = "time/go_tests.rs"]
mod go_tests;
#[path = "time/misuse.rs"]
mod misuse;
#[path = "time/sleeping.rs"]
mod sleeping;
#[path = "time/stuck_workers.rs"]
mod stuck_workers;
#[path = "time/ticking.rs"]
mod ticking;

use std::time::Duration;

const WORKERS: [usize; 3] = [1, 2, 16];
const MILLI: Duration = Duration::from_millis(1);
const HOUR: Duration = Duration::from_secs(3600);
