//! What has happened in a simulation: a step for each poll.

#![forbid(unsafe_code)]

use std::collections::VecDeque;
use std::fmt;
use std::panic::Location;
use std::sync::Arc;
use std::time::Duration;

use crate::rng::mix;
use crate::scheduler::simulation::host_id::HostId;
use crate::scheduler::wait::{Wait, is_users};

/// Which goroutine, in the order of their first steps. Main is zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Number(pub(crate) u32);

impl Number {
    pub(crate) const MAIN: Self = Number(0);
    /// A timer that was due, for one who woke.
    pub(crate) const TIME: Self = Number(u32::MAX);
    /// A thread outside.
    pub(crate) const OUTSIDE: Self = Number(u32::MAX - 1);
    /// Nothing else could run, and it had asked for that.
    pub(crate) const REST: Self = Number(u32::MAX - 2);
    /// The network: something has arrived, or a connection has failed.
    #[cfg(feature = "net")]
    pub(crate) const NETWORK: Self = Number(u32::MAX - 3);
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Number::MAIN => f.write_str("main"),
            Number::TIME => f.write_str("a timer"),
            Number::OUTSIDE => f.write_str("a thread outside"),
            Number::REST => f.write_str("`settle`"),
            #[cfg(feature = "net")]
            Number::NETWORK => f.write_str("the network"),
            Number(number) => write!(f, "goroutine {number}"),
        }
    }
}

/// A poll.
#[derive(Clone, Copy)]
pub(crate) struct Step {
    pub(crate) who: Number,
    /// Where it is.
    pub(crate) host: HostId,
    pub(crate) spawned_at: Option<&'static Location<'static>>,
    /// Who made it runnable: whoever spawned or woke it.
    pub(crate) woken_by: Number,
    pub(crate) stop: Stop,
    /// How many operations it has begun, up to the first that gave way.
    pub(crate) operations: u32,
    /// How many could run, this one included.
    pub(crate) runnable: u32,
    /// Since the start.
    pub(crate) at: Duration,
}

/// Why a poll ended.
#[derive(Clone, Copy)]
pub(crate) enum Stop {
    Ended,
    /// `None`: for something that is not gorun's.
    Waits(Option<Wait>),
    /// Its budget was spent.
    GaveWay,
    /// It had woken itself, as `yield_now` does.
    Yielded,
}

/// How a poll has ended.
pub(crate) struct Polled {
    /// `None`: it is not a goroutine's.
    pub(crate) spawned_at: Option<&'static Location<'static>>,
    pub(crate) is_suspended: bool,
    pub(crate) gave_way: bool,
    /// What was left of its budget.
    pub(crate) left: u32,
    pub(crate) wait: Option<Wait>,
}

impl Stop {
    /// How many operations the next poll must be able to begin, if this one had to begin `least`. `has_waited`: an
    /// operation waits, and was before the one that gave way; it will begin again before that one.
    pub(super) fn least(self, least: u32, has_waited: bool) -> u32 {
        match self {
            Stop::GaveWay if has_waited => least + 1,
            Stop::GaveWay | Stop::Waits(Some(_)) => 1,
            _ => 0,
        }
    }
}

impl Step {
    pub(super) fn new(
        who: Number,
        woken_by: Number,
        runnable: u32,
        at: Duration,
        budget: u32,
        stop: Stop,
        polled: &Polled,
    ) -> Self {
        let spent = budget.saturating_sub(polled.left);
        let operations = if polled.gave_way { budget } else { spent };
        let spawned_at = polled.spawned_at;
        Step { who, host: HostId::MAINS, spawned_at, woken_by, stop, operations, runnable, at }
    }

