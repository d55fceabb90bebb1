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
//! - *The monitor misses no request.* The signal comes after the note, and the monitor takes after it
//!   has received the signal. If a signal comes while another one waits, the monitor receives them
//!   together, still after both notes.
//! - *A cover comes if its worker is still away.* When the monitor takes, it counts the missing
//!   workers, under the lock of the lists. If the worker is back by then, the monitor still starts
//!   one thread, unless there is a spare: otherwise each short call of `blocking` would signal the
//!   monitor.
//! - *At the end.* The monitor takes for the last time after the phase is *ended*. Then it starts
//!   no more covers and exit workers, but still reports refusals and sends wakes. What is noted
//!   later is not taken: exit waits for workers that block by then according to its rules, or
//!   leaves them behind.
//! - *No waker is lost.* What the monitor has left, or has brought back because no thread could be
//!   started, main's thread takes when it no longer waits for the monitor. Wakers that come later
//!   are refused, and those who bring them have them called.
//!
//! Modelled in `tests/models/thread_requests_model.rs`. `helper_threads.rs` has the threads that call
//! wakers and report refusals.
//!
//! # Rejected
//!
//! - A thread that is kept for this, as in Go: the monitor sleeps most of the time. It looks here
//!   first, and its other work takes less time than a thread takes to start.
//! - Threads started by the thread that needs them, which then undo what they inherited: there is
//!   no list of all that, and some of it, such as a namespace, cannot be undone.

#![forbid(unsafe_code)]

use std::io;
use std::mem;
use std::task::Waker;

use crate::primitives::{AtomicBool, AtomicUsize, Mutex, Ordering, lock};

pub(crate) struct ThreadRequests {
    /// Threads to start as covers for workers that have announced that they block.
    covers: AtomicUsize,
    /// Threads to start, at exit, that drop what no worker reaches.
    exit_workers: AtomicUsize,
    /// Why the first cover was refused, until that is reported; and whether a refusal was ever
    /// noted.
    refusal: Mutex<Option<String>>,
    refusal_noted: AtomicBool,
    /// Wakers to call on a thread of their own. `None` when main no longer waits for the monitor.
    wakes: Mutex<Option<Vec<Waker>>>,
}

impl ThreadRequests {
    pub(crate) fn new() -> Self {
        ThreadRequests {
            covers: AtomicUsize::new(0),
            exit_workers: AtomicUsize::new(0),
            refusal: Mutex::new(None),
            refusal_noted: AtomicBool::new(false),
            wakes: Mutex::new(Some(Vec::new())),
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

    /// How many exit workers exit still waits for: requested, but neither started nor refused.
    pub(crate) fn exit_workers(&self) -> usize {
        self.exit_workers.load(Ordering::SeqCst)
    }

    pub(crate) fn add_exit_worker(&self) {
        self.exit_workers.fetch_add(1, Ordering::SeqCst);
    }

    /// For the monitor: counts an exit worker that has been started, or refused.
    pub(crate) fn exit_worker_started(&self) {
        self.exit_workers.fetch_sub(1, Ordering::SeqCst);
    }

    /// Requests that `wakers` be called on a thread of their own. Returns them if main no longer
    /// waits for the monitor.
    pub(crate) fn add_wakes(&self, wakers: Vec<Waker>) -> Result<(), Vec<Waker>> {
        match &mut *lock(&self.wakes) {
            Some(wakes) => wakes.extend(wakers),
            None => return Err(wakers),
        }
        Ok(())
    }

    /// Whether the monitor has not served all of them.
    pub(crate) fn has_any(&self) -> bool {
        let has_wakes = lock(&self.wakes).as_ref().is_some_and(|wakes| !wakes.is_empty());
        has_wakes || self.covers.load(Ordering::SeqCst) > 0 || self.exit_workers() > 0
    }

    /// For the monitor.
    pub(crate) fn take_wakes(&self) -> Vec<Waker> {
        lock(&self.wakes).as_mut().map(mem::take).unwrap_or_default()
    }

    /// For main's thread, when it no longer waits for the monitor: takes those that are left, and
    /// refuses others from now on.
    pub(crate) fn end_wakes(&self) -> Vec<Waker> {
        lock(&self.wakes).take().unwrap_or_default()
    }

    /// For the monitor: takes the refusal to report.
    pub(crate) fn take_refusal(&self) -> Option<String> {
        lock(&self.refusal).take()
    }
}

pub(crate) fn too_many(limit: usize) -> io::Error {
    io::Error::other(format!("there are {limit} already, the limit"))
}
