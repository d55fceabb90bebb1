//! Sends and receives with a time limit, and receives of many values at once.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use futures::stream::{FuturesUnordered, StreamExt};
use gorun::time::sleep;
use gorun::{
    JoinSet, RecvTimeoutError, SendTimeoutError, Sender, block_on, channel, spawn, yield_now,
};

use crate::WORKERS;
use crate::common::*;

const MILLI: Duration = Duration::from_millis(1);

// Limits.

#[test]
pub(crate) fn a_limit_counts_from_the_call_and_not_from_the_first_poll() {
    let _watchdog = watchdog();
    block_on(async {
        let (tx, rx) = channel::<u32>(0);
        let (send, recv) = (tx.send_timeout(1, 2 * MILLI), rx.recv_timeout(2 * MILLI));
        std::thread::sleep(3 * MILLI);
        // The time has passed already.
        let (mut send, mut recv) = (pin!(send), pin!(recv));
        assert_eq!(futures::poll!(&mut send), Poll::Ready(Err(SendTimeoutError::Timeout(1))));
        assert_eq!(futures::poll!(&mut recv), Poll::Ready(Err(RecvTimeoutError::Timeout)));
    });
}

#[test]
pub(crate) fn what_can_be_done_at_once_is_done_within_no_time() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            let (tx, rx) = channel(1);
            assert_eq!(tx.send_timeout(1, Duration::ZERO).await, Ok(()));
            assert_eq!(tx.send_timeout(2, Duration::ZERO).await, Err(SendTimeoutError::Timeout(2)));
            assert_eq!(rx.recv_timeout(Duration::ZERO).await, Ok(1));
            assert_eq!(rx.recv_timeout(Duration::ZERO).await, Err(RecvTimeoutError::Timeout));
            assert_eq!(tx.send_timeout(3, Duration::MAX).await, Ok(()));
            assert_eq!(rx.recv_timeout(Duration::MAX).await, Ok(3));
        });
    }
}

#[test]
pub(crate) fn a_close_ends_them_before_their_time() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            for by_sender in [true, false] {
                let (tx, rx) = channel(0);
                let (sender, receiver) = (tx.clone(), rx.clone());
                // One of each cannot wait at the same channel.
                let (other_tx, other_rx) = channel::<u32>(0);
                let (far_tx, far_rx) = (other_tx.clone(), other_rx.clone());
                let sends = spawn(async move { sender.send_timeout(7, HOUR).await });
                let receives = spawn(async move { far_rx.recv_timeout(HOUR).await });
                yield_now().await;
                match by_sender {
                    true => (tx.close(), far_tx.close()),
                    false => (rx.close(), other_rx.close()),
                };
                assert_eq!(sends.await.unwrap(), Err(SendTimeoutError::Closed(7)));
                assert_eq!(receives.await.unwrap(), Err(RecvTimeoutError::Closed));
                drop(receiver);
            }
        });
    }
}

/// A value is large enough for a box.
type Large = [usize; 64];

/// Each value that was sent arrives, and none that was given back; and each that arrives was received.
async fn exact<T: Send + 'static>(capacity: usize, make: fn(usize) -> T, id: fn(&T) -> usize) {
    const EACH: usize = 150;
    const SENDERS: usize = 4;
    let (tx, rx) = channel::<T>(capacity);
    let arrived: Arc<Vec<AtomicUsize>> =
        Arc::new((0..SENDERS * EACH).map(|_| AtomicUsize::new(0)).collect());
    let micros = |n: usize| Duration::from_micros((n * 13 % 60) as u64);
    let mut senders = JoinSet::new();
    for who in 0..SENDERS {
        let tx = tx.clone();
        senders.spawn(async move {
            let mut sent = Vec::new();
            for n in who * EACH..(who + 1) * EACH {
                match tx.send_timeout(make(n), micros(n)).await {
                    Ok(()) => sent.push(n),
                    Err(SendTimeoutError::Timeout(value)) => assert_eq!(id(&value), n),
                    Err(SendTimeoutError::Closed(_)) => unreachable!("there are receivers"),
                }
            }
            sent
        });
    }
    drop(tx);
    let mut receivers = JoinSet::new();
    for who in 0..3 {
        let (rx, arrived) = (rx.clone(), arrived.clone());
        receivers.spawn(async move {
            for round in who.. {
                match rx.recv_timeout(micros(round * 5)).await {
                    Ok(value) => _ = arrived[id(&value)].fetch_add(1, SeqCst),
                    Err(RecvTimeoutError::Timeout) => yield_now().await,
                    Err(RecvTimeoutError::Closed) => break,
                }
            }
        });
    }
    let sent: Vec<usize> = senders.join_all().await.into_iter().flatten().collect();
    receivers.join_all().await;
    let count = |n: &AtomicUsize| n.load(SeqCst);
    assert!(sent.iter().all(|&n| count(&arrived[n]) == 1), "one that was sent is lost");
    assert_eq!(
        arrived.iter().map(count).sum::<usize>(),
        sent.len(),
        "one that was given back came"
    );
}

