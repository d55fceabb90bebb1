//! A process that was started: whether it has ended, and who waits for that.
//!
//! The first one who waits starts a thread for it. `shared_child` makes sure that a kill reaches this
//! process or none: it reaps under its lock, so the number of the process is not given to another one
//! while somebody uses it.

#![forbid(unsafe_code)]

use std::future::Future;
use std::io;
use std::mem;
use std::process::ExitStatus;
use std::sync::Arc;
use std::thread;

use shared_child::SharedChild;

use crate::scheduler::gate::Operation;
use crate::sync::wait_until::wait_until;
use crate::sync::waitable::{Attempt, Waitable};

pub(super) struct Running {
    child: SharedChild,
    state: Waitable<State>,
}

#[derive(Default)]
struct State {
    /// `io::Error`s cannot be cloned.
    ended: Option<Result<ExitStatus, (io::ErrorKind, String)>>,
    /// A thread waits for it.
    is_watched: bool,
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
        let status = self.child.try_wait()?;
        if let Some(status) = status {
            self.end(Ok(status));
        }
        Ok(status)
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
        let watch = move || this.end(this.child.wait());
        thread::Builder::new().name("gorun-child".to_owned()).spawn(watch).map(drop).map_err(
            |error| {
                self.state.with(|inner, _| inner.state.is_watched = false);
                let text = format!("the system refuses the thread that waits for a child: {error}");
                io::Error::new(error.kind(), text)
            },
        )
    }

    fn end(&self, outcome: io::Result<ExitStatus>) {
        let outcome = outcome.map_err(|error| (error.kind(), error.to_string()));
        self.state.with(|inner, wakes| {
            inner.state.ended.get_or_insert(outcome);
            wakes.release_all(&mut inner.queue);
        });
    }

    /// Until it has ended; somebody has to watch it.
    pub(super) fn ended(&self) -> impl Future<Output = io::Result<ExitStatus>> {
        let ended = |attempt: Attempt<'_, State>| attempt.state.ended.clone();
        wait_until(&self.state, Operation::Wait, ended, |outcome| {
            outcome.map_err(|(kind, text)| io::Error::new(kind, text))
        })
    }
}
