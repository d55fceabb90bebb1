//! A process that was started: whether it has ended, and who waits for that.
//!
//! The first one who waits starts a thread for it. `shared_child` makes sure that a kill reaches this
//! process or none: it reaps under its lock, so the number of the process is not given to another one
//! while somebody uses it. (Unless code that is not ours reaps it.)
//!
//! The thread calls the wakers of those who wait. One of another executor that blocks holds up this
//! thread, and those who wait for the same child.

#![forbid(unsafe_code)]

use std::future::Future;
use std::io;
use std::mem;
use std::process::ExitStatus;
use std::sync::Arc;
use std::thread;

use shared_child::SharedChild;

use crate::scheduler::deadlock::outsiders::Counted;
use crate::scheduler::operation::Operation;
use crate::sync::wait_until::wait_until;
use crate::sync::waitable::{Attempt, Waitable};
use crate::system_error::no_thread;

/// There may be many such threads. They only wait, and call wakers, which may be a user's.
const STACK_SIZE: usize = 256 << 10;

pub(super) struct Running {
    child: SharedChild,
    state: Waitable<State>,
}

#[derive(Default)]
struct State {
    ended: Option<io::Result<ExitStatus>>,
    /// A thread waits for it.
    is_watched: bool,
}

impl State {
    fn outcome(&self) -> Option<io::Result<ExitStatus>> {
        Some(match self.ended.as_ref()? {
            Ok(status) => Ok(*status),
            // `io::Error`s cannot be cloned, but the system's are numbers.
            Err(error) => Err(match error.raw_os_error() {
                Some(number) => io::Error::from_raw_os_error(number),
                None => error.kind().into(),
            }),
        })
    }
}

impl Running {
    pub(super) fn new(child: SharedChild) -> Arc<Self> {
        Arc::new(Running { child, state: Waitable::new(State::default()) })
    }

    pub(super) fn child(&self) -> &SharedChild {
        &self.child
    }

    /// Whether a thread will reap it, or has, or somebody else has.
    pub(super) fn is_taken_care_of(&self) -> bool {
        self.state.with(|inner, _| inner.state.is_watched || inner.state.ended.is_some())
    }

    pub(super) fn try_wait(&self) -> io::Result<Option<ExitStatus>> {
        let known = || self.state.with(|inner, _| inner.state.outcome());
        if known().is_none()
            && let Some(outcome) = self.child.try_wait().transpose()
        {
            self.end(outcome);
        }
        known().transpose()
    }

    /// Nothing if it is known to be gone: after an error too, since somebody else has reaped it then,
    /// and another process may have its number.
    pub(super) fn kill(&self) -> io::Result<()> {
        match self.state.with(|inner, _| inner.state.ended.is_some()) {
            true => Ok(()),
            false => self.child.kill(),
        }
    }

    /// Makes sure that the end will be noticed.
    pub(super) fn watch(self: &Arc<Self>) -> io::Result<()> {
        if self.is_taken_care_of() || self.try_wait()?.is_some() {
            return Ok(());
        }
        if self.state.with(|inner, _| mem::replace(&mut inner.state.is_watched, true)) {
            return Ok(());
        }
        let this = self.clone();
        let thread = thread::Builder::new().name("gorun-child".to_owned()).stack_size(STACK_SIZE);
        let may_wake = Counted::may_wake();
        let started = thread.spawn(move || {
            may_wake.until_thread_ends();
            this.end(this.child.wait());
        });
        started.map(drop).map_err(|error| {
            self.state.with(|inner, _| inner.state.is_watched = false);
            no_thread("waits for a child", error)
        })
    }

    fn end(&self, outcome: io::Result<ExitStatus>) {
        self.state.with(|inner, wakes| {
            inner.state.ended.get_or_insert(outcome);
            wakes.release_all(&mut inner.queue);
        });
    }

    /// Until it has ended; somebody has to watch it.
    pub(super) fn ended(&self) -> impl Future<Output = io::Result<ExitStatus>> {
        let ended = |attempt: Attempt<'_, State>| attempt.state.outcome();
        wait_until(&self.state, Operation::Child, ended, |outcome| outcome)
    }
}
