//! The monitor: the one thread that notices a worker that makes no progress, and keeps the others
//! going.
//!
//! It samples all workers, lets `stall_detector.rs` decide, and acts:
//!
//! - It gives other workers the tasks that wait behind a long poll.
//! - It writes off a stuck worker: the worker counts as away (`idle/mod.rs`), and its queue goes to
//!   the injector. Thieves take what it pushes from now on, or the monitor hands it on at its next
//!   sample. When its poll is over the worker checks in, and is a worker like the others again, or
//!   a spare if it is one too many. Nothing is handed over, and a late or mistaken decision does no
//!   harm: other threads can take all that a worker has at any time, so one that is written off
//!   while its poll ends simply runs on.
//! - For each worker that is away, a spare covers or a new thread starts.
//! - It starts the threads that others request (`thread_requests.rs`).
//! - It tells each worker how many polls it begins in a tenth of a millisecond, and asks one whose
//!   polls are long to check in: after this poll the worker looks at the injector and the timers
//!   (`turns.rs`). The goroutine of a poll that lasts gives way at its next operation (`gate.rs`).
//! - It retires spares that have not been needed for a second.
//! - It reports goroutines that hold a worker for too long.
//! - Where the user has not set the number of workers, it asks the system once a second how many
//!   cores are usable: the limits of a container may change. Workers in excess become spares, and
//!   missing ones start when work waits, as for workers that are away.
//!
//! It looks for events of sockets while no worker does (`reactor/mod.rs`).
//!
//! It also keeps time for the timers (`timer_queue/mod.rs`), and wakes at their deadlines.
//!
//! It takes a sample every 800 µs while anything moves, or every millisecond if no worker is idle.
//! When nothing waits and nothing has moved since the last sample, it goes to sleep
//! (`idle/mod.rs`).

#![forbid(unsafe_code)]

pub(crate) mod report;
pub(crate) mod stall_detector;
pub(crate) mod stillness;

use std::hint;
use std::io;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use crate::clock;
use crate::scheduler::idle::parker::Availability;
use crate::scheduler::monitor::report::{Blocked, Reports};
use crate::scheduler::monitor::stall_detector::{Sample, Seen, StallDetector, Verdict};
use crate::scheduler::monitor::stillness::{Looks, StillnessSettings};
use crate::scheduler::shared::{MAX_EXIT_WORKERS, Phase, Scheduler, usable_cores};
use crate::scheduler::trace::Owner;
use crate::scheduler::trace::event::EventKind;
use crate::scheduler::trace::recorder::Recorder;
use crate::scheduler::worker::Worker;

/// As std's default, whatever `RUST_MIN_STACK` says: the monitor never runs user code.
const STACK_SIZE: usize = 2 << 20;

/// A poll that lasts longer than this, beside an idle worker, keeps its worker's tasks waiting.
/// Waiting this long costs less than coming back.
const MOMENT: Duration = Duration::from_micros(50);

/// The first sleep while a worker is awake or written off. The next sample finds a task that was
/// pushed without a lock at the same moment; later pushers see that they must wake the monitor.
const SHORT_SLEEP: Duration = Duration::from_millis(10);

/// The sleep when all workers are spares or written off.
const LONG_SLEEP: Duration = Duration::from_secs(1);

/// Caps the time credited between samples. More passes only if the process was stopped, or the
/// machine was too busy to run this thread; the workers did not run either, so they delayed
/// nothing.
const LONGEST_STEP: Duration = Duration::from_millis(20);

/// A spare retires when it has not been needed for this long, or up to twice as long.
const SPARE_LIFETIME: Duration = Duration::from_secs(1);

/// The time between two looks at the limits for cores, which cost some tens of microseconds.
const CPU_LIMITS_INTERVAL: Duration = Duration::from_secs(1);

/// The least time between two counts for a trace.
const COUNTS_INTERVAL: Duration = Duration::from_millis(10);

/// The pause after the system has refused a thread.
const PAUSE_AFTER_REFUSAL: Duration = Duration::from_millis(100);

pub(crate) fn start(
    scheduler: &Arc<Scheduler>,
    stillness: Option<StillnessSettings>,
) -> io::Result<()> {
    let name = scheduler.config.thread_name.clone() + "-monitor";
    let monitor = Monitor::new(scheduler.clone(), stillness);
    let threads = &scheduler.threads;
    threads.reserve_monitor();
    let builder = thread::Builder::new().name(name).stack_size(STACK_SIZE);
    let started = threads.spawn(builder, None, || monitor.run());
    threads.note_monitor(started.inspect_err(|_| threads.release(None))?);
    Ok(())
}

