//! What fails, and what the report says.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use gorun::sim::{Failure, Sim, Strategy};
use gorun::sync::Mutex;
use gorun::{JoinSet, channel, go, spawn, yield_now};

/// Runs `sim` to its failure, whose report contains all of these.
#[track_caller]
fn report(result: Result<gorun::sim::Explored, Failure>, parts: &[&str]) -> String {
    let report = result.unwrap_err().to_string();
    for part in parts.iter().chain(&["GORUN_REPLAY="]) {
        assert!(report.contains(part), "{part:?} is not in:\n{report}");
    }
    report
}

#[test]
fn a_deadlock_by_the_order_of_locks_is_not_found() {
    let result = Sim::new().run(|| async {
        let locks = Arc::new((Mutex::new(()), Mutex::new(())));
        let mut set = JoinSet::new();
        let both = locks.clone();
        set.spawn(async move {
            let _first = both.0.lock().await;
            let _second = both.1.lock().await;
        });
        set.spawn(async move {
            let _second = locks.1.lock().await;
            let _first = locks.0.lock().await;
        });
        while set.join_next().await.is_some() {}
    });
    report(result, &["a deadlock", "[lock]", "tests/sim/failures.rs:33", "[join set]"]);
}

#[test]
fn a_timer_that_is_set_counts_as_a_deadlock() {
    Sim::new().schedules(50).check(|| async {
        let (tx, rx) = channel(1);
        go!(async move {
            gorun::time::sleep(Duration::from_secs(3600)).await;
            tx.send(1).await.unwrap();
        });
        assert_eq!(rx.recv().await, Some(1));
    });
}

#[test]
fn a_goroutine_that_is_left_is_not_reported_or_one_that_ends_is() {
    Sim::new().schedules(100).check(|| async {
        // It ends when main has dropped its receiver.
        let (tx, _rx) = channel(0);
        go!(async move {
            while tx.send(1).await.is_ok() {}
            for _ in 0..10 {
                yield_now().await;
            }
        });
    });
    let leaking = || async {
        let (tx, rx) = channel::<u32>(0);
        spawn(async move {
            let _tx = tx;
            rx.recv().await
        })
        .detach();
    };
    report(Sim::new().run(leaking), &["goroutines are left", "[recv] at tests/sim/failures.rs"]);
    Sim::new().schedules(10).allow_leaks().check(leaking);
}

#[test]
fn a_panic_that_is_observed_is_a_failure_or_one_that_is_not_is_none() {
    Sim::new().schedules(20).check(|| async {
        assert!(spawn(async { panic!("observed") }).await.unwrap_err().is_panic());
    });
    let unobserved = || async {
        spawn(async { panic!("nobody sees this") }).detach();
        yield_now().await;
        pending::<()>().await;
    };
    let at = ["a panic at tests/sim/failures.rs:", "nobody sees this", "goroutine 1"];
    report(Sim::new().run(unobserved), &at);
    report(Sim::new().run(|| async { panic!("main's own") }), &["main's own"]);
    report(Sim::new().run_program(|| panic!("outside of any runtime")), &["outside of any"]);
}

#[test]
fn a_loop_of_yields_hangs() {
    let spinning = || async {
        loop {
            yield_now().await;
        }
    };
    let result = Sim::new().step_limit(1000).run(spinning);
    report(result, &["does not end", "after 1000 steps", "yields"]);
}

#[test]
fn a_destructor_does_not_run_when_a_schedule_fails() {
    struct Counted(Arc<()>);
    let count = Arc::new(());
    let result = Sim::new().run(|| {
        let count = count.clone();
        async move {
            for _ in 0..3 {
                let counted = Counted(count.clone());
                go!(async move {
                    let _counted = &counted.0;
                    pending::<()>().await;
                });
            }
            pending::<()>().await;
        }
    });
    report(result, &["a deadlock", "3 goroutines"]);
    assert_eq!(Arc::strong_count(&count), 1);
}

#[test]
fn a_failure_that_needs_one_order_is_reported_with_more_decisions_than_it_needs() {
    let failure = Sim::new()
        .run(|| async {
            let (tx, rx) = channel(10);
            for n in 0..5 {
                let tx = tx.clone();
                go!(async move { tx.send(n).await.unwrap() });
            }
            let first = rx.recv().await.unwrap();
            drop(rx);
            assert_ne!(first, 4, "the last one was first");
            gorun::sim::settle().await;
        })
        .unwrap_err();
    let report = failure.to_string();
    // One decision brings the last one to the front. Their sends may fail when main is fast.
    let few = report.contains("decisions 1 matter") || report.contains("decisions 0 matter");
    assert!(few || report.contains("without any switch"), "{report}");
}

