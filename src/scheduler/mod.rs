//! The scheduler: the state its threads share, and the way of a goroutine through it.
//!
//! ```text
//!         spawn / wake on a worker                 spawn / wake on any other thread
//!                   │                                             │
//!                   ▼                                             ▼
//!    ┌─── worker 0 ─────────┐   steal half   ┌─── worker 1 ───┐   injector
//!    │ next slot            │◄───────────────│ …              │      │
//!    │ ring                 │                └────────────────┘      │
//!    └──────────────────────┘◄───────── batch ───────────────────────┘
//!                   │
//!                   ▼
//!          task::run (one poll) ──► completed │ suspended │ woken while running: back of the ring
//! ```
//!
//! The files, from the bottom up: `queue`, `injector`, `idle`, `registry` and `counts` know nothing of
//! goroutines; `main_guard` and `outcome` say where a panic goes; `task` wraps the user's future;
//! `runner` runs it on a `worker`; `threads` starts and ends those; `exit` drives main and ends it all;
//! `context` tells any code which of this it is in.

mod budget;
pub(crate) mod context;
pub(crate) mod foreign;
pub(crate) mod gate;
pub(crate) mod goroutine;
mod idle;
pub(crate) mod main;
pub(crate) mod monitor;
mod queues;
pub(crate) mod timers;
pub(crate) mod worker;

use std::future::Future;
use std::io;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::sync::atomic::AtomicU8;
use std::sync::{Arc, OnceLock};
use std::task::Waker;
use std::time::Duration;

use crate::clock;
use crate::rng::{fresh_seed, mix};
use crate::sync::{AtomicUsize, Ordering};
use context::{Context, Role};
use goroutine::live_count::Counts;
use goroutine::registry::Registry;
use goroutine::task::{self, Spawned};
use idle::Idle;
use idle::parker::Bed;
use main::main_guard::{MainGuard, UnhandledPanic};
use main::{exit, grace};
use monitor::report::Listener;
use queues::injector::{Injector, thread_number};
use queues::run_queue::Word;
use timers::timer_queue::Timers;
use worker::Worker;
use worker::threads::Threads;

/// Over how many places threads outside of polls spread what they push and count.
const SHARDS: usize = 8;

/// What `Builder` collects.
pub(crate) struct Config {
    pub(crate) workers: usize,
    pub(crate) thread_name: String,
    pub(crate) stack_size: Option<usize>,
    pub(crate) exit_grace: Duration,
    pub(crate) unhandled_panic: UnhandledPanic,
    /// Exit says what it leaves behind.
    pub(crate) reports_left_behind: bool,
    /// Workers and spares together.
    pub(crate) max_threads: usize,
    pub(crate) on_blocked: Vec<Listener>,
}

/// How far a runtime is. It only moves forward.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd)]
#[repr(u8)]
pub(crate) enum Phase {
    Running,
    /// Main is done: each goroutine is dropped when a worker comes to it, also one that is spawned now.
    Closing,
    /// None is alive any more, or exit has given up: no more spawns.
    Closed,
    /// Workers end.
    Ended,
}

/// The state that a runtime's threads share.
pub(crate) struct Scheduler {
    pub(crate) config: Config,
    pub(crate) main: Arc<MainGuard>,
    registry: Registry<Waker>,
    injector: Injector<SHARDS>,
    idle: Idle,
    threads: Arc<Threads>,
    timers: Timers<SHARDS>,
    workers: Box<[OnceLock<Arc<Worker>>]>,
    /// How many of `workers` have ever been used.
    ever_used: AtomicUsize,
    /// Goroutines that were not spawned inside a poll on a worker.
    counts_outside: [Counts; SHARDS],
    phase: AtomicU8,
    /// Every random choice comes from this.
    seed: u64,
}

