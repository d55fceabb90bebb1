//! Which workers are available, which are away, and which are spares.
//!
//! A worker is away if it announced that it blocks, or if the monitor has *written it off*. It is
//! then neither awake nor asleep. There should be as many *available* workers, awake or asleep, as
//! *allowed*. So when a worker goes away, a *spare* takes its place. A spare sleeps like other
//! workers, but on a list of its own where no push finds it. To take a place, it moves to the list
//! of sleepers. When a worker comes back, there is one too many: a sleeper becomes a spare or, if
//! none sleeps, the worker that came back does after its poll. A spare that has not been needed for
//! a while is told to retire.
//!
//! The argument in `idle/mod.rs` needs one more case: a pusher reads that a worker sleeps, and then
//! the sleeper becomes a spare. It is not woken. Its look (step 2) wakes another sleeper, or none
//! if no worker sleeps. The latter happens only when all allowed workers are awake, one of them
//! since after the push. If these do not take the work, the monitor sees to it: both the pusher and
//! the look have made sure that it is awake.
//!
//! # Rejected
//!
//! - Ending each spare at once and starting a new thread each time: a thread costs 40 µs, a move
//!   between two lists 50 ns.

#![forbid(unsafe_code)]

use std::sync::Arc;

use super::parker::{Availability, Parker, Signal};
use super::{AWAKE, Idle, Lists, SLEEPING};
use crate::primitives::{Ordering, lock};

/// The counts at the moment when the monitor announces its sleep.
pub(crate) struct IdleSummary {
    pub(crate) awake: usize,
    pub(crate) written_off: usize,
    pub(crate) spares: usize,
}

/// How many workers do what.
pub(crate) struct Counts {
    pub(crate) allowed: usize,
    pub(crate) awake: usize,
    pub(crate) asleep: usize,
    pub(crate) away: usize,
    pub(crate) spares: usize,
    /// How often a worker has fallen asleep.
    pub(crate) sleeps: u64,
    pub(crate) times_written_off: u64,
}

impl IdleSummary {
    /// Whether nothing happens until a worker is woken.
    pub(crate) fn is_asleep(&self) -> bool {
        self.awake + self.written_off + self.spares == 0
    }
}

impl<W: AsRef<Parker>> Idle<W> {
    /// Counts a worker that is about to start.
    pub(crate) fn worker_added(&self) {
        let mut lists = lock(&self.lists);
        self.add_awake(&mut lists);
        // There may be spares from now on.
        self.wake_monitor_locked(&mut lists);
    }

    /// Counts out a running worker that ends, or one that could not be started.
    pub(crate) fn worker_removed(&self, parker: &Parker) {
        let mut lists = lock(&self.lists);
        self.count_in(&mut lists, parker);
        self.remove_awake(&mut lists);
        self.fill(&mut lists);
    }

    /// Counts a running worker away, which will run no goroutines for a while. Its queue is empty.
    /// Returns how many workers are missing, for want of spares.
    pub(crate) fn block(&self, parker: &Parker) -> usize {
        let mut lists = lock(&self.lists);
        self.count_in(&mut lists, parker);
        parker.set(Availability::Blocked);
        lists.blocked += 1;
        self.remove_awake(&mut lists);
        self.fill(&mut lists)
    }

    /// How many workers to start after `wanted` have gone away without a spare: those that are
    /// still missing. If all are back and there is no spare, it is one, for the next time.
    pub(crate) fn to_start(&self, wanted: usize) -> usize {
        let mut lists = lock(&self.lists);
        let missing = self.fill(&mut lists);
        let none_to_spare = lists.spares.is_empty() && lists.available() <= lists.allowed;
        wanted.min(missing.max(usize::from(none_to_spare)))
    }

    /// Counts the worker back: it runs goroutines again. It checks in after its poll if it is in
    /// excess, or if it `must_check_in` anyway.
    pub(crate) fn unblock(&self, parker: &Parker, must_check_in: bool) {
        let mut lists = lock(&self.lists);
        lists.blocked -= 1;
        self.add_awake(&mut lists);
        let is_excess = self.trim(&mut lists);
        parker.set(if is_excess || must_check_in {
            Availability::CheckInRequested
        } else {
            Availability::Available
        });
    }

    /// Writes a worker off, unless it has moved. Returns whether it did. For the monitor.
    pub(crate) fn write_off(&self, parker: &Parker, has_moved: impl Fn() -> bool) -> bool {
        let mut lists = lock(&self.lists);
        let counts_as_available =
            parker.is(Availability::Available) || parker.is(Availability::CheckInRequested);
        let is_stuck = counts_as_available && !has_moved();
        if is_stuck {
            parker.set(Availability::WrittenOff);
            lists.written_off += 1;
            lists.times_written_off += 1;
            self.remove_awake(&mut lists);
        }
        is_stuck
    }

