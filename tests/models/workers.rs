//! Workers for the models of the idle protocol: the loop of `runner.rs` around the shipped
//! `idle.rs` and `injector.rs`, so that only what these two order is ordered.

use std::sync::Arc;

use loom::thread::{self, JoinHandle};

use crate::idle::{Bed, Idle, Queues};
use crate::injector::Injector;
use crate::queue::{NextSlot, Word};
use crate::sync::{AtomicBool, Ordering};

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
    /// Nor does one that has slept since its haul was tiny.
    StillResting,
    /// Who puts a single aside does not care whether anybody watches.
    NobodyWatches,
}

pub(crate) struct World {
    idle: Idle,
    workers: Vec<Shared>,
    injector: Injector<1>,
    ended: AtomicBool,
    mistake: Mistake,
}

/// What others see of a worker: the next slot, and the only task of its ring.
struct Shared {
    bed: Bed,
    singles: [NextSlot; 2],
}

pub(crate) struct Worker {
    world: Arc<World>,
    me: usize,
    /// The watcher's catch. (The shipped one puts it into its ring.)
    caught: Option<Word>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    Injected,
    Single(Word),
}

impl World {
    pub(crate) fn new(workers: usize, mistake: Mistake) -> Arc<Self> {
        let shared = |_| Shared { bed: Bed::new(), singles: [NextSlot::new(), NextSlot::new()] };
        let idle = Idle::new();
        (0..workers).for_each(|_| idle.worker_available());
        Arc::new(World {
            idle,
            workers: (0..workers).map(shared).collect(),
            injector: Injector::new(),
            ended: AtomicBool::new(false),
            mistake,
        })
    }

    /// The worker at `me`, for the calling thread to play.
    pub(crate) fn worker(self: &Arc<Self>, me: usize) -> Worker {
        Worker { world: self.clone(), me, caught: None }
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

    /// By any thread: a push to the injector.
    pub(crate) fn inject(&self) {
        self.injector.push(1);
        self.idle.notify(|worker| self.bed(worker));
    }

    /// `Scheduler::worker_unavailable`, by the worker of that number.
    pub(crate) fn take_away(&self, _worker: usize) {
        self.idle.worker_unavailable();
        if self.shared_work_waits() {
            self.idle.pass_on(|worker| self.bed(worker));
        }
    }

    /// The end: workers find nothing any more.
    pub(crate) fn end(&self) {
        self.ended.store(true, Ordering::Relaxed);
        self.idle.notify_all(|worker| self.bed(worker));
    }

    fn take_injected(&self) -> bool {
        self.injector.take(0, 0, 1).is_some()
    }

    fn shared_work_waits(&self) -> bool {
        match self.mistake {
            Mistake::LookWithoutLock => !self.injector.is_empty(),
            _ => !self.injector.is_surely_empty(),
        }
    }

    fn has_ended(&self) -> bool {
        self.ended.load(Ordering::Relaxed)
    }

    fn bed(&self, worker: usize) -> &Bed {
        &self.workers[worker].bed
    }
}

impl Worker {
    /// Puts a task into the next slot (0) or, as the only one, into the ring (1).
    pub(crate) fn put_aside(&self, place: usize, word: Word) {
        assert_eq!(self.world.workers[self.me].singles[place].replace(word), None);
        if self.world.mistake != Mistake::NobodyWatches {
            self.world.idle.ensure_watched(|worker| self.world.bed(worker));
        }
    }

    pub(crate) fn end_world(&self) {
        self.world.end();
    }

    /// `Runner::find_task`; `None` at the end.
    pub(crate) fn find_task(&mut self) -> Option<Found> {
        self.find_task_after(false)
    }

    /// The same after a haul that was tiny, or not; if it was, nothing was at hand a moment ago.
    pub(crate) fn find_task_after(&mut self, tiny: bool) -> Option<Found> {
        let world = self.world.clone();
        if !tiny && !world.has_ended() {
            let at_hand = self.local_task().or_else(|| self.injected_task());
            if at_hand.is_some() {
                return at_hand;
            }
        }
        let resting = tiny && world.idle.others_are_awake();
        let mut searching = !resting && world.idle.begin_search();
        let mut is_stale = false;
        loop {
            let found = match searching && !world.has_ended() {
                true => self.local_task().or_else(|| self.injected_task()).or_else(|| self.steal()),
                false => None,
            };
            if found.is_some() || world.has_ended() {
                if searching
                    && world.idle.end_search()
                    && world.shared_work_waits()
                    && world.mistake != Mistake::DutyNotPassedOn
                    && !(is_stale && world.mistake == Mistake::StillResting)
                {
                    world.idle.pass_on(|worker| world.bed(worker));
                }
                return found;
            }
            world.idle.sleep(self.me, searching, resting && !searching, self);
            searching = true;
            is_stale = resting;
        }
    }

    fn local_task(&mut self) -> Option<Found> {
        let own = &self.world.workers[self.me].singles;
        let word = self.caught.take().or_else(|| own.iter().find_map(NextSlot::take));
        word.map(Found::Single)
    }

    fn injected_task(&self) -> Option<Found> {
        self.world.take_injected().then_some(Found::Injected)
    }

    /// A searcher leaves next slots alone, but takes the only task of a ring.
    fn steal(&self) -> Option<Found> {
        let others = self.world.workers.iter().enumerate().filter(|&(index, _)| index != self.me);
        let stolen = others.map(|(_, worker)| worker.singles[1].take()).find_map(|word| word);
        stolen.map(Found::Single).or_else(|| self.injected_task())
    }
}

impl Queues for Worker {
    fn shared_work_waits(&self) -> bool {
        self.world.mistake != Mistake::SleepWithoutLook
            && (self.world.has_ended() || self.world.shared_work_waits())
    }

    fn neglected_work(&mut self) -> bool {
        // A timed wait ends at once in a model; see `sync.rs`.
        thread::yield_now();
        if self.shared_work_waits() {
            return true;
        }
        for (index, worker) in self.world.workers.iter().enumerate() {
            if index != self.me
                && let Some(word) = worker.singles.iter().find_map(NextSlot::take)
            {
                self.caught = Some(word);
                // As every push to a ring does.
                self.world.idle.ensure_watched(|worker| self.world.bed(worker));
                return true;
            }
        }
        false
    }

    fn bed(&self, worker: usize) -> &Bed {
        self.world.bed(worker)
    }
}
