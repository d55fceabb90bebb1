//! Which workers are stuck, and what to do about it: a function of samples and time.
//!
//! A worker is *stuck* if it stays in one poll, while work waits and no worker is free for it,
//!
//! - for a millisecond, and the kernel says that its thread is asleep, or
//! - for 10 ms, Go's time slice, if it computes and no other available worker has begun a poll in
//!   that time either. While another worker begins polls, it serves what waits, and one more thread
//!   would only share their cores. We query the kernel only for suspects; on other systems every
//!   thread counts as computing.
//!
//! Another worker covers for each stuck one. If covers fall asleep too, and at least half of
//! the workers in polls do, the number of workers that may be available at the same time grows,
//! first by one and then twofold, until there are enough. If fewer sleep, the others serve what
//! waits; more workers would crowd the cores, and leave late when they are no longer needed. After
//! 10 ms in which no worker was found asleep, the configured number holds again. Workers that
//! compute are replaced one for one: they share the cores, so a further worker gives waiting
//! work a turn, and nothing more. One round of replacements every 10 ms is enough for that turn.
//!
//! A worker is *slow* if it has begun so few polls since the last sample that tasks in the
//! injector, or due timers, would not get their turn. It is *overdue* if it has been in one poll
//! since then and something waits: its goroutine must give way at its next operation.
//!
//! A worker is *neglecting* its own queue if it stays in a poll while others are idle.
//!
//! # Rejected
//!
//! - The thread's CPU clock, to tell which threads sleep: with more threads than cores it also
//!   stands still for a thread that waits for a core.
//! - An adaptive number of workers (hill climbing, as in .NET): it takes hundreds of milliseconds
//!   to find what the kernel tells us at once, that a worker is asleep.

#![forbid(unsafe_code)]

use std::time::{Duration, Instant};

use crate::scheduler::worker::UNKNOWN_PACE;

/// A poll that has slept for this long is stuck.
const ASLEEP: Duration = Duration::from_millis(1);

/// Polls that compute for this long while work waits are stuck.
const COMPUTING: Duration = Duration::from_millis(10);

/// For this long after a worker was found asleep, as many workers are allowed as were needed then.
const CALM: Duration = Duration::from_millis(10);

/// A worker that has begun fewer polls than this since the last sample has looked at the injector
/// once at most, unless it knows its pace already.
const FEW_POLLS: usize = 61;

/// The interval between samples, while some worker is idle and while none is. The first keeps tasks
/// from waiting beside an idle worker for a millisecond, the kernel's timer slack included. Each
/// sample costs a wake-up.
const BESIDE_IDLERS: Duration = Duration::from_micros(800);
const WITHOUT_IDLERS: Duration = Duration::from_millis(1);

/// A worker's pace is how many polls it begins in this time.
const TENTH: Duration = Duration::from_micros(100);

fn pace(begun: usize, step: Duration) -> u32 {
    (begun as f64 * TENTH.as_secs_f64() / step.as_secs_f64()) as u32
}

/// A worker at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    /// Change when a poll or blocking begins or ends; odd inside a poll.
    pub(crate) ticks: u64,
    /// It has announced that it blocks, and another worker has taken its place.
    pub(crate) is_blocked: bool,
    /// Tasks wait in its own queue.
    pub(crate) has_tasks: bool,
    /// How many polls it has begun.
    pub(crate) polls: usize,
}

impl Seen {
    pub(crate) fn is_in_poll(&self) -> bool {
        self.ticks % 2 == 1 && !self.is_blocked
    }
}

/// All workers at one moment.
pub(crate) struct Sample {
    pub(crate) now: Instant,
    pub(crate) workers: Vec<Seen>,
    /// Work waits outside the workers' own queues.
    pub(crate) work_waits: bool,
    /// Some worker has nothing to do.
    pub(crate) has_idle_worker: bool,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// Workers whose tasks must go to others.
    pub(crate) neglecting: Vec<usize>,
    /// Workers whose tasks must go to others if the poll that has just begun lasts.
    pub(crate) perhaps_neglecting: Vec<usize>,
    /// Workers that have become stuck since the last sample.
    pub(crate) stuck: Vec<usize>,
    /// Workers whose polls are so long that the injector and the timers would miss their turn.
    pub(crate) slow: Vec<usize>,
    /// How many polls each worker begins in a tenth of a millisecond. `UNKNOWN_PACE` for a worker that
    /// is new or has begun none, and for all of them while some worker is idle.
    pub(crate) paces: Vec<u32>,
    /// Workers that have been in one poll since the last sample, while something waits.
    pub(crate) overdue: Vec<usize>,
    /// How many more workers than configured may be available.
    pub(crate) extra: usize,
    /// Nothing waits, nothing has moved, and no extra worker is allowed.
    pub(crate) is_quiet: bool,
    /// The time to the next sample.
    pub(crate) next_sample: Duration,
}

