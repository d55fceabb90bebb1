//! `gorun::sync`: what goes wrong with locks, permits and notifications, hazard by hazard: order, cancellation
//! at each moment, panics and aborts, closing, wakers that come back in.
//!
//! `GORUN_STRESS=600s cargo test --release --test sync conserved -- --nocapture` goes on for that long, with
//! a new seed each time. `GORUN_SEED` begins with that seed.

mod common;

#[path = "sync/broadcast.rs"]
mod broadcast;
#[path = "sync/cancellation.rs"]
mod cancellation;
#[path = "sync/cond.rs"]
mod cond;
#[path = "sync/conservation.rs"]
mod conservation;
#[path = "sync/endings.rs"]
mod endings;
#[path = "sync/event_listener.rs"]
mod event_listener;
#[path = "sync/go_tests.rs"]
mod go_tests;
#[path = "sync/locks.rs"]
mod locks;
#[path = "sync/meetings.rs"]
mod meetings;
#[path = "sync/notify.rs"]
mod notify;
#[path = "sync/once.rs"]
mod once;
#[path = "sync/oneshot.rs"]
mod oneshot;
#[path = "sync/semaphore.rs"]
mod semaphore;
#[path = "sync/starvation.rs"]
mod starvation;
#[path = "sync/values.rs"]
mod values;
#[path = "sync/watch.rs"]
mod watch;

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::task::{Context, Poll, Wake, Waker};

const WORKERS: [usize; 3] = [1, 2, 16];

/// Polls by hand, and counts the wakes.
struct Task<F> {
    future: std::pin::Pin<Box<F>>,
    wakes: Arc<Wakes>,
}

#[derive(Default)]
struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, SeqCst);
    }
}

impl<F: Future> Task<F> {
    fn new(future: F) -> Self {
        Task { future: Box::pin(future), wakes: Arc::default() }
    }

    /// One that waits.
    #[track_caller]
    fn waiting(future: F) -> Self {
        let mut task = Task::new(future);
        assert!(task.poll().is_pending(), "it has nothing to wait for");
        task
    }

    fn poll(&mut self) -> Poll<F::Output> {
        let waker = Waker::from(self.wakes.clone());
        self.future.as_mut().poll(&mut Context::from_waker(&waker))
    }

    fn wakes(&self) -> usize {
        self.wakes.0.load(SeqCst)
    }

    /// It has been woken, and is ready.
    #[track_caller]
    fn finish(mut self) -> F::Output {
        assert!(self.wakes() > 0, "it was not woken");
        match self.poll() {
            Poll::Ready(output) => output,
            Poll::Pending => panic!("it was woken for nothing"),
        }
    }

    /// It has not been woken, and is not ready.
    #[track_caller]
    fn waits(&mut self) {
        assert_eq!(self.wakes(), 0, "it was woken");
        assert!(self.poll().is_pending(), "it is ready and was not woken");
    }
}

/// The output of a future that is ready at once.
#[track_caller]
fn now<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("it waits"),
    }
}

/// Calls a function when it is woken, or when its last clone is dropped.
struct Callback<F: Fn() + Send + Sync>(F);

impl<F: Fn() + Send + Sync + 'static> Wake for Callback<F> {
    fn wake(self: Arc<Self>) {
        (self.0)();
    }
}

fn calls(callback: impl Fn() + Send + Sync + 'static) -> Waker {
    Waker::from(Arc::new(Callback(callback)))
}

struct DropCallback<F: Fn() + Send + Sync>(F);

impl<F: Fn() + Send + Sync + 'static> Wake for DropCallback<F> {
    fn wake(self: Arc<Self>) {}
}

impl<F: Fn() + Send + Sync> Drop for DropCallback<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

fn calls_when_dropped(callback: impl Fn() + Send + Sync + 'static) -> Waker {
    Waker::from(Arc::new(DropCallback(callback)))
}

/// Those of the tests above whose goroutines meet, under schedules that a simulation chooses.
#[test]
fn an_order_that_seldom_occurs_breaks_a_promise() {
    common::simulate![
        go_tests::a_writer_waits_for_each_of_two_reads_and_keeps_readers_out,
        go_tests::each_signal_wakes_one_and_never_two,
        go_tests::readers_have_the_lock_at_the_same_time,
        locks::a_guard_that_moves_to_another_goroutine_is_the_same_lock,
        meetings::a_task_that_is_kept_after_its_time_is_up_comes_again,
        semaphore::a_thread_that_blocks_for_a_permit_is_woken,
    ];
}
