//! What Go's own tests of channels ask (`runtime/chan_test.go`, `test/chan`), asked here.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::task::{Context, Poll, Waker};

use gorun::{Receiver, TryRecvError, channel, go, spawn, yield_now};

use crate::WORKERS;
use crate::common::*;

/// Lets others run for a while.
async fn pause() {
    for _ in 0..20 {
        yield_now().await;
    }
}

/// `TestChan`, the parts about waiting.
#[test]
pub(crate) fn receives_from_an_empty_channel_and_sends_to_a_full_one_wait() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            for capacity in 0..10 {
                let (tx, rx) = channel(capacity);
                let received = Arc::new(AtomicUsize::new(0));
                for _ in 0..2 {
                    let (rx, received) = (rx.clone(), received.clone());
                    go!(async move {
                        rx.recv().await;
                        received.fetch_add(1, SeqCst);
                    });
                }
                pause().await;
                assert_eq!(received.load(SeqCst), 0);
                assert_eq!(rx.try_recv(), Err(TryRecvError::Empty));
                tx.send(0).await.unwrap();
                tx.send(0).await.unwrap();
                yield_until(|| received.load(SeqCst) == 2).await;

                for n in 0..capacity {
                    tx.send(n).await.unwrap();
                }
                let sent = flag();
                go!({
                    let (tx, sent) = (tx.clone(), sent.clone());
                    async move {
                        tx.send(0).await.unwrap();
                        sent.store(true, SeqCst);
                    }
                });
                pause().await;
                assert!(!sent.load(SeqCst));
                assert!(tx.try_send(0).is_err());
                assert!(rx.recv().await.is_some());
                yield_until(|| sent.load(SeqCst)).await;
            }
        });
    }
}

/// `TestChan`, the parts about closing, and about `len` and `cap`.
#[test]
pub(crate) fn a_closed_channel_gives_what_is_in_it_and_then_nothing() {
    let _watchdog = watchdog();
    run(2, async {
        for capacity in 0..20 {
            let (tx, rx) = channel(capacity);
            assert_eq!((tx.len(), tx.capacity()), (0, capacity));
            for n in 0..capacity {
                tx.send(n).await.unwrap();
            }
            assert_eq!((rx.len(), rx.capacity()), (capacity, capacity));
            tx.close();
            for n in 0..capacity {
                assert_eq!(rx.recv().await, Some(n));
            }
            assert_eq!(rx.recv().await, None);
            assert_eq!(rx.recv().await, None);

            let (tx, rx) = channel::<u32>(capacity);
            let waits = spawn(async move { rx.recv().await });
            pause().await;
            tx.close();
            assert_eq!(waits.await.unwrap(), None);
        }
    });
}

/// `TestChan`, the part about first in, first out.
#[test]
pub(crate) fn a_hundred_numbers_arrive_in_order() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            for capacity in 0..20 {
                let (tx, rx) = channel(capacity);
                go!(async move {
                    for n in 0..100 {
                        tx.send(n).await.unwrap();
                    }
                });
                for n in 0..100 {
                    assert_eq!(rx.recv().await, Some(n));
                }
            }
        });
    }
}

/// `TestNonblockRecvRace`: closing does not hide what is in the buffer.
#[test]
pub(crate) fn a_receive_that_does_not_wait_finds_what_is_there_while_another_closes() {
    let _watchdog = watchdog();
    run(2, async {
        for _ in 0..2000 {
            let (tx, rx) = channel(1);
            tx.send(1).await.unwrap();
            let other = spawn({
                let rx = rx.clone();
                async move { rx.try_recv() }
            });
            tx.close();
            let mine = rx.recv().await;
            match other.await.unwrap() {
                Ok(1) => assert_eq!(mine, None),
                other => assert_eq!((other, mine), (Err(TryRecvError::Closed), Some(1))),
            }
        }
    });
}

/// `TestMultiConsumer`.
#[test]
pub(crate) fn numbers_go_through_many_hands_and_none_is_lost() {
    let _watchdog = watchdog();
    const PRIMES: [usize; 7] = [2, 3, 7, 11, 13, 17, 23];
    for workers in WORKERS {
        let (count, sum) = run(workers, async {
            let (to, tasks) = channel(8);
            let (out, results) = channel(3);
            for _ in 0..23 {
                let (tasks, out) = (tasks.clone(), out.clone());
                go!(async move {
                    while let Some(n) = tasks.recv().await {
                        if n % 3 == 0 {
                            yield_now().await;
                        }
                        out.send(n).await.unwrap();
                    }
                });
            }
            drop(out);
            go!(async move {
                for n in 0..5000 {
                    to.send(PRIMES[n % 7]).await.unwrap();
                }
            });
            let (mut count, mut sum) = (0, 0);
            while let Some(n) = results.recv().await {
                count += 1;
                sum += n;
            }
            (count, sum)
        });
        assert_eq!((count, sum), (5000, (0..5000).map(|n| PRIMES[n % 7]).sum::<usize>()));
    }
}

/// `test/chan/goroutines.go`: a chain of ten thousand.
#[test]
pub(crate) fn a_value_passes_through_ten_thousand_goroutines() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            let (first, mut left) = channel(0);
            for _ in 0..10_000 {
                let (to, next) = channel(0);
                let from = std::mem::replace(&mut left, next);
                go!(async move { to.send(from.recv().await.unwrap() + 1).await.unwrap() });
            }
            go!(async move { first.send(0).await.unwrap() });
            assert_eq!(left.recv().await, Some(10_000));
        });
    }
}

