//! Workers and the monitor for the models of the idle protocol: the loops of `run_loop.rs` and
//! `monitor/mod.rs` around the shipped `idle/mod.rs`, `availability.rs` and `injector.rs`, so that only what
//! these order is ordered.

use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use loom::thread::{self, JoinHandle};

use crate::explore::quick_or_full;
use crate::idle::parker::Parker;
use crate::idle::{Idle, Mode};
use crate::primitives::{AtomicBool, AtomicU64, Condvar, Mutex, Ordering, lock};
use crate::queues::injector::Injector;
use crate::queues::run_queue::{NextSlot, RawTask};

/// A step left out.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mistake {
    None,
    /// Who goes to sleep, or ends a search, looks at the injector without its locks.
    LookWithoutLock,
    /// A sleeper does not look at the queues again.
    SleepWithoutLook,
    /// The last searcher does not look again.
    DutyNotPassedOn,
    /// Nor does one that has slept since what it stole was tiny.
    StillBackingOff,
    /// Who puts a single aside does not care whether the monitor is awake.
    MonitorNotWoken,
    /// The monitor does not look again when it has announced its sleep.
    MonitorSleepsWithoutLook,
    /// It sleeps without a limit, whoever is awake.
    SleepWithoutLimit,
    /// It writes off who has moved.
    WriteOffUnchecked,
    /// Who makes a spare available does not look whether work waits for it.
    NotHandedOver,
    /// A worker that goes away keeps what is in its queue.
    QueueKept,
}

impl Mistake {
    /// The bound of a model that takes long: all the way for a mistake that must be found.
    pub(crate) fn bound(self, full: usize) -> Option<usize> {
        match self {
            Mistake::None => quick_or_full(full - 1, Some(full)),
            _ => Some(full),
        }
    }
}

pub(crate) struct World {
    idle: Idle<Shared>,
    allowed: usize,
    workers: Vec<Arc<Shared>>,
    injector: Injector<1>,
    ended: AtomicBool,
    mistake: Mistake,
}

/// What others see of a worker. Its queue is the next slot.
struct Shared {
    parker: Parker,
    next: NextSlot,
    /// Odd is inside a poll.
    ticks: AtomicU64,
    has_announced_sleep: Event,
}

impl Shared {
    fn new() -> Self {
        Shared {
            parker: Parker::new(),
            next: NextSlot::new(),
            ticks: AtomicU64::new(0),
            has_announced_sleep: Event::new(),
        }
    }

    fn ticks(&self) -> u64 {
        self.ticks.load(Ordering::Acquire)
    }

    fn drain(&self) -> Vec<RawTask> {
        self.next.take().into_iter().collect()
    }
}

impl AsRef<Parker> for Shared {
    fn as_ref(&self) -> &Parker {
        &self.parker
    }
}

pub(crate) struct Worker {
    world: Arc<World>,
    me: usize,
    /// When it announces its sleep it says so, once.
    announces: Cell<bool>,
    /// It is a spare that was told to leave.
    is_retired: bool,
}

/// When the monitor takes its next look.
enum Next {
    Again,
    AfterSleep,
    WhenCalled,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    Injected,
    Single(RawTask),
}

impl World {
    pub(crate) fn new(workers: usize, mistake: Mistake) -> Arc<Self> {
        World::with_spares(workers, 0, mistake)
    }

    /// With more workers than are allowed, all of them awake.
    pub(crate) fn with_spares(allowed: usize, spares: usize, mistake: Mistake) -> Arc<Self> {
        let idle = Idle::new(allowed, false);
        let workers = allowed + spares;
        (0..workers).for_each(|_| idle.worker_added());
        Arc::new(World {
            idle,
            allowed,
            workers: (0..workers).map(|_| Arc::new(Shared::new())).collect(),
            injector: Injector::new(),
            ended: AtomicBool::new(false),
            mistake,
        })
    }

    /// The worker at `me`, for the calling thread to play.
    pub(crate) fn worker(self: &Arc<Self>, me: usize) -> Worker {
        Worker { world: self.clone(), me, announces: Cell::new(false), is_retired: false }
    }

