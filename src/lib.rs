#![doc = include_str!("../README.md")]
//!
//! # Map
//!
//! | to | there is |
//! |---|---|
//! | run a program | [`block_on`], with settings [`Builder`] |
//! | start a goroutine | [`go!`], [`spawn`] |
//! | wait for one, or cancel it | [`JoinHandle`], [`AbortHandle`], [`JoinError`] |
//! | wait for many | [`JoinSet`], for their results; [`WaitGroup`], for their end |
//! | give way to others | [`yield_now`] |
//! | communicate | [`channel`], [`Sender`], [`Receiver`] |
//! | wait for one of several things | [`select!`] |
//! | wait for a time, or no longer than that | [`time`] |
//! | block | [`blocking`]; find out who does: [`Blocked`] |
//! | reach a runtime from any thread | [`Handle`] |
//! | decide about panics nobody observes | [`UnhandledPanic`] |
//! | look | [`num_goroutines`] |
//!
//! The pages the README links to are here as well: [coming from Go](_docs::from_go),
//! [coming from tokio](_docs::from_tokio), [semantics](_docs::semantics),
//! [design](_docs::design), [changes](_docs::changes).

#![deny(unsafe_code)]

mod block_on;
mod blocking;
pub mod chan;
mod clock;
mod duration;
mod go;
mod handle;
mod join_error;
mod join_handle;
mod join_set;
mod patience;
mod rng;
mod scheduler;
mod select;
mod spawn;
mod sync;
pub mod time;
mod wait_group;

pub use block_on::{Builder, block_on};
pub use blocking::blocking;
pub use chan::channel;
pub use chan::error::{SendError, TryRecvError, TrySendError};
pub use chan::receiver::Receiver;
pub use chan::sender::Sender;
#[doc(hidden)]
pub use go::dispatch as __go;
pub use handle::Handle;
pub use join_error::JoinError;
pub use join_handle::{AbortHandle, JoinHandle};
pub use join_set::JoinSet;
pub use scheduler::main_guard::UnhandledPanic;
pub use scheduler::report::Blocked;
#[doc(hidden)]
pub use select::dispatch as __select;
pub use spawn::{num_goroutines, spawn, yield_now};
pub use wait_group::{Wait, WaitGroup};

/// The project's documents, to be read in rustdoc. Nothing to use in programs.
#[cfg(doc)]
pub mod _docs {
    #[doc = include_str!("../docs/from_go.md")]
    pub mod from_go {}
    #[doc = include_str!("../docs/from_tokio.md")]
    pub mod from_tokio {}
    #[doc = include_str!("../docs/semantics.md")]
    pub mod semantics {}
    #[doc = include_str!("../docs/design.md")]
    pub mod design {}
    #[doc = include_str!("../CHANGELOG.md")]
    pub mod changes {}
}