impl Scheduler {
    fn new(config: Config) -> Arc<Self> {
        Arc::new(Scheduler {
            main: Arc::new(MainGuard::new(config.unhandled_panic)),
            registry: Registry::new(config.workers),
            injector: Injector::new(),
            idle: Idle::new(config.workers, !config.on_blocked.is_empty()),
            threads: Arc::new(Threads::new()),
            timers: Timers::new(clock::now()),
            workers: (0..config.max_threads + grace::MAX_DRAINERS)
                .map(|_| OnceLock::new())
                .collect(),
            ever_used: AtomicUsize::new(0),
            counts_outside: std::array::from_fn(|_| Counts::new()),
            phase: AtomicU8::new(Phase::Running as u8),
            seed: fresh_seed(),
            config,
        })
    }

    /// A scheduler with its workers, whose main is the calling thread.
    pub(crate) fn start(config: Config) -> io::Result<Arc<Self>> {
        let scheduler = Scheduler::new(config);
        let workers = scheduler.config.workers;
        let refused = |what: String, error: io::Error| {
            exit::end_unused(&scheduler);
            let advice = "ask for fewer worker threads, or for smaller stacks";
            io::Error::new(error.kind(), format!("{what}: {error}; {advice}"))
        };
        for number in 1..=workers {
            if let Err(error) = scheduler.threads.start(&scheduler, workers) {
                return Err(refused(format!("worker thread {number} of {workers}"), error));
            }
        }
        if let Err(error) = scheduler.threads.start_monitor(&scheduler) {
            return Err(refused("the monitor thread".to_owned(), error));
        }
        Ok(scheduler)
    }

