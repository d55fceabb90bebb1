//! How late a goroutine is while others hold the workers: how far is its turn from the fair one?
//!
//! Hogs compute for a few milliseconds at a time and yield in between, or never give way at all. Each
//! run of a workload measures one kind of lateness beside them, and returns all of its samples, so
//! that the samples of all rounds can be sorted together.

use std::hint;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use futures::channel::oneshot;

use crate::channel::{self, AsyncChannel, Channel, Outcome, Receiver, Sender};
use crate::peer::Peer;
use crate::runtime::{AsyncExecutor, Gorun, Remote, Runtime, Tokio, TokioWithTime};
use crate::sleeps::Sleep;

/// What the workers have to do, and how often the lateness is measured beside it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load {
    pub(crate) workers: usize,
    pub(crate) samples: usize,
    pub(crate) hogs: usize,
    /// How long a hog computes before it yields. Zero: it never gives way.
    pub(crate) step: Duration,
}

impl Load {
    /// After how long everybody has had a turn, if the hogs are shared out evenly.
    pub(crate) fn fair_turn(&self) -> Option<Duration> {
        (!self.step.is_zero()).then(|| self.hogs_each() * self.step)
    }

    fn hogs_each(&self) -> u32 {
        self.hogs.div_ceil(self.workers) as u32
    }

    /// A process ends after that, with fewer samples, where a runtime is so late that it would take hours.
    fn limit(&self) -> Duration {
        let turn = self.fair_turn().unwrap_or(self.hogs_each() * NAP);
        Duration::from_millis(500) + self.samples as u32 * (5 * turn + NAP)
    }
}

/// The loads of a workload: all of these with all of those.
pub(crate) struct Grid {
    pub(crate) workers: &'static [usize],
    pub(crate) hogs: &'static [usize],
    /// In milliseconds.
    pub(crate) steps: &'static [usize],
    /// For each load, of all rounds together.
    pub(crate) samples: usize,
}

pub(crate) struct Fairness {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    pub(crate) full: &'static Grid,
    pub(crate) quick: &'static Grid,
    pub(crate) tiny: &'static Grid,
    /// Who runs it, and how. Go runs it in a program of its own.
    pub(crate) by: &'static [(Peer, Run)],
}

impl Fairness {
    pub(crate) fn runs_on(&self, peer: Peer) -> bool {
        self.by.iter().any(|&(by, _)| by == peer)
    }

    /// Runs it in this process.
    pub(crate) fn run(&self, peer: Peer, load: Load) -> Vec<Duration> {
        let (_, run) = self.by.iter().find(|&&(by, _)| by == peer).expect("a peer that runs it");
        run(load)
    }
}

/// Returns every sample of one run.
type Run = fn(Load) -> Vec<Duration>;

const IN_GO: (Peer, Run) = (Peer::Go, |_| unreachable!("Go has its own process"));

const fn beside_yielding(
    name: &'static str,
    about: &'static str,
    by: &'static [(Peer, Run)],
) -> Fairness {
    Fairness {
        name,
        about,
        full: &Grid {
            workers: &[1, 2, 4],
            hogs: &[2, 3, 8, 16],
            steps: &[1, 5, 20],
            samples: 2_000,
        },
        quick: &Grid { workers: &[1, 2], hogs: &[8], steps: &[5], samples: 100 },
        tiny: &Grid { workers: &[2], hogs: &[4], steps: &[1], samples: 5 },
        by,
    }
}

const fn beside_spinning(
    name: &'static str,
    about: &'static str,
    by: &'static [(Peer, Run)],
) -> Fairness {
    Fairness {
        name,
        about,
        full: &Grid { workers: &[2], hogs: &[32], steps: &[0], samples: 500 },
        quick: &Grid { workers: &[2], hogs: &[32], steps: &[0], samples: 50 },
        tiny: &Grid { workers: &[2], hogs: &[4], steps: &[0], samples: 2 },
        by,
    }
}

