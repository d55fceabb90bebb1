//! Starting goroutines from inside a runtime.

#![forbid(unsafe_code)]

use std::convert::identity;
use std::future::Future;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::pin::Pin;
use std::task::Poll;

use crate::join_handle::JoinHandle;
use crate::panics;
use crate::scheduler::context::{self, Place};
use crate::scheduler::entered;
use crate::scheduler::goroutine::task::Spawned;

/// Larger futures (in bytes) are moved to the heap first, because each function that takes one by
/// value would copy it on its stack.
pub(crate) const MAX_UNBOXED: usize = 1024;

/// Starts a goroutine: the future runs on the runtime's worker threads, concurrently with the
/// caller. The handle gives its result; dropping the handle detaches the goroutine, which runs on.
///
/// The order in which goroutines run, and when a goroutine first runs, are unspecified. The end of
/// main cancels the goroutine: it is dropped at its next await, or without having run.
///
/// A spawn costs one allocation. A future larger than 1 KiB is boxed, which is a second one.
///
/// The future is passed by value, and a debug build keeps a copy of it on the stack of each
/// function it passes through: two at once, here. On a worker's stack of 2 MiB that limits a future
/// to about 900 KiB in a debug build, to 500 KiB inside a [`timeout`](crate::time::timeout), and to
/// 250 where [`go!`](crate::go!) makes the call that returns it. An optimised build, or a larger
/// [`thread_stack_size`](crate::Builder::thread_stack_size), raises the limit. Better keep a large
/// array in a `Vec`.
///
/// Go counterpart: the `go` statement, plus a handle. [`go!`](crate::go!) takes a call, as `go` does.
///
/// # Panics
///
/// When called on a thread that belongs to no runtime. A `std::thread` started by a goroutine is
/// such a thread: give it a [`Handle`](crate::Handle), which can spawn, or be
/// [entered](crate::Handle::enter).
///
/// A panic inside the future goes to the code that awaits the handle. If none can, see
/// [`UnhandledPanic`](crate::UnhandledPanic).
///
/// # Cancellation
///
/// If main has already ended, a worker drops the future without polling it, and the handle reports
/// it as cancelled. If the workers have ended too, this call drops it.
///
/// # Examples
///
/// ```
/// use gorun::{block_on, spawn};
///
/// let sum = block_on(async {
///     let handles: Vec<_> = (1..=10).map(|n| spawn(async move { n * n })).collect();
///     let mut sum = 0;
///     for handle in handles {
///         sum += handle.await.unwrap();
///     }
///     sum
/// });
/// assert_eq!(sum, 385);
/// ```
///
/// An `async fn` that spawns itself does not compile: to know whether its future is `Send`, the
/// compiler would have to know it already. Return the future instead:
///
/// ```
/// use gorun::{block_on, spawn};
///
/// fn count(depth: u32) -> impl Future<Output = u32> + Send {
///     async move {
///         if depth == 0 {
///             return 1;
///         }
///         let (left, right) = (spawn(count(depth - 1)), spawn(count(depth - 1)));
///         left.await.unwrap() + right.await.unwrap()
///     }
/// }
/// assert_eq!(block_on(count(10)), 1024);
/// ```
#[track_caller]
pub fn spawn<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    let spawned_at = Location::caller();
    // A debug build gives each value of the future's type its own room on this function's stack, so
    // there is only one such value: the argument of the call.
    let task = if const { size_of::<F>() > MAX_UNBOXED } {
        start(Box::pin(future), spawned_at, identity)
    } else {
        start(future, spawned_at, identity)
    };
    match task {
        Some(task) => JoinHandle::new(task, spawned_at),
        None => panic_outside(),
    }
}

/// Starts a goroutine without a handle: `spawn(future).detach()`, a little cheaper.
#[track_caller]
pub fn detach<F>(future: F)
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    let spawned_at = Location::caller();
    let started = if const { size_of::<F>() > MAX_UNBOXED } {
        start(Box::pin(future), spawned_at, drop)
    } else {
        start(future, spawned_at, drop)
    };
    if started.is_none() {
        panic_outside();
    }
}

/// As `detach`, of a future that is not large, for a caller at `spawned_at`.
#[track_caller]
pub(crate) fn detach_at<F>(future: F, spawned_at: &'static Location<'static>)
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    if start(future, spawned_at, drop).is_none() {
        panic_outside();
    }
}

