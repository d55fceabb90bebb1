//! Go's goroutine runtime for Rust futures.
#![forbid(unsafe_op_in_unsafe_fn)]

mod block_on;
mod clock;
mod go;
mod handle;
mod join_error;
mod join_handle;
mod rng;
mod scheduler;
mod spawn;
mod sync;

pub use block_on::{Builder, block_on};
#[doc(hidden)]
pub use go::dispatch as __go;
pub use handle::Handle;
pub use join_error::JoinError;
pub use join_handle::{AbortHandle, JoinHandle};
pub use scheduler::main_guard::UnhandledPanic;
pub use spawn::{num_goroutines, spawn, yield_now};
