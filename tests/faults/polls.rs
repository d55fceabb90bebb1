//! Futures of gorun's that are polled after they have completed: each answers, or says what is wrong
//! at once. None hangs, and none spoils what it belongs to.

use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use gorun::time::{interval, sleep, timeout};
use gorun::{JoinSet, WaitGroup, channel, spawn, yield_now};

use crate::common::*;
use crate::workload::bit_of_everything;
use crate::{MILLI, WORKERS};

/// Polls `future` to its end, and then three times more. Says what came of those: a value or the
/// message of a panic.
async fn polled_again<F: Future>(future: F) -> Vec<Result<Poll<F::Output>, String>> {
    quiet();
    let mut future = pin!(future);
    poll_fn(|cx| future.as_mut().poll(cx).map(drop)).await;
    let mut cx = Context::from_waker(Waker::noop());
    let mut again = || {
        let polled = catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(&mut cx)));
        polled.map_err(|payload| message(&*payload).unwrap_or("no text").to_owned())
    };
    vec![again(), again(), again()]
}

#[test]
fn what_is_ready_for_good_says_so_again() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            for again in polled_again(sleep(MILLI)).await {
                assert_eq!(again, Ok(Poll::Ready(())));
            }
            for again in polled_again(WaitGroup::new().wait()).await {
                assert_eq!(again, Ok(Poll::Ready(())));
            }
            let group = WaitGroup::new();
            group.go(sleep(MILLI));
            for again in polled_again(group.wait()).await {
                assert_eq!(again, Ok(Poll::Ready(())));
            }
            for again in polled_again(timeout(MILLI, std::future::pending::<()>())).await {
                assert!(again.unwrap().map(|result| result.is_err()).is_ready());
            }
            bit_of_everything().await;
        });
    }
}

/// A receive begins anew. What it then gets is received and not lost, or left to others if it goes.
#[test]
fn a_receive_polled_again_is_another_receive() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            let (tx, rx) = channel(1);
            tx.send(1).await.unwrap();
            for again in polled_again(rx.recv()).await {
                assert_eq!(again, Ok(Poll::Pending));
            }
            let mut recv = pin!(rx.recv());
            let mut cx = Context::from_waker(Waker::noop());
            for number in 2..5 {
                assert_eq!(recv.as_mut().poll(&mut cx), Poll::Pending);
                tx.try_send(number).unwrap();
                assert_eq!(recv.as_mut().poll(&mut cx), Poll::Ready(Some(number)));
            }
            drop(tx);
            for again in polled_again(rx.recv()).await {
                assert_eq!(again, Ok(Poll::Ready(None)));
            }
        });
    }
}

#[test]
fn what_has_given_its_value_away_says_that_it_was_polled_again() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            let says = |polled: Vec<Result<Poll<()>, String>>, what: &str| {
                for again in polled {
                    let text = again.expect_err(what);
                    assert!(text.contains(what), "{text:?} does not say {what:?}");
                }
            };
            fn forget<T>(polled: Vec<Result<Poll<T>, String>>) -> Vec<Result<Poll<()>, String>> {
                polled.into_iter().map(|again| again.map(|poll| poll.map(drop))).collect()
            }
            // One that is received at once, and one that waits for that.
            let (tx, rx) = channel(1);
            says(forget(polled_again(tx.send(1)).await), "send was polled after it had completed");
            let receives = spawn(async move {
                yield_now().await;
                (rx.recv().await, rx.recv().await, rx.recv().await)
            });
            says(forget(polled_again(tx.send(2)).await), "send was polled after it had completed");
            drop(tx);
            assert_eq!(receives.await.unwrap(), (Some(1), Some(2), None));
            let (tx, rx) = channel(0);
            drop(rx);
            says(forget(polled_again(tx.send(3)).await), "send was polled after it had completed");

            says(forget(polled_again(spawn(async { 4 })).await), "polled again");
            // Functions that are `async` say what any such function says.
            let mut interval = interval(MILLI);
            says(forget(polled_again(interval.tick()).await), "resumed after completion");
            interval.tick().await;
            let mut set = JoinSet::<i32>::new();
            says(forget(polled_again(set.join_next()).await), "resumed after completion");
            set.spawn(async { 5 });
            says(forget(polled_again(set.join_all()).await), "resumed after completion");
            let (tx, rx) = channel(1);
            tx.send(6).await.unwrap();
            let selects = async {
                gorun::select! {
                    value = rx.recv() => value,
                }
            };
            says(forget(polled_again(selects).await), "resumed after completion");
            bit_of_everything().await;
        });
    }
}

/// What it was given is polled again, and says what it says.
#[test]
fn a_timeout_polled_again_passes_it_on() {
    let _watchdog = watchdog();
    run(2, async {
        let limited = timeout(HOUR, async { 1 });
        for again in polled_again(limited).await {
            assert!(again.unwrap_err().contains("resumed after completion"));
        }
    });
}

/// It yields once in its life, however often it is polled.
#[test]
fn a_yield_polled_again_does_not_hang() {
    let _watchdog = watchdog();
    run(2, async {
        for again in polled_again(yield_now()).await {
            if let Err(text) = again {
                assert!(text.contains("after completion"), "{text}");
            }
        }
    });
}
