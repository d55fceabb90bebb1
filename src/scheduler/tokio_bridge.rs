//! The bridge to a tokio runtime, for crates that need one.
//!
//! Such a crate finds its runtime by a thread-local of tokio's, the *context*. Each thread that runs
//! code of our users is in it: workers and spares, main, threads in `Handle::block_on`. A thread enters
//! it once, where it enters ours (`context.rs`), and leaves it there. Entering for each poll instead, as
//! `async-compat` does, costs two writes to a counter that all threads share.
//!
//! What tokio runs is on tokio's threads: tasks, timers, sockets. There `gorun::spawn` and the timers
//! belong to the bridge's runtime. It is found by the id of tokio's runtime, since somebody's runtime
//! has threads that we have not started.
//!
//! # The end
//!
//! Goroutines are dropped while tokio's runtime lives, as what they hold may need it. Then a runtime of
//! our own is shut down; its tasks that block get the grace of exit. Until it is, our timers ring: a task
//! of tokio's that waits for one is dropped as it waits, and does not panic because there is no timer any
//! more. Somebody's runtime goes on. A thread of its own shuts ours down: where main's thread is in
//! another tokio runtime, tokio refuses to wait on it.
//!
//! # Contexts that are left out of turn
//!
//! If a user's guards of tokio's context are dropped in a wrong order, tokio panics, and stays in that
//! context. Then it also panics where our guard is dropped, in code that must go on: the end of a worker,
//! or exit. So that panic ends there. The thread's last context has no use any more, but for main's
//! thread, which keeps what the user has left on it.
//!
//! # Rejected
//!
//! `block_in_place` around a `block_on` in a task of tokio's, so that tokio's other tasks go on: it panics
//! in a `LocalSet`, where `block_on` works, and tokio does not say beforehand.

#![forbid(unsafe_code)]

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::thread;
use std::time::Duration;

pub(crate) use tokio::runtime::Id;
use tokio::runtime::{EnterGuard, Handle, Runtime};

use crate::primitives::lock;

pub(crate) struct TokioBridge {
    handle: Handle,
    /// Until it is shut down.
    own: Mutex<Option<Runtime>>,
}

impl TokioBridge {
    /// To a runtime of our own.
    pub(crate) fn start(workers: usize, thread_name: &str) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(workers)
            .thread_name(format!("{thread_name}-tokio"))
            .enable_all()
            .build()?;
        Ok(TokioBridge { handle: runtime.handle().clone(), own: Mutex::new(Some(runtime)) })
    }

    /// To somebody's runtime.
    pub(crate) fn to(handle: Handle) -> Self {
        TokioBridge { handle, own: Mutex::new(None) }
    }

    pub(crate) fn id(&self) -> Id {
        self.handle.id()
    }

    /// The calling thread is in tokio's context until the guard is dropped.
    pub(crate) fn enter(&self) -> Entered<'_> {
        Entered(Some(self.handle.enter()))
    }

    /// Shuts down a runtime of our own. What blocks in it may take so long.
    pub(crate) fn shut_down(&self, grace: Duration) {
        let Some(runtime) = lock(&self.own).take() else { return };
        let mut runtime = Some(runtime);
        thread::scope(|scope| {
            let shut_down = || runtime.take().map(|runtime| runtime.shutdown_timeout(grace));
            let thread = thread::Builder::new().name("gorun-tokio-end".to_owned());
            // If the system refuses it, the runtime is still there.
            let _ = thread.spawn_scoped(scope, shut_down);
        });
        if let Some(runtime) = runtime {
            runtime.shutdown_background();
        }
    }
}

/// In tokio's context, until it is dropped.
pub(crate) struct Entered<'a>(Option<EnterGuard<'a>>);

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        let guard = self.0.take();
        // tokio has reported it.
        let _ = catch_unwind(AssertUnwindSafe(|| drop(guard)));
    }
}

/// If the runtime of the bridge could not start.
impl Drop for TokioBridge {
    fn drop(&mut self) {
        self.shut_down(Duration::ZERO);
    }
}

/// The id of tokio's runtime in whose context the calling thread is.
pub(crate) fn current_id() -> Option<Id> {
    Handle::try_current().ok().map(|handle| handle.id())
}
