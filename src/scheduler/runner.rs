//! What a worker thread does: find a goroutine, run it; without any, search; without success, sleep.

#![forbid(unsafe_code)]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use crate::patience::wait_a_moment;
use crate::rng::Rng;
use crate::scheduler::context::{self, Context, Role};
use crate::scheduler::idle::{Bed, Queues};
use crate::scheduler::queue::Word;
use crate::scheduler::worker::Worker;
use crate::scheduler::{Phase, Scheduler, task, threads};

/// Every so many polls a worker looks at the injector first, so that its own queue cannot starve
/// it. Go's figure: a prime, lest a periodic program always meets the same task there.
const INJECTOR_INTERVAL: u32 = 61;

/// How many times in a row the next slot goes before the ring, while others wait there.
const MAX_SLOT_STREAK: u32 = 3;

/// How many times a searcher goes round all workers before it gives up.
const SEARCH_ROUNDS: usize = 2;

/// What a worker thread does. Ends when the runtime does, or when it is one too many.
pub(crate) fn thread_main(scheduler: Arc<Scheduler>, worker: Arc<Worker>) {
    threads::signal_at_thread_end(&scheduler, worker.index);
    let context = Context::new(scheduler, Role::Worker(worker));
    let ran = catch_unwind(AssertUnwindSafe(|| context.enter(|| Runner::new(&context).run())));
    if ran.is_err() {
        // Everything of the user's runs under `catch_unwind` inside: this is a defect of gorun, and
        // the state it left is unknown.
        eprintln!("gorun: a worker failed; this is a defect of gorun, please report it");
        std::process::abort();
    }
    context::end_thread();
}

struct Runner<'a> {
    context: &'a Context,
    scheduler: &'a Arc<Scheduler>,
    worker: &'a Worker,
    rng: Rng,
    polls: u32,
    slot_streak: u32,
    is_retired: bool,
    /// Every worker's ticks at this one's last look as the watcher.
    last_ticks: Vec<u64>,
}

impl<'a> Runner<'a> {
    fn new(context: &'a Context) -> Self {
        let worker = context.worker().expect("only workers run goroutines");
        let scheduler = &context.scheduler;
        Runner {
            context,
            scheduler,
            worker,
            rng: Rng::new(scheduler.seed.wrapping_add(worker.index as u64)),
            polls: 0,
            slot_streak: 0,
            is_retired: false,
            last_ticks: Vec::new(),
        }
    }

    fn run(&mut self) {
        self.scheduler.idle.worker_available();
        while let Some(word) = self.find_task() {
            self.worker.tick();
            task::run(word, self.context);
            self.worker.tick();
            if self.polls.is_multiple_of(INJECTOR_INTERVAL) {
                self.retire_if_excess();
            }
        }
        self.scheduler.inject_batch(self.worker.drain());
        self.scheduler.idle.worker_unavailable();
    }

    /// The next goroutine to run; `None` when this worker is to end.
    fn find_task(&mut self) -> Option<Word> {
        let mut searching = false;
        loop {
            // When the runtime ends, what is still queued is dropped first.
            let found = match self.is_retired {
                true => None,
                false => self.local_task().or_else(|| self.injected_task()).or_else(|| {
                    searching = searching || self.scheduler.idle.begin_search();
                    if searching { self.steal() } else { None }
                }),
            };
            if found.is_some() || self.is_to_end() {
                if searching && self.scheduler.idle.end_search() {
                    self.scheduler.notify_if_shared_work_waits();
                }
                return found;
            }
            self.retire_if_excess();
            if self.is_retired {
                continue;
            }
            if self.scheduler.is_closing() {
                // Perhaps this worker ran the last goroutine that exit waits for.
                self.scheduler.main.unpark();
            }
            let scheduler = self.scheduler;
            if searching && wait_a_moment(|| self.is_to_end() || scheduler.shared_work_waits()) {
                continue;
            }
            scheduler.idle.sleep(self.worker.index, searching, self);
            searching = true;
        }
    }

    #[inline]
    fn is_to_end(&self) -> bool {
        self.is_retired || self.scheduler.phase() == Phase::Ended
    }

    /// Retires if there are more workers than wanted.
    fn retire_if_excess(&mut self) {
        let scheduler = self.scheduler;
        self.is_retired = scheduler.phase() == Phase::Running
            && scheduler.threads.retire_if_excess(self.worker.index);
    }

    /// From this worker's own queue, or every now and then from the injector.
    #[inline]
    fn local_task(&mut self) -> Option<Word> {
        self.polls = self.polls.wrapping_add(1);
        if self.polls.is_multiple_of(INJECTOR_INTERVAL)
            && let Some(word) = self.injected_task()
        {
            return Some(word);
        }
        if self.slot_streak < MAX_SLOT_STREAK || self.worker.ring.len() == 0 {
            if let Some(word) = self.worker.next.take() {
                self.slot_streak += 1;
                return Some(word);
            }
        } else if let Some(word) = self.worker.next.take() {
            self.scheduler.push_back(self.worker, word);
        }
        self.slot_streak = 0;
        self.worker.ring.pop()
    }

    /// From the injector, with company for the ring.
    #[inline]
    fn injected_task(&mut self) -> Option<Word> {
        self.scheduler.take_injected(self.worker)
    }

    /// From other workers' rings.
    fn steal(&mut self) -> Option<Word> {
        let workers = self.scheduler.started_workers();
        let closing = self.scheduler.is_closing();
        for _ in 0..SEARCH_ROUNDS {
            let start = self.rng.below(workers);
            for victim in (start..workers).chain(0..start) {
                let Some(victim) = self.scheduler.worker(victim) else { continue };
                if victim.index == self.worker.index {
                    continue;
                }
                if let Some((word, _)) = victim.ring.steal_into(&self.worker.ring) {
                    return Some(word);
                }
                // A fresh next slot is its worker's, except that at exit nothing is worth the wait.
                if closing && let Some(word) = victim.next.take() {
                    return Some(word);
                }
            }
            if let Some(word) = self.injected_task() {
                return Some(word);
            }
        }
        None
    }
}

impl Queues for Runner<'_> {
    fn shared_work_waits(&self) -> bool {
        self.is_to_end() || self.scheduler.shared_work_waits()
    }

    fn neglected_work(&mut self) -> bool {
        if self.shared_work_waits() {
            return true;
        }
        let workers = self.scheduler.started_workers();
        self.last_ticks.resize(workers, u64::MAX);
        for index in 0..workers {
            let Some(victim) = self.scheduler.worker(index) else { continue };
            let ticks = victim.ticks();
            let has_moved = std::mem::replace(&mut self.last_ticks[index], ticks) != ticks;
            if has_moved || index == self.worker.index {
                continue;
            }
            if let Some(word) = victim.next.take().or_else(|| victim.ring.pop()) {
                self.scheduler.push_back(self.worker, word);
                return true;
            }
        }
        false
    }

    fn bed(&self, worker: usize) -> &Bed {
        self.scheduler.bed(worker)
    }
}
