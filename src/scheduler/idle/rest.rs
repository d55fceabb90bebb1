//! Whether all workers sleep, for the check for deadlocks (`deadlock/mod.rs`).

#![forbid(unsafe_code)]

use super::parker::{Parker, Signal};
use super::{AWAKE, Idle, Lists, field};
use crate::primitives::{Ordering, lock};

/// All workers sleep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rest {
    pub(crate) workers: usize,
    pub(crate) spares: usize,
    /// How often a worker has fallen asleep.
    pub(crate) sleeps: u64,
}

/// Why they do not rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unrest {
    Awake,
    /// One is away.
    Away,
}

impl<W: AsRef<Parker>> Idle<W> {
    pub(crate) fn rest(&self) -> Result<Rest, Unrest> {
        let lists = lock(&self.lists);
        if lists.awake > 0 {
            Err(Unrest::Awake)
        } else if lists.blocked + lists.written_off > 0 {
            Err(Unrest::Away)
        } else {
            let (workers, spares) = (lists.sleepers.len(), lists.spares.len());
            Ok(Rest { workers, spares, sleeps: lists.sleeps })
        }
    }

    /// For the monitor: from now on, it is notified when everything sleeps, once.
    pub(crate) fn want_rest(&self) {
        self.rest_is_wanted.store(true, Ordering::Relaxed);
    }

    /// Whether the monitor has not been notified since.
    pub(crate) fn rest_is_wanted(&self) -> bool {
        self.rest_is_wanted.load(Ordering::Relaxed)
    }

    /// For main's thread, which has noted that it falls asleep.
    pub(crate) fn note_main_sleep(&self) {
        // Relaxed: `deadlock/mod.rs` shows that main and the last worker do not miss each other. The lock
        // of main's note orders this with the monitor.
        if field(self.word.load(Ordering::Relaxed), AWAKE) == 0 {
            self.notify_of_rest();
        }
    }

    pub(super) fn note_rest(&self, lists: &Lists<W>) {
        if lists.awake == 0 {
            self.notify_of_rest();
        }
    }

    fn notify_of_rest(&self) {
        if self.rest_is_wanted() && self.rest_is_wanted.swap(false, Ordering::Relaxed) {
            self.monitor.send(Signal::Wake);
        }
    }
}