/// What the monitor remembers.
pub(crate) struct StallDetector {
    polls: Vec<Poll>,
    /// When work began to wait while no worker was free.
    waits_since: Option<Instant>,
    extra: usize,
    slept_last: Option<Instant>,
    sampled_last: Option<Instant>,
}

struct Poll {
    ticks: u64,
    /// When it was first seen.
    since: Instant,
    is_stuck: bool,
    /// How many polls had begun at the last sample.
    polls: usize,
    /// We do not query the kernel earlier: a query costs some microseconds.
    ask_after: Duration,
}

impl StallDetector {
    pub(crate) fn new() -> Self {
        StallDetector {
            polls: Vec::new(),
            waits_since: None,
            extra: 0,
            slept_last: None,
            sampled_last: None,
        }
    }

    /// How long a worker has been seen in its present poll.
    pub(crate) fn held_for(&self, worker: usize, now: Instant) -> Duration {
        self.polls.get(worker).map_or(Duration::ZERO, |poll| now - poll.since)
    }

    /// `is_asleep` queries the kernel about a worker's thread.
    pub(crate) fn assess(
        &mut self,
        sample: &Sample,
        mut is_asleep: impl FnMut(usize) -> bool,
    ) -> Verdict {
        let &Sample { now, ref workers, has_idle_worker, .. } = sample;
        let has_tasks = workers.iter().any(|seen| seen.has_tasks);
        let any_waits = sample.work_waits || has_tasks;
        let waits_since = match any_waits && !has_idle_worker {
            true => Some(*self.waits_since.get_or_insert(now)),
            false => None,
        };
        self.waits_since = waits_since;

        let has_moved = self.note_progress(workers, now);
        let served_last = waits_since.max(self.newest(workers));
        let none_serves = served_last.is_some_and(|last| now - last >= COMPUTING);
        let (mut polling, mut slept) = (0, 0);
        let (mut neglecting, mut perhaps_neglecting) = (Vec::new(), Vec::new());
        let mut stuck = Vec::new();
        let (mut slow, mut overdue, mut paces) = (Vec::new(), Vec::new(), Vec::new());
        let step = now - self.sampled_last.replace(now).unwrap_or(now);
        for ((worker, seen), poll) in workers.iter().enumerate().zip(&mut self.polls) {
            let begun = seen.polls.wrapping_sub(poll.polls);
            paces.push(match has_idle_worker || begun == 0 {
                true => UNKNOWN_PACE,
                false => pace(begun, step),
            });
            if !seen.is_in_poll() {
                continue;
            }
            if !has_idle_worker && begun < FEW_POLLS {
                slow.push(worker);
            }
            if any_waits && poll.since < now {
                overdue.push(worker);
            }
            if seen.has_tasks && (has_idle_worker || poll.is_stuck) {
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
                if sleeps || none_serves {
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
            paces,
            overdue,
            extra: self.extra,
            is_quiet: !has_moved && !any_waits && self.extra == 0,
            next_sample: match has_idle_worker {
                true => BESIDE_IDLERS,
                false => WITHOUT_IDLERS,
            },
        }
    }

    /// Returns whether any worker has moved since the last sample.
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

    /// When the latest poll of an available worker was first seen.
    fn newest(&self, workers: &[Seen]) -> Option<Instant> {
        let available = workers.iter().zip(&self.polls);
        let available = available.filter(|(seen, poll)| !seen.is_blocked && !poll.is_stuck);
        available.map(|(_, poll)| poll.since).max()
    }

    /// Of `polling` workers in polls, not stuck before, `slept` are asleep.
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
