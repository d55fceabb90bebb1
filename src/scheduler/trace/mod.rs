//! What a runtime records of its goroutines, if it is to: who ran where and when, who woke whom, and why a
//! worker slept.
//!
//! Each worker, and main, has a ring of its own for its last events (`ring.rs`), and nobody waits for anybody
//! there. All other threads, which wake and spawn, share some rings, each behind a lock. So memory is bounded,
//! and what is overwritten is counted. Whoever wants to see a trace reads the rings while they are written.
//!
//! An event has a time, and to read the clock costs more than all else (30 ns here). So a poll that follows
//! another one at once begins when that has ended; and of goroutines that a poll spawns one after the other,
//! [`SAME_TIME`] have the time of the first.
//!
//! # What it costs
//!
//! A runtime without a trace has a run loop of its own, so its polls pay nothing. Spawning and waking look at
//! one word that they have at hand. The figures are in `docs/benchmarks.md`.
//!
//! # Rejected
//!
//! - One ring for all: its end would be the busiest line of the program.
//! - An event for a whole poll, at its end: of a goroutine that does not give its thread back, which is what one
//!   looks for, there would be none.
//! - The processor's own counter as the clock: half as expensive, but not in safe code, and not in step with
//!   the times that users have.

#![forbid(unsafe_code)]

pub(crate) mod event;
pub(crate) mod ring;

use std::cell::Cell;
use std::ptr;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use crate::primitives::lock;
use crate::scheduler::goroutine::spawn_site::SpawnSite;
use crate::scheduler::os_thread::OsThreadId;
use crate::scheduler::queues::injector::thread_shard_number;
use crate::scheduler::trace::event::{Event, EventKind, EventSlot};
use crate::scheduler::trace::ring::{Kept, Ring};
use crate::scheduler::wait::RawActivity;

/// So many goroutines that are spawned in a row share a time.
const SAME_TIME: u32 = 8;

/// How many rings there are for threads that have none of their own.
const OUTSIDE: usize = 4;

pub(crate) type EventRing = Ring<EventSlot>;

/// Whose events a ring has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Owner {
    Main,
    Worker(usize),
    Monitor,
    /// All other threads; each event has the number of its thread.
    Outside,
}

/// The rings of a runtime.
pub(crate) struct Trace {
    started: Instant,
    capacity: usize,
    known: Mutex<Vec<Known>>,
    outside: [Mutex<EventRing>; OUTSIDE],
}

/// A thread of the runtime's.
#[derive(Clone)]
struct Known {
    owner: Owner,
    thread: OsThreadId,
    /// The monitor has none, since it has few events.
    ring: Option<Arc<EventRing>>,
}

impl Trace {
    /// Each ring has room for `capacity` events, a power of two.
    pub(crate) fn new(capacity: usize, started: Instant) -> Self {
        Trace {
            started,
            capacity,
            known: Mutex::new(Vec::new()),
            outside: std::array::from_fn(|_| Mutex::new(Ring::new(capacity))),
        }
    }

    /// For the calling thread, which is `owner` from now on. Until it ends, nobody else may be.
    pub(crate) fn recorder(&self, owner: Owner) -> Recorder {
        let thread = OsThreadId::of_this_thread();
        let mut known = lock(&self.known);
        // Perhaps there was a thread that was the same worker.
        let former = known.iter().position(|known| known.owner == owner);
        let former = former.and_then(|place| known.swap_remove(place).ring);
        let ring = former.unwrap_or_else(|| Arc::new(Ring::new(self.capacity)));
        known.push(Known { owner, thread, ring: Some(ring.clone()) });
        Recorder {
            ring,
            started: self.started,
            last_end: Cell::new(None),
            spawned: Cell::new(0),
            spawned_at: Cell::new(0),
        }
    }

    /// Notes that the calling thread is the monitor.
    pub(crate) fn note_monitor(&self) {
        let thread = OsThreadId::of_this_thread();
        lock(&self.known).push(Known { owner: Owner::Monitor, thread, ring: None });
    }

