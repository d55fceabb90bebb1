//! Driving a future on the calling thread, main's or a nested `block_on`'s; and start and end of a
//! runtime.

#![forbid(unsafe_code)]

pub(crate) mod drive;
pub(crate) mod driver;
pub(crate) mod exit;
pub(crate) mod grace;
pub(crate) mod left_behind;
pub(crate) mod local_futures;
pub(crate) mod main_end;
pub(crate) mod main_guard;
pub(crate) mod main_sleep;
mod start;
