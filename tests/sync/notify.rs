//! Notifications without a value.

use std::sync::Arc;

use gorun::sync::Notify;
use gorun::{JoinSet, spawn};

use super::{Task, WORKERS, now};
use crate::common::*;

#[test]
pub(crate) fn a_notification_before_the_wait_is_kept_once() {
    let notify = Notify::new();
    notify.notify_one();
    notify.notify_one();
    now(notify.notified());
    Task::waiting(notify.notified());
}

#[test]
pub(crate) fn a_notification_during_the_wait_goes_to_the_first_one_only() {
    let notify = Notify::new();
    let first = Task::waiting(notify.notified());
    let mut second = Task::waiting(notify.notified());
    notify.notify_one();
    second.waits();
    first.finish();
    // Nothing was kept beside.
    second.waits();
    notify.notify_one();
    second.finish();
}

#[test]
pub(crate) fn a_notification_of_one_that_goes_away_reaches_the_next_one() {
    let notify = Notify::new();
    let gone = Task::waiting(notify.notified());
    let next = Task::waiting(notify.notified());
    notify.notify_one();
    drop(gone);
    next.finish();
    Task::waiting(notify.notified());
}

#[test]
pub(crate) fn a_notification_of_one_that_goes_away_is_kept_if_nobody_else_waits() {
    let notify = Notify::new();
    let gone = Task::waiting(notify.notified());
    notify.notify_one();
    drop(gone);
    now(notify.notified());
}

#[test]
pub(crate) fn a_notification_of_one_that_only_began_to_wait_is_not_used_up_by_its_drop() {
    let notify = Notify::new();
    drop(Task::waiting(notify.notified()));
    notify.notify_one();
    now(notify.notified());
}

#[test]
pub(crate) fn notifying_all_reaches_all_that_wait_and_keeps_nothing() {
    let notify = Notify::new();
    let tasks: Vec<_> = (0..5).map(|_| Task::waiting(notify.notified())).collect();
    notify.notify_all();
    let mut late = Task::waiting(notify.notified());
    tasks.into_iter().for_each(Task::finish);
    late.waits();
}

#[test]
pub(crate) fn notifying_all_reaches_one_that_was_made_before_and_not_polled() {
    let notify = Notify::new();
    let early = notify.notified();
    notify.notify_all();
    now(early);
    Task::waiting(notify.notified());
}

#[test]
pub(crate) fn notifying_all_is_not_passed_on_by_one_that_goes_away() {
    let notify = Notify::new();
    let gone = Task::waiting(notify.notified());
    notify.notify_all();
    let mut late = Task::waiting(notify.notified());
    drop(gone);
    late.waits();
}

#[test]
pub(crate) fn notifying_all_leaves_a_kept_notification_for_the_next_one() {
    let notify = Notify::new();
    notify.notify_one();
    notify.notify_all();
    now(notify.notified());
    Task::waiting(notify.notified());
}

#[test]
pub(crate) fn one_and_all_in_turn_serve_each_waiter_once() {
    let notify = Notify::new();
    let (first, second) = (Task::waiting(notify.notified()), Task::waiting(notify.notified()));
    notify.notify_one();
    notify.notify_all();
    assert_eq!((first.wakes(), second.wakes()), (1, 1));
    // The first one was notified by itself, so it passes that on. The second one was not.
    drop(second);
    drop(first);
    now(notify.notified());
    Task::waiting(notify.notified());
}

/// Each puts a number down, and notifies one of those that take numbers.
#[test]
pub(crate) fn no_notification_between_goroutines_is_missed() {
    const COUNT: usize = 2000;
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            let numbers = Arc::new(std::sync::Mutex::new(Vec::new()));
            let notify = Arc::new(Notify::new());
            let mut takers = JoinSet::new();
            for _ in 0..2 {
                let (numbers, notify) = (numbers.clone(), notify.clone());
                takers.spawn(async move {
                    for _ in 0..COUNT {
                        loop {
                            let number = numbers.lock().unwrap().pop();
                            if number.is_some() {
                                // Another one may have come for which none was kept.
                                if !numbers.lock().unwrap().is_empty() {
                                    notify.notify_one();
                                }
                                break;
                            }
                            notify.notified().await;
                        }
                    }
                });
            }
            for n in 0..2 * COUNT {
                let (numbers, notify) = (numbers.clone(), notify.clone());
                spawn(async move {
                    numbers.lock().unwrap().push(n);
                    notify.notify_one();
                });
            }
            takers.join_all().await;
        });
    }
}

/// Two that looked for work, and found none, before two pieces came.
#[test]
pub(crate) fn two_notifications_before_the_first_polls_reach_two_that_were_enabled() {
    let notify = Notify::new();
    let (mut one, mut other) = (notify.notified(), notify.notified());
    assert!(!one.enable() && !other.enable());
    notify.notify_one();
    notify.notify_one();
    now(one);
    now(other);
    Task::waiting(notify.notified());
}

#[test]
pub(crate) fn enabling_one_that_waits_does_not_cost_it_its_waker() {
    let notify = Notify::new();
    let mut task = Task::waiting(notify.notified());
    assert!(!task.future.enable());
    notify.notify_one();
    assert!(task.future.enable());
    task.finish();
}

#[test]
pub(crate) fn enabling_one_that_was_notified_before_makes_it_ready() {
    let notify = Notify::new();
    notify.notify_one();
    let mut notified = notify.notified();
    assert!(notified.enable() && notified.enable());
    // It is used up.
    Task::waiting(notify.notified());
    now(notified);
    let mut notified = notify.notified();
    notify.notify_all();
    assert!(notified.enable());
    now(notified);
}

#[test]
pub(crate) fn one_that_was_enabled_and_goes_away_passes_its_notification_on() {
    let notify = Notify::new();
    let mut gone = notify.notified();
    assert!(!gone.enable());
    let next = Task::waiting(notify.notified());
    notify.notify_one();
    drop(gone);
    next.finish();
}