    /// For a thread that is neither a worker nor main.
    #[cold]
    pub(crate) fn record_outside(&self, kind: EventKind, subject: usize, site: usize) {
        self.record_wait_outside(kind, subject, site, RawActivity::RUNNING);
    }

    #[cold]
    pub(crate) fn record_wait_outside(
        &self,
        kind: EventKind,
        subject: usize,
        site: usize,
        activity: RawActivity,
    ) {
        let thread = OsThreadId::of_this_thread().0;
        let ring = lock(&self.outside[thread_shard_number() % OUTSIDE]);
        // With the lock, so that a ring's times are in order.
        let at = nanoseconds(self.started);
        ring.push(Event { kind, at, subject, site, activity, thread });
    }

    /// What is in the rings at present.
    pub(crate) fn read(&self) -> Vec<(Owner, Kept<Event>)> {
        let known = lock(&self.known).clone();
        let own = known.iter().filter_map(|known| Some((known.owner, known.ring.as_ref()?.read())));
        // Threads that go on outside meanwhile wait for as long as it takes to copy a ring.
        let outside = self.outside.iter().map(|ring| (Owner::Outside, lock(ring).read()));
        own.chain(outside).collect()
    }

    /// Whose thread has this number, now or until it ended.
    pub(crate) fn owner_of(&self, thread: u32) -> Owner {
        let known = lock(&self.known);
        let owner = known.iter().find(|known| known.thread.0 == thread).map(|known| known.owner);
        owner.unwrap_or(Owner::Outside)
    }
}

/// Records the events of one thread.
pub(crate) struct Recorder {
    ring: Arc<EventRing>,
    started: Instant,
    /// When a poll has ended here, unless something else came after it.
    last_end: Cell<Option<u64>>,
    /// How many goroutines have been spawned since the clock was read.
    spawned: Cell<u32>,
    /// When that was.
    spawned_at: Cell<u64>,
}

impl Recorder {
    pub(crate) fn record(&self, kind: EventKind, subject: usize, site: usize) {
        self.push(kind, nanoseconds(self.started), subject, site, RawActivity::RUNNING);
    }

    #[inline]
    pub(crate) fn poll_begins(&self, task: usize, site: &'static SpawnSite) {
        let at = self.last_end.take().unwrap_or_else(|| nanoseconds(self.started));
        self.push(EventKind::PollBegins, at, task, address(site), RawActivity::RUNNING);
    }

    #[inline]
    pub(crate) fn poll_ends(
        &self,
        kind: EventKind,
        task: usize,
        site: Option<&'static SpawnSite>,
        activity: RawActivity,
    ) {
        let at = nanoseconds(self.started);
        self.push(kind, at, task, site.map_or(0, address), activity);
        self.last_end.set(Some(at));
    }

    pub(crate) fn spawned(&self, task: usize, site: &'static SpawnSite) {
        let spawned = self.spawned.get();
        if spawned.is_multiple_of(SAME_TIME) {
            self.spawned_at.set(nanoseconds(self.started));
        }
        let at = self.spawned_at.get();
        self.push(EventKind::Spawned, at, task, address(site), RawActivity::RUNNING);
        self.spawned.set(spawned + 1);
    }

    /// Something comes between two polls that may take a while.
    pub(crate) fn pause(&self) {
        self.last_end.set(None);
    }

    pub(crate) fn record_wait(&self, kind: EventKind, subject: usize, activity: RawActivity) {
        self.push(kind, nanoseconds(self.started), subject, 0, activity);
    }

    fn push(&self, kind: EventKind, at: u64, subject: usize, site: usize, activity: RawActivity) {
        self.spawned.set(0);
        self.last_end.set(None);
        self.ring.push(Event { kind, at, subject, site, activity, thread: 0 });
    }
}

#[inline]
fn nanoseconds(started: Instant) -> u64 {
    crate::clock::now().saturating_duration_since(started).as_nanos() as u64
}

/// How events name a spawn site.
pub(crate) fn address(site: &'static SpawnSite) -> usize {
    ptr::from_ref(site).addr()
}