pub(crate) const FAIRNESS: [Fairness; 8] = [
    beside_yielding(
        "fairness-main",
        "woken by main, through a channel (each runtime's own)",
        &[
            (Peer::Gorun, woken_by_main::<Gorun, channel::Gorun>),
            IN_GO,
            (Peer::Tokio, woken_by_main::<Tokio, channel::Tokio>),
            (Peer::AsyncExecutor, woken_by_main::<AsyncExecutor, AsyncChannel>),
        ],
    ),
    beside_yielding(
        "fairness-thread",
        "woken by a thread of its own (async-channel; Go's own)",
        &[
            (Peer::Gorun, woken_by_a_thread::<Gorun>),
            IN_GO,
            (Peer::Tokio, woken_by_a_thread::<Tokio>),
            (Peer::AsyncExecutor, woken_by_a_thread::<AsyncExecutor>),
        ],
    ),
    beside_yielding(
        "fairness-timer",
        "woken by a timer, from a sleep of 1 ms",
        &[
            (Peer::Gorun, woken_by_a_timer::<Gorun>),
            IN_GO,
            (Peer::Tokio, woken_by_a_timer::<TokioWithTime>),
        ],
    ),
    beside_yielding(
        "fairness-spawn",
        "spawned by a thread of its own",
        &[
            (Peer::Gorun, spawned_by_a_thread::<Gorun>),
            IN_GO,
            (Peer::Tokio, spawned_by_a_thread::<Tokio>),
            (Peer::AsyncExecutor, spawned_by_a_thread::<AsyncExecutor>),
        ],
    ),
    beside_spinning(
        "fairness-spin-main",
        "main, from a sleep of 10 ms; the others spin and never give way",
        &[
            (Peer::Gorun, |load| main_naps(load, spin)),
            IN_GO,
            (Peer::Threads, |load| a_thread_naps(load, spin)),
        ],
    ),
    beside_spinning(
        "fairness-spin-nap",
        "a goroutine, from a sleep of 10 ms; the others likewise",
        &[(Peer::Gorun, |load| a_goroutine_naps(load, spin)), IN_GO],
    ),
    beside_spinning(
        "fairness-select-main",
        "main, from a sleep of 10 ms; the others make timers, in a select with `default`",
        &[
            (Peer::Gorun, |load| main_naps(load, make_timers)),
            IN_GO,
            (Peer::Threads, |load| a_thread_naps(load, make_timers)),
        ],
    ),
    beside_spinning(
        "fairness-select-nap",
        "a goroutine, from a sleep of 10 ms; the others likewise",
        &[(Peer::Gorun, |load| a_goroutine_naps(load, make_timers)), IN_GO],
    ),
];

pub(crate) fn fairness(name: &str) -> Option<&'static Fairness> {
    FAIRNESS.iter().find(|fairness| fairness.name == name)
}

/// Hogs, which end when this is dropped, or else at the limit.
struct Hogs {
    load: Load,
    are_over: Arc<AtomicBool>,
    _until_dropped: mpsc::Sender<()>,
}

impl Hogs {
    /// Spawns them, in the runtime inside which it is called.
    fn spawn<R: Runtime, F>(load: Load, hog: impl Fn(Arc<AtomicBool>) -> F) -> Hogs
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let are_over = Arc::new(AtomicBool::new(false));
        let (until_dropped, is_dropped) = mpsc::channel();
        let limit = load.limit();
        thread::spawn({
            let are_over = are_over.clone();
            move || {
                let _ = is_dropped.recv_timeout(limit);
                are_over.store(true, Ordering::Relaxed);
            }
        });
        for _ in 0..load.hogs {
            R::detach(hog(are_over.clone()));
        }
        Hogs { load, are_over, _until_dropped: until_dropped }
    }

    fn yielding<R: Runtime>(load: Load) -> Hogs {
        Hogs::spawn::<R, _>(load, |are_over| async move {
            while !are_over.load(Ordering::Relaxed) {
                let start = Instant::now();
                while start.elapsed() < load.step {
                    hint::spin_loop();
                }
                R::yield_now().await;
            }
        })
    }

    /// Whether there are fewer samples than there should be. At the limit one is enough: that one has
    /// waited for the hogs to end.
    fn wants_more_than(&self, lateness: &[Duration]) -> bool {
        let is_over = self.are_over.load(Ordering::Relaxed);
        lateness.is_empty() || (lateness.len() < self.load.samples && !is_over)
    }

    /// How long to wait before the next sample: one to two steps, in no order, so that the samples
    /// fall anywhere in a hog's step.
    fn pause_after(&self, lateness: &[Duration]) -> Duration {
        let parts = lateness.len() as u32 * 7919 % 1000;
        self.load.step + self.load.step * parts / 1000
    }

    /// Takes samples on a thread of its own. `wake` says when the goroutine ran.
    async fn beside_a_thread(
        self,
        mut wake: impl FnMut() -> Instant + Send + 'static,
    ) -> Vec<Duration> {
        let (done, is_done) = oneshot::channel();
        thread::spawn(move || {
            let mut lateness = Vec::new();
            while self.wants_more_than(&lateness) {
                thread::sleep(self.pause_after(&lateness));
                let now = Instant::now();
                lateness.push(wake() - now);
            }
            done.send(lateness).unwrap();
        });
        is_done.await.unwrap()
    }
}

