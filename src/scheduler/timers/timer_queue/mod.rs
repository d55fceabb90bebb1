//! Timers: who is to be woken, and when. (One of them, as its owner has it: `timer.rs`.)
//!
//! # Protocol
//!
//! A timer is an entry in an ordered map. Beside each map stands its earliest deadline, for a look
//! without the lock. A *shard* is two maps: one for *internal* wakers, those of goroutines and of futures
//! that a thread drives, and one for *foreign* wakers, which may be anybody's code.
//!
//! - Timers that goroutines wait for are in one of the shared shards; a thread always uses the same one.
//!   Workers wake what is due every few dozen polls, and when they have nothing to do; and so does the
//!   monitor, which alone waits for a deadline: before it sleeps it says until when at the latest, and
//!   looks at the deadlines once more; who adds an earlier one calls it.
//! - A thread that drives a future (`drive.rs`), as main's does, has a shard of its own for what that
//!   future waits for. It wakes what is due there itself, before each poll, and sleeps no longer than to
//!   the earliest deadline. So main's timers ring on time whatever the workers do, without a second
//!   thread, and also inside a combinator that has wakers of its own.
//!
//! A foreign waker may block, so the monitor never calls one. It calls a worker, to which that is a poll
//! like any other: it does not search meanwhile, and if it gets stuck it is replaced. What is due counts
//! as work that waits, so that stuck workers get cover for it. The same goes for a foreign waker in a
//! driver's shard if its thread does not come to it within a millisecond: it may be busy with something
//! else while a goroutine waits for that timer, to which the future has moved. (An internal waker there is
//! the driver's own. A future that is polled elsewhere has a waker from there, and moves its timer along.)
//!
//! When the runtime ends nobody keeps the time any more, and who waits is to be told. The monitor wakes
//! by the internal wakers that are left; each worker calls foreign ones, one after the other, before it
//! ends; and if workers are stuck the last of them have a thread of their own (`thread_requests.rs`). A
//! timer that is added later finds that the runtime has ended.
//!
//! # Why none is forgotten
//!
//! Adding what becomes the earliest of its map: `store the deadline; fence; load when the monitor
//! looks`. The monitor: `store when it looks; fence; load the deadlines`. So one of the two sees what the
//! other has stored: the monitor sleeps no longer than to that deadline, or it is called. (It lowers what
//! it has stored to the deadline it has found, and who calls it lowers that to zero. A later deadline
//! needs no call: the monitor looks again when it wakes.)
//!
//! A driver's internal timers need no monitor: only its own thread adds them, and looks at them before it
//! sleeps.
//!
//! A timer that has been woken, or is removed, leaves nothing behind. Whether it is due its owner asks
//! the clock.
//!
//! # Rejected
//!
//! - An idle worker that sleeps until the next deadline, as in Go, instead of the monitor. It saves a
//!   change of threads for each deadline that finds all of them asleep. But while workers compute or
//!   block nobody waits for the deadline: the monitor has to be woken for that whenever somebody adds a
//!   timer while it sleeps, which costs what was saved.
//! - A wheel of slots (tokio's, and Go's once): adding is cheaper by a hundred nanoseconds, and each
//!   deadline is rounded up to a millisecond.
//! - A heap per worker (Go): a timer is removed by whoever drops it, on any thread, and in a heap that
//!   leaves a corpse behind.
//! - One map for internal and foreign wakers: whoever may call only the former has to pass over the latter
//!   each time.

#![forbid(unsafe_code)]

mod shard;

use std::sync::Arc;
use std::task::Waker;
use std::time::{Duration, Instant};

use crate::sync::{AtomicBool, AtomicU64, Mutex, Ordering, fence, lock};
use shard::{BATCH, INDEX_BITS, Key, Map, NEVER, earliest_of};
pub(crate) use shard::{Number, Shard};

/// How soon the monitor looks again if others are still to wake what is due; and how long it leaves a
/// driver's timers to a driver that sleeps until they are due.
const OVERDUE: Duration = Duration::from_millis(1);
const OVERDUE_NANOS: u64 = OVERDUE.as_nanos() as u64;

