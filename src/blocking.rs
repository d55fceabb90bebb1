//! `blocking`: tells the scheduler before a goroutine blocks its thread.

#![forbid(unsafe_code)]

use crate::scheduler::worker::away::{Reason, while_away};

/// Calls `f`, which may block the thread, on the calling thread, and returns its result. Another
/// worker takes over meanwhile.
///
/// A goroutine may also block its thread without this. The scheduler then notices after one to two
/// milliseconds, or ten if the goroutine computes, and another worker steps in. With this call no
/// goroutine has to wait that long. A call costs about 100 ns, or a few microseconds if another
/// worker must be woken; the first one may also wake the monitor, which starts a thread. So use it
/// for calls that take longer than that: files, name resolution, locks held for long, foreign
/// libraries, long computations.
///
/// Goroutines that the caller has just woken or spawned run elsewhere at once, and so do those that
/// `f` wakes and spawns. Calls may be nested to any depth. In main and outside a runtime no worker
/// has to take over, and this only calls `f`. Unlike the future of a spawned goroutine, `f` may
/// borrow, and need not be `Send`.
///
/// There are at most [`Builder::max_threads`](crate::Builder::max_threads) threads. If all of them
/// block, the other goroutines wait until one is free; the runtime reports that on standard error,
/// once.
///
/// **Cancellation**: a goroutine that is aborted inside this call is dropped at its next await; `f`
/// is not interrupted. When main ends, exit waits for the goroutine as for any other, for as long
/// as [`Builder::exit_grace`](crate::Builder::exit_grace) says, and then leaves it behind. If the
/// call is made inside a nested `block_on`, exit may leave the goroutine behind after ten
/// milliseconds (`docs/semantics.md`).
///
/// Go counterpart: none in Go programs; Go's runtime does the same around a system call
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
    while_away(Reason::SystemCall, f)
}
