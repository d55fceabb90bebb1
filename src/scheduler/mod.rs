//! The scheduler: the state that its threads share, and a goroutine's way through it.
//!
//! ```text
//!         spawn / wake on a worker                 spawn / wake on any other thread
//!                   │                                             │
//!                   ▼                                             ▼
//!    ┌─── worker 0 ─────────┐   steal half   ┌─── worker 1 ───┐   injector
//!    │ next slot            │◄───────────────│ …              │      │
//!    │ ring                 │                └────────────────┘      │
//!    └──────────────────────┘◄───────── batch ───────────────────────┘
//!                   │
//!                   ▼
//!          task::run (one poll) ──► completed │ suspended │ woken while running: back of the ring
//! ```
//!
//! The folders. Files form layers, folders do not: `cargo test --test imports -- --nocapture` shows
//! them.
//!
//! | folder | contents |
//! |---|---|
//! | `queues` | where tasks wait: a worker's run queue, the injector |
//! | `idle` | which workers are awake, asleep, available, spare; which one to wake |
//! | `reactor` | which tasks wait for which sockets; which thread asks the system about them |
//! | `io` | the reactor with the system's events; sockets as their owners hold them |
//! | `timers` | deadlines, and which wakers to call then |
//! | `goroutine` | the user's future in its allocation: spawn, poll, wake, result |
//! | `worker` | the threads that run goroutines: their loop, their start and end |
//! | `monitor` | the thread that notices workers without progress, and starts others |
//! | `main` | driving a future on the calling thread; start and exit of a runtime |
//! | `trace` | what happens on each thread, for who wants to see it |
//! | `diagnostics` | since when each goroutine waits, and whether anybody can wake it |
//! | `simulation` | in place of workers and monitor: one thread, and a seed that decides who runs |
//!
//! `shared.rs` has the state that all of them share, [`Scheduler`](shared::Scheduler), and imports
//! only their leaves. `shared_work.rs` pushes and takes tasks that any worker may run. `context.rs` tells
//! the running code which runtime it is in, and `entered.rs` which one its thread has entered otherwise.
//! `gate.rs` and `budget.rs` decide when a future gives way. `foreign_wakers.rs` says how to call users'
//! wakers. `os_thread.rs` asks the system about a thread. `tokio_bridge.rs` is the way to tokio's crates.

pub(crate) mod at_caller;
mod budget;
pub(crate) mod census;
pub(crate) mod context;
pub(crate) mod deadlock;
pub(crate) mod diagnostics;
pub(crate) mod entered;
pub(crate) mod foreign_wakers;
pub(crate) mod gate;
pub(crate) mod goroutine;
mod idle;
pub(crate) mod io;
pub(crate) mod latency;
pub(crate) mod main;
pub(crate) mod monitor;
pub(crate) mod operation;
mod os_thread;
mod queues;
// Without the feature nobody makes a source.
#[cfg_attr(not(feature = "net"), allow(dead_code))]
pub(crate) mod reactor;
pub(crate) mod shared;
mod shared_work;
pub(crate) mod simulation;
pub(crate) mod timers;
#[cfg_attr(not(feature = "tokio"), path = "no_tokio_bridge.rs")]
pub(crate) mod tokio_bridge;
pub(crate) mod trace;
pub(crate) mod wait;
pub(crate) mod worker;
