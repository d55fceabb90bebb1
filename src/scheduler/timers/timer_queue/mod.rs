//! The timers of a runtime: which wakers to wake, and when. `timer.rs` has one timer as its owner
//! holds it.
//!
//! # Protocol
//!
//! A timer is an entry in a map that knows the earliest deadline (`wheel.rs`). Each map publishes its earliest deadline, or one
//! before that, which threads read without the lock. A *shard* is two maps: one for *internal* wakers, those of goroutines and
//! of futures that a thread drives, and one for *foreign* wakers, which may be user code.
//!
//! - Goroutines' timers are in the shared shards; a thread always uses the same one. Workers fire
//!   due timers every few dozen polls, and when they have nothing to do. The monitor does so too,
//!   and it alone waits for deadlines. Before it sleeps it publishes when it will wake at the
//!   latest, and looks at the deadlines once more. A thread that adds an earlier deadline wakes it.
//! - A thread that drives a future (`drive.rs`), such as main's, has its own shard for that
//!   future's timers. It fires them before each poll, and sleeps no longer than to the earliest
//!   deadline. So main's timers fire on time whatever the workers do, without a second thread, and
//!   also inside a combinator that has its own wakers. The number of these shards is limited;
//!   beyond, such a future's timers are treated as those of goroutines.
//!
//! A foreign waker may block, so the monitor never calls one. It wakes a worker, which treats the
//! call as a poll: the worker does not search meanwhile, and is replaced if it gets stuck. Due
//! timers count as work that waits, so stuck workers are covered for them. A worker also steps
//! in if a driver does not call a due foreign waker within a millisecond. The future may have moved
//! to a goroutine, which then waits for that timer while the driver is busy. An internal waker in
//! that shard is the driver's own. A future that is polled elsewhere has a waker from there, and
//! moves its timer along.
//!
//! When the runtime ends, no thread keeps time any more, and all waiters must be told. The monitor
//! wakes the internal wakers that are left. Each worker calls foreign ones, one after the other,
//! before it ends. If workers are stuck, a separate thread calls the last of them
//! (`helper_threads.rs`). A timer that is added later finds that the runtime has ended.
//!
//! # Why none is forgotten
//!
//! A thread that adds the earliest deadline of a map: `store the deadline; fence; load when the
//! monitor wakes`. The monitor: `store when it wakes; fence; load the deadlines`. So at least one
//! of the two sees what the other has stored: the monitor sleeps no longer than to that deadline,
//! or the thread wakes it. The monitor lowers its stored time to the deadline it has found, and the
//! thread that wakes it lowers that to zero. A later deadline needs no call: the monitor rescans
//! when it wakes.
//!
//! A driver's internal timers need no monitor: only its own thread adds them, and looks at them
//! before it sleeps.
//!
//! A timer that has fired keeps its place until its owner removes it. Its owner asks the clock whether it is due.
//!
//! The earliest deadline that is published may be that of a timer that was removed. Whoever wakes for it takes what is due,
//! or, if the wakers are not for it to call, looks whether anybody is; either finds the next one.
//!
//! # Rejected
//!
//! - An idle worker that sleeps until the next deadline, as in Go, instead of the monitor. It saves
//!   a thread switch for each deadline at which all workers sleep. But while all workers compute or
//!   block, none waits for the deadline, so each timer added while the monitor sleeps would have to
//!   wake it, which costs what was saved.
//! - A timer wheel whose slots are a millisecond wide (tokio's): each deadline is rounded up.
//! - A heap per worker (Go): any thread may drop a timer, and removing one from a heap leaves a
//!   dead entry behind.
//! - One map for internal and foreign wakers: a thread that may call only the former would have to
//!   skip the latter each time.

#![forbid(unsafe_code)]

mod places;
mod shard;
mod wheel;

use std::sync::Arc;
use std::task::Waker;
use std::time::{Duration, Instant};

use crate::primitives::{AtomicBool, AtomicU64, Mutex, Ordering, fence, lock};
use shard::{BATCH, INDEX_BITS, Map, earliest_of};
pub(crate) use shard::{Shard, TimerId};
use wheel::NEVER;

/// How soon the monitor looks again if other threads still have to fire what is due. Also how long
/// it leaves a driver's timers to a driver that sleeps until they are due.
const OVERDUE: Duration = Duration::from_millis(1);
const OVERDUE_NANOS: u64 = OVERDUE.as_nanos() as u64;

