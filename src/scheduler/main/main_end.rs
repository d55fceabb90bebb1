//! What is to be done when main has ended, before its goroutines are cancelled: to look who is left.
//!
//! A goroutine that is about to end is not left. Some end because main has dropped what they waited for. So
//! this waits until nothing moves, for a second at most: all workers sleep, no goroutine is queued, no timer is due,
//! and the system has no event, for main may have closed the other end of a socket. A goroutine that waits for time to
//! pass, or for a socket without an event, is left.
//!
//! # Why nobody is called left for whom something is on its way
//!
//! What has left a socket, a timer or a queue, and has not arrived in another queue, is in the hands of a worker or of
//! the monitor. So main asks what the check for deadlocks asks (`deadlock/mod.rs`): do all of them sleep; is
//! anything pending; do they still sleep, having slept as often? Then none was awake between the first question and
//! the last, and nothing was in their hands. A poller that has events counts as asleep, and says that it has them
//! before it gives back the token (`reactor/mod.rs`). A spare that retires is on no list, but while goroutines
//! are left its thread counts until it has ended.
//!
//! A poller has the token while it sleeps, and it may have had no core yet to learn of an event. So main has it woken,
//! and asks the system itself. Meanwhile no worker becomes the poller, but each that searches asks
//! before it sleeps. Once an event has woken somebody one may again, so that later events need not wait for main.
//!
//! # What main does not know
//!
//! Gorun has threads that wait for the end of a process, a signal, or the standard input. Main does not know what
//! the system has for them. Neither does it know what other threads of the program do, or other processes. A process
//! that is being started has all sockets of this one until it runs its own program, for example, and while
//! it has them their other ends do not learn that they were closed here.

#![forbid(unsafe_code)]

use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use crate::clock;
use crate::scheduler::deadlock::check::{Sleeps, World, check};
use crate::scheduler::deadlock::doubt::Doubt;
use crate::scheduler::io::dispatch::Look;
use crate::scheduler::shared::Scheduler;
use crate::scheduler::simulation::run;
use crate::scheduler::worker::Worker;

/// How long it waits for those that go on, or block their threads.
const LONGEST: Duration = Duration::from_secs(1);

/// The time between two questions whether anything moves.
const NAP: Duration = Duration::from_micros(500);

/// How many looks in a row may report events that wake nobody.
const LOOKS: usize = 16;

/// Workers become the poller again when this is dropped.
struct PollersReturn<'a>(&'a Scheduler);

impl Drop for PollersReturn<'_> {
    fn drop(&mut self) {
        self.0.allow_poller();
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

/// A runtime as main sees it when it has ended. What other threads may do is no reason to wait.
struct AtMainEnd<'a>(&'a Scheduler);

impl World for AtMainEnd<'_> {
    fn asleep(&self) -> Result<Sleeps, Doubt> {
        let idle = &self.0.idle;
        let rest = idle.rest().map_err(|_| Doubt::Moves)?;
        let of_monitor = idle.monitor_sleeps().ok_or(Doubt::Moves)?;
        let threads = rest.workers + rest.spares + 1;
        Ok(Sleeps { of_workers: rest.sleeps, of_main: 0, of_monitor, threads, spares: 0 })
    }

    fn outsider(&self, threads: usize) -> Option<Doubt> {
        // Hooks and destructors run when a thread ends.
        (self.0.threads.slots_taken() + 1 > threads).then_some(Doubt::ThreadEnds)
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
        let _pollers_return = PollersReturn(self);
        let start = clock::now();
        while !self.is_settled() && start.elapsed() < LONGEST {
            thread::park_timeout(NAP);
        }
    }

    fn is_settled(&self) -> bool {
        // A value that nobody takes is dropped inside the poll, after its goroutine has stopped counting. That may
        // panic, or spawn.
        let polls = self.polls_unless_in_one();
        if self.live() == 0 {
            return polls.is_some() && self.polls_unless_in_one() == polls;
        }
        check(&AtMainEnd(self)).is_ok()
    }

    /// `None` if a worker is in a poll; otherwise a number that changes when a poll begins.
    fn polls_unless_in_one(&self) -> Option<u64> {
        let mut ticks = self.workers_ever().map(Worker::ticks);
        ticks.try_fold(0, |sum: u64, of_one| {
            of_one.is_multiple_of(2).then(|| sum.wrapping_add(of_one))
        })
    }

    /// Whether a timer is due, or the system has events, or another thread has the token. Wakes whom the events
    /// are for.
    fn has_news(&self) -> bool {
        let now = clock::now();
        self.timers.check_drivers(now);
        if self.timers.are_due(now) {
            return true;
        }
        if !self.has_sources() {
            return false;
        }
        for _ in 0..LOOKS {
            match self.look_once(&mut Vec::new()) {
                Some(Look { events: 0, .. }) => return false,
                // One look reports only so many.
                Some(Look { woken: 0, .. }) => {}
                Some(_) => {
                    if self.has_left_wakers() {
                        self.idle.notify_monitor();
                    }
                    return true;
                }
                None => {
                    self.expel_poller();
                    return true;
                }
            }
        }
        // Somebody writes all the time, and nobody reads.
        false
    }
}
