//! When the monitor looks whether a runtime that does not move is deadlocked (`deadlock/mod.rs`), and whom it
//! tells.
//!
//! It looks when everything has fallen asleep, at most once a second, and again after 100 ms if it could
//! not tell, since what spoke against a deadlock may have gone: a thread that was about to end. Then an
//! idle program has its peace. What falls asleep within that second is looked at when it is over, as often.
//!
//! If the world is closed when nothing has moved for some time, it looks every 100 ms during that time, and
//! credits no look with much more: a process that was stopped meanwhile, or had no core, has not waited.

#![forbid(unsafe_code)]

use std::mem::{self, Discriminant};
use std::panic::{AssertUnwindSafe, RefUnwindSafe, UnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use crate::panics;
use crate::scheduler::deadlock::check::check;
use crate::scheduler::deadlock::doubt::Doubt;
use crate::scheduler::deadlock::outsiders::Counted;
use crate::scheduler::deadlock::runtime::{Runtime, Who};
use crate::scheduler::shared::Scheduler;
use crate::scheduler::worker::Worker;

/// When it looks again.
const AGAIN: Duration = Duration::from_millis(100);

/// The most that a look credits to those that have not moved since the last one.
const MOST_CREDIT: Duration = Duration::from_millis(150);

/// When it looks again, at the latest, for what ends by itself.
const LONGEST_AGAIN: Duration = Duration::from_secs(1);

#[derive(Clone)]
pub(crate) struct StillnessSettings {
    /// When nothing has moved for so long, nobody acts of whom gorun does not know.
    pub(crate) closed_after: Option<Duration>,
    /// When nothing has moved for so long, it is told.
    pub(crate) stall_after: Option<Duration>,
    /// It is told why it cannot be told whether it is a deadlock.
    pub(crate) explains: bool,
    /// The least time between two looks, but for the second one. A second, but in tests.
    pub(crate) interval: Duration,
    pub(crate) tell: Tell,
}

/// It is called on a thread of its own.
#[derive(Clone)]
pub(crate) struct Tell(pub(crate) Arc<Call>);

type Call = dyn Fn(&Arc<Scheduler>, &Stillness) + Send + Sync;

/// Its panics are caught; it answers for any state it leaves behind.
impl UnwindSafe for Tell {}
impl RefUnwindSafe for Tell {}

/// Nothing moves, for so long at least.
#[derive(Clone, Debug)]
pub(crate) struct Stillness {
    pub(crate) lasted: Duration,
    pub(crate) kind: Kind,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Deadlock,
    /// The program wants to know, and it cannot be told.
    Stall(Doubt),
    CannotTell(Doubt),
}

/// The looks at one runtime.
pub(crate) struct Looks {
    settings: StillnessSettings,
    /// The next one.
    at: Option<Instant>,
    last: Option<Instant>,
    /// How often it has looked since everything fell asleep.
    count: u32,
    /// Everything has fallen asleep anew, so that it must look as often again.
    is_owed: bool,
    still: Option<Still>,
    /// The doubt of the last look.
    doubt: Option<Doubt>,
}

/// Nothing has moved since then, as far as this has looked.
struct Still {
    movement: Movement,
    since: Instant,
    credit: Duration,
    told: Vec<Discriminant<Kind>>,
}

/// What is another number after anything has moved.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Movement {
    of_workers: u64,
    of_main: u64,
}

impl Movement {
    /// `None`: main runs.
    fn of(scheduler: &Scheduler) -> Option<Self> {
        let of_main = scheduler.main_sleep.count()?;
        let of_workers = scheduler.workers_ever().map(Worker::ticks).fold(0, u64::wrapping_add);
        Some(Movement { of_workers, of_main })
    }
}

impl Looks {
    pub(crate) fn new(settings: StillnessSettings) -> Self {
        Looks { settings, at: None, last: None, count: 0, is_owed: false, still: None, doubt: None }
    }

    pub(crate) fn next(&self) -> Option<Instant> {
        self.at
    }

    pub(crate) fn are_due(&self, now: Instant) -> bool {
        self.at.is_some_and(|at| now >= at)
    }

    /// Everything has fallen asleep.
    pub(crate) fn note_rest(&mut self, now: Instant) {
        let then = self.last.map_or(now, |last| now.max(last + self.settings.interval));
        if self.at.is_none_or(|at| then < at) {
            self.at = Some(then);
            self.count = 0;
        } else if self.count > 0 {
            self.is_owed = true;
        }
    }

    /// The monitor has found that everything sleeps, and there are no spares.
    pub(crate) fn note_no_spares(&mut self, now: Instant) {
        if matches!(self.doubt, Some(Doubt::Spares | Doubt::ThreadEnds)) {
            self.note_rest(now);
        }
    }

    /// The monitor has fired what was due. If a timer spoke against a deadlock, and wakes nobody, it does so
    /// no more.
    pub(crate) fn note_timers(&mut self, scheduler: &Scheduler, now: Instant) {
        if self.doubt == Some(Doubt::Timer) && !scheduler.timers.has_any() {
            self.doubt = None;
            self.note_rest(now);
        }
    }

