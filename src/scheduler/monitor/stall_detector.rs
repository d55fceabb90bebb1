//! Which workers are stuck, and what to do about it: a function of what the monitor sees, and when.
//!
//! A worker is *stuck* if it is in one and the same poll, while work waits and nobody is free for it,
//!
//! - for a millisecond, and the system says that its thread is asleep, or
//! - for 10 ms, Go's time slice, if it computes and nobody else that is available has begun a poll in
//!   that time either. (While somebody does, what waits is seen to, and one more thread would only share
//!   the cores that they have. The system's word is asked for suspects only. Where it has none,
//!   everybody computes.)
//!
//! For each that is stuck another worker steps in. If those get stuck in turn, asleep, and most of them
//! do, the number of workers that may be available at the same time grows, at first by one and then
//! twofold, until there are enough. (If most do not, they see to what waits. More would crowd the cores,
//! and be late to leave when they are not needed any more.) When none has been found asleep for 10 ms it
//! is the configured one again. Workers that compute are replaced and no more: they share the cores there
//! are, so more of them at once bring nothing but a turn for what waits, which one round of replacements
//! every 10 ms gives.
//!
//! A worker is *slow* if it has begun so few polls since the last look that what waits in the injector, or is
//! due at the timers, would not have its turn. It is *overdue* if it has been in one poll since then and
//! something waits: the goroutine there is to give way at its next operation.
//!
//! A worker *neglects* what is in its own queue if it stays in a poll while others are idle.
//!
//! # Rejected
//!
//! - The thread's CPU clock, to tell who sleeps: with more threads than cores it also stands still for
//!   one that waits for its turn.
//! - An own, adaptive number of workers (hill climbing, as in .NET): it takes hundreds of milliseconds
//!   to find what is known here, that somebody is asleep who need not be waited for.

#![forbid(unsafe_code)]

use std::time::{Duration, Instant};

/// A poll that has slept this long, at least, is stuck.
const ASLEEP: Duration = Duration::from_millis(1);

/// Polls that keep others waiting this long, computing, are stuck.
const COMPUTING: Duration = Duration::from_millis(10);

/// For so long after somebody was found asleep as many workers are allowed as were needed then.
const CALM: Duration = Duration::from_millis(10);

/// A worker that has begun fewer polls than this since the last look has not looked at the injector.
const FEW_POLLS: usize = 61;

/// How often to look: while somebody is idle whom neglected work could go to, which keeps neglect below
/// a millisecond, the system's slack included, and while nobody is. Each look costs a wake-up.
const BESIDE_IDLERS: Duration = Duration::from_micros(800);
const WITHOUT_IDLERS: Duration = Duration::from_millis(1);

/// A worker at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    /// Changes with each step; odd is inside a poll.
    pub(crate) ticks: u64,
    /// It has said so, and somebody has taken its place.
    pub(crate) is_blocked: bool,
    /// Tasks wait in its own queue.
    pub(crate) has_tasks: bool,
    /// How many polls have begun.
    pub(crate) polls: usize,
}

impl Seen {
    pub(crate) fn is_in_poll(&self) -> bool {
        self.ticks % 2 == 1 && !self.is_blocked
    }
}

/// All of them at one moment.
#[derive(Clone, Copy)]
pub(crate) struct Sample<'a> {
    pub(crate) now: Instant,
    pub(crate) workers: &'a [Seen],
    /// Work waits that is in no worker's queue.
    pub(crate) work_waits: bool,
    /// Some worker has nothing to do.
    pub(crate) somebody_is_idle: bool,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// Whose tasks others should have.
    pub(crate) neglecting: Vec<usize>,
    /// Whose tasks others should have if the poll that has begun lasts.
    pub(crate) perhaps_neglecting: Vec<usize>,
    /// Who is stuck, and was not before.
    pub(crate) stuck: Vec<usize>,
    /// Whose polls take so long that the injector and the timers would wait for their turn.
    pub(crate) slow: Vec<usize>,
    /// Who has been in one poll since the last look, while something waits.
    pub(crate) overdue: Vec<usize>,
    /// So many more workers than configured may be available.
    pub(crate) extra: usize,
    /// Whether there may be more to see soon.
    pub(crate) is_quiet: bool,
    /// When to look again.
    pub(crate) next_sample: Duration,
}

/// What the monitor remembers.
pub(crate) struct StallDetector {
    polls: Vec<Poll>,
    /// Since when work has been waiting that nobody is free for.
    waits_since: Option<Instant>,
    extra: usize,
    slept_last: Option<Instant>,
}

struct Poll {
    ticks: u64,
    /// When it was first seen.
    since: Instant,
    is_stuck: bool,
    /// How many polls had begun at the last look.
    polls: usize,
    /// Not to be asked for earlier: asking costs some microseconds.
    ask_after: Duration,
}

