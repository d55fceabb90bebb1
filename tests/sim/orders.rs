//! Which orders are tried.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::{Arc, Mutex};

use gorun::sim::{Sim, Strategy};
use gorun::{WaitGroup, channel, select, yield_now};

/// What goroutines have noted, in order.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<usize>>>);

impl Log {
    fn note(&self, number: usize) {
        self.0.lock().unwrap().push(number);
    }
}

/// The orders in which so many goroutines, each with so many parts, run under `sim`.
fn orders(sim: Sim, goroutines: usize, parts: usize) -> (BTreeSet<Vec<usize>>, u64) {
    let seen = RefCell::new(BTreeSet::new());
    let explored = sim.check(|| {
        let seen = &seen;
        async move {
            let log = Log::default();
            let group = WaitGroup::new();
            for number in 0..goroutines {
                let log = log.clone();
                group.go(async move {
                    for part in 0..parts {
                        if part > 0 {
                            yield_now().await;
                        }
                        log.note(number);
                    }
                });
            }
            group.wait().await;
            let order = std::mem::take(&mut *log.0.lock().unwrap());
            seen.borrow_mut().insert(order);
        }
    });
    (seen.into_inner(), explored.schedules)
}

#[test]
fn an_order_is_never_tried() {
    // 6! / (2! 2! 2!)
    for strategy in [Strategy::Random, Strategy::Pct { changes: 5 }] {
        let (orders, _) = orders(Sim::new().schedules(3000).strategy(strategy), 3, 2);
        assert_eq!(orders.len(), 90, "{strategy:?}");
    }
}

#[test]
fn an_exhaustive_search_leaves_an_order_out_or_tries_one_twice() {
    let sim = || Sim::new().schedules(u64::MAX).strategy(Strategy::Exhaustive { depth: 100 });
    // 6 choose 3: each goroutine has three parts. Main is interrupted before it waits, and goes on after any of their
    // six steps, or before them.
    let (found, schedules) = orders(sim(), 2, 3);
    assert_eq!((found.len(), schedules), (20, 7 * 20));
    let (found, schedules) = orders(sim(), 3, 2);
    assert_eq!((found.len(), schedules), (90, 7 * 90));
}

#[test]
fn a_limited_depth_is_exceeded() {
    let sim = Sim::new().schedules(u64::MAX).strategy(Strategy::Exhaustive { depth: 1 });
    // One decision, of three: main, or one of two goroutines.
    assert_eq!(orders(sim, 2, 3).1, 3);
}

#[test]
fn taking_turns_has_more_than_one_schedule() {
    let (orders, schedules) = orders(Sim::new().strategy(Strategy::RoundRobin), 3, 2);
    assert_eq!((orders, schedules), (BTreeSet::from([vec![0, 1, 2, 0, 1, 2]]), 1));
}

#[test]
fn a_goroutine_is_never_interrupted_between_operations_that_are_ready() {
    let interrupted = RefCell::new(0);
    Sim::new().schedules(200).check(|| async {
        let (tx, rx) = channel(100);
        let (other_tx, other_rx) = channel(1);
        let group = WaitGroup::new();
        group.go(async move {
            for n in 0..50 {
                tx.send(n).await.unwrap();
            }
        });
        let other = rx.clone();
        group.go(async move { other_tx.send(other.len()).await.unwrap() });
        group.wait().await;
        drop(rx);
        let len = other_rx.recv().await.unwrap();
        *interrupted.borrow_mut() += usize::from(len > 0 && len < 50);
    });
    assert!(*interrupted.borrow() > 0, "each send was whole");
}

#[test]
fn a_goroutine_is_interrupted_where_it_never_can_be() {
    Sim::new().schedules(500).check(|| async {
        let (log, group) = (Log::default(), WaitGroup::new());
        for number in 0..3 {
            let log = log.clone();
            group.go(async move {
                log.note(number);
                // Nothing of gorun's is between.
                log.note(number);
            });
        }
        group.wait().await;
        let order = log.0.lock().unwrap();
        assert!(order.chunks(2).all(|pair| pair[0] == pair[1]), "{order:?}");
    });
}

