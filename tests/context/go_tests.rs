//! What Go's own tests of contexts ask (`context/x_test.go`, `context/context_test.go`), asked here.

use std::io;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use gorun::context::ContextError::{self, Cancelled, DeadlineExceeded};
use gorun::context::{CancelGuard, Context};
use gorun::time::now;
use gorun::{WaitGroup, channel, go, spawn, yield_now};

use super::{WORKERS, Wakes, background, poll};
use crate::common::*;

const SHORT: Duration = Duration::from_millis(1);

fn waits(ctx: &Context) -> bool {
    poll(&mut ctx.done(), &Arc::<Wakes>::default()).is_pending() && ctx.err().is_none()
}

fn is_done(ctx: &Context, error: ContextError) -> bool {
    poll(&mut ctx.done(), &Arc::<Wakes>::default()).is_ready() && ctx.err() == Some(error)
}

/// `TestBackground`, `TestTODO`.
#[test]
pub(crate) fn a_background_context_waits_for_ever() {
    assert!(waits(&background()));
    assert!(waits(&Context::default()));
    assert_eq!(format!("{:?}", background()), "Context { err: None, deadline: None, .. }");
}

/// `TestWithCancel`.
#[test]
pub(crate) fn a_cancellation_reaches_a_context_and_its_child_before_the_call_returns() {
    let (parent, cancel) = background().with_cancel();
    let (child, _guard) = parent.with_cancel();
    assert!(waits(&parent) && waits(&child));
    cancel.cancel();
    assert!(is_done(&parent, Cancelled) && is_done(&child, Cancelled));
}

/// `TestParentFinishesChild`.
#[test]
pub(crate) fn a_parent_that_ends_takes_along_children_of_every_kind() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            let (parent, cancel) = background().with_cancel();
            let (child, _child) = parent.with_cancel();
            let with_value = parent.with_value("value");
            let (timed, _timed) = with_value.with_timeout(HOUR);
            let (called, is_called) = channel(1);
            parent.after_func(move || called.try_send(()).unwrap());
            let family = [&parent, &child, &with_value, &timed];
            assert!(family.iter().all(|ctx| waits(ctx)));
            assert!(is_called.is_empty());
            cancel.cancel();
            assert!(family.iter().all(|ctx| is_done(ctx, Cancelled)));
            is_called.recv().await.unwrap();
            assert!(is_done(&parent.with_value("later"), Cancelled));
        });
    }
}

/// `TestChildFinishesFirst`.
#[test]
pub(crate) fn a_child_that_ends_leaves_its_parent_alone() {
    let (cancellable, _guard) = background().with_cancel();
    for parent in [background(), cancellable] {
        let (child, cancel) = parent.with_cancel();
        assert!(waits(&parent) && waits(&child));
        cancel.cancel();
        assert!(is_done(&child, Cancelled));
        assert!(waits(&parent));
    }
}

/// `TestDeadline`.
#[test]
pub(crate) fn a_deadline_passes_whether_it_is_to_come_or_present_or_past() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            let (ctx, _guard) = background().with_deadline(now() + SHORT);
            assert_eq!(ctx.done().await, DeadlineExceeded);
            let (ctx, _guard) = background().with_deadline(now() + SHORT);
            let (later, _later) = ctx.with_deadline(now() + HOUR);
            assert_eq!(later.done().await, DeadlineExceeded);
            let past = now();
            for deadline in [past, now()] {
                let (ctx, _guard) = background().with_deadline(deadline);
                assert!(is_done(&ctx, DeadlineExceeded));
            }
        });
    }
}

/// `TestTimeout`.
#[test]
pub(crate) fn a_timeout_passes_also_above_a_longer_one() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            let (ctx, _guard) = background().with_timeout(SHORT);
            assert_eq!(ctx.done().await, DeadlineExceeded);
            let (ctx, _guard) = background().with_timeout(SHORT);
            let (longer, _longer) = ctx.with_value(()).with_timeout(HOUR);
            assert_eq!(longer.done().await, DeadlineExceeded);
        });
    }
}

/// `TestCanceledTimeout`.
#[test]
pub(crate) fn a_cancellation_comes_before_two_timeouts() {
    run(2, async {
        let (ctx, _guard) = background().with_timeout(Duration::from_secs(1));
        let (ctx, cancel) = ctx.with_timeout(HOUR);
        cancel.cancel();
        assert!(is_done(&ctx, Cancelled));
    });
}

