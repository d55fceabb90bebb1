//! Waits until a number of goroutines are done.

#![forbid(unsafe_code)]

mod counter;

use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use crate::panics::{self, Payload};
use crate::scheduler::context;
use crate::scheduler::gate;
use crate::scheduler::main::main_guard;
use crate::scheduler::operation::Operation;
use crate::spawn::{MAX_UNBOXED, detach_at};
use counter::{Counter, Negative, Overflow, Ticket};

/// A counter of outstanding work, and a wait until it is zero.
///
/// [`add`](Self::add) counts up, [`done`](Self::done) counts down by one, and [`wait`](Self::wait)
/// waits for zero. [`go`](Self::go) starts a goroutine and does the counting.
///
/// Clones share one counter. Any thread and any executor may use it, even outside a runtime and
/// after one has ended. The group can be reused as soon as it reaches zero, even by tasks that
/// still wait.
///
/// Go counterpart: `sync.WaitGroup`, which must not be copied and is used through a pointer; here
/// it is cloned. tokio counterpart: `TaskTracker` in `tokio-util`.
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
/// use std::sync::atomic::{AtomicU32, Ordering};
///
/// use gorun::{WaitGroup, block_on};
///
/// let sum = block_on(async {
///     let (group, sum) = (WaitGroup::new(), Arc::new(AtomicU32::new(0)));
///     for n in 1..=10 {
///         let sum = sum.clone();
///         group.go(async move {
///             sum.fetch_add(n, Ordering::Relaxed);
///         });
///     }
///     group.wait().await;
///     sum.load(Ordering::Relaxed)
/// });
/// assert_eq!(sum, 55);
/// ```
#[derive(Clone)]
pub struct WaitGroup {
    counter: Arc<Counter>,
}

impl WaitGroup {
    /// A group whose counter is zero.
    ///
    /// # Examples
    ///
    /// ```
    /// gorun::block_on(gorun::WaitGroup::new().wait());
    /// ```
    pub fn new() -> Self {
        WaitGroup { counter: Arc::new(Counter::new()) }
    }

    /// Adds `more` to the counter. Call it *before* any task may wait for the work: usually before
    /// the spawn of the goroutine that will call [`done`](Self::done).
    ///
    /// Go counterpart: `WaitGroup.Add`. It also takes negative numbers; use `done` here.
    ///
    /// # Panics
    ///
    /// If the counter would exceed `usize::MAX`. The counter does not change then.
    ///
    /// # Examples
    ///
    /// ```
    /// gorun::block_on(async {
    ///     let group = gorun::WaitGroup::new();
    ///     group.add(2);
    ///     for _ in 0..2 {
    ///         let group = group.clone();
    ///         gorun::go!(async move { group.done() });
    ///     }
    ///     group.wait().await;
    /// });
    /// ```
    #[track_caller]
    pub fn add(&self, more: usize) {
        if let Err(Overflow) = self.counter.add(more) {
            panic!(
                "`add({more})` on a WaitGroup at {} is more than it can count; does every `add` \
                 have its `done`?",
                self.counter.number(),
            )
        }
    }

    /// Counts down by one. At zero, all waiting tasks go on.
    ///
    /// Go counterpart: `WaitGroup.Done`.
    ///
    /// # Panics
    ///
    /// If the counter is zero already: `done` was called more often than `add` had announced. The
    /// counter stays zero, and the group remains usable.
    ///
    /// # Examples
    ///
    /// ```
    /// let group = gorun::WaitGroup::new();
    /// group.add(1);
    /// group.done();
    /// gorun::block_on(group.wait());
    /// ```
    #[track_caller]
    pub fn done(&self) {
        if let Err(Negative) = self.counter.done() {
            panic!(
                "a WaitGroup's counter would be negative: `done` was called more often than `add` \
                 had announced; call `add` before what will call `done` starts, and `done` once \
                 for each"
            )
        }
    }

    /// Starts a goroutine, as [`go!`](crate::go!) does, and counts it: up before the spawn, and
    /// down when its end is known.
    ///
    /// The end is known when the goroutine has completed, or was cancelled, and its future has been
    /// dropped. If main has already ended, that is at once. If the goroutine panics, the panic is
    /// handled as unhandled *first*: under [`UnhandledPanic::Crash`](crate::UnhandledPanic), main
    /// does not get past a [`wait`](Self::wait) for it. Under `Ignore` the wait completes. A
    /// goroutine left behind by exit counts down if it ever reaches an await.
    ///
    /// Go counterpart: `WaitGroup.Go`. There the function must not panic; here it may.
    ///
    /// # Panics
    ///
    /// When called on a thread that belongs to no runtime, as [`spawn`](crate::spawn) does. The
    /// counter is unchanged then.
    ///
    /// If the program calls `done` for the goroutine, the goroutine's own count is one too many,
    /// and the goroutine panics.
    ///
    /// # Examples
    ///
    /// ```
    /// use gorun::{WaitGroup, block_on, num_goroutines};
    ///
    /// block_on(async {
    ///     let group = WaitGroup::new();
    ///     group.go(async { println!("one") });
    ///     group.go(async { println!("two") });
    ///     group.wait().await;
    ///     assert_eq!(num_goroutines(), 1);
    /// });
    /// ```
    #[track_caller]
    pub fn go<F>(&self, future: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        if const { size_of::<F>() > MAX_UNBOXED } {
            self.go_at(Box::pin(future), Location::caller());
        } else {
            self.go_at(future, Location::caller());
        }
    }

