//! Tests of this binary under schedules that a simulation chooses.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use gorun::sim::{Sim, Strategy};

/// How many schedules of each kind.
const SCHEDULES: u64 = 100;

/// Runs tests of this binary under [`SCHEDULES`] random schedules each, and so many with priorities.
macro_rules! simulate {
    ($($test:path),+ $(,)?) => {
        for (name, test) in [$((stringify!($test), $test as fn())),+] {
            $crate::common::under_schedules(name, test);
        }
    };
}
pub(crate) use simulate;

pub(crate) fn under_schedules(name: &str, test: fn()) {
    for strategy in [Strategy::Random, Strategy::Pct { changes: 3 }] {
        let sim = Sim::new().schedules(SCHEDULES).strategy(strategy).allow_leaks();
        let ran = catch_unwind(AssertUnwindSafe(|| sim.check_program(test)));
        if let Err(payload) = ran {
            eprintln!("`{name}` fails under {strategy:?}");
            resume_unwind(payload);
        }
    }
}
