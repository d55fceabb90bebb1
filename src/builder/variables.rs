//! Environment variables that change settings.

#![forbid(unsafe_code)]

use std::ffi::{OsStr, OsString};
use std::io;
use std::time::Duration;

use crate::duration;
use crate::rng::{SEED_VARIABLE, requested_seed};

/// The environment variable that sets the number of workers.
pub(super) const WORKERS_VARIABLE: &str = "GORUN_WORKER_THREADS";

/// The environment variable that enables reports of goroutines that block a worker longer than
/// this.
pub(super) const BLOCKED_VARIABLE: &str = "GORUN_BLOCKED";

/// The environment variable that asks for full diagnostics.
const DIAGNOSTICS_VARIABLE: &str = "GORUN_DIAGNOSTICS";

/// The environment variable that asks for dumps: at a signal, or
pub(super) const DUMP_VARIABLE: &str = "GORUN_DUMP";

/// at a panic.
pub(super) const ON_PANIC: &str = "panic";

/// The value of an environment variable that is set and not empty.
pub(super) fn variable(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}

/// Checks the seed at the start, because the code that draws a random choice cannot report an
/// error.
pub(super) fn check_seed() -> io::Result<()> {
    match requested_seed() {
        Some(Err(value)) => Err(invalid(format!(
            "the environment variable {SEED_VARIABLE} is {value:?}; set it to a number from 0 to {}, or \
             unset it for other random choices in each run",
            u64::MAX,
        ))),
        _ => Ok(()),
    }
}

pub(super) fn blocked_after(value: &OsStr) -> io::Result<Duration> {
    value.to_str().and_then(|text| duration::parse(text.trim())).ok_or_else(|| {
        invalid(format!(
            "the environment variable {BLOCKED_VARIABLE} is {value:?}; set it to a duration such as \
             100ms or 1.5s, or unset it for no reports"
        ))
    })
}

/// As the program says, or else the environment.
pub(super) fn diagnostics_are_full(setting: Option<bool>) -> io::Result<bool> {
    if let Some(full) = setting {
        return Ok(full);
    }
    let Some(value) = variable(DIAGNOSTICS_VARIABLE) else { return Ok(false) };
    match value.to_str().map(str::trim) {
        Some("full") => Ok(true),
        Some("off") => Ok(false),
        _ => Err(invalid(format!(
            "the environment variable {DIAGNOSTICS_VARIABLE} is {value:?}; set it to full, for dumps that say for how long \
             each goroutine has been waiting and which ones nobody can wake, or to off, or unset it"
        ))),
    }
}

pub(super) fn invalid(message: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, message)
}