    /// As `go`, of a future that is not large, for a caller at `spawned_at`.
    #[track_caller]
    pub(crate) fn go_at<F>(&self, future: F, spawned_at: &'static Location<'static>)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.add(1);
        let count_down = CountDown { counter: self.counter.clone(), spawned_at };
        let future = Counted { future: Some(future), count_down: Some(count_down) };
        detach_at(future, spawned_at);
    }

    /// Waits until the counter is zero.
    ///
    /// It completes if the counter was zero at any moment since the first poll, even if the waiting
    /// task did not run in between. Any number of tasks may wait at once.
    ///
    /// In a main that is about to be dropped because of an unhandled panic, it yields once before
    /// it completes, so that main ends here. It does not if it is polled with a waker that does
    /// nothing, as in a `select!` with `default`: that is not an await.
    ///
    /// **Cancellation**: dropping the future drops its waker, and does not affect other waits.
    ///
    /// Go counterpart: `WaitGroup.Wait`.
    ///
    /// # Examples
    ///
    /// ```
    /// use gorun::{WaitGroup, block_on};
    ///
    /// let group = WaitGroup::new();
    /// group.add(1);
    /// let other = std::thread::spawn({
    ///     let group = group.clone();
    ///     // Any executor will do.
    ///     move || futures::executor::block_on(group.wait())
    /// });
    /// block_on(async { group.done() });
    /// other.join().unwrap();
    /// ```
    pub fn wait(&self) -> Wait<'_> {
        Wait { counter: &self.counter, ticket: None, gave_way: false }
    }
}

impl Default for WaitGroup {
    fn default() -> Self {
        WaitGroup::new()
    }
}

impl fmt::Debug for WaitGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WaitGroup").field("counter", &self.counter.number()).finish()
    }
}

/// The future of [`WaitGroup::wait`]: waits until the group's counter is zero.
///
/// If it is polled again after it has completed, it waits again.
///
/// **Cancellation**: dropping it drops its waker.
///
/// # Examples
///
/// ```
/// let group = gorun::WaitGroup::new();
/// let wait: gorun::Wait<'_> = group.wait();
/// gorun::block_on(wait);
/// ```
#[must_use = "a wait does nothing until it is awaited"]
pub struct Wait<'a> {
    counter: &'a Counter,
    ticket: Option<Ticket>,
    /// It has yielded to let main end, although the counter was zero.
    gave_way: bool,
}

impl Future for Wait<'_> {
    type Output = ();

    #[track_caller]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        if std::mem::take(&mut this.gave_way) {
            return Poll::Ready(());
        }
        if !gate::enter(cx.waker()) {
            return Poll::Pending;
        }
        if !this.counter.poll(&mut this.ticket, cx.waker()) {
            return gate::note_wait(Operation::WaitGroup, Poll::Pending);
        }
        // A poll with a waker that does nothing (`default`, `now_or_never`) is not an await. Main
        // would not end there, and may poll until it sees the zero.
        if main_guard::must_stop() && !cx.waker().data().is_null() {
            // Only once: a foreign executor on main's thread does not drop this future.
            this.gave_way = true;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(())
    }
}

impl Drop for Wait<'_> {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket.take() {
            self.counter.forget(ticket);
        }
    }
}

impl fmt::Debug for Wait<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wait").field("counter", &self.counter.number()).finish()
    }
}

pin_project! {
    /// The future of a goroutine that counts itself down.
    ///
    /// Its output counts down. The scheduler drops an output that is not taken last, after it has
    /// removed the goroutine from its own count. A future that is dropped before it has completed
    /// counts down by itself.
    ///
    /// A panic must be reported before that. So this future catches and reports it, instead of
    /// leaving it to the scheduler, which would drop the output that counts down first.
    #[project = CountedProjection]
    struct Counted<F> {
        #[pin]
        future: Option<F>,
        count_down: Option<CountDown>,
    }

    impl<F> PinnedDrop for Counted<F> {
        fn drop(this: Pin<&mut Self>) {
            this.project().end(None);
        }
    }
}

impl<F: Future<Output = ()>> Future for Counted<F> {
    type Output = CountDown;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<CountDown> {
        let mut this = self.project();
        let polled = catch_unwind(AssertUnwindSafe(|| {
            let future = this.future.as_mut().as_pin_mut();
            future.expect("a completed goroutine is not polled").poll(cx)
        }));
        match polled {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(())) => Poll::Ready(this.end(None).expect("it counts down once")),
            Err(payload) => Poll::Ready(this.end(Some(payload)).expect("it counts down once")),
        }
    }
}

impl<F> CountedProjection<'_, F> {
    /// Drops the future, and reports its panics. The caller then only has to count down.
    fn end(mut self, panic: Option<Payload>) -> Option<CountDown> {
        let dropped = catch_unwind(AssertUnwindSafe(|| self.future.set(None)));
        let count_down = self.count_down.take()?;
        // The first panic counts as the goroutine's, as everywhere.
        let mut panics = panic.into_iter().chain(dropped.err());
        if let Some(first) = panics.next() {
            unhandled(first, count_down.spawned_at);
        }
        panics.for_each(panics::discard);
        Some(count_down)
    }
}

fn unhandled(payload: Payload, spawned_at: &'static Location<'static>) {
    context::with_inside(|context| match context {
        Some(context) => context.scheduler.main.unhandled(payload, Some(spawned_at)),
        None => panics::report_stray(payload),
    });
}

/// Counts a goroutine down when dropped.
struct CountDown {
    counter: Arc<Counter>,
    spawned_at: &'static Location<'static>,
}

impl Drop for CountDown {
    fn drop(&mut self) {
        if let Err(Negative) = self.counter.done() {
            panic!(
                "a WaitGroup's counter would be negative: the goroutine started by `go` at {} has \
                 ended and counts itself down, but `done` was called for it; do not, after `go`",
                self.spawned_at,
            )
        }
    }
}