/// Starts a goroutine on the caller's runtime, and gives it to `keep`; or `None` if that runtime is
/// over. Returns what `keep` makes of it, or `None` outside a runtime.
fn start<F, R>(
    future: F,
    spawned_at: &'static Location<'static>,
    keep: impl FnOnce(Option<Spawned<F::Output>>) -> R,
) -> Option<R>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    context::with_inside(|context| match context {
        Some(context) => Some(context.scheduler.spawn(Some(context), future, spawned_at, keep)),
        None => start_outside(future, spawned_at, keep),
    })
}

/// As `start`, on a thread that is inside no runtime. It may have entered one.
#[cold]
fn start_outside<F, R>(
    future: F,
    spawned_at: &'static Location<'static>,
    keep: impl FnOnce(Option<Spawned<F::Output>>) -> R,
) -> Option<R>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    match entered::surrounding() {
        Some(scheduler) => Some(scheduler.spawn(None, future, spawned_at, keep)),
        None => refuse(future).then(|| keep(None)),
    }
}

/// Drops a future that no runtime can run. `false` outside a runtime. Otherwise the runtime is
/// over, and the caller is in the destructor of a thread-local, where a panic would abort the
/// process.
#[cold]
fn refuse<F>(future: F) -> bool {
    let is_outside = context::with(|place| matches!(place, Place::Outside));
    match is_outside {
        true => drop(future),
        false => {
            if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(future))) {
                panics::report_stray(payload);
            }
        }
    }
    !is_outside
}

#[cold]
#[track_caller]
fn panic_outside() -> ! {
    panic!(
        "a goroutine was spawned on a thread that belongs to no gorun runtime; call this inside \
         `gorun::block_on`, or, on a thread of your own, use a `gorun::Handle` taken inside with \
         `Handle::current()`"
    )
}

/// Yields: the calling goroutine goes to the back of its worker's queue, behind all goroutines it
/// has spawned or woken. Goroutines that other threads have spawned or woken get their turn after a
/// millisecond or so, or as soon as the goroutine that runs next yields.
///
/// A goroutine that computes for long should await this now and then, because no other goroutine
/// can run on its thread otherwise. In main, which has its own thread, the thread yields.
///
/// Go counterpart: `runtime.Gosched`. Go also preempts goroutines that do not call it.
///
/// # Cancellation
///
/// This is an await like any other: an aborted goroutine, or one whose main has ended, is dropped
/// here.
///
/// # Panics
///
/// Never, not even outside a runtime.
///
/// # Examples
///
/// ```
/// use gorun::{block_on, spawn, yield_now};
///
/// block_on(async {
///     let sum = spawn(async {
///         let mut sum = 0u64;
///         for n in 0..1_000u64 {
///             sum += n;
///             if n % 100 == 0 {
///                 yield_now().await;
///             }
///         }
///         sum
///     });
///     assert_eq!(sum.await.unwrap(), 499_500);
/// });
/// ```
#[inline]
pub async fn yield_now() {
    YieldNow { has_yielded: false }.await
}

struct YieldNow {
    has_yielded: bool,
}

impl Future for YieldNow {
    type Output = ();

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut std::task::Context<'_>) -> Poll<()> {
        if self.has_yielded {
            return Poll::Ready(());
        }
        self.has_yielded = true;
        cx.waker().wake_by_ref();
        let has_own_thread = context::with_inside(|context| {
            context.is_none_or(|context| context.polling.get().is_none())
        });
        if has_own_thread {
            std::thread::yield_now();
        }
        Poll::Pending
    }
}

/// The number of goroutines, including main; 0 outside a runtime.
///
/// A goroutine counts from its spawn until its future has been dropped: once its handle has given
/// its result, it does not count any more. While goroutines start and end, the number may be
/// slightly out of date.
///
/// Go counterpart: `runtime.NumGoroutine`.
///
/// # Examples
///
/// ```
/// assert_eq!(gorun::num_goroutines(), 0);
/// gorun::block_on(async {
///     assert_eq!(gorun::num_goroutines(), 1);
///     let other = gorun::spawn(std::future::pending::<()>());
///     assert_eq!(gorun::num_goroutines(), 2);
///     other.abort();
///     let _ = other.await;
///     assert_eq!(gorun::num_goroutines(), 1);
/// });
/// ```
pub fn num_goroutines() -> usize {
    context::with_inside(|context| match context {
        Some(context) => context.scheduler.num_goroutines(),
        None => entered::surrounding().map_or(0, |scheduler| scheduler.num_goroutines()),
    })
}
