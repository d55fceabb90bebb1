//! Environment variables that change settings.

#![forbid(unsafe_code)]

use std::ffi::{OsStr, OsString};
use std::io;
use std::time::Duration;

use super::invalid;
use crate::duration;

/// The environment variable that sets the number of workers.
pub(super) const WORKERS_VARIABLE: &str = "GORUN_WORKER_THREADS";

/// The environment variable that has goroutines reported that block their workers for longer.
pub(super) const BLOCKED_VARIABLE: &str = "GORUN_BLOCKED";

/// An environment variable that is set and not empty.
pub(super) fn variable(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}

pub(super) fn blocked_after(value: &OsStr) -> io::Result<Duration> {
    value.to_str().and_then(|text| duration::parse(text.trim())).ok_or_else(|| {
        invalid(format!(
            "the environment variable {BLOCKED_VARIABLE} is {value:?}; set it to a duration such as \
             100ms or 1.5s, or unset it for no reports"
        ))
    })
}
