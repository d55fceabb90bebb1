//! A runtime, as the check for deadlocks sees it.

#![forbid(unsafe_code)]

use super::check::{Sleeps, World};
use super::doubt::Doubt;
use super::outsiders;
use crate::scheduler::idle::rest::{Rest, Unrest};
use crate::scheduler::main::driver::Driver;
use crate::scheduler::shared::{Phase, Scheduler};

pub(crate) struct Runtime<'a> {
    pub(crate) scheduler: &'a Scheduler,
    /// Nobody acts of whom gorun does not know.
    pub(crate) is_closed: bool,
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
        let Rest { workers, spares, sleeps } = rest;
        Ok(Sleeps { of_workers: sleeps, of_main, threads: workers + spares + 1, spares })
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
        } else if self.is_closed {
            outsiders::program_listens().then_some(Doubt::Listener)
        } else {
            // With the monitor, which asks.
            outsiders::outsider(threads + 1)
        }
    }

    fn pending(&self) -> Option<Doubt> {
        let scheduler = self.scheduler;
        // The sockets before the pollers, which take waiters from them.
        let waits_for_socket = scheduler.reactor().is_some_and(|reactor| reactor.has_waiters());
        let has_events = scheduler.workers().any(|worker| worker.parker.has_events());
        let is_main_woken = !scheduler.main_sleep.sleeps_on(Driver::is_woken);
        let moves = scheduler.phase() != Phase::Running
            || scheduler.main.crashed()
            || is_main_woken
            || has_events
            || scheduler.has_any_work_locked()
            || scheduler.has_left_wakers()
            || scheduler.threads.requests.has_any();
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
