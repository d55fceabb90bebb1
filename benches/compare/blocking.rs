//! What becomes of the others while goroutines hold the worker threads.
//!
//! Eight hogs, more than there are workers, never yield. Meanwhile a thread of its own wakes a probe
//! every ten milliseconds, and the probe notes how late it runs. Where nothing helps it, it is late
//! by as long as the hogs take one after another.

use std::hint::{self, black_box};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use futures::channel::oneshot;

use crate::measured::{Measured, microseconds};
use crate::runtime::Runtime;

const HOGS: usize = 8;

/// How often the probe is woken.
const PERIOD: Duration = Duration::from_millis(10);

/// A runtime may need some time to notice the hogs. What happens meanwhile is a figure of its own.
const FIRST: Duration = Duration::from_millis(100);

/// How long a hog that sleeps does so at a time.
const NAP: Duration = Duration::from_millis(100);

/// The hogs compute for `n` milliseconds.
pub(crate) fn computing<R: Runtime>(workers: usize, n: usize) -> Measured {
    beside_hogs::<R>(workers, n, |duration| {
        let start = Instant::now();
        while start.elapsed() < duration {
            black_box(scramble(black_box(SEED), 1_000));
        }
    })
}

/// The hogs sleep in the kernel for `n` milliseconds.
pub(crate) fn asleep<R: Runtime>(workers: usize, n: usize) -> Measured {
    beside_hogs::<R>(workers, n, |duration| nap_for(duration, thread::sleep))
}

/// Likewise, and tell the runtime each time, if it wants to know.
pub(crate) fn told<R: Runtime>(workers: usize, n: usize) -> Measured {
    beside_hogs::<R>(workers, n, |duration| {
        nap_for(duration, |nap| R::blocking(|| thread::sleep(nap)));
    })
}

fn nap_for(duration: Duration, sleep: impl Fn(Duration)) {
    let start = Instant::now();
    while let Some(left) = duration.checked_sub(start.elapsed()).filter(|left| !left.is_zero()) {
        sleep(left.min(NAP));
    }
}

/// How long a goroutine computes before it spawns another, and at most after that.
const BEFORE: Duration = Duration::from_millis(2);
const AFTER: Duration = Duration::from_millis(20);

/// A goroutine computes, spawns another, and computes on until that has started; `n` times, and nothing
/// else runs. How late it starts, in microseconds: in the median, and the 99th of a hundred.
pub(crate) fn inside<R: Runtime>(workers: usize, n: usize) -> Measured {
    Measured::delays(R::block_on(workers, async move {
        let mut lateness = Vec::with_capacity(n);
        for _ in 0..n {
            thread::sleep(PERIOD);
            lateness.push(R::spawn(start_beside_me::<R>()).await);
        }
        lateness
    }))
}

async fn start_beside_me<R: Runtime>() -> Duration {
    let start = Instant::now();
    while start.elapsed() < BEFORE {
        hint::spin_loop();
    }
    let started = Arc::new(OnceLock::new());
    let spawned = Instant::now();
    let other = R::spawn({
        let started = started.clone();
        async move { started.set(spawned.elapsed()).unwrap() }
    });
    while started.get().is_none() && spawned.elapsed() < AFTER {
        hint::spin_loop();
    }
    other.await;
    *started.get().unwrap()
}

/// How late the probe runs while each `hog` holds its thread for `n` milliseconds, in microseconds:
/// the 99th of a hundred after the first 100 ms, and the worst of those first.
fn beside_hogs<R: Runtime>(workers: usize, n: usize, hog: fn(Duration)) -> Measured {
    let duration = Duration::from_millis(n as u64);
    let mut lateness = R::block_on(workers, async move {
        let (wake, woken) = async_channel::unbounded::<Instant>();
        let (ready, is_ready) = oneshot::channel();
        let probe = R::spawn(async move {
            ready.send(()).unwrap();
            let mut lateness = Vec::new();
            while let Ok(sent) = woken.recv().await {
                lateness.push(sent.elapsed());
            }
            lateness
        });
        is_ready.await.unwrap();

        let (begin, begun) = std::sync::mpsc::channel();
        thread::spawn(move || {
            let start: Instant = begun.recv().unwrap();
            for due in wakes(duration) {
                thread::sleep(due.saturating_sub(start.elapsed()));
                wake.try_send(Instant::now()).unwrap();
            }
        });
        let hogs = R::spawn(async move {
            begin.send(Instant::now()).unwrap();
            (0..HOGS).map(|_| R::spawn(async move { hog(duration) })).collect::<Vec<_>>()
        });
        for hog in hogs.await {
            hog.await;
        }
        probe.await
    });

    assert_eq!(lateness.len(), wakes(duration).count());
    let mut later = lateness.split_off(wakes(duration.min(FIRST)).count());
    later.sort();
    Measured {
        value: microseconds(later[later.len() * 99 / 100]),
        second: lateness.into_iter().max().map(microseconds),
    }
}

/// When the probe is woken, counted from the start of the hogs. If the thread that wakes it is late
/// itself, it makes up for that at once.
fn wakes(duration: Duration) -> impl Iterator<Item = Duration> {
    (0..).map(|number| number * PERIOD).take_while(move |&due| due < duration)
}

const SEED: u64 = 88_172_645_463_325_252;

/// Each round needs the one before, so there is nothing that a compiler could do better than another.
fn scramble(mut x: u64, rounds: u64) -> u64 {
    for _ in 0..rounds {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
    }
    x
}

/// About 100 ms. It is work rather than time, so that it takes longer for those that share a core.
const ROUNDS: u64 = 50_000_000;
const SCRAMBLED: u64 = 6_161_352_251_317_307_305;

/// `n` goroutines compute for 100 ms each: how many milliseconds that takes in all.
pub(crate) fn computations<R: Runtime>(workers: usize, n: usize) -> Measured {
    let took = R::block_on(workers, async move {
        R::spawn(async move {
            let start = Instant::now();
            let computations: Vec<_> =
                (0..n).map(|_| R::spawn(async { scramble(black_box(SEED), ROUNDS) })).collect();
            for computation in computations {
                assert_eq!(computation.await, SCRAMBLED);
            }
            start.elapsed()
        })
        .await
    });
    Measured { value: took.as_secs_f64() * 1e3, second: None }
}
