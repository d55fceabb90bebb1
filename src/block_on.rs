//! `block_on`, main's entry.

#![forbid(unsafe_code)]

use std::future::Future;

use crate::builder::Builder;
use crate::scheduler::context::{self, Place};
use crate::scheduler::worker::blocking;
use crate::spawn::MAX_UNBOXED;

/// Runs a program: `main` on the calling thread, goroutines on one worker thread per usable core.
/// When `main` ends, the other goroutines are cancelled, and its value comes back.
///
/// `main` may borrow from its surroundings and need not be `Send`. It never waits for a worker.
///
/// At its end each suspended goroutine is dropped, on a worker, before this returns. One that does
/// not come to its next await is waited for as long as [`Builder::exit_grace`] says, 100 ms, and
/// then left behind: its thread goes on until the process ends, or until it does come to an
/// await, where it is dropped.
///
/// **Inside a runtime** (in a goroutine, or in main) it only drives the future on the calling
/// thread: spawns go to the surrounding runtime, and its end cancels nothing. While a goroutine is
/// blocked in it, another thread stands in for its worker. (If there are as many threads as
/// [`Builder::max_threads`] says, or the system refuses one, standard error says so, and the other
/// goroutines have a worker less.)
///
/// A `main` larger than 1 KiB goes to the heap first. In a debug build two copies of it are on the stack
/// until then, so on a thread of 2 MiB it may have 900 KiB; optimised, more.
///
/// Go counterpart: `func main`, and the program's end when it returns.
///
/// # Panics
///
/// - With the panic of `main`, after cancelling the goroutines.
/// - With the first panic of a goroutine that nobody can observe: see
///   [`UnhandledPanic`](crate::UnhandledPanic). `main` is then dropped at its next await.
/// - When the environment variable `GORUN_WORKER_THREADS` is not a number between 1 and 4096, or
///   `GORUN_BLOCKED` not a duration, or `GORUN_SEED` not a number, or the system refuses a thread.
///   [`Builder::block_on`] returns these as errors.
///
/// # Examples
///
/// ```
/// let greeting = String::from("hello");
/// let length = gorun::block_on(async {
///     let borrowed = &greeting;
///     gorun::spawn(async { /* at the same time */ });
///     borrowed.len()
/// });
/// assert_eq!(length, 5);
/// ```
#[track_caller]
pub fn block_on<F: Future>(main: F) -> F::Output {
    if const { size_of::<F>() > MAX_UNBOXED } {
        block_on_here(Box::pin(main))
    } else {
        block_on_here(main)
    }
}

#[track_caller]
fn block_on_here<F: Future>(main: F) -> F::Output {
    let surrounding = context::with(|place| match place {
        Place::Inside(context) => Some(context.scheduler.clone()),
        Place::Outside | Place::Ended => None,
    });
    match surrounding {
        Some(scheduler) => blocking::block_on(&scheduler, main),
        None => match Builder::new().run(main) {
            Ok(value) => value,
            Err(error) => panic!("gorun cannot start: {error}"),
        },
    }
}
