//! Who is cancelled by what.

use std::io;
use std::sync::Arc;
use std::task::Poll;
use std::thread;

use gorun::context::{Context, ContextError};
use gorun::{select, spawn};

use super::{WORKERS, Wakes, background, children, poll};
use crate::common::*;

#[test]
pub(crate) fn a_guard_that_is_dropped_cancels_and_one_that_is_detached_does_not() {
    let (ctx, cancel) = background().with_cancel();
    drop(cancel);
    assert_eq!(ctx.err(), Some(ContextError::Cancelled));

    let (parent, cancel_parent) = background().with_cancel();
    let (ctx, cancel) = parent.with_cancel();
    cancel.detach();
    assert_eq!(ctx.err(), None);
    cancel_parent.cancel();
    assert_eq!(ctx.err(), Some(ContextError::Cancelled));
}

#[test]
pub(crate) fn a_clone_is_the_same_context() {
    let (ctx, cancel) = background().with_cancel();
    let clone = ctx.clone();
    drop(ctx);
    assert!(!clone.is_done());
    cancel.cancel();
    assert!(clone.is_done());
}

/// A child is reached although nothing but a waiting goroutine, or a context with a value, is left of it.
#[test]
pub(crate) fn a_cancellation_passes_through_contexts_that_nobody_has_any_more() {
    let (root, cancel) = background().with_cancel();
    let (middle, guard) = root.with_cancel();
    guard.detach();
    let (leaf, guard) = middle.with_value(1).with_cancel();
    guard.detach();
    drop(middle);
    let leaf = leaf.with_value("value");
    cancel.cancel();
    assert!(leaf.is_done());
    assert_eq!(leaf.value(), Some(&1));
}

#[test]
pub(crate) fn a_sibling_and_a_parent_of_a_cancelled_context_go_on() {
    let (parent, cancel) = background().with_cancel();
    let family = children(&parent, 3);
    family[1].1.cancel();
    let done: Vec<_> = family.iter().map(|(ctx, _)| ctx.is_done()).collect();
    assert_eq!(done, [false, true, false]);
    assert!(!parent.is_done());
    // Those who came after it are still in the list.
    cancel.cancel();
    assert!(family.iter().all(|(ctx, _)| ctx.is_done()));
}

/// The places in the parent's list are used again. An ended child must not take a later one off.
#[test]
pub(crate) fn a_child_that_has_ended_does_not_take_another_one_off_the_list_when_it_is_dropped() {
    let (parent, cancel) = background().with_cancel();
    let (old, cancel_old) = parent.with_cancel();
    cancel_old.cancel();
    let (new, _guard) = parent.with_cancel();
    drop((old, cancel_old));
    cancel.cancel();
    assert!(new.is_done());
}

#[test]
pub(crate) fn the_first_reason_stays() {
    let (ctx, cancel) = background().with_cancel();
    cancel.cancel_with_cause("first");
    cancel.cancel_with_cause("second");
    cancel.cancel();
    drop(cancel);
    assert_eq!(ctx.cause().unwrap().to_string(), "first");
}

#[test]
pub(crate) fn a_cause_keeps_its_type() {
    let (ctx, cancel) = background().with_cancel();
    let (child, _guard) = ctx.with_cancel();
    cancel.cancel_with_cause(io::Error::from(io::ErrorKind::StorageFull));
    let cause = child.cause().unwrap();
    assert_eq!(cause.downcast_ref::<io::Error>().unwrap().kind(), io::ErrorKind::StorageFull);
    let boxed: Box<dyn std::error::Error + Send + Sync> = cause.into();
    assert!(!boxed.to_string().is_empty());
}

#[test]
pub(crate) fn a_wait_is_woken_once_and_leaves_nothing_when_it_is_dropped() {
    let (ctx, cancel) = background().with_cancel();
    let [kept, gone]: [Arc<Wakes>; 2] = Default::default();
    let mut waits = ctx.done();
    assert!(poll(&mut waits, &kept).is_pending());
    assert!(poll(&mut waits, &kept).is_pending());
    let mut dropped = ctx.done();
    assert!(poll(&mut dropped, &gone).is_pending());
    drop(dropped);
    assert_eq!(Arc::strong_count(&gone), 1, "the waker is kept");
    cancel.cancel();
    assert_eq!((kept.get(), gone.get()), (1, 0));
    assert_eq!(poll(&mut waits, &kept), Poll::Ready(ContextError::Cancelled));
    // And again.
    assert_eq!(poll(&mut waits, &kept), Poll::Ready(ContextError::Cancelled));
}

#[test]
pub(crate) fn a_wait_that_changes_its_waker_wakes_the_new_one() {
    let (ctx, cancel) = background().with_cancel();
    let [old, new]: [Arc<Wakes>; 2] = Default::default();
    let mut waits = ctx.done();
    assert!(poll(&mut waits, &old).is_pending());
    assert!(poll(&mut waits, &new).is_pending());
    cancel.cancel();
    assert_eq!((old.get(), new.get()), (0, 1));
}

#[test]
pub(crate) fn a_background_context_is_never_done_and_keeps_no_waker() {
    let wakes = Arc::<Wakes>::default();
    let ctx = background();
    let mut waits = ctx.done();
    assert!(poll(&mut waits, &wakes).is_pending());
    assert_eq!(Arc::strong_count(&wakes), 1);
    assert_eq!((ctx.err(), ctx.deadline()), (None, None));
    assert!(ctx.cause().is_none());
}

