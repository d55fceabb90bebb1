//! `Builder`'s hooks for the threads of a runtime.

#![forbid(unsafe_code)]

use std::sync::Arc;

use super::Builder;
use crate::scheduler::worker::thread_hooks::ThreadHook;

impl Builder {
    /// Calls `f` on each thread that is to run goroutines, before the first one: for its priority, its
    /// cores, a thread-local, or a profiler.
    ///
    /// The threads are the workers, those that stand in for blocked ones, and those that help at exit;
    /// main's own thread and the monitor's are not among them. The thread runs no goroutine until `f`
    /// returns. Main and other threads do not wait for it, so goroutines may run elsewhere before. A
    /// goroutine that `f` spawns runs, but `f` must not wait for it: perhaps each thread is in `f`.
    ///
    /// # Panics
    ///
    /// A panic of `f` is unhandled: main is cancelled, and `block_on` resumes it; see
    /// [`UnhandledPanic`](crate::UnhandledPanic). The thread goes on.
    ///
    /// tokio counterpart: the same name. Go counterpart: none.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::cell::Cell;
    ///
    /// thread_local!(static IS_WORKER: Cell<bool> = const { Cell::new(false) });
    ///
    /// gorun::Builder::new().on_thread_start(|| IS_WORKER.set(true)).block_on(async {
    ///     assert!(gorun::spawn(async { IS_WORKER.get() }).await.unwrap());
    ///     assert!(!IS_WORKER.get());
    /// })?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn on_thread_start(mut self, f: impl Fn() + Send + Sync + 'static) -> Self {
        self.hooks.start = Some(ThreadHook(Arc::new(f)));
        self
    }

    /// Calls `f` on each thread that has run goroutines, after the last one, and before the destructors
    /// of its thread-locals: when the runtime ends, or when the thread is one that stood in for
    /// another and is not needed any more.
    ///
    /// `f` runs outside the runtime, as those destructors do: a goroutine that it spawns is dropped at
    /// once. Exit waits for `f` as it waits for a goroutine, for [`exit_grace`](Self::exit_grace). It is
    /// not called on a thread that exit leaves behind, as long as that goes on.
    ///
    /// # Panics
    ///
    /// A panic of `f` is unhandled, as one of [`on_thread_start`](Self::on_thread_start). If main has
    /// ended by then, it is only reported.
    ///
    /// tokio counterpart: the same name. Go counterpart: none.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::Arc;
    /// use std::sync::atomic::{AtomicI32, Ordering};
    ///
    /// let threads = Arc::new(AtomicI32::new(0));
    /// let (started, stopped) = (threads.clone(), threads.clone());
    /// gorun::Builder::new()
    ///     .on_thread_start(move || _ = started.fetch_add(1, Ordering::SeqCst))
    ///     .on_thread_stop(move || _ = stopped.fetch_sub(1, Ordering::SeqCst))
    ///     .block_on(async {})?;
    /// assert_eq!(threads.load(Ordering::SeqCst), 0);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn on_thread_stop(mut self, f: impl Fn() + Send + Sync + 'static) -> Self {
        self.hooks.stop = Some(ThreadHook(Arc::new(f)));
        self
    }
}
