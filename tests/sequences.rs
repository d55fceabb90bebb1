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
#[path = "sequences/wait_group.rs"]
mod wait_group;
#[path = "sequences/wakes.rs"]
mod wakes;

use std::time::{Duration, Instant};

/// In a row.
const SEQUENCES: u64 = 1000;
const LONGEST: usize = 500;

fn random_bytes(seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as usize
    };
    let length = next() % LONGEST;
    (0..length).map(|_| next() as u8).collect()
}

fn explore(follow: impl Fn(&[u8])) {
    let variable = |name| std::env::var(name).ok();
    let limit = variable("GORUN_STRESS").map_or(0, |value| {
        value.trim_end_matches('s').parse().expect("GORUN_STRESS is a number of seconds, as 60s")
    });
    let first = variable("GORUN_SEED").map_or(1, |value| value.parse().expect("GORUN_SEED"));
    let start = Instant::now();
    for seed in first.. {
        let on_panic = Seed(seed);
        follow(&random_bytes(seed));
        std::mem::forget(on_panic);
        if seed >= first + SEQUENCES && start.elapsed() >= Duration::from_secs(limit) {
            println!("{} sequences", seed - first + 1);
            break;
        }
    }
}

struct Seed(u64);

impl Drop for Seed {
    fn drop(&mut self) {
        eprintln!("GORUN_SEED={}", self.0);
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