pub(crate) struct TimerQueue<const SHARDS: usize> {
    shards: [Shard; SHARDS],
    drivers: Mutex<Drivers>,
    /// A driver has not come to a foreign waker that is due: a worker is to call it.
    drivers_are_late: AtomicBool,
    /// Deadlines are counted from here, in nanoseconds.
    start: Instant,
    /// When the monitor looks next, at the latest.
    monitor_wakes_at: AtomicU64,
}

/// The shards of threads that drive futures. They are kept for the next driver.
struct Drivers {
    shards: Vec<Arc<Shard>>,
    /// The indices of those without a driver. Timers may be left in some of them.
    free: Vec<usize>,
}

/// Where a timer goes.
pub(crate) enum Home<'a> {
    /// To a shared shard, which the number chooses.
    Shared(usize),
    /// To that of the thread that drives the future.
    Driver(&'a Shard),
}

/// A timer that has been added.
pub(crate) struct Added {
    pub(crate) number: Number,
    /// The monitor sleeps for too long, and must be called.
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

    /// `is_internal`: the waker is no code of the user's.
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
        pending.added += 1;
        let number = Number::new(pending.added, shard.index, is_internal);
        pending.wakers.insert(Key { deadline, number }, waker);
        let is_earliest = deadline < map.earliest.load(Ordering::Relaxed);
        if is_earliest {
            map.earliest.store(deadline, Ordering::Relaxed);
        }
        drop(pending);
        let is_early = is_earliest && needs_monitor && self.must_notify_monitor(deadline);
        Added { number, is_early }
    }

    /// Asks whether the timer will wake `waker`. `None`: it has been woken.
    pub(crate) fn will_wake(
        &self,
        deadline: Instant,
        number: Number,
        waker: &Waker,
    ) -> Option<bool> {
        let key = self.key(deadline, number);
        self.with_map(number, |map| Some(lock(&map.pending).wakers.get(&key)?.will_wake(waker)))
    }

    /// Removes a timer, if it has not been woken. Returns its waker, to be dropped without a lock.
    #[inline]
    pub(crate) fn remove(&self, deadline: Instant, number: Number) -> Option<Waker> {
        let key = self.key(deadline, number);
        self.with_map(number, |map| {
            let mut pending = lock(&map.pending);
            let waker = pending.wakers.remove(&key)?;
            if key.deadline <= map.earliest.load(Ordering::Relaxed) {
                map.note_earliest(&pending);
            }
            Some(waker)
        })
    }

    /// How many there are.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        let drivers = lock(&self.drivers).shards.clone();
        let shards = self.shards.iter().chain(drivers.iter().map(|shard| &**shard));
        shards.flat_map(Shard::maps).map(|map| lock(&map.pending).wakers.len()).sum()
    }

    /// Whether workers have nothing to look at, as far as can be seen without a lock.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.shared_maps().all(|map| map.earliest.load(Ordering::Relaxed) == NEVER)
            && !self.drivers_are_late.load(Ordering::Relaxed)
    }

    /// Whether a worker has something to do.
    pub(crate) fn are_due(&self, now: Instant) -> bool {
        let internal = self.shards.iter().map(|shard| &shard.internal);
        earliest_of(internal) <= self.nanoseconds(now) || self.are_foreign_due(now)
    }

    /// Whether foreign wakers are due that a worker has to call.
    pub(crate) fn are_foreign_due(&self, now: Instant) -> bool {
        let foreign = self.shards.iter().map(|shard| &shard.foreign);
        earliest_of(foreign) <= self.nanoseconds(now)
            || self.drivers_are_late.load(Ordering::Relaxed)
    }

    /// Gives the internal wakers that are due to `wake`, without a lock.
    pub(crate) fn take_internal_due(&self, now: Instant, mut wake: impl FnMut(Waker)) {
        let now = self.nanoseconds(now);
        self.shards.iter().for_each(|shard| shard.internal.take_due(now, BATCH, &mut wake));
    }

    /// Likewise the foreign ones, also of drivers that are late.
    pub(crate) fn take_foreign_due(&self, now: Instant, mut wake: impl FnMut(Waker)) {
        let now = self.nanoseconds(now);
        // They may block: nothing is to wait behind one that others could wake.
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
        shards.flat_map(|shard| shard.internal.take_all()).collect()
    }

    /// One foreign waker, due or not: others can take the next one while this one blocks.
    pub(crate) fn take_foreign(&self) -> Option<Waker> {
        let drivers = lock(&self.drivers).shards.clone();
        let mut shards = self.shards.iter().chain(drivers.iter().map(|shard| &**shard));
        shards.find_map(|shard| shard.foreign.take_first())
    }

    // Drivers.

    /// A shard for a thread that drives a future, until it gives that back with `detach`.
    pub(crate) fn attach(&self) -> Arc<Shard> {
        let mut drivers = lock(&self.drivers);
        let is_usable = |&index: &usize| drivers.shards[index].has_no_foreign();
        if let Some(place) = drivers.free.iter().rposition(is_usable) {
            let index = drivers.free.swap_remove(place);
            return drivers.shards[index].clone();
        }
        let index = SHARDS + drivers.shards.len();
        assert!(
            index < 1 << INDEX_BITS,
            "fewer than 65,000 threads drive futures at the same time"
        );
        drivers.shards.push(Arc::new(Shard::new(index)));
        drivers.shards.last().expect("it was pushed just now").clone()
    }

    pub(crate) fn detach(&self, shard: &Shard) {
        lock(&self.drivers).free.push(shard.index as usize - SHARDS);
    }

    /// For a driver, before it sleeps: how long it may, until its next deadline.
    pub(crate) fn driver_limit(&self, shard: &Shard, now: Instant) -> Option<Duration> {
        let earliest = earliest_of(shard.maps().into_iter());
        let now = self.nanoseconds(now);
        (earliest != NEVER).then(|| Duration::from_nanos(earliest.saturating_sub(now)))
    }

    /// For a driver: gives the wakers that are due in its shard to `wake`, without a lock.
    pub(crate) fn take_driver_due(&self, shard: &Shard, now: Instant, mut wake: impl FnMut(Waker)) {
        let now = self.nanoseconds(now);
        shard.internal.take_due(now, BATCH, &mut wake);
        shard.foreign.take_due(now, 1, &mut wake);
    }

    // The monitor.

    /// How long the monitor may sleep, which wants to look at something else at `look_at`, so as to be
    /// in time for the next deadline.
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

    /// Takes note of drivers that do not come to what is due.
    pub(crate) fn check_drivers(&self, now: Instant) {
        if self.earliest_of_drivers() <= self.nanoseconds(now) {
            self.drivers_are_late.store(true, Ordering::Relaxed);
        }
    }

    /// When the first driver is late with a foreign waker.
    fn earliest_of_drivers(&self) -> u64 {
        let drivers = lock(&self.drivers);
        let late_at = |shard: &Arc<Shard>| {
            let deadline = shard.foreign.earliest.load(Ordering::Relaxed);
            let is_driver_asleep = shard.is_driver_asleep.load(Ordering::Relaxed);
            deadline.saturating_add(if is_driver_asleep { OVERDUE_NANOS } else { 0 })
        };
        drivers.shards.iter().map(late_at).min().unwrap_or(NEVER)
    }

    /// For a deadline that has just become the earliest of its map.
    fn must_notify_monitor(&self, deadline: u64) -> bool {
        // Ordering: pairs with the fence in `limit`, see the top of this file.
        fence(Ordering::SeqCst);
        let oversleeps = deadline < self.monitor_wakes_at.load(Ordering::Relaxed);
        if oversleeps {
            // One call is enough for all.
            self.monitor_wakes_at.store(0, Ordering::Relaxed);
        }
        oversleeps
    }

    #[inline]
    fn shared_maps(&self) -> impl Iterator<Item = &Map> {
        self.shards.iter().flat_map(Shard::maps)
    }

    fn with_map<R>(&self, number: Number, f: impl FnOnce(&Map) -> R) -> R {
        let index = number.index();
        let driver = |index: usize| lock(&self.drivers).shards[index].clone();
        let of_driver = index.checked_sub(SHARDS).map(driver);
        let shard = of_driver.as_deref().unwrap_or_else(|| &self.shards[index]);
        // In one place, so that it becomes part of its caller.
        f(shard.map(number.is_internal()))
    }

    /// What is out of reach never comes.
    fn nanoseconds(&self, time: Instant) -> u64 {
        u64::try_from(time.saturating_duration_since(self.start).as_nanos()).unwrap_or(NEVER)
    }

    fn key(&self, deadline: Instant, number: Number) -> Key {
        Key { deadline: self.nanoseconds(deadline), number }
    }
}
