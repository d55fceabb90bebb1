// The first definition of a link counts: in rustdoc, the README's links lead to the pages here.
//! [from Go]: _docs::from_go
//! [from tokio]: _docs::from_tokio
//! [programs]: _docs::programs
//! [Debugging]: _docs::debugging
//! [Semantics]: _docs::semantics
//! [Reliability]: _docs::reliability
//! [Design]: _docs::design
//! [Contributing]: _docs::contributing
//! [benchmarks]: _docs::benchmarks
//! [chart]: _docs::benchmarks
//!
#![doc = include_str!("../README.md")]
//!
//! # Map
//!
//! | to | use |
//! |---|---|
//! | run a program | [`block_on`], or [`Builder`] for settings; [`#[gorun::main]`](macro@main), [`#[gorun::test]`](macro@test) |
//! | start a goroutine | [`go!`], [`spawn`] |
//! | run a future that is not `Send` | [`spawn_local`], on main's thread; [`LocalJoinHandle`] |
//! | wait for one, or cancel it | [`JoinHandle`], [`AbortHandle`], [`AbortOnDrop`], [`JoinError`] |
//! | wait for many | [`JoinSet`] for their results, [`WaitGroup`] for their end |
//! | tell goroutines to stop, by a call or at a time | [`context`] |
//! | wait for many, up to the first error | [`errgroup`] |
//! | yield to other goroutines | [`yield_now`] |
//! | communicate | [`channel`], [`Sender`], [`Receiver`] |
//! | share a value, limit how many use it, signal | [`sync`] |
//! | wait for one of several events | [`select!`] |
//! | wait for a time, or limit a wait | [`time`] |
//! | open and accept connections, send datagrams, look up names | [`net`](mod@net) |
//! | serve HTTP | `http`, with the feature `hyper` |
//! | copy bytes, connect goroutines by pipes, read the standard input, use any descriptor | [`io`] |
//! | use crates that want `tokio`'s traits for I/O | the same types, with the feature `tokio-io` |
//! | read and write files | [`fs`] |
//! | start processes and wait for them | `process`, with the feature `process` |
//! | receive signals of the system, Ctrl-C for one | `signal`, with the feature `signal` |
//! | block the thread | [`blocking`]; [`Blocked`] reports goroutines that block without it |
//! | call a function later | [`time::after_func`] |
//! | reach a runtime from any thread | [`Handle`]; [`EnterGuard`] |
//! | give a value to all that a future calls | [`task_local!`], [`local`] |
//! | handle panics that no code observes | [`UnhandledPanic`] |
//! | count goroutines, see what they wait for | [`num_goroutines`], [`Handle::dump`] |
//! | try many schedules of a test, and replay one | [`sim`] |
//! | see what happens, and when | [`trace`], [`Handle::metrics`] |

#![deny(unsafe_code)]

mod abort_on_drop;
#[cfg(feature = "macros")]
mod attributes;
mod backoff;
mod block_on;
mod blocking;
mod builder;
pub mod chan;
mod clock;
pub mod context;
mod deadlock;
pub mod dump;
mod duration;
mod enter_guard;
pub mod errgroup;
#[cfg(feature = "io")]
pub mod fs;
mod futures_spawn;
mod go;
mod handle;
#[cfg(feature = "hyper")]
pub mod http;
#[cfg(feature = "io")]
pub mod io;
mod io_error;
mod join_error;
mod join_handle;
mod join_set;
pub mod local;
mod metrics;
#[cfg(feature = "net")]
pub mod net;
mod panics;
mod primitives;
#[cfg(feature = "process")]
pub mod process;
mod rng;
mod scheduler;
mod select;
#[cfg(feature = "signal")]
pub mod signal;
pub mod sim;
mod spawn;
mod spawn_local;
pub mod sync;
#[cfg(feature = "io")]
mod system_error;
pub mod time;
#[cfg(feature = "tokio-io")]
mod tokio_io;
pub mod trace;
mod wait_group;

pub use abort_on_drop::AbortOnDrop;
#[cfg(feature = "macros")]
#[doc(inline)]
pub use attributes::{main, test};
pub use block_on::block_on;
#[doc(hidden)]
pub use block_on::{
    Described as __Described, Outcome as __Outcome, Returned as __Returned, run as __run,
};
pub use blocking::blocking;
pub use builder::Builder;
pub use chan::channel;
pub use chan::error::{RecvTimeoutError, SendError, SendTimeoutError, TryRecvError, TrySendError};
pub use chan::receiver::Receiver;
pub use chan::sender::Sender;
pub use deadlock::{OnDeadlock, Stall};
pub use enter_guard::EnterGuard;
#[doc(hidden)]
pub use go::dispatch as __go;
pub use handle::Handle;
pub use join_error::JoinError;
pub use join_handle::{AbortHandle, JoinHandle};
pub use join_set::JoinSet;
pub use metrics::{Histogram, Metrics};
pub use scheduler::main::main_guard::UnhandledPanic;
pub use scheduler::monitor::report::Blocked;
#[doc(hidden)]
pub use select::dispatch as __select;
#[cfg(feature = "macros")]
#[doc(hidden)]
pub use sim::__simulate;
pub use spawn::{num_goroutines, spawn, yield_now};
pub use spawn_local::{LocalJoinHandle, spawn_local};
pub use wait_group::{Wait, WaitGroup};

/// A page of the project's documents, with links that also work in rustdoc.
#[cfg(doc)]
macro_rules! page {
    ($name:ident, $file:literal) => {
        #[doc = "[semantics.md]: crate::_docs::semantics\n[waking]: crate::_docs::semantics#wakers\n"]
        #[doc = "[giving way]: crate::_docs::semantics#giving-way\n"]
        #[doc = "[design.md]: crate::_docs::design\n[unsafe code]: crate::_docs::design#unsafe-code\n"]
        #[doc = "[miri]: crate::_docs::reliability#miri\n[scale]: crate::_docs::benchmarks#scale\n"]
        #[doc = "[benchmarks.md]: crate::_docs::benchmarks\n[chart]: #chart\n"]
        #[doc = "[programs.md]: crate::_docs::programs\n[debugging.md]: crate::_docs::debugging\n"]
        #[doc = include_str!($file)]
        pub mod $name {}
    };
}

/// The project's documents, to read in rustdoc. Programs do not use this module.
#[cfg(doc)]
pub mod _docs {
    page!(from_go, "../docs/from_go.md");
    page!(from_tokio, "../docs/from_tokio.md");
    page!(programs, "../docs/programs.md");
    page!(debugging, "../docs/debugging.md");
    page!(testing, "../docs/testing.md");
    page!(semantics, "../docs/semantics.md");
    page!(design, "../docs/design.md");
    page!(reliability, "../docs/reliability.md");
    page!(contributing, "../CONTRIBUTING.md");
    page!(changes, "../CHANGELOG.md");
    page!(benchmarks, "../docs/benchmarks.md");
}