struct Monitor {
    scheduler: Arc<Scheduler>,
    detector: StallDetector,
    reports: Reports,
    looks: Option<Looks>,
    /// The last one. Its time comes from a clock that stops while the process is stopped.
    sample: Sample,
    /// How many workers there should be.
    workers: usize,
    cpu_limits_read_at: Instant,
    /// How many workers may be available, as last told to `Idle`.
    allowed: usize,
    next_sleep: Duration,
    sampled_last: Instant,
    spares_retired_at: Instant,
    /// For a trace, which has what the monitor notes: it waits for no other thread.
    recorder: Option<Recorder>,
    counted_at: Instant,
    refused_until: Option<Instant>,
    /// How often somebody had looked for events at the last sample.
    io_looks: usize,
}

impl Monitor {
    fn new(scheduler: Arc<Scheduler>, stillness: Option<StillnessSettings>) -> Self {
        let now = clock::now();
        Monitor {
            detector: StallDetector::new(),
            reports: Reports::new(scheduler.config.on_blocked.clone()),
            looks: stillness.map(Looks::new),
            sample: Sample { now, workers: Vec::new(), work_waits: false, has_idle_worker: false },
            workers: scheduler.config.workers,
            cpu_limits_read_at: now,
            allowed: scheduler.config.workers,
            next_sleep: SHORT_SLEEP,
            sampled_last: now,
            spares_retired_at: now,
            recorder: None,
            counted_at: now,
            refused_until: None,
            io_looks: 0,
            scheduler,
        }
    }

    fn run(mut self) {
        self.recorder = self.scheduler.trace.as_ref().and_then(|t| t.recorder(Owner::Monitor));
        let mut inspect_at = None;
        loop {
            let look_at = self.looks.as_ref().and_then(Looks::next);
            let wake_at = inspect_at.into_iter().chain(look_at).min();
            let limit = self.scheduler.timers.limit(clock::now(), wake_at);
            self.scheduler.idle.park_monitor(limit);
            self.serve();
            let now = clock::now();
            let some_are_overdue = self.keep_time(now);
            match self.scheduler.phase() {
                Phase::Running => {
                    let is_called = some_are_overdue || self.scheduler.idle.is_monitor_awake();
                    if is_called || inspect_at.is_some_and(|at| now >= at) {
                        inspect_at = self.inspect(now).map(|after| clock::now() + after);
                    }
                    self.look_at_stillness();
                }
                // Exit takes care of stragglers itself.
                Phase::Closing | Phase::Closed => (inspect_at, self.looks) = (None, None),
                Phase::Ended => {
                    // Requests made before the phase was set.
                    self.serve();
                    return self.scheduler.stop_internal_timers();
                }
            }
        }
    }

    /// Starts the threads that others have requested.
    fn serve(&mut self) {
        let scheduler = self.scheduler.clone();
        let requested = scheduler.threads.requests.take_covers();
        if requested > 0 && scheduler.phase() != Phase::Ended {
            let missing = scheduler.idle.to_start(requested);
            self.start_covers(missing, clock::now());
        }
        self.start_exit_workers();
        scheduler.threads.requests.report_noted_refusal();
        scheduler.threads.requests.send_wakes();
    }

    /// Starts the threads that drop, at exit, what no worker reaches.
    fn start_exit_workers(&self) {
        let scheduler = &self.scheduler;
        if scheduler.phase() == Phase::Ended {
            return;
        }
        while scheduler.threads.requests.exit_workers() > 0 {
            // If the system refuses the thread, the goroutines it was for stay where they are.
            let _ = scheduler.start_worker(scheduler.config.max_threads + MAX_EXIT_WORKERS);
            // Only now: it is counted as a worker.
            scheduler.threads.requests.exit_worker_started();
        }
    }

    /// Fires due timers that have internal wakers. Returns whether workers must fire others.
    fn keep_time(&self, now: Instant) -> bool {
        let scheduler = &self.scheduler;
        scheduler.timers.check_drivers(now);
        let some_are_overdue = scheduler.wake_internal_due(now) || scheduler.has_left_wakers();
        if some_are_overdue {
            scheduler.idle.wake_sleeper();
        }
        some_are_overdue
    }