pub(crate) struct TimerQueue<const SHARDS: usize> {
    shards: [Shard; SHARDS],
    drivers: Mutex<Drivers>,
    /// A driver has not called a foreign waker that is due: a worker must call it.
    drivers_are_late: AtomicBool,
    /// Deadlines are nanoseconds since this moment.
    start: Instant,
    /// When the monitor wakes, at the latest.
    monitor_wakes_at: AtomicU64,
}

/// How many shards of drivers there are at most. The monitor looks at each of them. One in which a
/// former driver has left foreign timers is not free until these are gone.
pub(crate) const MOST_DRIVERS: usize = 1024;

/// The shards of threads that drive futures. A shard is reused by the next driver.
struct Drivers {
    shards: Vec<Arc<Shard>>,
    /// The indices of shards without a driver. Some may still hold timers.
    free: Vec<usize>,
}

/// Where to add a timer.
pub(crate) enum Home<'a> {
    /// In a shared shard, which the number chooses.
    Shared(usize),
    /// In the shard of the thread that drives the future.
    Driver(&'a Shard),
}

/// A timer that has been added.
pub(crate) struct Added {
    pub(crate) id: TimerId,
    /// The monitor would sleep past the deadline, and must be woken.
    pub(crate) is_early: bool,
}

impl<const SHARDS: usize> TimerQueue<SHARDS> {
    pub(crate) fn new(start: Instant) -> Self {
        TimerQueue {
            shards: std::array::from_fn(Shard::new),
            drivers: Mutex::new(Drivers { shards: Vec::new(), free: Vec::new() }),
            drivers_are_late: AtomicBool::new(false),
            start,
            monitor_wakes_at: AtomicU64::new(NEVER),
        }
    }

    /// `is_internal`: the waker is not user code.
    #[inline]
    pub(crate) fn add(
        &self,
        home: Home<'_>,
        deadline: Instant,
        waker: Waker,
        is_internal: bool,
    ) -> Added {
        let (shard, needs_monitor) = match home {
            Home::Shared(near) => (&self.shards[near % SHARDS], true),
            Home::Driver(shard) => (shard, !is_internal),
        };
        let deadline = self.nanoseconds(deadline);
        let map = shard.map(is_internal);
        let mut pending = lock(&map.pending);
        let id = TimerId::new(pending.insert(deadline, waker), shard.index, is_internal);
        let is_earliest = deadline < map.earliest.load(Ordering::Relaxed);
        if is_earliest {
            map.earliest.store(deadline, Ordering::Relaxed);
        }
        drop(pending);
        let is_early = is_earliest && needs_monitor && self.must_notify_monitor(deadline);
        Added { id, is_early }
    }

    /// Whether the timer will wake `waker`. `None`: it has fired.
    pub(crate) fn will_wake(&self, id: TimerId, waker: &Waker) -> Option<bool> {
        self.with_map(id, |map| Some(lock(&map.pending).get(id.place())?.will_wake(waker)))
    }

    /// Removes a timer, for its owner, also one that has fired. Returns the waker of one that has not, which the
    /// caller drops without a lock.
    #[inline]
    pub(crate) fn remove(&self, id: TimerId) -> Option<Waker> {
        self.with_map(id, |map| {
            let mut pending = lock(&map.pending);
            let waker = pending.remove(id.place());
            if waker.is_some() {
                map.note_earliest(&pending);
            }
            if pending.places().have_unused() {
                let unused = pending.places().take_unused();
                drop(pending);
                drop(unused);
            }
            waker
        })
    }

    /// The earliest deadline in the shared shards, for a simulation.
    pub(crate) fn earliest(&self) -> Option<Instant> {
        let noted = |map: &&Map| map.earliest.load(Ordering::Relaxed);
        let mut maps: Vec<_> = self.shared_maps().filter(|map| noted(map) != NEVER).collect();
        maps.sort_by_key(noted);
        let mut earliest = NEVER;
        for map in maps {
            if noted(&map) >= earliest {
                break;
            }
            let mut pending = lock(&map.pending);
            earliest = earliest.min(pending.exact_earliest());
            map.note_earliest(&pending);
        }
        (earliest != NEVER).then(|| self.start + Duration::from_nanos(earliest))
    }

