//! `Builder`: the settings of a runtime.

#![forbid(unsafe_code)]

mod variables;

use std::ffi::OsString;
use std::fmt;
use std::future::Future;
use std::io;
use std::num::NonZeroUsize;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use crate::scheduler::main::exit;
use crate::scheduler::main::main_guard::UnhandledPanic;
use crate::scheduler::monitor::report::{Blocked, Callback, Listener};
use crate::scheduler::shared::{Config, Scheduler};
use crate::scheduler::worker::blocking::{self, Wait};
use crate::spawn::MAX_UNBOXED;
use variables::{BLOCKED_VARIABLE, WORKERS_VARIABLE, blocked_after, check_seed, invalid, variable};

/// More workers than any machine has cores; a larger number is a mistake.
const MAX_WORKERS: usize = 4096;

/// How long a goroutine may hold its worker before `on_blocked` is told.
const BLOCKED_AFTER: Duration = Duration::from_millis(100);

/// Workers and spares together, unless the program says otherwise.
const DEFAULT_MAX_THREADS: usize = 512;

/// As many as the scheduler can tell apart.
const MOST_THREADS: usize = 1 << 15;

/// Settings of a runtime, and [`block_on`](Builder::block_on) with them.
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

    /// How many goroutines run at the same time: the number of worker threads, from 1 to 4096.
    ///
    /// By default what the environment variable `GORUN_WORKER_THREADS` says, or, if it is not set or
    /// empty, [`std::thread::available_parallelism`], which respects affinity masks and the CPU
    /// limits of containers. Main has its own thread on top of these.
    ///
    /// Go counterpart: `GOMAXPROCS`.
    ///
    /// # Panics
    ///
    /// If `n` is 0. (More than 4096 is an error of [`block_on`](Self::block_on).)
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

    /// What worker threads are called: the prefix, a dash and a number. "gorun" by default.
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

    /// The stack size of worker threads, in bytes. By default std's: 2 MiB, or what the environment
    /// variable `RUST_MIN_STACK` says. The system may round it up.
    ///
    /// A goroutine's own state is on the heap; this is for the calls inside one poll.
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

    /// How long the end of main waits while no goroutine ends. 100 ms by default.
    ///
    /// It bounds the wait for goroutines that do not come to their next await, not the whole
    /// exit: dropping five million suspended goroutines may take its second. Whatever else goes on
    /// (timers that ring, wakes from outside, goroutines that are waited for by nobody) does not extend it.
    /// Less than 10 ms counts as 10 ms, because in less time a thread that does not move cannot be
    /// told from one that waits for its turn on a busy machine. For the same reason one whose thread
    /// has hardly had a core in that time is given a second. `Duration::MAX` waits for every
    /// goroutine, however long, except those that stay inside a `block_on` of their own.
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

    /// Whether the end of main says on standard error whom it leaves behind: how many goroutines have not
    /// ended, so that their destructors are cut off or do not run, and where those were spawned that are
    /// on a thread then. `true` by default.
    ///
    /// Go counterpart: none; destructors are what Go has not.
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

    /// What a goroutine's panic does when nobody can observe it. [`UnhandledPanic::Crash`] by
    /// default.
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

    /// How many threads the runtime may use for goroutines: workers, and those that stand in for workers
    /// whose goroutines block. 512 by default, or the number of workers if that is more.
    ///
    /// A goroutine that blocks its thread, in [`blocking`](crate::blocking), in a nested `block_on`, or
    /// without a word, takes a thread away from the others, and the runtime starts another one. When
    /// there are as many as this, it does not, and standard error says so, once.
    /// Threads that are not needed any more end after one to two seconds.
    ///
    /// Main's thread and the monitor's are not counted.
    ///
    /// Go counterpart: `debug.SetMaxThreads`, which ends the program instead.
    ///
    /// # Panics
    ///
    /// If `n` is 0. (More than 32,768, or fewer than there are to be workers, is an error of
    /// [`block_on`](Self::block_on).)
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

    /// Has `f` called the first time a spawn site holds a worker for longer than 100 ms: a goroutine
    /// spawned there computed or blocked that long without an await, and without
    /// [`blocking`](crate::blocking) or a nested `block_on`.
    ///
    /// It is called while the goroutine still blocks, on a thread that is there for it alone, so it may
    /// take its time; exit does not wait for it. A panic in it is caught. Looks are taken every ten
    /// milliseconds or more often, so a poll may be reported a little later, and one that ends meanwhile
    /// not at all. Time in which the process is stopped does not count; time in which a busy machine keeps
    /// the worker's thread from its core does. Without this setting nothing is measured.
    ///
    /// Without a change to the program the environment variable `GORUN_BLOCKED` prints the same to
    /// standard error: `GORUN_BLOCKED=100ms` for all that block longer than 100 ms.
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

    /// Runs `main` as the free [`block_on`](crate::block_on) does outside a runtime. This one always starts a
    /// runtime of its own, also inside another, where it blocks the calling goroutine, for whose
    /// worker another thread stands in.
    ///
    /// # Errors
    ///
    /// - `InvalidInput`: the number of workers, set here or in the environment variable
    ///   `GORUN_WORKER_THREADS`, is not between 1 and 4096, or more than [`max_threads`](Self::max_threads),
    ///   which may be up to 32,768; or the environment variable `GORUN_BLOCKED` is not a duration, or
    ///   `GORUN_SEED`, the seed of all random choices, not a number.
    /// - The system's error, if it refuses a thread. Those already started have ended.
    ///
    /// # Panics
    ///
    /// With the panic of `main`, or an unhandled one of a goroutine.
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

    pub(crate) fn run<F: Future>(self, main: F) -> io::Result<F::Output> {
        check_seed()?;
        let workers = if self.workers.is_none() { variable(WORKERS_VARIABLE) } else { None };
        let config = self.into_config(workers, variable(BLOCKED_VARIABLE))?;
        blocking::while_blocked(Wait::ForOthers, || {
            let scheduler = Scheduler::start(config)?;
            match exit::run_main(&scheduler, main) {
                Ok(value) => Ok(value),
                Err(payload) => {
                    drop(scheduler);
                    resume_unwind(payload)
                }
            }
        })
    }

    fn into_config(
        self,
        workers: Option<OsString>,
        blocked: Option<OsString>,
    ) -> io::Result<Config> {
        let max_threads = self.max_threads.map(NonZeroUsize::get);
        let workers = match (self.workers, workers) {
            (Some(n), _) => in_range(n.get()).ok_or_else(|| {
                invalid(format!("`worker_threads({n})` is more than {MAX_WORKERS}; use fewer"))
            })?,
            (None, Some(value)) => {
                let parsed = value.to_str().and_then(|text| text.trim().parse().ok());
                parsed.and_then(in_range).ok_or_else(|| {
                    invalid(format!(
                        "the environment variable {WORKERS_VARIABLE} is {value:?}; set it to a \
                         number from 1 to {MAX_WORKERS}, or unset it for one worker per usable core"
                    ))
                })?
            }
            (None, None) => {
                let cores = thread::available_parallelism().map_or(1, NonZeroUsize::get);
                cores.min(MAX_WORKERS).min(max_threads.unwrap_or(MAX_WORKERS))
            }
        };
        let max_threads = max_threads.unwrap_or(DEFAULT_MAX_THREADS.max(workers));
        if max_threads > MOST_THREADS {
            return Err(invalid(format!(
                "`max_threads({max_threads})` is more than {MOST_THREADS}; allow fewer"
            )));
        }
        if max_threads < workers {
            return Err(invalid(format!(
                "`max_threads({max_threads})` is fewer than the {workers} worker threads; allow more"
            )));
        }
        let own_listener = self.on_blocked.map(|tell| Listener { after: BLOCKED_AFTER, tell });
        let printer = blocked.map(|value| blocked_after(&value)).transpose()?;
        let on_blocked =
            own_listener.into_iter().chain(printer.map(Listener::standard_error)).collect();
        Ok(Config {
            workers,
            thread_name: self.thread_name,
            stack_size: self.stack_size,
            exit_grace: self.exit_grace,
            reports_left_behind: self.reports_left_behind,
            unhandled_panic: self.unhandled_panic,
            max_threads,
            on_blocked,
        })
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("worker_threads", &self.workers)
            .field("thread_name", &self.thread_name)
            .field("thread_stack_size", &self.stack_size)
            .field("exit_grace", &self.exit_grace)
            .field("report_left_behind", &self.reports_left_behind)
            .field("unhandled_panic", &self.unhandled_panic)
            .field("max_threads", &self.max_threads)
            .field("on_blocked", &self.on_blocked.as_ref().map(|_| "a function"))
            .finish()
    }
}

fn in_range(workers: usize) -> Option<usize> {
    (1..=MAX_WORKERS).contains(&workers).then_some(workers)
}