    /// Takes a sample, and acts on it. Returns how long to sleep.
    fn inspect(&mut self, now: Instant) -> Option<Duration> {
        self.follow_cpu_limits(now);
        self.look_at_io();
        self.take_sample(now);
        let verdict = self.judge();
        self.note_seen();
        self.record_counts(now);
        self.act(&verdict, now);
        if verdict.is_quiet {
            return self.announce_sleep(verdict.next_sample);
        }
        self.next_sleep = SHORT_SLEEP;
        self.scheduler.idle.cancel_monitor_sleep();
        Some(verdict.next_sample)
    }

    /// Looks for events, unless a worker has since the last sample and all of them move: what it finds
    /// comes to the workers by the injector, and so behind what they find later. If nobody has looked, and a
    /// worker sleeps, that one is to be the poller.
    fn look_at_io(&mut self) {
        let scheduler = &self.scheduler;
        let nobody_has = scheduler.io_looks() == self.io_looks;
        let mut sampled = scheduler.workers().zip(&self.sample.workers);
        let must_look = nobody_has || sampled.any(|(worker, seen)| is_in_same_poll(worker, seen));
        if must_look && scheduler.look_at_io(&mut Vec::new()).is_some() && nobody_has {
            scheduler.idle.wake_poller();
        }
        self.io_looks = scheduler.io_looks();
    }

    fn follow_cpu_limits(&mut self, now: Instant) {
        let config = &self.scheduler.config;
        if config.follows_cpu_limits && now - self.cpu_limits_read_at >= CPU_LIMITS_INTERVAL {
            self.cpu_limits_read_at = now;
            self.workers = usable_cores().min(config.max_threads);
        }
    }

    fn take_sample(&mut self, now: Instant) {
        let (sample, scheduler) = (&mut self.sample, &self.scheduler);
        sample.workers.clear();
        sample.workers.extend(scheduler.workers().map(Seen::from));
        sample.work_waits = !scheduler.injector.is_empty()
            || scheduler.timers.are_due(now)
            || scheduler.has_left_wakers();
        sample.has_idle_worker = scheduler.idle.has_idle_worker();
        sample.now += (now - self.sampled_last).min(LONGEST_STEP);
        self.sampled_last = now;
    }

    fn judge(&mut self) -> Verdict {
        self.detector.assess(&self.sample, |index| {
            self.scheduler.worker(index).is_some_and(|worker| worker.thread().is_asleep())
        })
    }

    /// For dumps.
    fn note_seen(&self) {
        let now = self.scheduler.milliseconds(clock::now());
        for (worker, seen) in self.scheduler.workers().zip(&self.sample.workers) {
            worker.note_seen(seen.ticks, now);
        }
    }

    fn record_counts(&mut self, now: Instant) {
        let scheduler = &self.scheduler;
        let Some(recorder) = &self.recorder else { return };
        if now - self.counted_at < COUNTS_INTERVAL {
            return;
        }
        self.counted_at = now;
        recorder.note_clocks();
        recorder.record(EventKind::Goroutines, scheduler.num_goroutines(), 0);
        recorder.record(EventKind::Queued, scheduler.tasks_waiting(), 0);
        recorder.record(EventKind::Awake, scheduler.idle.counts().awake, 0);
    }

    fn act(&mut self, verdict: &Verdict, now: Instant) {
        let scheduler = self.scheduler.clone();
        let still_neglecting = self.give_a_moment(&verdict.perhaps_neglecting);
        for &index in verdict.neglecting.iter().chain(&still_neglecting) {
            scheduler.share_neglected(index);
        }
        for &index in &verdict.stuck {
            let note = |recorder: &Recorder| recorder.record(EventKind::WrittenOff, index, 0);
            self.recorder.iter().for_each(note);
            scheduler.write_off(index, self.sample.workers[index].ticks);
        }
        for (worker, &pace) in scheduler.workers().zip(&verdict.paces) {
            worker.set_pace(pace);
        }
        scheduler.request_check_in(&verdict.slow);
        for worker in verdict.overdue.iter().filter_map(|&index| scheduler.worker(index)) {
            worker.budget.exhaust();
        }
        let is_as_configured = verdict.extra == 0 && self.allowed == self.workers;
        if !self.sample.has_idle_worker || !is_as_configured {
            self.cover(verdict.extra, now);
        }
        let gave_away = !(verdict.neglecting.is_empty() && verdict.stuck.is_empty());
        if self.sample.work_waits || gave_away {
            scheduler.notify_of_shared_work();
        }
        self.report();
        if now - self.spares_retired_at >= SPARE_LIFETIME {
            self.spares_retired_at = now;
            scheduler.idle.retire_spares();
        }
    }

