//! What this process has taken of the system, where that tells (Linux).

use std::fs;
use std::time::Duration;

fn count(directory: &str) -> usize {
    fs::read_dir(directory).map_or(0, Iterator::count)
}

/// How many descriptors this process has.
pub(crate) fn descriptors() -> usize {
    count("/proc/self/fd")
}

/// How many threads this process has.
pub(crate) fn threads() -> usize {
    count("/proc/self/task")
}

/// The time that all threads have computed.
#[cfg(target_os = "linux")]
pub(crate) fn computed() -> Duration {
    let clock = nix::time::ClockId::CLOCK_PROCESS_CPUTIME_ID;
    nix::time::clock_gettime(clock).unwrap().into()
}

/// How many connections of which it has both ends this process may have.
#[cfg(target_os = "linux")]
pub(crate) fn most_connections() -> usize {
    use nix::sys::resource::{Resource, getrlimit};
    let (limit, _) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    (limit as usize).saturating_sub(200) / 2
}
