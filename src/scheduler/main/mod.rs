//! Main: the future that a thread drives, and the end of its runtime.

#![forbid(unsafe_code)]

pub(crate) mod drive;
pub(crate) mod driver;
pub(crate) mod exit;
pub(crate) mod grace;
pub(crate) mod left_behind;
pub(crate) mod main_guard;
mod start;
