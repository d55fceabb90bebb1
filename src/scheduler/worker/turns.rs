//! A fair turn in time: when a worker looks at the injector and the timers, which belong to no
//! worker, and how many of their tasks it runs then.
//!
//! The injector and the timers have their turn every 61 polls, but ten times in a millisecond if
//! those would take longer: the monitor, which samples every millisecond, tells each worker its pace.
//! So what a thread wakes while all workers are busy waits for a tenth of a millisecond, not for 61
//! polls of ten microseconds. With polls that are still longer it may be late. So the monitor asks a
//! worker to *check in* if it has begun fewer than 61 polls since the last sample. After its poll the
//! worker looks at once, then after two polls more, then after four, as far as its pace allows, and so
//! on up to 61, unless it is asked again. So if its polls take a millisecond or more, it looks after
//! each of them. Goroutines that a timer wakes then go to the injector, not to the worker's own
//! queue. If polls are short, the monitor asks no worker. A new worker begins like one that was
//! asked, because it may have to cover for one with long polls.
//!
//! Until then it goes round in three parts:
//!
//! 1. What threads have pushed to the injector.
//! 2. What was drained from rings. Behind polls that count as stuck, all local tasks end up there.
//! 3. Its own queue: one task, or as many as it ran before the next look, or a turn (below).
//!
//! In the first two parts the worker takes one task after another, for up to a millisecond, and at
//! most 61. So even if their polls are short, these tasks have as long a turn as a long poll. Then the
//! worker owes its own queue that time, less the time in which the queue runs anyway. Once it owes half
//! a millisecond, the third part is a turn as long as that, but at most a millisecond; the rest is
//! forgiven. Without it, a goroutine in the own queue would wait for many rounds, if polls are short,
//! but not quite 61 in a millisecond, and what runs comes back through the injector: as the connections
//! of a busy server do. A queue that is empty when its part comes is owed nothing, and neither is one
//! whose only task has just yielded.
//!
//! It takes no batch: a batch would have to wait for the worker's long polls, or move on when one
//! of them counts as stuck.

#![forbid(unsafe_code)]

use std::mem;
use std::time::{Duration, Instant};

use crate::clock;
use crate::scheduler::queues::injector::Injector;
use crate::scheduler::queues::run_queue::RawTask;

/// After this many polls at the latest a worker looks at the timers, and at the injector first, so
/// that its own queue cannot starve them. This is Go's figure: a prime, so that a periodic program does not
/// always meet the same task there.
const INTERVAL: u32 = 61;

/// However slow its pace is, a worker that has looked once after it was asked runs so many polls
/// before it looks again.
const FEWEST: u32 = 2;

/// How long a turn lasts on a worker with long polls.
const TURN: Duration = Duration::from_millis(1);

/// How much the own queue may be owed before it has a turn.
const CREDIT: Duration = Duration::from_micros(500);

pub(crate) struct Turns {
    /// Polls until the next check.
    polls_left: u32,
    /// How many polls would be between the last check and the next if the pace were fast. At 61 the
    /// worker no longer counts as one with long polls.
    interval: u32,
    /// How many polls it begins in a tenth of a millisecond.
    pace: u32,
    part: Part,
    turn: Option<Turn>,
    /// The worker's own queue has already had its next part, between two checks.
    own_had_polls: bool,
    /// For so long others had their turns while the own queue waited.
    owed: Duration,
    /// Since then the own queue has been running, unless a turn of others goes on.
    others_ended: Instant,
}

/// What comes next on a worker with long polls.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    /// A turn of the tasks that threads have pushed.
    Pushed,
    /// A turn of those that rings held.
    FromRings,
    /// A part of its own queue: one task, or a turn.
    Own,
}

/// A turn, while it goes on.
struct Turn {
    ends: Instant,
    /// Since then the own queue has waited for its end.
    waited_since: Instant,
    tasks: u32,
    /// The interval that holds again afterwards.
    interval: u32,
}

impl Turns {
    pub(crate) fn new() -> Self {
        Turns {
            polls_left: 1,
            interval: 1,
            pace: INTERVAL,
            part: Part::Pushed,
            turn: None,
            own_had_polls: false,
            owed: Duration::ZERO,
            others_ended: clock::now(),
        }
    }

    /// Counts a poll. Returns whether the worker must look at the timers and the injector first.
    #[inline]
    pub(crate) fn is_check_due(&mut self) -> bool {
        self.polls_left -= 1;
        self.polls_left == 0
    }

    /// Makes a check due before the next poll. `yielded_to_none` says that the last poll was that
    /// of a task that yielded and is alone in the worker's queue. That task must not run again at
    /// once.
    pub(crate) fn check_soon(&mut self, yielded_to_none: bool) {
        match &mut self.turn {
            Some(turn) => turn.interval = 1,
            None => self.note_own_polls(self.within_pace(self.interval) - self.polls_left),
        }
        if yielded_to_none {
            self.owed = Duration::ZERO;
            self.own_had_polls = self.part != Part::Own;
            if self.part == Part::Own {
                self.end_turn();
                self.part = Part::Pushed;
            } else if let Some(turn) = &mut self.turn {
                // It came from the injector itself. Nobody has waited in the own queue until now.
                turn.waited_since = clock::now();
            }
        }
        self.plan(1);
    }

