//! What may go wrong beyond that.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use gorun::context::{Context, ContextError};
use gorun::errgroup::Group;
use gorun::time::timeout;
use gorun::{Builder, UnhandledPanic, channel, num_goroutines, spawn, yield_now};

use crate::WORKERS;
use crate::common::*;

fn with_context() -> (Group<String>, Context) {
    Group::with_context(&Context::background())
}

#[test]
pub(crate) fn the_first_error_tells_the_others_to_stop_and_the_wait_is_over_when_they_have() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            let (group, ctx) = with_context();
            let drops = Drops::new(50);
            for n in 0..50 {
                let (ctx, probe) = (ctx.clone(), drops.probe(n));
                group
                    .go(async move {
                        let _probe = probe;
                        Err(ctx.done().await.to_string())
                    })
                    .await;
            }
            assert!(!ctx.is_done());
            group.go(async { Err("first".to_owned()) }).await;
            assert_eq!(group.wait().await, Err("first".to_owned()));
            drops.assert_each_once("goroutines");
            assert_eq!(num_goroutines(), 1);
        });
    }
}

/// Of many errors at once, the one that is returned is also the cause.
#[test]
pub(crate) fn errors_at_once_leave_one_that_is_both_returned_and_the_cause() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            for _ in 0..100 {
                let (group, ctx) = with_context();
                for n in 0..8 {
                    group.go(async move { Err(format!("error {n}")) }).await;
                }
                let error = group.wait().await.unwrap_err();
                assert_eq!(ctx.cause().unwrap().to_string(), error);
                // It is given once.
                assert_eq!(group.wait().await, Ok(()));
            }
        });
    }
}

#[test]
pub(crate) fn a_group_that_is_dropped_cancels_its_context_and_its_goroutines_run_on() {
    let _watchdog = watchdog();
    run(2, async {
        let (group, ctx) = with_context();
        let (tx, rx) = channel(1);
        let in_group = ctx.clone();
        group
            .go(async move {
                tx.send(in_group.done().await).await.unwrap();
                Ok(())
            })
            .await;
        drop(group);
        assert!(ctx.is_done());
        assert_eq!(rx.recv().await, Some(ContextError::Cancelled));
    });
}

#[test]
pub(crate) fn a_parent_that_is_cancelled_ends_a_group() {
    let _watchdog = watchdog();
    run(2, async {
        let (parent, cancel) = Context::background().with_cancel();
        let (group, ctx) = Group::with_context(&parent);
        group.go(async move { Err(ctx.done().await) }).await;
        cancel.cancel();
        assert_eq!(group.wait().await, Err(ContextError::Cancelled));
    });
}

/// The goroutines of a group start others, as a crawler does.
#[test]
pub(crate) fn a_wait_includes_those_that_the_groups_own_goroutines_start() {
    fn spread(
        group: Arc<Group<()>>,
        depth: u32,
        seen: Arc<std::sync::atomic::AtomicUsize>,
    ) -> futures::future::BoxFuture<'static, Result<(), ()>> {
        Box::pin(async move {
            seen.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            if depth > 0 {
                for _ in 0..2 {
                    group.go(spread(group.clone(), depth - 1, seen.clone())).await;
                }
            }
            Ok(())
        })
    }
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            let group = Arc::new(Group::new());
            let seen = Arc::default();
            group.go(spread(group.clone(), 8, Arc::clone(&seen))).await;
            group.wait().await.unwrap();
            assert_eq!(seen.load(std::sync::atomic::Ordering::SeqCst), (1 << 9) - 1);
        });
    }
}

#[test]
pub(crate) fn those_that_wait_for_room_start_in_their_order_and_one_that_goes_away_is_passed_over()
{
    let _watchdog = watchdog();
    run(1, async {
        let mut group = Group::<()>::new();
        group.set_limit(1);
        let group = Arc::new(group);
        let (open, gate) = channel::<()>(0);
        group
            .go(async move {
                gate.recv().await;
                Ok(())
            })
            .await;
        let (tx, started) = channel(8);
        let drops = Drops::new(1);
        let mut waiting = Vec::new();
        for n in 0..4 {
            let (group, tx) = (group.clone(), tx.clone());
            let probe = (n == 1).then(|| drops.probe(0));
            waiting.push(spawn(async move {
                let work = async move {
                    let _probe = probe;
                    tx.send(n).await.unwrap();
                    Ok(())
                };
                group.go(work).await;
            }));
            yield_now().await;
            for _ in 0..10 {
                yield_now().await;
            }
        }
        waiting[1].abort();
        yield_until(|| drops.all_dropped()).await;
        drop((open, tx));
        let mut order = Vec::new();
        while let Some(n) = started.recv().await {
            order.push(n);
        }
        assert_eq!(order, [0, 2, 3]);
    });
}

