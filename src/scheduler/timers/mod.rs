//! Timers: all of them, and one as its owner has it.

#![forbid(unsafe_code)]

pub(crate) mod timer;
pub(crate) mod timer_queue;
