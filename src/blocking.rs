//! `blocking`: telling the scheduler before a goroutine blocks its thread.

#![forbid(unsafe_code)]

use crate::scheduler::worker::blocking::{Wait, while_blocked};

/// Calls `f`, which will block the thread, here and now, and returns what it returns. Another worker
/// takes over meanwhile.
///
/// A goroutine may block its thread anyway: the scheduler notices after one to two milliseconds, or
/// ten if it computes, and another worker steps in. This says it beforehand, so nobody waits at all.
/// It costs some hundred nanoseconds, or a few microseconds if others wait whom somebody must be woken
/// for (the first time the monitor, which starts a thread), so it is for calls that take longer than
/// that: files, name resolution, locks that are held for long, foreign libraries, long computations.
///
/// What the goroutine had just woken or spawned runs elsewhere at once, and so does what `f` wakes and
/// spawns. It works anywhere, in any number of layers, also in main or outside a runtime, where nobody
/// has to take over and it only calls `f`. Unlike a spawned task of its own, `f` may borrow, and need
/// not be `Send`.
///
/// There are at most [`Builder::max_threads`](crate::Builder::max_threads) threads. If all of them
/// block, the others wait until one is back; standard error says so, once.
///
/// **Cancellation**: a goroutine that is aborted while it is inside is dropped at its next await; `f`
/// is not interrupted. When main ends, it is waited for as any other goroutine, for as long as
/// [`Builder::exit_grace`](crate::Builder::exit_grace) says, and then left behind.
///
/// Go counterpart: none needed by its users; it is what the runtime does around a system call
/// (`entersyscall`, `exitsyscall`).
///
/// # Panics
///
/// With the panic of `f`.
///
/// # Examples
///
/// ```
/// use gorun::{block_on, blocking, spawn};
///
/// block_on(async {
///     let manifest = spawn(async { blocking(|| std::fs::read_to_string("Cargo.toml")) });
///     assert!(manifest.await.unwrap().unwrap().contains("[package]"));
/// });
/// ```
pub fn blocking<T>(f: impl FnOnce() -> T) -> T {
    while_blocked(Wait::ForTheSystem, f)
}