#[test]
pub(crate) fn a_limit_is_not_changed_under_goroutines_that_run() {
    run(1, async {
        let mut group = Group::<()>::new();
        group.set_limit(2);
        group.go(pending()).await;
        let seen = panic_of(|| group.set_limit(3));
        assert!(seen.file.ends_with("hazards.rs"), "{}", seen.file);
        assert!(seen.message.contains("1 goroutines run"), "{}", seen.message);
        assert!(group.try_go(pending()).is_ok());
        assert!(group.try_go(pending()).is_err());
    });
}

#[test]
pub(crate) fn a_limit_beyond_what_can_be_counted_is_none() {
    run(1, async {
        let mut group = Group::<()>::new();
        group.set_limit(usize::MAX);
        group.go(async { Ok(()) }).await;
        group.wait().await.unwrap();
    });
}

#[test]
pub(crate) fn a_panic_is_unhandled_and_main_does_not_get_past_the_wait() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        let payload = payload_of(|| {
            run(workers, async {
                let (group, _ctx) = with_context();
                group.go(async { panic!("boom") }).await;
                let _ = group.wait().await;
                unreachable!("main is over");
            })
        });
        assert_eq!(message(&*payload), Some("boom"));
    }
    let ignores = Builder::new().worker_threads(2).unhandled_panic(UnhandledPanic::Ignore);
    ignores
        .block_on(async {
            let mut group = Group::<()>::new();
            group.set_limit(1);
            group.go(async { panic!("boom") }).await;
            // It makes room.
            group.go(async { Err(()) }).await;
            assert_eq!(group.wait().await, Err(()));
        })
        .unwrap();
}

#[test]
pub(crate) fn a_wait_that_is_dropped_loses_nothing() {
    let _watchdog = watchdog();
    run(2, async {
        let (group, ctx) = with_context();
        let (open, gate) = channel::<()>(0);
        group
            .go(async move {
                gate.recv().await;
                Err("late".to_owned())
            })
            .await;
        assert!(timeout(Duration::from_micros(100), group.wait()).await.is_err());
        assert!(!ctx.is_done());
        drop(open);
        assert_eq!(group.wait().await, Err("late".to_owned()));
    });
}

#[test]
pub(crate) fn a_large_future_is_started_and_is_reported_at_the_callers_line() {
    let _watchdog = watchdog();
    let output = match is_child() {
        true => {
            run(1, async {
                let data = [1_u8; 100_000];
                let group = Group::<()>::new();
                group
                    .go(async move {
                        yield_now().await;
                        assert_eq!(data.len(), 1);
                        Ok(())
                    })
                    .await;
                pending::<()>().await;
            });
            return;
        }
        false => {
            child("hazards::a_large_future_is_started_and_is_reported_at_the_callers_line", &[], "")
        }
    };
    let text = stderr(&output);
    assert!(text.contains("tests/errgroup/hazards.rs"), "{text}");
    assert!(!text.contains("src/errgroup.rs"), "{text}");
}

#[test]
pub(crate) fn an_error_whose_text_panics_is_returned_all_the_same() {
    #[derive(Debug)]
    struct Silent;
    impl std::fmt::Display for Silent {
        fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            panic!("no text");
        }
    }
    let _watchdog = watchdog();
    let in_main = async {
        let (group, context) = Group::<Silent>::with_context(&Context::background());
        group.go(async { Err(Silent) }).await;
        assert!(group.wait().await.is_err());
        assert_eq!(context.err(), Some(ContextError::Cancelled));
    };
    Builder::new().unhandled_panic(UnhandledPanic::Ignore).block_on(in_main).unwrap();
}

/// Outside, there is nobody to run it.
#[test]
pub(crate) fn a_goroutine_outside_of_any_runtime_is_refused_at_the_callers_line_and_leaves_the_group_usable()
 {
    let _watchdog = watchdog();
    let drops = Drops::new(2);
    let mut group = Group::<String>::new();
    group.set_limit(1);
    let holds = |index| {
        let probe = drops.probe(index);
        async move {
            drop(probe);
            Ok(())
        }
    };
    let tried = holds(0);
    let seen = panic_of(|| group.try_go(tried).is_ok()); // this line
    assert_eq!((&*seen.file, seen.line), (file!(), line!() - 1));
    assert!(seen.message.contains("no gorun runtime"), "{}", seen.message);
    let mut line = 0;
    let started = holds(1);
    let seen = panic_of(|| {
        futures::executor::block_on(async {
            line = line!() + 1;
            group.go(started).await;
        });
    });
    assert_eq!((&*seen.file, seen.line), (file!(), line));
    assert!(seen.message.contains("no gorun runtime"), "{}", seen.message);
    drops.assert_each_once("the futures");
    // Neither counts.
    group.set_limit(1);
    run(1, async {
        group.go(async { Err("one".to_owned()) }).await;
        assert_eq!(group.wait().await, Err("one".to_owned()));
    });
}
