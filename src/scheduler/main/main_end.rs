//! What is to be done when main has ended, before its goroutines are cancelled: to look who is left.
//!
//! A goroutine that is about to end is not left. Some end because main has dropped what they waited for. So
//! this waits until nothing moves: all workers sleep, and no goroutine is queued. Nor has the system any event for
//! one: main may have closed the other end of a socket. One that waits for time to pass, or for a socket of which there
//! is no news, is left.
//!
//! # Why nobody is called left for whom something is on its way
//!
//! What has left a socket, a timer or a queue, and has not arrived in another queue, is in the hands of a thread: of a
//! worker, or of the monitor. So main asks what the check for deadlocks asks (`deadlock/mod.rs`): do all of them sleep; is
//! anything pending; do they still sleep, having slept as often? Then none was awake between the first question and
//! the last, and nothing was in their hands. A poller that has events counts as asleep, and says that it has them
//! before it gives back the right to ask the system.
//!
//! A worker that sleeps as the poller has that right, and it may not have had a core yet for the news that there
//! are. So no worker takes it meanwhile, the poller is woken, and main asks.
//!
//! What another process does is news once the system has it. One that is being started, for example, has this
//! one's sockets until it runs its own program: the other end of a socket is open for so long.

#![forbid(unsafe_code)]

use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use crate::clock;
use crate::primitives::Ordering;
use crate::scheduler::deadlock::check::{Sleeps, World, check};
use crate::scheduler::deadlock::doubt::Doubt;
use crate::scheduler::shared::Scheduler;
use crate::scheduler::simulation::run;

/// How long it waits for those that go on, or block their threads.
const LONGEST: Duration = Duration::from_secs(1);

/// The time between two looks.
const NAP: Duration = Duration::from_micros(500);

/// Until it is dropped, no worker asks the system for events.
struct OnlyMainLooks<'a>(&'a Scheduler);

impl<'a> OnlyMainLooks<'a> {
    fn new(scheduler: &'a Scheduler) -> Self {
        scheduler.only_main_looks.store(true, Ordering::SeqCst);
        OnlyMainLooks(scheduler)
    }
}

impl Drop for OnlyMainLooks<'_> {
    fn drop(&mut self) {
        self.0.only_main_looks.store(false, Ordering::SeqCst);
        if self.0.has_sources() {
            // One of them sleeps as the poller from now on.
            self.0.idle.wake_poller();
        }
    }
}

/// It is called on main's thread, and learns whether main has panicked. It says whether main has failed, and may
/// panic, too.
#[derive(Clone)]
pub(crate) struct MainEnd {
    pub(crate) call: Arc<Call>,
    /// Goroutines go on meanwhile as they did before: what becomes of them is main's failure.
    pub(crate) settles: bool,
}

type Call = dyn Fn(&Arc<Scheduler>, bool) -> bool + Send + Sync;

/// A panic in it ends the program; it answers for any state it leaves behind.
impl UnwindSafe for MainEnd {}
impl RefUnwindSafe for MainEnd {}

/// A runtime as main sees it when it has ended. What others may do is no reason to wait.
struct AtMainEnd<'a>(&'a Scheduler);

impl World for AtMainEnd<'_> {
    fn asleep(&self) -> Result<Sleeps, Doubt> {
        let idle = &self.0.idle;
        let rest = idle.rest().map_err(|_| Doubt::Moves)?;
        let of_monitor = idle.monitor_sleeps().ok_or(Doubt::Moves)?;
        let threads = rest.workers + rest.spares + 1;
        Ok(Sleeps { of_workers: rest.sleeps, of_main: 0, of_monitor, threads, spares: 0 })
    }

    fn outsider(&self, _: usize) -> Option<Doubt> {
        None
    }

    fn pending(&self) -> Option<Doubt> {
        // News first: a poller that has them has said so.
        (self.0.has_news() || self.0.is_in_motion()).then_some(Doubt::Moves)
    }
}

impl Scheduler {
    /// For main's thread: waits until nothing moves, but not long.
    pub(crate) fn settle(self: &Arc<Self>) {
        if self.simulation().is_some() {
            return run::run_to_rest(self);
        }
        let _only_main = OnlyMainLooks::new(self);
        let start = clock::now();
        while !self.is_settled() && start.elapsed() < LONGEST {
            thread::park_timeout(NAP);
        }
    }

    /// Whether there are no goroutines, or nothing moves.
    fn is_settled(&self) -> bool {
        match self.live() {
            // A poll drops what nobody takes, and perhaps panics, when its goroutine does not count any more.
            0 => self.workers_in_poll() == 0,
            _ => check(&AtMainEnd(self)).is_ok(),
        }
    }

    /// Whether a timer is due, or the system has events, or somebody else has the right to ask it. Wakes whom they
    /// are for.
    fn has_news(&self) -> bool {
        if self.timers.are_due(clock::now()) {
            return true;
        }
        if !self.has_sources() {
            return false;
        }
        let events = self.look_at_io(&mut Vec::new());
        if events.is_none() {
            // The poller gives it back.
            self.idle.notify_all();
        }
        events != Some(0)
    }
}
