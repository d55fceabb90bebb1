//! What other threads request of the monitor, above all new threads.
//!
//! On Linux a thread inherits the cores, priority, signal mask and namespaces of the thread that
//! starts it. Goroutines and main may change all of these for their own threads. So that no thread
//! inherits such a change, the monitor, which runs no user code, starts the threads of a runtime.
//! Only the first ones, the monitor among them, are started by the thread that calls `block_on`,
//! and inherit from it.
//!
//! # Protocol
//!
//! A thread that needs a new one notes that here, and then signals the monitor, which wakes it
//! wherever it is (`idle/mod.rs`). It goes on without waiting for an answer. Whenever the monitor
//! has been woken, it takes what has been noted before it does anything else.
//!
//! - *What is noted is taken.* The signal comes after the note, and the monitor takes after it has
//!   received the signal. If a signal comes while another one waits, the monitor receives them
//!   together, still after both notes.
//! - *A cover comes if its worker is still away.* When the monitor takes, it counts the missing
//!   workers, under the lock of the lists. If the worker is back by then, the monitor still starts
//!   one thread, unless there is a spare: otherwise each short call of `blocking` would signal the
//!   monitor.
//! - *At the end.* The monitor takes for the last time after the phase is *ended*. Then it starts
//!   no more covers and drainers, but still reports refusals and sends notices. What is noted later
//!   is not taken: exit waits for workers that block by then according to its rules, or leaves them
//!   behind.
//!
//! # Rejected
//!
//! - A thread that is kept for this, as in Go: the monitor sleeps most of the time. It looks here
//!   first, and its other work takes less time than a thread takes to start.
//! - Threads started by the thread that needs them, which then undo what they inherited: there is
//!   no list of all that, and some of it, such as a namespace, cannot be undone.

#![forbid(unsafe_code)]

use std::io::{self, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::Waker;
use std::thread;

use crate::panics;
use crate::sync::{AtomicBool, AtomicUsize, Mutex, Ordering, lock};

pub(crate) struct ThreadRequests {
    /// Threads to start as covers for workers that have announced that they block.
    covers: AtomicUsize,
    /// Threads to start, at exit, that drop what no worker reaches.
    drainers: AtomicUsize,
    /// Why the first cover was refused, until that is reported; and whether a refusal was ever
    /// noted.
    refusal: Mutex<Option<String>>,
    refusal_noted: AtomicBool,
    /// Wakers to call on a thread of their own. `None` when the runtime has ended.
    notices: Mutex<Option<Vec<Waker>>>,
}

impl ThreadRequests {
    pub(crate) fn new() -> Self {
        ThreadRequests {
            covers: AtomicUsize::new(0),
            drainers: AtomicUsize::new(0),
            refusal: Mutex::new(None),
            refusal_noted: AtomicBool::new(false),
            notices: Mutex::new(Some(Vec::new())),
        }
    }

    /// Requests a thread that covers for a blocked worker.
    pub(crate) fn add_cover(&self) {
        self.covers.fetch_add(1, Ordering::SeqCst);
    }

    /// Returns whether this refusal is the first.
    pub(crate) fn note_refusal(&self, error: &io::Error) -> bool {
        let is_first = !self.refusal_noted.swap(true, Ordering::Relaxed);
        if is_first {
            *lock(&self.refusal) = Some(error.to_string());
        }
        is_first
    }

    /// For the monitor: takes the number of requested covers.
    pub(crate) fn take_covers(&self) -> usize {
        self.covers.swap(0, Ordering::SeqCst)
    }

    /// How many drainers exit still waits for: requested, but neither started nor refused.
    pub(crate) fn drainers(&self) -> usize {
        self.drainers.load(Ordering::SeqCst)
    }

    pub(crate) fn add_drainer(&self) {
        self.drainers.fetch_add(1, Ordering::SeqCst);
    }

    /// For the monitor: counts a drainer that has been started, or refused.
    pub(crate) fn drainer_started(&self) {
        self.drainers.fetch_sub(1, Ordering::SeqCst);
    }

    pub(crate) fn add_notices(&self, wakers: Vec<Waker>) {
        if let Some(notices) = &mut *lock(&self.notices) {
            notices.extend(wakers);
        }
    }

    pub(crate) fn report_noted_refusal(&self) {
        let noted = lock(&self.refusal).take();
        if let Some(error) = noted {
            report_refusal(&error);
        }
    }

    pub(crate) fn send_notices(&self) {
        let wakers = match &mut *lock(&self.notices) {
            Some(wakers) if !wakers.is_empty() => std::mem::take(wakers),
            _ => return,
        };
        self.wake_elsewhere(wakers);
    }

    /// Calls `wakers` on a thread of their own.
    pub(crate) fn wake_elsewhere(&self, wakers: Vec<Waker>) {
        let wakers = Arc::new(Mutex::new(wakers));
        let wake_elsewhere = {
            let wakers = wakers.clone();
            move || wake_all(std::mem::take(&mut *lock(&wakers)))
        };
        if thread::Builder::new().name("gorun-news".to_owned()).spawn(wake_elsewhere).is_err() {
            self.give_back(std::mem::take(&mut *lock(&wakers)));
        }
    }

    /// Returns wakers for which no thread could be started: main calls them.
    fn give_back(&self, wakers: Vec<Waker>) {
        if let Some(notices) = &mut *lock(&self.notices) {
            return notices.extend(wakers);
        }
        // Main has stopped waiting for the monitor.
        wake_all(wakers);
    }

    /// For main's thread, after the monitor has ended.
    pub(crate) fn deliver_notices(&self) {
        let wakers = lock(&self.notices).take();
        wake_all(wakers.unwrap_or_default());
    }
}

pub(crate) fn too_many(limit: usize) -> io::Error {
    io::Error::other(format!("there are {limit} already, the limit"))
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
