//! Why a simulated run fails, and what a reader needs to see of it.

#![forbid(unsafe_code)]

use std::collections::HashSet;
use std::error::Error;
use std::fmt;
use std::time::Duration;

use crate::scheduler::simulation::notes::Notes;
use crate::scheduler::simulation::steps::Step;

/// A schedule that fails, as [`Sim::run`](super::Sim::run) returns it.
///
/// Its [`Display`](fmt::Display) has all that a person needs: what failed, the last steps, what all
/// goroutines did, and how to replay it.
///
/// Go counterpart: none.
///
/// # Examples
///
/// ```
/// use gorun::sim::Sim;
///
/// let failure = Sim::new().run(|| async { std::future::pending::<()>().await }).unwrap_err();
/// assert!(failure.to_string().contains("deadlock"));
/// assert_eq!(Sim::new().replay(failure.replay()).run(|| async {}).unwrap().schedules, 1);
/// ```
pub struct Failure(pub(super) Box<Failed>);

pub(super) struct Failed {
    pub(super) cause: Cause,
    /// Which schedule, from one, and of how many. `None`: a replay.
    pub(super) schedule: Option<(u64, u64)>,
    pub(super) steps: u64,
    pub(super) elapsed: Duration,
    pub(super) last: Vec<Step>,
    pub(super) notes: Notes,
    pub(super) replay: String,
    /// How many of the run's decisions are not zero, and how many there are, if it was shortened.
    pub(super) switches: Option<(usize, usize)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    Panic {
        message: String,
        place: Option<String>,
    },
    Deadlock {
        dump: String,
    },
    StepLimit {
        dump: String,
    },
    Leak {
        dump: String,
    },
    Outside {
        thread: String,
        action: &'static str,
    },
    /// Goroutines in a nested `block_on` have no thread.
    Threads {
        error: String,
    },
    /// The same decisions led to other steps: at this one for the first time, if it is known. And what failed the
    /// first time, if anything did.
    Differs {
        step: Option<u64>,
        first: Option<Box<Cause>>,
    },
}

impl Cause {
    /// Whether this is the same failure, as far as can be told.
    pub(super) fn is_like(&self, other: &Cause) -> bool {
        match (self, other) {
            (Cause::Panic { message, place }, Cause::Panic { message: its, place: at }) => {
                place == at && (place.is_some() || message == its)
            }
            (Cause::Outside { thread, .. }, Cause::Outside { thread: other, .. }) => {
                thread == other
            }
            _ => std::mem::discriminant(self) == std::mem::discriminant(other),
        }
    }
}

impl Failure {
    /// What [`GORUN_REPLAY`](super#replaying) or [`Sim::replay`](super::Sim::replay) takes to run this
    /// schedule again.
    pub fn replay(&self) -> &str {
        &self.0.replay
    }

    /// How many steps the run took.
    pub fn steps(&self) -> u64 {
        self.0.steps
    }

    /// Which schedule failed, from one. `None`: this was a replay.
    pub fn schedule(&self) -> Option<u64> {
        self.0.schedule.map(|(schedule, _)| schedule)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.schedule {
            Some((schedule, of)) => write!(f, "schedule {schedule} of {of} fails")?,
            None => f.write_str("the replayed schedule fails")?,
        }
        writeln!(f, " after {} steps, at {:?} of its own time", self.0.steps, self.0.elapsed)?;
        writeln!(f, "  {}", self.0.cause)?;
        if !self.0.last.is_empty() {
            f.write_str("its last steps, each with the time:\n")?;
        }
        let mut shown = HashSet::new();
        for step in &self.0.last {
            let has_place = shown.insert(step.who);
            step.print(f, has_place, &self.0.notes.hosts)?;
        }
        write!(f, "{}", self.0.notes)?;
        if let Cause::Deadlock { dump } | Cause::StepLimit { dump } | Cause::Leak { dump } =
            &self.0.cause
        {
            writeln!(f, "what all did then:\n{}", dump.trim_end())?;
        }
        match self.0.switches {
            None => {}
            Some((0, _)) => {
                f.write_str("it fails also first come, first served, without any switch\n")?
            }
            Some((few, all)) => writeln!(
                f,
                "of its {all} decisions {few} matter; all others are first come, first served"
            )?,
        }
        let thread = std::thread::current();
        let test = thread.name().filter(|name| *name != "main").unwrap_or("");
        write!(f, "to replay it: GORUN_REPLAY={} cargo test {test}", self.0.replay)
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Cause::Panic { message, place: Some(place) } => write!(f, "a panic at {place}: {message}"),
            Cause::Panic { message, place: None } => write!(f, "a panic: {message}"),
            Cause::Deadlock { .. } => f.write_str("a deadlock: main and all goroutines wait, and no timer is set"),
            Cause::StepLimit { .. } => f.write_str(
                "it does not end: the limit of steps is reached. Perhaps goroutines yield in a loop until \
                 something happens, and time stands still while anybody runs; or give it a higher \
                 `Sim::step_limit`",
            ),
            Cause::Leak { .. } => f.write_str(
                "goroutines are left when main ends. Wait for them, or end them; or allow it, by \
                 `Sim::allow_leaks`",
            ),
            Cause::Outside { thread, action } => write!(
                f,
                "{thread} {action}, and it is no part of the simulation, so that the run cannot be repeated. \
                 Let a goroutine do that, or allow it, by `Sim::allow_threads`"
            ),
            Cause::Threads { error } => write!(
                f,
                "goroutines in a nested `block_on` need a thread each, and there is none: {error}"
            ),
            Cause::Differs { step, first } => {
                if let Some(first) = first {
                    writeln!(f, "{first}")?;
                    f.write_str("  But ")?;
                }
                f.write_str("the same decisions do not lead to the same steps")?;
                if let Some(step) = step {
                    write!(f, ": step {step} is the first that differs, the last one below")?;
                }
                f.write_str(
                    ". Something else decides what the program does: the order of a `HashMap` (see \
                     `sim::RandomState`), an address, the real clock (`time::now` is the simulation's), a \
                     thread, or what an earlier run has left, in a static for one",
                )
            }
        }
    }
}

impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Error for Failure {}
