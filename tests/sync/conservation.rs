//! Random programs: goroutines that take, keep, give back, time out, are dropped and aborted. In the end
//! everything is there again.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::SeqCst};
use std::task::Poll;
use std::time::Duration;

use gorun::sync::{Mutex, Notify, RwLock, Semaphore};
use gorun::time::timeout;
use gorun::{JoinSet, spawn, yield_now};

use super::WORKERS;
use crate::common::*;

const PERMITS: usize = 4;
const TASKS: u64 = 8;
const ROUNDS: u64 = 60;

struct Shared {
    semaphore: Arc<Semaphore>,
    /// Permits that tasks have.
    out: AtomicI64,
    mutex: Arc<Mutex<u64>>,
    lock: Arc<RwLock<(u64, u64)>>,
    /// Completed changes of the mutex's value.
    changes: AtomicU64,
    notify: Notify,
}

/// Polls a few times at most, and drops it.
async fn give_up<F: Future>(times: u64, future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    for _ in 0..times {
        if let Poll::Ready(output) = futures::poll!(&mut future) {
            return Some(output);
        }
        yield_now().await;
    }
    None
}

/// One way or another, or not at all.
async fn perhaps<F: Future>(random: &mut Random, future: F) -> Option<F::Output> {
    match random.below(4) {
        0 => Some(future.await),
        1 => timeout(Duration::from_micros(random.below(30)), future).await.ok(),
        _ => give_up(random.below(4), future).await,
    }
}

/// Counts permits for as long as they are out.
struct Out<'a>(&'a Shared, i64);

impl<'a> Out<'a> {
    fn new(shared: &'a Shared, count: usize) -> Self {
        let count = count as i64;
        let out = shared.out.fetch_add(count, SeqCst) + count;
        assert!(out <= PERMITS as i64, "{out} permits of {PERMITS} are out");
        Out(shared, count)
    }
}

impl Drop for Out<'_> {
    fn drop(&mut self) {
        self.0.out.fetch_sub(self.1, SeqCst);
    }
}

async fn act(shared: Arc<Shared>, seed: u64) {
    let mut random = Random(seed);
    for _ in 0..ROUNDS {
        match random.below(7) {
            0 | 1 => {
                let count = 1 + random.below(PERMITS as u64) as usize;
                let acquire = shared.semaphore.acquire_many(count);
                if let Some(permit) = perhaps(&mut random, acquire).await {
                    // Dropped before the permit.
                    let permit = permit.unwrap();
                    let out = Out::new(&shared, permit.count());
                    for _ in 0..random.below(3) {
                        yield_now().await;
                    }
                    drop(out);
                }
            }
            2 => {
                let acquire = shared.semaphore.clone().acquire_owned();
                if let Some(permit) = perhaps(&mut random, acquire).await {
                    let permit = permit.unwrap();
                    let _out = Out::new(&shared, 1);
                    drop((_out, permit));
                }
            }
            3 => {
                if let Some(mut guard) = perhaps(&mut random, shared.mutex.lock()).await {
                    let before = *guard;
                    shared.changes.fetch_add(1, SeqCst);
                    // No await from here on: an abort must not come in between.
                    *guard = before + 1;
                    drop(guard);
                    yield_now().await;
                }
            }
            4 => {
                if let Some(mut guard) =
                    perhaps(&mut random, shared.lock.clone().write_owned()).await
                {
                    guard.0 += 1;
                    guard.1 += 1;
                    yield_now().await;
                }
            }
            5 => {
                if let Some(guard) = perhaps(&mut random, shared.lock.read()).await {
                    let (one, other) = *guard;
                    yield_now().await;
                    assert_eq!((one, other, one), (guard.0, guard.1, other));
                }
            }
            _ => match random.below(3) {
                0 => shared.notify.notify_one(),
                1 => shared.notify.notify_all(),
                _ => _ = give_up(3, shared.notify.notified()).await,
            },
        }
    }
}

fn program(workers: usize, seed: u64) {
    run(workers, async {
        let shared = Arc::new(Shared {
            semaphore: Arc::new(Semaphore::new(PERMITS)),
            out: AtomicI64::new(0),
            mutex: Arc::default(),
            lock: Arc::default(),
            changes: AtomicU64::new(0),
            notify: Notify::new(),
        });
        let mut random = Random(seed);
        let mut set = JoinSet::new();
        let mut aborted = Vec::new();
        for _ in 0..TASKS {
            let task = act(shared.clone(), random.below(u64::MAX));
            match random.below(3) {
                0 => aborted.push(spawn(task)),
                _ => _ = set.spawn(task),
            }
        }
        for handle in aborted {
            for _ in 0..random.below(20) {
                yield_now().await;
            }
            handle.abort();
            if let Err(error) = handle.await {
                assert!(error.is_cancelled(), "{error}");
            }
        }
        set.join_all().await;
        assert_eq!(shared.out.load(SeqCst), 0);
        assert_eq!(shared.semaphore.available_permits(), PERMITS, "permits");
        // Nobody is left in the queue.
        drop(shared.semaphore.try_acquire_many(PERMITS).unwrap());
        assert_eq!(*shared.mutex.try_lock().expect("free"), shared.changes.load(SeqCst));
        assert!(shared.lock.try_write().is_some());
    });
}

#[test]
pub(crate) fn permits_and_guards_are_conserved_whatever_is_dropped_and_aborted() {
    let _watchdog = (std::env::var_os("GORUN_STRESS").is_none()).then(watchdog);
    let stress = Stress::begin(Duration::ZERO);
    let mut programs = 0;
    for seed in stress.first_seed.. {
        for workers in WORKERS {
            with_seed(seed, |seed| program(workers, seed));
            programs += 1;
        }
        if programs >= 60 && stress.is_over() {
            println!("{programs} programs in {:?}", stress.elapsed());
            break;
        }
    }
}
