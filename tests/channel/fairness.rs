//! Goroutines whose operations are always ready give way to others.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::task::{Context, Poll, Waker};

use futures::FutureExt;
use gorun::{channel, spawn};
use tokio_test::task;

use crate::common::*;

#[test]
pub(crate) fn a_goroutine_that_could_receive_for_ever_gives_way() {
    let _watchdog = watchdog();
    run_without_spares(1, async {
        let (tx, rx) = channel(usize::MAX);
        tx.try_send(()).unwrap();
        let reached = flag();
        let circle = spawn({
            let reached = reached.clone();
            async move {
                while !reached.load(SeqCst) {
                    rx.recv().await.unwrap();
                    tx.send(()).await.unwrap();
                }
            }
        });
        let other = spawn(async move { reached.store(true, SeqCst) });
        circle.await.unwrap();
        other.await.unwrap();
    });
}

#[test]
pub(crate) fn two_that_only_feed_each_other_do_not_keep_a_third_from_running() {
    let _watchdog = watchdog();
    run_without_spares(1, async {
        let (tx, rx) = channel(64);
        let reached = flag();
        let stop = reached.clone();
        let producer = spawn(async move {
            while !stop.load(SeqCst) {
                tx.send(()).await.unwrap();
            }
        });
        let consumer = spawn(async move { while rx.recv().await.is_some() {} });
        spawn(async move { reached.store(true, SeqCst) }).await.unwrap();
        producer.await.unwrap();
        consumer.await.unwrap();
    });
}

#[test]
pub(crate) fn operations_that_do_not_wait_are_not_counted() {
    let _watchdog = watchdog();
    run(1, async {
        spawn(async {
            let (tx, rx) = channel(1);
            for n in 0..10_000 {
                tx.try_send(n).unwrap();
                assert_eq!(rx.try_recv(), Ok(n));
            }
        })
        .await
        .unwrap();
    });
}

#[test]
pub(crate) fn code_that_is_no_goroutines_is_not_counted() {
    let (tx, rx) = channel(1);
    let check = || {
        for n in 0..1000 {
            assert_eq!(tx.send(n).now_or_never(), Some(Ok(())));
            assert_eq!(rx.recv().now_or_never(), Some(Some(n)));
        }
    };
    check();
    run(1, async { check() });
}

/// An executor inside a goroutine polls again at once, in the same poll of the goroutine.
#[test]
pub(crate) fn an_executor_inside_a_goroutine_goes_on() {
    let _watchdog = watchdog();
    run(1, async {
        spawn(async {
            let (tx, rx) = channel(1);
            futures::executor::block_on(async {
                for n in 0..1000 {
                    tx.send(n).await.unwrap();
                    assert_eq!(rx.recv().await, Some(n));
                }
            });
        })
        .await
        .unwrap();
    });
}

#[test]
pub(crate) fn giving_way_is_one_poll_that_wakes_its_own_waker() {
    let _watchdog = watchdog();
    let polls = Arc::new(AtomicUsize::new(0));
    run(1, async {
        let polls = polls.clone();
        spawn(async move {
            let (tx, rx) = channel(1);
            let mut longest = 0;
            let mut in_a_row = 0;
            for n in 0..4000 {
                assert!(tx.try_send(n).is_ok());
                let mut recv = task::spawn(rx.recv());
                loop {
                    polls.fetch_add(1, SeqCst);
                    match recv.poll() {
                        Poll::Ready(value) => {
                            assert_eq!(value, Some(n));
                            in_a_row += 1;
                            longest = longest.max(in_a_row);
                            break;
                        }
                        Poll::Pending => {
                            assert!(recv.is_woken());
                            in_a_row = 0;
                        }
                    }
                }
            }
            assert!((128..=1024).contains(&longest), "{longest}");
        })
        .await
        .unwrap();
    });
    // The receives are polled with a waker of their own, in one poll of the goroutine: when its budget is
    // spent, each gives way once.
    assert!((6976..=8000).contains(&polls.load(SeqCst)), "{polls:?}");
}

#[test]
pub(crate) fn a_first_receive_of_a_goroutine_is_never_put_off() {
    let _watchdog = watchdog();
    run(1, async {
        let (tx, rx) = channel(1);
        tx.try_send(1).unwrap();
        spawn(async move {
            let mut recv = pin!(rx.recv());
            let polled = recv.as_mut().poll(&mut Context::from_waker(Waker::noop()));
            assert_eq!(polled, Poll::Ready(Some(1)));
        })
        .await
        .unwrap();
    });
}