/// `TestValues`. Types are what keys are there, and an `Option` can hide a value as `nil` does.
#[test]
pub(crate) fn a_value_is_found_by_its_type_and_a_later_one_hides_it() {
    #[derive(Clone, Debug, PartialEq)]
    struct One(Option<&'static str>);
    #[derive(Clone, Debug, PartialEq)]
    struct Two(Option<&'static str>);
    let check = |ctx: &Context, one: Option<&'static str>, two: Option<&'static str>| {
        assert_eq!(ctx.value::<One>().and_then(|one| one.0), one);
        assert_eq!(ctx.value::<Two>().and_then(|two| two.0), two);
    };
    let none = background();
    check(&none, None, None);
    let first = none.with_value(One(Some("a")));
    check(&first, Some("a"), None);
    let (second, _guard) = first.with_value(Two(Some("b"))).with_cancel();
    check(&second, Some("a"), Some("b"));
    let third = second.with_value(One(None));
    check(&third, None, Some("b"));
    check(&third.with_value(One(Some("c"))), Some("c"), Some("b"));
    check(&second, Some("a"), Some("b"));
}

/// A tree of about a hundred contexts, four below each, in the order of their depth.
fn tree() -> Vec<(Context, CancelGuard)> {
    let mut tree = vec![background().with_cancel()];
    let mut parent = 0;
    while tree.len() < 100 {
        for _ in 0..4 {
            let child = tree[parent].0.with_cancel();
            tree.push(child);
        }
        parent += 1;
    }
    tree
}

/// `TestSimultaneousCancels`.
#[test]
pub(crate) fn all_contexts_of_a_tree_can_be_cancelled_at_once() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        for seed in 0..20 {
            run(workers, async move {
                let mut random = Random(seed);
                let (mut contexts, mut guards): (Vec<_>, Vec<_>) = tree().into_iter().unzip();
                let cancels = WaitGroup::new();
                while !guards.is_empty() {
                    let guard = guards.swap_remove(random.below(guards.len() as u64) as usize);
                    cancels.go(async move { guard.cancel() });
                }
                while !contexts.is_empty() {
                    let which = random.below(contexts.len() as u64) as usize;
                    contexts.swap_remove(which).done().await;
                }
                cancels.wait().await;
            });
        }
    }
}

/// `TestInterlockedCancels`.
#[test]
pub(crate) fn a_child_can_be_cancelled_by_one_who_is_woken_by_its_parent() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            for _ in 0..100 {
                let (parent, cancel_parent) = background().with_cancel();
                let (child, cancel_child) = parent.with_cancel();
                go!(async move {
                    parent.done().await;
                    cancel_child.cancel();
                });
                yield_now().await;
                cancel_parent.cancel();
                child.done().await;
            }
        });
    }
}

/// Thirty random layers or more: values, contexts that can be cancelled, and such with a time limit.
fn layers(random: &mut Random, limit: Duration) -> (Context, Vec<CancelGuard>, usize) {
    let (mut ctx, mut guards) = (background(), Vec::new());
    let (mut values, mut timers) = (0, 0);
    let mut layers = 0;
    while layers < 30 || timers == 0 || values == 0 || guards.len() == timers {
        match random.below(3) {
            0 => {
                values += 1;
                ctx = ctx.with_value(values);
            }
            1 => {
                let (next, guard) = ctx.with_cancel();
                ctx = next;
                guards.push(guard);
            }
            _ => {
                let (next, guard) = ctx.with_timeout(limit);
                ctx = next;
                guards.push(guard);
                timers += 1;
            }
        }
        layers += 1;
    }
    (ctx, guards, values)
}

/// `TestLayersCancel`.
#[test]
pub(crate) fn any_of_many_layers_can_be_cancelled_and_values_stay() {
    let _watchdog = watchdog();
    for seed in 0..30 {
        run(2, async move {
            let mut random = Random(seed);
            let (ctx, guards, values) = layers(&mut random, HOUR);
            assert!(waits(&ctx));
            assert_eq!(ctx.value(), Some(&values));
            guards[random.below(guards.len() as u64) as usize].cancel();
            assert!(is_done(&ctx, Cancelled));
            assert_eq!(ctx.value(), Some(&values));
        });
    }
}

/// `TestLayersTimeout`.
#[test]
pub(crate) fn any_of_many_layers_can_time_out_and_values_stay() {
    let _watchdog = watchdog();
    for seed in 0..30 {
        run(2, async move {
            let (ctx, _guards, values) = layers(&mut Random(seed), SHORT);
            assert_eq!(ctx.value(), Some(&values));
            assert_eq!(ctx.done().await, DeadlineExceeded);
            assert_eq!(ctx.value(), Some(&values));
        });
    }
}

