//! What a goroutine came to, until somebody takes it or nobody can any more.

#![forbid(unsafe_code)]

use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::sync::Arc;

use crate::join_error::JoinError;
use crate::scheduler::context;
use crate::scheduler::main_guard::{self, MainGuard, Payload};

/// The output of the wrapper. Dropped while it holds a panic, it *is* the unhandled panic.
pub(crate) struct Outcome<T>(Option<Result<T, Failure>>);

enum Failure {
    Cancelled(&'static Location<'static>),
    Panicked {
        payload: Payload,
        /// Whom to tell if nobody takes the payload.
        main: Arc<MainGuard>,
        spawned_at: &'static Location<'static>,
    },
}

impl<T> Outcome<T> {
    pub(crate) fn value(value: T) -> Self {
        Outcome(Some(Ok(value)))
    }

    pub(crate) fn cancelled(spawned_at: &'static Location<'static>) -> Self {
        Outcome(Some(Err(Failure::Cancelled(spawned_at))))
    }

    pub(crate) fn panicked(
        payload: Payload,
        main: &Arc<MainGuard>,
        spawned_at: &'static Location<'static>,
    ) -> Self {
        let main = main.clone();
        Outcome(Some(Err(Failure::Panicked { payload, main, spawned_at })))
    }

    /// A second panic, in the destructor of the future: it takes the place of a value, but the
    /// first panic stays.
    pub(crate) fn then_panicked(self, second: Self) -> Self {
        match &self.0 {
            Some(Err(Failure::Panicked { .. })) => {
                second.discard_panic();
                self
            }
            _ => second,
        }
    }

    /// Gives the result to whoever awaits the handle.
    pub(crate) fn take(mut self) -> Result<T, JoinError> {
        match self.0.take().expect("an outcome is taken once") {
            Ok(value) => Ok(value),
            Err(Failure::Cancelled(spawned_at)) => Err(JoinError::cancelled(spawned_at)),
            Err(Failure::Panicked { payload, spawned_at, .. }) => {
                Err(JoinError::panicked(payload, spawned_at))
            }
        }
    }

    fn discard_panic(mut self) {
        if let Some(Err(Failure::Panicked { payload, .. })) = self.0.take() {
            main_guard::discard(payload);
        }
    }
}

impl<T> Drop for Outcome<T> {
    fn drop(&mut self) {
        match self.0.take() {
            None | Some(Err(Failure::Cancelled(_))) => {}
            Some(Err(Failure::Panicked { payload, main, spawned_at })) => {
                if context::with_inside(|c| c.is_some_and(|c| c.dropping_at_exit.get())) {
                    main_guard::discard(payload);
                } else {
                    main.unhandled(payload, Some(spawned_at));
                }
            }
            Some(Ok(value)) => drop_value(value),
        }
    }
}

/// Drops an output nobody wants, and takes note if its destructor panics.
fn drop_value<T>(value: T) {
    let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(value))) else { return };
    context::with_inside(|context| match context {
        Some(context) => context.scheduler.main.unhandled(payload, context.running.get()),
        None => main_guard::report_stray(payload),
    });
}
