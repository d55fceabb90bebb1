//! Panic payloads, and how to drop them.

#![forbid(unsafe_code)]

use std::any::Any;
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};

pub(crate) type Payload = Box<dyn Any + Send>;

/// Reports on standard error that a value's destructor panicked where there is no runtime to tell.
pub(crate) fn report_stray(payload: Payload) {
    let _ = writeln!(
        std::io::stderr(),
        "gorun: the destructor of a goroutine's result panicked where nobody can observe it",
    );
    discard(payload);
}

/// The text of a payload, if it has one.
pub(crate) fn text(payload: &(dyn Any + Send)) -> Option<String> {
    let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| payload.downcast_ref::<String>().cloned())
}

/// Drops a payload, whatever its destructor does. A destructor that panics leaves another payload.
pub(crate) fn discard(mut payload: Payload) {
    const LIMIT: usize = 16;
    for _ in 0..LIMIT {
        match catch_unwind(AssertUnwindSafe(|| drop(payload))) {
            Ok(()) => return,
            Err(another) => payload = another,
        }
    }
    // This could go on for ever.
    std::mem::forget(payload);
}
