//! What several test binaries share.
#![allow(dead_code, unused_imports, unused_macros)]

mod goroutines;
mod panics;
mod processes;
mod random;
mod resources;
mod scale;
mod simulated;
mod stress;
mod waiting;

pub(crate) use goroutines::*;
pub(crate) use panics::*;
pub(crate) use processes::*;
pub(crate) use random::*;
pub(crate) use resources::*;
pub(crate) use scale::*;
pub(crate) use simulated::*;
pub(crate) use stress::*;
pub(crate) use waiting::*;

pub(crate) const HOUR: std::time::Duration = std::time::Duration::from_secs(3600);
