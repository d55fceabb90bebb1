//! What the operating system says of a thread: whether it is asleep, and how long it has run.
//!
//! Linux reports both in `/proc`. On other systems every thread counts as computing.
//!
//! Rejected: a crate for it. `rustix` or `libc` would provide only the thread's number, `procfs`
//! parses fifty fields, and the standard library reads files and links.

#![forbid(unsafe_code)]

use std::fs;
use std::time::Duration;

/// The operating system's number of a thread; zero if there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OsThreadId(pub(crate) u32);

impl OsThreadId {
    /// The calling thread's.
    pub(crate) fn current() -> Self {
        // A link to `<process>/task/<thread>`.
        let link =
            if cfg!(target_os = "linux") { fs::read_link("/proc/thread-self").ok() } else { None };
        let name = link.as_deref().and_then(|link| link.file_name()?.to_str());
        OsThreadId(name.and_then(|name| name.parse().ok()).unwrap_or(0))
    }

    /// Whether the thread waits in the kernel, for a lock, a file, or time to pass.
    pub(crate) fn is_asleep(self) -> bool {
        if self.0 == 0 {
            return false;
        }
        let path = format!("/proc/self/task/{}/stat", self.0);
        fs::read(path).is_ok_and(|line| matches!(state(&line), Some(b'S' | b'D')))
    }

    /// How long it has run on a core so far.
    pub(crate) fn core_time(self) -> Option<Duration> {
        let text = fs::read_to_string(format!("/proc/self/task/{}/schedstat", self.0)).ok()?;
        Some(Duration::from_nanos(text.split_whitespace().next()?.parse().ok()?))
    }
}

/// The state in a line of `/proc/<process>/task/<thread>/stat`: the letter after the name, which is
/// in parentheses and may itself contain some.
fn state(line: &[u8]) -> Option<u8> {
    let name_ends = line.iter().rposition(|&byte| byte == b')')?;
    line.get(name_ends + 2).copied()
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;
    use std::thread;

    use super::*;

    #[test]
    fn the_state_comes_after_the_name_whatever_that_is() {
        assert_eq!(state(b"17 (gorun-0) S 1 17"), Some(b'S'));
        assert_eq!(state(b"17 (a) R (b) D 1 17"), Some(b'D'));
        assert_eq!(state(b"17 (gorun-0)"), None);
        assert_eq!(state(b""), None);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_thread_that_waits_is_asleep_and_the_running_one_is_not() {
        let (to_parent, from_child) = channel();
        let (stop, stopped) = channel::<()>();
        let child = thread::spawn(move || {
            to_parent.send(OsThreadId::current()).unwrap();
            stopped.recv().unwrap_err();
        });
        let number = from_child.recv().unwrap();
        while !number.is_asleep() {
            thread::yield_now();
        }
        assert!(!OsThreadId::current().is_asleep());
        assert_ne!(OsThreadId::current(), number);
        drop(stop);
        child.join().unwrap();
        assert!(!number.is_asleep());
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn the_time_on_a_core_grows_while_a_thread_computes() {
        let number = OsThreadId::current();
        let before = number.core_time().unwrap();
        while number.core_time().unwrap() < before + Duration::from_millis(5) {}
    }

    #[test]
    fn a_thread_without_a_number_computes() {
        assert!(!OsThreadId(0).is_asleep());
        assert_eq!(OsThreadId(0).core_time(), None);
    }
}
