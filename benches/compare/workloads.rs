//! Workloads of schedulers, for any runtime. Each is timed from inside and checks its result.

// Recursive ones have to say that they are `Send`.
#![allow(clippy::manual_async_fn)]

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures::channel::oneshot;

use crate::measured::{Measured, timed};
use crate::runtime::{Remote, Runtime};

/// Counts goroutines down, and says when the last one is done.
struct Countdown {
    left: AtomicUsize,
    done: std::sync::Mutex<Option<oneshot::Sender<()>>>,
}

impl Countdown {
    fn new(count: usize) -> (Arc<Self>, oneshot::Receiver<()>) {
        let (done, is_done) = oneshot::channel();
        let left = AtomicUsize::new(count);
        (Arc::new(Countdown { left, done: std::sync::Mutex::new(Some(done)) }), is_done)
    }

    fn count(&self) {
        if self.left.fetch_sub(1, Ordering::AcqRel) == 1 {
            let done = self.done.lock().unwrap().take().expect("the last one comes once");
            let _ = done.send(());
        }
    }
}

async fn spawn_all<R: Runtime>(n: usize) {
    let (countdown, done) = Countdown::new(n);
    for _ in 0..n {
        let countdown = countdown.clone();
        R::detach(async move { countdown.count() });
    }
    done.await.unwrap();
}

/// One goroutine spawns `n` empty ones and waits for all.
pub(crate) fn fan<R: Runtime>(workers: usize, n: usize) -> Measured {
    let took = timed::<R, _>(workers, async move {
        spawn_all::<R>(n).await;
    });
    Measured::per_operation(took, n)
}

/// `n` spawned and joined, 10,000 at a time.
pub(crate) fn join<R: Runtime>(workers: usize, n: usize) -> Measured {
    let batch = n.min(10_000);
    let took = timed::<R, _>(workers, async move {
        let mut sum = 0;
        for _ in 0..n / batch {
            let handles: Vec<_> =
                (0..batch).map(|number| R::spawn(async move { number })).collect();
            for handle in handles {
                sum += handle.await;
            }
        }
        assert_eq!(sum, n / batch * (batch * (batch - 1) / 2));
    });
    Measured::per_operation(took, n / batch * batch)
}

/// One is spawned and awaited, `n` times.
pub(crate) fn one<R: Runtime>(workers: usize, n: usize) -> Measured {
    let took = timed::<R, _>(workers, async move {
        let mut sum = 0;
        for number in 0..n {
            sum += R::spawn(async move { number }).await;
        }
        assert_eq!(sum, n * (n - 1) / 2);
    });
    Measured::per_operation(took, n)
}

fn link<R: Runtime>(left: usize, done: oneshot::Sender<()>) {
    R::detach(async move {
        match left {
            0 => done.send(()).unwrap(),
            _ => link::<R>(left - 1, done),
        }
    });
}

/// Each goroutine spawns the next one.
pub(crate) fn chain<R: Runtime>(workers: usize, n: usize) -> Measured {
    let took = timed::<R, _>(workers, async move {
        let (done, is_done) = oneshot::channel();
        link::<R>(n, done);
        is_done.await.unwrap();
    });
    Measured::per_operation(took, n)
}

/// `tasks` goroutines yield `yields` times each.
async fn yield_all<R: Runtime>(tasks: usize, yields: usize) {
    let (countdown, done) = Countdown::new(tasks);
    for _ in 0..tasks {
        let countdown = countdown.clone();
        R::detach(async move {
            for _ in 0..yields {
                R::yield_now().await;
            }
            countdown.count();
        });
    }
    done.await.unwrap();
}

/// 1,000 goroutines yield `n / 1,000` times each.
pub(crate) fn yielding<R: Runtime>(workers: usize, n: usize) -> Measured {
    let tasks = n.min(1_000);
    let took = timed::<R, _>(workers, async move { yield_all::<R>(tasks, n / tasks).await });
    Measured::per_operation(took, n / tasks * tasks)
}

fn tree<R: Runtime>(first: usize, leaves: usize) -> impl Future<Output = usize> + Send {
    async move {
        if leaves == 1 {
            return first;
        }
        assert!(leaves.is_multiple_of(10), "the size must be a power of ten");
        let share = leaves / 10;
        let children: Vec<_> =
            (0..10).map(|child| R::spawn(tree::<R>(first + child * share, share))).collect();
        let mut sum = 0;
        for child in children {
            sum += child.await;
        }
        sum
    }
}

