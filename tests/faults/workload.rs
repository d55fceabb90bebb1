//! A bit of everything a program does, with results that can only be right or wrong.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, mpsc};
use std::thread::{self, ThreadId};
use std::time::Duration;

use gorun::time::{interval, now, sleep, timeout};
use gorun::{JoinHandle, WaitGroup, blocking, channel, spawn, yield_now};

use crate::MILLI;
use crate::common::*;

/// Channels, timers, goroutines that block, and one that is left for the end of main.
pub(crate) async fn bit_of_everything() {
    let sums = spawn(sum_of_squares());
    let sleeps: Vec<_> = (1..=20)
        .map(|index| {
            spawn(async move {
                let start = now();
                sleep(index * MILLI).await;
                now() - start >= index * MILLI
            })
        })
        .collect();
    let ticks = spawn(async {
        let mut interval = interval(2 * MILLI);
        let first = interval.tick().await;
        let mut last = first;
        for _ in 0..5 {
            last = interval.tick().await;
        }
        last - first >= 10 * MILLI
    });
    let too_slow = spawn(async { timeout(3 * MILLI, sleep(HOUR)).await.is_err() });
    let blocked: Vec<_> = (0..6).map(|index| spawn(async move { block(index) })).collect();
    let group = WaitGroup::new();
    for _ in 0..50 {
        group.go(yield_now());
    }
    let _straggler = spawn(sleep(HOUR));

    assert_eq!(sums.await.unwrap(), (0..200).map(|n| n * n).sum::<u64>());
    for long_enough in sleeps {
        assert!(long_enough.await.unwrap(), "a sleep was too short");
    }
    assert!(ticks.await.unwrap(), "ticks were early");
    assert!(too_slow.await.unwrap());
    for (index, result) in blocked.into_iter().enumerate() {
        assert_eq!(result.await.unwrap(), index);
    }
    group.wait().await;
}

async fn sum_of_squares() -> u64 {
    let (numbers, to_square) = channel(0);
    let (squares, to_sum) = channel(3);
    spawn(async move {
        for number in 0..200 {
            numbers.send(number).await.unwrap();
        }
    });
    for _ in 0..4 {
        let (to_square, squares) = (to_square.clone(), squares.clone());
        spawn(async move {
            while let Some(number) = to_square.recv().await {
                squares.send(number * number).await.unwrap();
            }
        });
    }
    drop(squares);
    let mut sum = 0;
    while let Some(square) = to_sum.recv().await {
        sum += square;
    }
    sum
}

/// Blocks the thread until a goroutine spawned here has run.
fn block(index: usize) -> usize {
    let (tell, told) = mpsc::channel();
    let tells = async move {
        thread::sleep(Duration::from_micros(500));
        tell.send(index).unwrap();
    };
    spawn(tells).detach();
    match index % 3 {
        0 => told.recv().unwrap(),
        1 => blocking(|| told.recv().unwrap()),
        _ => gorun::block_on(async { told.recv().unwrap() }),
    }
}

/// Goroutines that keep all workers busy, and tell which threads run them.
pub(crate) struct Census {
    threads: Arc<Mutex<HashSet<ThreadId>>>,
    is_over: Arc<AtomicBool>,
    busy: Vec<JoinHandle<()>>,
}

impl Census {
    pub(crate) fn begin() -> Self {
        let (threads, is_over) =
            (Arc::<Mutex<HashSet<_>>>::default(), Arc::<AtomicBool>::default());
        let busy = (0..16).map(|_| {
            let (threads, is_over) = (threads.clone(), is_over.clone());
            spawn(async move {
                while !is_over.load(Relaxed) {
                    threads.lock().unwrap().insert(thread::current().id());
                    compute_for(MILLI / 10);
                    yield_now().await;
                }
            })
        });
        Census { busy: busy.collect(), threads, is_over }
    }

    /// Waits until `expected` threads run all goroutines, for a while each time.
    pub(crate) async fn wait_for(&self, expected: usize) {
        let start = now();
        let mut in_a_row = 0;
        while in_a_row < 10 {
            self.threads.lock().unwrap().clear();
            sleep(20 * MILLI).await;
            let found = self.threads.lock().unwrap().len();
            in_a_row = if found == expected { in_a_row + 1 } else { 0 };
            assert!(now() - start < DEADLINE, "{found} threads run goroutines, not {expected}");
        }
    }

    pub(crate) async fn end(self) {
        self.is_over.store(true, Relaxed);
        for handle in self.busy {
            handle.await.unwrap();
        }
    }
}
