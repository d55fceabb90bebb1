//! What others request of the monitor: threads.
//!
//! On Linux a thread inherits the cores, the priority, the signal mask and the namespaces of the thread
//! that starts it, and goroutines, like main, may change all of these for themselves. So that nobody
//! gets what another one has set, the threads of a runtime are started by the monitor, which runs no code
//! of the user's. (But for those that the runtime begins with, the monitor among them: they are started
//! by the thread that calls `block_on`, and take after it.)
//!
//! # Protocol
//!
//! Whoever wants a thread notes that here, and then calls the monitor, which wakes it wherever it is
//! (`idle/mod.rs`); it goes on without waiting for an answer. The monitor takes what has been noted whenever
//! it has been woken, before anything else.
//!
//! - *Noted is taken.* The call comes after the note, and the monitor takes after it has received the call.
//!   A call that comes while another one waits is received together with that, still after both notes.
//! - *A cover comes if its worker is still away.* How many workers are missing is counted when the monitor
//!   takes, under the lock of the lists. If the worker is back by then, one thread is started all the
//!   same, unless there is a spare: short calls of `blocking` would each call the monitor otherwise.
//! - *At the end.* The monitor takes for the last time after the phase is *ended*. Then nobody stands in
//!   any more, and no one drains; refusals are still reported, and notices are still sent. What is noted
//!   later is not taken: workers that block by then are waited for by the rules of exit, or left behind.
//!
//! # Rejected
//!
//! - A thread that is kept for this, as in Go: the monitor is one that sleeps most of the time. It looks
//!   here first, and what else it does takes less time than a thread takes to start.
//! - Threads started by whoever needs them, which set themselves right: there is no list of all that they
//!   inherit, and some of it (a namespace) cannot be set back.

#![forbid(unsafe_code)]

use std::io::{self, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::Waker;
use std::thread;

use crate::panics;
use crate::sync::{AtomicBool, AtomicUsize, Mutex, Ordering, lock};

pub(crate) struct ThreadRequests {
    /// Threads that are to stand in for workers that have said that they block.
    covers: AtomicUsize,
    /// Threads that are to drop, at exit, what no worker comes to.
    drainers: AtomicUsize,
    /// Why nobody stands in, and whether that has been said already.
    refusal: Mutex<Option<String>>,
    refusal_noted: AtomicBool,
    /// Who is to be woken on a thread of its own. `None` when the runtime has ended.
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

    /// A thread is to stand in.
    pub(crate) fn add_cover(&self) {
        self.covers.fetch_add(1, Ordering::SeqCst);
    }

    /// Says whether this refusal is the first.
    pub(crate) fn note_refusal(&self, error: &io::Error) -> bool {
        let is_first = !self.refusal_noted.swap(true, Ordering::Relaxed);
        if is_first {
            *lock(&self.refusal) = Some(error.to_string());
        }
        is_first
    }

    /// By the monitor, of the threads that are to stand in.
    pub(crate) fn take_covers(&self) -> usize {
        self.covers.swap(0, Ordering::SeqCst)
    }

    /// How many threads exit still waits for.
    pub(crate) fn drainers(&self) -> usize {
        self.drainers.load(Ordering::SeqCst)
    }

    pub(crate) fn add_drainer(&self) {
        self.drainers.fetch_add(1, Ordering::SeqCst);
    }

    /// By the monitor: a thread that is to drain has been started, or refused.
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

    /// On a thread of their own.
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

    /// Notices for which there is no thread are main's.
    fn give_back(&self, wakers: Vec<Waker>) {
        if let Some(notices) = &mut *lock(&self.notices) {
            return notices.extend(wakers);
        }
        // Main did not wait for the monitor any longer.
        wake_all(wakers);
    }

    /// By main's thread, after the monitor has ended.
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

/// Once is enough. On a thread of its own, if there is one: standard error may be slow. And if there is
/// none, past the lock of standard error, which the goroutine that blocks may hold.
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
