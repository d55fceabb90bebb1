//! Workers that go away and come back, the spares that stand in for them, and the monitor where it
//! decides about them.
//!
//! As in `lost_wakeup.rs` somebody sleeps for ever if a push is lost, which loom reports as a
//! deadlock. Timed waits do not end, except where it is said; a monitor that is awake looks again and
//! again.
//!
//! Seen to find, in `idle/mod.rs` and `availability.rs`:
//!
//! - `wake_sleeper` that finds no sleeper any more and does not wake the monitor, or a sleeper's look that
//!   passes nothing on when it has become a spare: a deadlock in
//!   `the_monitor_sees_to_what_is_pushed_when_a_worker_returns`. In the same model, `wake` without
//!   `ensure_monitor_awake_by`, `wake_monitor_locked` without the signal, and `announce_monitor_sleep`
//!   that leaves the bit set; and, by a monitor that never sleeps (loom's limit of branches), `allow`
//!   without `fill`.
//! - `block` without `fill`: a deadlock wherever a worker blocks.
//! - `unblock` and `allow` without `trim`: "too many are available, or too few".
//! - `count_in` left out in `announce_sleep` or `block`, or without one of its changes: the same,
//!   "somebody is counted", or "attempt to subtract with overflow".
//! - `retire_spares` that leaves those on the list whom it tells to go: a deadlock; `promote_spare`
//!   that does not lower `unneeded`: "range end index 1 out of range".
//! - `keep_all` that promotes nobody: a deadlock in `a_spare_works_at_exit`.
//! - `IdleSummary::is_asleep` without `written_off`: a deadlock in
//!   `the_spare_gets_the_single_of_a_worker_that_is_written_off`.

use std::sync::Arc;

use loom::thread;

use crate::explore::explore;
use crate::primitives::let_time_pass;
use crate::workers::{Event, Mistake, Worker, World};

/// A worker blocks for ever. What is pushed before, meanwhile, or later is the spare's.
fn a_spare_takes_over(mistake: Mistake) {
    explore(Some(3), move || {
        let world = World::with_spares(1, 1, mistake);
        let spare = world.start_asleep(1, |mut worker| assert!(worker.find_task().is_some()));
        let pusher = thread::spawn({
            let world = world.clone();
            move || world.inject()
        });
        assert_eq!(world.worker(0).block(), 0);
        pusher.join().unwrap();
        spare.into_iter().for_each(|spare| spare.join().unwrap());
    });
}

/// A worker blocks until what it has put aside is done.
fn a_worker_waits_for_its_own_task(mistake: Mistake) {
    explore(Some(2), move || {
        let world = World::with_spares(1, 1, mistake);
        let done = Arc::new(Event::new());
        let spare = world.start(1, {
            let done = done.clone();
            move |worker| {
                worker.run(|_, _| done.happen());
            }
        });
        let worker = world.worker(0);
        worker.step();
        worker.put_aside(1);
        assert_eq!(worker.block(), 0);
        done.wait_for(1);
        worker.unblock();
        world.end();
        worker.end_poll_and_run(|_, _| ());
        spare.into_iter().for_each(|spare| spare.join().unwrap());
        world.assert_nobody_is_left();
    });
}

#[test]
fn a_spare_finds_what_is_pushed_when_a_worker_blocks() {
    a_spare_takes_over(Mistake::None);
}

#[test]
#[should_panic(expected = "deadlock")]
fn a_worker_not_handing_over_is_found_out() {
    a_spare_takes_over(Mistake::NotHandedOver);
}

#[test]
fn a_worker_may_wait_for_its_own_task() {
    a_worker_waits_for_its_own_task(Mistake::None);
}

#[test]
#[should_panic(expected = "deadlock")]
fn a_worker_that_keeps_its_queue_is_found_out() {
    a_worker_waits_for_its_own_task(Mistake::QueueKept);
}

