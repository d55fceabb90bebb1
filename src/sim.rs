//! Simulated runs of a program: a seed decides who runs when, and time moves only when nothing else can.
//!
//! A bug that needs a certain order shows by luck, and then not again. [`Sim::check`] runs a test, or a whole
//! program, under a thousand orders in a moment. It fails with the schedule that fails: shortened, with its last
//! steps, and with a line that replays it.
//!
//! ```
//! use std::sync::Arc;
//! use std::sync::atomic::{AtomicU32, Ordering};
//!
//! use gorun::sim::Sim;
//! use gorun::{WaitGroup, yield_now};
//!
//! let failure = Sim::new().schedules(1000).run(|| async {
//!     let count = Arc::new(AtomicU32::new(0));
//!     let group = WaitGroup::new();
//!     for _ in 0..2 {
//!         let count = count.clone();
//!         group.go(async move {
//!             let before = count.load(Ordering::SeqCst);
//!             yield_now().await;
//!             count.store(before + 1, Ordering::SeqCst);
//!         });
//!     }
//!     group.wait().await;
//!     assert_eq!(count.load(Ordering::SeqCst), 2, "an update is lost");
//! });
//! println!("{}", failure.unwrap_err());
//! ```
//!
//! The program is the one that runs otherwise, without any change: no other types, no `cfg`, no feature.
//!
//! # What a seed decides
//!
//! - Who runs next, of all that can, main among them.
//! - Where a goroutine is interrupted: before an operation of gorun's, as in an ordinary run, and nowhere else.
//! - What `select!` takes, if several cases are ready.
//! - In which order timers ring that are due at the same time; and with [`Sim::jitter`], how late.
//!
//! # Time
//!
//! [`time::now`](crate::time::now) and everything in [`time`](crate::time) follow the simulation's clock. It
//! moves when nobody can run, and then to the next deadline. So a program that sleeps for a year ends at once,
//! and what does not sleep takes no time. `std::time::Instant::now` and `Instant::elapsed` tell the real time:
//! write `time::now() - start`. To forbid them, put into `clippy.toml`:
//!
//! ```toml
//! disallowed-methods = ["std::time::Instant::now", "std::time::Instant::elapsed", "std::thread::sleep"]
//! ```
//!
//! What is more than 20 years away never comes. While anybody runs, time stands still. So a loop that yields until a deadline has passed does not end;
//! [`Sim::step_limit`] ends it.
//!
//! # What fails
//!
//! - A panic of main, and one of a goroutine that no code observes, as in any run.
//! - A **deadlock**: all wait, and no timer is set. It is certain, since nobody else acts; threads outside, which might,
//!   have 50 ms of real time to show themselves, or a second if they are allowed.
//! - A **leak**: goroutines that are left when main has ended and nobody can run any more.
//! - A run that reaches the limit of steps.
//! - A **thread outside** that wakes a goroutine or spawns one. The run could not be repeated;
//!   [`Sim::allow_threads`] allows it.
//! - A run that **cannot be repeated**: the first schedule runs twice, and so does one that fails. If the
//!   second run takes another step, something else decides what the program does. A `HashMap` has another
//!   order each time, unless it is made with [`RandomState`].
//!
//! # Replaying
//!
//! The report ends with `GORUN_REPLAY=.. cargo test ..`, which runs this one schedule again. So does
//! [`Sim::replay`]. `GORUN_SCHEDULES=10000` runs so many schedules instead of those that the test asks for, and
//! `GORUN_SEED=7` other ones. Otherwise the seed is always the same, so that a test that passes goes on passing.
//!
//! # What is real
//!
//! Files are real, and take real time. [`blocking`](crate::blocking) calls its function in place. TCP and UDP sockets are of a
//! [simulated network](crate::sim::net). What has descriptors of the system is refused: Unix sockets, `io::Async`, and processes,
//! unless threads are allowed. What comes by a thread of gorun's own, as signals and the standard input do, comes from a thread
//! outside.
//!
//! Panics are in the report, and not
//! printed while schedules are tried; nor does a hook hear of them that was set before the first simulation.
//!
//! Go counterpart: `testing/synctest`, which has its own time, and one order.

#![forbid(unsafe_code)]

mod explore;
mod failure;
mod inside;
#[cfg(feature = "net")]
pub mod net;
mod one_run;
mod plans;
mod random;
mod shrink;
mod variables;
mod watchdog;

use std::cell::RefCell;
use std::future::Future;
use std::time::{Duration, Instant};

use crate::builder::Builder;
use crate::clock;
use crate::scheduler::entered;
use crate::scheduler::simulation::choices::Plan;
use crate::scheduler::simulation::state::Settings;
pub use explore::Explored;
use explore::{Exploration, explore};
pub use failure::Failure;
pub use inside::{elapsed, settle};
pub use plans::Strategy;
pub use random::{RandomState, Rng, rng};

