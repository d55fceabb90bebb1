//! Workers that back off: what is pushed while one does is found by those that are awake or, if they
//! compute, by that one when its time is up.
//!
//! Whoever finds the task ends the model; if nobody does, loom reports a deadlock. Seen to do so in
//! `whoever_goes_to_sleep_last_finds_it` when `Idle::notify` wakes nobody as long as one backs off,
//! whether or not others are awake, and when `Idle::sleep` leaves out the look also for workers that
//! may not back off.

use loom::thread;

use crate::explore::explore;
use crate::primitives::let_time_pass;
use crate::workers::{Mistake, World};

/// Without a timer's help.
#[test]
fn whoever_goes_to_sleep_last_finds_it() {
    explore(Some(2), || {
        let world = World::new(2, Mistake::None);
        let workers = world.start(0, |mut worker| {
            if worker.find_task_after_tiny_steals().is_some() {
                worker.end_world();
            }
        });
        world.inject();
        workers.into_iter().for_each(|worker| worker.join().unwrap());
    });
}

/// The other computes.
#[test]
fn the_resting_worker_finds_it_when_its_time_is_up() {
    let_time_pass(true);
    explore(Some(2), || {
        let world = World::new(2, Mistake::None);
        let pusher = thread::spawn({
            let world = world.clone();
            move || world.inject()
        });
        assert!(world.worker(1).find_task_after_tiny_steals().is_some());
        pusher.join().unwrap();
    });
}

/// Each worker finds one and computes.
fn a_task_for_each(mistake: Mistake) {
    let_time_pass(true);
    explore(mistake.bound(2), move || {
        let world = World::new(3, mistake);
        let workers = world.start(1, |mut worker| {
            assert!(worker.find_task_after_tiny_steals().is_some());
        });
        // Until now the first worker was awake.
        world.worker(0).block();
        workers.iter().for_each(|_| world.inject());
        workers.into_iter().for_each(|worker| worker.join().unwrap());
    });
}

#[test]
fn workers_that_have_rested_find_a_task_each() {
    a_task_for_each(Mistake::None);
}

#[test]
#[should_panic(expected = "deadlock")]
fn a_worker_that_believes_that_it_still_rests_is_found_out() {
    a_task_for_each(Mistake::StillBackingOff);
}
