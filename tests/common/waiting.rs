//! Waiting: for a condition, or for a test that hangs.

use std::io::Write;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use super::{is_child, quiet};

/// A condition that is not met by then never will be.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

/// Aborts the process if it is not dropped in time, so that a hang is a failure.
pub(crate) struct Watchdog {
    _done: mpsc::Sender<()>,
}

pub(crate) fn watchdog() -> Watchdog {
    quiet();
    let (done, over) = mpsc::channel::<()>();
    let name = thread::current().name().unwrap_or("a test").to_owned();
    let limit = Duration::from_secs(if is_child() { 80 } else { 150 });
    thread::Builder::new()
        .name("watchdog".to_owned())
        .spawn(move || {
            if over.recv_timeout(limit) == Err(mpsc::RecvTimeoutError::Timeout) {
                // Not by `eprintln`, of which the harness would show nothing.
                let _ = std::io::stderr().write_all(format!("{name} hangs\n").as_bytes());
                std::process::abort();
            }
        })
        .unwrap();
    Watchdog { _done: done }
}

/// Waits, on the calling thread, until `condition` holds.
#[track_caller]
pub(crate) fn wait_until(condition: impl Fn() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < DEADLINE, "this condition was never met");
        thread::yield_now();
    }
}

/// Lets others run until `condition` holds.
pub(crate) async fn yield_until(condition: impl Fn() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < DEADLINE, "this condition was never met");
        gorun::yield_now().await;
    }
}

/// The dump, as soon as `shows` finds in it what it looks for. Others run meanwhile.
pub(crate) async fn dump_that(shows: impl Fn(&gorun::dump::Dump) -> bool) -> gorun::dump::Dump {
    let start = Instant::now();
    loop {
        let dump = gorun::Handle::current().dump();
        if shows(&dump) {
            return dump;
        }
        assert!(start.elapsed() < DEADLINE, "{dump}");
        gorun::yield_now().await;
    }
}