impl StallDetector {
    pub(crate) fn new() -> Self {
        StallDetector { polls: Vec::new(), waits_since: None, extra: 0, slept_last: None }
    }

    /// For how long a worker has been seen in its present poll.
    pub(crate) fn held_for(&self, worker: usize, now: Instant) -> Duration {
        self.polls.get(worker).map_or(Duration::ZERO, |poll| now - poll.since)
    }

    /// `is_asleep` asks the system about a worker's thread.
    pub(crate) fn assess(
        &mut self,
        sample: &Sample<'_>,
        mut is_asleep: impl FnMut(usize) -> bool,
    ) -> Verdict {
        let Sample { now, workers, somebody_is_idle, .. } = *sample;
        let has_tasks = workers.iter().any(|seen| seen.has_tasks);
        let any_waits = sample.work_waits || has_tasks;
        let waits_since = match any_waits && !somebody_is_idle {
            true => Some(*self.waits_since.get_or_insert(now)),
            false => None,
        };
        self.waits_since = waits_since;

        let has_moved = self.note_progress(workers, now);
        let served_last = waits_since.max(self.newest(workers));
        let nobody_serves = served_last.is_some_and(|last| now - last >= COMPUTING);
        let (mut polling, mut slept) = (0, 0);
        let (mut neglecting, mut perhaps_neglecting) = (Vec::new(), Vec::new());
        let mut stuck = Vec::new();
        let (mut slow, mut overdue) = (Vec::new(), Vec::new());
        for ((worker, seen), poll) in workers.iter().enumerate().zip(&mut self.polls) {
            if !seen.is_in_poll() {
                continue;
            }
            if !somebody_is_idle && seen.polls.wrapping_sub(poll.polls) < FEW_POLLS {
                slow.push(worker);
            }
            if any_waits && poll.since < now {
                overdue.push(worker);
            }
            if seen.has_tasks && (somebody_is_idle || poll.is_stuck) {
                let is_new = poll.since == now;
                if is_new { &mut perhaps_neglecting } else { &mut neglecting }.push(worker);
            }
            if poll.is_stuck {
                continue;
            }
            polling += 1;
            if waits_since.is_some() {
                let sleeps = poll.is_asleep(now, || is_asleep(worker));
                slept += usize::from(sleeps);
                if sleeps || nobody_serves {
                    poll.is_stuck = true;
                    stuck.push(worker);
                }
            }
        }
        self.adapt(now, polling, slept);
        self.polls.iter_mut().zip(workers).for_each(|(poll, seen)| poll.polls = seen.polls);
        Verdict {
            neglecting,
            perhaps_neglecting,
            stuck,
            slow,
            overdue,
            extra: self.extra,
            is_quiet: !has_moved && !any_waits && self.extra == 0,
            next_sample: match somebody_is_idle {
                true => BESIDE_IDLERS,
                false => WITHOUT_IDLERS,
            },
        }
    }

    /// Says whether anybody has moved since the last look.
    fn note_progress(&mut self, workers: &[Seen], now: Instant) -> bool {
        let mut has_moved = false;
        self.polls.truncate(workers.len());
        for (worker, seen) in workers.iter().enumerate() {
            match self.polls.get_mut(worker) {
                None => self.polls.push(Poll::new(seen.ticks, now, seen.polls)),
                Some(poll) if poll.ticks != seen.ticks => {
                    *poll = Poll::new(seen.ticks, now, poll.polls);
                }
                Some(_) => continue,
            }
            has_moved = true;
        }
        has_moved
    }

    /// When the last poll of one that is available was first seen.
    fn newest(&self, workers: &[Seen]) -> Option<Instant> {
        let available = workers.iter().zip(&self.polls);
        let available = available.filter(|(seen, poll)| !seen.is_blocked && !poll.is_stuck);
        available.map(|(_, poll)| poll.since).max()
    }

    /// Of so many workers that were in polls, and not stuck before, so many sleep.
    fn adapt(&mut self, now: Instant, polling: usize, slept: usize) {
        let is_calm = self.slept_last.is_none_or(|last| now - last >= CALM);
        if is_calm {
            self.extra = 0;
        } else if slept > 0 && 2 * slept >= polling {
            self.extra = (2 * self.extra).clamp(1, u16::MAX.into());
        }
        if slept > 0 {
            self.slept_last = Some(now);
        }
    }
}

impl Poll {
    fn new(ticks: u64, since: Instant, polls: usize) -> Self {
        Poll { ticks, since, is_stuck: false, polls, ask_after: ASLEEP }
    }

    fn is_asleep(&mut self, now: Instant, ask: impl FnOnce() -> bool) -> bool {
        if now - self.since < self.ask_after {
            return false;
        }
        self.ask_after *= 2;
        ask()
    }
}

#[cfg(test)]
mod tests;
