//! Trees of a hundred thousand contexts.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Instant;

use gorun::context::{CancelGuard, Context};
use gorun::{WaitGroup, spawn, yield_now};

use super::{background, children};
use crate::common::*;

const MANY: usize = 100_000;

/// Each is the child of the one before.
fn chain(length: usize) -> Vec<(Context, CancelGuard)> {
    let mut chain: Vec<(Context, CancelGuard)> = vec![background().with_cancel()];
    for n in 1..length {
        let next = chain[n - 1].0.with_cancel();
        chain.push(next);
    }
    chain
}

#[test]
pub(crate) fn a_wide_tree_is_cancelled_as_a_whole() {
    let (root, cancel) = background().with_cancel();
    let family = children(&root, MANY);
    let start = Instant::now();
    cancel.cancel();
    println!("{MANY} children: {:?}", start.elapsed());
    assert!(family.iter().all(|(ctx, _)| ctx.is_done()));
}

/// On a stack of a test's size.
#[test]
pub(crate) fn a_deep_tree_is_cancelled_from_above_without_a_deep_stack() {
    let chain = chain(MANY);
    let start = Instant::now();
    chain[0].1.cancel();
    println!("{MANY} descendants: {:?}", start.elapsed());
    assert!(chain.iter().all(|(ctx, _)| ctx.is_done()));
}

#[test]
pub(crate) fn a_deep_tree_is_dropped_without_a_deep_stack() {
    // Only the last one is left, and holds all others.
    let mut chain = chain(MANY);
    let last = chain.pop().unwrap();
    for (_, guard) in chain {
        guard.detach();
    }
    last.1.detach();
    assert!(!last.0.is_done());
    drop(last.0);
}

#[test]
pub(crate) fn a_deep_tree_of_done_contexts_is_dropped_without_a_deep_stack() {
    let mut chain = chain(MANY);
    let last = chain.pop().unwrap();
    chain[0].1.cancel();
    drop(chain);
    drop(last);
}

#[test]
pub(crate) fn a_long_list_of_values_is_dropped_without_a_deep_stack() {
    let drops = Drops::new(MANY);
    let mut ctx = background();
    for n in 0..MANY {
        ctx = ctx.with_value(drops.probe(n));
    }
    drop(ctx);
    drops.assert_each_once("values");
}

/// What others keep of a list stays.
#[test]
pub(crate) fn of_two_lists_that_share_values_the_other_one_keeps_them() {
    let drops = Drops::new(2);
    let shared = background().with_value(drops.probe(0));
    let other = shared.with_value(7);
    drop(shared.with_value(drops.probe(1)));
    drop(shared);
    assert_eq!(drops.dropped(), 1);
    assert!(other.value::<Probe>().is_some());
    drop(other);
    drops.assert_each_once("values");
}

/// Meanwhile other goroutines have their turns.
#[test]
pub(crate) fn a_hundred_thousand_goroutines_that_wait_for_a_tree_are_woken() {
    let _watchdog = watchdog();
    for workers in [1, 2, 16] {
        run(workers, async move {
            let (root, cancel) = background().with_cancel();
            let (group, woken) = (WaitGroup::new(), Arc::new(AtomicUsize::new(0)));
            for (ctx, guard) in children(&root, MANY) {
                guard.detach();
                let woken = woken.clone();
                group.go(async move {
                    ctx.done().await;
                    woken.fetch_add(1, SeqCst);
                });
            }
            let turns = Arc::new(AtomicUsize::new(0));
            let other = spawn({
                let (turns, root) = (turns.clone(), root.clone());
                async move {
                    while !root.is_done() {
                        turns.fetch_add(1, SeqCst);
                        yield_now().await;
                    }
                }
            });
            yield_until(|| turns.load(SeqCst) > 0).await;
            let took = spawn(async move {
                let start = Instant::now();
                cancel.cancel();
                start.elapsed()
            });
            println!("{workers} workers, {MANY} waiting goroutines: {:?}", took.await.unwrap());
            group.wait().await;
            assert_eq!(woken.load(SeqCst), MANY);
            other.await.unwrap();
        });
    }
}
