//! Copying, pipes and the standard streams: each test is named after a hazard.
#![cfg(feature = "io")]

#[path = "common/mod.rs"]
mod common;

#[path = "io/copying.rs"]
mod copying;
#[path = "io/pipes.rs"]
mod pipes;
#[path = "io/standard_streams.rs"]
mod standard_streams;

use std::future::Future;
use std::io;

/// Each test runs with so many workers.
const WORKERS: [usize; 3] = [1, 2, 16];

/// Runs `main` with one, two and sixteen workers.
fn with_workers<F: Future<Output = io::Result<()>>>(main: impl Fn() -> F) {
    let _watchdog = common::watchdog();
    for workers in WORKERS {
        common::run(workers, main()).unwrap_or_else(|error| panic!("{workers} workers: {error}"));
    }
}

#[test]
fn handles_go_to_other_threads() {
    fn has<T: Send + Sync + Unpin + std::fmt::Debug>() {}
    has::<gorun::io::PipeReader>();
    has::<gorun::io::PipeWriter>();
    has::<gorun::io::DuplexStream>();
    has::<gorun::io::Stdin>();
    has::<gorun::io::Stdout>();
    has::<gorun::io::Stderr>();
}
