//! Wakers belong to their users: whatever they do when gorun clones, wakes or drops them, at whichever call,
//! costs nobody else anything. The rule stands in `docs/semantics.md`, and in
//! `src/scheduler/foreign_wakers.rs`.
//!
//! A sequence of random operations, polled by hand, is followed once for each call of a waker's function in
//! it: at that call the waker panics, or comes back in. `GORUN_STRESS=600s cargo test --release --test
//! foreign_wakers` goes on for that long; `GORUN_SEED` begins with that seed. `fuzz/` gives the same to a
//! fuzzer.
//!
//! Seen to find each of these, in a few dozen sequences:
//!
//! - *under the lock*: a channel's lock held while a clone is made, or while the former waker is dropped; a
//!   wait group's held while the waker of a wait that is dropped goes (all hang);
//! - *state after the call*: a receive or a send that wakes its partner before the outcome is safe, without
//!   catching ("a value was lost whose send had said Ok"; a slot used twice); an alarm that is armed again
//!   after it has woken ("an alarm has ended by itself"); a wait that lets a clone's destructor take the zero
//!   along ("a waker's panic went to somebody else");
//! - *identity by data alone*: a waker with the goroutine's data taken for its own (hangs, in a goroutine).
//!
//! Not found here: a `JoinSet`'s lock held while a waker is dropped, since no waker can come back to the set
//! that is being polled.
//!
//! Left out: what `async-task` ends the process for, a panic of a waker that awaits a handle.

#[path = "sequences/bytes.rs"]
mod bytes;
#[path = "foreign_wakers/cases.rs"]
mod cases;
#[path = "foreign_wakers/hooks.rs"]
mod hooks;
#[path = "foreign_wakers/operations.rs"]
mod operations;
#[path = "common/stress.rs"]
mod stress;
#[path = "foreign_wakers/values.rs"]
mod values;
#[path = "foreign_wakers/world.rs"]
mod world;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use cases::Where;
use stress::{Stress, random_bytes, with_seed};

fn explore(place: Where, sequences: u64) {
    let stress = Stress::begin(Duration::ZERO);
    let (first, mut cases) = (stress.first_seed, 0);
    let watchdog = Watchdog::default();
    for seed in first.. {
        watchdog.let_out(seed);
        cases += with_seed(seed, |seed| cases::follow(&random_bytes(seed, 8..158), place));
        if seed >= first + sequences && stress.is_over() {
            println!("{cases} cases in {:?}", stress.elapsed());
            break;
        }
    }
}

/// Aborts the process if a sequence hangs.
struct Watchdog {
    seed: Arc<AtomicU64>,
}

impl Default for Watchdog {
    fn default() -> Self {
        let seed = Arc::new(AtomicU64::new(0));
        let watched = Arc::downgrade(&seed);
        thread::spawn(move || {
            let (mut last, mut since) = (0, Instant::now());
            while let Some(seed) = watched.upgrade().map(|seed| seed.load(Ordering::Relaxed)) {
                if seed != last {
                    (last, since) = (seed, Instant::now());
                }
                if since.elapsed() > Duration::from_secs(60) {
                    eprintln!("it hangs: GORUN_SEED={seed}");
                    std::process::abort();
                }
                thread::sleep(Duration::from_millis(100));
            }
        });
        Watchdog { seed }
    }
}

impl Watchdog {
    fn let_out(&self, seed: u64) {
        self.seed.store(seed, Ordering::Relaxed);
    }
}

#[test]
fn a_waker_that_panics_or_comes_back_in_costs_nobody_anything_outside() {
    explore(Where::Outside, 150);
}

#[test]
fn a_waker_that_panics_or_comes_back_in_costs_nobody_anything_in_main() {
    explore(Where::Main, 60);
}

#[test]
fn a_waker_that_panics_or_comes_back_in_costs_nobody_anything_in_a_goroutine() {
    explore(Where::Goroutine, 60);
}
