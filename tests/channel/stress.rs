//! Many at once: no value is lost, none is received twice, none is dropped twice.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use gorun::{Receiver, Sender, channel, spawn, yield_now};

use crate::WORKERS;
use crate::common::*;

const CAPACITIES: [usize; 4] = [0, 1, 2, 64];

#[test]
pub(crate) fn every_value_arrives_once() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        for capacity in CAPACITIES {
            for (senders, receivers) in [(1, 1), (4, 1), (1, 4), (4, 4)] {
                run(workers, many_to_many(capacity, senders, receivers, 2000 / senders));
            }
        }
    }
}

async fn many_to_many(capacity: usize, senders: usize, receivers: usize, each: usize) {
    let (tx, rx) = channel(capacity);
    for sender in 0..senders {
        let tx = tx.clone();
        spawn(async move {
            for n in 0..each {
                tx.send((sender, n)).await.unwrap();
            }
        });
    }
    drop(tx);
    let receivers: Vec<_> = (0..receivers)
        .map(|_| {
            let rx = rx.clone();
            spawn(async move {
                // Each sender's values come in order, whoever else sends and receives.
                let mut last = vec![None; senders];
                let mut seen = Vec::new();
                while let Some((sender, n)) = rx.recv().await {
                    assert!(last[sender] < Some(n));
                    last[sender] = Some(n);
                    seen.push((sender, n));
                }
                seen
            })
        })
        .collect();
    let mut all = Vec::new();
    for receiver in receivers {
        all.extend(receiver.await.unwrap());
    }
    all.sort();
    let expected = (0..senders).flat_map(|sender| (0..each).map(move |n| (sender, n)));
    assert!(all.into_iter().eq(expected));
}

/// Senders and receivers are aborted in the middle of it all.
#[test]
pub(crate) fn what_is_sent_is_received_also_when_others_are_aborted() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        for capacity in CAPACITIES {
            for round in 0..4 {
                run(workers, with_aborts(capacity, round));
            }
        }
    }
}

async fn with_aborts(capacity: usize, round: usize) {
    const SENDERS: usize = 8;
    const EACH: usize = 60;
    let drops = Drops::new(SENDERS * EACH);
    let (sent, received) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (tx, rx) = channel(capacity);
    let send_all = async |tx: Sender<Probe>, drops: Arc<Drops>, sent: Arc<AtomicUsize>, of| {
        for n in 0..EACH {
            assert!(tx.send(drops.probe(of * EACH + n)).await.is_ok());
            sent.fetch_add(1, SeqCst);
        }
    };
    let receive_all = async |rx: Receiver<Probe>, received: Arc<AtomicUsize>| {
        while let Some(_probe) = rx.recv().await {
            received.fetch_add(1, SeqCst);
        }
    };
    let mut handles = Vec::new();
    for sender in 0..SENDERS {
        handles.push(spawn(send_all(tx.clone(), drops.clone(), sent.clone(), sender)));
        handles.push(spawn(receive_all(rx.clone(), received.clone())));
    }
    drop(tx);
    for n in 0..round * 20 {
        yield_now().await;
        handles[n * 7 % handles.len()].abort();
    }
    // Whatever happened to the others, this one receives the rest.
    receive_all(rx.clone(), received.clone()).await;
    for handle in handles {
        let _ = handle.await;
    }
    // One that was aborted may have had a value, which came back after the others had found none.
    receive_all(rx.clone(), received.clone()).await;
    // An aborted sender may have sent one that it did not count.
    let (sent, received) = (sent.load(SeqCst), received.load(SeqCst));
    assert!((sent..=sent + SENDERS).contains(&received), "{sent} sent, {received} received");
    drop(rx);
    // Those of the aborted senders never existed.
    assert!(drops.dropped() <= SENDERS * EACH && drops.dropped() >= received);
}

#[test]
pub(crate) fn clones_come_and_go() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            let (tx, rx) = channel(1);
            let mut receivers = Vec::new();
            for n in 0..500 {
                let tx = tx.clone();
                spawn(async move { tx.send(n).await.unwrap() });
                let rx = rx.clone();
                receivers.push(spawn(async move { rx.recv().await.unwrap() }));
            }
            drop(tx);
            let mut sum = 0;
            for receiver in receivers {
                sum += receiver.await.unwrap();
            }
            assert_eq!(sum, 124_750);
            assert_eq!(rx.recv().await, None);
        });
    }
}

#[test]
pub(crate) fn many_wait_at_one_channel() {
    let _watchdog = watchdog();
    const N: usize = 20_000;
    run(2, async {
        let (tx, rx) = channel(0);
        let done = Arc::new(AtomicUsize::new(0));
        for _ in 0..N {
            let (rx, done) = (rx.clone(), done.clone());
            spawn(async move {
                rx.recv().await.unwrap();
                done.fetch_add(1, SeqCst);
            });
        }
        for n in 0..N {
            tx.send(n).await.unwrap();
        }
        yield_until(|| done.load(SeqCst) == N).await;
    });
}
