//! Workloads at growing sizes, of gorun alone: does a goroutine, a timer, a channel cost more where
//! there are more of them?

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use gorun::time::sleep_until;
use gorun::{Receiver, Sender, channel, spawn, yield_now};

use crate::memory::resident_bytes;
use crate::runtime::{Gorun, Runtime};

pub(crate) struct Growing {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    /// What is measured of each goroutine, with its unit.
    pub(crate) measures: &'static [&'static str],
    /// The first is the one that the largest is compared with.
    pub(crate) sizes: &'static [usize],
    pub(crate) tiny: &'static [usize],
    /// `fn(workers, size)`; a figure for each of the measures.
    pub(crate) run: fn(usize, usize) -> Vec<f64>,
}

pub(crate) const GROWING: [Growing; 4] = [
    Growing {
        name: "scale-parked",
        about: "goroutines that each wait at a channel of their own; then all are sent a value",
        measures: &["spawn and park, ns", "wake, ns", "join, ns", "all of it, ns", "memory, bytes"],
        sizes: &[50_000, 1_000_000, 5_000_000],
        tiny: &[500, 2_000],
        run: parked,
    },
    Growing {
        name: "scale-sleeping",
        about: "goroutines that sleep, one of which wakes up each microsecond",
        measures: &[
            "spawn and sleep, ns",
            "wake up and join, ns of CPU",
            "both together, ns",
            "lateness in the median, µs",
            "memory, bytes",
        ],
        sizes: &[50_000, 1_000_000],
        tiny: &[500, 2_000],
        run: sleeping,
    },
    Growing {
        name: "scale-aborted",
        about: "goroutines that sleep for an hour, and are aborted",
        measures: &["spawn and sleep, ns", "abort, ns", "join, ns", "all of it, ns"],
        sizes: &[50_000, 1_000_000],
        tiny: &[500, 2_000],
        run: aborted,
    },
    Growing {
        name: "scale-ring",
        about: "goroutines in a ring, with a channel from each to the next, pass a value round",
        measures: &[
            "spawn and park, ns",
            "close and join, ns",
            "both together, ns",
            "a hop, ns",
            "memory, bytes",
        ],
        sizes: &[1_000, 100_000],
        tiny: &[100, 1_000],
        run: ring,
    },
];

pub(crate) fn growing(name: &str) -> Option<&'static Growing> {
    GROWING.iter().find(|growing| growing.name == name)
}

/// Counts goroutines that are about to wait, so that their maker knows when all of them do.
#[derive(Clone)]
struct Arrivals(Arc<AtomicUsize>);

impl Arrivals {
    fn new() -> Self {
        Arrivals(Arc::new(AtomicUsize::new(0)))
    }

    fn count(&self) {
        self.0.fetch_add(1, Ordering::AcqRel);
    }

    async fn all(&self, expected: usize) {
        while self.0.load(Ordering::Acquire) != expected {
            yield_now().await;
        }
    }
}

/// Resident memory, when those that have arrived last wait indeed.
fn settled_bytes() -> usize {
    thread::sleep(Duration::from_millis(20));
    resident_bytes()
}

/// Runs `root` as a goroutine, so that main's thread has no part in it.
fn as_goroutine<F>(workers: usize, root: F) -> F::Output
where
    F: Future<Output: Send> + Send + 'static,
{
    Gorun::block_on(workers, async { spawn(root).await.unwrap() })
}

fn each(total: Duration, n: usize) -> f64 {
    total.as_secs_f64() * 1e9 / n as f64
}

fn parked(workers: usize, n: usize) -> Vec<f64> {
    as_goroutine(workers, async move {
        let arrivals = Arrivals::new();
        let before = resident_bytes();
        let start = Instant::now();
        let mut senders = Vec::with_capacity(n);
        let mut handles = Vec::with_capacity(n);
        for _ in 0..n {
            let (sender, receiver) = channel(1);
            senders.push(sender);
            let arrivals = arrivals.clone();
            handles.push(spawn(async move {
                arrivals.count();
                receiver.recv().await
            }));
        }
        arrivals.all(n).await;
        let spawning = start.elapsed();
        let bytes = settled_bytes() - before;

        let start = Instant::now();
        for (number, sender) in senders.iter().enumerate() {
            sender.try_send(number).unwrap();
        }
        let waking = start.elapsed();

        let start = Instant::now();
        let mut sum = 0;
        // The senders too, so that the channels are freed.
        for (handle, _sender) in handles.into_iter().zip(senders) {
            sum += handle.await.unwrap().unwrap();
        }
        let joining = start.elapsed();
        assert_eq!(sum, n * (n - 1) / 2);

        let stages = [spawning, waking, joining, spawning + waking + joining];
        let bytes = bytes as f64 / n as f64;
        stages.into_iter().map(|stage| each(stage, n)).chain([bytes]).collect()
    })
}

