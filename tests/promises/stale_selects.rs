//! Selects that have been decided, and have not run since, in the wait queue of a channel that others use:
//! a partner that comes there does not pass over all of them each time.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::thread;
use std::time::{Duration, Instant};

use gorun::{Receiver, Sender, channel, select, spawn};

use super::hogs::alone;
use super::{MILLI, WORKERS};
use crate::common::*;

const FEW: usize = 250;
const MANY: usize = 8000;

/// With the square of their number each would cost 32 times as much.
const GROWTH: f64 = 8.0;

/// How long `each` of `n` steps takes, with `n` goroutines that `select` has made. One worker is free for
/// who makes the steps; the others sleep, so that no goroutine runs meanwhile.
fn time<T: Send + 'static>(
    workers: usize,
    n: usize,
    begin: fn(usize, &Arc<AtomicUsize>) -> T,
    steps: fn(&T),
) -> Duration {
    run_without_spares(workers, async {
        let waiting = Arc::new(AtomicUsize::new(0));
        let world = begin(n, &waiting);
        yield_until(|| waiting.load(SeqCst) == n).await;
        let (over, asleep) = (flag(), Arc::new(AtomicUsize::new(0)));
        for _ in 1..workers {
            let (over, asleep) = (over.clone(), asleep.clone());
            spawn(async move {
                asleep.fetch_add(1, SeqCst);
                while !over.load(SeqCst) {
                    thread::sleep(MILLI / 2);
                }
            });
        }
        yield_until(|| asleep.load(SeqCst) == workers - 1).await;
        let timed = spawn(async move {
            let start = Instant::now();
            steps(&world);
            let took = start.elapsed();
            over.store(true, SeqCst);
            took
        });
        timed.await.unwrap()
    })
}

#[track_caller]
fn costs_the_same<T: Send + 'static>(begin: fn(usize, &Arc<AtomicUsize>) -> T, steps: fn(&T)) {
    let _watchdog = watchdog();
    let _alone = alone();
    for workers in WORKERS {
        let each = |n: usize| time(workers, n, begin, steps).as_nanos() as f64 / n as f64;
        let few = (0..5).map(|_| each(FEW)).fold(f64::MAX, f64::min);
        // A busy machine makes it longer, so there are other tries.
        let mut many = each(MANY);
        for _ in 1..10 {
            if many >= GROWTH * few {
                many = many.min(each(MANY));
            }
        }
        println!("{workers} workers: {few:.0} ns each beside {FEW}, {many:.0} ns beside {MANY}");
        assert!(
            many < GROWTH * few,
            "{workers} workers: {few:.0} ns each beside {FEW}, {many:.0} ns beside {MANY}"
        );
    }
}

/// Says that it waits, as the last case that is polled before it does.
async fn says_it_waits(waiting: Arc<AtomicUsize>) {
    waiting.fetch_add(1, SeqCst);
    pending::<()>().await;
}

/// Each with a channel of its own, and some that all share.
struct Receivers {
    own: Vec<Sender<u32>>,
    shared: Vec<Sender<u32>>,
}

fn receivers(n: usize, shared: usize, waiting: &Arc<AtomicUsize>) -> Receivers {
    let (shared_tx, shared_rx): (Vec<_>, Vec<_>) = (0..shared).map(|_| channel(n)).unzip();
    let own = (0..n).map(|_| {
        let (tx, rx) = channel::<u32>(1);
        let (one, other): (Receiver<u32>, Receiver<u32>) =
            (shared_rx[0].clone(), shared_rx[shared - 1].clone());
        let waiting = waiting.clone();
        spawn(async move {
            let waits = says_it_waits(waiting);
            select! {
                _ = rx.recv() => {}
                _ = one.recv() => {}
                _ = other.recv(), if shared > 1 => {}
                () = waits => {}
            }
            pending::<()>().await;
        });
        tx
    });
    Receivers { own: own.collect(), shared: shared_tx }
}

fn send_to_all(world: &Receivers) {
    for tx in &world.own {
        tx.try_send(1).unwrap();
    }
    for n in 0..world.own.len() {
        world.shared[n % world.shared.len()].try_send(1).unwrap();
    }
}

#[test]
fn a_send_passes_over_all_selects_that_have_been_decided() {
    costs_the_same(|n, waiting| receivers(n, 1, waiting), send_to_all);
}

#[test]
fn sends_to_several_channels_pass_over_all_selects_that_have_been_decided() {
    costs_the_same(|n, waiting| receivers(n, 2, waiting), send_to_all);
}

/// By the end of their own channels.
#[test]
fn a_send_passes_over_all_selects_that_a_close_has_decided() {
    costs_the_same(
        |n, waiting| receivers(n, 1, waiting),
        |world| {
            for tx in &world.own {
                tx.close();
            }
            for _ in 0..world.own.len() {
                world.shared[0].try_send(1).unwrap();
            }
        },
    );
}

struct Senders {
    own: Vec<Receiver<u32>>,
    shared: Receiver<u32>,
}

#[test]
fn a_receive_passes_over_all_selects_that_have_been_decided() {
    costs_the_same(
        |n, waiting| {
            let (shared, shared_rx) = channel::<u32>(n);
            for _ in 0..n {
                shared.try_send(0).unwrap();
            }
            let own = (0..n).map(|_| {
                let (tx, rx) = channel::<u32>(0);
                let (shared, waiting) = (shared.clone(), waiting.clone());
                spawn(async move {
                    let waits = says_it_waits(waiting);
                    select! {
                        _ = tx.send(1) => {}
                        _ = shared.send(1) => {}
                        () = waits => {}
                    }
                    pending::<()>().await;
                });
                rx
            });
            Senders { own: own.collect(), shared: shared_rx }
        },
        |world| {
            for rx in &world.own {
                rx.try_recv().unwrap();
            }
            for _ in 0..world.own.len() {
                world.shared.try_recv().unwrap();
            }
        },
    );
}
