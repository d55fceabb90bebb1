//! Which schedules are tried, one after the other; and how one is written down.

#![forbid(unsafe_code)]

use std::fmt::Write;

use crate::rng::mix;
use crate::scheduler::simulation::choices::{Branch, Plan, next_path};

/// How [`Sim`](super::Sim) chooses schedules.
///
/// # Examples
///
/// ```
/// use gorun::sim::{Sim, Strategy};
///
/// Sim::new().strategy(Strategy::Pct { changes: 3 }).check(|| async {});
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Strategy {
    /// Who runs next, and for how long, is drawn each time. Some schedules switch often, and others
    /// seldom.
    #[default]
    Random,
    /// Each goroutine has a priority, which is drawn, and whoever has the highest runs. At `changes`
    /// operations, which are drawn, the one that runs gets the lowest priority. It finds bugs that need few
    /// changes, but at the right moments, in programs with many steps. After Burckhardt and others, "A
    /// Randomized Scheduler with Probabilistic Guarantees of Finding Bugs".
    Pct {
        /// How many changes of priorities there are: one less than the depth of the bugs that it finds.
        changes: usize,
    },
    /// Goroutines take turns, first come, first served. There is one such schedule.
    RoundRobin,
    /// All schedules, for small programs: all that differ in the first `depth` decisions. Each operation is
    /// a place to switch.
    Exhaustive {
        /// How many decisions are tried in each way. The others are first come, first served.
        depth: usize,
    },
}

/// The plans of an exploration.
pub(super) struct Plans {
    strategy: Strategy,
    seed: u64,
    next: u64,
    /// The path of the next run; `None` if there is no other.
    path: Option<Vec<Branch>>,
    /// The most operations of a run so far.
    operations: u64,
}

impl Plans {
    pub(super) fn new(strategy: Strategy, seed: u64) -> Self {
        Plans { strategy, seed, next: 0, path: Some(Vec::new()), operations: 1 }
    }

    pub(super) fn next(&mut self) -> Option<Plan> {
        let seed = mix(self.seed ^ mix(self.next));
        self.next += 1;
        match self.strategy {
            Strategy::Random => Some(Plan::Random { seed }),
            Strategy::Pct { changes } => {
                Some(Plan::Priorities { seed, changes, operations: self.operations })
            }
            Strategy::RoundRobin => (self.next == 1).then_some(Plan::RoundRobin),
            Strategy::Exhaustive { depth } => {
                self.path.take().map(|path| Plan::Path { path, depth })
            }
        }
    }

    /// A run has begun so many operations, and taken this path.
    pub(super) fn note(&mut self, operations: u64, path: Option<Vec<Branch>>) {
        self.operations = self.operations.max(operations);
        self.path = path.and_then(next_path);
    }
}

/// The form in which a user gives it back.
pub(super) fn write(plan: &Plan) -> String {
    match plan {
        Plan::Random { seed } => format!("random-{seed:x}"),
        Plan::Priorities { seed, changes, operations } => {
            format!("pct-{seed:x}-{changes}-{operations}")
        }
        Plan::RoundRobin => "turns".to_owned(),
        Plan::Path { path, depth } => {
            let mut text = format!("path-{depth}");
            path.iter().for_each(|branch| _ = write!(text, "-{}.{}", branch.chosen, branch.of));
            text
        }
        Plan::Script(script) => {
            let mut text = "script".to_owned();
            let mut zeros = 0;
            for &choice in script {
                if choice == 0 {
                    zeros += 1;
                } else {
                    _ = write!(text, "-{zeros}.{choice}");
                    zeros = 0;
                }
            }
            text
        }
    }
}

/// How many decisions a script may have that a user gives.
const LONGEST: usize = 1 << 24;

pub(super) fn read(text: &str) -> Option<Plan> {
    let mut parts = text.trim().split('-');
    let kind = parts.next()?;
    let hexadecimal = |part: Option<&str>| u64::from_str_radix(part?, 16).ok();
    let pair = |part: &str| {
        let (one, other) = part.split_once('.')?;
        Some((one.parse::<u32>().ok()?, other.parse::<u32>().ok()?))
    };
    let plan = match kind {
        "random" => Plan::Random { seed: hexadecimal(parts.next())? },
        "pct" => {
            let seed = hexadecimal(parts.next())?;
            let (changes, operations) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
            Plan::Priorities { seed, changes, operations }
        }
        "path" => {
            let depth = parts.next()?.parse().ok()?;
            let path = parts.by_ref().map(pair).map(|pair| {
                let (chosen, of) = pair?;
                (chosen < of).then_some(Branch { chosen, of })
            });
            Plan::Path { path: path.collect::<Option<_>>()?, depth }
        }
        "turns" => Plan::RoundRobin,
        "script" => {
            let mut script = Vec::new();
            for part in parts.by_ref() {
                let (zeros, choice) = pair(part)?;
                let length = script.len() + zeros as usize + 1;
                if length > LONGEST {
                    return None;
                }
                script.resize(length - 1, 0);
                script.push(choice);
            }
            Plan::Script(script)
        }
        _ => return None,
    };
    parts.next().is_none().then_some(plan)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let plans = [
            Plan::Random { seed: 0xab },
            Plan::Priorities { seed: 1, changes: 3, operations: 17 },
            Plan::Path { path: vec![Branch { chosen: 1, of: 3 }], depth: 9 },
            Plan::Script(vec![0, 0, 5, 1, 0, 2]),
            Plan::Script(vec![]),
            Plan::RoundRobin,
        ];
        for plan in plans {
            let text = write(&plan);
            assert_eq!(format!("{:?}", read(&text)), format!("{:?}", Some(plan)), "{text}");
        }
        for text in ["", "random", "random-x", "random-1-2", "path-3-5.2", "script-9", "what-1"] {
            assert!(read(text).is_none(), "{text}");
        }
        assert!(read("script-4000000000.1").is_none(), "all memory");
    }
}