    /// Plans the next check. The worker begins `pace` polls in a tenth of a millisecond.
    pub(crate) fn begin_check(&mut self, pace: u32) {
        self.note_own_polls(self.within_pace(self.interval) - 1);
        let interval = longer(self.interval, self.pace);
        self.pace = pace.max(FEWEST);
        self.plan(interval);
    }

    /// How many polls there really are in an interval.
    fn within_pace(&self, interval: u32) -> u32 {
        interval.min(self.pace)
    }

    fn plan(&mut self, interval: u32) {
        self.interval = interval;
        self.polls_left = self.within_pace(interval);
    }

    /// Notes how many polls the worker's own queue has had since the last check. Before a turn of
    /// what threads have pushed, these polls belong to the queue's last part, otherwise to its
    /// next one.
    fn note_own_polls(&mut self, polls: u32) {
        if polls == 0 {
            return;
        }
        self.own_had_polls |= self.part != Part::Pushed;
        if !self.owed.is_zero() {
            let now = clock::now();
            let ran = now.saturating_duration_since(mem::replace(&mut self.others_ended, now));
            self.owed = self.owed.saturating_sub(ran);
        }
    }

    /// Whether the worker takes single tasks in turn, rather than batches.
    #[inline]
    pub(crate) fn are_taken(&self) -> bool {
        self.interval < INTERVAL
    }

    /// The next task, or `None` if it is the turn of the worker's own queue.
    #[cold]
    pub(crate) fn next<const SHARDS: usize>(
        &mut self,
        injector: &Injector<SHARDS>,
        own_queue_has_tasks: impl Fn() -> bool,
    ) -> Option<RawTask> {
        // One full round, from any part.
        for _ in 0..=3 {
            if self.part == Part::Own {
                if !own_queue_has_tasks() {
                    (self.own_had_polls, self.owed) = (false, Duration::ZERO);
                } else if self.own_has_next() {
                    return None;
                }
                self.end_turn();
                self.part = Part::Pushed;
            } else if let Some(task) = self.next_of_turn(injector) {
                return Some(task);
            } else {
                self.part = self.part.next();
                if !self.are_taken() {
                    return None;
                }
            }
        }
        None
    }

    /// Whether the own queue has the next poll. Afterwards it is the turn of others, unless its own
    /// turn goes on.
    fn own_has_next(&mut self) -> bool {
        let had_polls = mem::take(&mut self.own_had_polls);
        if self.turn.is_none() && self.owed < CREDIT {
            self.part = Part::Pushed;
            return !had_polls;
        }
        let now = clock::now();
        let (owed, interval) = (mem::take(&mut self.owed).min(TURN), self.interval);
        let turn = Turn { ends: now + owed, waited_since: now, tasks: 0, interval };
        let turn = self.turn.get_or_insert(turn);
        if now >= turn.ends || turn.tasks == INTERVAL {
            return false;
        }
        turn.tasks += 1;
        self.plan(1);
        true
    }

    /// The next task of the turn that goes on or begins, unless it is over.
    fn next_of_turn<const SHARDS: usize>(
        &mut self,
        injector: &Injector<SHARDS>,
    ) -> Option<RawTask> {
        if self.turn.as_ref().is_some_and(|turn| clock::now() >= turn.ends) {
            self.end_turn();
            return None;
        }
        let task = match self.part {
            Part::Pushed => injector.take_pushed(),
            Part::FromRings => injector.take_from_rings(),
            Part::Own => None,
        };
        if task.is_none() {
            // All of them ran in less than a turn: polls may be short.
            if let Some(turn) = &mut self.turn {
                turn.interval = longer(turn.interval, self.pace);
            }
            self.end_turn();
            return None;
        }
        let interval = self.interval;
        let begin = || {
            let now = clock::now();
            Turn { ends: now + TURN, waited_since: now, tasks: 0, interval }
        };
        let turn = self.turn.get_or_insert_with(begin);
        turn.tasks += 1;
        let is_over = turn.tasks == INTERVAL;
        if is_over {
            // A millisecond is enough for that many: polls are short.
            turn.interval = INTERVAL;
        }
        self.plan(1);
        if is_over {
            self.end_turn();
            self.part = self.part.next();
        }
        task
    }

    fn end_turn(&mut self) {
        if let Some(turn) = self.turn.take() {
            self.plan(turn.interval);
            if self.part != Part::Own {
                let now = clock::now();
                self.owed += now.saturating_duration_since(turn.waited_since).min(TURN);
                self.others_ended = now;
            }
        }
    }
}

/// The interval after this one.
fn longer(interval: u32, pace: u32) -> u32 {
    (interval + interval.min(pace)).min(INTERVAL)
}

impl Part {
    fn next(self) -> Self {
        match self {
            Part::Pushed => Part::FromRings,
            Part::FromRings => Part::Own,
            Part::Own => Part::Pushed,
        }
    }
}

#[cfg(test)]
mod tests;
