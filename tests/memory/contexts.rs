//! What a context takes, and that it gives it back.

use std::pin::pin;
use std::sync::atomic::Ordering::SeqCst;
use std::task::{Context as Cx, Waker};
use std::time::Duration;

use gorun::context::Context;
use gorun::{num_goroutines, yield_now};

use crate::common::*;
use crate::{ALLOCATIONS, LIVE, ONE_AT_A_TIME};

/// Go's `TestCancelRemoves`, a million times. A byte for each would be found.
#[test]
fn a_million_children_of_one_parent_leave_nothing_in_it() {
    const N: isize = 1_000_000;
    let _one = ONE_AT_A_TIME.lock().unwrap_or_else(|error| error.into_inner());
    let _watchdog = watchdog();
    let (parent, _guard) = Context::background().with_cancel();
    let round = |n: isize| {
        let (child, guard) = parent.with_cancel();
        if n % 3 == 0 {
            guard.cancel();
        } else if n % 3 == 1 {
            guard.detach();
            assert!(pin!(child.done()).poll(&mut Cx::from_waker(Waker::noop())).is_pending());
        }
    };
    (0..100).for_each(round);
    let before = LIVE.load(SeqCst);
    (0..N).for_each(round);
    let more = LIVE.load(SeqCst) - before;
    assert!(more < 1000, "{more} bytes more");

    // Many at once: their places are given back with the last of them.
    let many: Vec<_> = (0..100_000).map(|_| parent.with_cancel()).collect();
    drop(many);
    let more = LIVE.load(SeqCst) - before;
    assert!(more < 1000, "{more} bytes more");
}

#[test]
fn a_hundred_thousand_deadlines_and_functions_that_are_called_off_leave_nothing() {
    const N: usize = 100_000;
    let _one = ONE_AT_A_TIME.lock().unwrap_or_else(|error| error.into_inner());
    let _watchdog = watchdog();

    async fn pass(parent: &Context, count: usize) {
        for n in 0..count {
            let (ctx, guard) = parent.with_timeout(HOUR);
            let after = ctx.after_func(|| unreachable!());
            assert!(after.stop());
            drop((ctx, guard));
            if n % 100 == 0 {
                yield_until(|| num_goroutines() < 100).await;
            }
        }
        yield_until(|| num_goroutines() == 1).await;
    }

    for workers in [1, 2, 16] {
        run(workers, async {
            let (parent, _guard) = Context::background().with_cancel();
            pass(&parent, 1000).await;
            let before = LIVE.load(SeqCst);
            pass(&parent, N).await;
            let more = LIVE.load(SeqCst) - before;
            assert!(more < N as isize, "{more} bytes more");
        });
    }
}

/// Go's `TestAllocs`, with Go's limits.
#[test]
fn contexts_take_no_more_allocations_than_gos() {
    const ROUNDS: usize = 100;
    let _one = ONE_AT_A_TIME.lock().unwrap_or_else(|error| error.into_inner());
    let _watchdog = watchdog();

    async fn count(name: &str, limit: usize, round: impl AsyncFn()) {
        round().await;
        let before = ALLOCATIONS.load(SeqCst);
        for _ in 0..ROUNDS {
            round().await;
        }
        let each = (ALLOCATIONS.load(SeqCst) - before) as f64 / ROUNDS as f64;
        println!("{name}: {each} allocations");
        assert!(each <= limit as f64 + 0.5, "{name}: {each} allocations");
    }

    run(1, async {
        let background = Context::background();
        count("background", 0, async || drop(Context::background())).await;
        count("with_value", 3, async || drop(background.with_value(7))).await;
        count("with_cancel", 5, async || {
            let (ctx, guard) = background.with_cancel();
            guard.cancel();
            ctx.done().await;
        })
        .await;
        count("with_timeout, which passes", 12, async || {
            let (ctx, _guard) = background.with_timeout(Duration::from_nanos(1));
            ctx.done().await;
        })
        .await;
        count("with_timeout, which is called off", 8, async || {
            let (ctx, guard) = background.with_timeout(Duration::from_millis(5));
            guard.cancel();
            ctx.done().await;
            yield_now().await;
        })
        .await;
    });
}
