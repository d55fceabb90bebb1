//! Many runs, up to the first that fails; then that one again, and shorter.

#![forbid(unsafe_code)]

use std::time::Duration;

use super::failure::{Cause, Failed, Failure};
use super::one_run::{Compared, Ran, run};
use super::plans::{self, Plans, Strategy};
use super::shrink::shrink;
use super::watchdog::Watchdog;
use crate::scheduler::simulation::choices::Plan;
use crate::scheduler::simulation::state::Settings;

/// So many sizes of memory are allocated elsewhere when a run is repeated, 16 bytes apart.
const SHIFTED: usize = 64;

/// What [`Sim::run`](super::Sim::run) has done if nothing failed.
///
/// # Examples
///
/// See [`Sim::run`](super::Sim::run).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Explored {
    /// How many schedules there were. Fewer than asked for if there are no others.
    pub schedules: u64,
    /// The steps of all of them: polls of goroutines and of main.
    pub steps: u64,
    /// A number that differs if any step of any schedule does.
    pub fingerprint: u64,
}

/// A program, as often as it is run.
struct Program<'a, P> {
    settings: Settings,
    call: &'a P,
    watchdog: Watchdog,
}

impl<P: Fn() -> T, T> Program<'_, P> {
    fn run(&mut self, plan: &Plan, compared: Compared) -> Ran {
        let ran = run(&self.settings, plan, &compared, &self.watchdog, self.call);
        if !ran.needs_threads {
            return ran;
        }
        self.settings.is_threaded = true;
        run(&self.settings, plan, &compared, &self.watchdog, self.call)
    }

    /// Runs `plan` twice, and says where the second run differs.
    fn run_twice(&mut self, plan: &Plan) -> Ran {
        let first = self.run(plan, Compared::Kept);
        let Some(hashes) = first.hashes.clone() else { return first };
        if let Some(Cause::Outside { .. }) = first.cause {
            return first;
        }
        // An address that decides is another one now.
        let _shift: Vec<Vec<u8>> = (1..SHIFTED).map(|n| vec![0; 16 * n]).collect();
        let second = self.run(plan, Compared::With(hashes));
        if second.is_like(&first) {
            return first;
        }
        let step = second.differs.then_some(second.steps);
        let first = first.cause.map(Box::new);
        Ran { cause: Some(Cause::Differs { step, first }), ..second }
    }

    /// The same for a program that threads outside act on, which cannot be repeated: once.
    fn run_first(&mut self, plan: &Plan) -> Ran {
        match self.settings.allows_threads {
            true => self.run(plan, Compared::No),
            false => self.run_twice(plan),
        }
    }
}

/// What to try.
pub(super) struct Exploration {
    pub(super) settings: Settings,
    pub(super) strategy: Strategy,
    pub(super) seed: u64,
    pub(super) schedules: u64,
    /// This one instead.
    pub(super) replay: Option<Plan>,
    /// How long a step may take, in real time.
    pub(super) step_time: Duration,
}

pub(super) fn explore<T>(what: Exploration, call: &impl Fn() -> T) -> Result<Explored, Failure> {
    let Exploration { settings, strategy, seed, schedules, replay, step_time } = what;
    let watchdog = Watchdog::start(step_time);
    let mut program = Program { settings, call, watchdog };
    if let Some(plan) = replay {
        let ran = program.run_first(&plan);
        let explored = Explored { schedules: 1, steps: ran.steps, fingerprint: ran.hash };
        return match ran.cause {
            Some(_) => Err(failure(ran, None, plans::write(&plan), None)),
            None => Ok(explored),
        };
    }
    let mut plans = Plans::new(strategy, seed);
    let mut explored = Explored { schedules: 0, steps: 0, fingerprint: 0 };
    while explored.schedules < schedules
        && let Some(plan) = plans.next()
    {
        let is_first = explored.schedules == 0;
        let ran = match is_first {
            true => program.run_first(&plan),
            false => program.run(&plan, Compared::No),
        };
        if is_first {
            // With one thread it is faster.
            program.settings.is_threaded = ran.has_nested;
            assert!(
                ran.steps > 0 || ran.cause.is_some(),
                "the program has started no runtime on this thread, so that nothing was simulated"
            );
        }
        explored.schedules += 1;
        let place = Some((explored.schedules, schedules));
        explored.steps += ran.steps;
        explored.fingerprint = explored.fingerprint.rotate_left(1) ^ ran.hash;
        if ran.cause.is_some() {
            return Err(confirm(&mut program, ran, &plan, place));
        }
        plans.note(ran.operations, ran.path);
    }
    Ok(explored)
}

/// A script with more of these is no better to read than a seed.
const MOST_SWITCHES: usize = 400;

/// Runs a schedule that has failed again, and then shorter ones.
fn confirm<T>(
    program: &mut Program<'_, impl Fn() -> T>,
    failed: Ran,
    plan: &Plan,
    place: Option<(u64, u64)>,
) -> Failure {
    let cannot_be_repeated =
        matches!(failed.cause, Some(Cause::Outside { .. } | Cause::Differs { .. }));
    if program.settings.allows_threads || cannot_be_repeated {
        return failure(failed, place, plans::write(plan), None);
    }
    program.settings.is_repeated = true;
    let again = program.run_twice(plan);
    if let Some(Cause::Differs { .. }) = again.cause {
        return failure(again, place, plans::write(plan), None);
    }
    let (Some(cause), true) = (failed.cause.clone(), again.is_like(&failed)) else {
        // Not in this run, but in the one before: nobody knows where.
        let first = failed.cause.map(Box::new);
        let ran = Ran { cause: Some(Cause::Differs { step: None, first }), ..again };
        return failure(ran, place, plans::write(plan), None);
    };
    if let Cause::StepLimit { .. } = cause {
        // Nobody reads a million steps, and each try would take as long.
        return failure(again, place, plans::write(plan), None);
    }
    let script = shrink(failed.taken, |script| {
        let ran = program.run(&Plan::Script(script.to_vec()), Compared::No);
        ran.cause.is_some_and(|other| other.is_like(&cause))
    });
    let switches = script.iter().filter(|choice| **choice != 0).count();
    let shortest = Plan::Script(script);
    let ran = program.run_twice(&shortest);
    let still_fails = ran.cause.as_ref().is_some_and(|other| other.is_like(&cause));
    if !still_fails || switches > MOST_SWITCHES {
        return failure(again, place, plans::write(plan), None);
    }
    let decisions = ran.taken.len();
    failure(ran, place, plans::write(&shortest), Some((switches, decisions)))
}

fn failure(
    ran: Ran,
    schedule: Option<(u64, u64)>,
    replay: String,
    switches: Option<(usize, usize)>,
) -> Failure {
    let Ran { cause, steps, elapsed, last, notes, .. } = ran;
    let cause = cause.expect("it has failed");
    Failure(Box::new(Failed { cause, schedule, steps, elapsed, last, notes, replay, switches }))
}
