//! How Unix brings signals: `signal-hook`'s handler writes to a pipe, and one thread reads it.

#![forbid(unsafe_code)]

use std::ffi::c_int;
use std::fs;
use std::io;
use std::thread;

use signal_hook::consts::signal::*;
use signal_hook::iterator::{Handle, Signals};
use signal_hook::low_level::emulate_default_handler;

use crate::scheduler::deadlock::outsiders::{self, Counted};
use crate::signal::kind::Signal;

/// The thread that reads signals. It stays for as long as the process.
pub(super) struct Source {
    signals: Handle,
}

impl Source {
    /// Starts the thread, which calls `deliver` with each signal.
    pub(super) fn start(deliver: fn(Signal)) -> io::Result<Self> {
        let mut signals = Signals::new::<[c_int; 0], c_int>([])?;
        let handle = signals.handle();
        let read = move || {
            let _quiet = Counted::quiet();
            signals.forever().filter_map(from_number).for_each(deliver);
        };
        thread::Builder::new().name("gorun-signal".to_owned()).spawn(read)?;
        Ok(Source { signals: handle })
    }

    /// From now on, `signal` comes to the thread, and its default action does not happen.
    pub(super) fn add(&self, signal: Signal) -> io::Result<()> {
        self.signals.add_signal(number(signal))
    }
}

/// From now on `signal` only causes dumps.
pub(super) fn note_dumps_at(signal: Signal) {
    outsiders::note_dump_signal(number(signal) as u32);
}

/// Does what the system would have done without a handler.
pub(super) fn default_action(signal: Signal) {
    // It refuses only what cannot be caught.
    let _ = emulate_default_handler(number(signal));
}

/// Whether the process ignores `signal` at present. Only Linux says so without unsafe code.
pub(super) fn is_ignored(signal: Signal) -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    mask >> (number(signal) - 1) & 1 == 1
}

pub(super) const KINDS: usize = ALL.len();

const ALL: [Signal; 11] = [
    Signal::Hup,
    Signal::Int,
    Signal::Quit,
    Signal::Usr1,
    Signal::Usr2,
    Signal::Alrm,
    Signal::Term,
    Signal::Chld,
    Signal::Cont,
    Signal::Tstp,
    Signal::Winch,
];

fn from_number(wanted: c_int) -> Option<Signal> {
    ALL.into_iter().find(|&signal| number(signal) == wanted)
}

fn number(signal: Signal) -> c_int {
    match signal {
        Signal::Hup => SIGHUP,
        Signal::Int => SIGINT,
        Signal::Quit => SIGQUIT,
        Signal::Usr1 => SIGUSR1,
        Signal::Usr2 => SIGUSR2,
        Signal::Alrm => SIGALRM,
        Signal::Term => SIGTERM,
        Signal::Chld => SIGCHLD,
        Signal::Cont => SIGCONT,
        Signal::Tstp => SIGTSTP,
        Signal::Winch => SIGWINCH,
    }
}
