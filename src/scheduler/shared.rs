//! The state that a runtime's threads share, and the operations on it that need no [`Context`]. The
//! files above this one know which runtime and worker the running code belongs to.
//!
//! [`Context`]: crate::scheduler::context::Context

#![forbid(unsafe_code)]

use std::io;
use std::num::NonZeroUsize;
use std::sync::atomic::AtomicU8;
use std::sync::{Arc, OnceLock};
use std::task::Waker;
use std::thread;
use std::time::{Duration, Instant};

use crate::clock;
use crate::primitives::{AtomicBool, AtomicUsize, Ordering};
use crate::rng::{fresh_seed, mix};
use crate::scheduler::diagnostics::Diagnostics;
use crate::scheduler::goroutine::entry::Entry;
use crate::scheduler::goroutine::live_count::LiveCount;
use crate::scheduler::goroutine::registry::Registry;
use crate::scheduler::goroutine::runtime_id::RuntimeId;
use crate::scheduler::idle::Idle;
use crate::scheduler::io::system::System;
use crate::scheduler::latency::Latencies;
use crate::scheduler::main::driver::Driver;
use crate::scheduler::main::main_guard::{MainGuard, UnhandledPanic};
use crate::scheduler::main::main_sleep::MainSleep;
use crate::scheduler::monitor::report::Listener;
use crate::scheduler::queues::injector::Injector;
use crate::scheduler::reactor::Reactor;
use crate::scheduler::simulation::state::Simulation;
use crate::scheduler::timers::timer_queue::TimerQueue;
use crate::scheduler::tokio_bridge::TokioBridge;
use crate::scheduler::trace::Trace;
use crate::scheduler::trace::event::EventKind;
use crate::scheduler::wait::{ActivityCell, RawActivity};
use crate::scheduler::worker::Worker;
use crate::scheduler::worker::nested_waits::NestedWaits;
use crate::scheduler::worker::thread_hooks::ThreadHooks;
use crate::scheduler::worker::thread_requests::too_many;
use crate::scheduler::worker::threads::Threads;

/// The number of shards over which threads spread their pushes, and what they count outside polls.
pub(super) const SHARDS: usize = 8;

/// How many threads exit starts for the stragglers, one after the other: each may meet a destructor
/// that does not end.
pub(super) const MAX_EXIT_WORKERS: usize = 64;

/// The settings that `Builder` collects.
pub(crate) struct Config {
    /// How many workers there are at the start.
    pub(crate) workers: usize,
    /// Whether their number follows `usable_cores`, because the user has not set it.
    pub(crate) follows_cpu_limits: bool,
    pub(crate) thread_name: String,
    pub(crate) stack_size: Option<usize>,
    pub(crate) exit_grace: Duration,
    pub(crate) unhandled_panic: UnhandledPanic,
    /// Whether exit reports what it leaves behind.
    pub(crate) reports_left_behind: bool,
    /// The limit for workers and spares together.
    pub(crate) max_threads: usize,
    pub(crate) on_blocked: Vec<Listener>,
    pub(crate) thread_hooks: Box<ThreadHooks>,
    pub(crate) tokio: Option<TokioBridge>,
    /// The scheduler takes it.
    pub(crate) trace: Option<Trace>,
    pub(crate) has_full_diagnostics: bool,
    pub(crate) simulated: Option<Simulated>,
}

/// A simulation, and what a report says of its goroutines.
pub(crate) struct Simulated {
    pub(crate) simulation: Arc<Simulation>,
    pub(crate) describe: fn(&Scheduler) -> String,
}

/// How many cores the calling thread may use at present: affinity and the quotas of containers
/// count.
pub(crate) fn usable_cores() -> usize {
    thread::available_parallelism().map_or(1, NonZeroUsize::get)
}

/// The phase of a runtime, which only moves forward.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd)]
#[repr(u8)]
pub(crate) enum Phase {
    Running,
    /// Main is done: a worker drops each goroutine that it reaches, also one that is spawned now.
    Closing,
    /// No goroutine is alive any more, or exit has given up: spawns are refused.
    Closed,
    /// Workers end.
    Ended,
}

