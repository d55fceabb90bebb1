//! The global run queue: what other threads push, what blocked workers push, what workers give
//! away, what overflows a ring, what the monitor moves, and what timers wake beside long polls.
//!
//! It is a set of deques, each behind a lock. A thread always pushes to the same one. So threads
//! that push at the same time mostly use different deques: they neither wait for each other nor
//! pass a cache line to and fro. The tasks that one thread pushes stay in order there. Workers take
//! whole batches, but for those with long polls, so the locks are nearly always free.
//!
//! What is drained from a worker's ring, behind a long poll, goes to a deque of its own. So a task
//! that a thread has just pushed does not stand behind all that, and workers with long polls can
//! give each of the two its turn. What a ring has no room for goes to its thread's deque: with all
//! of that in one deque, two workers that overflow were a tenth slower (`skynet`).
//!
//! Any thread can read without locks whether there are tasks. A thread that must not miss one takes
//! each lock, after it has changed the word of `idle/mod.rs`: a worker that goes to sleep or ends,
//! the last searcher, the monitor. It sees every task pushed before that, and a later pusher receives
//! the change with the lock.
//!
//! Rejected: `concurrent-queue`, which the first version used. It has no batch operation, so each
//! task from outside costs its own push and pop: a fifth more in all (`docs/benchmarks.md`).

#![forbid(unsafe_code)]

use std::cell::Cell;
use std::collections::vec_deque::{self, VecDeque};
use std::iter::Copied;

use super::run_queue::RawTask;
use crate::primitives::{AtomicUsize, Mutex, Ordering, lock};

/// A drained deque keeps at most this capacity.
const KEPT_CAPACITY: usize = 4096;

/// Any thread may push and take.
pub(crate) struct Injector<const SHARDS: usize> {
    shards: [Shard; SHARDS],
    from_rings: Shard,
    /// The shard that comes first in `take_pushed`. It is a hint and orders nothing.
    turn: AtomicUsize,
}

/// First in, first out.
#[repr(align(128))]
struct Shard {
    tasks: Mutex<VecDeque<RawTask>>,
    /// Mirrors the length of `tasks`, to be read without the lock.
    len: AtomicUsize,
}

/// Tasks that leave a deque, the oldest first.
pub(crate) type Batch<'a> = Copied<vec_deque::Iter<'a, RawTask>>;

impl<const SHARDS: usize> Injector<SHARDS> {
    const DEQUES: usize = SHARDS + 1;

    pub(crate) fn new() -> Self {
        Injector {
            shards: std::array::from_fn(|_| Shard::new()),
            from_rings: Shard::new(),
            turn: AtomicUsize::new(0),
        }
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.all().all(|shard| shard.len.load(Ordering::Relaxed) == 0)
    }

    pub(crate) fn len(&self) -> usize {
        self.all().map(|shard| shard.len.load(Ordering::Relaxed)).sum()
    }

    /// Takes the locks. A worker calls this after it has announced its sleep.
    pub(crate) fn is_empty_locked(&self) -> bool {
        self.all().all(|shard| lock(&shard.tasks).is_empty())
    }

    pub(crate) fn push(&self, task: RawTask) {
        self.own_shard().change(|tasks| tasks.push_back(task));
    }

    /// Pushes what a worker's ring had no room for.
    pub(crate) fn push_batch(&self, batch: Vec<RawTask>) {
        self.own_shard().change(|tasks| tasks.extend(batch));
    }

    /// Pushes what a worker's ring held.
    pub(crate) fn push_from_ring(&self, batch: Vec<RawTask>) {
        self.from_rings.change(|tasks| tasks.extend(batch));
    }

    /// Takes one task, and at most `room` more for the caller's ring: one part in `sharers` of what
    /// a shard holds. `put` gets them while the deque is locked, so they need no memory of their own.
    /// Callers vary `first_shard`, so that every shard has its turn.
    // Never inline: whoever finds that there is nothing would save registers for this.
    #[inline(never)]
    pub(crate) fn take<R>(
        &self,
        first_shard: usize,
        room: usize,
        sharers: usize,
        put: impl Fn(RawTask, Batch<'_>) -> R,
    ) -> Option<R> {
        let take = |shard: &Shard| {
            shard.change(|tasks| {
                let first = tasks.pop_front()?;
                let share = (tasks.len() / sharers).min(room);
                let result = put(first, tasks.range(..share).copied());
                tasks.drain(..share);
                Some(result)
            })
        };
        let first = first_shard % Self::DEQUES;
        self.filled((first..Self::DEQUES).chain(0..first)).find_map(|(_, shard)| take(shard))
    }

    /// Takes one of the tasks that threads have pushed. The deques that hold some take turns, whoever
    /// takes.
    #[cold]
    pub(crate) fn take_pushed(&self) -> Option<RawTask> {
        let turn = self.turn.load(Ordering::Relaxed);
        self.filled((turn..SHARDS).chain(0..turn)).find_map(|(index, shard)| {
            let task = shard.change(VecDeque::pop_front)?;
            self.turn.store((index + 1) % SHARDS, Ordering::Relaxed);
            Some(task)
        })
    }

    /// Takes one of the tasks that rings held.
    #[cold]
    pub(crate) fn take_from_rings(&self) -> Option<RawTask> {
        match self.from_rings.len.load(Ordering::Relaxed) {
            0 => None,
            _ => self.from_rings.change(VecDeque::pop_front),
        }
    }

    fn all(&self) -> impl Iterator<Item = &Shard> + Clone {
        self.shards.iter().chain([&self.from_rings])
    }

    /// Those of them that hold tasks, as far as can be seen without a lock.
    fn filled(
        &self,
        indices: impl Iterator<Item = usize>,
    ) -> impl Iterator<Item = (usize, &Shard)> {
        let with_shards = indices.map(|i| (i, self.shards.get(i).unwrap_or(&self.from_rings)));
        with_shards.filter(|(_, shard)| shard.len.load(Ordering::Relaxed) > 0)
    }

    fn own_shard(&self) -> &Shard {
        &self.shards[thread_shard_number() % SHARDS]
    }
}

impl Shard {
    fn new() -> Self {
        Shard { tasks: Mutex::new(VecDeque::new()), len: AtomicUsize::new(0) }
    }

    fn change<R>(&self, change: impl FnOnce(&mut VecDeque<RawTask>) -> R) -> R {
        let mut tasks = lock(&self.tasks);
        let result = change(&mut tasks);
        self.len.store(tasks.len(), Ordering::Relaxed);
        if tasks.is_empty() && tasks.capacity() > KEPT_CAPACITY {
            *tasks = VecDeque::new();
        }
        result
    }
}

/// A number unique to the calling thread, which spreads threads over shards.
#[inline]
pub(crate) fn thread_shard_number() -> usize {
    // Std's atomic, not the modelled one: it orders nothing.
    static NEXT: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(1);
    thread_local! {
        static NUMBER: Cell<usize> = const { Cell::new(0) };
    }
    if NUMBER.get() == 0 {
        NUMBER.set(NEXT.fetch_add(1, Ordering::Relaxed));
    }
    NUMBER.get()
}
