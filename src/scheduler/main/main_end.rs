//! What is to be done when main has ended, before its goroutines are cancelled: to look who is left.
//!
//! A goroutine that is about to end is not left. Some end because main has dropped what they waited for. So
//! this waits until nothing moves: all workers sleep, and no goroutine is queued. One that waits for time to
//! pass, or for a socket, is left.

#![forbid(unsafe_code)]

use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use crate::clock;
use crate::scheduler::shared::Scheduler;

/// How long it waits for those that go on, or block their threads.
const LONGEST: Duration = Duration::from_secs(1);

/// The time between two looks.
const NAP: Duration = Duration::from_micros(500);

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
    pub(crate) fn settle(&self) {
        let start = clock::now();
        // A poll drops what nobody takes, and perhaps panics, when its goroutine does not count any more.
        let moves = || self.live() > 0 && !self.is_still() || self.workers_in_poll() > 0;
        while moves() && start.elapsed() < LONGEST {
            thread::park_timeout(NAP);
        }
    }

    fn is_still(&self) -> bool {
        let Ok(before) = self.idle.rest() else { return false };
        !self.is_in_motion() && self.idle.rest() == Ok(before)
    }
}
