//! What `docs/semantics.md` promises to programs that ring, retry, wait outside, compute for long, or are
//! never at a loss for something to do: hazard by hazard.
//!
//! Where it can be done these tests count rounds and polls, which a busy machine does not change. What may
//! hang, or looks at a whole process, runs in a process of its own.

mod common;

#[path = "promises/always_ready.rs"]
mod always_ready;
#[path = "promises/choices.rs"]
mod choices;
#[path = "promises/endless.rs"]
mod endless;
#[path = "promises/exact_timeouts.rs"]
mod exact_timeouts;
#[path = "promises/exit.rs"]
mod exit;
#[path = "promises/fair_turns.rs"]
mod fair_turns;
#[path = "promises/first_looks.rs"]
mod first_looks;
#[path = "promises/foreign_wakers.rs"]
mod foreign_wakers;
#[path = "promises/gate.rs"]
mod gate;
#[path = "promises/hogs.rs"]
mod hogs;
#[path = "promises/main_timers.rs"]
mod main_timers;
#[path = "promises/programs.rs"]
mod programs;
#[path = "promises/shared_turns.rs"]
mod shared_turns;
#[path = "promises/stale_selects.rs"]
mod stale_selects;
#[path = "promises/tickers.rs"]
mod tickers;
#[path = "promises/timeouts.rs"]
mod timeouts;

use std::time::Duration;

use common::scaled;

const WORKERS: [usize; 4] = [1, 2, 8, 16];
const MILLI: Duration = Duration::from_millis(1);
