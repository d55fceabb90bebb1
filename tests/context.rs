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

/// Those of the tests above whose goroutines meet, under schedules that a simulation chooses.
#[test]
fn an_order_that_seldom_occurs_breaks_a_promise() {
    common::simulate![
        after_func::a_function_is_called_though_the_context_was_dropped,
        after_func::a_function_of_a_context_that_is_never_done_is_never_called_and_has_no_goroutine,
        after_func::a_stop_that_comes_after_the_end_of_main_prevents_nothing,
        after_func::functions_that_wait_when_main_ends_are_dropped_and_not_called,
        deadlines::a_deadline_is_not_early_and_reaches_all_below,
        deadlines::a_deadline_whose_runtime_has_ended_cancels_the_context,
        deadlines::a_wait_of_a_context_with_a_deadline_does_not_keep_it_for_ever,
        deadlines::nobody_waits_for_the_deadline_of_a_context_that_is_done_or_gone,
        deadlines::the_cause_of_a_deadline_is_not_that_of_a_cancellation,
        deadlines::the_earlier_deadline_counts_and_a_later_one_has_no_goroutine,
        go_tests::a_function_is_called_after_the_end_and_not_before,
        go_tests::a_function_that_was_stopped_is_not_called,
        go_tests::a_timeout_passes_also_above_a_longer_one,
        go_tests::any_of_many_layers_can_time_out_and_values_stay,
        go_tests::the_cause_is_that_of_whoever_came_first,
        running::a_future_that_is_ready_gives_its_value,
        running::a_run_inside_a_timeout_and_a_timeout_inside_a_run_end_in_time,
    ];
}
