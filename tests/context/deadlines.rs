//! Deadlines, and what keeps the time.

use std::sync::Arc;
use std::time::Duration;

use gorun::context::{Context, ContextError};
use gorun::time::{now, sleep};
use gorun::{num_goroutines, spawn};

use super::{WORKERS, Wakes, background, poll};
use crate::common::*;

const MILLI: Duration = Duration::from_millis(1);

#[test]
pub(crate) fn a_deadline_is_not_early_and_reaches_all_below() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            let deadline = now() + 5 * MILLI;
            let (ctx, _guard) = background().with_deadline(deadline);
            let (child, _guard) = ctx.with_cancel();
            let waits = spawn(async move { (child.done().await, now()) });
            let (why, at) = waits.await.unwrap();
            assert_eq!(why, ContextError::DeadlineExceeded);
            assert!(at >= deadline);
            assert!(ctx.is_done());
        });
    }
}

#[test]
pub(crate) fn the_earlier_deadline_counts_and_a_later_one_has_no_goroutine() {
    let _watchdog = watchdog();
    run(2, async {
        let (ctx, _guard) = background().with_timeout(HOUR);
        assert_eq!(num_goroutines(), 2);
        let (later, _guard) = ctx.with_timeout(2 * HOUR);
        assert_eq!(later.deadline(), ctx.deadline());
        let (same, _guard) = later.with_cancel();
        assert_eq!(same.deadline(), ctx.deadline());
        assert_eq!(num_goroutines(), 2);
        let (sooner, _guard) = same.with_timeout(MILLI);
        assert!(sooner.deadline() < ctx.deadline());
        assert_eq!(sooner.done().await, ContextError::DeadlineExceeded);
        assert!(!ctx.is_done());
        assert_eq!(sooner.without_cancel().deadline(), None);
    });
}

#[test]
pub(crate) fn a_deadline_beyond_the_clock_never_comes_and_needs_no_runtime() {
    let (ctx, _guard) = background().with_timeout(Duration::MAX);
    assert_eq!((ctx.deadline(), ctx.err()), (None, None));
}

#[test]
pub(crate) fn a_deadline_that_has_passed_needs_no_runtime() {
    let (ctx, _guard) = background().with_timeout(Duration::ZERO);
    assert_eq!(ctx.err(), Some(ContextError::DeadlineExceeded));
    let (ctx, _guard) = ctx.with_timeout(HOUR);
    assert_eq!(ctx.err(), Some(ContextError::DeadlineExceeded));
}

#[test]
pub(crate) fn a_deadline_outside_a_runtime_panics_at_the_callers_line_and_says_what_to_do() {
    let line = line!() + 1;
    let seen = panic_of(|| background().with_timeout(HOUR));
    assert_eq!((&*seen.file, seen.line), (file!(), line));
    assert!(seen.message.contains("no gorun runtime"), "{}", seen.message);
}

/// However it ends, the goroutine that waits for the deadline goes.
#[test]
pub(crate) fn nobody_waits_for_the_deadline_of_a_context_that_is_done_or_gone() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            let (parent, cancel_parent) = background().with_cancel();
            let start = || parent.with_timeout(HOUR);
            let (_ctx, guard) = start();
            guard.cancel();
            yield_until(|| num_goroutines() == 1).await;

            let (ctx, guard) = start();
            guard.detach();
            drop(ctx);
            yield_until(|| num_goroutines() == 1).await;

            let (_ctx, guard) = start();
            guard.detach();
            cancel_parent.cancel();
            yield_until(|| num_goroutines() == 1).await;
            // It is done already.
            let (_ctx, _guard) = start();
            assert_eq!(num_goroutines(), 1);
        });
    }
}

/// In each round the deadline and the cancellation meet at about the same time.
#[test]
pub(crate) fn a_deadline_and_a_cancellation_at_once_leave_one_reason_and_no_goroutine() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            for n in 0..300 {
                let (ctx, guard) = background().with_timeout(Duration::from_micros(n));
                let child = ctx.clone();
                let other = spawn(async move { child.done().await });
                sleep(Duration::from_micros(n)).await;
                guard.cancel();
                let why = ctx.err().unwrap();
                assert_eq!(other.await.unwrap(), why);
                assert_eq!(ctx.err(), Some(why));
            }
            yield_until(|| num_goroutines() == 1).await;
        });
    }
}

/// Whoever waits elsewhere would wait for ever.
#[test]
pub(crate) fn a_deadline_whose_runtime_has_ended_cancels_the_context() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        let (ctx, guard) = run(workers, async { background().with_timeout(HOUR) });
        assert_eq!(ctx.err(), Some(ContextError::Cancelled), "{workers} workers");
        drop(guard);
        // One that waits on a thread outside, since before the end.
        let (tx, rx) = std::sync::mpsc::channel();
        let outside = std::thread::spawn(move || {
            let ctx: Context = rx.recv().unwrap();
            futures::executor::block_on(ctx.done())
        });
        run(workers, async move {
            let (ctx, guard) = background().with_timeout(HOUR);
            guard.detach();
            tx.send(ctx).unwrap();
        });
        assert_eq!(outside.join().unwrap(), ContextError::Cancelled);
    }
}

/// The runtime of the goroutine that waits is that of the one who has made the context.
#[test]
pub(crate) fn a_deadline_wakes_who_waits_on_a_thread_outside() {
    let _watchdog = watchdog();
    run(2, async {
        let (ctx, _guard) = background().with_timeout(2 * MILLI);
        let outside = std::thread::spawn(move || futures::executor::block_on(ctx.done()));
        let why = gorun::blocking(|| outside.join().unwrap());
        assert_eq!(why, ContextError::DeadlineExceeded);
    });
}

#[test]
pub(crate) fn a_deadline_passes_while_main_blocks_its_thread() {
    let _watchdog = watchdog();
    run(1, async {
        let (ctx, _guard) = background().with_timeout(MILLI);
        wait_until(|| ctx.is_done());
    });
}

#[test]
pub(crate) fn the_cause_of_a_deadline_is_not_that_of_a_cancellation() {
    let _watchdog = watchdog();
    run(2, async {
        let (ctx, guard) = background().with_timeout_cause(HOUR, "too slow");
        guard.cancel();
        assert_eq!(ctx.cause().unwrap().to_string(), "the context was cancelled");
        let (ctx, _guard) = background().with_deadline_cause(now() + MILLI, "too slow");
        ctx.done().await;
        assert_eq!(ctx.cause().unwrap().to_string(), "too slow");
    });
    let (ctx, guard) = run(2, async { background().with_timeout_cause(HOUR, "too slow") });
    assert_eq!(ctx.cause().unwrap().to_string(), "the context was cancelled", "by the end");
    drop(guard);
}

#[test]
pub(crate) fn a_wait_of_a_context_with_a_deadline_does_not_keep_it_for_ever() {
    let _watchdog = watchdog();
    run(2, async {
        let wakes = Arc::<Wakes>::default();
        let (ctx, guard) = background().with_timeout(HOUR);
        guard.detach();
        let mut waits = ctx.done();
        assert!(poll(&mut waits, &wakes).is_pending());
        drop(waits);
        drop(ctx);
        assert_eq!(Arc::strong_count(&wakes), 1);
        yield_until(|| num_goroutines() == 1).await;
    });
}
