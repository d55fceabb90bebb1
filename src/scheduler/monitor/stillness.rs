//! When the monitor looks whether a runtime that does not move is deadlocked (`deadlock/mod.rs`), and whom it
//! tells.
//!
//! It looks when everything has fallen asleep, at most once a second, and again after 100 ms if it could
//! not tell, since what spoke against a deadlock may have gone: a thread that was about to end. Then an
//! idle program has its peace. What falls asleep within that second is looked at when it is over.

#![forbid(unsafe_code)]

use std::panic::{AssertUnwindSafe, RefUnwindSafe, UnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use crate::panics;
use crate::scheduler::deadlock::check::check;
use crate::scheduler::deadlock::doubt::Doubt;
use crate::scheduler::deadlock::outsiders::Counted;
use crate::scheduler::deadlock::runtime::Runtime;
use crate::scheduler::shared::Scheduler;
use crate::scheduler::worker::Worker;

/// When it looks again.
const AGAIN: Duration = Duration::from_millis(100);

/// The same while a thread ends, at the latest.
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

/// Nothing moves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Stillness {
    Deadlock,
    CannotTell(Doubt),
    /// For so long.
    Stall(Duration, Doubt),
}

/// The looks at one runtime.
pub(crate) struct Looks {
    settings: StillnessSettings,
    /// The next one.
    at: Option<Instant>,
    last: Option<Instant>,
    /// How often it has looked since everything fell asleep.
    count: u32,
    /// What has not moved, and since when.
    still: Option<(Movement, Instant)>,
    told: Option<Stillness>,
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
        let of_workers = scheduler.workers().map(Worker::ticks).fold(0, u64::wrapping_add);
        Some(Movement { of_workers, of_main })
    }
}

impl Looks {
    pub(crate) fn new(settings: StillnessSettings) -> Self {
        Looks { settings, at: None, last: None, count: 0, still: None, told: None }
    }

    pub(crate) fn next(&self) -> Option<Instant> {
        self.at
    }

    pub(crate) fn are_due(&self, now: Instant) -> bool {
        self.at.is_some_and(|at| now >= at)
    }

    /// Everything has fallen asleep.
    pub(crate) fn note_rest(&mut self, now: Instant) {
        if self.at.is_none() {
            self.at = Some(self.last.map_or(now, |last| now.max(last + self.settings.interval)));
            self.count = 0;
        }
    }

    /// Looks at a runtime, and says what is to be told.
    pub(crate) fn look(&mut self, scheduler: &Scheduler, now: Instant) -> Option<Stillness> {
        self.count += 1;
        self.last = Some(now);
        self.at = (self.count == 1).then(|| now + AGAIN);
        let still_since = self.still_since(scheduler, now);
        let Err(mut doubt) = check(&Runtime { scheduler, is_closed: false }) else {
            return self.tell(Stillness::Deadlock);
        };
        let is_over = |limit: Duration| still_since.is_some_and(|since| now - since >= limit);
        if let Some(limit) = self.settings.closed_after
            && doubt.is_about_strangers()
        {
            if is_over(limit) {
                match check(&Runtime { scheduler, is_closed: true }) {
                    Ok(()) => return self.tell(Stillness::Deadlock),
                    Err(other) => doubt = other,
                }
            }
            self.look_again(still_since, limit);
        }
        match doubt {
            Doubt::Spares => scheduler.idle.retire_all_spares(),
            // As long as its destructors take.
            Doubt::ThreadEnds => self.at = Some(now + (AGAIN * self.count).min(LONGEST_AGAIN)),
            _ => {}
        }
        if let Some(limit) = self.settings.stall_after {
            if is_over(limit) {
                return self.tell(Stillness::Stall(limit, doubt));
            }
            self.look_again(Some(still_since.unwrap_or(now)), limit);
        }
        if self.settings.explains && self.count > 1 && doubt != Doubt::Moves {
            return self.tell(Stillness::CannotTell(doubt));
        }
        None
    }

    /// Since when nothing has moved, as far as this has looked.
    fn still_since(&mut self, scheduler: &Scheduler, now: Instant) -> Option<Instant> {
        let movement = Movement::of(scheduler);
        if self.still.map(|(movement, _)| movement) != movement {
            self.still = movement.map(|movement| (movement, now));
            self.told = None;
        }
        self.still.map(|(_, since)| since)
    }

    /// Sees to a look when nothing has moved for `limit`.
    fn look_again(&mut self, still_since: Option<Instant>, limit: Duration) {
        let then = still_since.map(|since| since + limit).filter(|then| self.last < Some(*then));
        self.at = self.at.into_iter().chain(then).min();
    }

    /// Each is told once, until something moves.
    fn tell(&mut self, stillness: Stillness) -> Option<Stillness> {
        if stillness == Stillness::Deadlock {
            self.at = None;
        }
        if self.told.as_ref() == Some(&stillness) {
            return None;
        }
        self.told = Some(stillness.clone());
        Some(stillness)
    }

    /// Tells it on a thread of its own, since that may take its time. Without one, it is told later.
    pub(crate) fn send(&mut self, scheduler: &Arc<Scheduler>, stillness: Stillness) {
        let (Tell(tell), scheduler) = (self.settings.tell.clone(), scheduler.clone());
        let counted = Counted::may_wake();
        let told = move || {
            let _counted = counted;
            if let Err(payload) = catch_unwind(AssertUnwindSafe(|| tell(&scheduler, &stillness))) {
                panics::discard(payload);
            }
        };
        if thread::Builder::new().name("gorun-report".to_owned()).spawn(told).is_err() {
            self.told = None;
            self.at = self.last.map(|last| last + self.settings.interval);
        }
    }
}