    fn hash(&self, before: u64) -> u64 {
        let stop = match self.stop {
            Stop::Ended => 0,
            Stop::GaveWay => 1,
            Stop::Yielded => 2,
            Stop::Waits(None) => 3,
            Stop::Waits(Some(wait)) => {
                4 + wait.operation as u64 + (u64::from(wait.place.line()) << 16)
            }
        };
        let who = u64::from(self.who.0) << 32 | u64::from(self.woken_by.0);
        let counts = u64::from(self.operations) << 32 | u64::from(self.runnable);
        let time = self.at.as_nanos() as u64;
        [who, counts, stop, time].into_iter().fold(before, |hash, part| mix(hash ^ part))
    }
}

impl Step {
    /// A line of a report. `hosts` are their names, if there are several.
    pub(crate) fn print(
        &self,
        to: &mut impl fmt::Write,
        with_place: bool,
        hosts: &[String],
    ) -> fmt::Result {
        write!(to, "{:>10}  {}", format!("{:?}", self.at), self.who)?;
        if let Some(place) = self.spawned_at.filter(|_| with_place) {
            write!(to, " (spawned at {place})")?;
        }
        if let Some(host) = hosts.get(self.host.0 as usize).filter(|_| with_place) {
            write!(to, " on `{host}`")?;
        }
        if self.woken_by != self.who {
            write!(to, ", woken by {},", self.woken_by)?;
        }
        match self.stop {
            Stop::Ended => writeln!(to, " ends"),
            Stop::GaveWay => writeln!(to, " gives way"),
            Stop::Yielded => writeln!(to, " yields"),
            Stop::Waits(None) => writeln!(to, " waits for a future that is not gorun's"),
            Stop::Waits(Some(wait)) => {
                write!(to, " waits [{}]", wait.operation.name())?;
                if is_users(wait.place) {
                    write!(to, " at {}", wait.place)?;
                }
                writeln!(to)
            }
        }
    }
}

/// How many steps a report shows.
const SHOWN: usize = 40;

/// How many are kept for a comparison. Later ones are compared by their hash, at the end.
const COMPARED: usize = 1 << 18;

/// The steps of a run.
pub(crate) struct Steps {
    count: u64,
    hash: u64,
    last: VecDeque<Step>,
    /// The hash after each, for the run that repeats this one.
    hashes: Option<Vec<u64>>,
    /// Those of the run that this one repeats.
    expected: Option<Arc<[u64]>>,
    differs_at: Option<u64>,
}

impl Steps {
    /// `expected`: the run must take these steps again.
    pub(crate) fn new(keeps_hashes: bool, expected: Option<Arc<[u64]>>) -> Self {
        Steps {
            count: 0,
            hash: 0,
            last: VecDeque::with_capacity(SHOWN),
            hashes: keeps_hashes.then(Vec::new),
            expected,
            differs_at: None,
        }
    }

    /// Returns whether it is the first that the run before had not taken.
    pub(super) fn push(&mut self, step: Step) -> bool {
        self.hash = step.hash(self.hash);
        let index = self.count as usize;
        self.count += 1;
        if self.last.len() == SHOWN {
            self.last.pop_front();
        }
        self.last.push_back(step);
        if let Some(hashes) = &mut self.hashes
            && hashes.len() < COMPARED
        {
            hashes.push(self.hash);
        }
        let Some(expected) = &self.expected else { return false };
        let differs = match expected.get(index) {
            Some(hash) => *hash != self.hash,
            None => index < COMPARED,
        };
        let is_first = differs && self.differs_at.is_none();
        if is_first {
            self.differs_at = Some(self.count);
        }
        is_first
    }

    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    pub(crate) fn hash(&self) -> u64 {
        self.hash
    }

    pub(crate) fn last(&self) -> impl Iterator<Item = &Step> {
        self.last.iter()
    }

    /// The step that the run before had not taken.
    pub(crate) fn differs_at(&self) -> Option<u64> {
        self.differs_at
    }

    pub(crate) fn hashes(&mut self) -> Option<Arc<[u64]>> {
        self.hashes.take().map(Arc::from)
    }
}
