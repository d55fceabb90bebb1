//! Goroutines that do what tests need, and the runtimes they run in.

use std::fmt::Debug;
use std::future::{Future, pending};
use std::hint;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

use futures::channel::oneshot;

/// Runs `main` in a runtime with so many workers.
pub(crate) fn run<F: Future>(workers: usize, main: F) -> F::Output {
    gorun::Builder::new().worker_threads(workers).block_on(main).expect("the runtime starts")
}

/// The same without spare threads, so that a goroutine that keeps its worker keeps others waiting.
pub(crate) fn run_without_spares<F: Future>(workers: usize, main: F) -> F::Output {
    without_spares(workers).block_on(main).expect("the runtime starts")
}

pub(crate) fn without_spares(workers: usize) -> gorun::Builder {
    gorun::Builder::new().worker_threads(workers).max_threads(workers)
}

/// A builder with so many workers, which waits for its goroutines however slow the machine is.
pub(crate) fn patient(workers: usize) -> gorun::Builder {
    gorun::Builder::new().worker_threads(workers).exit_grace(Duration::MAX)
}

/// Runs a main that ends while a goroutine that holds `held` is parked.
pub(crate) fn end_while_parked(workers: usize, held: impl Send + 'static) {
    patient(workers)
        .block_on(async {
            let (parked, is_parked) = oneshot::channel();
            gorun::spawn(async move {
                let _held = held;
                parked.send(()).unwrap();
                pending::<()>().await;
            });
            is_parked.await.unwrap();
        })
        .unwrap();
}

/// Suspends once, after it has handed its waker to `f`.
pub(crate) async fn suspend_with(f: impl FnOnce(&mut Context<'_>)) {
    let mut f = Some(f);
    std::future::poll_fn(|cx| match f.take() {
        Some(f) => {
            f(cx);
            Poll::Pending
        }
        None => Poll::Ready(()),
    })
    .await
}

/// Calls a function when dropped.
pub(crate) struct OnDrop<F: FnMut()>(pub(crate) F);

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)()
    }
}

/// Not yet set.
pub(crate) fn flag() -> Arc<AtomicBool> {
    Arc::new(AtomicBool::new(false))
}

/// Keeps the thread busy.
pub(crate) fn spin_until(stop: &AtomicBool) {
    while !stop.load(Ordering::Acquire) {
        hint::spin_loop();
    }
}

/// Keeps the thread busy, and its worker in one poll.
pub(crate) fn compute_for(time: Duration) {
    let start = Instant::now();
    while start.elapsed() < time {
        hint::spin_loop();
    }
}

/// Counts the drops of each of its probes.
#[derive(Debug)]
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

#[derive(Debug)]
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
