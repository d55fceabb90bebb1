//! What Go's own tests of `select` ask (`runtime/chan_test.go`, `test/chan`), asked here.

use gorun::{Sender, channel, go, select, spawn, yield_now};

use crate::WORKERS;
use crate::common::*;

/// `TestNonblockSelectRace`: one of two channels is always ready, though not always the same, so
/// `default` must not be chosen.
#[test]
pub(crate) fn default_is_chosen_only_if_at_one_moment_no_case_is_possible() {
    look_while_readiness_moves(1, |tx| tx.try_send(1).unwrap());
}

/// `TestNonblockSelectRace2`: likewise, and the second channel is ready because it is closed.
#[test]
pub(crate) fn default_is_not_chosen_while_one_channel_is_emptied_after_another_is_closed() {
    look_while_readiness_moves(0, |tx| tx.close());
}

fn look_while_readiness_moves(capacity: usize, make_ready: fn(&Sender<u32>)) {
    let _watchdog = watchdog();
    run(2, async {
        for _ in 0..20_000 {
            let ((tx1, rx1), (tx2, rx2)) = (channel(1), channel(capacity));
            tx1.send(1).await.unwrap();
            let looks = spawn({
                let (rx1, rx2) = (rx1.clone(), rx2.clone());
                async move {
                    select! { _ = rx1.recv() => true, _ = rx2.recv() => true, default => false }
                }
            });
            make_ready(&tx2);
            select! { _ = rx1.recv() => {} default => {} }
            assert!(looks.await.unwrap());
        }
    });
}

/// `TestSelfSelect`: sending and receiving on the same channel, by two.
#[test]
pub(crate) fn nobody_receives_at_a_rendezvous_what_it_has_sent_itself() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        for capacity in [0, 10] {
            run(workers, async {
                let (tx, rx) = channel(capacity);
                let both: Vec<_> = (0..2)
                    .map(|me| {
                        let (tx, rx) = (tx.clone(), rx.clone());
                        spawn(async move {
                            for n in 0..1000 {
                                let got = if me == 0 || n % 2 == 0 {
                                    select! { _ = tx.send(me) => None, v = rx.recv() => v }
                                } else {
                                    select! { v = rx.recv() => v, _ = tx.send(me) => None }
                                };
                                assert!(capacity > 0 || got != Some(me), "received by itself");
                            }
                        })
                    })
                    .collect();
                for one in both {
                    one.await.unwrap();
                }
            });
        }
    }
}

/// `TestSelectStress`: four channels, plain operations and selects on both sides.
#[test]
pub(crate) fn plain_operations_and_selects_of_four_channels_meet() {
    let _watchdog = watchdog();
    const N: usize = 1000;
    for workers in WORKERS {
        run(workers, async {
            let c = [channel(0), channel(0), channel(2), channel(3)];
            let mut all = Vec::new();
            for (tx, rx) in &c {
                let (tx, rx) = (tx.clone(), rx.clone());
                all.push(spawn(async move {
                    for _ in 0..N {
                        tx.send(0).await.unwrap();
                    }
                }));
                all.push(spawn(async move {
                    for _ in 0..N {
                        rx.recv().await.unwrap();
                    }
                }));
            }
            let tx = c.each_ref().map(|(tx, _)| tx.clone());
            all.push(spawn(async move {
                let mut left = [N; 4];
                while left.iter().sum::<usize>() > 0 {
                    let chosen = select! {
                        _ = tx[3].send(0), if left[3] > 0 => 3,
                        _ = tx[2].send(0), if left[2] > 0 => 2,
                        _ = tx[0].send(0), if left[0] > 0 => 0,
                        _ = tx[1].send(0), if left[1] > 0 => 1,
                    };
                    left[chosen] -= 1;
                }
            }));
            let rx = c.each_ref().map(|(_, rx)| rx.clone());
            all.push(spawn(async move {
                let mut left = [N; 4];
                while left.iter().sum::<usize>() > 0 {
                    let chosen = select! {
                        _ = rx[0].recv(), if left[0] > 0 => 0,
                        _ = rx[1].recv(), if left[1] > 0 => 1,
                        _ = rx[2].recv(), if left[2] > 0 => 2,
                        _ = rx[3].recv(), if left[3] > 0 => 3,
                    };
                    left[chosen] -= 1;
                }
            }));
            for one in all {
                one.await.unwrap();
            }
        });
    }
}

/// `TestSelectFairness`: ten thousand choices of two ready channels, beside two that never are.
#[test]
pub(crate) fn of_two_full_channels_both_are_received_from() {
    let _watchdog = watchdog();
    const TRIES: usize = 10_000;
    run(2, async {
        let ((tx1, c1), (tx2, c2)) = (channel(TRIES + 1), channel(TRIES + 1));
        for _ in 0..=TRIES {
            tx1.send(1).await.unwrap();
            tx2.send(2).await.unwrap();
        }
        let ((_tx3, c3), (_tx4, c4)) = (channel(0), channel(0));
        let ((out, results), (stop, done)) = (channel(0), channel::<()>(0));
        go!(async move {
            loop {
                let b = select! {
                    b = c3.recv() => b,
                    b = c4.recv() => b,
                    b = c1.recv() => b,
                    b = c2.recv() => b,
                };
                select! { _ = out.send(b.unwrap()) => {} _ = done.recv() => return }
            }
        });
        let mut counts = [0_usize; 3];
        for _ in 0..TRIES {
            counts[results.recv().await.unwrap()] += 1;
        }
        drop(stop);
        // Ten sigma.
        assert!(counts[1].abs_diff(TRIES / 2) < 500, "{counts:?}");
    });
}

/// `TestPseudoRandomSend`.
#[test]
pub(crate) fn two_sends_to_the_same_channel_are_chosen_at_random() {
    let _watchdog = watchdog();
    for capacity in [0, 100] {
        run(2, async {
            let (tx, rx) = channel(capacity);
            let ones = spawn(async move {
                let mut ones = 0;
                for _ in 0..100 {
                    yield_now().await;
                    ones += rx.recv().await.unwrap();
                }
                ones
            });
            for _ in 0..100 {
                select! { _ = tx.send(1) => {} _ = tx.send(0) => {} }
            }
            assert!((10..90).contains(&ones.await.unwrap()));
        });
    }
}

/// `TestSelectDuplicateChannel`: leaving a wait queue in which one stands twice leaves the others there.
#[test]
pub(crate) fn one_that_stood_twice_in_a_queue_leaves_the_other_in_it() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            let ((c_tx, c), (d_tx, d), (e_tx, e)) = (channel(0), channel(0), channel(0));
            go!({
                let c = c.clone();
                async move {
                    select! { _ = c.recv() => {} _ = c.recv() => {} _ = d.recv() => {} }
                    e_tx.send(9).await.unwrap();
                }
            });
            for _ in 0..20 {
                yield_now().await;
            }
            let other = spawn(async move { c.recv().await });
            for _ in 0..20 {
                yield_now().await;
            }
            d_tx.send(7).await.unwrap();
            assert_eq!(e.recv().await, Some(9));
            c_tx.send(8).await.unwrap();
            assert_eq!(other.await.unwrap(), Some(8));
        });
    }
}
