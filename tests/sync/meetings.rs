//! Barriers.

use std::cell::Cell;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::task::Poll;
use std::time::{Duration, Instant};

use gorun::sync::Barrier;
use gorun::time::timeout;
use gorun::{JoinSet, yield_now};

use super::{Task, WORKERS, now};
use crate::common::*;

#[test]
pub(crate) fn nobody_passes_before_the_last_one_has_come() {
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
pub(crate) fn with_one_or_none_nobody_waits() {
    for size in [0, 1] {
        let barrier = Barrier::new(size);
        for _ in 0..3 {
            assert!(now(barrier.wait()).is_leader());
        }
    }
}

#[test]
pub(crate) fn one_that_goes_away_is_not_counted() {
    let barrier = Barrier::new(2);
    drop(Task::waiting(barrier.wait()));
    let waits = Task::waiting(barrier.wait());
    assert!(now(barrier.wait()).is_leader());
    waits.finish();
}

#[test]
pub(crate) fn one_that_goes_away_after_all_have_met_does_not_count_for_the_next_meeting() {
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
pub(crate) fn a_barrier_that_is_used_again_and_again_keeps_all_together() {
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

/// The two see each other, or neither has met anybody.
#[test]
pub(crate) fn a_task_whose_time_is_up_has_met_nobody() {
    let _watchdog = watchdog();
    run(1, async {
        let barrier = Barrier::new(2);
        // It is kept, so that it has not been dropped when the other one comes.
        let mut late = timeout(Duration::from_micros(50), barrier.wait());
        (&mut late).await.unwrap_err();
        let mut other = pin!(barrier.wait());
        assert!(futures::poll!(&mut other).is_pending(), "it has met one that was told to be late");
        drop(late);
        assert!(barrier.wait().await.is_leader());
        assert!(!other.await.is_leader());
    });
}

/// The other one comes in the very poll in which the time is up.
#[test]
pub(crate) fn a_task_that_was_met_just_before_its_time_was_up_goes_on() {
    const LIMIT: Duration = Duration::from_millis(1);
    let _watchdog = watchdog();
    run(1, async {
        let (barrier, has_met) = (Barrier::new(2), Cell::new(false));
        let waits = async {
            barrier.wait().await;
            has_met.set(true);
        };
        let (start, mut has_come) = (Instant::now(), false);
        let comes = poll_fn(|_| {
            if !has_come && start.elapsed() >= LIMIT {
                has_come = now(barrier.wait()).is_leader();
            }
            Poll::<()>::Pending
        });
        timeout(LIMIT, async { futures::join!(waits, comes) }).await.unwrap_err();
        assert!(has_met.get(), "another one has met it, and it does not know");
    });
}

#[test]
pub(crate) fn a_task_that_is_kept_after_its_time_is_up_comes_again() {
    let _watchdog = watchdog();
    run(1, async {
        let barrier = Barrier::new(2);
        let mut wait = barrier.wait();
        timeout(Duration::from_micros(50), &mut wait).await.unwrap_err();
        let (one, other) = futures::join!(wait, barrier.wait());
        assert_ne!(one.is_leader(), other.is_leader());
    });
}

/// Two meet each time, whoever is late.
#[test]
pub(crate) fn of_those_whose_time_is_not_up_each_has_met_another_one() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            let barrier = Arc::new(Barrier::new(2));
            let (leaders, others) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
            let mut set = JoinSet::new();
            for seed in 0..4 {
                let (barrier, leaders, others) = (barrier.clone(), leaders.clone(), others.clone());
                set.spawn(async move {
                    let mut random = Random(seed);
                    for _ in 0..100 {
                        let limit = Duration::from_micros(random.below(30));
                        let mut wait = timeout(limit, barrier.wait());
                        match (&mut wait).await {
                            Ok(met) if met.is_leader() => _ = leaders.fetch_add(1, SeqCst),
                            Ok(_) => _ = others.fetch_add(1, SeqCst),
                            // It is kept for a while.
                            Err(_) => yield_now().await,
                        }
                    }
                });
            }
            set.join_all().await;
            assert_eq!(leaders.load(SeqCst), others.load(SeqCst));
        });
    }
}

#[test]
pub(crate) fn a_wait_that_is_polled_after_it_was_ready_does_not_come_a_second_time() {
    let barrier = Barrier::new(2);
    let mut over = Task::waiting(barrier.wait());
    assert!(now(barrier.wait()).is_leader());
    assert!(over.poll().is_ready());
    let mut next = Task::waiting(barrier.wait());
    quiet();
    payload_of(std::panic::AssertUnwindSafe(|| over.poll()));
    next.waits();
}