/// A worker comes back, ends its poll, and looks for work, as another one does.
fn a_worker_returns_and_looks_for_work(mistake: Mistake) {
    explore(mistake.bound(2), move || {
        let world = World::with_spares(1, 1, mistake);
        let returning = world.worker(0);
        returning.step();
        assert_eq!(returning.block(), 0);
        let other = world.start(1, |worker| {
            worker.run(|worker, _| worker.end_world());
        });
        let pusher = thread::spawn({
            let world = world.clone();
            move || world.inject()
        });
        returning.unblock();
        returning.end_poll_and_run(|worker, _| worker.end_world());
        pusher.join().unwrap();
        other.into_iter().for_each(|other| other.join().unwrap());
        world.assert_nobody_is_left();
    });
}

/// A worker comes back and computes for ever, while the other one perhaps goes to sleep.
fn a_worker_returns_and_computes(mistake: Mistake, preemptions: usize) {
    explore(Some(preemptions), move || {
        let world = World::with_spares(1, 1, mistake);
        let returning = world.worker(0);
        returning.step();
        returning.block();
        world.let_monitor_sleep();
        let monitor = world.start_monitor();
        let other = world.start(1, |mut worker| assert!(worker.find_task().is_some()));
        let pusher = thread::spawn({
            let world = world.clone();
            move || world.inject()
        });
        returning.unblock();
        pusher.join().unwrap();
        other.into_iter().for_each(|other| other.join().unwrap());
        world.end();
        monitor.join().unwrap();
    });
}

#[test]
fn nothing_is_lost_to_a_worker_that_returns() {
    a_worker_returns_and_looks_for_work(Mistake::None);
}

#[test]
#[should_panic(expected = "deadlock")]
fn a_sleep_without_a_look_is_found_out() {
    a_worker_returns_and_looks_for_work(Mistake::SleepWithoutLook);
}

#[test]
fn the_monitor_sees_to_what_is_pushed_when_a_worker_returns() {
    a_worker_returns_and_computes(Mistake::None, 1);
}

/// It stays awake for ever beside a sleeper.
#[test]
#[should_panic(expected = "exceeded maximum number of branches")]
fn a_monitor_not_handing_over_is_found_out() {
    a_worker_returns_and_computes(Mistake::NotHandedOver, 1);
}

/// A worker that comes back has its place again, whether the other one sleeps yet or not.
#[test]
fn a_worker_that_returns_has_its_place_again() {
    explore(Some(3), || {
        let world = World::with_spares(1, 1, Mistake::None);
        let returning = world.worker(0);
        returning.block();
        let other = world.start(1, |worker| {
            worker.announce_sleep();
            worker.run(|_, _| ());
        });
        returning.unblock();
        world.wait_for_sleep(1);
        world.assert_counts_are_right();
        world.end();
        other.into_iter().for_each(|other| other.join().unwrap());
    });
}

/// A worker comes back and computes for ever, beside one that computes already, while a third one
/// backs off.
#[test]
fn a_worker_that_rests_when_another_returns() {
    let_time_pass(true);
    explore(Some(1), || {
        let world = World::with_spares(2, 1, Mistake::SleepWithoutLimit);
        (0..2).for_each(|worker| _ = world.worker(worker).step());
        let returning = world.worker(0);
        returning.block();
        world.let_monitor_sleep();
        let monitor = world.start_monitor();
        let other =
            world.start(2, |mut worker| assert!(worker.find_task_after_tiny_steals().is_some()));
        let pusher = thread::spawn({
            let world = world.clone();
            move || world.inject()
        });
        returning.unblock();
        pusher.join().unwrap();
        other.into_iter().for_each(|other| other.join().unwrap());
        world.end();
        monitor.join().unwrap();
    });
}

