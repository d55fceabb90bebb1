//! What environment variables say about a simulation.

#![forbid(unsafe_code)]

use super::plans;
use crate::rng;
use crate::scheduler::simulation::choices::Plan;

const SCHEDULES: &str = "GORUN_SCHEDULES";
const REPLAY: &str = "GORUN_REPLAY";

/// The schedule to replay; `asked` is what the program asks for.
#[track_caller]
pub(super) fn replay(asked: Option<Plan>) -> Option<Plan> {
    match variable(REPLAY) {
        Some(text) => Some(plan_of(&text, "the environment variable GORUN_REPLAY")),
        None => asked,
    }
}

/// How many schedules to try.
#[track_caller]
pub(super) fn schedules(asked: Option<u64>) -> u64 {
    let of_variable = variable(SCHEDULES).map(|text| {
        text.trim().parse().unwrap_or_else(|_| {
            panic!("the environment variable {SCHEDULES} is {text:?}; set it to a number")
        })
    });
    let schedules = of_variable.or(asked).unwrap_or(1000);
    assert!(
        schedules > 0,
        "no schedule is asked for, by `Sim::schedules` or {SCHEDULES}: nothing would be tried"
    );
    schedules
}

/// Where random choices begin.
#[track_caller]
pub(super) fn seed(asked: Option<u64>) -> u64 {
    let of_variable = rng::requested_seed().map(|seed| {
        seed.unwrap_or_else(|value| {
            panic!("the environment variable GORUN_SEED is {value:?}; set it to a number")
        })
    });
    asked.or(of_variable).unwrap_or(0)
}

fn variable(name: &str) -> Option<String> {
    let value = std::env::var_os(name).filter(|value| !value.is_empty())?;
    Some(value.to_string_lossy().into_owned())
}

/// The schedule that a text says; `source` is whose text that is.
#[track_caller]
pub(super) fn plan_of(text: &str, source: &str) -> Plan {
    plans::read(text).unwrap_or_else(|| {
        panic!(
            "{source} has {text:?}, and that is no schedule; copy it from the report of a failure"
        )
    })
}