    /// Starts a goroutine. `None` if the runtime is closed: the future has been dropped.
    pub(crate) fn spawn<F>(
        self: &Arc<Self>,
        context: Option<&Context>,
        future: F,
        spawned_at: &'static Location<'static>,
    ) -> Option<Spawned<F::Output>>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let context = context.filter(|context| context.belongs_to(Arc::as_ptr(self)));
        let (word, spawned) = self.allocate(context, future, spawned_at)?;
        self.push_spawned(context, word);
        Some(spawned)
    }

    /// Starts a goroutine without a handle.
    pub(crate) fn detach<F>(
        self: &Arc<Self>,
        context: Option<&Context>,
        future: F,
        spawned_at: &'static Location<'static>,
    ) where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let context = context.filter(|context| context.belongs_to(Arc::as_ptr(self)));
        if let Some((word, spawned)) = self.allocate(context, future, spawned_at) {
            drop(spawned);
            self.push_spawned(context, word);
        }
    }

    fn allocate<F>(
        self: &Arc<Self>,
        context: Option<&Context>,
        future: F,
        spawned_at: &'static Location<'static>,
    ) -> Option<(Word, Spawned<F::Output>)>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        if self.count_spawn(context) {
            return Some(task::allocate(self, future, spawned_at));
        }
        if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(future))) {
            self.main.unhandled(payload, Some(spawned_at));
        }
        None
    }

    /// Counts a goroutine about to be spawned, unless the runtime is closed.
    #[inline]
    fn count_spawn(&self, context: Option<&Context>) -> bool {
        // Inside a poll the worker's own counts do, as `live_count.rs` explains.
        let inside = context.filter(|context| context.polling.get().is_some());
        if let Some(worker) = inside.and_then(Context::worker) {
            if self.phase() >= Phase::Closed {
                return false;
            }
            worker.counts.count_spawned();
            return true;
        }
        if self.phase() >= Phase::Closed {
            return false;
        }
        let outside = &self.counts_outside[thread_number() % SHARDS];
        outside.count_spawned_outside();
        if self.phase() >= Phase::Closed {
            outside.count_refused_outside();
            return false;
        }
        true
    }

    /// What the choices of the worker at `index` begin with.
    fn seed_of(&self, index: usize) -> u64 {
        mix(self.seed.wrapping_add(index as u64))
    }

    /// How many goroutines have been spawned and not completed, main not among them.
    pub(crate) fn live(&self) -> u64 {
        // Finished first: see `live_count.rs`.
        let finished: u64 = self.all_counts().map(Counts::finished).sum();
        let spawned: u64 = self.all_counts().map(Counts::spawned).sum();
        spawned.saturating_sub(finished)
    }

    /// How many goroutines have ended.
    fn finished(&self) -> u64 {
        self.all_counts().map(Counts::finished).sum()
    }

    /// Goroutines that are alive, main among them.
    pub(crate) fn num_goroutines(&self) -> usize {
        self.live() as usize + usize::from(!self.main.is_main_done())
    }

    fn all_counts(&self) -> impl Iterator<Item = &Counts> {
        let ever_used = self.ever_used.load(Ordering::SeqCst);
        let workers = (0..ever_used).filter_map(|index| self.worker(index));
        workers.map(|worker| &worker.counts).chain(&self.counts_outside)
    }

    #[inline]
    pub(crate) fn phase(&self) -> Phase {
        // Ordering: SeqCst (a plain load on most machines) pairs with `enter_phase`: see `live_count.rs`.
        match self.phase.load(Ordering::SeqCst) {
            0 => Phase::Running,
            1 => Phase::Closing,
            2 => Phase::Closed,
            _ => Phase::Ended,
        }
    }

    fn enter_phase(&self, phase: Phase) {
        self.phase.store(phase as u8, Ordering::SeqCst);
    }

    /// Whether goroutines are to be dropped rather than polled.
    #[inline]
    pub(crate) fn is_closing(&self) -> bool {
        self.phase() != Phase::Running
    }

    // The way in: pushes.

    #[inline]
    fn push_spawned(&self, context: Option<&Context>, word: Word) {
        match context.and_then(own_queue) {
            Some(worker) => self.push_back(worker, word),
            None => self.inject(word),
        }
    }

    /// A goroutine of this scheduler was woken, and the caller is inside it.
    #[inline]
    fn push_woken(&self, context: &Context, word: Word, while_running: bool) {
        match own_queue(context) {
            Some(worker) if while_running => self.push_yielded(worker, word),
            // By a goroutine that has completed: somebody who awaits many such would otherwise be
            // woken for each of them. Or by a timer.
            Some(worker) if context.polling.get().is_none() => match context.injects_woken.get() {
                false => self.push_back(worker, word),
                true => self.inject(word),
            },
            Some(worker) => match worker.next.replace(word) {
                Some(displaced) => self.push_back(worker, displaced),
                None => self.idle.ensure_watched(),
            },
            None => self.inject(word),
        }
    }

    /// It goes behind everything that is runnable.
    #[inline(never)]
    fn push_yielded(&self, worker: &Worker, word: Word) {
        let injected = match worker.ring.len() {
            0 => self.take_injected(worker).map(|(word, _)| word),
            _ => None,
        };
        for earlier in injected.into_iter().chain(worker.next.take()) {
            self.push_back(worker, earlier);
        }
        self.push_back(worker, word);
    }

    /// The caller is `worker`.
    #[inline(always)]
    fn push_back(&self, worker: &Worker, word: Word) {
        match worker.ring.push(word) {
            Ok(1) => self.idle.ensure_watched(),
            Ok(_) => self.idle.notify(|index| self.bed(index)),
            Err(overflow) => self.inject_batch(overflow),
        }
    }

    fn inject(&self, word: Word) {
        self.injector.push(word);
        self.idle.notify(|index| self.bed(index));
    }

    fn inject_batch(&self, batch: Vec<Word>) {
        if !batch.is_empty() {
            self.injector.push_batch(batch);
            self.idle.notify(|index| self.bed(index));
        }
    }

    // The way out: what workers take.

    /// Takes a task from the injector, and company for the ring of `worker`, the caller. Says how much
    /// company.
    #[inline(never)]
    fn take_injected(&self, worker: &Worker) -> Option<(Word, usize)> {
        if self.injector.is_empty() {
            return None;
        }
        let taken =
            self.injector.take(worker.polls(), worker.room_for_company(), self.config.workers)?;
        let company = taken.rest.len();
        taken.rest.into_iter().for_each(|word| self.push_back(worker, word));
        Some((taken.first, company))
    }

    /// Whether there is work that belongs to nobody in particular, as far as can be seen without a
    /// lock.
    fn shared_work_waits(&self) -> bool {
        !self.injector.is_empty() || self.workers().any(Worker::has_shared_work)
    }

    /// The same of timers, too.
    fn something_waits(&self) -> bool {
        let has_timers = !self.timers.is_empty();
        self.shared_work_waits() || has_timers && self.timers.are_due(clock::now())
    }

    fn shared_work_surely_waits(&self) -> bool {
        !self.injector.is_surely_empty() || self.workers().any(Worker::has_shared_work)
    }

    /// How many tasks wait, as far as can be seen without a lock.
    fn tasks_waiting(&self) -> usize {
        self.injector.len() + self.workers().map(Worker::tasks_waiting).sum::<usize>()
    }

    /// The same of work that belongs to somebody.
    fn work_surely_waits(&self) -> bool {
        self.shared_work_surely_waits() || self.workers().any(Worker::has_tasks)
    }

    /// By the monitor: others get what the worker at `index` would run next.
    fn share_neglected(&self, index: usize) {
        let Some(worker) = self.worker(index) else { return };
        let single = match worker.has_shared_work() {
            true => worker.next.take(),
            false => worker.next.take().or_else(|| worker.ring.pop()),
        };
        single.into_iter().for_each(|word| self.inject(word));
    }

    /// By the monitor: the worker at `index` counts as away, and others get what it has, unless it has
    /// moved since its ticks were these.
    fn write_off(&self, index: usize, ticks: u64) {
        let Some(worker) = self.worker(index) else { return };
        if self.idle.write_off(&worker.bed, || worker.ticks() != ticks) {
            self.inject_batch(worker.drain());
        }
    }

    /// By the monitor: these workers look at the injector and the timers after their polls.
    fn summon(&self, indices: &[usize]) {
        if !indices.is_empty() {
            let workers = indices.iter().filter_map(|&index| self.worker(index));
            self.idle.summon(workers.map(|worker| &worker.bed));
        }
    }

    /// By the monitor: whatever waits, somebody comes for it if anybody can.
    fn notify_of_what_waits(&self) {
        if self.shared_work_waits() {
            self.idle.notify(|index| self.bed(index));
        }
    }

    /// By whoever takes a worker away from the others, after it has.
    fn notify_if_shared_work_waits(&self) {
        if self.shared_work_surely_waits() {
            self.idle.pass_on(|index| self.bed(index));
        }
    }

    // Workers.

    /// The worker at `index`, made if it is the first time.
    fn place_worker(&self, index: usize) -> Arc<Worker> {
        let worker = self.workers[index].get_or_init(|| Arc::new(Worker::new(index)));
        self.ever_used.fetch_max(index + 1, Ordering::SeqCst);
        worker.clone()
    }

    fn worker(&self, index: usize) -> Option<&Worker> {
        self.workers[index].get().map(|worker| &**worker)
    }

    fn workers(&self) -> impl Iterator<Item = &Worker> {
        (0..self.threads.places_in_use()).filter_map(|index| self.worker(index))
    }

    #[inline]
    fn bed(&self, index: usize) -> &Bed {
        &self.worker(index).expect("a sleeper is a worker").bed
    }
}

/// The run queue of this thread, unless it has said that it blocks and given its queue away.
#[inline]
fn own_queue(context: &Context) -> Option<&Worker> {
    match &context.role {
        Role::Worker(worker) if !worker.is_blocked() => Some(worker),
        _ => None,
    }
}