/// `test/chan/fifo.go`: both its halves.
#[test]
pub(crate) fn a_chain_of_goroutines_hands_over_in_order() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        for capacity in [0, 10] {
            run(workers, async {
                let (tx, rx) = channel(capacity);
                let (first, mut turn) = channel(1);
                first.send(()).await.unwrap();
                for n in 0..10 {
                    let (pass, next) = channel(1);
                    let (turn, rx): (Receiver<()>, _) =
                        (std::mem::replace(&mut turn, next), rx.clone());
                    go!(async move {
                        turn.recv().await.unwrap();
                        assert_eq!(rx.recv().await, Some(n));
                        pass.send(()).await.unwrap();
                    });
                }
                for n in 0..10 {
                    tx.send(n).await.unwrap();
                }
                turn.recv().await.unwrap();
            });
        }
    }
}

/// `test/chan/nonblock.go`: operations that do not wait, on values of several sizes.
#[test]
pub(crate) fn operations_that_do_not_wait_meet_those_that_do() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        for capacity in [0, 1] {
            run(workers, async move {
                meet(capacity, 123_u8, 234).await;
                meet(capacity, 123_456_u64, 234_567).await;
                meet(capacity, false, true).await;
                meet(capacity, "there".to_owned(), "and back".to_owned()).await;
                meet(capacity, [1_u64; 100], [2; 100]).await;
            });
        }
    }
}

async fn meet<T>(capacity: usize, there: T, back: T)
where
    T: Clone + std::fmt::Debug + PartialEq + Send + 'static,
{
    let (tx, rx) = channel(capacity);
    assert_eq!(rx.try_recv(), Err(TryRecvError::Empty));
    let receives = spawn({
        let rx = rx.clone();
        async move { rx.recv().await }
    });
    // A rendezvous needs a receiver that waits already; a buffer does not.
    yield_until(|| tx.try_send(there.clone()).is_ok()).await;
    assert_eq!(receives.await.unwrap(), Some(there));

    let sends = spawn({
        let (tx, back) = (tx.clone(), back.clone());
        async move { tx.send(back).await }
    });
    yield_until(|| match rx.try_recv() {
        Ok(value) => {
            assert_eq!(value, back);
            true
        }
        Err(error) => {
            assert_eq!(error, TryRecvError::Empty);
            false
        }
    })
    .await;
    assert_eq!(sends.await.unwrap(), Ok(()));
    assert_eq!(rx.try_recv(), Err(TryRecvError::Empty));
}

/// `test/chan/sieve1.go`.
#[test]
pub(crate) fn a_chain_of_filters_finds_primes() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        let primes = run(workers, async {
            let (numbers, mut candidates) = channel(0);
            go!(async move {
                for n in 2.. {
                    if numbers.send(n).await.is_err() {
                        return;
                    }
                }
            });
            let mut primes = Vec::new();
            for _ in 0..25 {
                let prime: u32 = candidates.recv().await.unwrap();
                primes.push(prime);
                let (passed, next) = channel(0);
                let source = std::mem::replace(&mut candidates, next);
                go!(async move {
                    while let Some(n) = source.recv().await {
                        if n % prime != 0 && passed.send(n).await.is_err() {
                            return;
                        }
                    }
                });
            }
            primes
        });
        assert_eq!(primes.last(), Some(&97));
    }
}

/// `test/chan/zerosize.go`: channels of values without a size, of every capacity.
#[test]
pub(crate) fn channels_of_nothing_can_be_made_and_used() {
    let _watchdog = watchdog();
    run(2, async {
        for capacity in [0, 1, usize::MAX] {
            let (tx, rx) = channel(capacity);
            go!(async move { tx.send([0_u64; 0]).await.unwrap() });
            assert_eq!(rx.recv().await, Some([]));
            assert_eq!(rx.recv().await, None);
            let (tx, rx) = channel(capacity);
            go!(async move { tx.send(()).await.unwrap() });
            assert_eq!(rx.recv().await, Some(()));
        }
    });
}

/// `TestShrinkStackDuringBlockedSend`: there the stack of a goroutine that waits in a send moves. Here
/// what waits is a value, which its owner may move.
#[test]
pub(crate) fn a_send_or_receive_that_waits_may_be_moved_in_memory() {
    const N: usize = 1000;
    let cx = &mut Context::from_waker(Waker::noop());
    let (tx, rx) = channel(0);
    let mut options = vec![Some(0); N];
    // All are moved whenever the list grows.
    let mut sends = Vec::new();
    let mut sends_from = Vec::new();
    for (n, option) in options.iter_mut().enumerate() {
        *option = Some(2 * n + 1);
        sends.push(tx.send(2 * n));
        sends_from.push(tx.send_from(option));
        assert!(Pin::new(&mut sends[n]).poll(cx).is_pending());
        assert!(Pin::new(&mut sends_from[n]).poll(cx).is_pending());
    }
    sends.reverse();
    sends_from.reverse();
    (0..2 * N).for_each(|n| assert_eq!(rx.try_recv(), Ok(n)));
    for n in 0..N {
        assert_eq!(Pin::new(&mut sends[n]).poll(cx), Poll::Ready(Ok(())));
        assert_eq!(Pin::new(&mut sends_from[n]).poll(cx), Poll::Ready(Ok(())));
    }
    drop(sends_from);
    assert_eq!(options, [None; N]);

    let mut receives = Vec::new();
    for n in 0..N {
        receives.push(rx.recv());
        assert!(Pin::new(&mut receives[n]).poll(cx).is_pending());
    }
    receives.reverse();
    (0..N).for_each(|n| tx.try_send(n).unwrap());
    for (n, receive) in receives.iter_mut().rev().enumerate() {
        assert_eq!(Pin::new(receive).poll(cx), Poll::Ready(Some(n)));
    }
}
