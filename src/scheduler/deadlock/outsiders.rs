//! Which threads and signal handlers a process has, as Linux tells it.
//!
//! Both are in one file of the system. Its number of threads is that of one moment. A thread counts from
//! before it runs until it runs no more, so a number that is too high may be out of date, and one that is as
//! expected cannot hide somebody.

#![forbid(unsafe_code)]

use std::cell::RefCell;
use std::fs;
use std::hint;
use std::sync::OnceLock;

use super::doubt::Doubt;
use crate::primitives::{AtomicBool, AtomicU32, AtomicU64, Ordering};

/// Signals whose handlers wake nobody: std's, which report a stack overflow, and glibc's own two.
const HARMLESS: [u32; 4] = [SIGBUS, SIGSEGV, 32, 33];
const SIGBUS: u32 = 7;
const SIGSEGV: u32 = 11;

/// Threads of gorun that wake nobody, but for a dump, unless they count below as well.
static QUIET: Count = Count::new();

/// Threads of gorun that may wake somebody at any time: they wait for something outside, or call users'
/// code.
static MAY_WAKE: Count = Count::new();

/// The process that these threads are of. A fork has the counts, and not the threads.
static PROCESS: AtomicU32 = AtomicU32::new(0);

/// In place of that, while the counts are set back.
const RESETTING: u32 = u32::MAX;

/// What to call when a thread has ended that might have woken somebody.
static TELL: OnceLock<fn()> = OnceLock::new();

/// Signals that only cause a dump, as bits, the lowest for the first.
static CAUSE_DUMPS: AtomicU64 = AtomicU64::new(0);

/// The program has asked for signals, by `gorun::signal`.
static PROGRAM_LISTENS: AtomicBool = AtomicBool::new(false);

/// A number, in the lower half, and how often it has changed.
struct Count(AtomicU64);

const CHANGE: u64 = 1 << 32;

impl Count {
    const fn new() -> Self {
        Count(AtomicU64::new(0))
    }

    fn number(&self) -> usize {
        self.0.load(Ordering::SeqCst) as u32 as usize
    }
}

/// Counts a thread until it is dropped.
pub(crate) struct Counted {
    count: &'static Count,
    process: u32,
    tells: bool,
}

impl Counted {
    fn new(count: &'static Count, tells: bool) -> Self {
        let process = note_process();
        count.0.fetch_add(CHANGE + 1, Ordering::SeqCst);
        Counted { count, process, tells }
    }

    /// The calling thread wakes nobody. It drops this before it ends.
    #[cfg(any(feature = "io", feature = "signal"))]
    pub(crate) fn quiet() -> Self {
        Counted::new(&QUIET, false)
    }

    /// A thread, which may be about to start, may wake somebody until it drops this. Then perhaps only it spoke
    /// against a deadlock.
    pub(crate) fn may_wake() -> Self {
        Counted::new(&MAY_WAKE, true)
    }

    /// The same for a thread that says itself when it is done.
    pub(crate) fn guest() -> Self {
        Counted::new(&MAY_WAKE, false)
    }

    /// Until the calling thread ends, which has used no thread-local so far: their destructors may wake somebody, too
    /// (`threads.rs` says why it is the last of them).
    pub(crate) fn until_thread_ends(self) {
        thread_local! {
            static HELD: RefCell<Option<Counted>> = const { RefCell::new(None) };
        }
        HELD.set(Some(self));
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        if self.process != note_process() {
            return;
        }
        self.count.0.fetch_add(CHANGE - 1, Ordering::SeqCst);
        if let Some(tell) = TELL.get().filter(|_| self.tells) {
            tell();
        }
    }
}

/// Sets what is called when a thread has ended that might have woken somebody.
pub(crate) fn tell_of_ends(tell: fn()) {
    TELL.get_or_init(|| tell);
}

/// The process's number. In a fork the counts begin anew.
fn note_process() -> u32 {
    let process = std::process::id();
    loop {
        let (success, failure) = (Ordering::SeqCst, Ordering::SeqCst);
        match PROCESS.load(Ordering::SeqCst) {
            known if known == process => return process,
            // Another thread sets the counts back.
            RESETTING => hint::spin_loop(),
            before if PROCESS.compare_exchange(before, RESETTING, success, failure).is_ok() => {
                let counts = [&QUIET, &MAY_WAKE];
                counts.into_iter().for_each(|count| count.0.store(0, Ordering::SeqCst));
                PROCESS.store(process, Ordering::SeqCst);
            }
            _ => {}
        }
    }
}

/// Whether a thread of gorun may wake somebody.
pub(crate) fn is_expected() -> bool {
    note_process();
    MAY_WAKE.number() > 0
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

/// A thread or a signal handler that may act in this process, where `own` threads are known to sleep or to
/// ask.
pub(crate) fn stranger(own: usize) -> Option<Doubt> {
    note_process();
    let quiet = QUIET.0.load(Ordering::SeqCst);
    let Some(Status { threads, handled }) = status() else { return Some(Doubt::System) };
    if QUIET.0.load(Ordering::SeqCst) != quiet {
        // So it is not known how many of the threads were quiet.
        return Some(Doubt::Moves);
    }
    let known = own + quiet as u32 as usize;
    if threads != known {
        return Some(threads.checked_sub(known).map_or(Doubt::System, Doubt::Threads));
    }
    let dumps = if program_listens() { 0 } else { CAUSE_DUMPS.load(Ordering::SeqCst) };
    let harmless = HARMLESS.iter().fold(dumps, |all, number| all | 1 << (number - 1));
    let acting = handled & !harmless;
    (acting != 0).then(|| Doubt::Signal(acting.trailing_zeros() + 1))
}

fn status() -> Option<Status> {
    let is_linux = cfg!(target_os = "linux") && !cfg!(miri);
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
        let Some(Doubt::Threads(others)) = stranger(1) else { panic!("the harness has a thread") };
        assert!(others >= 1);
    }
}
