//! A runtime, as the check for deadlocks sees it.

#![forbid(unsafe_code)]

use std::mem;
use std::ptr;
use std::sync::{Arc, Weak};

use super::check::{Sleeps, World};
use super::doubt::Doubt;
use super::outsiders;
use crate::primitives::{Mutex, lock};
use crate::scheduler::idle::rest::{Rest, Unrest};
use crate::scheduler::main::driver::Driver;
use crate::scheduler::shared::{Phase, Scheduler};
use crate::scheduler::worker::threads::workers_of_process;

pub(crate) struct Runtime<'a> {
    pub(crate) scheduler: &'a Scheduler,
    pub(crate) who: Who,
}

/// Who may act beside the runtime.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Who {
    Anybody,
    /// Only who is known: what another runtime waits for may be what this one waits for.
    Known,
    /// The same without other runtimes.
    Own,
}

/// The runtimes of the process.
static RUNTIMES: Mutex<Vec<Weak<Scheduler>>> = Mutex::new(Vec::new());

/// Counts a runtime as one of the process, until it is dropped. The scheduler lives longer.
pub(crate) struct Registered(Weak<Scheduler>);

impl Registered {
    pub(crate) fn new(scheduler: &Arc<Scheduler>) -> Self {
        outsiders::tell_of_ends(note_end);
        let scheduler = Arc::downgrade(scheduler);
        lock(&RUNTIMES).push(scheduler.clone());
        Registered(scheduler)
    }

    /// The runtime has ended. If it has left goroutines behind, these may still act, and it counts until they have ended.
    pub(crate) fn end(self, scheduler: &Scheduler) {
        if scheduler.live() > 0 {
            mem::forget(self);
        }
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        lock(&RUNTIMES).retain(|other| !other.ptr_eq(&self.0));
    }
}

/// Somebody has ended who might have woken a goroutine: perhaps only he spoke against a deadlock.
fn note_end() {
    // Under the lock, so that none is dropped here.
    let runtimes = lock(&RUNTIMES);
    runtimes.iter().filter_map(Weak::upgrade).for_each(|one| one.idle.note_main_sleep());
}

/// Whether another runtime moves, or may. All of them at one moment: they may wake each other.
fn others_move(own: &Scheduler) -> bool {
    // Under the lock, so that none is dropped here.
    let runtimes = lock(&RUNTIMES);
    let others = runtimes.iter().filter(|other| !ptr::eq(other.as_ptr(), own));
    let may_act = |other: &Arc<Scheduler>| other.phase() != Phase::Ended || other.live() > 0;
    let others: Vec<_> = others.filter_map(Weak::upgrade).filter(may_act).collect();
    // Threads of runtimes that have ended may still run hooks, and destructors of thread-locals.
    let of_these = others.iter().map(|other| other.threads.slots_taken()).sum::<usize>();
    if workers_of_process() > own.threads.slots_taken() + of_these {
        return true;
    }
    let others = || others.iter().map(|scheduler| Runtime { scheduler, who: Who::Own });
    let asleep = || others().map(|other| other.asleep()).collect::<Result<Vec<_>, _>>();
    let Ok(before) = asleep() else { return true };
    let may_move = |(other, sleeps): (Runtime<'_>, &Sleeps)| {
        let outsider = other.outsider(sleeps.threads);
        other.pending().is_some() || outsider.is_some() || sleeps.spares > 0
    };
    others().zip(&before).any(may_move) || asleep() != Ok(before)
}

impl Scheduler {
    /// Whether anything is on its way to workers that sleep: events, tasks, wakers, requests to the monitor.
    pub(crate) fn is_in_motion(&self) -> bool {
        self.workers().any(|worker| worker.parker.has_events())
            || self.has_any_work_locked()
            || self.has_left_wakers()
            || self.threads.requests.has_any()
    }
}

impl World for Runtime<'_> {
    fn asleep(&self) -> Result<Sleeps, Doubt> {
        let scheduler = self.scheduler;
        let rest = scheduler.idle.rest().map_err(|unrest| match unrest {
            Unrest::Awake => Doubt::Moves,
            Unrest::Away => Doubt::Blocked,
        })?;
        // After the workers: see `mod.rs`.
        let of_main = scheduler.main_sleep.count().ok_or(Doubt::Moves)?;
        let of_monitor = match self.who {
            Who::Own => scheduler.idle.monitor_sleeps().ok_or(Doubt::Moves)?,
            // It is the monitor that asks.
            Who::Anybody | Who::Known => 0,
        };
        let Rest { workers, spares, sleeps } = rest;
        let threads = workers + spares + 1;
        Ok(Sleeps { of_workers: sleeps, of_main, of_monitor, threads, spares })
    }

    fn outsider(&self, threads: usize) -> Option<Doubt> {
        if self.scheduler.has_guests() {
            Some(Doubt::Guest)
        } else if self.scheduler.config.tokio.is_some() {
            Some(Doubt::Tokio)
        } else if self.scheduler.threads.slots_taken() + 1 > threads {
            Some(Doubt::ThreadEnds)
        } else if outsiders::is_expected() {
            Some(Doubt::Events)
        } else if self.who == Who::Anybody
            // With the monitor, which asks.
            && let Some(doubt) = outsiders::stranger(threads + 1)
        {
            Some(doubt)
        } else if outsiders::is_expected() {
            // By a quiet thread that was a stranger's until it asked, and has ended.
            Some(Doubt::Events)
        } else if self.who != Who::Anybody && outsiders::program_listens() {
            Some(Doubt::Listener)
        } else if self.who == Who::Known && others_move(self.scheduler) {
            Some(Doubt::Others)
        } else {
            None
        }
    }

    fn pending(&self) -> Option<Doubt> {
        let scheduler = self.scheduler;
        // The sockets before the pollers, which take waiters from them.
        let waits_for_socket = scheduler.reactor().is_some_and(|reactor| reactor.has_waiters());
        let is_in_motion = scheduler.is_in_motion();
        let is_main_woken = !scheduler.main_sleep.sleeps_on(Driver::is_woken);
        let moves = scheduler.phase() != Phase::Running
            || scheduler.main.crashed()
            || is_main_woken
            || is_in_motion;
        if moves {
            Some(Doubt::Moves)
        } else if waits_for_socket {
            Some(Doubt::Socket)
        } else if scheduler.timers.has_any() {
            Some(Doubt::Timer)
        } else {
            None
        }
    }
}