/// How a program is simulated: [`check`](Sim::check) does it. See the [module](self).
///
/// Go counterpart: `synctest.Test`.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use gorun::sim::{self, Sim};
/// use gorun::time;
///
/// Sim::new().schedules(100).check(|| async {
///     time::sleep(Duration::from_secs(365 * 24 * 3600)).await;
///     assert_eq!(sim::elapsed(), Duration::from_secs(365 * 24 * 3600));
/// });
/// ```
#[derive(Clone, Debug)]
#[must_use = "it does nothing until `check` or `run` is called on it"]
pub struct Sim {
    seed: Option<u64>,
    schedules: Option<u64>,
    strategy: Strategy,
    step_limit: u64,
    jitter: Duration,
    start_at: Option<Instant>,
    allows_threads: bool,
    allows_leaks: bool,
    watchdog: Duration,
    replay: Option<Plan>,
    #[cfg(feature = "net")]
    network: net::Network,
}

impl Default for Sim {
    fn default() -> Self {
        Sim {
            seed: None,
            schedules: None,
            strategy: Strategy::Random,
            step_limit: 1_000_000,
            jitter: Duration::ZERO,
            start_at: None,
            allows_threads: false,
            allows_leaks: false,
            watchdog: Duration::from_secs(30),
            replay: None,
            #[cfg(feature = "net")]
            network: net::Network::new(),
        }
    }
}

impl Sim {
    /// A thousand random schedules.
    pub fn new() -> Self {
        Self::default()
    }

    /// Where the random choices begin. The default is the environment variable `GORUN_SEED`, or zero.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// How many schedules to try. The default is 1000, and the environment variable `GORUN_SCHEDULES` wins.
    pub fn schedules(mut self, schedules: u64) -> Self {
        self.schedules = Some(schedules);
        self
    }

    /// How schedules are chosen. The default is [`Strategy::Random`].
    pub fn strategy(mut self, strategy: Strategy) -> Self {
        self.strategy = strategy;
        self
    }

    /// After how many steps a run has failed. The default is a million. A step is a poll of a goroutine or of main.
    pub fn step_limit(mut self, steps: u64) -> Self {
        self.step_limit = steps;
        self
    }

    /// How late timers may be: the clock moves to a deadline, or up to so much beyond it, by chance. The default is
    /// zero: they are exact.
    pub fn jitter(mut self, most: Duration) -> Self {
        // Beyond that nothing rings any more.
        self.jitter = most.min(Duration::from_secs(10 * 365 * 24 * 3600));
        self
    }

    /// What [`time::now`](crate::time::now) is when a run begins. The default is the moment of the first simulation in
    /// the process.
    pub fn start_at(mut self, start: Instant) -> Self {
        self.start_at = Some(start);
        self
    }

    /// Threads outside may wake goroutines and spawn them. Then a run cannot be repeated, and none is. When nobody can
    /// run, the simulation waits a second for such a thread before it reports a deadlock; it does not wait before it moves
    /// the clock.
    pub fn allow_threads(mut self) -> Self {
        self.allows_threads = true;
        self
    }

    /// Goroutines that are left when main has ended are no failure. They are cancelled, as in any run.
    pub fn allow_leaks(mut self) -> Self {
        self.allows_leaks = true;
        self
    }

    /// How the network behaves. The default is [`Network::new`](net::Network::new). (Feature `net`, on by default.)
    #[cfg(feature = "net")]
    pub fn network(mut self, network: net::Network) -> Self {
        self.network = network;
        self
    }

    /// How long a step may take, in real time. The default is 30 s. After up to twice as long the process is aborted, with
    /// a report: who runs waits for what the simulation does not see, mostly a lock of `std` held across an await.
    pub fn watchdog(mut self, limit: Duration) -> Self {
        self.watchdog = limit;
        self
    }

    /// Runs only this schedule: what [`Failure::replay`] says, and a report. The environment variable `GORUN_REPLAY`
    /// wins.
    ///
    /// # Panics
    ///
    /// If that is no schedule.
    #[track_caller]
    pub fn replay(mut self, schedule: &str) -> Self {
        self.replay = Some(variables::plan_of(schedule, "`Sim::replay`"));
        self
    }

    /// Runs the program under each schedule. `main` makes a new main each time.
    ///
    /// # Panics
    ///
    /// With a report, if a schedule fails. And as [`run`](Self::run).
    ///
    /// # Examples
    ///
    /// ```
    /// use gorun::{channel, spawn};
    /// use gorun::sim::Sim;
    ///
    /// Sim::new().schedules(100).check(|| async {
    ///     let (tx, rx) = channel(0);
    ///     spawn(async move { tx.send(1).await }).detach();
    ///     assert_eq!(rx.recv().await, Some(1));
    /// });
    /// ```
    #[track_caller]
    pub fn check<M: Future>(self, main: impl Fn() -> M) -> Explored {
        match self.run(main) {
            Ok(explored) => explored,
            Err(failure) => panic!("{failure}"),
        }
    }

