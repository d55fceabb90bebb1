//! Which threads and signal handlers a process has, as Linux tells it.
//!
//! Both are in one file of the system. Its number of threads is that of one moment. A thread counts from
//! before it runs until it runs no more, so a number that is too high may be out of date, and one that is as
//! expected cannot hide somebody.

#![forbid(unsafe_code)]

use std::fs;

use super::doubt::Doubt;
use crate::primitives::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

/// Signals whose handlers wake nobody: std's, which report a stack overflow, and glibc's own two.
const HARMLESS: [u32; 4] = [SIGBUS, SIGSEGV, 32, 33];
const SIGBUS: u32 = 7;
const SIGSEGV: u32 = 11;

/// Threads of gorun that wake nobody, but for a dump, unless they count below as well.
static QUIET: AtomicUsize = AtomicUsize::new(0);

/// Threads of gorun that may wake somebody at any time: they wait for something outside, or call users'
/// code.
static MAY_WAKE: AtomicUsize = AtomicUsize::new(0);

/// Signals that only cause a dump, as bits, the lowest for the first.
static CAUSE_DUMPS: AtomicU64 = AtomicU64::new(0);

/// The program has asked for signals, by `gorun::signal`.
static PROGRAM_LISTENS: AtomicBool = AtomicBool::new(false);

/// Counts a thread until it is dropped.
pub(crate) struct Counted(&'static AtomicUsize);

impl Counted {
    fn new(count: &'static AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Counted(count)
    }

    /// The calling thread wakes nobody. It drops this before it ends.
    #[cfg(any(feature = "io", feature = "signal"))]
    pub(crate) fn quiet() -> Self {
        Counted::new(&QUIET)
    }

    /// A thread, which may be about to start, may wake somebody until it drops this.
    pub(crate) fn may_wake() -> Self {
        Counted::new(&MAY_WAKE)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Whether a thread of gorun may wake somebody.
pub(crate) fn is_expected() -> bool {
    MAY_WAKE.load(Ordering::SeqCst) > 0
}

#[cfg(all(feature = "signal", unix))]
pub(crate) fn note_dump_signal(number: u32) {
    CAUSE_DUMPS.fetch_or(1 << (number - 1), Ordering::SeqCst);
}

#[cfg(feature = "signal")]
pub(crate) fn note_listener() {
    PROGRAM_LISTENS.store(true, Ordering::SeqCst);
}

pub(crate) fn program_listens() -> bool {
    PROGRAM_LISTENS.load(Ordering::SeqCst)
}

/// Who else may act in this process, where `own` threads are known to sleep or to ask.
pub(crate) fn outsider(own: usize) -> Option<Doubt> {
    let Some(Status { threads, handled }) = status() else { return Some(Doubt::System) };
    let known = own + QUIET.load(Ordering::SeqCst);
    if threads > known {
        return Some(Doubt::Threads(threads - known));
    }
    let dumps = if program_listens() { 0 } else { CAUSE_DUMPS.load(Ordering::SeqCst) };
    let harmless = HARMLESS.iter().fold(dumps, |all, number| all | 1 << (number - 1));
    let acting = handled & !harmless;
    (acting != 0).then(|| Doubt::Signal(acting.trailing_zeros() + 1))
}

fn status() -> Option<Status> {
    let is_linux = cfg!(target_os = "linux");
    let text = is_linux.then(|| fs::read_to_string("/proc/self/status"))?.ok()?;
    Status::parse(&text)
}

#[derive(Debug, PartialEq)]
struct Status {
    threads: usize,
    /// A bit for each signal, the lowest for the first.
    handled: u64,
}

impl Status {
    fn parse(text: &str) -> Option<Status> {
        let field = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
            line.map(str::trim)
        };
        Some(Status {
            threads: field("Threads")?.parse().ok()?,
            handled: u64::from_str_radix(field("SigCgt")?, 16).ok()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_has_the_threads_and_the_signals_that_are_handled() {
        let text =
            "Name:\tcargo\nThreads:\t3\nSigIgn:\t0000000000001000\nSigCgt:\t0000000100000440\n";
        let status = Status::parse(text).unwrap();
        assert_eq!(status, Status { threads: 3, handled: 1 << 32 | 1 << 10 | 1 << 6 });
        assert_eq!(Status::parse("Threads:\t3\n"), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_thread_that_is_not_known_is_an_outsider() {
        let Some(Doubt::Threads(others)) = outsider(1) else { panic!("the harness has a thread") };
        assert!(others >= 1);
    }
}