fn woken_by_main<R: Runtime, C: Channel<Instant>>(load: Load) -> Vec<Duration> {
    R::block_on(load.workers, async {
        let (wake, mut woken) = C::open(1);
        let (tell, mut told) = C::open(1);
        R::detach(async move {
            while woken.recv().await.value().is_some() {
                tell.send(Instant::now()).await.value().unwrap();
            }
        });
        let mut exchange = async || {
            let now = Instant::now();
            wake.send(now).await.value().unwrap();
            told.recv().await.value().unwrap() - now
        };
        // So that it waits before there are hogs.
        exchange().await;
        let hogs = Hogs::yielding::<R>(load);
        let mut lateness = Vec::new();
        while hogs.wants_more_than(&lateness) {
            // Main's thread is main's alone.
            thread::sleep(hogs.pause_after(&lateness));
            lateness.push(exchange().await);
        }
        lateness
    })
}

fn woken_by_a_thread<R: Runtime>(load: Load) -> Vec<Duration> {
    R::block_on(load.workers, async {
        let (wake, woken) = async_channel::bounded(1);
        let (tell, told) = mpsc::channel();
        R::detach(async move {
            while woken.recv().await.is_ok() {
                tell.send(Instant::now()).unwrap();
            }
        });
        let exchange = move || {
            wake.try_send(()).unwrap();
            told.recv().unwrap()
        };
        exchange();
        Hogs::yielding::<R>(load).beside_a_thread(exchange).await
    })
}

fn spawned_by_a_thread<R: Runtime>(load: Load) -> Vec<Duration> {
    R::block_on(load.workers, async {
        let remote = R::remote();
        let spawn = move || {
            let (tell, told) = mpsc::channel();
            remote.detach(async move { tell.send(Instant::now()).unwrap() });
            told.recv().unwrap()
        };
        Hogs::yielding::<R>(load).beside_a_thread(spawn).await
    })
}

fn woken_by_a_timer<R: Sleep>(load: Load) -> Vec<Duration> {
    R::block_on(load.workers, async move {
        // It spawns the hogs itself, and so does not have to wait for its first turn behind them.
        let sleeper =
            async move { naps::<R>(Hogs::yielding::<R>(load), Duration::from_millis(1)).await };
        R::spawn(sleeper).await
    })
}

/// How late a goroutine, or main, is each time it sleeps so long.
async fn naps<R: Sleep>(hogs: Hogs, nap: Duration) -> Vec<Duration> {
    let mut lateness = Vec::new();
    while hogs.wants_more_than(&lateness) {
        let due = Instant::now() + nap;
        R::sleep(nap).await;
        lateness.push(due.elapsed());
    }
    lateness
}

/// How long those sleep that are beside hogs that never give way.
const NAP: Duration = Duration::from_millis(10);

async fn spin(are_over: Arc<AtomicBool>) {
    while !are_over.load(Ordering::Relaxed) {
        hint::spin_loop();
    }
}

async fn make_timers(are_over: Arc<AtomicBool>) {
    while !are_over.load(Ordering::Relaxed) {
        gorun::select! {
            _ = gorun::time::sleep(Duration::from_millis(1)) => {},
            default => {},
        }
    }
}

fn main_naps<F>(load: Load, hog: fn(Arc<AtomicBool>) -> F) -> Vec<Duration>
where
    F: Future<Output = ()> + Send + 'static,
{
    Gorun::block_on(load.workers, async {
        naps::<Gorun>(Hogs::spawn::<Gorun, _>(load, hog), NAP).await
    })
}

fn a_goroutine_naps<F>(load: Load, hog: fn(Arc<AtomicBool>) -> F) -> Vec<Duration>
where
    F: Future<Output = ()> + Send + 'static,
{
    Gorun::block_on(load.workers, async {
        let sleeper = async move { naps::<Gorun>(Hogs::spawn::<Gorun, _>(load, hog), NAP).await };
        Gorun::spawn(sleeper).await
    })
}

/// A plain thread beside gorun's: what the machine itself takes in that company, whoever sleeps.
fn a_thread_naps<F>(load: Load, hog: fn(Arc<AtomicBool>) -> F) -> Vec<Duration>
where
    F: Future<Output = ()> + Send + 'static,
{
    Gorun::block_on(load.workers, async {
        let hogs = Hogs::spawn::<Gorun, _>(load, hog);
        let (done, is_done) = oneshot::channel();
        thread::spawn(move || {
            let mut lateness = Vec::new();
            while hogs.wants_more_than(&lateness) {
                let due = Instant::now() + NAP;
                thread::sleep(NAP);
                lateness.push(due.elapsed());
            }
            done.send(lateness).unwrap();
        });
        is_done.await.unwrap()
    })
}
