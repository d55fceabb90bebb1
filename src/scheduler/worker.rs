//! A worker, as others see it: its run queue, its counts, its bed. What it does is in `runner.rs`.

#![forbid(unsafe_code)]

use crate::scheduler::counts::Counts;
use crate::scheduler::idle::Bed;
use crate::scheduler::queue::{NextSlot, Ring, Word};
use crate::sync::{AtomicU64, Ordering};

const RING_CAPACITY: usize = 256;

pub(crate) struct Worker {
    pub(crate) index: usize,
    pub(crate) ring: Ring<RING_CAPACITY>,
    pub(crate) next: NextSlot,
    pub(crate) bed: Bed,
    pub(crate) counts: Counts,
    /// Goes up by one when a poll begins and when it ends: odd is inside a poll.
    ticks: AtomicU64,
}

impl Worker {
    pub(crate) fn new(index: usize) -> Self {
        Worker {
            index,
            ring: Ring::new(),
            next: NextSlot::new(),
            bed: Bed::new(),
            counts: Counts::new(),
            ticks: AtomicU64::new(0),
        }
    }

    pub(crate) fn ticks(&self) -> u64 {
        self.ticks.load(Ordering::Acquire)
    }

    pub(crate) fn is_in_poll(&self) -> bool {
        self.ticks() % 2 == 1
    }

    /// How many polls have begun.
    #[inline]
    pub(crate) fn polls(&self) -> usize {
        self.ticks.load(Ordering::Relaxed).div_ceil(2) as usize
    }

    /// By the worker's own thread.
    #[inline]
    pub(crate) fn tick(&self) {
        let ticks = self.ticks.load(Ordering::Relaxed);
        self.ticks.store(ticks + 1, Ordering::Release);
    }

    /// How many tasks from the injector the ring can take without soon being full.
    pub(crate) fn room_for_company(&self) -> usize {
        (RING_CAPACITY / 2).saturating_sub(self.ring.len())
    }

    /// Takes everything out of the queue, for others to run.
    pub(crate) fn drain(&self) -> Vec<Word> {
        self.next.take().into_iter().chain(self.ring.drain()).collect()
    }

    /// Whether others may help themselves here: a single task is this worker's own.
    #[inline]
    pub(crate) fn has_shared_work(&self) -> bool {
        self.ring.len() >= 2
    }
}
