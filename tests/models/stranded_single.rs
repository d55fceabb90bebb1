//! The monitor: a task that a computing worker has put aside does not wait beside an idle worker.
//!
//! As in `lost_wakeup.rs`, a worker that has found a task computes for ever, so each worker must
//! find one; else loom reports a deadlock. A single is pushed without a lock, so what saves it is
//! either that its worker wakes the monitor, or that the monitor, when it goes to sleep beside somebody
//! awake, does so for a limited time: there is a model for each. Timed waits end in all but the first.
//!
//! Seen to report a deadlock, too, when `IdleSummary::is_asleep` disregards who is awake, and when
//! `Idle::notify_all` leaves the monitor out.

use std::sync::Arc;

use crate::explore::explore;
use crate::primitives::let_time_pass;
use crate::workers::{Found, Mistake, Worker, World};

/// A worker puts a task aside and computes; then another one looks for work.
fn put_aside_and_look(world: &Arc<World>) {
    world.worker(0).put_aside(1);
    assert!(world.worker(1).find_task().is_some());
}

/// The same by workers that come back when the monitor sleeps without a limit, since nobody was
/// awake.
fn a_single_when_nobody_was_awake(mistake: Mistake) {
    explore(Some(2), move || {
        let world = World::new(2, mistake);
        (0..2).for_each(|worker| assert!(world.worker(worker).block() > 0));
        world.let_monitor_sleep();
        let monitor = world.start_monitor();
        (0..2).for_each(|worker| world.worker(worker).unblock());
        put_aside_and_look(&world);
        world.end();
        monitor.join().unwrap();
    });
}

/// The same by workers that have been awake all the time, so that the first one may believe that
/// the monitor is awake when that has just announced its sleep.
fn a_single_when_the_monitor_lies_down(mistake: Mistake) {
    let_time_pass(true);
    explore(Some(2), move || {
        let world = World::new(2, mistake);
        let monitor = world.start_monitor();
        put_aside_and_look(&world);
        world.end();
        monitor.join().unwrap();
    });
}

/// Whichever worker finds the task from outside puts another aside, for the other worker.
fn a_single_and_one_idle_worker() {
    let_time_pass(true);
    explore(Some(1), move || {
        let world = World::new(2, Mistake::None);
        let monitor = world.start_monitor();
        let work = |mut worker: Worker| {
            if worker.find_task() == Some(Found::Injected) {
                worker.put_aside(1);
            }
        };
        let other = world.start(1, work);
        world.inject();
        work(world.worker(0));
        other.into_iter().for_each(|worker| worker.join().unwrap());
        world.end();
        monitor.join().unwrap();
    });
}

/// Workers put a task aside each and then compute, while two others are awake, asleep, or on the
/// way.
fn singles_and_two_idle_workers(singles: usize, injected: usize) {
    let_time_pass(true);
    explore(Some(1), move || {
        let world = World::new(singles + 2, Mistake::None);
        let monitor = world.start_monitor();
        let work = |mut worker: Worker| assert!(worker.find_task().is_some());
        let other = world.start(singles + 1, work);
        (0..singles).for_each(|worker| world.worker(worker).put_aside(1 + worker));
        (0..injected).for_each(|_| world.inject());
        work(world.worker(singles));
        other.into_iter().for_each(|worker| worker.join().unwrap());
        world.end();
        monitor.join().unwrap();
    });
}

#[test]
fn the_monitor_is_got_up_for_a_single() {
    a_single_when_nobody_was_awake(Mistake::None);
}

#[test]
#[should_panic(expected = "deadlock")]
fn nobody_watching_is_found_out() {
    a_single_when_nobody_was_awake(Mistake::MonitorNotWoken);
}

#[test]
fn the_monitor_gets_up_for_a_single_that_it_missed() {
    a_single_when_the_monitor_lies_down(Mistake::None);
}

#[test]
#[should_panic(expected = "deadlock")]
fn a_monitor_without_a_limit_is_found_out() {
    a_single_when_the_monitor_lies_down(Mistake::SleepWithoutLimit);
}

#[test]
fn the_only_idle_worker_gets_the_single() {
    a_single_and_one_idle_worker();
}

#[test]
fn each_idle_worker_gets_a_task_one_of_them_from_outside() {
    singles_and_two_idle_workers(1, 1);
}

#[test]
fn each_idle_worker_gets_a_single() {
    singles_and_two_idle_workers(2, 0);
}
