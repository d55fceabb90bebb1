//! Whether exit goes on waiting: a function of what main's thread sees, and of how long it has slept.
//!
//! # The rule
//!
//! Exit waits as long as it gets on. It *gets on* when fewer goroutines are alive than ever before since
//! main returned, or fewer threads. Nothing else counts: not a poll, nor a timer that rings, a wake from
//! outside, a `block_on` that goes round and round, or a spawn that is refused; any of these may go on
//! for ever. So exit ends, at the latest, when it has not got on for the limit that [`Observation::limit`]
//! gives. As the number of goroutines cannot grow any more, that bounds the whole of it.
//!
//! One exception: destructors may start goroutines, which are dropped in turn. As long as goroutines end, a
//! second in all does not count, so that a chain of a few hundred thousand comes to its end, and an endless one
//! is cut off.
//!
//! (Each worker that exit starts, and there are few, gets ten milliseconds to begin.)
//!
//! The time is main's own sleep, each nap at its nominal length: where the machine is so busy that this
//! thread does not run, no time passes for the workers either.
//!
//! Before the limit exit gives up if all that are alive sit in a `block_on` of their own, for ten
//! milliseconds in which none of them begins or ends one: what they wait for has been dropped, unless it
//! is theirs, or comes from outside. (Those whose destructors sit in one are waited for as long as
//! others: others are there to do what they wait for.)

#![forbid(unsafe_code)]

use std::time::Duration;

/// Main's thread looks this often at first whether exit gets on. Also how long the workers may be busy
/// with what they do before a thread is started for the stragglers.
pub(crate) const NAP: Duration = Duration::from_millis(1);

/// The longest nap. Who ends the last goroutine unparks main's thread.
const LONGEST_NAP: Duration = Duration::from_millis(20);

/// The least grace: in less time a thread that makes no progress cannot be told from one that
/// waits for its turn on a busy machine.
pub(crate) const LEAST_GRACE: Duration = Duration::from_millis(10);

/// For how long main's thread waits for a worker that is free to come to what is queued, or for one
/// that has no core. It comes as soon as the machine lets it; the limit is there so that exit ends
/// whatever happens.
const WORKER_LIMIT: Duration = Duration::from_secs(1);

/// For how long goroutines may end without there being fewer of them.
const CHAIN_LIMIT: Duration = Duration::from_secs(1);

/// How many threads exit starts for the stragglers, one after the other: each may meet a destructor
/// that does not end.
pub(crate) const MAX_DRAINERS: usize = 64;

/// What main's thread sees.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Observation {
    /// Goroutines that are alive.
    pub(crate) living: usize,
    /// How many have ended.
    pub(crate) finished: u64,
    /// Those of them that sit in a nested `block_on`.
    pub(crate) nested: usize,
    /// Changes when a goroutine begins or ends to block inside a poll.
    pub(crate) steps: u64,
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

    /// Some goroutine waits for a worker that is free for it.
    fn awaits_a_worker(&self) -> bool {
        self.has_free_worker() && self.in_poll < self.living
    }

    /// For how long exit may fail to get on.
    fn limit(&self, grace: Duration) -> Duration {
        if self.awaits_a_worker() { grace.max(WORKER_LIMIT) } else { grace }
    }
}

/// What main's thread does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Nobody is alive.
    Done,
    /// Sleeps for so long, at most, and looks again.
    Wait(Duration),
    /// Wakes a worker that sleeps, perhaps, beside what somebody who does not suspend has queued.
    WakeWorker(Duration),
    /// Starts one more worker: all there are do not come to the end of their polls.
    StartWorker(Duration),
    /// Leaves behind who is alive.
    GiveUp,
}

/// What main's thread remembers.
pub(crate) struct Grace {
    grace: Duration,
    least: usize,
    /// For how long exit has not got on.
    stalled_for: Duration,
    finished: u64,
    /// For how long goroutines have ended without there being fewer.
    chained_for: Duration,
    steps: u64,
    /// For how long all that are alive have sat in a nested `block_on`, without a step.
    nested_for: Duration,
    drainers: usize,
}

impl Grace {
    pub(crate) fn new(grace: Duration) -> Self {
        Grace {
            grace: grace.max(LEAST_GRACE),
            least: usize::MAX,
            stalled_for: Duration::ZERO,
            finished: 0,
            chained_for: Duration::ZERO,
            steps: 0,
            nested_for: Duration::ZERO,
            drainers: 0,
        }
    }

    /// After main's thread has slept for so long. `lacks_a_core` says whether a worker in a poll waits for
    /// a core; it is asked when the limit has come.
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
        } else if self.drainers < MAX_DRAINERS && !seen.all_are_nested() {
            self.drainers += 1;
            // Time for it to begin.
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
        if seen.steps != self.steps || !seen.all_are_nested() {
            self.steps = seen.steps;
            self.nested_for = Duration::ZERO;
        }
    }

    /// The longer nothing happens, the less often main's thread looks.
    fn nap(&self) -> Duration {
        (self.stalled_for / 8).clamp(NAP, LONGEST_NAP)
    }

    /// For how long exit has not got on.
    pub(crate) fn stalled_for(&self) -> Duration {
        self.stalled_for
    }
}

#[cfg(test)]
mod tests;