#[test]
pub(crate) fn a_limit_that_has_passed_says_that_nothing_has_happened() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            for capacity in [0, 1, 4] {
                exact::<usize>(capacity, |n| n, |&n| n).await;
                exact::<Large>(capacity, |n| [n; 64], |value| value[0]).await;
            }
        });
    }
}

#[test]
pub(crate) fn a_limit_is_exact_inside_a_combinator_with_its_own_wakers() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            let (tx, rx) = channel(0);
            let sends: FuturesUnordered<_> =
                (0..200).map(|n| tx.send_timeout(n, Duration::from_micros(n * 7 % 300))).collect();
            let receives = spawn(async move {
                let mut got = Vec::new();
                while let Ok(n) = rx.recv_timeout(20 * MILLI).await {
                    got.push(n);
                }
                // None comes late.
                (got, rx.try_recv().is_err())
            });
            let sent = sends.filter(|sent| std::future::ready(sent.is_ok())).count().await;
            let (got, is_empty) = receives.await.unwrap();
            assert!(is_empty);
            assert_eq!(got.len(), sent);
        });
    }
}

#[test]
pub(crate) fn a_send_or_receive_with_a_limit_that_is_dropped_leaves_the_line() {
    let _watchdog = watchdog();
    run(1, async {
        let drops = Drops::new(1);
        let (tx, rx) = channel(0);
        let mut send = Box::pin(tx.send_timeout(drops.probe(0), HOUR));
        assert!(futures::poll!(&mut send).is_pending());
        drop(send);
        drops.assert_each_once("a send");
        let mut recv = Box::pin(rx.recv_timeout(HOUR));
        assert!(futures::poll!(&mut recv).is_pending());
        drop(recv);
        assert!(tx.try_send(Drops::new(1).probe(0)).is_err(), "nobody receives");
    });
}

// Many at once.

#[test]
pub(crate) fn many_are_received_in_order_as_far_as_they_are_there_and_wanted() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            let (tx, rx) = channel(4);
            let mut values = vec![100];
            assert_eq!(rx.recv_many(&mut values, 0).await, 0);
            (0..4).for_each(|n| tx.try_send(n).unwrap());
            // Two more wait.
            let mut waiting = Vec::new();
            for n in 4..6 {
                let mut send = Box::pin(tx.send(n));
                assert!(futures::poll!(&mut send).is_pending());
                waiting.push(send);
            }
            assert_eq!(rx.recv_many(&mut values, 3).await, 3);
            assert_eq!(rx.recv_many(&mut values, usize::MAX).await, 3);
            assert_eq!(values, [100, 0, 1, 2, 3, 4, 5]);
            drop(waiting);
            let waits = spawn(async move {
                let mut values = Vec::new();
                assert_eq!(rx.recv_many(&mut values, 9).await, 1, "it waits for one alone");
                let more = rx.recv_many(&mut values, 9).await;
                (values, more)
            });
            sleep(MILLI).await;
            tx.try_send(7).unwrap();
            yield_until(|| tx.is_empty()).await;
            drop(tx);
            assert_eq!(waits.await.unwrap(), (vec![7], 0));
        });
    }
}

#[test]
pub(crate) fn many_are_received_from_senders_of_a_rendezvous() {
    let _watchdog = watchdog();
    run(1, async {
        let (tx, rx) = channel(0);
        let mut sends: Vec<_> = (0..5).map(|n| Box::pin(tx.send(n))).collect();
        for send in &mut sends {
            assert!(futures::poll!(send).is_pending());
        }
        let mut values = Vec::new();
        assert_eq!(rx.recv_many(&mut values, 100).await, 5);
        assert_eq!(values, [0, 1, 2, 3, 4]);
    });
}