/// First more and then fewer workers are allowed, while one ends its poll.
#[test]
fn counts_are_right_after_a_change_of_what_is_allowed() {
    explore(Some(2), || {
        let world = World::with_spares(1, 1, Mistake::None);
        let spare = world.start_asleep(1, |worker| {
            worker.run(|_, _| ());
        });
        let worker = world.worker(0);
        worker.step();
        worker.announce_sleep();
        let worker = thread::spawn(move || {
            worker.end_poll_and_run(|_, _| ());
        });
        world.allow(2);
        world.allow(1);
        world.wait_for_sleep(0);
        world.assert_counts_are_right();
        world.end();
        spare.into_iter().chain([worker]).for_each(|thread| thread.join().unwrap());
        world.assert_nobody_is_left();
    });
}

/// One of two workers is one too many when their polls end. Whoever of them finds the task that was
/// pushed before ends the model.
fn fewer_are_allowed(mistake: Mistake) {
    explore(Some(2), move || {
        let world = World::with_spares(1, 1, mistake);
        let end_poll_and_look = |worker: Worker| {
            worker.end_poll_and_run(|worker, _| worker.end_world());
        };
        (0..2).for_each(|worker| _ = world.worker(worker).step());
        let other = world.start(1, end_poll_and_look);
        world.allow(1);
        world.inject();
        end_poll_and_look(world.worker(0));
        other.into_iter().for_each(|other| other.join().unwrap());
        world.assert_nobody_is_left();
    });
}

#[test]
fn nothing_is_lost_when_fewer_are_allowed() {
    fewer_are_allowed(Mistake::None);
}

#[test]
#[should_panic(expected = "deadlock")]
fn an_excess_worker_not_looking_is_found_out() {
    fewer_are_allowed(Mistake::SleepWithoutLook);
}

/// The monitor writes a worker off while that does `act`, ends its poll, and goes to sleep.
fn a_write_off(mistake: Mistake, act: impl Fn(&Worker) + Clone + Send + Sync + 'static) {
    explore(Some(2), move || {
        let world = World::with_spares(1, 1, mistake);
        let spare = world.start_asleep(1, |worker| {
            worker.run(|_, _| ());
        });
        let worker = world.worker(0);
        let ticks = worker.step();
        worker.announce_sleep();
        let worker = thread::spawn({
            let act = act.clone();
            move || {
                act(&worker);
                worker.end_poll_and_run(|_, _| ());
            }
        });
        world.replace(0, ticks);
        world.wait_for_sleep(0);
        world.assert_counts_are_right();
        world.end();
        spare.into_iter().chain([worker]).for_each(|thread| thread.join().unwrap());
        world.assert_nobody_is_left();
    });
}

fn block_for_a_moment(worker: &Worker) {
    worker.block();
    worker.unblock();
}

/// The monitor writes a worker off that puts a task aside and ends its poll, while another waits. Both
/// are run.
fn a_write_off_amid_work(mistake: Mistake) {
    explore(Some(1), move || {
        let world = World::with_spares(1, 1, mistake);
        let done = Arc::new(Event::new());
        let run_tasks = {
            let done = done.clone();
            move |_: &Worker, _| done.happen()
        };
        let spare = world.start_asleep(1, {
            let run_tasks = run_tasks.clone();
            move |worker| {
                worker.run(run_tasks.clone());
            }
        });
        world.inject();
        let worker = world.worker(0);
        let ticks = worker.step();
        let worker = thread::spawn(move || {
            worker.put_aside(1);
            worker.end_poll_and_run(run_tasks);
        });
        world.replace(0, ticks);
        done.wait_for(2);
        world.end();
        spare.into_iter().chain([worker]).for_each(|thread| thread.join().unwrap());
        world.assert_nobody_is_left();
    });
}

#[test]
fn counts_are_right_after_a_write_off_at_the_end_of_a_poll() {
    a_write_off(Mistake::None, |_| ());
}

/// By the counts, or, if overflows are checked, even before.
#[test]
#[should_panic]
fn writing_off_a_sleeper_is_found_out() {
    a_write_off(Mistake::WriteOffUnchecked, |_| ());
}

