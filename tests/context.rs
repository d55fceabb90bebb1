//! `gorun::context`, hazard by hazard: who is cancelled and who is not, at each moment; large trees and
//! deep ones; deadlines; what comes back in; and what Go's tests ask.
//!
//! `GORUN_STRESS=600s cargo test --release --test context random -- --nocapture` goes on for that long,
//! with a new seed each time. `GORUN_SEED` begins with that seed.

mod common;

#[path = "context/after_func.rs"]
mod after_func;
#[path = "context/cancelling.rs"]
mod cancelling;
#[path = "context/deadlines.rs"]
mod deadlines;
#[path = "context/go_tests.rs"]
mod go_tests;
#[path = "context/running.rs"]
mod running;
#[path = "context/trees.rs"]
mod trees;
#[path = "context/user_code.rs"]
mod user_code;

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::task::{Context as Cx, Poll, Wake, Waker};

use gorun::context::{CancelGuard, Context};

const WORKERS: [usize; 3] = [1, 2, 16];

fn background() -> Context {
    Context::background()
}

/// Children of one parent.
fn children(parent: &Context, count: usize) -> Vec<(Context, CancelGuard)> {
    (0..count).map(|_| parent.with_cancel()).collect()
}

/// Counts the wakes.
#[derive(Default)]
struct Wakes(AtomicUsize);

impl Wakes {
    fn get(&self) -> usize {
        self.0.load(SeqCst)
    }
}

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, SeqCst);
    }
}

/// Polls once, with a waker that counts.
fn poll<F: Future + Unpin>(future: &mut F, wakes: &Arc<Wakes>) -> Poll<F::Output> {
    let waker = Waker::from(wakes.clone());
    std::pin::Pin::new(future).poll(&mut Cx::from_waker(&waker))
}
