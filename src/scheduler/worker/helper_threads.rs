//! Threads that are started for one call: of wakers, which may be user code and block, or of
//! standard error, which may be slow. The monitor must wait for neither.

#![forbid(unsafe_code)]

use std::io::{self, Write};
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::Waker;
use std::thread;

use crate::panics;
use crate::primitives::{Mutex, lock};
use crate::scheduler::deadlock::outsiders::Counted;
use crate::scheduler::worker::thread_requests::ThreadRequests;

impl ThreadRequests {
    /// For the monitor: has the wakers called that others have noted.
    pub(crate) fn send_wakes(&self) {
        let wakers = self.take_wakes();
        if !wakers.is_empty() {
            self.wake_elsewhere(wakers);
        }
    }

    /// Calls `wakers` on a thread of their own.
    pub(crate) fn wake_elsewhere(&self, wakers: Vec<Waker>) {
        let wakers = Arc::new(Mutex::new(wakers));
        let may_wake = Counted::may_wake();
        let wake_elsewhere = {
            let wakers = wakers.clone();
            move || {
                may_wake.until_thread_ends();
                wake_all(mem::take(&mut *lock(&wakers)));
            }
        };
        if thread::Builder::new().name("gorun-wake".to_owned()).spawn(wake_elsewhere).is_err() {
            self.requeue_wakes(mem::take(&mut *lock(&wakers)));
        }
    }

    /// Brings wakers back for which no thread could be started: main calls them.
    fn requeue_wakes(&self, wakers: Vec<Waker>) {
        if let Err(wakers) = self.add_wakes(wakers) {
            // Main no longer waits for the monitor.
            wake_all(wakers);
        }
    }

    /// For main's thread, when it no longer waits for the monitor.
    pub(crate) fn deliver_wakes(&self) {
        wake_all(self.end_wakes());
    }

    /// For the monitor.
    pub(crate) fn report_noted_refusal(&self) {
        if let Some(error) = self.take_refusal() {
            report_refusal(&error);
        }
    }
}

fn wake_all(wakers: Vec<Waker>) {
    for waker in wakers {
        if let Err(payload) = catch_unwind(AssertUnwindSafe(|| waker.wake())) {
            panics::discard(payload);
        }
    }
}

/// Reports a refusal on a thread of its own, because standard error may be slow. If no thread can
/// be started, it bypasses the lock of standard error, which the goroutine that blocks may hold.
fn report_refusal(error: &str) {
    let text = format!(
        "gorun: a goroutine blocks its thread, and no thread could be started to stand in for its \
         worker: {error}. As long as it blocks the others have a worker less; if all block like this \
         and wait for others, they wait for ever. Let goroutines `.await` instead, or raise \
         `Builder::max_threads` or the system's limit\n",
    );
    let report = {
        let text = text.clone();
        move || _ = io::stderr().write_all(text.as_bytes())
    };
    if thread::Builder::new().name("gorun-report".to_owned()).spawn(report).is_err() {
        let _ = unlocked_standard_error().and_then(|mut to| to.write_all(text.as_bytes()));
    }
}

#[cfg(unix)]
fn unlocked_standard_error() -> io::Result<impl Write> {
    use std::os::fd::AsFd;
    io::stderr().as_fd().try_clone_to_owned().map(std::fs::File::from)
}

#[cfg(not(unix))]
fn unlocked_standard_error() -> io::Result<impl Write> {
    Ok(io::stderr())
}