#[test]
fn select_always_takes_the_same_of_its_ready_cases() {
    let taken = RefCell::new(BTreeSet::new());
    Sim::new().schedules(100).check(|| async {
        let ((a_tx, a), (b_tx, b), (c_tx, c)) = (channel(1), channel(1), channel(1));
        [a_tx, b_tx, c_tx].iter().for_each(|tx| tx.try_send(()).unwrap());
        let which = select! {
            _ = a.recv() => 'a',
            _ = b.recv() => 'b',
            _ = c.recv() => 'c',
        };
        taken.borrow_mut().insert(which);
    });
    assert_eq!(taken.into_inner().len(), 3);
}

#[test]
fn the_same_seed_leads_elsewhere_or_another_one_does_not() {
    let explored = |seed| {
        Sim::new().schedules(50).seed(seed).check(|| async {
            let group = WaitGroup::new();
            (0..5).for_each(|_| group.go(async { yield_now().await }));
            group.wait().await;
        })
    };
    assert_eq!(explored(1), explored(1));
    assert_ne!(explored(1).fingerprint, explored(2).fingerprint);
}

#[test]
fn simulations_on_several_threads_disturb_each_other() {
    let explored = || {
        Sim::new().schedules(100).check(|| async {
            let (tx, rx) = channel(1);
            gorun::spawn(async move { tx.send(gorun::sim::rng().below(100)).await }).detach();
            gorun::time::sleep(std::time::Duration::from_secs(1)).await;
            rx.recv().await
        })
    };
    let alone = explored();
    let threads: Vec<_> = (0..4).map(|_| std::thread::spawn(explored)).collect();
    threads.into_iter().for_each(|thread| assert_eq!(thread.join().unwrap(), alone));
}

#[test]
fn what_is_before_the_first_operation_is_never_apart_from_it() {
    let strategies =
        [Strategy::Random, Strategy::Pct { changes: 3 }, Strategy::Exhaustive { depth: 100 }];
    for strategy in strategies {
        let apart = RefCell::new(false);
        Sim::new().schedules(1000).strategy(strategy).check(|| async {
            let flag = Arc::new(std::sync::atomic::AtomicBool::new(false));
            let (lock, group) = (Arc::new(gorun::sync::Mutex::new(())), WaitGroup::new());
            let (other, reads) = (flag.clone(), flag.clone());
            group.go(async move { other.store(true, SeqCst) });
            let (tx, rx) = channel(1);
            group.go(async move {
                let before = reads.load(SeqCst);
                let _guard = lock.lock().await;
                tx.try_send(before != reads.load(SeqCst)).unwrap();
            });
            group.wait().await;
            *apart.borrow_mut() |= rx.recv().await.unwrap();
        });
        assert!(*apart.borrow(), "{strategy:?}");
    }
}

#[test]
fn futures_in_one_poll_keep_each_other_from_getting_on() {
    let strategies =
        [Strategy::Random, Strategy::Pct { changes: 3 }, Strategy::Exhaustive { depth: 12 }];
    for strategy in strategies {
        Sim::new().schedules(200).strategy(strategy).step_limit(1000).check(|| async {
            let nap = |n| gorun::spawn(gorun::time::sleep(std::time::Duration::from_secs(n)));
            let (a, b, c, d, e) = futures::join!(nap(1), nap(2), nap(3), nap(4), nap(5));
            [a, b, c, d, e].into_iter().for_each(Result::unwrap);
            let barrier = gorun::sync::Barrier::new(3);
            futures::join!(barrier.wait(), barrier.wait(), barrier.wait());
        });
    }
}

#[test]
fn two_that_answer_each_other_keep_a_third_waiting_for_ever() {
    let strategy = Strategy::Pct { changes: 1 };
    Sim::new().schedules(30).strategy(strategy).step_limit(200_000).check(|| async {
        let done = Arc::new(std::sync::atomic::AtomicBool::new(false));
        let ((ping_tx, ping), (pong_tx, pong)) = (channel(0), channel(0));
        let group = WaitGroup::new();
        let is_done = done.clone();
        group.go(async move {
            while !is_done.load(SeqCst) {
                ping_tx.send(()).await.unwrap();
                pong.recv().await.unwrap();
            }
        });
        group.go(async move {
            while ping.recv().await.is_some() {
                pong_tx.send(()).await.unwrap();
            }
        });
        group.go(async move { done.store(true, SeqCst) });
        group.wait().await;
    });
}
