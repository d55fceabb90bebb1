//! What is to be done when main has ended, before its goroutines are cancelled: to look who is left.
//!
//! A goroutine that is about to end is not left. Some end because main has dropped what they waited for. So
//! this waits until nothing moves: all workers sleep, and no goroutine is queued. Nor has the system any event for
//! one: main may have closed the other end of a socket. One that waits for time to pass, or for a socket of which there
//! is no news, is left.
//!
//! A worker that sleeps as the poller has the right to ask the system, and it may not have had a core yet for the
//! news that there are. So no worker takes that right meanwhile, and the poller is woken: main asks.

#![forbid(unsafe_code)]

use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use crate::clock;
use crate::primitives::Ordering;
use crate::scheduler::shared::Scheduler;
use crate::scheduler::simulation::run;

/// How long it waits for those that go on, or block their threads.
const LONGEST: Duration = Duration::from_secs(1);

/// The time between two looks.
const NAP: Duration = Duration::from_micros(500);

/// So many looks in a row must find nothing.
const LOOKS: usize = 3;

/// So often main asks for the right to ask the system.
const TRIES: usize = 20;

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
        // One of them sleeps as the poller from now on.
        self.0.idle.wake_poller();
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

impl Scheduler {
    /// For main's thread: waits until nothing moves, but not long.
    pub(crate) fn settle(self: &Arc<Self>) {
        if self.simulation().is_some() {
            return run::run_to_rest(self);
        }
        let start = clock::now();
        // A poll drops what nobody takes, and perhaps panics, when its goroutine does not count any more.
        let moves = || self.live() > 0 && !self.is_still() || self.workers_in_poll() > 0;
        let mut looks_without = 0;
        while start.elapsed() < LONGEST {
            let moves = moves();
            if !moves && self.live() == 0 {
                return;
            }
            // Once is not enough: news may be on its way through a thread that has no core.
            looks_without = if moves || self.has_news(start) { 0 } else { looks_without + 1 };
            if looks_without == LOOKS {
                return;
            }
            thread::park_timeout(NAP);
        }
    }

    /// Whether a timer is due, the system has events, or goroutines have been polled since main began to ask for
    /// that. All this began at `start`.
    fn has_news(&self, start: Instant) -> bool {
        if self.timers.are_due(clock::now()) {
            return true;
        }
        if !self.has_sources() {
            return false;
        }
        let polls = || self.workers_ever().map(|worker| worker.polls()).sum::<usize>();
        let before = polls();
        let events = self.look_at_io_now();
        // Who was woken for this falls asleep again.
        while !self.is_still() && start.elapsed() < LONGEST {
            thread::park_timeout(NAP);
        }
        events != Some(0) || polls() != before
    }

    /// As `look_at_io`, also if a worker sleeps as the poller. Returns how many there were, if it succeeded.
    fn look_at_io_now(&self) -> Option<usize> {
        let _only_main = OnlyMainLooks::new(self);
        for _ in 0..TRIES {
            if let Some(events) = self.look_at_io(&mut Vec::new()) {
                return Some(events);
            }
            self.idle.notify_all();
            thread::park_timeout(NAP);
        }
        None
    }

    fn is_still(&self) -> bool {
        let Ok(before) = self.idle.rest() else { return false };
        !self.is_in_motion() && self.idle.rest() == Ok(before)
    }
}
