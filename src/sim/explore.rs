//! Many runs, up to the first that fails; then that one again, and shorter.

#![forbid(unsafe_code)]

use super::Sim;
use super::failure::{Cause, Failure};
use super::one_run::{Compared, Ran, run};
use super::plans::{self, Plans};
use super::shrink::shrink;
use super::watchdog::Watchdog;
use crate::scheduler::simulation::Settings;
use crate::scheduler::simulation::choices::Plan;

/// What [`Sim::run`] has done if nothing failed.
///
/// # Examples
///
/// See [`Sim::run`].
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
        let expected = match &compared {
            Compared::With(hashes) => Compared::With(hashes.clone()),
            Compared::Kept => Compared::Kept,
            Compared::No => Compared::No,
        };
        let ran = run(&self.settings, plan.clone(), compared, &self.watchdog, self.call);
        if !ran.needs_threads {
            return ran;
        }
        self.settings.is_threaded = true;
        run(&self.settings, plan.clone(), expected, &self.watchdog, self.call)
    }

    /// Runs `plan` twice, and says where the second run differs.
    fn run_twice(&mut self, plan: &Plan) -> Result<Ran, Ran> {
        let first = self.run(plan, Compared::Kept);
        let Some(hashes) = first.hashes.clone() else { return Ok(first) };
        if let Some(Cause::Outside { .. }) = first.cause {
            return Ok(first);
        }
        let second = self.run(plan, Compared::With(hashes));
        let differs = second.differs || second.hash != first.hash || second.cause != first.cause;
        if !differs {
            return Ok(first);
        }
        let step = second.differs.then_some(second.steps);
        Err(Ran { cause: Some(Cause::Differs { step }), ..second })
    }
}

pub(super) fn explore<T>(sim: &Sim, call: &impl Fn() -> T) -> Result<Explored, Failure> {
    let watchdog = Watchdog::start(sim.watchdog);
    let mut program = Program { settings: sim.settings(), call, watchdog };
    if let Some(plan) = sim.plan_to_replay() {
        let ran = program.run_twice(&plan).unwrap_or_else(|differs| differs);
        let explored = Explored { schedules: 1, steps: ran.steps, fingerprint: ran.hash };
        return match ran.cause {
            Some(_) => Err(failure(ran, None, plans::write(&plan), None)),
            None => Ok(explored),
        };
    }
    let (schedules, seed) = (sim.number_of_schedules(), sim.base_seed());
    let mut plans = Plans::new(sim.strategy, seed);
    let mut explored = Explored { schedules: 0, steps: 0, fingerprint: 0 };
    while explored.schedules < schedules
        && let Some(plan) = plans.next()
    {
        let is_first = explored.schedules == 0;
        let ran = match is_first && !program.settings.allows_threads {
            true => program.run_twice(&plan),
            false => Ok(program.run(&plan, Compared::No)),
        };
        explored.schedules += 1;
        let place = Some((explored.schedules, schedules));
        let ran = match ran {
            Ok(ran) => ran,
            Err(differs) => return Err(failure(differs, place, plans::write(&plan), None)),
        };
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
    if program.settings.allows_threads {
        return failure(failed, place, plans::write(plan), None);
    }
    let again = match program.run_twice(plan) {
        Ok(again) => again,
        Err(differs) => return failure(differs, place, plans::write(plan), None),
    };
    let Some(cause) = failed.cause.clone() else {
        return failure(again, place, plans::write(plan), None);
    };
    if again.hash != failed.hash || again.cause.as_ref() != Some(&cause) {
        // Not in this run, but in the one before: nobody knows where.
        let ran = Ran { cause: Some(Cause::Differs { step: None }), ..again };
        return failure(ran, place, plans::write(plan), None);
    }
    let script = shrink(failed.taken, |script| {
        let ran = program.run(&Plan::Script(script.to_vec()), Compared::No);
        ran.cause.is_some_and(|other| other.is_like(&cause))
    });
    let switches = script.iter().filter(|choice| **choice != 0).count();
    let shortest = Plan::Script(script);
    let ran = program.run_twice(&shortest).unwrap_or_else(|differs| differs);
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
    let Ran { cause, steps, elapsed, last, .. } = ran;
    let cause = cause.expect("it has failed");
    Failure { cause, schedule, steps, elapsed, last, replay, switches }
}
