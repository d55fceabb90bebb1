//! `Context::run`: which of the two is first, and what becomes of the future.

use std::future::{Future, pending, poll_fn, ready};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::task::{Context as Cx, Poll};

use gorun::context::ContextError::{Cancelled, DeadlineExceeded};
use gorun::time::timeout;
use gorun::{channel, spawn, yield_now};

use super::{WORKERS, Wakes, background};
use crate::common::*;

/// Polls a pinned future once.
fn poll<F: Future>(future: Pin<&mut F>, wakes: &Arc<Wakes>) -> Poll<F::Output> {
    future.poll(&mut Cx::from_waker(&wakes.clone().into()))
}

#[test]
pub(crate) fn a_future_that_is_ready_gives_its_value() {
    run(1, async {
        assert_eq!(background().run(ready(1)).await, Ok(1));
        let (ctx, _guard) = background().with_cancel();
        assert_eq!(ctx.run(ready(1)).await, Ok(1));
        assert_eq!(
            ctx.run(async {
                yield_now().await;
                2
            })
            .await,
            Ok(2)
        );
    });
}

#[test]
pub(crate) fn a_future_in_a_done_context_is_not_polled() {
    let (ctx, guard) = background().with_cancel();
    guard.cancel();
    let wakes = Arc::default();
    let never_polled = poll_fn(|_| -> Poll<()> { unreachable!() });
    assert_eq!(poll(pin!(ctx.run(never_polled)), &wakes), Poll::Ready(Err(Cancelled)));
}

#[test]
pub(crate) fn a_cancellation_wakes_and_drops_the_future_before_it_is_reported() {
    let (ctx, guard) = background().with_cancel();
    let (wakes, drops) = (Arc::default(), Drops::new(1));
    let probe = drops.probe(0);
    let mut runs = pin!(ctx.run(async move {
        let _probe = probe;
        pending::<()>().await
    }));
    assert!(poll(runs.as_mut(), &wakes).is_pending());
    guard.cancel();
    assert_eq!(wakes.get(), 1);
    assert_eq!(drops.dropped(), 0);
    assert_eq!(poll(runs.as_mut(), &wakes), Poll::Ready(Err(Cancelled)));
    assert_eq!(drops.dropped(), 1);
}

#[test]
pub(crate) fn a_value_that_is_there_when_the_context_ends_is_not_lost() {
    let (ctx, guard) = background().with_cancel();
    let wakes = Arc::default();
    let (tx, rx) = channel(0);
    let mut runs = pin!(ctx.run(rx.recv()));
    assert!(poll(runs.as_mut(), &wakes).is_pending());
    // The receive is committed to it.
    tx.try_send(7).unwrap();
    guard.cancel();
    assert_eq!(poll(runs.as_mut(), &wakes), Poll::Ready(Ok(Some(7))));
}

#[test]
pub(crate) fn a_send_that_is_reported_as_cancelled_has_not_happened_and_one_that_has_is_reported() {
    let wakes = Arc::default();
    let (tx, rx) = channel(0);
    let (ctx, guard) = background().with_cancel();
    let mut happened = pin!(ctx.run(tx.send(1)));
    assert!(poll(happened.as_mut(), &wakes).is_pending());
    assert_eq!(rx.try_recv(), Ok(1));
    guard.cancel();
    assert_eq!(poll(happened.as_mut(), &wakes), Poll::Ready(Ok(Ok(()))));

    let (ctx, guard) = background().with_cancel();
    let mut late = pin!(ctx.run(tx.send(2)));
    assert!(poll(late.as_mut(), &wakes).is_pending());
    guard.cancel();
    assert_eq!(poll(late.as_mut(), &wakes), Poll::Ready(Err(Cancelled)));
    assert!(rx.try_recv().is_err());
}

/// A receive that comes between the last poll and the drop finds the send gone.
#[test]
pub(crate) fn a_send_leaves_its_queue_in_the_last_poll() {
    let wakes = Arc::default();
    let (tx, rx) = channel(0);
    let (ctx, guard) = background().with_cancel();
    let received = std::cell::Cell::new(None);
    let receives_late = poll_fn(|_| {
        if ctx.is_done() {
            received.set(rx.try_recv().ok());
        }
        Poll::<()>::Pending
    });
    let mut runs = pin!(ctx.run(futures::future::join(tx.send(7), receives_late)));
    assert!(poll(runs.as_mut(), &wakes).is_pending());
    guard.cancel();
    assert!(matches!(poll(runs.as_mut(), &wakes), Poll::Ready(Err(Cancelled))));
    assert_eq!(received.get(), None);
}

