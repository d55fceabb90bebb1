//! Barriers.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use gorun::JoinSet;
use gorun::sync::Barrier;

use super::{Task, WORKERS, now};
use crate::common::*;

#[test]
fn nobody_passes_before_the_last_one_has_come() {
    let barrier = Barrier::new(3);
    let mut first = Task::waiting(barrier.wait());
    let mut second = Task::waiting(barrier.wait());
    first.waits();
    second.waits();
    assert!(now(barrier.wait()).is_leader());
    assert!(!first.finish().is_leader());
    assert!(!second.finish().is_leader());
    // And again.
    Task::waiting(barrier.wait());
}

#[test]
fn with_one_or_none_nobody_waits() {
    for size in [0, 1] {
        let barrier = Barrier::new(size);
        for _ in 0..3 {
            assert!(now(barrier.wait()).is_leader());
        }
    }
}

#[test]
fn one_that_goes_away_is_not_counted() {
    let barrier = Barrier::new(2);
    drop(Task::waiting(barrier.wait()));
    let waits = Task::waiting(barrier.wait());
    assert!(now(barrier.wait()).is_leader());
    waits.finish();
}

#[test]
fn one_that_goes_away_after_all_have_met_does_not_count_for_the_next_meeting() {
    let barrier = Barrier::new(2);
    let gone = Task::waiting(barrier.wait());
    assert!(now(barrier.wait()).is_leader());
    let next = Task::waiting(barrier.wait());
    drop(gone);
    assert!(now(barrier.wait()).is_leader());
    next.finish();
}

/// Nobody is a meeting ahead of another one.
#[test]
fn a_barrier_that_is_used_again_and_again_keeps_all_together() {
    const SIZE: usize = 5;
    const MEETINGS: usize = 200;
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            let barrier = Arc::new(Barrier::new(SIZE));
            let (arrived, leaders) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
            let mut set = JoinSet::new();
            for _ in 0..SIZE {
                let (barrier, arrived, leaders) =
                    (barrier.clone(), arrived.clone(), leaders.clone());
                set.spawn(async move {
                    for meeting in 0..MEETINGS {
                        arrived.fetch_add(1, SeqCst);
                        if barrier.wait().await.is_leader() {
                            leaders.fetch_add(1, SeqCst);
                        }
                        let all = arrived.load(SeqCst);
                        assert!((meeting + 1) * SIZE <= all && all < (meeting + 2) * SIZE, "{all}");
                    }
                });
            }
            set.join_all().await;
            assert_eq!(leaders.load(SeqCst), MEETINGS);
        });
    }
}