/// `TestWithCancelCanceledParent`.
#[test]
pub(crate) fn a_child_of_a_cancelled_context_is_done_at_once_with_its_cause() {
    let (parent, cancel) = background().with_cancel();
    cancel.cancel_with_cause("because");
    let (child, _guard) = parent.with_cancel();
    assert!(is_done(&child, Cancelled));
    assert_eq!(child.cause().unwrap().to_string(), "because");
}

/// `TestWithCancelSimultaneouslyCanceledParent`.
#[test]
pub(crate) fn a_child_that_is_made_while_its_parent_is_cancelled_has_its_cause() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            for _ in 0..300 {
                let (parent, cancel) = background().with_cancel();
                go!(async move { cancel.cancel_with_cause("because") });
                let (child, _guard) = parent.with_cancel();
                assert_eq!(child.done().await, Cancelled);
                assert_eq!(child.cause().unwrap().to_string(), "because");
            }
        });
    }
}

/// `TestDeadlineExceededSupportsTimeout`, `TestDeadlineExceededIsNetError`.
#[test]
pub(crate) fn a_deadline_that_has_passed_is_a_timeout_among_errors_of_the_system() {
    let kind = |error: ContextError| io::Error::from(error).kind();
    assert_eq!(kind(DeadlineExceeded), io::ErrorKind::TimedOut);
    // What is interrupted is tried again.
    assert_eq!(kind(Cancelled), io::ErrorKind::Other);
}

/// `TestCause`, row by row, without those of contexts that are the user's own types.
#[test]
pub(crate) fn the_cause_is_that_of_whoever_came_first() {
    type Row = (&'static str, Box<dyn Fn() -> Context>, Option<ContextError>, Option<&'static str>);
    const CANCELLED: &str = "the context was cancelled";
    const EXCEEDED: &str = "the deadline of the context has passed";
    /// A parent and its child, and what cancels them.
    fn pair(f: impl Fn(CancelGuard, CancelGuard) + 'static) -> Box<dyn Fn() -> Context> {
        Box::new(move || {
            let (parent, cancel_parent) = background().with_cancel();
            let (child, cancel_child) = parent.with_cancel();
            f(cancel_parent, cancel_child);
            child
        })
    }
    let rows: [Row; 16] = [
        ("background", Box::new(background), None, None),
        ("cancelled", pair(|_, child| child.cancel()), Some(Cancelled), Some(CANCELLED)),
        (
            "cancelled with a cause",
            pair(|_, child| child.cancel_with_cause("child")),
            Some(Cancelled),
            Some("child"),
        ),
        (
            "the parent with a cause, then the child with another one",
            pair(|parent, child| {
                parent.cancel_with_cause("parent");
                child.cancel_with_cause("child");
            }),
            Some(Cancelled),
            Some("parent"),
        ),
        (
            "the child with a cause, then the parent with another one",
            pair(|parent, child| {
                child.cancel_with_cause("child");
                parent.cancel_with_cause("parent");
            }),
            Some(Cancelled),
            Some("child"),
        ),
        (
            "the parent with a cause, then the child without",
            pair(|parent, child| {
                parent.cancel_with_cause("parent");
                child.cancel();
            }),
            Some(Cancelled),
            Some("parent"),
        ),
        (
            "the child without, then the parent with a cause",
            pair(|parent, child| {
                child.cancel();
                parent.cancel_with_cause("parent");
            }),
            Some(Cancelled),
            Some(CANCELLED),
        ),
        (
            "the parent without, then the child with a cause",
            pair(|parent, child| {
                parent.cancel();
                child.cancel_with_cause("child");
            }),
            Some(Cancelled),
            Some(CANCELLED),
        ),
        (
            "the child with a cause, then the parent without",
            pair(|parent, child| {
                child.cancel_with_cause("child");
                parent.cancel();
            }),
            Some(Cancelled),
            Some("child"),
        ),
        (
            "no time at all",
            Box::new(|| background().with_timeout(Duration::ZERO).0),
            Some(DeadlineExceeded),
            Some(EXCEEDED),
        ),
        (
            "a long time, cancelled",
            Box::new(|| background().with_timeout(HOUR).0),
            Some(Cancelled),
            Some(CANCELLED),
        ),
        (
            "no time at all, with a cause",
            Box::new(|| background().with_timeout_cause(Duration::ZERO, "too slow").0),
            Some(DeadlineExceeded),
            Some("too slow"),
        ),
        (
            "a long time with a cause, cancelled",
            Box::new(|| background().with_timeout_cause(HOUR, "too slow").0),
            Some(Cancelled),
            Some(CANCELLED),
        ),
        (
            "no time at all with a cause, below one that is cancelled afterwards",
            Box::new(|| {
                let (parent, cancel) = background().with_cancel();
                let (child, guard) = parent.with_timeout_cause(Duration::ZERO, "too slow");
                cancel.cancel_with_cause("finished early");
                drop(guard);
                child
            }),
            Some(DeadlineExceeded),
            Some("too slow"),
        ),
        (
            "a long time with a cause, below one that is cancelled",
            Box::new(|| {
                let (parent, cancel) = background().with_cancel();
                let (child, guard) = parent.with_timeout_cause(HOUR, "too slow");
                cancel.cancel_with_cause("finished early");
                drop(guard);
                child
            }),
            Some(Cancelled),
            Some("finished early"),
        ),
        (
            "without cancellation, below one that has ended",
            Box::new(|| {
                let (parent, cancel) = background().with_cancel();
                let (timed, _guard) = parent.with_timeout_cause(Duration::ZERO, "too slow");
                cancel.cancel_with_cause("finished early");
                assert!(waits(&parent.without_cancel()));
                timed.without_cancel()
            }),
            None,
            None,
        ),
    ];
    run(2, async {
        for (name, make, error, cause) in rows {
            let ctx = make();
            assert_eq!(ctx.err(), error, "{name}");
            let text = ctx.cause().map(|cause| cause.to_string());
            assert_eq!(text.as_deref(), cause, "{name}");
        }
    });
}

