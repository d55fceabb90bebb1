//! Random programs: goroutines, threads, timers and blocked threads act on each other, and then main ends, or
//! waits for ever.
//!
//! `GORUN_DEADLOCK_PROGRAMS` says how many; `GORUN_DEADLOCK_SEED` where they start.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use gorun::sync::{Mutex, Semaphore};
use gorun::{
    Builder, Handle, OnDeadlock, Receiver, Sender, block_on, blocking, channel, spawn, time,
};

use crate::Outcome::Passes;
use crate::Scenario;
use crate::random::Random;

/// Few, as each deadlock takes a print. CI has more.
const DEFAULT: u64 = 300;

pub(crate) fn all() -> Vec<Scenario> {
    vec![Scenario { name: "random_programs", run: random_programs, outcome: Passes }]
}

fn number(variable: &str, default: u64) -> u64 {
    std::env::var(variable).map_or(default, |value| value.parse().expect("a number"))
}

fn random_programs() {
    let first = number("GORUN_DEADLOCK_SEED", 1);
    let count = number("GORUN_DEADLOCK_PROGRAMS", DEFAULT);
    let mut deadlocks = 0;
    // What each of them prints is not to be seen, here.
    for seed in first..first + count {
        deadlocks += u64::from(run(seed));
    }
    println!("{count} programs, {deadlocks} deadlocks");
    assert!(count < 100 || deadlocks > count / 4, "{deadlocks} of {count}");
}

/// Runs the program of a seed. Returns whether it was deadlocked.
fn run(seed: u64) -> bool {
    let mut random = Random(seed);
    let waits_for_ever = random.below(2) == 0;
    let workers = 1 + random.below(3) as usize;
    let builder = Builder::new()
        .worker_threads(workers)
        .on_deadlock(OnDeadlock::Panic)
        .__look_every(Duration::from_micros(random.below(3) * 500));
    let ended = catch_unwind(AssertUnwindSafe(|| {
        builder.block_on(program(random, waits_for_ever)).unwrap();
    }));
    match ended {
        Ok(()) => assert!(!waits_for_ever),
        Err(payload) => {
            let text = payload.downcast_ref::<String>().map_or("", String::as_str);
            assert!(waits_for_ever && text.starts_with("deadlock: "), "seed {seed}: {text:?}");
        }
    }
    waits_for_ever
}

async fn program(mut random: Random, waits_for_ever: bool) {
    // Messages go through some stages, each by somebody else.
    let (first, mut last) = channel::<u64>(random.below(3) as usize);
    let mut threads = Vec::new();
    for _ in 0..random.below(4) {
        let (tx, rx) = channel(random.below(3) as usize);
        stage(&mut random, std::mem::replace(&mut last, rx), tx, &mut threads);
    }
    let messages = random.below(4);
    let source = Random(random.below(u64::MAX));
    spawn(async move {
        let mut random = source;
        for message in 0..messages {
            pause(&mut random).await;
            first.send(message).await.unwrap();
        }
    })
    .detach();
    for message in 0..messages {
        assert_eq!(last.recv().await, Some(message));
    }
    assert_eq!(last.recv().await, None);
    threads.into_iter().for_each(|thread: thread::JoinHandle<()>| thread.join().unwrap());
    if waits_for_ever {
        wait_for_ever(&mut random).await;
    }
}

/// Passes on what comes.
fn stage(
    random: &mut Random,
    from: Receiver<u64>,
    to: Sender<u64>,
    threads: &mut Vec<thread::JoinHandle<()>>,
) {
    let mut own = Random(random.below(u64::MAX));
    match random.below(5) {
        0 => threads.push(thread::spawn(move || {
            while let Some(message) = from.recv_blocking() {
                thread::sleep(Duration::from_micros(own.below(300)));
                to.send_blocking(message).unwrap();
            }
        })),
        1 => {
            let handle = Handle::current();
            threads.push(thread::spawn(move || {
                handle.block_on(async move {
                    while let Some(message) = from.recv().await {
                        to.send(message).await.unwrap();
                    }
                });
            }));
        }
        2 => spawn(async move {
            while let Some(message) = from.recv().await {
                blocking(|| thread::sleep(Duration::from_micros(own.below(300))));
                to.send(message).await.unwrap();
            }
        })
        .detach(),
        3 => spawn(async move {
            block_on(async move {
                while let Some(message) = from.recv().await {
                    to.send(message).await.unwrap();
                }
            });
        })
        .detach(),
        _ => spawn(async move {
            while let Some(message) = from.recv().await {
                pause(&mut own).await;
                to.send(message).await.unwrap();
            }
        })
        .detach(),
    }
}

/// For a moment everything may sleep.
async fn pause(random: &mut Random) {
    match random.below(4) {
        0 => time::sleep(Duration::from_micros(random.below(1500))).await,
        1 => {
            let (tx, rx) = channel(1);
            let micros = random.below(300);
            let thread = thread::spawn(move || {
                thread::sleep(Duration::from_micros(micros));
                tx.send_blocking(()).unwrap();
            });
            rx.recv().await.unwrap();
            thread.join().unwrap();
        }
        _ => {}
    }
}

async fn wait_for_ever(random: &mut Random) {
    match random.below(5) {
        0 => std::future::pending().await,
        1 => {
            let (_tx, rx) = channel::<u32>(0);
            rx.recv().await;
        }
        2 => {
            let (tx, rx) = channel::<u32>(0);
            spawn(async move { rx.recv().await }).await.unwrap();
            drop(tx);
        }
        3 => {
            let mutex = Arc::new(Mutex::new(()));
            let own = mutex.clone().lock_owned().await;
            let other = spawn(async move { drop(mutex.lock().await) });
            other.await.unwrap();
            drop(own);
        }
        _ => {
            let permits = Arc::new(Semaphore::new(1));
            std::mem::forget(permits.acquire().await);
            drop(permits.acquire().await);
        }
    }
}
