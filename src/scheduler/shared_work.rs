//! Where tasks go that may run on any worker, and how workers get them: the injector and the rings.

#![forbid(unsafe_code)]

use crate::clock;
use crate::primitives::Ordering;
use crate::scheduler::idle::parker::Availability;
use crate::scheduler::queues::injector::Batch;
use crate::scheduler::queues::run_queue::RawTask;
use crate::scheduler::shared::Scheduler;
use crate::scheduler::worker::Worker;

impl Scheduler {
    // Pushes.

    /// Pushes to the ring of `worker`, the caller.
    #[inline(always)]
    pub(super) fn push_back(&self, worker: &Worker, task: RawTask) {
        match worker.ring.push(task) {
            Ok(1) => self.idle.ensure_monitor_awake(),
            Ok(_) => self.idle.notify(),
            Err(overflow) => self.inject_overflow(overflow),
        }
    }

    /// Pushes to the injector, and wakes a worker if that is needed. Any thread may call this.
    pub(super) fn inject(&self, task: RawTask) {
        if let Some(simulation) = self.simulation() {
            return simulation.push(task);
        }
        self.injector.push(task);
        self.idle.notify();
    }

    fn inject_overflow(&self, overflow: Vec<RawTask>) {
        self.overflows.fetch_add(1, Ordering::Relaxed);
        self.injector.push_batch(overflow);
        self.idle.notify();
    }

    /// Gives the queue of `worker` to others.
    pub(super) fn inject_queue_of(&self, worker: &Worker) {
        let drained = worker.drain();
        if !drained.is_empty() {
            self.injector.push_from_ring(drained);
            self.idle.notify();
        }
    }

    // What workers take.

    /// Takes a task from the injector, and moves a batch to the ring of `worker`, the caller. Returns the
    /// task, and how many others there were.
    #[inline(never)]
    pub(super) fn take_injected(&self, worker: &Worker) -> Option<(RawTask, usize)> {
        if self.injector.is_empty() {
            return None;
        }
        let put = |first, batch: Batch<'_>| (first, worker.ring.extend(batch));
        let (polls, room) = (worker.polls(), worker.room_for_batch());
        let taken = self.injector.take(polls, room, self.config.workers, put)?;
        if taken.1 > 0 {
            self.announce_batch(worker);
        }
        Some(taken)
    }

    /// Moves a batch from the injector to the ring of `worker`, the caller. The ring is empty.
    #[inline]
    pub(super) fn refill(&self, worker: &Worker) {
        if !self.injector.is_empty() {
            self.move_batch(worker);
        }
    }

    #[inline(never)]
    fn move_batch(&self, worker: &Worker) {
        let put = |first, batch: Batch<'_>| {
            worker.ring.extend([first].into_iter());
            worker.ring.extend(batch);
        };
        // One place is for the first.
        let (polls, room) = (worker.polls(), worker.room_for_batch().saturating_sub(1));
        if self.injector.take(polls, room, self.config.workers, put).is_some() {
            self.announce_batch(worker);
        }
    }

    /// Wakes others for what `worker`, the caller, has moved to its ring.
    fn announce_batch(&self, worker: &Worker) {
        match worker.ring.len() {
            0 | 1 => self.idle.ensure_monitor_awake(),
            _ => self.idle.notify(),
        }
    }

    /// Whether shared work waits, as far as can be seen without a lock.
    pub(super) fn has_shared_work(&self) -> bool {
        !self.injector.is_empty() || self.workers().any(Worker::has_shared_work)
    }

    /// The same, or whether timers are due.
    pub(super) fn has_shared_work_or_timers(&self) -> bool {
        let has_timers = !self.timers.is_empty();
        self.has_shared_work() || has_timers && self.timers.are_due(clock::now())
    }

    pub(super) fn has_shared_work_locked(&self) -> bool {
        !self.injector.is_empty_locked() || self.workers().any(Worker::has_shared_work)
    }

    /// How many tasks wait, as far as can be seen without a lock.
    pub(crate) fn tasks_waiting(&self) -> usize {
        self.injector.len() + self.workers().map(Worker::tasks_waiting).sum::<usize>()
    }

    /// Whether any task waits, next slots included. Takes the locks of the injector.
    pub(super) fn has_any_work_locked(&self) -> bool {
        self.has_shared_work_locked() || self.workers().any(Worker::has_tasks)
    }

    /// For the monitor: gives other workers what the worker at `index` would run next.
    pub(super) fn share_neglected(&self, index: usize) {
        let Some(worker) = self.worker(index) else { return };
        if worker.parker.is(Availability::WrittenOff) {
            // All that it has pushed since: other workers may be too busy to steal it.
            return self.inject_queue_of(worker);
        }
        let single = match worker.has_shared_work() {
            true => worker.next.take(),
            false => worker.next.take().or_else(|| worker.ring.pop()),
        };
        single.into_iter().for_each(|task| self.inject(task));
    }

    /// For the monitor: counts the worker at `index` as away and gives its queue to others, unless
    /// it has moved since its ticks were `ticks`.
    pub(super) fn write_off(&self, index: usize, ticks: u64) {
        let Some(worker) = self.worker(index) else { return };
        if self.idle.write_off(&worker.parker, || worker.ticks() != ticks) {
            self.inject_queue_of(worker);
        }
    }

    /// For the monitor: makes these workers look at the injector and the timers after their polls.
    pub(super) fn request_check_in(&self, indices: &[usize]) {
        if !indices.is_empty() {
            let workers = indices.iter().filter_map(|&index| self.worker(index));
            self.idle.request_check_in(workers.map(|worker| &worker.parker));
        }
    }

    /// For the monitor: wakes a worker for shared work, if one can be woken.
    pub(super) fn notify_of_shared_work(&self) {
        if self.has_shared_work() {
            self.idle.notify();
        }
    }

    /// Wakes a sleeper if shared work waits. A worker calls this after it has stopped searching,
    /// ended or gone away.
    pub(super) fn pass_on_shared_work(&self) {
        if self.has_shared_work_locked() {
            self.idle.pass_on();
        }
    }
}
