//! The result of one goroutine of a set.

#![forbid(unsafe_code)]

use std::panic::Location;

use crate::join_error::JoinError;
use crate::scheduler::context;
use crate::scheduler::goroutine::outcome::Outcome;

/// The result. Dropping this counts as not taking the result.
pub(super) struct Finished<T> {
    outcome: Option<Outcome<T>>,
    spawned_at: &'static Location<'static>,
}

impl<T> Finished<T> {
    pub(super) fn new(outcome: Outcome<T>, spawned_at: &'static Location<'static>) -> Self {
        Finished { outcome: Some(outcome), spawned_at }
    }

    pub(super) fn take(mut self) -> Result<T, JoinError> {
        self.outcome.take().expect("it is taken once").take()
    }
}

impl<T> Drop for Finished<T> {
    fn drop(&mut self) {
        if let Some(outcome) = self.outcome.take() {
            context::with_result_of(self.spawned_at, || drop(outcome));
        }
    }
}