    /// Looks at a runtime, and says what is to be told.
    pub(crate) fn look(&mut self, scheduler: &Scheduler, now: Instant) -> Option<Stillness> {
        self.note_movement(scheduler, now);
        self.count += 1;
        (self.last, self.at) = (Some(now), None);
        let doubt = match self.check(scheduler, now) {
            Ok(()) => {
                if self.still.is_none() {
                    // Main has just fallen asleep.
                    self.note_movement(scheduler, now);
                }
                (self.doubt, self.is_owed) = (None, false);
                return self.tell(Kind::Deadlock, now);
            }
            Err(doubt) => doubt,
        };
        self.doubt = Some(doubt.clone());
        let is_closed = self.settings.closed_after.is_some();
        match doubt {
            Doubt::Spares => {
                scheduler.idle.retire_all_spares();
                self.look_after(AGAIN, now);
            }
            Doubt::ThreadEnds => self.look_after(self.backoff(), now),
            Doubt::Events | Doubt::Others if is_closed => self.look_after(self.backoff(), now),
            _ if self.count == 1 => self.look_after(AGAIN, now),
            _ => {}
        }
        let told = self.tell_stall(&doubt, now).or_else(|| {
            let is_known = self.is_closed_enough() || !doubt.is_about_strangers();
            let is_wanted = self.settings.explains && self.count > 1 && is_known;
            is_wanted.then(|| self.tell(Kind::CannotTell(doubt), now))?
        });
        if self.at.is_none() && mem::take(&mut self.is_owed) {
            self.note_rest(now);
        }
        told
    }

    fn check(&mut self, scheduler: &Scheduler, now: Instant) -> Result<(), Doubt> {
        let checked = check(&Runtime { scheduler, who: Who::Anybody });
        match &checked {
            Err(doubt) if self.settings.closed_after.is_some() && doubt.is_about_strangers() => {
                if self.is_closed_enough() {
                    return check(&Runtime { scheduler, who: Who::Known });
                }
                self.look_after(AGAIN, now);
                checked
            }
            _ => checked,
        }
    }

    /// Whether nothing has moved for so long that only those count who are known. Always, if others count.
    fn is_closed_enough(&self) -> bool {
        let credit = self.still.as_ref().map_or(Duration::ZERO, |still| still.credit);
        self.settings.closed_after.is_none_or(|limit| credit >= limit)
    }

    fn note_movement(&mut self, scheduler: &Scheduler, now: Instant) {
        let movement = Movement::of(scheduler);
        match (&mut self.still, movement, self.last) {
            (Some(still), Some(movement), Some(last)) if still.movement == movement => {
                still.credit += now.saturating_duration_since(last).min(MOST_CREDIT);
            }
            (still, movement, _) => {
                *still = movement.map(|movement| Still {
                    movement,
                    since: now,
                    credit: Duration::ZERO,
                    told: Vec::new(),
                });
            }
        }
    }

    /// Later and later, for what ends by itself.
    fn backoff(&self) -> Duration {
        (AGAIN * self.count).min(LONGEST_AGAIN)
    }

    fn look_after(&mut self, time: Duration, now: Instant) {
        self.at = self.at.into_iter().chain(now.checked_add(time)).min();
    }

    fn tell_stall(&mut self, doubt: &Doubt, now: Instant) -> Option<Stillness> {
        let limit = self.settings.stall_after?;
        let lasted = self.lasted(now);
        if lasted >= limit {
            return self.tell(Kind::Stall(doubt.clone()), now);
        }
        self.look_after(limit - lasted, now);
        None
    }

    fn lasted(&self, now: Instant) -> Duration {
        self.still
            .as_ref()
            .map_or(Duration::ZERO, |still| now.saturating_duration_since(still.since))
    }

    /// Each kind is told once, until something moves.
    fn tell(&mut self, kind: Kind, now: Instant) -> Option<Stillness> {
        let (lasted, still) = (self.lasted(now), self.still.as_mut()?);
        let which = mem::discriminant(&kind);
        if still.told.contains(&which) {
            return None;
        }
        still.told.push(which);
        Some(Stillness { lasted, kind })
    }

    /// Tells it on a thread of its own, since that may take its time. Without one, it is told later.
    pub(crate) fn send(&mut self, scheduler: &Arc<Scheduler>, stillness: Stillness) {
        let (Tell(tell), scheduler) = (self.settings.tell.clone(), scheduler.clone());
        // It may call the user's code, or end main, which may wake somebody.
        let may_wake = Counted::may_wake();
        let told = move || {
            // Perhaps only this will have spoken against a deadlock.
            may_wake.until_thread_ends();
            if let Err(payload) = catch_unwind(AssertUnwindSafe(|| tell(&scheduler, &stillness))) {
                panics::discard(payload);
            }
        };
        if thread::Builder::new().name("gorun-report".to_owned()).spawn(told).is_err() {
            self.still = None;
            self.at = self.last.map(|last| last + self.settings.interval);
        }
    }
}
