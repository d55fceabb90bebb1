//! Whether the monitor is up. (Why none of this loses anything: `idle/mod.rs`.)

#![forbid(unsafe_code)]

use std::time::Duration;

use super::availability::Household;
use super::parker::Signal;
use super::{Idle, Lists, WATCHED};
use crate::sync::{Ordering, lock};

impl Idle {
    /// Gets the monitor up, if it is not, after the caller has put a single aside.
    #[inline]
    pub(crate) fn ensure_watched(&self) {
        self.ensure_watched_by(self.word.load(Ordering::Relaxed));
    }

    #[inline]
    pub(super) fn ensure_watched_by(&self, word: u64) {
        if word & WATCHED == 0 {
            self.call_monitor();
        }
    }

    #[cold]
    #[inline(never)]
    fn call_monitor(&self) {
        self.get_monitor_up(&mut lock(&self.lists));
    }

    pub(super) fn get_monitor_up(&self, lists: &mut Lists) {
        lists.monitor_sleeps_on = false;
        if !lists.is_watched {
            self.set_watched(lists, true);
            self.monitor.send(Signal::Watch);
        }
    }

    /// Has the monitor look at the timers, and at what others want of it.
    #[cold]
    pub(crate) fn wake_monitor(&self) {
        self.monitor.send(Signal::Watch);
    }

    /// Whether the monitor is to be up.
    pub(crate) fn is_watched(&self) -> bool {
        self.word.load(Ordering::Relaxed) & WATCHED != 0
    }

    /// The monitor sleeps until it is called, or for `limit`.
    pub(crate) fn let_monitor_sleep(&self, limit: Option<Duration>) {
        self.monitor.receive(limit);
    }

    /// The monitor is up.
    pub(crate) fn watch(&self) {
        self.set_watched(&mut lock(&self.lists), true);
    }

    /// The monitor lies down. It must look at the queues after this, and sleep with a limit if any
    /// worker is awake or written off, or if there are spares.
    pub(crate) fn stop_watching(&self) -> Household {
        let mut lists = lock(&self.lists);
        self.set_watched(&mut lists, false);
        let household = Household {
            awake: lists.awake,
            written_off: lists.written_off,
            spares: lists.spares.len(),
        };
        lists.monitor_sleeps_on = household.is_asleep();
        household
    }

    fn set_watched(&self, lists: &mut Lists, watched: bool) {
        if lists.is_watched != watched {
            lists.is_watched = watched;
            let change = if watched { WATCHED } else { WATCHED.wrapping_neg() };
            self.word.fetch_add(change, Ordering::SeqCst);
        }
    }
}
