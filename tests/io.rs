//! Copying, pipes and the standard streams: each test is named after a hazard.
#![cfg(feature = "io")]

#[path = "common/mod.rs"]
mod common;

#[path = "io/copying.rs"]
mod copying;
#[cfg(all(unix, feature = "net"))]
#[path = "io/descriptors.rs"]
mod descriptors;
#[path = "io/pipes.rs"]
mod pipes;
#[path = "io/standard_streams.rs"]
mod standard_streams;

use std::future::{Future, poll_fn};
use std::io;
use std::pin::pin;
use std::task::Poll;

/// Each test runs with so many workers.
const WORKERS: [usize; 3] = [1, 2, 16];

/// Runs `main` with one, two and sixteen workers.
fn with_workers<F: Future<Output = io::Result<()>>>(main: impl Fn() -> F) {
    let _watchdog = common::watchdog();
    for workers in WORKERS {
        common::run(workers, main()).unwrap_or_else(|error| panic!("{workers} workers: {error}"));
    }
}

/// Polls once with the task's own waker.
async fn once<F: Future>(future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    poll_fn(|cx| {
        Poll::Ready(match future.as_mut().poll(cx) {
            Poll::Ready(output) => Some(output),
            Poll::Pending => None,
        })
    })
    .await
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
    #[cfg(all(unix, feature = "net"))]
    has::<gorun::io::Async<std::io::PipeReader>>();
}
