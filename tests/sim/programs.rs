//! Random programs: each takes the same steps again.

use std::sync::Arc;
use std::time::Duration;

use gorun::sim::{Sim, Strategy};
use gorun::sync::{Mutex, Notify, Semaphore};
use gorun::time::{sleep, timeout};
use gorun::{JoinSet, Receiver, Sender, channel, select, spawn, yield_now};

use crate::common::Random;

/// What goroutines share.
struct Shared {
    channels: Vec<(Sender<usize>, Receiver<usize>)>,
    mutex: Mutex<usize>,
    semaphore: Semaphore,
    notify: Notify,
}

/// Acts that end, whatever others do: those that might wait for ever have a limit.
async fn act(rng: &mut Random, shared: &Arc<Shared>, depth: usize) {
    let limit = Duration::from_millis(rng.below(20));
    let (tx, rx) = &shared.channels[rng.below(shared.channels.len() as u64) as usize];
    let other = &shared.channels[rng.below(shared.channels.len() as u64) as usize].1;
    match rng.below(10) {
        0 => yield_now().await,
        1 => sleep(limit).await,
        2 => _ = timeout(limit, tx.send(depth)).await,
        3 => _ = timeout(limit, rx.recv()).await,
        4 => select! {
            _ = rx.recv() => {}
            _ = other.recv() => {}
            _ = tx.send(1) => {}
            _ = sleep(limit) => {}
        },
        5 => {
            let mut guard = shared.mutex.lock().await;
            *guard += 1;
            yield_now().await;
        }
        6 => {
            let _permit = shared.semaphore.acquire().await;
            sleep(limit).await;
        }
        7 => shared.notify.notify_one(),
        8 => _ = timeout(limit, shared.notify.notified()).await,
        _ if depth > 0 => {
            let (seed, shared) = (rng.below(1 << 30), shared.clone());
            let handle = spawn(Box::pin(goroutine(seed, shared, depth - 1)));
            match rng.below(3) {
                0 => handle.detach(),
                1 => _ = timeout(limit, handle).await,
                _ => handle.abort(),
            }
        }
        _ => yield_now().await,
    }
}

// Not an `async fn`: it spawns itself, and whether it is `Send` could not be told.
#[allow(clippy::manual_async_fn)]
fn goroutine(
    seed: u64,
    shared: Arc<Shared>,
    depth: usize,
) -> impl Future<Output = ()> + Send + 'static {
    async move {
        let mut rng = Random(seed);
        for _ in 0..rng.below(8) {
            act(&mut rng, &shared, depth).await;
        }
    }
}

async fn program(seed: u64) {
    let mut rng = Random(seed);
    let channels = (0..1 + rng.below(3)).map(|_| channel(rng.below(3) as usize)).collect();
    let shared = Arc::new(Shared {
        channels,
        mutex: Mutex::new(0),
        semaphore: Semaphore::new(1 + rng.below(2) as usize),
        notify: Notify::new(),
    });
    let mut set = JoinSet::new();
    for _ in 0..2 + rng.below(4) {
        set.spawn(goroutine(rng.below(1 << 30), shared.clone(), 2));
    }
    while set.join_next().await.is_some() {}
}

/// The first schedule of each runs twice, and a difference is a failure.
#[test]
fn a_random_program_takes_other_steps_under_the_same_seed() {
    const PROGRAMS: u64 = 1000;
    for seed in 0..PROGRAMS {
        let strategies = [Strategy::Random, Strategy::Pct { changes: 3 }, Strategy::RoundRobin];
        let strategy = strategies[seed as usize % strategies.len()];
        let explore = || {
            let sim = Sim::new().seed(seed).schedules(2).strategy(strategy).allow_leaks();
            sim.check(|| program(seed))
        };
        assert_eq!(explore(), explore(), "program {seed}");
    }
}
