//! `Builder`: the settings of a runtime.

#![forbid(unsafe_code)]

mod debug;
mod diagnostics;
#[cfg(feature = "signal")]
mod dump_on_signal;
#[cfg(feature = "signal")]
mod dumps;
mod leaks;
mod on_deadlock;
mod on_exit;
mod report;
mod simulated;
mod stillness;
mod thread_counts;
mod thread_hooks;
#[cfg(feature = "tokio")]
mod tokio;
mod trace;
mod trace_file;
mod variables;

use std::ffi::OsString;
use std::future::Future;
use std::io;
use std::mem;
use std::num::NonZeroUsize;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::time::Duration;

use crate::scheduler::deadlock::runtime::Registered;
use crate::scheduler::main::exit;
use crate::scheduler::main::main_guard::UnhandledPanic;
use crate::scheduler::monitor::report::{Blocked, Callback, Listener};
use crate::scheduler::shared::{Config, Scheduler};
use crate::scheduler::trace::Trace;
use crate::scheduler::worker::away::{self, Reason};
use crate::scheduler::worker::thread_hooks::ThreadHooks;
#[cfg(feature = "signal")]
use crate::signal::Signal;
use crate::spawn::MAX_UNBOXED;
#[cfg(feature = "signal")]
use dumps::Dumps;
use leaks::Leaks;
use stillness::OnStillness;
use thread_counts::{DEFAULT_MAX_THREADS, ThreadCounts};
use trace_file::{TraceFile, Tracing};
use variables::{
    BLOCKED_VARIABLE, WORKERS_VARIABLE, blocked_after, check_seed, diagnostics_are_full, variable,
};

/// How long a goroutine may hold its worker before `on_blocked` is called.
const BLOCKED_AFTER: Duration = Duration::from_millis(100);

/// The settings of a runtime. [`block_on`](Builder::block_on) runs a program with them.
///
/// Go counterpart: environment variables such as `GOMAXPROCS`, and functions of package `runtime`.
///
/// # Examples
///
/// ```
/// let value = gorun::Builder::new()
///     .worker_threads(2)
///     .thread_name("worker")
///     .block_on(async { gorun::spawn(async { 42 }).await.unwrap() })?;
/// assert_eq!(value, 42);
/// # Ok::<(), std::io::Error>(())
/// ```
#[must_use = "a Builder does nothing until `block_on` is called on it"]
#[derive(Clone)]
pub struct Builder {
    workers: Option<NonZeroUsize>,
    thread_name: String,
    stack_size: Option<usize>,
    exit_grace: Duration,
    reports_left_behind: bool,
    unhandled_panic: UnhandledPanic,
    max_threads: Option<NonZeroUsize>,
    on_blocked: Option<Callback>,
    hooks: ThreadHooks,
    stillness: OnStillness,
    leaks: Leaks,
    trace: Tracing,
    full_diagnostics: Option<bool>,
    #[cfg(feature = "signal")]
    dump_signal: Option<Signal>,
    #[cfg(feature = "tokio")]
    tokio: Option<tokio::Tokio>,
}

impl Default for Builder {
    fn default() -> Self {
        Builder {
            workers: None,
            thread_name: "gorun".to_owned(),
            stack_size: None,
            exit_grace: Duration::from_millis(100),
            reports_left_behind: true,
            unhandled_panic: UnhandledPanic::default(),
            max_threads: None,
            on_blocked: None,
            hooks: ThreadHooks::default(),
            stillness: OnStillness::default(),
            leaks: Leaks::default(),
            trace: Tracing::default(),
            full_diagnostics: None,
            #[cfg(feature = "signal")]
            dump_signal: None,
            #[cfg(feature = "tokio")]
            tokio: None,
        }
    }
}

