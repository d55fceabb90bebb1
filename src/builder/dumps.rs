//! Dumps at a signal.

#![forbid(unsafe_code)]

use std::ffi::OsStr;
use std::io::{self, Write};
use std::sync::{Arc, Weak};
use std::thread;

use super::variables::{DUMP_VARIABLE, ON_PANIC, invalid, variable};
use crate::chan::receiver::Receiver;
use crate::dump::Dump;
use crate::scheduler::deadlock::outsiders::Counted;
use crate::scheduler::shared::Scheduler;
use crate::signal::{self, Signal};

const NAMES: [(&str, Signal); 4] =
    [("quit", Signal::Quit), ("usr1", Signal::Usr1), ("usr2", Signal::Usr2), ("hup", Signal::Hup)];

fn named(value: &OsStr) -> io::Result<Signal> {
    let named =
        NAMES.into_iter().find(|(name, _)| value.to_str().is_some_and(|text| text.trim() == *name));
    named.map(|(_, signal)| signal).ok_or_else(|| {
        invalid(format!(
            "the environment variable {DUMP_VARIABLE} is {value:?}; set it to quit, usr1, usr2 or hup, the \
             signal that is to print a dump, or to panic, or unset it for none"
        ))
    })
}

/// What receives the signal of the program, or else the one that the environment variable names.
pub(super) fn signals(own: Option<Signal>) -> io::Result<Option<Receiver<Signal>>> {
    let signal = match own {
        None => {
            let value = variable(DUMP_VARIABLE).filter(|value| value != ON_PANIC);
            value.map(|value| named(&value)).transpose()?
        }
        own => own,
    };
    signal.map(signal::notify_for_dumps).transpose()
}

/// Prints dumps until it is dropped.
pub(super) struct Dumps {
    signals: Receiver<Signal>,
}

impl Dumps {
    /// Without a thread for it, there are none, and standard error has the reason.
    pub(super) fn start(signals: Receiver<Signal>, scheduler: &Arc<Scheduler>) -> Self {
        let (received, scheduler) = (signals.clone(), Arc::downgrade(scheduler));
        let print = move || {
            let _quiet = Counted::quiet();
            while received.recv_blocking().is_some() && print(&scheduler) {}
        };
        let thread = thread::Builder::new().name("gorun-dump".to_owned()).spawn(print);
        if let Err(error) = thread {
            let _ = writeln!(io::stderr(), "gorun: no dumps at a signal: {error}");
        }
        Dumps { signals }
    }
}

impl Drop for Dumps {
    fn drop(&mut self) {
        self.signals.close();
    }
}

/// Returns whether the runtime is still there.
fn print(scheduler: &Weak<Scheduler>) -> bool {
    let Some(dump) = scheduler.upgrade().map(|scheduler| Dump::of(&scheduler)) else {
        return false;
    };
    // In one piece. Nobody is there to be told of a failure.
    let _ = io::stderr().write_all(dump.to_string().as_bytes());
    true
}