/// A tree of goroutines, ten children each, adds up the numbers of its `n` leaves.
pub(crate) fn skynet<R: Runtime>(workers: usize, n: usize) -> Measured {
    let took = timed::<R, _>(workers, async move {
        assert_eq!(R::spawn(tree::<R>(0, n)).await, n * (n - 1) / 2);
    });
    Measured::per_operation(took, n)
}

/// `threads` threads of their own spawn `n` goroutines together.
fn remote<R: Runtime>(workers: usize, n: usize, threads: usize) -> Measured {
    let share = n / threads;
    let took = R::block_on(workers, async move {
        let (countdown, done) = Countdown::new(share * threads);
        let remote = R::remote();
        let start = Instant::now();
        let spawners: Vec<_> = (0..threads)
            .map(|_| {
                let (remote, countdown) = (remote.clone(), countdown.clone());
                std::thread::spawn(move || {
                    for _ in 0..share {
                        let countdown = countdown.clone();
                        remote.detach(async move { countdown.count() });
                    }
                })
            })
            .collect();
        done.await.unwrap();
        let took = start.elapsed();
        spawners.into_iter().for_each(|spawner| spawner.join().unwrap());
        took
    });
    Measured::per_operation(took, share * threads)
}

pub(crate) fn remote_1<R: Runtime>(workers: usize, n: usize) -> Measured {
    remote::<R>(workers, n, 1)
}

pub(crate) fn remote_8<R: Runtime>(workers: usize, n: usize) -> Measured {
    remote::<R>(workers, n, 8)
}

/// Round trips between the main future and a goroutine.
pub(crate) fn main_round_trip<R: Runtime>(workers: usize, n: usize) -> Measured {
    let took = R::block_on(workers, async move {
        let (to, from_main) = async_channel::bounded::<usize>(1);
        let (back, from_there) = async_channel::bounded::<usize>(1);
        R::detach(async move {
            while let Ok(value) = from_main.recv().await {
                back.send(value + 1).await.unwrap();
            }
        });
        let start = Instant::now();
        for round in 0..n {
            to.send(round).await.unwrap();
            assert_eq!(from_there.recv().await.unwrap(), round + 1);
        }
        start.elapsed()
    });
    Measured::per_operation(took, n)
}

/// How long it takes until a goroutine runs that a thread of its own has woken, on a runtime that
/// has nothing else to do: the median, and the 99th of a hundred, in microseconds.
pub(crate) fn wake<R: Runtime>(workers: usize, n: usize) -> Measured {
    Measured::delays(R::block_on(workers, wakes::<R>(n)))
}

/// So many goroutines for each worker keep it busy.
const BUSY: usize = 8;

/// As `wake`, beside goroutines that compute for `turn` and yield, in turn: the 99th of a hundred,
/// and the 999th of a thousand.
fn tail<R: Runtime>(workers: usize, n: usize, turn: Duration) -> Measured {
    Measured::tail(R::block_on(workers, async move {
        let is_over = Arc::new(AtomicBool::new(false));
        for _ in 0..BUSY * workers {
            let is_over = is_over.clone();
            R::detach(async move {
                while !is_over.load(Ordering::Relaxed) {
                    let start = Instant::now();
                    while start.elapsed() < turn {
                        std::hint::spin_loop();
                    }
                    R::yield_now().await;
                }
            });
        }
        let delays = wakes::<R>(n).await;
        is_over.store(true, Ordering::Relaxed);
        delays
    }))
}

pub(crate) fn tail_short<R: Runtime>(workers: usize, n: usize) -> Measured {
    tail::<R>(workers, n, Duration::from_micros(10))
}

pub(crate) fn tail_long<R: Runtime>(workers: usize, n: usize) -> Measured {
    tail::<R>(workers, n, Duration::from_micros(100))
}