#[test]
fn goroutines_that_go_on_after_main_hang() {
    let spinning = || async {
        go!(async {
            loop {
                yield_now().await;
            }
        });
    };
    report(Sim::new().step_limit(1000).run(spinning), &["does not end"]);
    let failing = || async {
        spinning().await;
        panic!("main's own");
    };
    report(Sim::new().step_limit(1000).run(failing), &["main's own"]);
}

#[test]
fn two_texts_of_one_deadlock_are_taken_for_two_failures() {
    async fn at_one_place(job: impl Future) {
        job.await;
    }
    let result = Sim::new().run(|| async {
        let (tx, rx) = channel::<u32>(0);
        let (full, _kept) = channel(1);
        full.try_send(1).unwrap();
        let jobs: [std::pin::Pin<Box<dyn Future<Output = ()> + Send>>; 2] = [
            Box::pin(async move { _ = rx.recv().await }),
            Box::pin(async move { _ = full.send(2).await }),
        ];
        for job in jobs {
            go!(at_one_place(job));
        }
        pending::<()>().await;
        drop(tx);
    });
    report(result, &["a deadlock", "[recv]", "[send]"]);
    // With an address.
    let result = Sim::new().run(|| async {
        let value = Box::new(5);
        panic!("it is at {:p}", &*value);
    });
    report(result, &["a panic at", "it is at 0x"]);
}

#[test]
fn a_fair_loop_is_endless_with_priorities() {
    let strategy = Strategy::Pct { changes: 1 };
    Sim::new().schedules(100).step_limit(10_000).strategy(strategy).check(|| async {
        let done = Arc::new(Mutex::new(false));
        let set = done.clone();
        go!(async move { *set.lock().await = true });
        while !*done.lock().await {}
    });
}

#[gorun::test(schedules = 10, leaks = "allow")]
async fn leaks_that_are_allowed_fail_a_test() {
    go!(pending::<()>());
}

#[test]
#[should_panic = "nothing would be tried"]
fn no_schedule_is_enough() {
    _ = Sim::new().schedules(0).run(|| async {});
}

#[test]
fn a_panic_behind_operations_that_gave_way_is_taken_for_a_difference() {
    for seed in 0..50 {
        let result = Sim::new().seed(seed).run(|| async {
            let lock = Mutex::new(());
            go!(async move {
                drop(lock.lock().await);
                drop(lock.lock().await);
                panic!("behind them");
            });
            pending::<()>().await;
        });
        report(result, &["a panic at", "behind them"]);
    }
}

#[test]
fn the_largest_limits_overflow() {
    Sim::new().schedules(3).step_limit(u64::MAX).jitter(Duration::MAX).check(|| async {
        gorun::time::sleep(Duration::from_secs(1)).await;
        yield_now().await;
    });
}

#[test]
fn many_that_never_run_fail_at_the_end_of_main() {
    Sim::new().schedules(2).step_limit(100).allow_leaks().check(|| async {
        for _ in 0..30_000 {
            go!(pending::<()>());
        }
    });
}

#[test]
fn what_follows_a_runtime_that_has_ended_passes_unseen() {
    let result = Sim::new().allow_leaks().run_program(|| {
        let (handle, rx, _tx) = gorun::block_on(async {
            let (tx, rx) = channel::<u32>(0);
            (gorun::Handle::current(), rx, tx)
        });
        handle.block_on(rx.recv());
        unreachable!("nobody sends");
    });
    report(result, &["a deadlock"]);
}

#[test]
fn one_that_settles_after_main_is_left() {
    Sim::new().schedules(20).check(|| async {
        go!(async { gorun::sim::settle().await });
    });
}

#[test]
fn a_timer_that_outlives_its_runtime_is_closed_by_another_thread() {
    Sim::new().schedules(50).check_program(|| {
        let alarm = gorun::block_on(async { gorun::time::after(Duration::from_secs(1)) });
        assert!(alarm.try_recv().is_err_and(|error| error == gorun::TryRecvError::Closed));
    });
}

/// What follows the end of a runtime has fewer turns, but not the runtime after it.
#[test]
fn a_second_runtime_has_as_many_steps_as_the_first() {
    Sim::new().schedules(1).check_program(|| {
        for _ in 0..2 {
            gorun::block_on(async {
                for _ in 0..15_000 {
                    gorun::yield_now().await;
                }
            });
        }
    });
}
