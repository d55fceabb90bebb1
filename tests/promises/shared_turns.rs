//! What waits in the injector and what waits in workers' queues take turns, however short or long the
//! polls of either are, and wherever tasks move when a worker blocks or is stuck. Counted in polls.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use gorun::{Builder, Handle, blocking, spawn, yield_now};

use super::MILLI;
use super::hogs::{Hogs, alone};
use crate::common::*;

/// Threads outside that keep `at_once` goroutines each on their way. Dropping it stops them.
struct Streams {
    ran: Arc<AtomicUsize>,
    stop: Arc<AtomicBool>,
    threads: Vec<thread::JoinHandle<()>>,
}

impl Streams {
    fn start(threads: usize, at_once: usize, step: Duration) -> Self {
        let (ran, stop) = (Arc::<AtomicUsize>::default(), Arc::<AtomicBool>::default());
        let start = |_| {
            let (ran, stop, runtime) = (ran.clone(), stop.clone(), Handle::current());
            thread::spawn(move || {
                let begun = Arc::<AtomicUsize>::default();
                while !stop.load(SeqCst) {
                    if begun.load(SeqCst) == at_once {
                        thread::sleep(Duration::from_micros(50));
                        continue;
                    }
                    begun.fetch_add(1, SeqCst);
                    let (begun, ran) = (begun.clone(), ran.clone());
                    runtime.spawn(async move {
                        compute_for(step);
                        ran.fetch_add(1, SeqCst);
                        begun.fetch_sub(1, SeqCst);
                    });
                }
            })
        };
        let threads = (0..threads).map(start).collect();
        Streams { ran, stop, threads }
    }

    fn ran(&self) -> usize {
        self.ran.load(SeqCst)
    }
}

impl Drop for Streams {
    fn drop(&mut self) {
        self.stop.store(true, SeqCst);
        self.threads.drain(..).for_each(|thread| thread.join().unwrap());
    }
}

/// Runs until the others have had `polls` polls, and returns how many of the streams' goroutines ran
/// meanwhile.
async fn beside(others: &Hogs, streams: &Streams, polls: usize) -> usize {
    // Until the runtime knows how long polls are.
    let settled = others.polls() + 10;
    yield_until_polls(others, settled).await;
    // Until the streams' threads have had a core.
    while streams.ran() == 0 {
        gorun::time::sleep(MILLI).await;
    }
    let settled = others.polls();
    let before = streams.ran();
    yield_until_polls(others, settled + polls).await;
    streams.ran() - before
}

async fn yield_until_polls(others: &Hogs, polls: usize) {
    while others.polls() < polls {
        gorun::time::sleep(MILLI).await;
    }
}

/// Above 10 ms a poll counts as stuck, and the others' tasks move between queues.
#[test]
fn short_goroutines_from_outside_wait_for_a_very_long_poll_each() {
    let _watchdog = watchdog();
    let _alone = alone();
    for step in [2 * MILLI, 12 * MILLI, 20 * MILLI] {
        run(1, async {
            let others = Hogs::start(6, step);
            let streams = Streams::start(2, 100, Duration::ZERO);
            let ran = beside(&others, &streams, 30).await;
            assert!(ran > 30 * 8, "{ran} ran beside 30 polls of {step:?}");
        });
    }
}

/// Their tasks are in the injector then, beside those that threads push there.
#[test]
fn goroutines_whose_polls_count_as_stuck_get_the_turns_of_one_thread() {
    let _watchdog = watchdog();
    let _alone = alone();
    run(1, async {
        let others = Hogs::start(10, 20 * MILLI);
        let streams = Streams::start(8, 1, 20 * MILLI);
        let ran = beside(&others, &streams, 20).await;
        assert!(ran < 3 * 20, "{ran} of the threads' ran beside 20 of the others");
        assert!(ran > 20 / 3, "only {ran} of the threads' ran beside 20 of the others");
    });
}

/// The only worker, without a thread to cover for it, gives its queue away each time, and takes it
/// back in a batch when a goroutine yields.
#[test]
fn goroutines_that_block_and_yield_pass_over_one_of_them() {
    let _watchdog = watchdog();
    for goroutines in [3, 5, 7, 9, 10] {
        let one_thread = Builder::new().worker_threads(1).max_threads(1);
        let in_main = async move {
            let counts: Arc<[AtomicUsize]> = (0..goroutines).map(|_| AtomicUsize::new(0)).collect();
            for index in 0..goroutines {
                let counts = counts.clone();
                spawn(async move {
                    loop {
                        blocking(|| ());
                        counts[index].fetch_add(1, SeqCst);
                        yield_now().await;
                    }
                });
            }
            let least = || counts.iter().map(|count| count.load(SeqCst)).min().unwrap();
            let most = || counts.iter().map(|count| count.load(SeqCst)).max().unwrap();
            while most() < 500 {
                gorun::time::sleep(MILLI).await;
            }
            let (least, most) = (least(), most());
            assert!(10 * least > most, "one of {goroutines} ran {least} times, another {most}");
        };
        one_thread.block_on(in_main).unwrap();
    }
}

/// It waits for what it has spawned, so it would for ever if the others were too busy to take that.
#[test]
fn what_a_stuck_goroutine_spawns_waits_for_it_beside_busy_workers() {
    let _watchdog = watchdog();
    for (workers, count) in [(1, 2), (1, 3), (2, 3), (1, 10), (2, 40)] {
        run(workers, async move {
            for _ in 0..2 {
                spawn(async {
                    loop {
                        compute_for(Duration::from_micros(1));
                        yield_now().await;
                    }
                });
            }
            let stuck = spawn(async move {
                // Until another thread covers for this one.
                thread::sleep(50 * MILLI);
                let (tell, told) = mpsc::channel();
                for _ in 0..count {
                    let tell = tell.clone();
                    spawn(async move { tell.send(()).unwrap() });
                }
                (0..count).for_each(|_| told.recv().unwrap());
            });
            stuck.await.unwrap();
        });
    }
}
