//! How the monitor goes to sleep, and what wakes it. `idle/mod.rs` shows why no wake-up is lost.

#![forbid(unsafe_code)]

use std::time::Duration;

use super::availability::IdleSummary;
use super::parker::{Parker, Signal};
use super::{Idle, Lists, MONITOR_AWAKE};
use crate::primitives::{Ordering, fence, lock};

impl<W: AsRef<Parker>> Idle<W> {
    /// Wakes the monitor, if it sleeps, after the caller has pushed a single.
    #[inline]
    pub(crate) fn ensure_monitor_awake(&self) {
        self.ensure_monitor_awake_by(self.word.load(Ordering::Relaxed));
    }

    #[inline]
    pub(super) fn ensure_monitor_awake_by(&self, word: u64) {
        if word & MONITOR_AWAKE == 0 {
            self.wake_monitor();
        }
    }

    #[cold]
    #[inline(never)]
    fn wake_monitor(&self) {
        self.wake_monitor_locked(&mut lock(&self.lists));
    }

    pub(super) fn wake_monitor_locked(&self, lists: &mut Lists<W>) {
        lists.monitor_sleeps_without_limit = false;
        if !lists.is_monitor_awake {
            self.set_monitor_awake(lists, true);
            self.monitor.send(Signal::Wake);
        }
    }

    /// Makes the monitor look at the timers, and at other threads' requests.
    #[cold]
    pub(crate) fn notify_monitor(&self) {
        self.monitor.send(Signal::Wake);
    }

    /// Whether the monitor is awake, or has been signalled.
    pub(crate) fn is_monitor_awake(&self) -> bool {
        self.word.load(Ordering::Relaxed) & MONITOR_AWAKE != 0
    }

    /// Puts the monitor to sleep until a signal comes, or for `limit`.
    pub(crate) fn park_monitor(&self, limit: Option<Duration>) {
        self.monitor_sleeps.fetch_add(1, Ordering::SeqCst);
        self.monitor.receive(limit);
        self.monitor_sleeps.fetch_add(1, Ordering::SeqCst);
        // Ordering: pairs with the fence in `monitor_sleeps`. Whoever sees an effect of what follows also reads a
        // different number after that.
        fence(Ordering::Release);
    }

    /// How often it has fallen asleep or woken up, if it sleeps.
    pub(crate) fn monitor_sleeps(&self) -> Option<u64> {
        fence(Ordering::Acquire);
        Some(self.monitor_sleeps.load(Ordering::SeqCst)).filter(|count| count % 2 == 1)
    }

    /// Counts the monitor as awake again: it does not go to sleep.
    pub(crate) fn cancel_monitor_sleep(&self) {
        self.set_monitor_awake(&mut lock(&self.lists), true);
    }

    /// Announces that the monitor goes to sleep. It must look at the queues after this. It must
    /// sleep with a limit if any worker is awake or written off, or if there are spares.
    pub(crate) fn announce_monitor_sleep(&self) -> IdleSummary {
        let mut lists = lock(&self.lists);
        self.set_monitor_awake(&mut lists, false);
        let summary = IdleSummary {
            awake: lists.awake,
            written_off: lists.written_off,
            spares: lists.spares.len(),
        };
        lists.monitor_sleeps_without_limit = summary.is_asleep();
        summary
    }

    fn set_monitor_awake(&self, lists: &mut Lists<W>, awake: bool) {
        if lists.is_monitor_awake != awake {
            lists.is_monitor_awake = awake;
            let change = if awake { MONITOR_AWAKE } else { MONITOR_AWAKE.wrapping_neg() };
            self.word.fetch_add(change, Ordering::SeqCst);
        }
    }
}