    /// The number of pending timers.
    pub(crate) fn len(&self) -> usize {
        let drivers = lock(&self.drivers).shards.clone();
        let shards = self.shards.iter().chain(drivers.iter().map(|shard| &**shard));
        shards.flat_map(Shard::maps).map(|map| lock(&map.pending).len()).sum()
    }

    /// Whether workers have no timers to look at, judged without a lock.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.shared_maps().all(|map| map.earliest.load(Ordering::Relaxed) == NEVER)
            && !self.drivers_are_late.load(Ordering::Relaxed)
    }

    /// Whether any timer has not fired.
    pub(crate) fn has_any(&self) -> bool {
        let is_set = |map: &Map| map.earliest.load(Ordering::Relaxed) != NEVER;
        self.shared_maps().any(is_set)
            || lock(&self.drivers).shards.iter().any(|shard| shard.maps().into_iter().any(is_set))
    }

    /// Whether a worker has timers to fire.
    pub(crate) fn are_due(&self, now: Instant) -> bool {
        let internal = self.shards.iter().map(|shard| &shard.internal);
        earliest_of(internal) <= self.nanoseconds(now) || self.are_foreign_due(now)
    }

    /// Whether foreign wakers are due, which a worker must call.
    pub(crate) fn are_foreign_due(&self, now: Instant) -> bool {
        let now = self.nanoseconds(now);
        self.shards.iter().any(|shard| shard.foreign.has_due(now))
            || self.drivers_are_late.load(Ordering::Relaxed)
    }

    /// Passes the due internal wakers to `wake`, without a lock.
    pub(crate) fn take_internal_due(&self, now: Instant, mut wake: impl FnMut(Waker)) {
        let now = self.nanoseconds(now);
        let due = self.shards.iter().filter(|shard| shard.internal.is_due(now));
        due.for_each(|shard| shard.internal.take_due(now, BATCH, &mut wake));
    }

    /// Passes the due foreign wakers to `wake`, also those of late drivers.
    pub(crate) fn take_foreign_due(&self, now: Instant, mut wake: impl FnMut(Waker)) {
        let now = self.nanoseconds(now);
        // One at a time, since each may block: the others stay where other workers find them.
        self.shards.iter().for_each(|shard| shard.foreign.take_due(now, 1, &mut wake));
        if self.drivers_are_late.swap(false, Ordering::Relaxed) {
            let drivers = lock(&self.drivers).shards.clone();
            drivers.iter().for_each(|shard| shard.foreign.take_due(now, 1, &mut wake));
        }
    }

    /// All internal wakers, due or not.
    pub(crate) fn take_internal(&self) -> Vec<Waker> {
        let drivers = lock(&self.drivers).shards.clone();
        let shards = self.shards.iter().chain(drivers.iter().map(|shard| &**shard));
        shards.flat_map(|shard| std::iter::from_fn(|| shard.internal.take_any())).collect()
    }

    /// One foreign waker, due or not. Other workers can take the next while this one blocks.
    pub(crate) fn take_foreign(&self) -> Option<Waker> {
        let drivers = lock(&self.drivers).shards.clone();
        let mut shards = self.shards.iter().chain(drivers.iter().map(|shard| &**shard));
        shards.find_map(|shard| shard.foreign.take_any())
    }

    // Drivers.

    /// How many shards they have or have had.
    #[cfg(test)]
    pub(crate) fn driver_shards(&self) -> usize {
        lock(&self.drivers).shards.len()
    }

    /// A shard for a thread that drives a future, until the thread returns it with `detach`. `None`
    /// if there are too many: its timers belong into a shared shard.
    pub(crate) fn attach(&self) -> Option<Arc<Shard>> {
        const { assert!(SHARDS + MOST_DRIVERS < 1 << INDEX_BITS) };
        let mut drivers = lock(&self.drivers);
        let is_usable = |&index: &usize| drivers.shards[index].has_no_foreign();
        if let Some(place) = drivers.free.iter().rposition(is_usable) {
            let index = drivers.free.swap_remove(place);
            return Some(drivers.shards[index].clone());
        }
        let count = drivers.shards.len();
        if count >= MOST_DRIVERS {
            return None;
        }
        let shard = Arc::new(Shard::new(SHARDS + count));
        drivers.shards.push(shard.clone());
        Some(shard)
    }

    pub(crate) fn detach(&self, shard: &Shard) {
        shard.maps().into_iter().for_each(Map::shrink);
        lock(&self.drivers).free.push(shard.index as usize - SHARDS);
    }

    /// How long a driver may sleep, until its next deadline.
    pub(crate) fn driver_limit(&self, shard: &Shard, now: Instant) -> Option<Duration> {
        let earliest = earliest_of(shard.maps().into_iter());
        let now = self.nanoseconds(now);
        (earliest != NEVER).then(|| Duration::from_nanos(earliest.saturating_sub(now)))
    }

    /// Passes the due wakers of a driver's shard to `wake`, without a lock.
    pub(crate) fn take_driver_due(&self, shard: &Shard, now: Instant, mut wake: impl FnMut(Waker)) {
        let now = self.nanoseconds(now);
        shard.internal.take_due(now, BATCH, &mut wake);
        shard.foreign.take_due(now, 1, &mut wake);
    }

    // The monitor.

    /// How long the monitor may sleep, so as to be in time for the next deadline and for `wake_at`.
    pub(crate) fn limit(&self, now: Instant, wake_at: Option<Instant>) -> Option<Duration> {
        let wake_at = wake_at.map_or(NEVER, |at| self.nanoseconds(at));
        self.monitor_wakes_at.store(wake_at, Ordering::Relaxed);
        // Ordering: pairs with the fence in `must_notify_monitor`, see the top of this file.
        fence(Ordering::SeqCst);
        let earliest = earliest_of(self.shared_maps()).min(self.earliest_of_drivers());
        let now = self.nanoseconds(now);
        let earliest = if earliest <= now { now + OVERDUE_NANOS } else { earliest };
        let until = wake_at.min(earliest);
        self.monitor_wakes_at.store(until, Ordering::Relaxed);
        (until != NEVER).then(|| Duration::from_nanos(until.saturating_sub(now)))
    }

    /// Notes whether drivers are late with due foreign wakers.
    pub(crate) fn check_drivers(&self, now: Instant) {
        let now = self.nanoseconds(now);
        if self.earliest_of_drivers() > now {
            return;
        }
        let drivers = lock(&self.drivers).shards.clone();
        // Only now: the earliest deadline may belong to a timer that is gone.
        drivers.iter().for_each(|shard| _ = shard.foreign.has_due(now));
        if self.earliest_of_drivers() <= now {
            self.drivers_are_late.store(true, Ordering::Relaxed);
        }
    }

    /// When the first driver will be late with a foreign waker.
    fn earliest_of_drivers(&self) -> u64 {
        let drivers = lock(&self.drivers);
        let late_at = |shard: &Arc<Shard>| {
            let deadline = shard.foreign.earliest.load(Ordering::Relaxed);
            let is_driver_asleep = shard.is_driver_asleep.load(Ordering::Relaxed);
            deadline.saturating_add(if is_driver_asleep { OVERDUE_NANOS } else { 0 })
        };
        drivers.shards.iter().map(late_at).min().unwrap_or(NEVER)
    }

    /// Whether to wake the monitor for `deadline`, which has just become the earliest of its map.
    fn must_notify_monitor(&self, deadline: u64) -> bool {
        // Ordering: pairs with the fence in `limit`, see the top of this file.
        fence(Ordering::SeqCst);
        let oversleeps = deadline < self.monitor_wakes_at.load(Ordering::Relaxed);
        if oversleeps {
            // One call serves all.
            self.monitor_wakes_at.store(0, Ordering::Relaxed);
        }
        oversleeps
    }

    #[inline]
    fn shared_maps(&self) -> impl Iterator<Item = &Map> {
        self.shards.iter().flat_map(Shard::maps)
    }

    #[inline]
    fn with_map<R>(&self, id: TimerId, f: impl FnOnce(&Map) -> R) -> R {
        let index = id.index();
        let driver = |index: usize| lock(&self.drivers).shards[index].clone();
        let of_driver = index.checked_sub(SHARDS).map(driver);
        let shard = of_driver.as_deref().unwrap_or_else(|| &self.shards[index]);
        // One call site, so that `f` is inlined.
        f(shard.map(id.is_internal()))
    }

    /// Saturates: a time beyond the range never comes.
    fn nanoseconds(&self, time: Instant) -> u64 {
        u64::try_from(time.saturating_duration_since(self.start).as_nanos()).unwrap_or(NEVER)
    }
}
