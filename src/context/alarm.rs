//! What ends a scope at its deadline: a goroutine that sleeps until then.
//!
//! It does not keep the scope alive. When the scope ends, or nobody uses it any more, the scope
//! aborts the goroutine. If the goroutine is gone before that, the runtime has ended, and nobody
//! keeps the time any more. Then the scope is cancelled: code that waits elsewhere must not wait
//! for ever.

#![forbid(unsafe_code)]

use std::sync::{Arc, Weak};
use std::time::Instant;

use crate::clock;
use crate::context::error::{Cause, ContextError};
use crate::context::scope::Scope;
use crate::spawn::spawn;
use crate::time::sleep_until;

/// Ends the scope at `deadline`, or at once if that has passed.
#[track_caller]
pub(super) fn set(scope: &Arc<Scope>, deadline: Instant, cause: Option<Cause>) {
    if scope.error().is_some() {
        return;
    }
    if clock::now() >= deadline {
        return scope.end(ContextError::DeadlineExceeded, cause);
    }
    let sleep = sleep_until(deadline);
    let alarm = Alarm { scope: Arc::downgrade(scope), cause };
    let goroutine = spawn(async move {
        sleep.await;
        alarm.end(ContextError::DeadlineExceeded);
    });
    scope.keep_alarm(goroutine.abort_handle());
}

struct Alarm {
    scope: Weak<Scope>,
    cause: Option<Cause>,
}

impl Alarm {
    fn end(&self, error: ContextError) {
        if let Some(scope) = self.scope.upgrade()
            && scope.error().is_none()
        {
            let is_deadline = error == ContextError::DeadlineExceeded;
            scope.end(error, self.cause.clone().filter(|_| is_deadline));
        }
    }
}

impl Drop for Alarm {
    fn drop(&mut self) {
        self.end(ContextError::Cancelled);
    }
}
