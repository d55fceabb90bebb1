//! The watcher: a task that a computing worker has put aside does not wait beside an idle worker.
//!
//! As in `lost_wakeup.rs`, a worker that has found a task computes for ever, so each worker must
//! find one; else loom reports a deadlock. Timed waits end.

use crate::explore::explore;
use crate::sync::let_time_pass;
use crate::workers::{Found, Mistake, World};

/// Whichever worker finds the task from outside puts another aside, for the other worker.
fn a_single_and_one_idle_worker(mistake: Mistake) {
    let_time_pass(true);
    explore(Some(2), move || {
        let world = World::new(2, mistake);
        let workers = world.start(0, |mut worker| {
            if worker.find_task() == Some(Found::Injected) {
                worker.put_aside(0, 1);
            }
        });
        world.inject();
        workers.into_iter().for_each(|worker| worker.join().unwrap());
    });
}

/// A worker puts tasks aside and then computes, while others are awake, asleep, or on the way.
fn singles_and_two_idle_workers(singles: usize, injected: usize, preemptions: usize) {
    let_time_pass(true);
    explore(Some(preemptions), move || {
        let world = World::new(3, Mistake::None);
        let workers = world.start(1, |mut worker| assert!(worker.find_task().is_some()));
        let computing = world.worker(0);
        (0..singles).for_each(|place| computing.put_aside(place, 1 + place));
        (0..injected).for_each(|_| world.inject());
        workers.into_iter().for_each(|worker| worker.join().unwrap());
    });
}

#[test]
fn the_only_idle_worker_takes_the_single() {
    a_single_and_one_idle_worker(Mistake::None);
}

#[test]
#[should_panic(expected = "deadlock")]
fn nobody_watching_is_found_out() {
    a_single_and_one_idle_worker(Mistake::NobodyWatches);
}

/// The watcher may be the one that is woken for the task from outside. Not if another sleeper can
/// be: with `sleepers.remove(0)` in the place of `sleepers.pop()` in `Idle::wake_one` this reports a
/// deadlock.
#[test]
fn somebody_watches_when_the_watcher_is_woken() {
    singles_and_two_idle_workers(1, 1, 2);
}

/// The watcher takes one task and leaves the other, to its successor: without the call of
/// `appoint_watcher` in `Idle::get_up` this reports a deadlock.
#[test]
fn somebody_watches_when_the_watcher_gets_up() {
    singles_and_two_idle_workers(2, 0, 1);
}
