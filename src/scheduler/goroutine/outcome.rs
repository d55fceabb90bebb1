//! A goroutine's result, until its handle takes it or no longer can.

#![allow(unsafe_code)]

use std::mem::{ManuallyDrop, needs_drop};
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::sync::Arc;

use crate::join_error::JoinError;
use crate::panics::{self, Payload};
use crate::scheduler::context;
use crate::scheduler::main::main_guard::MainGuard;

/// The output of the wrapper. If it is dropped while it holds a panic, that panic is unhandled.
///
/// It lies in the goroutine's allocation, so it is kept small: a failure is rare, and boxed.
pub(crate) struct Outcome<T>(Result<Value<T>, Box<Failure>>);

enum Failure {
    Cancelled(&'static Location<'static>),
    Panicked {
        /// `None` once it has been taken.
        payload: Option<Payload>,
        /// Is told of the panic if the payload is never taken.
        main: Arc<MainGuard>,
        spawned_at: &'static Location<'static>,
    },
}

impl<T> Outcome<T> {
    #[inline]
    pub(crate) fn value(value: T) -> Self {
        Outcome(Ok(Value(ManuallyDrop::new(value))))
    }

    pub(crate) fn cancelled(spawned_at: &'static Location<'static>) -> Self {
        Outcome(Err(Box::new(Failure::Cancelled(spawned_at))))
    }

    #[cold]
    pub(crate) fn panicked(
        payload: Payload,
        main: &Arc<MainGuard>,
        spawned_at: &'static Location<'static>,
    ) -> Self {
        let (payload, main) = (Some(payload), main.clone());
        Outcome(Err(Box::new(Failure::Panicked { payload, main, spawned_at })))
    }

    /// Adds a second panic, from the destructor of the future. It replaces a value, but not a first
    /// panic.
    #[cold]
    pub(crate) fn then_panicked(self, second: Self) -> Self {
        match &self.0 {
            Err(failure) if matches!(**failure, Failure::Panicked { .. }) => {
                second.discard_panic();
                self
            }
            _ => second,
        }
    }

    /// Gives the result to the task that awaits the handle.
    #[inline]
    pub(crate) fn take(self) -> Result<T, JoinError> {
        match self.0 {
            Ok(value) => Ok(value.into_inner()),
            Err(mut failure) => Err(failure.take_error()),
        }
    }

    fn discard_panic(mut self) {
        if let Err(failure) = &mut self.0
            && let Failure::Panicked { payload, .. } = &mut **failure
        {
            payload.take().into_iter().for_each(panics::discard);
        }
    }
}

impl Failure {
    #[cold]
    fn take_error(&mut self) -> JoinError {
        match self {
            Failure::Cancelled(spawned_at) => JoinError::cancelled(spawned_at),
            Failure::Panicked { payload, spawned_at, .. } => {
                JoinError::panicked(payload.take().expect("a panic is taken once"), spawned_at)
            }
        }
    }
}

impl Drop for Failure {
    fn drop(&mut self) {
        let Failure::Panicked { payload, main, spawned_at } = self else { return };
        let Some(payload) = payload.take() else { return };
        if context::with_inside(|c| c.is_some_and(|c| c.dropping_at_exit.get())) {
            panics::discard(payload);
        } else {
            main.unhandled(payload, Some(spawned_at));
        }
    }
}

/// A value whose destructor may panic without harm if the value is never taken.
///
/// An `Option` in place of the `ManuallyDrop` would need no unsafe code, but eight bytes more in
/// each goroutine that returns nothing.
struct Value<T>(ManuallyDrop<T>);

impl<T> Value<T> {
    #[inline]
    fn into_inner(self) -> T {
        let mut this = ManuallyDrop::new(self);
        // SAFETY: `this` is not used again, and being a `ManuallyDrop` is not dropped either.
        // Exercised by `soundness::results_taken_and_not_taken`.
        unsafe { ManuallyDrop::take(&mut this.0) }
    }
}

impl<T> Drop for Value<T> {
    #[inline]
    fn drop(&mut self) {
        if needs_drop::<T>() {
            // SAFETY: a value is dropped once, and `into_inner` does not drop it at all.
            // Exercised by `soundness::results_taken_and_not_taken`.
            drop_value(unsafe { ManuallyDrop::take(&mut self.0) });
        }
    }
}

/// Drops an output that was never taken, and records a panic of its destructor.
fn drop_value<T>(value: T) {
    let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(value))) else { return };
    context::with_inside(|context| match context {
        Some(context) => {
            context.scheduler.main.unhandled(payload, context.dropping_result_of.get())
        }
        None => panics::report_stray(payload),
    });
}