/// The state that a runtime's threads share.
pub(crate) struct Scheduler {
    pub(crate) config: Config,
    pub(crate) main: Arc<MainGuard>,
    pub(super) registry: Registry<Entry>,
    pub(super) injector: Injector<SHARDS>,
    pub(crate) idle: Idle<Worker>,
    pub(super) threads: Arc<Threads>,
    pub(super) nested_waits: NestedWaits,
    pub(crate) timers: TimerQueue<SHARDS>,
    /// Started by the first socket.
    pub(super) reactor: OnceLock<Box<Reactor<System>>>,
    workers: Box<[OnceLock<Arc<Worker>>]>,
    /// How many of `workers` have ever been used.
    ever_used: AtomicUsize,
    /// Counts goroutines that were not spawned inside a poll on a worker.
    pub(super) live_count_outside: [LiveCount; SHARDS],
    phase: AtomicU8,
    /// What main does.
    pub(crate) main_activity: ActivityCell,
    pub(crate) main_sleep: MainSleep<Driver>,
    /// How often a worker's ring was full.
    pub(super) overflows: AtomicUsize,
    /// No worker may sleep as the poller.
    pub(super) has_no_poller: AtomicBool,
    /// Threads outside that are in `Handle::block_on`.
    guests: AtomicUsize,
    started: Instant,
    pub(crate) trace: Option<Arc<Trace>>,
    pub(crate) diagnostics: Option<Arc<Diagnostics>>,
    /// Whether there is one of these, and so polls, spawns and wakes are of interest.
    pub(crate) sees: bool,
    pub(crate) latencies: Latencies,
    /// Every random choice derives from this.
    seed: u64,
    /// How goroutines refer to it. The last field: nobody else has the number while the others are dropped.
    pub(crate) id: RuntimeId,
}

impl Scheduler {
    pub(super) fn new(mut config: Config) -> Arc<Self> {
        let started = clock::now();
        let trace = config.trace.take().map(Arc::new);
        let scheduler = Arc::new(Scheduler {
            main: Arc::new(MainGuard::new(config.unhandled_panic)),
            registry: Registry::new(config.workers),
            injector: Injector::new(),
            idle: Idle::new(config.workers, !config.on_blocked.is_empty()),
            threads: Arc::new(Threads::new()),
            nested_waits: NestedWaits::new(),
            timers: TimerQueue::new(clock::now()),
            reactor: OnceLock::new(),
            workers: (0..config.max_threads + MAX_EXIT_WORKERS).map(|_| OnceLock::new()).collect(),
            ever_used: AtomicUsize::new(0),
            live_count_outside: std::array::from_fn(|_| LiveCount::new()),
            phase: AtomicU8::new(Phase::Running as u8),
            main_activity: ActivityCell::new(),
            main_sleep: MainSleep::new(),
            overflows: AtomicUsize::new(0),
            has_no_poller: AtomicBool::new(false),
            guests: AtomicUsize::new(0),
            started,
            diagnostics: config.has_full_diagnostics.then(|| Arc::new(Diagnostics::new())),
            sees: trace.is_some() || config.has_full_diagnostics,
            trace,
            latencies: Latencies::new(),
            seed: fresh_seed(),
            config,
            id: RuntimeId::new(),
        });
        // Not through a reference: a pointer derived from one may not reach the counts beside the scheduler.
        scheduler.id.set_address(Arc::as_ptr(&scheduler).expose_provenance());
        scheduler
    }

    #[inline]
    pub(crate) fn simulation(&self) -> Option<&Arc<Simulation>> {
        self.config.simulated.as_ref().map(|simulated| &simulated.simulation)
    }

    /// What all do, for a report of a simulation.
    pub(super) fn describe(&self) -> String {
        let simulated = self.config.simulated.as_ref();
        simulated.map_or_else(String::new, |simulated| (simulated.describe)(self))
    }

    /// Milliseconds since the start. They wrap after seven weeks.
    pub(crate) fn milliseconds(&self, at: Instant) -> u32 {
        at.saturating_duration_since(self.started).as_millis() as u32
    }

    /// The seed for the choices of the worker at `index`.
    pub(super) fn seed_of(&self, index: usize) -> u64 {
        mix(self.seed.wrapping_add(index as u64))
    }

    /// How many goroutines have been spawned and not completed, main excluded.
    pub(crate) fn live(&self) -> u64 {
        // Finished first: see `live_count.rs`.
        let finished = self.finished();
        self.spawned().saturating_sub(finished)
    }

    pub(crate) fn spawned(&self) -> u64 {
        self.live_counts().map(LiveCount::spawned).sum()
    }

    /// How many goroutines have ended.
    pub(crate) fn finished(&self) -> u64 {
        self.live_counts().map(LiveCount::finished).sum()
    }