impl Builder {
    /// The default settings.
    ///
    /// # Examples
    ///
    /// ```
    /// assert_eq!(gorun::Builder::new().block_on(async { 1 }).unwrap(), 1);
    /// ```
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the number of worker threads, from 1 to 4096: how many goroutines run at the same time.
    ///
    /// The default is the environment variable `GORUN_WORKER_THREADS`. If that is not set or empty,
    /// it is [`std::thread::available_parallelism`], which respects affinity masks and the CPU
    /// limits of containers. While goroutines run, the runtime asks for it again once a second, so
    /// that the number of workers follows limits that change. Main has its own thread in addition.
    ///
    /// Go counterpart: `GOMAXPROCS`.
    ///
    /// # Panics
    ///
    /// If `n` is 0. More than 4096 is an error of [`block_on`](Self::block_on).
    ///
    /// # Examples
    ///
    /// ```
    /// gorun::Builder::new().worker_threads(1).block_on(async {}).unwrap();
    /// ```
    #[track_caller]
    pub fn worker_threads(mut self, n: usize) -> Self {
        let Some(n) = NonZeroUsize::new(n) else {
            panic!(
                "`worker_threads(0)`: goroutines need at least one worker thread; leave the \
                 setting out for one per usable core"
            );
        };
        self.workers = Some(n);
        self
    }

    /// Sets the name of worker threads: this prefix, a dash and a number. The default prefix is
    /// "gorun".
    ///
    /// # Panics
    ///
    /// If the prefix contains a zero byte, which the system does not allow in a name.
    ///
    /// # Examples
    ///
    /// ```
    /// let name = gorun::Builder::new().thread_name("cook").block_on(async {
    ///     gorun::spawn(async { std::thread::current().name().map(str::to_owned) }).await
    /// });
    /// assert!(name.unwrap().unwrap().unwrap().starts_with("cook-"));
    /// ```
    #[track_caller]
    pub fn thread_name(mut self, prefix: impl Into<String>) -> Self {
        self.thread_name = prefix.into();
        assert!(
            !self.thread_name.contains('\0'),
            "`thread_name({:?})`: a thread's name cannot contain a zero byte; leave it out",
            self.thread_name,
        );
        self
    }

    /// Sets the stack size of worker threads, in bytes. The default is std's: 2 MiB, or the
    /// environment variable `RUST_MIN_STACK`. The system may round it up.
    ///
    /// A goroutine's own state is on the heap. The stack only holds the calls inside one poll.
    ///
    /// # Examples
    ///
    /// ```
    /// gorun::Builder::new().thread_stack_size(8 << 20).block_on(async {}).unwrap();
    /// ```
    pub fn thread_stack_size(mut self, bytes: usize) -> Self {
        self.stack_size = Some(bytes);
        self
    }

