//! The registry of suspended goroutines, which exit must wake.
//!
//! # Protocol
//!
//! A goroutine enters at its *first* suspension, before that poll returns, with a waker of its own.
//! It leaves when it completes. So the registry owns a reference to every suspended goroutine: exit
//! can find the goroutine, and it is not destroyed when no other waker refers to it. Goroutines
//! that were never suspended are queued or running, and the workers that reach them see that the
//! runtime is closing. A goroutine that never waits costs the registry nothing.
//!
//! Exit closes the shards one after another. Under the shard's lock it marks the shard closed and
//! takes its entries. Outside the lock it wakes each. A goroutine that comes later is refused and
//! must cancel itself at once. So each goroutine is taken, or is refused, or leaves in time:
//!
//! - `register` and `close` take the same lock. If `register` comes first, `close` takes the waker.
//!   If `close` comes first, `register` is refused. Nothing is in between.
//! - If exit wakes a goroutine that is still inside the poll that registered it, the wake finds it
//!   running, and it is rescheduled when that poll ends.
//! - `deregister` after `close` finds nothing to remove: exit has the waker, and waking a completed
//!   goroutine does nothing.
//!
//! The polling worker chooses the shard. So workers that run only their own goroutines never wait
//! for each other here. A goroutine that moved is removed under another worker's lock.
//!
//! Rejected: entering at spawn (two locks for each of the many goroutines that never wait); links
//! inside the allocation (more than twice as large, with unsafe code); one lock for all (async-executor's
//! best-known cost).

#![forbid(unsafe_code)]

use crate::primitives::{Mutex, lock};

/// The place of an entry: [`Registry::register`] returns it, [`Registry::deregister`] needs it. Less
/// than [`RegistryKey::LIMIT`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RegistryKey(pub(crate) u32);

impl RegistryKey {
    pub(crate) const LIMIT: usize = (1 << 30) - 1;
}

/// The registry is closed: the goroutine must cancel itself.
#[derive(Debug)]
pub(crate) struct Closed;

/// Entries of `W`, the waker, in shards.
pub(crate) struct Registry<W> {
    shards: Box<[CacheLine<Mutex<Shard<W>>>]>,
}

/// Keeps shards out of each other's cache lines. It spans two, because processors fetch them in
/// pairs.
#[repr(align(128))]
struct CacheLine<T>(T);

enum Shard<W> {
    Open(Places<W>),
    Closed,
}

/// Entries, each at a place of its own. `W` has a value that stands for none, so a place takes no more than an entry.
struct Places<W> {
    all: Vec<Option<W>>,
    /// Four bytes for each place that was used before.
    free: Vec<u32>,
}

impl<W> Places<W> {
    fn new() -> Self {
        Places { all: Vec::new(), free: Vec::new() }
    }

    fn insert(&mut self, entry: W) -> usize {
        match self.free.pop() {
            Some(place) => {
                self.all[place as usize] = Some(entry);
                place as usize
            }
            None => {
                self.all.push(Some(entry));
                self.all.len() - 1
            }
        }
    }

    fn remove(&mut self, place: usize) -> W {
        let entry = self.all[place].take().expect("it was entered");
        self.free.push(place as u32);
        entry
    }

    fn len(&self) -> usize {
        self.all.len() - self.free.len()
    }
}

/// The shards divide the keys among them. This limit leaves at least 33 million for the goroutines
/// of one worker, which take six gigabytes.
const MAX_SHARDS: usize = 32;

/// A look at so many entries takes some microseconds.
const VISITED_AT_ONCE: usize = 64;

impl<W> Registry<W> {
    pub(crate) fn new(shards: usize) -> Self {
        let open = |_| CacheLine(Mutex::new(Shard::Open(Places::new())));
        Registry { shards: (0..shards.clamp(1, MAX_SHARDS)).map(open).collect() }
    }

    /// Adds an entry to the shard of `worker`.
    pub(crate) fn register(&self, worker: usize, waker: W) -> Result<RegistryKey, Closed> {
        let shard = worker % self.shards.len();
        match &mut *lock(&self.shards[shard].0) {
            Shard::Open(places) => {
                let key = places.insert(waker) * self.shards.len() + shard;
                assert!(key < RegistryKey::LIMIT, "too many goroutines wait at the same time");
                Ok(RegistryKey(key as u32))
            }
            Shard::Closed => Err(Closed),
        }
    }

    /// Removes an entry and returns its waker, to be dropped outside the lock; `None` if exit has
    /// taken it.
    pub(crate) fn deregister(&self, RegistryKey(key): RegistryKey) -> Option<W> {
        let (shard, index) = (key as usize % self.shards.len(), key as usize / self.shards.len());
        match &mut *lock(&self.shards[shard].0) {
            Shard::Open(places) => Some(places.remove(index)),
            Shard::Closed => None,
        }
    }

    /// How many entries there are; `None` if it is closed.
    pub(crate) fn len(&self) -> Option<usize> {
        let lens = self.shards.iter().map(|shard| match &*lock(&shard.0) {
            Shard::Open(places) => Some(places.len()),
            Shard::Closed => None,
        });
        lens.sum()
    }

    /// Passes every entry to `each`, under its shard's lock, which it gives back now and then: an entry that
    /// comes or goes meanwhile may be passed or not.
    pub(crate) fn visit(&self, mut each: impl FnMut(&W)) {
        for shard in &self.shards {
            let mut next = 0;
            while let Shard::Open(places) = &*lock(&shard.0)
                && next < places.all.len()
            {
                places.all[next..].iter().take(VISITED_AT_ONCE).flatten().for_each(&mut each);
                next += VISITED_AT_ONCE;
            }
        }
    }

    /// Closes shard after shard and passes every entry to `each`, outside the locks.
    pub(crate) fn close(&self, mut each: impl FnMut(W)) {
        for shard in &self.shards {
            let taken = std::mem::replace(&mut *lock(&shard.0), Shard::Closed);
            if let Shard::Open(places) = taken {
                places.all.into_iter().flatten().for_each(&mut each);
            }
        }
    }
}
