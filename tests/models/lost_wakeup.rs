//! The idle protocol: a push of shared work is not lost to a worker that goes to sleep.
//!
//! A worker that has found a task and ends here stands for one that computes for ever. So where
//! there are as many tasks as workers, each worker must find one, whatever the others do: if a
//! wake-up is lost, somebody sleeps for ever, which loom reports as a deadlock. There is no monitor:
//! none of this may depend on it.
//!
//! Seen to report a deadlock with `Idle::end_search` never saying that it was the last.

use loom::thread;

use crate::explore::{explore, quick_or_full};
use crate::workers::{Found, Mistake, World};

fn one_worker(pushes: usize, mistake: Mistake) {
    let world = World::new(1, mistake);
    let workers = world.start(0, move |mut worker| {
        (0..pushes).for_each(|_| assert_eq!(worker.find_task(), Some(Found::Injected)));
    });
    (0..pushes).for_each(|_| world.inject());
    workers.into_iter().for_each(|worker| worker.join().unwrap());
}

fn a_task_for_each(workers: usize, mistake: Mistake) {
    let world = World::new(workers, mistake);
    let workers = world.start(0, |mut worker| assert!(worker.find_task().is_some()));
    workers.iter().for_each(|_| world.inject());
    workers.into_iter().for_each(|worker| worker.join().unwrap());
}

#[test]
fn one_worker_finds_one_task() {
    explore(Some(5), || one_worker(1, Mistake::None));
}

#[test]
fn one_worker_finds_two_tasks() {
    explore(Some(3), || one_worker(2, Mistake::None));
}

#[test]
fn two_workers_find_a_task_each() {
    explore(quick_or_full(1, Some(2)), || a_task_for_each(2, Mistake::None));
}

/// With three workers there may be two searchers; the third runs a goroutine that pushes.
#[test]
fn two_searchers_find_a_task_each() {
    explore(Some(1), || {
        let world = World::new(3, Mistake::None);
        let searchers = world.start(1, |mut worker| assert!(worker.find_task().is_some()));
        searchers.iter().for_each(|_| world.inject());
        searchers.into_iter().for_each(|worker| worker.join().unwrap());
    });
}

#[test]
fn two_workers_find_a_task_each_of_two_pushers() {
    explore(Some(1), || {
        let world = World::new(2, Mistake::None);
        let workers = world.start(0, |mut worker| assert!(worker.find_task().is_some()));
        let pusher = thread::spawn({
            let world = world.clone();
            move || world.inject()
        });
        world.inject();
        pusher.join().unwrap();
        workers.into_iter().for_each(|worker| worker.join().unwrap());
    });
}

#[test]
#[should_panic(expected = "deadlock")]
fn a_look_without_the_locks_is_found_out() {
    explore(Some(5), || one_worker(1, Mistake::LookWithoutLock));
}

#[test]
#[should_panic(expected = "deadlock")]
fn a_sleep_without_a_look_is_found_out() {
    explore(Some(5), || one_worker(1, Mistake::SleepWithoutLook));
}

#[test]
#[should_panic(expected = "deadlock")]
fn a_duty_not_passed_on_is_found_out() {
    explore(Some(2), || a_task_for_each(2, Mistake::DutyNotPassedOn));
}

/// Everybody wakes up and leaves, also those that were about to sleep, or were being woken.
#[test]
fn nobody_sleeps_through_the_end() {
    explore(Some(1), || {
        let world = World::new(2, Mistake::None);
        let workers = world.start(0, |mut worker| while worker.find_task().is_some() {});
        world.inject();
        world.end();
        workers.into_iter().for_each(|worker| worker.join().unwrap());
    });
}

#[test]
#[should_panic(expected = "deadlock")]
fn a_sleep_through_the_end_is_found_out() {
    explore(Some(5), || {
        let world = World::new(1, Mistake::SleepWithoutLook);
        let workers = world.start(0, |mut worker| while worker.find_task().is_some() {});
        world.end();
        workers.into_iter().for_each(|worker| worker.join().unwrap());
    });
}
