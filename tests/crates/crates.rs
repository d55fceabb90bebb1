//! Crates of others, unmodified, in goroutines. Those that need a tokio runtime have `Builder::tokio_runtime`.
//!
//! Each test is a program that a user of the crate would write. CI checks that none of them is left out. Those
//! that need a server print that they were skipped where it is not installed.

#![forbid(unsafe_code)]

#[path = "../common/mod.rs"]
mod common;

mod databases;
mod grpc;
mod http;
mod others;
mod servers;
mod tls;
mod tokio_itself;
mod websockets;

const WORKERS: [usize; 2] = [1, 4];

/// Runs main in a runtime with a bridge.
fn bridged<F: Future>(workers: usize, main: F) -> F::Output {
    common::patient(workers).tokio_runtime(1).block_on(main).unwrap()
}