    /// Which of these workers, whose polls have just begun, do not end them soon.
    fn give_a_moment(&self, workers: &[usize]) -> Vec<usize> {
        let start = clock::now();
        let mut left = workers.to_vec();
        loop {
            left.retain(|&index| {
                let ticks = self.scheduler.worker(index).map(Worker::ticks);
                ticks == Some(self.sample.workers[index].ticks)
            });
            if left.is_empty() || start.elapsed() >= MOMENT {
                return left;
            }
            // A yield would give the core away for milliseconds if the poll runs on it.
            hint::spin_loop();
        }
    }

    /// Makes enough workers available.
    fn cover(&mut self, extra: usize, now: Instant) {
        let scheduler = &self.scheduler;
        self.allowed = self.workers + extra;
        let missing =
            scheduler.idle.allow(self.allowed, scheduler.workers().map(|worker| &worker.parker));
        let waiting = scheduler.tasks_waiting() + usize::from(scheduler.timers.are_due(now));
        let requested = scheduler.threads.requests.take_covers();
        self.start_covers(missing.min(waiting.max(requested)), now);
    }

    fn start_covers(&mut self, number: usize, now: Instant) {
        if self.refused_until.is_some_and(|until| now < until) {
            return;
        }
        for _ in 0..number {
            if !self.start_cover() {
                self.refused_until = Some(now + PAUSE_AFTER_REFUSAL);
                return;
            }
        }
    }

    /// Starts one more worker, to cover for one that is away. Returns whether that succeeded.
    fn start_cover(&self) -> bool {
        let scheduler = &self.scheduler;
        let Err(error) = scheduler.start_worker(scheduler.config.max_threads) else { return true };
        scheduler.note_refusal(&error);
        scheduler.threads.requests.report_noted_refusal();
        false
    }

    /// Looks whether what does not move is deadlocked, if it is time.
    fn look_at_stillness(&mut self) {
        let Some(looks) = &mut self.looks else { return };
        let (scheduler, now) = (&self.scheduler, clock::now());
        if !scheduler.idle.rest_is_wanted() {
            looks.note_rest(now);
        }
        looks.note_timers(scheduler, now);
        if looks.are_due(now) {
            // First, so that nobody who falls asleep meanwhile is missed.
            scheduler.idle.want_rest();
            if let Some(stillness) = looks.look(scheduler, now) {
                looks.send(scheduler, stillness);
            }
        }
    }

    fn report(&mut self) {
        for (index, seen) in self.sample.workers.iter().enumerate() {
            let held_for = self.detector.held_for(index, self.sample.now);
            if !self.reports.concern(held_for) || !seen.is_in_poll() {
                continue;
            }
            let worker = self.scheduler.worker(index);
            if let Some(spawned_at) = worker.and_then(|worker| worker.spawn_site(seen.ticks)) {
                self.reports.note(&Blocked { spawned_at, held_for });
            }
        }
        self.reports.send();
    }

    /// Prepares to sleep, since there is nothing to see. Returns for how long.
    fn announce_sleep(&mut self, next_sample: Duration) -> Option<Duration> {
        let scheduler = &self.scheduler;
        let summary = scheduler.idle.announce_monitor_sleep();
        if scheduler.has_any_work_locked() || scheduler.io_needs_monitor() {
            scheduler.idle.cancel_monitor_sleep();
            return Some(next_sample);
        }
        if summary.is_asleep()
            && let Some(looks) = &mut self.looks
        {
            looks.note_no_spares(clock::now());
        }
        if self.reports.are_wanted() {
            self.next_sleep = SHORT_SLEEP;
        } else if summary.awake + summary.written_off == 0 {
            self.next_sleep = LONG_SLEEP;
        }
        let sleep = self.next_sleep;
        self.next_sleep = (2 * sleep).min(LONG_SLEEP);
        (!summary.is_asleep()).then_some(sleep)
    }
}

/// Whether an available worker is in the poll that it was in when it was seen.
fn is_in_same_poll(worker: &Worker, seen: &Seen) -> bool {
    seen.is_in_poll() && worker.ticks() == seen.ticks && !worker.parker.is(Availability::WrittenOff)
}

impl From<&Worker> for Seen {
    fn from(worker: &Worker) -> Self {
        Seen {
            ticks: worker.ticks(),
            is_blocked: worker.is_blocked(),
            has_tasks: worker.has_tasks(),
            polls: worker.polls(),
        }
    }
}