    /// Starts the workers from `first` on.
    pub(crate) fn start(
        self: &Arc<Self>,
        first: usize,
        run: impl Fn(Worker) + Clone + 'static,
    ) -> Vec<JoinHandle<()>> {
        let start = |me| {
            let (worker, run) = (self.worker(me), run.clone());
            thread::spawn(move || run(worker))
        };
        (first..self.workers.len()).map(start).collect()
    }

    /// The same, and waits until all of them have announced their sleep.
    pub(crate) fn start_asleep(
        self: &Arc<Self>,
        first: usize,
        run: impl Fn(Worker) + Clone + 'static,
    ) -> Vec<JoinHandle<()>> {
        let threads = self.start(first, move |worker| {
            worker.announce_sleep();
            run(worker);
        });
        (first..self.workers.len()).for_each(|worker| self.wait_for_sleep(worker));
        threads
    }

    /// Until it has announced its sleep, if it has called `announce_sleep`.
    pub(crate) fn wait_for_sleep(&self, worker: usize) {
        self.workers[worker].has_announced_sleep.wait_for(1);
    }

    pub(crate) fn start_monitor(self: &Arc<Self>) -> JoinHandle<()> {
        let world = self.clone();
        thread::spawn(move || world.run_monitor())
    }

    /// As if it had done so before the model begins, in which its thread has not been started yet.
    pub(crate) fn let_monitor_sleep(&self) {
        self.idle.announce_monitor_sleep();
        self.idle.park_monitor(None);
    }

    /// By any thread: a push to the injector.
    pub(crate) fn inject(&self) {
        self.injector.push(1);
        self.idle.notify();
    }

    fn inject_from_ring(&self, batch: Vec<RawTask>) {
        if !batch.is_empty() {
            self.injector.push_from_ring(batch);
            self.idle.notify();
        }
    }

    /// The end: workers find nothing any more.
    pub(crate) fn end(&self) {
        self.ended.store(true, Ordering::Relaxed);
        self.idle.keep_all();
        self.idle.notify_all();
    }

    /// What exit does first, and when nothing moves.
    pub(crate) fn begin_exit(&self) {
        self.idle.keep_all();
        if self.mistake != Mistake::NotHandedOver {
            self.idle.wake_sleeper();
        }
    }

    pub(crate) fn retire_spares(&self) {
        self.idle.retire_spares();
    }

    /// When everybody sleeps, no more and no less than are allowed are available.
    pub(crate) fn assert_counts_are_right(&self) {
        assert_eq!(self.idle.working(), self.allowed, "too many are available, or too few");
    }

    /// When all workers have ended or left, none is counted.
    pub(crate) fn assert_nobody_is_left(&self) {
        let summary = self.idle.announce_monitor_sleep();
        let (working, is_asleep) = (self.idle.working(), summary.is_asleep());
        assert!(working == 0 && is_asleep && !self.idle.has_idle_worker(), "somebody is counted");
    }

    fn pass_on_shared_work(&self) {
        if self.has_shared_work() {
            self.idle.pass_on();
        }
    }

    fn take_injected(&self) -> bool {
        self.injector.take(0, 0, 1, |_, _| ()).is_some()
    }

    fn has_shared_work(&self) -> bool {
        match self.mistake {
            Mistake::LookWithoutLock => !self.injector.is_empty(),
            _ => !self.injector.is_empty_locked(),
        }
    }

    fn has_any_work_locked(&self) -> bool {
        self.has_shared_work() || self.workers.iter().any(|worker| !worker.next.is_empty())
    }

    fn has_ended(&self) -> bool {
        self.ended.load(Ordering::Relaxed)
    }

    // The monitor.