#[test]
pub(crate) fn a_context_that_was_made_from_a_done_one_is_done_for_the_same_reason() {
    let (parent, cancel) = background().with_cancel();
    cancel.cancel_with_cause("why");
    let (child, _guard) = parent.with_cancel();
    let (grandchild, _guard) = child.with_value(1).with_cancel();
    assert_eq!(grandchild.cause().unwrap().to_string(), "why");
    assert!(!parent.without_cancel().is_done());
}

#[test]
pub(crate) fn the_latest_value_of_a_type_is_found_and_other_contexts_do_not_see_it() {
    let old = background().with_value(1_u32).with_value("text");
    let new = old.with_value(2_u32);
    assert_eq!((old.value(), new.value()), (Some(&1_u32), Some(&2_u32)));
    assert_eq!(new.value(), Some(&"text"));
    assert_eq!(new.value::<u64>(), None);
    assert_eq!(background().value::<u32>(), None);
}

/// Each goroutine waits in a `select!` for a context of its own, or for that of all.
#[test]
pub(crate) fn goroutines_that_wait_for_contexts_at_all_levels_are_all_woken() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            let (root, cancel) = background().with_cancel();
            let mut handles = Vec::new();
            for n in 0..300 {
                let (ctx, guard) = root.with_cancel();
                let root = root.clone();
                handles.push(spawn(async move {
                    let _guard = guard;
                    let never = background();
                    select! {
                        why = ctx.done(), if n % 2 == 0 => why,
                        why = root.done(), if n % 2 == 1 => why,
                        why = never.done() => why,
                    }
                }));
            }
            gorun::yield_now().await;
            cancel.cancel();
            for handle in handles {
                assert_eq!(handle.await.unwrap(), ContextError::Cancelled);
            }
        });
    }
}

/// When `cancel` returns, all contexts below are done, also if another thread had begun to cancel them:
/// from the same place, from above, or from below.
#[test]
pub(crate) fn a_cancel_that_comes_second_returns_when_the_whole_tree_is_done() {
    let _watchdog = watchdog();
    for round in 0..150 {
        let (root, cancel) = background().with_cancel();
        let (middle, cancel_middle) = root.with_cancel();
        let family = children(&middle, 1000);
        let all_done = || family.iter().all(|(ctx, _)| ctx.is_done());
        let [(first, begun), (second, _)] = match round % 3 {
            0 => [(&cancel, &root), (&cancel, &root)],
            1 => [(&cancel, &middle), (&cancel_middle, &middle)],
            _ => [(&cancel_middle, &middle), (&cancel, &root)],
        };
        thread::scope(|scope| {
            scope.spawn(|| first.cancel());
            // It has begun, and still has the family before it.
            while !begun.is_done() {
                std::hint::spin_loop();
            }
            second.cancel();
            assert!(all_done(), "round {round}");
        });
    }
}

/// A child that is made while its parent is being cancelled is done.
#[test]
pub(crate) fn a_child_made_during_a_cancel_is_not_forgotten() {
    let _watchdog = watchdog();
    for _ in 0..100 {
        let (root, cancel) = background().with_cancel();
        let made: Vec<Context> = thread::scope(|scope| {
            let maker = scope.spawn(|| {
                let mut made = Vec::new();
                while !root.is_done() {
                    let (ctx, guard) = root.with_cancel();
                    guard.detach();
                    made.push(ctx);
                }
                made
            });
            thread::yield_now();
            cancel.cancel();
            maker.join().unwrap()
        });
        assert!(made.iter().all(Context::is_done));
    }
}

/// Contexts are made, dropped, cancelled and awaited on several threads. In the end each is done whose
/// ancestor was cancelled, and nobody else.
#[test]
pub(crate) fn in_random_trees_those_below_a_cancelled_one_are_done_and_no_others() {
    let _watchdog = watchdog();
    let stress = Stress::begin(std::time::Duration::from_millis(500));
    let mut seed = stress.first_seed;
    while !stress.is_over() {
        with_seed(seed, |seed| run(2, random_tree(seed)));
        seed += 1;
    }
}

async fn random_tree(seed: u64) {
    const COUNT: usize = 60;
    let mut random = Random(seed);
    let (root, root_guard) = background().with_cancel();
    let mut nodes = vec![(root, Some(root_guard), 0)];
    for n in 1..COUNT {
        let parent = random.below(n as u64) as usize;
        let (ctx, guard) = nodes[parent].0.with_cancel();
        nodes.push((ctx, Some(guard), parent));
    }
    let mut is_cancelled = [false; COUNT];
    let mut cancels = Vec::new();
    let mut waits = Vec::new();
    for n in 0..COUNT {
        let ctx = nodes[n].0.clone();
        if random.below(3) == 0 {
            let (child, guard) = ctx.with_cancel();
            guard.detach();
            waits.push((n, spawn(async move { child.done().await })));
        }
        let guard = nodes[n].1.take().unwrap();
        if n > 0 && random.below(8) == 0 {
            is_cancelled[n] = true;
            cancels.push(spawn(async move { guard.cancel() }));
        } else {
            guard.detach();
        }
    }
    for cancel in cancels {
        cancel.await.unwrap();
    }
    for n in 1..COUNT {
        is_cancelled[n] |= is_cancelled[nodes[n].2];
    }
    for (n, node) in nodes.iter().enumerate() {
        assert_eq!(node.0.is_done(), is_cancelled[n], "context {n}");
    }
    for (n, handle) in waits {
        match is_cancelled[n] {
            true => assert_eq!(handle.await.unwrap(), ContextError::Cancelled),
            false => assert!(!handle.is_finished()),
        }
    }
}