/// `TestCauseRace`.
#[test]
pub(crate) fn a_cause_that_is_seen_is_complete() {
    let _watchdog = watchdog();
    for _ in 0..200 {
        let (ctx, cancel) = background().with_cancel();
        thread::scope(|scope| {
            scope.spawn(move || cancel.cancel_with_cause("because"));
            let cause = loop {
                match ctx.cause() {
                    Some(cause) => break cause,
                    None => thread::yield_now(),
                }
            };
            assert_eq!(cause.to_string(), "because");
        });
    }
}

/// `TestWithoutCancel`.
#[test]
pub(crate) fn without_cancellation_there_is_no_deadline_and_the_values_are_there() {
    let (ctx, _guard) = background().with_value("value").with_timeout(Duration::ZERO);
    let ctx = ctx.without_cancel();
    assert_eq!((ctx.deadline(), ctx.err()), (None, None));
    assert!(waits(&ctx));
    assert_eq!(ctx.value(), Some(&"value"));
}

/// `TestAfterFuncCalledAfterCancel`, `TestAfterFuncCalledAfterTimeout`,
/// `TestAfterFuncCalledImmediately`.
#[test]
pub(crate) fn a_function_is_called_after_the_end_and_not_before() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            let (ctx, cancel) = background().with_cancel();
            let (tx, called) = channel(1);
            let after = ctx.after_func(move || tx.try_send(()).unwrap());
            for _ in 0..20 {
                yield_now().await;
            }
            assert!(called.is_empty());
            cancel.cancel();
            called.recv().await.unwrap();
            assert!(!after.stop());

            let (ctx, _guard) = background().with_timeout(SHORT);
            let (tx, called) = channel(1);
            ctx.after_func(move || tx.try_send(()).unwrap());
            called.recv().await.unwrap();
            assert!(ctx.is_done());

            let (tx, called) = channel(1);
            ctx.after_func(move || tx.try_send(()).unwrap());
            called.recv().await.unwrap();
        });
    }
}

/// `TestAfterFuncNotCalledAfterStop`.
#[test]
pub(crate) fn a_function_that_was_stopped_is_not_called() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            let (ctx, cancel) = background().with_cancel();
            let (tx, called) = channel::<()>(1);
            let after = ctx.after_func(move || tx.try_send(()).unwrap());
            assert!(after.stop());
            cancel.cancel();
            // Its sender goes with it.
            assert_eq!(called.recv().await, None);
            assert!(!after.stop());
        });
    }
}

/// `TestAfterFuncCalledAsynchronously`.
#[test]
pub(crate) fn a_cancellation_does_not_wait_for_the_functions_it_sets_off() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            let (ctx, cancel) = background().with_cancel();
            let (tx, rx) = channel(0);
            ctx.after_func(move || tx.send_blocking(7).unwrap());
            cancel.cancel();
            assert_eq!(rx.recv().await, Some(7));
        });
    }
}

/// `TestContextErrDoneRace`.
#[test]
pub(crate) fn a_context_that_says_why_it_is_done_is_ready() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            for _ in 0..100 {
                let (ctx, cancel) = background().with_cancel();
                let wakes = Arc::<Wakes>::default();
                let mut done = ctx.done();
                assert!(poll(&mut done, &wakes).is_pending());
                let cancels = spawn(async move { cancel.cancel() });
                while ctx.err().is_none() {
                    yield_now().await;
                }
                assert!(poll(&mut done, &wakes).is_ready());
                cancels.await.unwrap();
            }
        });
    }
}
