//! A run in which one thread at a time executes, and in which a seed decides who goes next.
//!
//! # Protocol
//!
//! A simulated runtime has the goroutines, channels, timers and locks of an ordinary one, and the same main.
//! It has no workers, no idle protocol and no monitor. In their place is a list of those that can run:
//! goroutines, and futures that a thread drives, main's first of all. A *step* takes one of them out and
//! polls it. `Choices` decides which, how many operations that poll may begin (`gate.rs` makes it give way
//! after that), and all that an ordinary run draws by chance.
//!
//! There are four seams, and an ordinary run pays at most a comparison for each:
//!
//! | | |
//! |---|---|
//! | push | `Scheduler::inject`: a worker here always counts as blocked, so that nothing else is pushed to |
//! | drive | `drive.rs`: instead of sleeping, a driver lets others have their turns (`run.rs`) |
//! | clock | `clock.rs`: one that moves when nothing can run, to the next deadline |
//! | chance | `context::below_in_simulation` |
//!
//! A goroutine can be interrupted where an ordinary run may interrupt it, at the gate, and nowhere else.
//!
//! # Time
//!
//! When nobody can run, the clock moves to the next deadline, and what is due is woken in an order that is
//! chosen. With jitter it moves further, and more may be due. If there is no deadline either, the run is
//! deadlocked: nobody else acts.
//!
//! # Threads
//!
//! Main must stay on its own thread, and a goroutine in a nested `block_on` occupies the thread that polls it. So
//! goroutines may have threads of their own: one that runs them, and one more for each that is in a nested
//! `block_on`. A *baton* says whose turn it is, and everyone else sleeps (`baton.rs`).
//!
//! Few programs need that, and to pass the turn to another thread costs more than ten polls. So the first schedule
//! has such threads, and each replay; if no goroutine has begun a nested `block_on` in it, main's thread runs the
//! goroutines of all others, while main waits. The steps are the same. If a goroutine begins one there
//! after all, it is unwound, and the run begins again with threads.
//!
//! When main ends, goroutines that wait in a nested `block_on` are unwound, too, and count as cancelled. A thread that
//! panics already cannot be unwound: it is left behind.
//!
//! # A closed world
//!
//! The run can be repeated because nothing acts from outside. A thread outside that wakes a goroutine or
//! spawns one ends the run with an error that says so, unless threads are allowed. What gorun cannot see,
//! such as the order of a `HashMap`, shows when a run is repeated and takes another step (`steps.rs`).
//!
//! # Rejected
//!
//! - A mode of the workers' loop: it would be in the way of who reads that loop, and it would still search,
//!   steal and sleep.
//! - Threads for goroutines in all runs: ten times as long, for programs in which main does much.
//! - Threads with coroutines instead of futures, as `shuttle` has them: each dependency must be replaced.
//! - Each operation as a step of its own, whether or not it gives way: a budget by chance reaches the same
//!   orders, with fewer polls.

#![forbid(unsafe_code)]

pub(crate) mod baton;
pub(crate) mod choices;
mod drivers;
pub(crate) mod host_id;
#[cfg(feature = "net")]
mod hosts;
mod looks;
#[cfg(feature = "net")]
pub(crate) mod network;
pub(crate) mod notes;
pub(crate) mod panic_hook;
mod places;
mod pushes;
pub(crate) mod run;
pub(crate) mod state;
pub(crate) mod steps;
mod threads;
pub(crate) mod time;
pub(crate) mod turns;