    /// How many goroutines are alive, main included.
    pub(crate) fn num_goroutines(&self) -> usize {
        self.live() as usize + usize::from(!self.main.is_main_done())
    }

    fn live_counts(&self) -> impl Iterator<Item = &LiveCount> {
        self.workers_ever().map(|worker| &worker.live_count).chain(&self.live_count_outside)
    }

    /// The workers, and those whose threads have ended.
    pub(crate) fn workers_ever(&self) -> impl Iterator<Item = &Worker> {
        let ever_used = self.ever_used.load(Ordering::SeqCst);
        (0..ever_used).filter_map(|index| self.worker(index))
    }

    pub(crate) fn overflows(&self) -> u64 {
        self.overflows.load(Ordering::Relaxed) as u64
    }

    #[inline]
    pub(crate) fn phase(&self) -> Phase {
        // Ordering: SeqCst pairs with the store in `enter_phase`; see `live_count.rs`. On most
        // machines it is a plain load.
        match self.phase.load(Ordering::SeqCst) {
            0 => Phase::Running,
            1 => Phase::Closing,
            2 => Phase::Closed,
            _ => Phase::Ended,
        }
    }

    pub(super) fn enter_phase(&self, phase: Phase) {
        self.phase.store(phase as u8, Ordering::SeqCst);
    }

    /// Whether goroutines are to be dropped rather than polled.
    #[inline]
    pub(crate) fn is_closing(&self) -> bool {
        self.phase() != Phase::Running
    }

    /// Records that this happens here, if the runtime records anything. A thread with a `Context` has a faster way.
    pub(crate) fn record(&self, kind: EventKind, subject: usize, site: usize) {
        if let Some(trace) = &self.trace {
            trace.record_outside(kind, subject, site, RawActivity::RUNNING);
        }
    }

    /// Counts a thread outside that is in `Handle::block_on`.
    pub(super) fn add_guest(&self) {
        self.guests.fetch_add(1, Ordering::SeqCst);
    }

    pub(super) fn remove_guest(&self) {
        self.guests.fetch_sub(1, Ordering::SeqCst);
        // Perhaps only it spoke against a deadlock.
        self.idle.note_main_sleep();
    }

    pub(super) fn has_guests(&self) -> bool {
        self.guests.load(Ordering::SeqCst) > 0
    }

    #[inline]
    pub(super) fn reactor(&self) -> Option<&Reactor<System>> {
        self.reactor.get().map(|reactor| &**reactor)
    }

    // Requests to the monitor.

    /// Requests a thread for a worker that has gone away without a spare to cover.
    pub(super) fn request_cover(&self) {
        let (requests, limit) = (&self.threads.requests, self.config.max_threads);
        if self.threads.slots_taken() < limit {
            requests.add_cover();
        } else if !self.note_refusal(&too_many(limit)) {
            return;
        }
        self.idle.notify_monitor();
    }

    /// Notes that a cover was refused. Returns whether it is the first one, which must be reported.
    pub(super) fn note_refusal(&self, error: &io::Error) -> bool {
        self.phase() == Phase::Running && self.threads.requests.note_refusal(error)
    }

    /// Requests a thread to drop what exit must drop, because no worker is free for that.
    pub(super) fn request_exit_worker(&self) {
        self.threads.requests.add_exit_worker();
        self.idle.notify_monitor();
    }

    /// Requests that `wakers` be called neither here nor on the monitor: they are user code, and
    /// may block.
    pub(super) fn request_wakes(&self, wakers: Vec<Waker>) {
        let requests = &self.threads.requests;
        match requests.add_wakes(wakers) {
            Ok(()) => self.idle.notify_monitor(),
            Err(wakers) => requests.wake_elsewhere(wakers),
        }
    }

    // Workers.

    /// The worker at `index`, created on first use.
    pub(super) fn make_worker(&self, index: usize) -> Arc<Worker> {
        let worker = self.workers[index].get_or_init(|| Arc::new(Worker::new(index)));
        self.ever_used.fetch_max(index + 1, Ordering::SeqCst);
        worker.clone()
    }

    pub(super) fn worker(&self, index: usize) -> Option<&Worker> {
        self.workers[index].get().map(|worker| &**worker)
    }

    pub(super) fn workers(&self) -> impl Iterator<Item = &Worker> {
        (0..self.threads.slots_in_use()).filter_map(|index| self.worker(index))
    }
}