/// Sends and cancellations race; each send that is reported as done arrives, and no other.
#[test]
pub(crate) fn sends_and_cancellations_that_race_agree() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            let (tx, rx) = channel(0);
            let sum = Arc::new(AtomicUsize::new(0));
            let receiver = spawn({
                let sum = sum.clone();
                async move {
                    while let Some(n) = rx.recv().await {
                        sum.fetch_add(n, SeqCst);
                    }
                }
            });
            let mut sent = 0;
            for n in 0..2000 {
                let (ctx, guard) = background().with_cancel();
                let cancels = spawn(async move { guard.cancel() });
                if ctx.run(tx.send(n)).await.is_ok() {
                    sent += n;
                }
                cancels.await.unwrap();
            }
            drop(tx);
            receiver.await.unwrap();
            assert_eq!(sum.load(SeqCst), sent);
        });
    }
}

/// It never waits, so only its giving way lets the context end it.
#[test]
pub(crate) fn a_future_that_always_has_something_to_do_is_ended() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            let (ctx, guard) = background().with_timeout(std::time::Duration::from_millis(2));
            let (tx, rx) = channel(1);
            let busy = async {
                loop {
                    tx.send(()).await.unwrap();
                    rx.recv().await.unwrap();
                }
            };
            let _: () = match ctx.run(busy).await {
                Ok(never) => never,
                Err(why) => assert_eq!(why, DeadlineExceeded),
            };
            drop(guard);
        });
    }
}

#[test]
pub(crate) fn a_run_inside_a_timeout_and_a_timeout_inside_a_run_end_in_time() {
    let _watchdog = watchdog();
    run(2, async {
        let limit = std::time::Duration::from_millis(1);
        let (ctx, guard) = background().with_cancel();
        let (_tx, rx) = channel::<()>(0);
        assert!(timeout(limit, ctx.run(rx.recv())).await.is_err());
        assert!(ctx.run(timeout(limit, rx.recv())).await.unwrap().is_err());
        guard.cancel();
        assert_eq!(ctx.run(timeout(HOUR, rx.recv())).await, Err(Cancelled));
    });
}

#[test]
pub(crate) fn a_run_that_is_dropped_drops_its_future_and_its_waker() {
    let (ctx, guard) = background().with_cancel();
    let (wakes, drops) = (Arc::<Wakes>::default(), Drops::new(1));
    let probe = drops.probe(0);
    let mut runs = Box::pin(ctx.run(async move {
        let _probe = probe;
        pending::<()>().await
    }));
    assert!(poll(runs.as_mut(), &wakes).is_pending());
    drop(runs);
    assert_eq!(drops.dropped(), 1);
    assert_eq!(Arc::strong_count(&wakes), 1);
    guard.cancel();
    assert_eq!(wakes.get(), 0);
}

#[test]
pub(crate) fn a_panic_of_the_future_goes_to_who_polls() {
    quiet();
    let (ctx, _guard) = background().with_cancel();
    let wakes = Arc::default();
    let mut runs = pin!(ctx.run(async { panic!("boom") }));
    let payload = payload_of(std::panic::AssertUnwindSafe(|| {
        let _: Poll<Result<(), _>> = poll(runs.as_mut(), &wakes);
    }));
    assert_eq!(message(&*payload), Some("boom"));
}

#[test]
pub(crate) fn a_run_polled_after_it_was_ready_panics_at_the_callers_line() {
    let ctx = background();
    let mut runs = pin!(ctx.run(ready(1)));
    let mut cx = Cx::from_waker(std::task::Waker::noop());
    assert_eq!(runs.as_mut().poll(&mut cx), Poll::Ready(Ok(1)));
    let seen = panic_of(|| runs.as_mut().poll(&mut cx).is_ready()); // this line
    assert_eq!((&*seen.file, seen.line), (file!(), line!() - 1));
}
