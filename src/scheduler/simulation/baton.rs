//! What a thread of a simulation waits for: its turn.

#![forbid(unsafe_code)]

use crate::primitives::{Condvar, Mutex, lock};

/// The place of one thread. Whoever passes the turn to it does nothing more until it gets one itself.
pub(crate) struct Baton {
    signal: Mutex<Option<Signal>>,
    changed: Condvar,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signal {
    /// It is this thread's turn.
    Go,
    /// The run has ended.
    End,
}

impl Baton {
    pub(crate) fn new() -> Self {
        Baton { signal: Mutex::new(None), changed: Condvar::new() }
    }

    pub(crate) fn pass(&self, signal: Signal) {
        *lock(&self.signal) = Some(signal);
        self.changed.notify_one();
    }

    pub(crate) fn wait(&self) -> Signal {
        let mut signal = lock(&self.signal);
        loop {
            if let Some(signal) = signal.take() {
                return signal;
            }
            signal = self.changed.wait(signal).unwrap_or_else(|error| error.into_inner());
        }
    }
}
