//! How many threads a runtime has.

#![forbid(unsafe_code)]

use std::ffi::OsString;
use std::io;
use std::num::NonZeroUsize;

use super::variables::{WORKERS_VARIABLE, invalid};
use crate::scheduler::shared::usable_cores;

/// More than any machine has cores; a larger number is a mistake.
const MAX_WORKERS: usize = 4096;

/// The largest number of threads that the scheduler can tell apart.
const MOST_THREADS: usize = 1 << 15;

/// The default limit for workers and spares together.
pub(super) const DEFAULT_MAX_THREADS: usize = 512;

pub(super) struct ThreadCounts {
    pub(super) workers: usize,
    /// Nobody has set their number.
    pub(super) follows_cpu_limits: bool,
    /// Of workers and spares together.
    pub(super) most: usize,
}

impl ThreadCounts {
    /// From what the program has set, and the value of the environment variable for workers.
    pub(super) fn of(
        set: Option<NonZeroUsize>,
        variable: Option<OsString>,
        most: Option<NonZeroUsize>,
    ) -> io::Result<Self> {
        let most = most.map(NonZeroUsize::get);
        let follows_cpu_limits = set.is_none() && variable.is_none();
        let workers = match (set, variable) {
            (Some(n), _) => in_range(n.get()).ok_or_else(|| {
                invalid(format!("`worker_threads({n})` is more than {MAX_WORKERS}; use fewer"))
            })?,
            (None, Some(value)) => {
                let parsed = value.to_str().and_then(|text| text.trim().parse().ok());
                parsed.and_then(in_range).ok_or_else(|| {
                    invalid(format!(
                        "the environment variable {WORKERS_VARIABLE} is {value:?}; set it to a \
                         number from 1 to {MAX_WORKERS}, or unset it for one worker per usable core"
                    ))
                })?
            }
            (None, None) => usable_cores().min(MAX_WORKERS).min(most.unwrap_or(MAX_WORKERS)),
        };
        let most = most.unwrap_or(DEFAULT_MAX_THREADS.max(workers));
        if most > MOST_THREADS {
            return Err(invalid(format!(
                "`max_threads({most})` is more than {MOST_THREADS}; allow fewer"
            )));
        }
        if most < workers {
            return Err(invalid(format!(
                "`max_threads({most})` is fewer than the {workers} worker threads; allow more"
            )));
        }
        Ok(ThreadCounts { workers, follows_cpu_limits, most })
    }
}

fn in_range(workers: usize) -> Option<usize> {
    (1..=MAX_WORKERS).contains(&workers).then_some(workers)
}