    /// Runs the program under each schedule, up to the first that fails.
    ///
    /// # Errors
    ///
    /// The failure of that schedule.
    ///
    /// # Panics
    ///
    /// Inside a runtime or a simulation: it blocks the thread. If an environment variable has no value that it can have.
    ///
    /// # Examples
    ///
    /// ```
    /// use gorun::sim::{Sim, Strategy};
    ///
    /// let sim = Sim::new().strategy(Strategy::RoundRobin);
    /// assert_eq!(sim.run(|| async {}).unwrap().schedules, 1);
    /// ```
    #[track_caller]
    pub fn run<M: Future>(self, main: impl Fn() -> M) -> Result<Explored, Failure> {
        self.run_program(|| match Builder::new().block_on(async { drop(main().await) }) {
            Ok(()) => {}
            Err(error) => panic!("gorun cannot start: {error}"),
        })
    }

    /// Runs a function that starts a runtime itself, such as the program's `main`, or a test with
    /// [`block_on`](crate::block_on()) in it, under each schedule. [`check`](Self::check) for programs.
    ///
    /// Each [`Builder::block_on`](crate::Builder::block_on) on the calling thread is simulated, one after the
    /// other. Of the builder's settings only those count that say what becomes of panics, and of goroutines that
    /// are left, and [`full_diagnostics`](crate::Builder::full_diagnostics).
    ///
    /// # Panics
    ///
    /// As [`check`](Self::check).
    ///
    /// # Examples
    ///
    /// ```
    /// use gorun::sim::Sim;
    ///
    /// fn program() {
    ///     gorun::block_on(async {
    ///         assert_eq!(gorun::spawn(async { 42 }).await.unwrap(), 42);
    ///     });
    /// }
    ///
    /// Sim::new().schedules(100).check_program(program);
    /// ```
    #[track_caller]
    pub fn check_program<T>(self, program: impl Fn() -> T) -> Explored {
        match self.run_program(program) {
            Ok(explored) => explored,
            Err(failure) => panic!("{failure}"),
        }
    }

    /// Runs such a function under each schedule, up to the first that fails.
    ///
    /// # Errors
    ///
    /// The failure of that schedule.
    ///
    /// # Panics
    ///
    /// As [`run`](Self::run).
    ///
    /// # Examples
    ///
    /// ```
    /// use gorun::sim::Sim;
    ///
    /// let failure = Sim::new().run_program(|| gorun::block_on(async { panic!("no") })).unwrap_err();
    /// assert!(failure.to_string().contains("a panic at"));
    /// ```
    #[track_caller]
    pub fn run_program<T>(self, program: impl Fn() -> T) -> Result<Explored, Failure> {
        let is_inside = entered::surrounding().is_some() || clock::is_simulated();
        assert!(
            !is_inside,
            "a simulation was started inside a runtime or a simulation, whose thread it would block; start it \
             in an ordinary function"
        );
        let what = Exploration {
            settings: self.settings(),
            strategy: self.strategy,
            seed: variables::seed(self.seed),
            schedules: variables::schedules(self.schedules),
            replay: variables::replay(self.replay),
            step_time: self.watchdog,
        };
        explore(what, &program)
    }

    fn settings(&self) -> Settings {
        Settings {
            start: self.start_at.unwrap_or_else(default_start),
            step_limit: self.step_limit,
            jitter: self.jitter,
            allows_threads: self.allows_threads,
            allows_leaks: self.allows_leaks,
            // Until it is known that none waits in a nested `block_on`.
            is_threaded: true,
            is_repeated: false,
            #[cfg(feature = "net")]
            network: self.network.0.clone(),
        }
    }
}

/// What `#[gorun::test]` expands to with `schedules`. `error_of` says what is wrong with what the test returns. Not
/// public API.
#[doc(hidden)]
#[track_caller]
pub fn __simulate<T>(
    schedules: u64,
    pct: Option<usize>,
    program: impl Fn() -> T,
    error_of: impl Fn(&T) -> Option<String>,
) -> T {
    let strategy = pct.map_or(Strategy::Random, |changes| Strategy::Pct { changes });
    let last = RefCell::new(None);
    let sim = Sim::new().schedules(schedules).strategy(strategy);
    sim.check_program(|| {
        let output = program();
        let error = error_of(&output);
        last.replace(Some(output));
        if let Some(error) = error {
            panic!("the test has returned an error: {error}");
        }
    });
    last.take().expect("there was a schedule")
}

fn default_start() -> Instant {
    static START: std::sync::LazyLock<Instant> = std::sync::LazyLock::new(Instant::now);
    *START
}
