//! Whether exit goes on waiting: a function of what main's thread sees, and of how long it has
//! slept.
//!
//! # The rule
//!
//! Exit waits as long as it makes progress. *Progress* is a new minimum of living goroutines since
//! main returned, or of threads. Nothing else counts: not a poll, a timer that fires, a wake from
//! outside, a `block_on` in a loop, or a spawn that is refused; any of these may go on for ever. So
//! exit ends, at the latest, when it has made no progress for the limit that [`Observation::limit`]
//! gives. As the number of goroutines cannot grow any more, that bounds the whole wait.
//!
//! One exception: destructors may start goroutines, which are dropped in turn. While goroutines
//! end, up to a second in all does not count, so that a chain of a few hundred thousand finishes,
//! and an endless one is cut off.
//!
//! Each worker that exit starts gets ten milliseconds to begin. There are at most
//! [`MAX_EXIT_WORKERS`].
//!
//! The time is main's own sleep, with each nap capped at its nominal length: on a machine too busy
//! to run this thread, no time passes for the workers either.
//!
//! # A nested `block_on`
//!
//! Exit gives up before the limit if all living goroutines sit in a nested `block_on`, and for ten
//! milliseconds none of them begins or ends one: by then exit has dropped the goroutines and
//! channels that they might wait for, so most have returned. If they wait for a timer, for an event
//! inside that `block_on`, or for something outside, exit gives them up on purpose. A `block_on` in
//! a destructor does not count as nested. Exit waits for it as long as for others: other goroutines
//! exist that may do what it waits for.

#![forbid(unsafe_code)]

use std::time::Duration;

use crate::scheduler::shared::MAX_EXIT_WORKERS;

/// The first nap between two looks. Also how long workers may be busy with other things before a
/// thread is started for the stragglers.
pub(crate) const NAP: Duration = Duration::from_millis(1);

/// The longest nap. The worker that ends the last goroutine unparks main's thread.
const LONGEST_NAP: Duration = Duration::from_millis(20);

/// The least grace. In less time a thread that makes no progress looks like one that waits for its
/// turn on a busy machine.
pub(crate) const LEAST_GRACE: Duration = Duration::from_millis(10);

/// How long main's thread waits for a free worker to reach what is queued, or for one that has no
/// core. The worker comes as soon as the machine lets it; the limit ensures that exit ends whatever
/// happens.
const WORKER_LIMIT: Duration = Duration::from_secs(1);

/// How long goroutines may end without their number falling.
const CHAIN_LIMIT: Duration = Duration::from_secs(1);

/// What main's thread sees.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Observation {
    /// How many goroutines are alive.
    pub(crate) living: usize,
    /// How many have ended.
    pub(crate) finished: u64,
    /// How many living goroutines sit in a nested `block_on` that they called in their polls.
    pub(crate) nested: usize,
    /// Changes when a goroutine starts or stops blocking inside a poll. An await inside a `block_on`
    /// is no such change, nor is blocking inside blocking.
    pub(crate) blocking_changes: u64,
    /// Workers inside polls.
    pub(crate) in_poll: usize,
    /// All workers.
    pub(crate) workers: usize,
}

impl Observation {
    fn has_free_worker(&self) -> bool {
        self.in_poll < self.workers
    }

    fn all_are_nested(&self) -> bool {
        self.living <= self.nested
    }

    /// Some goroutine waits, and a worker is free for it.
    fn awaits_a_worker(&self) -> bool {
        self.has_free_worker() && self.in_poll < self.living
    }

    /// How long exit waits without progress.
    fn limit(&self, grace: Duration) -> Duration {
        if self.awaits_a_worker() { grace.max(WORKER_LIMIT) } else { grace }
    }
}

/// What main's thread does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// No goroutine is alive.
    Done,
    /// Sleep for at most this long, and look again.
    Wait(Duration),
    /// Also wake a sleeping worker: a goroutine that does not suspend may have tasks queued behind
    /// it.
    WakeWorker(Duration),
    /// Also start one more worker: none of the others ends its poll.
    StartWorker(Duration),
    /// Leave behind the goroutines that are alive.
    GiveUp,
}

/// What main's thread remembers.
pub(crate) struct Grace {
    grace: Duration,
    least: usize,
    /// How long exit has made no progress.
    stalled_for: Duration,
    finished: u64,
    /// How long goroutines have ended without their number falling.
    chained_for: Duration,
    blocking_changes: u64,
    /// How long all living goroutines have sat in a nested `block_on`, without such a change.
    nested_for: Duration,
    exit_workers: usize,
}

impl Grace {
    pub(crate) fn new(grace: Duration) -> Self {
        Grace {
            grace: grace.max(LEAST_GRACE),
            least: usize::MAX,
            stalled_for: Duration::ZERO,
            finished: 0,
            chained_for: Duration::ZERO,
            blocking_changes: 0,
            nested_for: Duration::ZERO,
            exit_workers: 0,
        }
    }

    /// Decides after main's thread has slept for `slept`. `lacks_a_core` says whether a worker in a
    /// poll waits for a core; it is called when the limit is reached.
    pub(crate) fn assess(
        &mut self,
        seen: &Observation,
        slept: Duration,
        lacks_a_core: impl FnOnce() -> bool,
    ) -> Verdict {
        if seen.living == 0 {
            return Verdict::Done;
        }
        self.note(seen, slept);
        let limit = seen.limit(self.grace);
        let is_over = self.nested_for >= LEAST_GRACE
            || self.stalled_for >= limit.max(WORKER_LIMIT)
            || self.stalled_for >= limit && !lacks_a_core();
        if is_over {
            return Verdict::GiveUp;
        }
        let nap = self.nap();
        if self.stalled_for < NAP {
            Verdict::Wait(nap)
        } else if seen.has_free_worker() {
            Verdict::WakeWorker(nap)
        } else if self.exit_workers < MAX_EXIT_WORKERS && !seen.all_are_nested() {
            self.exit_workers += 1;
            // Gives it time to begin.
            self.stalled_for = self.stalled_for.min(self.grace - LEAST_GRACE).max(NAP);
            Verdict::StartWorker(nap)
        } else {
            Verdict::Wait(nap)
        }
    }

    fn note(&mut self, seen: &Observation, slept: Duration) {
        match seen.finished != self.finished && self.chained_for < CHAIN_LIMIT {
            true => self.chained_for += slept,
            false => self.stalled_for += slept,
        }
        self.finished = seen.finished;
        self.nested_for += slept;
        if seen.living < self.least {
            self.least = seen.living;
            self.stalled_for = Duration::ZERO;
            self.nested_for = Duration::ZERO;
        }
        if seen.blocking_changes != self.blocking_changes || !seen.all_are_nested() {
            self.blocking_changes = seen.blocking_changes;
            self.nested_for = Duration::ZERO;
        }
    }

    /// The longer nothing happens, the longer the naps.
    fn nap(&self) -> Duration {
        (self.stalled_for / 8).clamp(NAP, LONGEST_NAP)
    }

    /// How long exit has made no progress.
    pub(crate) fn stalled_for(&self) -> Duration {
        self.stalled_for
    }
}

#[cfg(test)]
mod tests;
