//! Timers: one as its owner holds it, and the queue of all of them.

#![forbid(unsafe_code)]

pub(crate) mod timer;
pub(crate) mod timer_queue;
