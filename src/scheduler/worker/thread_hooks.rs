//! User code at the start and the end of a worker's thread.
//!
//! The hook at the start runs before the thread takes its first goroutine, inside the runtime. The
//! hook at the end runs after its last one, when the worker has left the scheduler's lists; so it is
//! in the place of a destructor of a thread-local, and runs before those. The threads that run
//! goroutines have them: workers, spares, and those that drop goroutines at exit.
//!
//! A panic in one is unhandled, like a foreign waker's, and the thread goes on.

#![forbid(unsafe_code)]

use std::panic::{AssertUnwindSafe, RefUnwindSafe, UnwindSafe, catch_unwind};
use std::sync::Arc;

use crate::scheduler::main::main_guard::MainGuard;

/// Those of a runtime.
#[derive(Clone, Default)]
pub(crate) struct ThreadHooks {
    pub(crate) start: Option<ThreadHook>,
    pub(crate) stop: Option<ThreadHook>,
}

#[derive(Clone)]
pub(crate) struct ThreadHook(pub(crate) Arc<dyn Fn() + Send + Sync>);

/// gorun catches its panics; the hook answers for any state it leaves behind.
impl UnwindSafe for ThreadHook {}
impl RefUnwindSafe for ThreadHook {}

impl ThreadHook {
    pub(crate) fn call(&self, main: &MainGuard) {
        if let Err(payload) = catch_unwind(AssertUnwindSafe(|| self.0())) {
            main.unhandled(payload, None);
        }
    }
}
