//! Who decides what a simulation leaves open: a strategy with its seed, or a script.
//!
//! Each decision is a number, and zero is what an ordinary run with one worker would do: the goroutine
//! that has waited longest goes first, and its poll has the budget of quick operations. So the list of all
//! decisions is a script that repeats the run, and to shorten a script is to set some of them to zero.

#![forbid(unsafe_code)]

use crate::rng::Rng;
use crate::scheduler::budget::FULL;
use crate::scheduler::simulation::steps::{Number, Step, Stop};

/// How one run is decided.
#[derive(Clone, Debug)]
pub(crate) enum Plan {
    /// Each decision by chance.
    Random { seed: u64 },
    /// Priorities by chance, and `changes` changes of them, at operations by chance, of so many (PCT:
    /// Burckhardt, Kothari, Musuvathi, Nagarakatte, 2010). Who yields draws another one.
    Priorities { seed: u64, changes: usize, operations: u64 },
    /// First come, first served.
    RoundRobin,
    /// A path in the tree of all decisions. Beyond its `depth` they are zero.
    Path { path: Vec<Branch>, depth: usize },
    /// These decisions, and zeros after them.
    Script(Vec<u32>),
}

/// A decision in the tree.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Branch {
    pub(crate) chosen: u32,
    /// How many there are to choose from.
    pub(crate) of: u32,
}

/// The path that comes after this one; `None` if it was the last.
pub(crate) fn next_path(mut path: Vec<Branch>) -> Option<Vec<Branch>> {
    while let Some(last) = path.last_mut() {
        last.chosen += 1;
        if last.chosen < last.of {
            return Some(path);
        }
        path.pop();
    }
    None
}

/// The decisions of one run.
pub(crate) struct Choices {
    decide: Decide,
    rng: Rng,
    taken: Vec<u32>,
    /// How many operations have begun.
    operations: u64,
}

enum Decide {
    /// The largest budget of a poll.
    Random(u32),
    Priorities(Priorities),
    RoundRobin,
    Path {
        path: Vec<Branch>,
        depth: usize,
        at: usize,
    },
    Script {
        script: Vec<u32>,
        at: usize,
    },
}

/// Who runs is who can, and has the highest priority.
struct Priorities {
    /// By number.
    of: Vec<u64>,
    steps: u64,
    /// Before these operations whoever runs gets this priority, in reverse order. Of the changes each may be the
    /// lowest.
    changes_at: Vec<(u64, u64)>,
}

/// After so many steps all priorities are drawn anew.
const AGE: u64 = 10_000;

/// A decision among more than that is zero, in a search of all paths.
const MOST_BRANCHES: usize = 64;

/// The most that a random run lets a poll begin. Small ones find what needs many switches, and large ones
/// what needs few.
const BUDGETS: [u32; 5] = [1, 2, 4, 16, FULL];

impl Choices {
    pub(crate) fn new(plan: Plan) -> Self {
        let mut rng = Rng::new(match &plan {
            Plan::Random { seed } | Plan::Priorities { seed, .. } => *seed,
            _ => 0,
        });
        let decide = match plan {
            Plan::Random { .. } => Decide::Random(BUDGETS[rng.below(BUDGETS.len())]),
            Plan::Priorities { changes, operations, .. } => {
                let bound = usize::try_from(operations).unwrap_or(usize::MAX).max(1);
                let change = |lower: usize| (rng.below(bound) as u64, lower as u64);
                let mut changes_at: Vec<_> = (0..changes).map(change).collect();
                changes_at.sort_unstable_by(|one, other| other.cmp(one));
                Decide::Priorities(Priorities { of: Vec::new(), steps: 0, changes_at })
            }
            Plan::RoundRobin => Decide::RoundRobin,
            Plan::Path { path, depth } => Decide::Path { path, depth, at: 0 },
            Plan::Script(script) => Decide::Script { script, at: 0 },
        };
        Choices { decide, rng, taken: Vec::new(), operations: 0 }
    }

    /// All decisions so far.
    pub(crate) fn taken(&self) -> &[u32] {
        &self.taken
    }

    pub(crate) fn operations(&self) -> u64 {
        self.operations
    }

    /// The path of this run, if it has one.
    pub(crate) fn path(&self) -> Option<&[Branch]> {
        match &self.decide {
            Decide::Path { path, .. } => Some(path),
            _ => None,
        }
    }

    /// Who of these goes next, by index.
    pub(super) fn next(&mut self, runnable: impl ExactSizeIterator<Item = Number>) -> usize {
        let index = match &mut self.decide {
            Decide::Random(_) => self.rng.below(runnable.len()),
            Decide::Priorities(priorities) => {
                priorities.age();
                let mut priority = |number| priorities.of(number, &mut self.rng);
                let priorities = runnable.map(&mut priority).enumerate();
                priorities.max_by_key(|(_, priority)| *priority).map_or(0, |(index, _)| index)
            }
            Decide::RoundRobin => 0,
            _ => self.listed(runnable.len()),
        };
        self.taken.push(index as u32);
        index
    }