fn sleeping(workers: usize, n: usize) -> Vec<f64> {
    as_goroutine(workers, async move {
        let arrivals = Arrivals::new();
        let before = resident_bytes();
        let start = Instant::now();
        // Long enough to spawn all of them before the first wakes up.
        let first = start + Duration::from_millis(500) + n as u32 * Duration::from_micros(4);
        let mut handles = Vec::with_capacity(n);
        for number in 0..n as u64 {
            // In no order. The factor is prime, so each has a deadline of its own.
            let deadline = first + Duration::from_micros(number * 7919 % n as u64);
            let arrivals = arrivals.clone();
            handles.push(spawn(async move {
                arrivals.count();
                sleep_until(deadline).await;
                deadline.elapsed()
            }));
        }
        arrivals.all(n).await;
        let spawning = start.elapsed();
        let bytes = settled_bytes() - before;
        // If the machine is so slow that some have woken up already, there is no figure.
        let is_in_time = Instant::now() < first;

        let before = cpu_time();
        let mut lateness = Vec::with_capacity(n);
        for handle in handles {
            lateness.push(handle.await.unwrap());
        }
        let waking = if is_in_time { each(cpu_time() - before, n) } else { f64::NAN };
        lateness.sort();
        let late = lateness[n / 2].as_secs_f64() * 1e6;
        let spawning = each(spawning, n);
        vec![spawning, waking, spawning + waking, late, bytes as f64 / n as f64]
    })
}

fn aborted(workers: usize, n: usize) -> Vec<f64> {
    as_goroutine(workers, async move {
        let arrivals = Arrivals::new();
        let start = Instant::now();
        let hour = start + Duration::from_secs(3600);
        let mut handles = Vec::with_capacity(n);
        for number in 0..n as u64 {
            let deadline = hour + Duration::from_micros(number * 7919 % n as u64);
            let arrivals = arrivals.clone();
            handles.push(spawn(async move {
                arrivals.count();
                sleep_until(deadline).await;
            }));
        }
        arrivals.all(n).await;
        let spawning = start.elapsed();

        let start = Instant::now();
        handles.iter().for_each(|handle| handle.abort());
        let aborting = start.elapsed();

        let start = Instant::now();
        for handle in handles {
            assert!(handle.await.unwrap_err().is_cancelled());
        }
        let joining = start.elapsed();
        let stages = [spawning, aborting, joining, spawning + aborting + joining];
        stages.into_iter().map(|stage| each(stage, n)).collect()
    })
}

/// As many hops, however many channels they go through.
const HOPS: usize = 1_000_000;

fn ring(workers: usize, n: usize) -> Vec<f64> {
    let hops = HOPS.min(n * 1_000);
    as_goroutine(workers, async move {
        let arrivals = Arrivals::new();
        let (report, reported) = channel(1);
        let before = resident_bytes();
        let start = Instant::now();
        let (mut senders, receivers): (Vec<_>, Vec<_>) = (0..n).map(|_| channel(1)).unzip();
        let first = senders[0].clone();
        senders.rotate_left(1);
        let handles: Vec<_> = senders
            .into_iter()
            .zip(receivers)
            .map(|(next, own)| spawn(pass(own, next, arrivals.clone(), report.clone())))
            .collect();
        arrivals.all(n).await;
        let spawning = start.elapsed();
        let bytes = settled_bytes() - before;

        let start = Instant::now();
        first.send(hops).await.unwrap();
        reported.recv().await.unwrap();
        let passing = start.elapsed();

        // The one that reported has closed the next one's channel by ending, and so on.
        let start = Instant::now();
        drop(first);
        for handle in handles {
            handle.await.unwrap();
        }
        let closing = start.elapsed();
        let stages = [spawning, closing, spawning + closing].map(|stage| each(stage, n));
        stages.into_iter().chain([each(passing, hops), bytes as f64 / n as f64]).collect()
    })
}

/// Passes on how many hops are left.
async fn pass(own: Receiver<usize>, next: Sender<usize>, arrivals: Arrivals, report: Sender<()>) {
    arrivals.count();
    while let Some(left) = own.recv().await {
        if left == 0 {
            report.send(()).await.unwrap();
            return;
        }
        next.send(left - 1).await.unwrap();
    }
}

/// How long all threads of this process together have run.
#[cfg(target_os = "linux")]
fn cpu_time() -> Duration {
    let threads = std::fs::read_dir("/proc/self/task").unwrap();
    let nanoseconds = threads.map(|thread| {
        // Not there if the thread has ended meanwhile.
        let times = std::fs::read_to_string(thread.unwrap().path().join("schedstat"));
        let times = times.unwrap_or_default();
        times.split_whitespace().next().map_or(0, |time| time.parse::<u64>().unwrap())
    });
    Duration::from_nanos(nanoseconds.sum())
}

#[cfg(not(target_os = "linux"))]
fn cpu_time() -> Duration {
    Duration::ZERO
}