/// How long it takes until a goroutine runs that a thread of its own has woken, each time.
async fn wakes<R: Runtime>(n: usize) -> Vec<Duration> {
    let (wake, woken) = async_channel::bounded::<Instant>(1);
    let (tell, told) = std::sync::mpsc::channel();
    R::detach(async move {
        while let Ok(sent) = woken.recv().await {
            tell.send(sent.elapsed()).unwrap();
        }
    });
    let waker = std::thread::spawn(move || {
        (0..n)
            .map(|_| {
                // Long enough for workers that have nothing to do to fall asleep.
                std::thread::sleep(Duration::from_micros(100));
                wake.try_send(Instant::now()).unwrap();
                told.recv().unwrap()
            })
            .collect::<Vec<Duration>>()
    });
    // Main has nothing to do either.
    let (done, is_done) = oneshot::channel();
    std::thread::spawn(move || done.send(waker.join().unwrap()).unwrap());
    is_done.await.unwrap()
}

/// Leaves about a microsecond of work for each goroutine.
const CUTOFF: u32 = 12;

fn fib(n: u32) -> u64 {
    if n < 2 { n.into() } else { fib(n - 1) + fib(n - 2) }
}

fn forked_fib<R: Runtime>(n: u32) -> impl Future<Output = u64> + Send {
    async move {
        if n <= CUTOFF {
            return fib(std::hint::black_box(n));
        }
        let left = R::spawn(boxed(forked_fib::<R>(n - 1)));
        let right = boxed(forked_fib::<R>(n - 2)).await;
        left.await + right
    }
}

fn boxed<T>(
    future: impl Future<Output = T> + Send + 'static,
) -> std::pin::Pin<Box<dyn Future<Output = T> + Send>> {
    Box::pin(future)
}

/// fib(`n`), forked: how many times as fast as one thread without goroutines.
pub(crate) fn forkjoin<R: Runtime>(workers: usize, n: usize) -> Measured {
    let n = n as u32;
    let start = Instant::now();
    let expected = fib(std::hint::black_box(n));
    let alone = start.elapsed();
    let took = timed::<R, _>(workers, async move {
        assert_eq!(forked_fib::<R>(n).await, expected);
    });
    Measured { value: alone.as_secs_f64() / took.as_secs_f64(), second: None }
}

// The sizes of tokio's own benchmark. Main waits, as it does there.

/// 10,000 spawned by main.
pub(crate) fn spawn_many<R: Runtime>(workers: usize, n: usize) -> Measured {
    let batch = n.min(10_000);
    let took = R::block_on(workers, async move {
        let start = Instant::now();
        for _ in 0..n / batch {
            spawn_all::<R>(batch).await;
        }
        start.elapsed()
    });
    Measured::per_operation(took, n / batch * batch)
}

/// 200 goroutines, spawned by main, yield 1,000 times each.
pub(crate) fn yield_many<R: Runtime>(workers: usize, n: usize) -> Measured {
    let (tasks, yields) = (200.min(n), 1_000.min(n));
    let rounds = (n / (tasks * yields)).max(1);
    let took = R::block_on(workers, async move {
        let start = Instant::now();
        for _ in 0..rounds {
            yield_all::<R>(tasks, yields).await;
        }
        start.elapsed()
    });
    Measured::per_operation(took, rounds * tasks * yields)
}

/// 1,000 pairs of goroutines pass a value back and forth once.
pub(crate) fn ping_pong<R: Runtime>(workers: usize, n: usize) -> Measured {
    let pings = n.min(1_000);
    let took = R::block_on(workers, async move {
        let start = Instant::now();
        for _ in 0..n / pings {
            let (countdown, done) = Countdown::new(pings);
            R::detach(async move {
                for _ in 0..pings {
                    let countdown = countdown.clone();
                    R::detach(async move {
                        let (to, from_here) = oneshot::channel();
                        let (back, from_there) = oneshot::channel();
                        R::detach(async move {
                            from_here.await.unwrap();
                            back.send(()).unwrap();
                        });
                        to.send(()).unwrap();
                        from_there.await.unwrap();
                        countdown.count();
                    });
                }
            });
            done.await.unwrap();
        }
        start.elapsed()
    });
    Measured::per_operation(took, n / pings * pings)
}

/// Chains of 1,000 goroutines, each of which spawns the next.
pub(crate) fn chained_spawn<R: Runtime>(workers: usize, n: usize) -> Measured {
    let length = n.min(1_000);
    let took = R::block_on(workers, async move {
        let start = Instant::now();
        for _ in 0..n / length {
            let (done, is_done) = oneshot::channel();
            R::detach(async move { link::<R>(length, done) });
            is_done.await.unwrap();
        }
        start.elapsed()
    });
    Measured::per_operation(took, n / length * length)
}