    /// `Monitor::run`. It is quicker to judge than the shipped one: to it everybody neglects what is
    /// in their queue, and is stuck if they are in a poll while work waits.
    fn run_monitor(&self) {
        self.idle.park_monitor(None);
        while !self.has_ended() {
            match self.inspect() {
                // It sleeps for a moment.
                Next::Again => thread::yield_now(),
                Next::WhenCalled => self.idle.park_monitor(None),
                Next::AfterSleep => {
                    // A timed wait may end at once in a model; see `primitives.rs`.
                    thread::yield_now();
                    self.idle.park_monitor(Some(Duration::ZERO));
                }
            }
        }
    }

    fn inspect(&self) -> Next {
        let work_waits = !self.injector.is_empty() | self.share_neglected();
        if work_waits {
            self.replace_stuck();
            self.notify_of_shared_work();
            self.idle.cancel_monitor_sleep();
            return Next::Again;
        }
        let summary = self.idle.announce_monitor_sleep();
        if self.mistake != Mistake::MonitorSleepsWithoutLook && self.has_any_work_locked() {
            self.idle.cancel_monitor_sleep();
            return Next::Again;
        }
        match summary.is_asleep() || self.mistake == Mistake::SleepWithoutLimit {
            true => Next::WhenCalled,
            false => Next::AfterSleep,
        }
    }

    /// Says whether there was anything.
    fn share_neglected(&self) -> bool {
        let neglected: Vec<_> = self.workers.iter().flat_map(|worker| worker.drain()).collect();
        let is_any = !neglected.is_empty();
        self.inject_from_ring(neglected);
        is_any
    }

    fn replace_stuck(&self) {
        for worker in 0..self.workers.len() {
            let ticks = self.workers[worker].ticks();
            if ticks % 2 == 1 {
                self.replace(worker, ticks);
            }
        }
    }

    /// `Scheduler::write_off` with what follows; the worker's ticks were these.
    pub(crate) fn replace(&self, worker: usize, ticks: u64) {
        let worker = &self.workers[worker];
        let has_moved = || self.mistake != Mistake::WriteOffUnchecked && worker.ticks() != ticks;
        if self.idle.write_off(&worker.parker, has_moved) {
            self.inject_from_ring(worker.drain());
            self.allow(self.allowed);
            self.notify_of_shared_work();
        }
    }

    pub(crate) fn allow(&self, allowed: usize) {
        self.idle.allow(allowed, self.workers.iter().map(|worker| &worker.parker));
    }

    fn notify_of_shared_work(&self) {
        if self.mistake != Mistake::NotHandedOver && !self.injector.is_empty() {
            self.idle.notify();
        }
    }
}

impl Worker {
    fn shared(&self) -> &Arc<Shared> {
        &self.world.workers[self.me]
    }

    /// Puts a task into the next slot.
    pub(crate) fn put_aside(&self, word: RawTask) {
        assert_eq!(self.shared().next.replace(word), None);
        if self.world.mistake != Mistake::MonitorNotWoken {
            self.world.idle.ensure_monitor_awake();
        }
    }

    pub(crate) fn announce_sleep(&self) {
        self.announces.set(true);
    }

    pub(crate) fn end_world(&self) {
        self.world.end();
    }

    // Polls.

    /// A poll begins, or ends. Returns the ticks.
    pub(crate) fn step(&self) -> u64 {
        let ticks = self.shared().ticks.load(Ordering::Relaxed) + 1;
        self.shared().ticks.store(ticks, Ordering::Release);
        ticks
    }

    /// `Away::new`. Returns how many workers are missing.
    pub(crate) fn block(&self) -> usize {
        self.step();
        self.step();
        self.give_away_queue();
        let missing = self.world.idle.block(&self.shared().parker);
        if self.world.mistake != Mistake::NotHandedOver {
            self.world.pass_on_shared_work();
        }
        missing
    }

    /// `Away::drop`.
    pub(crate) fn unblock(&self) {
        self.world.idle.unblock(&self.shared().parker, false);
        self.step();
        self.step();
    }

    fn give_away_queue(&self) {
        if self.world.mistake != Mistake::QueueKept {
            self.world.inject_from_ring(self.shared().drain());
        }
    }

    // The loop.

