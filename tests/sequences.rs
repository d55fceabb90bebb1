//! Random sequences of operations, compared step by step with what the documentation says.
//!
//! `GORUN_STRESS=60s cargo test --release --test sequences` goes on for that long. `GORUN_SEED`
//! begins with that seed. `fuzz/` gives the same operations to a fuzzer, which looks for new ways
//! through the code.

#[path = "sequences/bytes.rs"]
mod bytes;
#[path = "sequences/futures.rs"]
mod futures;
#[path = "sequences/log.rs"]
mod log;
#[path = "sequences/model.rs"]
mod model;
#[path = "sequences/operations.rs"]
mod operations;
#[path = "common/stress.rs"]
mod stress;
#[path = "sequences/wait_group.rs"]
mod wait_group;
#[path = "sequences/wakes.rs"]
mod wakes;

use std::time::Duration;

use stress::{Stress, random_bytes, with_seed};

/// In a row.
const SEQUENCES: u64 = 1000;
const LONGEST: usize = 500;

fn explore(follow: impl Fn(&[u8])) {
    let stress = Stress::begin(Duration::ZERO);
    let first = stress.first_seed;
    for seed in first.. {
        with_seed(seed, |seed| follow(&random_bytes(seed, 0..LONGEST)));
        if seed >= first + SEQUENCES && stress.is_over() {
            println!("{} sequences", seed - first + 1);
            break;
        }
    }
}

#[test]
fn channels_and_selects_do_what_the_model_does() {
    explore(operations::follow);
}

#[test]
fn a_wait_group_does_what_a_number_and_a_list_do() {
    explore(wait_group::follow);
}
