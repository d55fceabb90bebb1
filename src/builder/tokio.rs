//! `Builder`'s bridge to a tokio runtime.

#![forbid(unsafe_code)]

use std::io;
use std::num::NonZeroUsize;

use tokio::runtime::Handle;

use super::Builder;
use crate::scheduler::tokio_bridge::TokioBridge;

/// The tokio runtime to which there is a bridge.
#[derive(Clone, Debug)]
pub(super) enum Tokio {
    /// With so many workers. It starts with the runtime.
    Own(NonZeroUsize),
    Somebodys(Handle),
}

impl Tokio {
    pub(super) fn open(self, thread_name: &str) -> io::Result<TokioBridge> {
        match self {
            Tokio::Own(workers) => TokioBridge::start(workers.get(), thread_name),
            Tokio::Somebodys(handle) => Ok(TokioBridge::to(handle)),
        }
    }
}

impl Builder {
    /// Starts a tokio runtime beside the goroutines, with so many worker threads, for crates that need
    /// one: `reqwest`, `tonic`, `axum::serve`, everything in `tokio::net`.
    ///
    /// Their functions work in goroutines, in main, and in [`Handle::block_on`](crate::Handle::block_on),
    /// as they are. What they spawn runs on tokio's threads. There [`spawn`](crate::spawn()),
    /// [`Handle::current`](crate::Handle::current) and the timers of gorun work as well, and belong to this
    /// runtime.
    ///
    /// | code | runs on | a section that blocks |
    /// |---|---|---|
    /// | `gorun::spawn(..)`, also from a tokio task | gorun's workers | another thread stands in |
    /// | `tokio::spawn(..)`, also from a goroutine | tokio's workers | holds up tokio's other tasks (below) |
    /// | timers and sockets of tokio | tokio's workers, which wake the goroutine | |
    ///
    /// A goroutine that waits for something of tokio's is woken by another thread. A connection with little
    /// to do between waits is cheaper with [`gorun::net`](crate::net), or in a tokio task.
    ///
    /// tokio's operations do not count as operations of a goroutine. One that loops over tokio's
    /// channels, and never finds them empty, gives others their turn only when it waits for something of
    /// gorun's: call [`yield_now`](crate::yield_now) in it.
    ///
    /// In a tokio task, [`gorun::block_on`](crate::block_on()) and other calls that block may wait for
    /// ever for a task that the same worker of tokio's would run next. Call them in
    /// `tokio::task::spawn_blocking`, or in a goroutine.
    ///
    /// One worker is enough if tokio's tasks only move bytes. When main ends, the goroutines are dropped
    /// first, and then tokio's runtime ends: its tasks are dropped at their present awaits. Exit waits for
    /// its blocking tasks, for [`exit_grace`](Self::exit_grace).
    ///
    /// Not in tokio's context are: [`on_thread_stop`](Self::on_thread_stop), destructors of thread-locals,
    /// [`on_blocked`](Self::on_blocked), and wakers of other crates.
    ///
    /// Go counterpart: none.
    ///
    /// # Panics
    ///
    /// If `workers` is 0. If the system refuses tokio a thread, tokio panics in
    /// [`block_on`](Self::block_on).
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// gorun::Builder::new().tokio_runtime(1).block_on(async {
    ///     let answer = gorun::spawn(async {
    ///         tokio::time::sleep(Duration::from_millis(1)).await;
    ///         tokio::spawn(async { gorun::spawn(async { 42 }).await.unwrap() }).await.unwrap()
    ///     });
    ///     assert_eq!(answer.await.unwrap(), 42);
    /// })?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[track_caller]
    pub fn tokio_runtime(mut self, workers: usize) -> Self {
        let Some(workers) = NonZeroUsize::new(workers) else {
            panic!("`tokio_runtime(0)`: a tokio runtime needs at least one worker thread");
        };
        self.tokio = Some(Tokio::Own(workers));
        self
    }

    /// As [`tokio_runtime`](Self::tokio_runtime), with a tokio runtime that is there already. It goes on
    /// when main ends.
    ///
    /// If several runtimes have bridges to the same one, code on tokio's threads belongs to the one that
    /// started last.
    ///
    /// It should have workers of its own. A runtime of the flavor `current_thread` works only while another
    /// thread drives it: main's thread cannot, as it drives main. A task of tokio's that waits for a timer
    /// of gorun's when main ends panics, since nobody keeps that time any more.
    ///
    /// # Examples
    ///
    /// ```
    /// let tokio = tokio::runtime::Runtime::new()?;
    /// let sum = gorun::Builder::new().tokio(tokio.handle().clone()).block_on(async {
    ///     gorun::spawn(async { tokio::spawn(async { 1 + 2 }).await.unwrap() }).await.unwrap()
    /// })?;
    /// assert_eq!(sum, 3);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn tokio(mut self, runtime: Handle) -> Self {
        self.tokio = Some(Tokio::Somebodys(runtime));
        self
    }
}
