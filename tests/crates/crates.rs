//! Crates that need a tokio runtime, unmodified, in goroutines: with `Builder::tokio_runtime`.
//!
//! Each test is a program that a user of the crate would write. CI checks that none of them is left out.

#![forbid(unsafe_code)]

#[path = "../common/mod.rs"]
mod common;

mod grpc;
mod http;
mod others;
mod tokio_itself;
mod websockets;

const WORKERS: [usize; 2] = [1, 4];

/// Runs main in a runtime with a bridge.
fn bridged<F: Future>(workers: usize, main: F) -> F::Output {
    common::patient(workers).tokio_runtime(1).block_on(main).unwrap()
}