    /// Makes these workers check in after their polls.
    pub(crate) fn request_check_in<'a>(&self, parkers: impl Iterator<Item = &'a Parker>) {
        let _lists = lock(&self.lists);
        parkers
            .filter(|parker| parker.is(Availability::Available))
            .for_each(|parker| parker.set(Availability::CheckInRequested));
    }

    /// Counts in a worker that was asked to check in, or written off, and is between two polls.
    /// Returns whether it is in excess.
    pub(crate) fn check_in(&self, parker: &Parker) -> bool {
        let mut lists = lock(&self.lists);
        self.count_in(&mut lists, parker);
        self.trim(&mut lists)
    }

    /// Changes how many workers may be available. Returns how many are missing, for want of spares.
    /// Workers in excess learn of it between two polls.
    pub(crate) fn allow<'a>(
        &self,
        allowed: usize,
        parkers: impl Iterator<Item = &'a Parker>,
    ) -> usize {
        let mut lists = lock(&self.lists);
        lists.allowed = allowed;
        if self.trim(&mut lists) {
            parkers
                .filter(|parker| parker.is(Availability::Available))
                .for_each(|parker| parker.set(Availability::CheckInRequested));
        }
        self.fill(&mut lists)
    }

    /// From now on, no worker is in excess.
    pub(crate) fn keep_all(&self) {
        let mut lists = lock(&self.lists);
        lists.keeps_all = true;
        while self.promote_spare(&mut lists) {}
    }

    /// How many workers are available or away, spares excluded.
    pub(crate) fn working(&self) -> usize {
        let lists = lock(&self.lists);
        lists.available() + lists.blocked + lists.written_off
    }

    pub(crate) fn counts(&self) -> Counts {
        let lists = lock(&self.lists);
        Counts {
            allowed: lists.allowed,
            awake: lists.awake,
            asleep: lists.sleepers.len(),
            away: lists.blocked + lists.written_off,
            spares: lists.spares.len(),
            sleeps: lists.sleeps,
            times_written_off: lists.times_written_off,
        }
    }

    /// Tells those spares to retire that have not been needed since the last call.
    pub(crate) fn retire_spares(&self) {
        let mut lists = lock(&self.lists);
        let unneeded = lists.unneeded;
        self.retire(&mut lists, unneeded);
    }

    /// The same for all of them.
    pub(crate) fn retire_all_spares(&self) {
        let mut lists = lock(&self.lists);
        let all = lists.spares.len();
        self.retire(&mut lists, all);
    }

    // Under the lock.

    pub(super) fn add_awake(&self, lists: &mut Lists<W>) {
        lists.awake += 1;
        self.word.fetch_add(AWAKE, Ordering::SeqCst);
        if self.keeps_monitor_awake {
            self.wake_monitor_locked(lists);
        }
    }

    pub(super) fn remove_awake(&self, lists: &mut Lists<W>) {
        lists.awake -= 1;
        self.word.fetch_sub(AWAKE, Ordering::SeqCst);
    }

    /// Makes a running worker available again, whatever other threads have set.
    pub(super) fn count_in(&self, lists: &mut Lists<W>, parker: &Parker) {
        if parker.is(Availability::Available) {
            return;
        }
        if parker.is(Availability::WrittenOff) {
            lists.written_off -= 1;
            self.add_awake(lists);
        }
        parker.set(Availability::Available);
    }

    /// Makes spares available, up to the allowed number. Returns how many workers are missing.
    fn fill(&self, lists: &mut Lists<W>) -> usize {
        while lists.available() < lists.allowed && self.promote_spare(lists) {}
        lists.allowed.saturating_sub(lists.available())
    }

    /// The first `count` spares.
    fn retire(&self, lists: &mut Lists<W>, count: usize) {
        lists.spares.drain(..count).for_each(|spare| W::as_ref(&spare).send(Signal::Retire));
        lists.unneeded = lists.spares.len();
    }

    pub(super) fn promote_spare(&self, lists: &mut Lists<W>) -> bool {
        let Some(spare) = lists.spares.pop() else { return false };
        lists.unneeded = lists.unneeded.min(lists.spares.len());
        lists.sleepers.push(spare);
        self.word.fetch_add(SLEEPING, Ordering::SeqCst);
        true
    }

    /// Makes spares of excess sleepers. Returns whether too many workers are still available.
    fn trim(&self, lists: &mut Lists<W>) -> bool {
        while lists.are_too_many_available() {
            let Some(sleeper) = lists.sleepers.pop() else { return true };
            self.word.fetch_sub(SLEEPING, Ordering::SeqCst);
            self.end_backoff_if_taken(lists);
            self.add_spare(lists, sleeper);
        }
        false
    }

    pub(super) fn add_spare(&self, lists: &mut Lists<W>, spare: Arc<W>) {
        lists.spares.push(spare);
        if lists.monitor_sleeps_without_limit {
            self.wake_monitor_locked(lists);
        }
    }
}

impl<W> Lists<W> {
    /// Awake or asleep.
    fn available(&self) -> usize {
        self.awake + self.sleepers.len()
    }

    pub(super) fn are_too_many_available(&self) -> bool {
        !self.keeps_all && self.available() > self.allowed
    }
}
