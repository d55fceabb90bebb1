//! How Windows brings Ctrl-C: the system calls `ctrlc`'s handler, which hands it to a thread.

#![forbid(unsafe_code)]

use std::io;
use std::process;

use crate::signal::kind::Signal;

/// What the system ends a program with that does not handle Ctrl-C (`STATUS_CONTROL_C_EXIT`).
const CONTROL_C_EXIT: i32 = 0xC000_013A_u32 as i32;

pub(super) const KINDS: usize = 1;

pub(super) struct Source(());

impl Source {
    pub(super) fn start(deliver: fn(Signal)) -> io::Result<Self> {
        ctrlc::try_set_handler(move || deliver(Signal::Int)).map_err(io::Error::other)?;
        Ok(Source(()))
    }

    /// Ctrl-C comes from the start. There is nothing else.
    pub(super) fn add(&self, _: Signal) -> io::Result<()> {
        Ok(())
    }
}

pub(super) fn default_action(_: Signal) {
    process::exit(CONTROL_C_EXIT);
}

pub(super) fn is_ignored(_: Signal) -> bool {
    false
}

/// Nothing is certain on Windows anyway.
pub(super) fn note_dumps_at(_: Signal) {}
