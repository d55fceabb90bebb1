//! What several test binaries share.
#![allow(dead_code)]

use std::fmt::Debug;
use std::future::Future;
use std::hint;
use std::pin::Pin;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::task::{Context, Poll};
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

pub(crate) const HOUR: Duration = Duration::from_secs(3600);

/// Runs `test` on a thread of its own, and fails when it has not returned within a minute.
#[track_caller]
pub(crate) fn within_a_minute(test: impl FnOnce() + Send + 'static) {
    within(Duration::from_secs(60), test);
}

/// Runs `test` on a thread of its own, and fails when it has not returned within `limit`.
#[track_caller]
pub(crate) fn within(limit: Duration, test: impl FnOnce() + Send + 'static) {
    let (done, is_done) = mpsc::channel();
    let thread = thread::spawn(move || {
        test();
        let _ = done.send(());
    });
    if let Err(mpsc::RecvTimeoutError::Timeout) = is_done.recv_timeout(limit) {
        panic!("hangs: not done after {limit:?}");
    }
    if let Err(payload) = thread.join() {
        std::panic::resume_unwind(payload);
    }
}

/// Waits on the calling thread.
#[track_caller]
pub(crate) fn wait_until(condition: impl Fn() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < Duration::from_secs(60), "waits for ever");
        thread::sleep(Duration::from_micros(200));
    }
}

/// Waits in a goroutine or in main, without anybody waking it.
pub(crate) async fn until(condition: impl Fn() -> bool) {
    while !condition() {
        gorun::yield_now().await;
    }
}

/// Keeps the thread busy.
pub(crate) fn spin_until(stop: &AtomicBool) {
    while !stop.load(Ordering::Acquire) {
        hint::spin_loop();
    }
}

/// A builder with so many workers, which waits for its goroutines however slow the machine is.
pub(crate) fn patient(workers: usize) -> gorun::Builder {
    gorun::Builder::new().worker_threads(workers).exit_grace(Duration::MAX)
}

/// Counts the drops of each of its probes.
pub(crate) struct Drops {
    each: Vec<AtomicUsize>,
    main: ThreadId,
    on_main: AtomicUsize,
}

impl Drops {
    /// For `n` probes. Main runs on the calling thread.
    pub(crate) fn new(n: usize) -> Arc<Self> {
        Arc::new(Drops {
            each: (0..n).map(|_| AtomicUsize::new(0)).collect(),
            main: thread::current().id(),
            on_main: AtomicUsize::new(0),
        })
    }

    pub(crate) fn probe(self: &Arc<Self>, index: usize) -> Probe {
        Probe { drops: self.clone(), index }
    }

    /// How many probes have been dropped at least once.
    pub(crate) fn dropped(&self) -> usize {
        self.each.iter().filter(|drops| drops.load(Ordering::Acquire) > 0).count()
    }

    pub(crate) fn all_dropped(&self) -> bool {
        self.dropped() == self.each.len()
    }

    #[track_caller]
    pub(crate) fn assert_each_once(&self, case: impl Debug) {
        let others: Vec<_> = self
            .each
            .iter()
            .map(|drops| drops.load(Ordering::Acquire))
            .enumerate()
            .filter(|&(_, drops)| drops != 1)
            .collect();
        assert!(
            others.is_empty(),
            "{case:?}: {} of {} not dropped exactly once, the first (index, drops): {:?}",
            others.len(),
            self.each.len(),
            &others[..others.len().min(5)],
        );
    }

    #[track_caller]
    pub(crate) fn assert_each_once_off_main(&self, case: impl Debug) {
        self.assert_each_once(&case);
        assert_eq!(self.on_main.load(Ordering::Acquire), 0, "{case:?}: dropped on main's thread");
    }
}

pub(crate) struct Probe {
    drops: Arc<Drops>,
    index: usize,
}

impl Drop for Probe {
    fn drop(&mut self) {
        if thread::current().id() == self.drops.main {
            self.drops.on_main.fetch_add(1, Ordering::AcqRel);
        }
        self.drops.each[self.index].fetch_add(1, Ordering::AcqRel);
    }
}

/// Never ready, and never woken; counts its polls, and drops what it holds when it is dropped.
pub(crate) struct Parked<T> {
    polls: Arc<AtomicUsize>,
    _held: T,
}

pub(crate) fn parked<T: Unpin>(polls: &Arc<AtomicUsize>, held: T) -> Parked<T> {
    Parked { polls: polls.clone(), _held: held }
}

impl<T: Unpin> Future for Parked<T> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        self.polls.fetch_add(1, Ordering::AcqRel);
        Poll::Pending
    }
}

/// Spins in one poll until told to stop; then wakes itself and says pending.
pub(crate) struct Spinner<T> {
    /// Is suspended once, and thus in the registry, before it spins.
    pub(crate) suspends_first: bool,
    polls: Arc<AtomicUsize>,
    stop: Arc<AtomicBool>,
    _held: T,
}

pub(crate) fn spinner<T: Unpin>(
    polls: &Arc<AtomicUsize>,
    stop: &Arc<AtomicBool>,
    held: T,
) -> Spinner<T> {
    Spinner { suspends_first: false, polls: polls.clone(), stop: stop.clone(), _held: held }
}

impl<T: Unpin> Future for Spinner<T> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if !std::mem::take(&mut self.suspends_first) {
            self.polls.fetch_add(1, Ordering::AcqRel);
            spin_until(&self.stop);
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

// Tests in a process of their own: the test binary runs itself again.

const SCENARIO: &str = "GORUN_TEST_SCENARIO";

/// Starts this test binary again with nothing but its test `entry`, which finds `scenario`.
pub(crate) fn start_child(entry: &str, scenario: &str, workers: Option<usize>) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", entry, "--nocapture", "--test-threads=1"]);
    command.env(SCENARIO, scenario).env_remove("GORUN_WORKER_THREADS");
    if let Some(workers) = workers {
        command.env("GORUN_WORKER_THREADS", workers.to_string());
    }
    command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap()
}

/// What the parent process asks for; `None` if there is no parent.
pub(crate) fn scenario() -> Option<String> {
    std::env::var(SCENARIO).ok()
}
