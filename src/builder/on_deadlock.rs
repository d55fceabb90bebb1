//! `Builder`'s settings for programs in which nothing moves.

#![forbid(unsafe_code)]

use std::sync::Arc;
use std::time::Duration;

use super::Builder;
use super::stillness::OnStall;
use crate::deadlock::{OnDeadlock, Stall};

/// How long nothing moves in a closed world before it is judged: a thread that the program has started is
/// perhaps about to enter `Handle::block_on`.
const PATIENCE: Duration = Duration::from_millis(100);

/// How long nothing moves in a test before it is assumed that nobody outside of it acts.
const TEST_PATIENCE: Duration = Duration::from_secs(1);

impl Builder {
    /// Sets what the runtime does when it is deadlocked. The default is [`OnDeadlock::Report`].
    ///
    /// # Examples
    ///
    /// See [`OnDeadlock`].
    pub fn on_deadlock(mut self, policy: OnDeadlock) -> Self {
        self.stillness.on_deadlock = Some(policy);
        self
    }

    /// Promises that nobody wakes goroutines or main of whom gorun does not know: no thread that the program
    /// has started itself, and no signal handler. Then gorun is also certain of a
    /// [deadlock](OnDeadlock) beside threads that do something else, and on other systems than Linux.
    ///
    /// Known are threads in [`Handle::block_on`](crate::Handle::block_on), from when they enter it until they
    /// leave it, a bridge to tokio, child processes, standard input, signals by `gorun::signal`, and other
    /// runtimes: a deadlock is only certain when these are deadlocked or have ended. Nothing has moved for 100
    /// ms by then.
    ///
    /// Go counterpart: a bubble of `testing/synctest` is closed in this way.
    ///
    /// # Examples
    ///
    /// ```
    /// use gorun::{Builder, OnDeadlock};
    ///
    /// let ended = std::panic::catch_unwind(|| {
    ///     Builder::new()
    ///         .assume_closed()
    ///         .on_deadlock(OnDeadlock::Panic)
    ///         .block_on(std::future::pending::<()>())
    /// });
    /// assert!(ended.is_err());
    /// ```
    pub fn assume_closed(mut self) -> Self {
        self.stillness.closed_after = Some(PATIENCE);
        self
    }

    /// Calls `f` when nothing has moved for so long: main sleeps, and no goroutine has begun or ended a poll.
    /// For programs that should never be without work, also where a [deadlock](OnDeadlock) is not certain.
    ///
    /// The runtime calls `f` on a thread of its own, once until something moves, and for a certain deadlock at
    /// once. Exit does not wait for it, and a panic in it is caught. The runtime looks when everything has
    /// fallen asleep, and then in intervals of `limit`, so it may notice up to a second later.
    ///
    /// Go counterpart: none.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::mpsc;
    /// use std::time::Duration;
    ///
    /// let (tell, told) = mpsc::channel();
    /// gorun::Builder::new()
    ///     .on_stall(Duration::from_millis(20), move |stall| tell.send(stall.to_string()).unwrap())
    ///     .block_on(async {
    ///         gorun::time::sleep(Duration::from_millis(500)).await;
    ///     })?;
    /// let stall = told.recv().unwrap();
    /// assert!(stall.starts_with("nothing has moved for ") && stall.contains("main [sleep]"));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn on_stall(mut self, limit: Duration, f: impl Fn(&Stall) + Send + Sync + 'static) -> Self {
        self.stillness.on_stall = Some((limit, OnStall(Arc::new(f))));
        self
    }

    /// The defaults of a test. Not public API.
    #[doc(hidden)]
    pub fn __for_test(mut self) -> Self {
        let stillness = &mut self.stillness;
        stillness.default = OnDeadlock::Panic;
        stillness.closed_after.get_or_insert(TEST_PATIENCE);
        self.fails_on_leaks_by_default()
    }

    /// Looks for deadlocks more often than once a second. Not public API.
    #[doc(hidden)]
    pub fn __look_every(mut self, interval: Duration) -> Self {
        self.stillness.interval = interval;
        self
    }
}
