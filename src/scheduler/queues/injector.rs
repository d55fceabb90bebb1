//! The global run queue: what foreign threads push, and what overflows a worker's ring.
//!
//! Several deques behind locks. A thread always pushes into the same one, so threads that push at the
//! same time do so without waiting for each other and without passing a cache line to and fro, and
//! what one thread pushes stays in order. Workers come for many tasks at a time, as many as their
//! rings have room for, so the locks are nearly always free.
//!
//! Whether there is anything is read without locks, except by a worker that goes to sleep. It takes
//! each lock after it has announced itself: whoever pushed before it is seen, and whoever pushes
//! after it has received, with the lock, what it announced (`idle/mod.rs`).
//!
//! Rejected: `concurrent-queue`, which this was at first. It has no batch operation, so each task from
//! outside costs a push and a pop of its own: a fifth more in all (`docs/benchmarks.md`).

#![forbid(unsafe_code)]

use std::cell::Cell;
use std::collections::VecDeque;

use super::run_queue::RawTask;
use crate::sync::{AtomicUsize, Mutex, Ordering, lock};

/// A deque that was drained keeps no more room than this.
const KEPT_CAPACITY: usize = 4096;

/// Any thread may push and take.
pub(crate) struct Injector<const SHARDS: usize> {
    shards: [Shard; SHARDS],
}

/// First in, first out.
#[repr(align(128))]
struct Shard {
    tasks: Mutex<VecDeque<RawTask>>,
    /// Mirrors the length of `tasks`, for a look without the lock.
    len: AtomicUsize,
}

/// What [`Injector::take`] hands out: one task to run and others to queue behind it.
pub(crate) struct Taken {
    pub(crate) first: RawTask,
    pub(crate) rest: Vec<RawTask>,
}

impl<const SHARDS: usize> Injector<SHARDS> {
    pub(crate) fn new() -> Self {
        let empty = |_| Shard { tasks: Mutex::new(VecDeque::new()), len: AtomicUsize::new(0) };
        Injector { shards: std::array::from_fn(empty) }
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.shards.iter().all(|shard| shard.len.load(Ordering::Relaxed) == 0)
    }

    pub(crate) fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.len.load(Ordering::Relaxed)).sum()
    }

    /// For a worker that goes to sleep, after it has announced that.
    pub(crate) fn is_empty_locked(&self) -> bool {
        self.shards.iter().all(|shard| lock(&shard.tasks).is_empty())
    }

    pub(crate) fn push(&self, task: RawTask) {
        self.own_shard().change(|tasks| tasks.push_back(task));
    }

    pub(crate) fn push_batch(&self, batch: Vec<RawTask>) {
        self.own_shard().change(|tasks| tasks.extend(batch));
    }

    /// Takes a task, and up to `room` more for the caller's ring: its share, one of `sharers`, of
    /// what there is. Callers that change `first_shard` from time to time let all shards have their
    /// turn.
    pub(crate) fn take(&self, first_shard: usize, room: usize, sharers: usize) -> Option<Taken> {
        let (before, after) = self.shards.split_at(first_shard % SHARDS);
        let mut filled =
            after.iter().chain(before).filter(|shard| shard.len.load(Ordering::Relaxed) > 0);
        filled.find_map(|shard| shard.change(|tasks| take_share(tasks, room, sharers)))
    }

    fn own_shard(&self) -> &Shard {
        &self.shards[thread_number() % SHARDS]
    }
}

impl Shard {
    fn change<R>(&self, change: impl FnOnce(&mut VecDeque<RawTask>) -> R) -> R {
        let mut tasks = lock(&self.tasks);
        let result = change(&mut tasks);
        self.len.store(tasks.len(), Ordering::Relaxed);
        result
    }
}

fn take_share(tasks: &mut VecDeque<RawTask>, room: usize, sharers: usize) -> Option<Taken> {
    let first = tasks.pop_front()?;
    let share = (tasks.len() / sharers).min(room);
    let rest = tasks.drain(..share).collect();
    if tasks.is_empty() && tasks.capacity() > KEPT_CAPACITY {
        *tasks = VecDeque::new();
    }
    Some(Taken { first, rest })
}

/// A number of the calling thread's own, to spread threads over shards.
#[inline]
pub(crate) fn thread_number() -> usize {
    // Not of the models' making: it orders nothing.
    static NEXT: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(1);
    thread_local! {
        static NUMBER: Cell<usize> = const { Cell::new(0) };
    }
    if NUMBER.get() == 0 {
        NUMBER.set(NEXT.fetch_add(1, Ordering::Relaxed));
    }
    NUMBER.get()
}