    /// Sets how long the end of main waits while no goroutine ends. The default is 100 ms.
    ///
    /// This limits the wait for goroutines that do not reach their next await, not the whole exit:
    /// dropping five million suspended goroutines may take a second. Other activity does not extend
    /// the wait, such as timers that fire, wakes from outside, or a loop of `blocking`.
    ///
    /// Less than 10 ms counts as 10 ms, because in less time a thread that is stuck looks like one
    /// that waits for its turn on a busy machine. For the same reason, a goroutine whose thread has
    /// hardly had a core in that time gets a second. `Duration::MAX` waits for every goroutine,
    /// however long, unless all that remain stay inside a `block_on` of their own.
    ///
    /// Go counterpart: none; a Go program ends without running anything of its goroutines.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::{Duration, Instant};
    ///
    /// let start = Instant::now();
    /// gorun::Builder::new()
    ///     .exit_grace(Duration::from_millis(10))
    ///     .block_on(async {
    ///         gorun::spawn(async { std::thread::sleep(Duration::from_secs(3600)) });
    ///     })?;
    /// assert!(start.elapsed() < Duration::from_secs(60));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn exit_grace(mut self, grace: Duration) -> Self {
        self.exit_grace = grace;
        self
    }

    /// Sets whether the end of main reports the goroutines it leaves behind, on standard error. The
    /// report says how many goroutines have not ended, so that their destructors are interrupted or
    /// do not run, and where those that are on a thread at that time were spawned. The default is
    /// `true`.
    ///
    /// Go counterpart: none; Go has no destructors.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// gorun::Builder::new()
    ///     .exit_grace(Duration::from_millis(10))
    ///     .report_left_behind(false)
    ///     .block_on(async {
    ///         gorun::spawn(async { std::thread::sleep(Duration::from_secs(3600)) });
    ///     })?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn report_left_behind(mut self, report: bool) -> Self {
        self.reports_left_behind = report;
        self
    }

    /// Sets what a goroutine's panic does when no code can observe it. The default is
    /// [`UnhandledPanic::Crash`].
    ///
    /// # Examples
    ///
    /// See [`UnhandledPanic`].
    ///
    /// ```
    /// use gorun::{Builder, UnhandledPanic};
    /// Builder::new().unhandled_panic(UnhandledPanic::Crash).block_on(async {}).unwrap();
    /// ```
    pub fn unhandled_panic(mut self, policy: UnhandledPanic) -> Self {
        self.unhandled_panic = policy;
        self
    }

    /// Limits the threads for goroutines: workers, and spares that stand in for workers whose
    /// goroutines block. The default is 512, or the number of workers if that is more.
    ///
    /// A goroutine that blocks its thread takes the thread from the others, in
    /// [`blocking`](crate::blocking), in a nested `block_on`, or without notice. The runtime then
    /// starts another thread. At the limit it does not, and reports that on standard error, once. A
    /// thread that is not needed any more ends after one to two seconds.
    ///
    /// Main's thread and the monitor's do not count.
    ///
    /// Go counterpart: `debug.SetMaxThreads`, which ends the program instead.
    ///
    /// # Panics
    ///
    /// If `n` is 0. More than 32,768, or fewer than the number of workers, is an error of
    /// [`block_on`](Self::block_on).
    ///
    /// # Examples
    ///
    /// ```
    /// gorun::Builder::new().worker_threads(2).max_threads(16).block_on(async {}).unwrap();
    /// ```
    #[track_caller]
    pub fn max_threads(mut self, n: usize) -> Self {
        let Some(n) = NonZeroUsize::new(n) else {
            panic!(
                "`max_threads(0)`: goroutines need at least one thread; leave the setting out for \
                 {DEFAULT_MAX_THREADS}"
            );
        };
        self.max_threads = Some(n);
        self
    }

    /// Calls `f` the first time a spawn site holds a worker for longer than 100 ms. That is, a
    /// goroutine spawned there computed or blocked that long without an await, and without
    /// [`blocking`](crate::blocking) or a nested `block_on`.
    ///
    /// The runtime calls `f` while the goroutine still blocks, on a thread of its own, so `f` may
    /// take its time. Exit does not wait for it, and a panic in it is caught. The runtime samples
    /// the workers at least every ten milliseconds. So it may report a poll a little later, and may
    /// miss one that ends meanwhile. Time in which the process is stopped does not count. Time in
    /// which a busy machine keeps the worker's thread from a core does. Without this setting the
    /// runtime measures nothing.
    ///
    /// The environment variable `GORUN_BLOCKED` prints the same to standard error, without a change
    /// to the program: `GORUN_BLOCKED=100ms` reports goroutines that block longer than 100 ms.
    ///
    /// Go counterpart: none; the execution tracer shows it.
    ///
    /// # Examples
    ///
    /// See [`Blocked`].
    ///
    /// ```
    /// gorun::Builder::new().on_blocked(|blocked| eprintln!("{blocked}")).block_on(async {}).unwrap();
    /// ```
    pub fn on_blocked(mut self, f: impl Fn(&Blocked) + Send + Sync + 'static) -> Self {
        self.on_blocked = Some(Callback(Arc::new(f)));
        self
    }

    /// Runs `main` as the free [`block_on`](crate::block_on) does outside a runtime. It always
    /// starts its own runtime, even inside another one. There it blocks the calling goroutine, and
    /// another thread stands in for the goroutine's worker.
    ///
    /// # Errors
    ///
    /// - `InvalidInput`: the number of workers, set here or in the environment variable
    ///   `GORUN_WORKER_THREADS`, is not between 1 and 4096, or is more than
    ///   [`max_threads`](Self::max_threads); or `max_threads` is more than 32,768; or the
    ///   environment variable `GORUN_BLOCKED` is not a duration; or `GORUN_DUMP`,
    ///   `GORUN_DEADLOCK`, `GORUN_LEAKS` or `GORUN_DIAGNOSTICS` has none of its values; or [`trace_file`](Self::trace_file), or `GORUN_TRACE`,
    ///   is neither a file nor a folder; or `GORUN_SEED`, the seed of all
    ///   random choices, is not a number.
    /// - The system's error, if it refuses that file, the memory for a trace, or a thread. The threads that were already started have
    ///   ended.
    ///
    /// # Panics
    ///
    /// With the panic of `main`, or with a goroutine's unhandled panic.
    ///
    /// # Examples
    ///
    /// ```
    /// let value = gorun::Builder::new().block_on(async { 42 })?;
    /// assert_eq!(value, 42);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn block_on<F: Future>(self, main: F) -> io::Result<F::Output> {
        if const { size_of::<F>() > MAX_UNBOXED } {
            self.run(Box::pin(main))
        } else {
            self.run(main)
        }
    }

    pub(crate) fn run<F: Future>(mut self, main: F) -> io::Result<F::Output> {
        if let Some(simulation) = Self::surrounding_simulation()? {
            return self.run_simulated(simulation, main);
        }
        check_seed()?;
        let (traced_events, trace_file) = mem::take(&mut self.trace).open()?;
        self.trace.events = traced_events;
        let stillness = mem::take(&mut self.stillness).into_settings(trace_file.clone())?;
        let stillness_kept = stillness.clone();
        let main_end = mem::take(&mut self.leaks).into_main_end(trace_file.clone())?;
        let workers = if self.workers.is_none() { variable(WORKERS_VARIABLE) } else { None };
        #[cfg(feature = "signal")]
        let dump_signals = dumps::signals(self.dump_signal)?;
        let config = self.into_config(workers, variable(BLOCKED_VARIABLE))?;
        away::while_away(Reason::MayNeedGoroutines, || {
            let scheduler = Scheduler::start(config, stillness)?;
            #[cfg(feature = "signal")]
            let _dumps = dump_signals.map(|signals| Dumps::start(signals, &scheduler));
            // Its closures are the user's, and are dropped here rather than by the monitor.
            let _kept = stillness_kept;
            let registered = Registered::new(&scheduler);
            let ended = exit::run_main(&scheduler, main_end.as_ref(), main);
            registered.end(&scheduler);
            trace_file.iter().for_each(TraceFile::write_kept);
            ended.or_else(|payload| {
                drop(scheduler);
                resume_unwind(payload)
            })
        })
    }

    fn into_config(
        self,
        workers: Option<OsString>,
        blocked: Option<OsString>,
    ) -> io::Result<Config> {
        let threads = ThreadCounts::of(self.workers, workers, self.max_threads)?;
        #[cfg(feature = "tokio")]
        let tokio = self.tokio.map(|tokio| tokio.open(&self.thread_name)).transpose()?;
        #[cfg(not(feature = "tokio"))]
        let tokio = None;
        let own_listener = self.on_blocked.map(|tell| Listener { after: BLOCKED_AFTER, tell });
        let printer = blocked.map(|value| blocked_after(&value)).transpose()?;
        let on_blocked =
            own_listener.into_iter().chain(printer.map(Listener::standard_error)).collect();
        Ok(Config {
            workers: threads.workers,
            follows_cpu_limits: threads.follows_cpu_limits,
            thread_name: self.thread_name,
            stack_size: self.stack_size,
            exit_grace: self.exit_grace,
            reports_left_behind: self.reports_left_behind,
            unhandled_panic: self.unhandled_panic,
            max_threads: threads.most,
            on_blocked,
            thread_hooks: Box::new(self.hooks),
            tokio,
            trace: self.trace.events.map(Trace::new).transpose()?,
            has_full_diagnostics: diagnostics_are_full(self.full_diagnostics)?,
            simulated: None,
        })
    }
}