#[test]
pub(crate) fn senders_that_never_rest_do_not_keep_one_who_receives_many_for_ever() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            let (tx, rx) = channel(4);
            let stop = flag();
            let threads: Vec<_> = (0..2)
                .map(|_| {
                    let (tx, stop) = (tx.clone(), stop.clone());
                    std::thread::spawn(move || {
                        while !stop.load(SeqCst) {
                            let _ = tx.try_send(0_u8);
                        }
                    })
                })
                .collect();
            for _ in 0..50 {
                let mut values = Vec::new();
                let count = rx.recv_many(&mut values, usize::MAX).await;
                // What the buffer holds, the first one, and one of each that waits.
                assert!((1..=32).contains(&count), "{count}");
            }
            stop.store(true, SeqCst);
            threads.into_iter().for_each(|thread| thread.join().unwrap());
        });
    }
}

/// Begins another send when its send is served.
struct Again {
    tx: Sender<u8>,
    left: AtomicUsize,
}

impl Again {
    fn begin(self: Arc<Self>) {
        let tx = self.tx.clone();
        let mut send = Box::pin(async move { tx.send(0).await });
        let waker = Waker::from(self);
        if send.as_mut().poll(&mut Context::from_waker(&waker)).is_pending() {
            // It stays in the line.
            std::mem::forget(send);
        }
    }
}

impl Wake for Again {
    fn wake(self: Arc<Self>) {
        if self.left.fetch_update(SeqCst, SeqCst, |left| left.checked_sub(1)).is_ok() {
            self.begin();
        }
    }
}

#[test]
pub(crate) fn a_sender_that_comes_back_at_each_receive_does_not_keep_one_who_receives_many() {
    let _watchdog = watchdog();
    block_on(async {
        let (tx, rx) = channel(1);
        tx.try_send(0).unwrap();
        let again = Arc::new(Again { tx, left: AtomicUsize::new(1000) });
        again.clone().begin();
        let count = rx.recv_many(&mut Vec::new(), usize::MAX).await;
        assert!((1..10).contains(&count), "{count}");
        assert!(again.left.load(SeqCst) > 900);
    });
}

#[test]
pub(crate) fn a_receive_of_many_that_is_dropped_takes_nothing() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            let (tx, rx) = channel(0);
            let mut values = Vec::new();
            {
                let mut many = pin!(rx.recv_many(&mut values, 4));
                assert!(futures::poll!(&mut many).is_pending());
                // It is given a value, and not asked for it.
                tx.try_send(1).unwrap();
            }
            assert!(values.is_empty());
            assert_eq!(rx.try_recv(), Ok(1));
        });
    }
}

#[test]
pub(crate) fn every_value_arrives_once_where_several_receive_many() {
    const COUNT: usize = 3000;
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            for capacity in [0, 1, 16] {
                let (tx, rx) = channel(capacity);
                let mut receivers = JoinSet::new();
                for who in 1..5 {
                    let rx = rx.clone();
                    receivers.spawn(async move {
                        let mut values = Vec::new();
                        while rx.recv_many(&mut values, who * 3).await > 0 {}
                        // Those of one receiver are in order, since one goroutine sends.
                        assert!(values.is_sorted());
                        values
                    });
                }
                drop(rx);
                for n in 0..COUNT {
                    tx.send(n).await.unwrap();
                }
                drop(tx);
                let mut all: Vec<_> = receivers.join_all().await.into_iter().flatten().collect();
                all.sort_unstable();
                assert!(all.into_iter().eq(0..COUNT));
            }
        });
    }
}

#[test]
pub(crate) fn a_receive_of_many_that_goes_on_is_polled_with_the_waker_of_its_owner() {
    let _watchdog = watchdog();
    run(2, async {
        let (tx, rx) = channel(1);
        let mut values = Vec::new();
        let mut many = Box::pin(rx.recv_many(&mut values, 2));
        std::future::poll_fn(|cx| {
            assert!(many.as_mut().poll(cx).is_pending());
            Poll::Ready(())
        })
        .await;
        spawn(async move { tx.send(1).await.unwrap() });
        assert_eq!(many.await, 1);
        assert_eq!(values, [1]);
    });
}
