//! `block_on`, the entry point of a program.

#![forbid(unsafe_code)]

use std::fmt;
use std::future::Future;
use std::io;
use std::pin::pin;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::builder::Builder;
use crate::clock;
use crate::handle::Handle;
use crate::scheduler::entered;
use crate::scheduler::worker::away;
use crate::spawn::MAX_UNBOXED;
use crate::time::timeout;

/// Runs a program: `main` on the calling thread, and goroutines on one worker thread per usable
/// core. When `main` ends, this cancels the other goroutines and returns main's value.
///
/// `main` may borrow from its environment and need not be `Send`. It never waits for a worker.
///
/// When `main` ends, a worker drops each suspended goroutine before this returns. If a goroutine
/// does not reach its next await, this waits for it as long as [`Builder::exit_grace`] says, 100 ms
/// by default, and then leaves it behind. Its thread goes on until the process ends, or until the
/// goroutine reaches an await and is dropped there.
///
/// **Inside a runtime**, in a goroutine or in main, this only drives the future on the calling
/// thread. Spawns go to the surrounding runtime, and the end of the future cancels nothing. While
/// it blocks a goroutine, another thread stands in for the goroutine's worker. If there are already
/// [`Builder::max_threads`] threads, or the system refuses one, the other goroutines have a worker
/// less, and the runtime reports that on standard error.
///
/// On a thread that has [entered](crate::Handle::enter) a runtime, this drives the future inside that
/// one, as [`Handle::block_on`](crate::Handle::block_on) does.
///
/// A `main` larger than 1 KiB is moved to the heap first. A debug build has two copies of it on the
/// stack until then. So on a thread with a stack of 2 MiB it may have 900 KiB; optimised, more.
///
/// Go counterpart: `func main`, and the program's end when it returns.
///
/// # Panics
///
/// - With the panic of `main`, after cancelling the goroutines.
/// - With the first panic of a goroutine that no code can observe: see
///   [`UnhandledPanic`](crate::UnhandledPanic). `main` is then dropped at its next await.
/// - When the environment variable `GORUN_WORKER_THREADS` is not a number from 1 to 4096, when
///   `GORUN_BLOCKED` is not a duration, `GORUN_SEED` not a number, or `GORUN_DEADLOCK`, `GORUN_LEAKS` or
///   `GORUN_DIAGNOSTICS` none of their values, or when the system refuses a thread. [`Builder::block_on`] returns these as errors.
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
    match entered::surrounding() {
        Some(scheduler) => away::block_on(&scheduler, main),
        None => started(Builder::new().run(main)),
    }
}

#[track_caller]
fn started<T>(result: io::Result<T>) -> T {
    match result {
        Ok(value) => value,
        Err(error) => panic!("gorun cannot start: {error}"),
    }
}

/// What `#[gorun::main]` and `#[gorun::test]` expand to. `is_failure` says so of what main returns. Not
/// public API.
#[track_caller]
pub fn run<F: Future>(
    builder: Builder,
    limit: Option<Duration>,
    name: &str,
    main: F,
    is_failure: impl Fn(&F::Output) -> bool,
) -> F::Output {
    // Boxed first: in a debug build each function on the way down has copies of it on the stack.
    if const { size_of::<F>() > MAX_UNBOXED } {
        run_here(builder, limit, name, Box::pin(main), is_failure)
    } else {
        run_here(builder, limit, name, main, is_failure)
    }
}

#[track_caller]
fn run_here<F: Future>(
    builder: Builder,
    limit: Option<Duration>,
    name: &str,
    main: F,
    is_failure: impl Fn(&F::Output) -> bool,
) -> F::Output {
    let has_failed = builder.has_failed();
    let watched = async move {
        let output = main.await;
        has_failed.store(is_failure(&output), Ordering::Relaxed);
        output
    };
    let Some(limit) = limit else { return started(builder.block_on(watched)) };
    let has_failed = builder.has_failed();
    // A timer is made inside the runtime.
    let limited = async move {
        let mut limited = pin!(timeout(limit, watched));
        let ended = limited.as_mut().await;
        if ended.is_err() {
            has_failed.store(true, Ordering::Relaxed);
            // What it waits for is still there.
            if !clock::is_simulated() {
                eprint!("{}", Handle::current().dump());
            }
        }
        ended
    };
    match started(builder.block_on(limited)) {
        Ok(value) => value,
        Err(elapsed) => panic!("`{name}` has not ended: {elapsed}"),
    }
}

/// What main has returned, for the attributes to ask. Not public API.
#[derive(Debug)]
pub struct Returned<'a, T>(pub &'a T);

/// For results; and by one reference more, if that does not fit, for what cannot be an error.
pub trait Outcome {
    /// Whether it is an error.
    fn __gorun_is_failure(&self) -> bool;
}

impl<T, E> Outcome for Returned<'_, Result<T, E>> {
    fn __gorun_is_failure(&self) -> bool {
        self.0.is_err()
    }
}

impl<T> Outcome for &Returned<'_, T> {
    fn __gorun_is_failure(&self) -> bool {
        false
    }
}

/// The same, for which error it is.
pub trait Described {
    /// As its `Debug` says.
    fn __gorun_error(&self) -> Option<String>;
}

impl<T, E: fmt::Debug> Described for Returned<'_, Result<T, E>> {
    fn __gorun_error(&self) -> Option<String> {
        self.0.as_ref().err().map(|error| format!("{error:?}"))
    }
}

impl<T> Described for &Returned<'_, T> {
    fn __gorun_error(&self) -> Option<String> {
        None
    }
}
