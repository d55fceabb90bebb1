//! Calls of the user's code that must not cost anybody else anything if they panic.

#![forbid(unsafe_code)]

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::task::Waker;
use std::thread;

use crate::scheduler::main_guard::discard;

/// The first panic of several steps. It goes on when all of them have been taken.
#[derive(Default)]
pub(crate) struct FirstPanic(Option<Box<dyn Any + Send>>);

impl FirstPanic {
    pub(crate) fn after(&mut self, step: impl FnOnce()) {
        if let Err(payload) = catch_unwind(AssertUnwindSafe(step)) {
            match self.0 {
                None => self.0 = Some(payload),
                Some(_) => discard(payload),
            }
        }
    }

    pub(crate) fn after_each(&mut self, wakes: Vec<Waker>) {
        for waker in wakes {
            self.after(|| waker.wake());
        }
    }

    pub(crate) fn go_on(self) {
        match self.0 {
            None => {}
            // A second panic on this thread would end the process.
            Some(payload) if thread::panicking() => discard(payload),
            Some(payload) => resume_unwind(payload),
        }
    }
}

/// Wakes all of them, even if a waker of the user's panics.
pub(crate) fn wake_all(wakes: Vec<Waker>) {
    let mut panic = FirstPanic::default();
    panic.after_each(wakes);
    panic.go_on();
}

/// Drops a waker while there is an outcome to be handed over, which a panic would take along. The panic
/// goes no further: the hook has reported it.
pub(crate) fn drop_quietly(waker: Waker) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(waker))) {
        discard(payload);
    }
}
