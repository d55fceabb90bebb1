//! `cargo bench --bench simulation`: how many steps a second simulated runs take, beside `shuttle`.
//!
//! The programs are the same, but for the names of what each crate has in place of the others'. A step is a
//! poll here, and there a decision of its scheduler, as it counts them: one at each operation. So what to
//! compare is the time of a whole run.

use std::time::{Duration, Instant};

use gorun::sim::Sim;

/// Runs of one kind take so long at least.
const LEAST: Duration = Duration::from_millis(500);

/// Of each there are so many, in turn with the other crate's. The median counts.
const ROUNDS: usize = 9;

/// Goroutines of a program, and how often each does what it does.
const GOROUTINES: usize = 10;
const TIMES: usize = 100;

mod on_gorun {
    use gorun::sync::Mutex;
    use gorun::{channel, spawn, yield_now};
    use std::sync::Arc;

    use super::{GOROUTINES, TIMES};

    pub(super) async fn yields() {
        let goroutine = |_| {
            spawn(async {
                for _ in 0..TIMES {
                    yield_now().await;
                }
            })
        };
        let all: Vec<_> = (0..GOROUTINES).map(goroutine).collect();
        for handle in all {
            handle.await.unwrap();
        }
    }

    pub(super) async fn lock() {
        let count = Arc::new(Mutex::new(0));
        let goroutine = |_| {
            let count = count.clone();
            spawn(async move {
                for _ in 0..TIMES {
                    *count.lock().await += 1;
                    yield_now().await;
                }
            })
        };
        let all: Vec<_> = (0..GOROUTINES).map(goroutine).collect();
        for handle in all {
            handle.await.unwrap();
        }
    }

    pub(super) async fn pipeline() {
        let (tx, rx) = channel(1);
        let sender = spawn(async move {
            for n in 0..GOROUTINES * TIMES {
                tx.send(n).await.unwrap();
            }
        });
        let receiver = spawn(async move { while rx.recv().await.is_some() {} });
        sender.await.unwrap();
        receiver.await.unwrap();
    }

    pub(super) async fn nothing() {}
}

mod on_shuttle {
    use std::sync::Arc;

    use shuttle::future::{
        batch_semaphore::{BatchSemaphore, Fairness},
        block_on, spawn, yield_now,
    };
    use shuttle::sync::{Mutex, mpsc::sync_channel};
    use shuttle::thread;

    use super::{GOROUTINES, TIMES};

    pub(super) fn yields() {
        block_on(async {
            let goroutine = |_| {
                spawn(async {
                    for _ in 0..TIMES {
                        yield_now().await;
                    }
                })
            };
            let all: Vec<_> = (0..GOROUTINES).map(goroutine).collect();
            for handle in all {
                handle.await.unwrap();
            }
        });
    }

    /// Its lock for futures, which is a semaphore.
    pub(super) fn lock() {
        block_on(async {
            let lock = Arc::new(BatchSemaphore::new(1, Fairness::StrictlyFair));
            let count = Arc::new(Mutex::new(0));
            let goroutine = |_| {
                let (lock, count) = (lock.clone(), count.clone());
                spawn(async move {
                    for _ in 0..TIMES {
                        lock.acquire(1).await.unwrap();
                        *count.lock().unwrap() += 1;
                        lock.release(1);
                        yield_now().await;
                    }
                })
            };
            let all: Vec<_> = (0..GOROUTINES).map(goroutine).collect();
            for handle in all {
                handle.await.unwrap();
            }
        });
    }

    /// Its channels are for threads alone.
    pub(super) fn pipeline() {
        let (tx, rx) = sync_channel(1);
        let sender = thread::spawn(move || {
            for n in 0..GOROUTINES * TIMES {
                tx.send(n).unwrap();
            }
        });
        let receiver = thread::spawn(move || while rx.recv().is_ok() {});
        sender.join().unwrap();
        receiver.join().unwrap();
    }

    pub(super) fn nothing() {}
}

/// Schedules of gorun, and their steps, in about `LEAST`.
fn explore<M: Future>(schedules: u64, main: fn() -> M) -> u64 {
    Sim::new().schedules(schedules).step_limit(u64::MAX).check(main).steps
}

fn timed(f: impl FnOnce()) -> Duration {
    let start = Instant::now();
    f();
    start.elapsed()
}

/// How many schedules take about `LEAST`.
fn enough(mut run: impl FnMut(usize)) -> usize {
    let mut schedules = 1;
    while timed(|| run(schedules)) < LEAST {
        schedules *= 2;
    }
    schedules
}

fn compare<M: Future>(name: &str, on_gorun: fn() -> M, on_shuttle: fn()) {
    let own = |schedules| _ = explore(schedules as u64, on_gorun);
    let theirs = |schedules| shuttle::check_random(on_shuttle, schedules);
    let (own_count, their_count) = (enough(own), enough(theirs));
    let steps = explore(own_count as u64, on_gorun) as f64 / own_count as f64;
    let mut rounds: Vec<_> = (0..ROUNDS)
        .map(|_| {
            let of = |time: Duration, count| time.as_secs_f64() / count as f64;
            let own = of(timed(|| own(own_count)), own_count);
            let theirs = of(timed(|| theirs(their_count)), their_count);
            (own, theirs)
        })
        .collect();
    rounds.sort_by(|one, other| (one.1 / one.0).total_cmp(&(other.1 / other.0)));
    let (own, theirs) = rounds[ROUNDS / 2];
    println!(
        "{name:10} {:9.1} µs a schedule, {:5.2} million steps a second; shuttle {:9.1} µs, {:5.2} times as long",
        own * 1e6,
        steps / own / 1e6,
        theirs * 1e6,
        theirs / own,
    );
}

fn main() {
    compare("yields", on_gorun::yields, on_shuttle::yields);
    compare("lock", on_gorun::lock, on_shuttle::lock);
    compare("pipeline", on_gorun::pipeline, on_shuttle::pipeline);
    compare("nothing", on_gorun::nothing, on_shuttle::nothing);
}