    /// How many operations the next poll may begin, and `least` it must be able to begin. Otherwise none is possible, so that others run before the first.
    pub(super) fn budget(&mut self, least: u32) -> u32 {
        let least = least.min(FULL);
        let budget = match &mut self.decide {
            Decide::Random(most) => {
                least + self.rng.below((*most + 1).saturating_sub(least).max(1) as usize) as u32
            }
            Decide::Priorities(priorities) => {
                let left =
                    |at: &u64| at.saturating_sub(self.operations).clamp(least.into(), FULL.into());
                priorities.changes_at.last().map_or(FULL, |(at, _)| left(at) as u32)
            }
            Decide::RoundRobin => FULL,
            // Each operation is a place to switch.
            Decide::Path { .. } => least,
            Decide::Script { script, at } => {
                let next = script.get(*at).copied().unwrap_or(0);
                *at += 1;
                // Zero is a full one, and one is none.
                if next == 0 { FULL } else { (next - 1).clamp(least, FULL) }
            }
        };
        self.taken.push(if budget == FULL { 0 } else { budget + 1 });
        budget
    }

    /// One of so many, which are less than 2^32.
    pub(super) fn below(&mut self, bound: usize) -> usize {
        let chosen = match &mut self.decide {
            Decide::Random(_) | Decide::Priorities(_) | Decide::RoundRobin => self.rng.below(bound),
            _ => self.listed(bound),
        };
        self.taken.push(chosen as u32);
        chosen
    }

    /// True once in `n`. A search of all paths tries both.
    #[cfg(feature = "net")]
    pub(super) fn one_in(&mut self, n: usize) -> bool {
        let last = n - 1;
        let chosen = match &self.decide {
            Decide::Path { .. } => self.listed(2) * last,
            _ => return self.below(n) == last,
        };
        self.taken.push(chosen as u32);
        chosen == last
    }

    fn listed(&mut self, bound: usize) -> usize {
        match &mut self.decide {
            Decide::Path { path, depth, at } => {
                // Nobody tries thousands of numbers in a test.
                if bound == 1 || bound > MOST_BRANCHES {
                    return 0;
                }
                if *at == path.len() {
                    if path.len() >= *depth {
                        return 0;
                    }
                    path.push(Branch { chosen: 0, of: bound as u32 });
                }
                let chosen = path[*at].chosen;
                *at += 1;
                (chosen as usize).min(bound - 1)
            }
            Decide::Script { script, at } => {
                let next = script.get(*at).copied().unwrap_or(0);
                *at += 1;
                next as usize % bound
            }
            _ => 0,
        }
    }

    /// A poll has ended.
    pub(super) fn note(&mut self, step: &Step) {
        self.operations += u64::from(step.operations);
        let Decide::Priorities(priorities) = &mut self.decide else { return };
        let gave_way = matches!(step.stop, Stop::GaveWay);
        // Before the next operation, if that gave way.
        let next = self.operations + u64::from(gave_way);
        let mut lower = None;
        while let Some((_, to)) = priorities.changes_at.pop_if(|(at, _)| *at < next) {
            lower = Some(to);
        }
        // With a full budget others must get their turn, too.
        let lets_others = gave_way && step.operations >= FULL;
        if let Some(lower) = lower {
            priorities.set(step.who, lower);
        } else if lets_others || matches!(step.stop, Stop::Yielded) {
            priorities.draw(step.who, &mut self.rng);
        }
    }
}

impl Priorities {
    /// Sometimes all are drawn anew, so that nobody waits for ever.
    fn age(&mut self) {
        self.steps += 1;
        if self.steps.is_multiple_of(AGE) {
            self.of.clear();
        }
    }

    fn of(&mut self, number: Number, rng: &mut Rng) -> u64 {
        while self.of.len() <= number.0 as usize {
            self.of.push(drawn(rng));
        }
        self.of[number.0 as usize]
    }

    /// Another priority. So whoever yields in a loop lets all others run in the end.
    fn draw(&mut self, number: Number, rng: &mut Rng) {
        self.set(number, drawn(rng));
    }

    fn set(&mut self, number: Number, to: u64) {
        if let Some(priority) = self.of.get_mut(number.0 as usize) {
            *priority = to;
        }
    }
}

/// More than that of anyone who was lowered.
fn drawn(rng: &mut Rng) -> u64 {
    (1 << 32) + rng.below(1 << 31) as u64
}