#[test]
fn counts_are_right_after_a_write_off_of_a_worker_that_blocks() {
    a_write_off(Mistake::None, block_for_a_moment);
}

#[test]
fn the_tasks_of_a_worker_that_is_written_off_are_run() {
    a_write_off_amid_work(Mistake::None);
}

#[test]
#[should_panic(expected = "deadlock")]
fn a_spare_that_keeps_its_queue_is_found_out() {
    a_write_off_amid_work(Mistake::QueueKept);
}

/// A worker puts a task aside and computes for ever. It is perhaps written off, since another task
/// waits: the spare finds both.
fn a_single_of_a_worker_that_is_written_off(mistake: Mistake) {
    let_time_pass(true);
    explore(mistake.bound(2), move || {
        let world = World::with_spares(1, 1, mistake);
        let spare = world.start_asleep(1, |mut worker| {
            (0..2).for_each(|_| assert!(worker.find_task().is_some()));
        });
        let monitor = world.start_monitor();
        world.worker(0).step();
        world.inject();
        world.worker(0).put_aside(1);
        spare.into_iter().for_each(|spare| spare.join().unwrap());
        world.end();
        monitor.join().unwrap();
    });
}

#[test]
fn the_spare_gets_the_single_of_a_worker_that_is_written_off() {
    a_single_of_a_worker_that_is_written_off(Mistake::None);
}

#[test]
#[should_panic(expected = "deadlock")]
fn a_monitor_without_a_limit_is_found_out() {
    a_single_of_a_worker_that_is_written_off(Mistake::SleepWithoutLimit);
}

/// Spares are told to leave while a worker blocks whose place one of them should take.
fn spares_leave(spares: usize, preemptions: usize, mistake: Mistake) {
    explore(Some(preemptions), move || {
        let world = World::with_spares(1, spares, mistake);
        let (done, left) = (Arc::new(Event::new()), Arc::new(Event::new()));
        let threads = world.start_asleep(1, {
            let (done, left) = (done.clone(), left.clone());
            move |worker| {
                if worker.run(|_, _| done.happen()).is_retired() {
                    left.happen();
                }
            }
        });
        // From now on they are not needed.
        world.retire_spares();
        let monitor = thread::spawn({
            let world = world.clone();
            move || world.retire_spares()
        });
        world.inject();
        let worker = world.worker(0);
        worker.step();
        let missing = worker.block();
        if missing == 0 {
            done.wait_for(1);
        }
        monitor.join().unwrap();
        world.end();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        assert_eq!(left.times(), spares - 1 + missing);
        worker.unblock();
        worker.end_poll_and_run(|_, _| ());
        world.assert_nobody_is_left();
    });
}

#[test]
fn a_spare_leaves_or_takes_a_place() {
    spares_leave(1, 2, Mistake::None);
}

#[test]
fn of_two_spares_one_leaves_or_both_do() {
    spares_leave(2, 1, Mistake::None);
}

#[test]
#[should_panic(expected = "deadlock")]
fn a_place_not_handed_over_is_found_out() {
    spares_leave(1, 2, Mistake::NotHandedOver);
}

/// Exit begins when work waits and all that are allowed compute.
fn exit_beside_a_spare(mistake: Mistake) {
    explore(Some(3), move || {
        let world = World::with_spares(1, 1, mistake);
        let spare = world.start(1, |mut worker| assert!(worker.find_task().is_some()));
        world.inject();
        world.begin_exit();
        spare.into_iter().for_each(|spare| spare.join().unwrap());
    });
}

#[test]
fn a_spare_works_at_exit() {
    exit_beside_a_spare(Mistake::None);
}

#[test]
#[should_panic(expected = "deadlock")]
fn a_spare_that_sleeps_on_at_exit_is_found_out() {
    exit_beside_a_spare(Mistake::NotHandedOver);
}