    /// `RunLoop::run`, with polls that `poll` plays.
    pub(crate) fn run(mut self, poll: impl FnMut(&Worker, Found)) -> Self {
        let found = self.find_task();
        self.go_on(found, poll)
    }

    /// The same from the end of a poll on.
    pub(crate) fn end_poll_and_run(mut self, poll: impl FnMut(&Worker, Found)) -> Self {
        self.step();
        let found = self.after_poll();
        self.go_on(found, poll)
    }

    fn go_on(mut self, mut found: Option<Found>, mut poll: impl FnMut(&Worker, Found)) -> Self {
        while let Some(task) = found {
            self.step();
            poll(&self, task);
            self.step();
            found = self.after_poll();
        }
        if !self.is_retired {
            self.world.idle.worker_removed(&self.shared().parker);
            self.world.pass_on_shared_work();
        }
        self
    }

    fn after_poll(&mut self) -> Option<Found> {
        let parker = &self.shared().parker;
        if !parker.must_check_in() || !self.world.idle.check_in(parker) {
            return self.find_task();
        }
        self.give_away_queue();
        self.search(false, true)
    }

    pub(crate) fn is_retired(&self) -> bool {
        self.is_retired
    }

    /// `RunLoop::find_task`; `None` at the end, or if it is to leave.
    pub(crate) fn find_task(&mut self) -> Option<Found> {
        self.own_or_injected_task().or_else(|| self.search(false, false))
    }

    /// The same after steals that were tiny; then nothing was at hand a moment ago.
    pub(crate) fn find_task_after_tiny_steals(&mut self) -> Option<Found> {
        self.search(true, false)
    }

    fn search(&mut self, tiny: bool, is_excess: bool) -> Option<Found> {
        let world = self.world.clone();
        let mut mode = if tiny && world.idle.others_are_awake() {
            Mode::BackingOff
        } else if !is_excess && world.idle.begin_search() {
            Mode::Searching
        } else {
            Mode::Waiting
        };
        let mut is_stale = false;
        loop {
            let found = match mode {
                // Others' next slots it leaves alone.
                Mode::Searching => self.own_or_injected_task(),
                Mode::BackingOff | Mode::Waiting => None,
            };
            if found.is_some() || world.has_ended() {
                if mode == Mode::Searching
                    && world.idle.end_search()
                    && world.mistake != Mistake::DutyNotPassedOn
                    && !(is_stale && world.mistake == Mistake::StillBackingOff)
                {
                    world.pass_on_shared_work();
                }
                return found;
            }
            if !world.idle.sleep(self.shared(), mode, || self.must_stay_awake()) {
                self.is_retired = true;
                return None;
            }
            is_stale |= mode == Mode::BackingOff;
            mode = Mode::Searching;
        }
    }

    fn own_or_injected_task(&self) -> Option<Found> {
        if self.world.has_ended() {
            return None;
        }
        self.shared().next.take().map(Found::Single).or_else(|| self.injected_task())
    }

    fn injected_task(&self) -> Option<Found> {
        self.world.take_injected().then_some(Found::Injected)
    }

    fn must_stay_awake(&self) -> bool {
        if self.announces.replace(false) {
            self.shared().has_announced_sleep.happen();
        }
        self.world.mistake != Mistake::SleepWithoutLook
            && (self.world.has_ended() || self.world.has_shared_work())
    }
}

/// Something that happens, perhaps several times.
pub(crate) struct Event {
    times: Mutex<usize>,
    changed: Condvar,
}

impl Event {
    pub(crate) fn new() -> Self {
        Event { times: Mutex::new(0), changed: Condvar::new() }
    }

    pub(crate) fn happen(&self) {
        *lock(&self.times) += 1;
        self.changed.notify_one();
    }

    pub(crate) fn times(&self) -> usize {
        *lock(&self.times)
    }

    /// By one thread only.
    pub(crate) fn wait_for(&self, times: usize) {
        let mut so_far = lock(&self.times);
        while *so_far < times {
            so_far = self.changed.wait(so_far).unwrap();
        }
    }
}
