//! Timers: who is to be woken, and when. (One of them, as its owner has it: `timer.rs`.)
//!
//! # Protocol
//!
//! A timer is an entry in one of several ordered maps, each behind a lock, of which a thread always
//! uses the same one. Beside each map stands its earliest deadline, for a look without the lock. Whoever
//! comes by wakes what is due: workers every few dozen polls, and when they have nothing to do; and the
//! monitor. The monitor alone waits for a deadline: before it sleeps it says until when at the latest,
//! and looks at the deadlines once more; who adds an earlier one calls it.
//!
//! # Why none is forgotten
//!
//! Adding what becomes the earliest of its map: `store the deadline; fence; load when the monitor
//! looks`. The monitor: `store when it looks; fence; load the deadlines`. So one of the two sees what the
//! other has stored: the monitor sleeps no longer than to that deadline, or it is called. (It lowers what
//! it has stored to the deadline it has found, and who calls it lowers that to zero. Who reads one of
//! those, and has a later deadline, relies on the look that comes then.) Any other deadline comes after
//! one that the monitor is awake at.
//!
//! # Whose wakers
//!
//! A waker may be code of the user's, which the monitor must not run: it might block there. So the
//! monitor wakes our own, of goroutines and of threads in `block_on`, and for others it calls a worker,
//! to which that is a poll like any other: it does not search meanwhile, and if it gets stuck it is
//! replaced. One that is due counts as work that waits, so that stuck workers get cover for it. When the
//! runtime ends the monitor wakes what is left, ours first.
//!
//! A timer that has been woken, or is removed, leaves nothing behind. Whether it is due its owner asks
//! the clock.
//!
//! # Rejected
//!
//! - An idle worker that sleeps until the next deadline, as in Go, instead of the monitor. It saves a
//!   change of threads for each deadline that finds all of them asleep. But while workers compute or
//!   block nobody waits for the deadline, and main's sleep with them: the monitor has to be woken for
//!   that whenever somebody adds a timer while it sleeps, which costs what was saved.
//! - A wheel of slots (tokio's, and Go's once): adding is cheaper by a hundred nanoseconds, and each
//!   deadline is rounded up to a millisecond.
//! - A heap per worker (Go): a timer is removed by whoever drops it, on any thread, and in a heap that
//!   leaves a corpse behind.

#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::num::NonZeroU64;
use std::task::Waker;
use std::time::{Duration, Instant};

use crate::sync::{AtomicU64, Mutex, Ordering, fence, lock};

/// How many are taken out before others may use the map.
const BATCH: usize = 128;

/// No deadline.
const NEVER: u64 = u64::MAX;

/// How soon the monitor looks again if others are still to wake what is due.
const OVERDUE: Duration = Duration::from_millis(1);

pub(crate) struct Timers<const SHARDS: usize> {
    shards: [Shard; SHARDS],
    /// Deadlines are counted from here, in nanoseconds.
    start: Instant,
    /// When the monitor looks next, at the latest.
    monitor_looks: AtomicU64,
}

#[repr(align(128))]
struct Shard {
    pending: Mutex<Pending>,
    /// The deadline of the first of them.
    earliest: AtomicU64,
}

struct Pending {
    alarms: BTreeMap<Key, Alarm>,
    added: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    deadline: u64,
    number: Number,
}

/// Tells a pending timer from others with the same deadline. They are woken in the order in which they
/// were added, if that was to the same map.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Number(NonZeroU64);

struct Alarm {
    waker: Waker,
    is_ours: bool,
}

/// A timer that has been added.
pub(crate) struct Added {
    pub(crate) number: Number,
    /// The monitor sleeps for too long, and must be called.
    pub(crate) is_early: bool,
}

/// Whether a timer's waker is now the one it should be.
pub(crate) enum Rewaking {
    Done,
    /// Not yet: give it a clone.
    IsAnother,
    /// It has been woken meanwhile.
    IsGone,
}

/// Which of those that are due.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Whose {
    /// Those whose wakers are no code of the user's.
    Ours,
    Anybodys,
}

impl<const SHARDS: usize> Timers<SHARDS> {
    pub(crate) fn new(start: Instant) -> Self {
        let shard = |_| Shard {
            pending: Mutex::new(Pending { alarms: BTreeMap::new(), added: 0 }),
            earliest: AtomicU64::new(NEVER),
        };
        Timers { shards: std::array::from_fn(shard), start, monitor_looks: AtomicU64::new(NEVER) }
    }

    /// `is_ours`: the waker is no code of the user's. `near` chooses the map.
    pub(crate) fn add(&self, deadline: Instant, waker: Waker, is_ours: bool, near: usize) -> Added {
        let index = near % SHARDS;
        let shard = &self.shards[index];
        let deadline = self.nanoseconds(deadline);
        let mut pending = lock(&shard.pending);
        pending.added += 1;
        let number = pending.added * SHARDS as u64 + index as u64;
        let number = Number(NonZeroU64::new(number).expect("it counts from one"));
        pending.alarms.insert(Key { deadline, number }, Alarm { waker, is_ours });
        let is_earliest = deadline < shard.earliest.load(Ordering::Relaxed);
        if is_earliest {
            shard.note_earliest(&pending);
        }
        drop(pending);
        Added { number, is_early: is_earliest && self.must_call_monitor(deadline) }
    }

    /// Asks whether the timer will wake `waker`.
    pub(crate) fn will_wake(&self, deadline: Instant, number: Number, waker: &Waker) -> Rewaking {
        let pending = lock(&self.shard(number).pending);
        match pending.alarms.get(&self.key(deadline, number)) {
            Some(alarm) if alarm.waker.will_wake(waker) => Rewaking::Done,
            Some(_) => Rewaking::IsAnother,
            None => Rewaking::IsGone,
        }
    }

    /// Has `waker` woken instead. Also returns a waker to be dropped without a lock.
    pub(crate) fn set_waker(
        &self,
        deadline: Instant,
        number: Number,
        waker: Waker,
        is_ours: bool,
    ) -> (Rewaking, Waker) {
        let mut pending = lock(&self.shard(number).pending);
        match pending.alarms.get_mut(&self.key(deadline, number)) {
            Some(alarm) => {
                alarm.is_ours = is_ours;
                (Rewaking::Done, std::mem::replace(&mut alarm.waker, waker))
            }
            None => (Rewaking::IsGone, waker),
        }
    }

    /// Removes a timer, if it has not been woken. Returns its waker, to be dropped without a lock.
    pub(crate) fn remove(&self, deadline: Instant, number: Number) -> Option<Waker> {
        let shard = self.shard(number);
        let key = self.key(deadline, number);
        let mut pending = lock(&shard.pending);
        let alarm = pending.alarms.remove(&key)?;
        if key.deadline <= shard.earliest.load(Ordering::Relaxed) {
            shard.note_earliest(&pending);
        }
        Some(alarm.waker)
    }

    /// How many there are.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.shards.iter().map(|shard| lock(&shard.pending).alarms.len()).sum()
    }

    /// Whether there are none, as far as can be seen without a lock.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.shards.iter().all(|shard| shard.earliest.load(Ordering::Relaxed) == NEVER)
    }

    /// Whether any is due.
    pub(crate) fn are_due(&self, now: Instant) -> bool {
        self.earliest() <= self.nanoseconds(now)
    }

    /// Gives the wakers of those that are due to `wake`, without a lock.
    pub(crate) fn take_due(&self, now: Instant, whose: Whose, mut wake: impl FnMut(Waker)) {
        let now = self.nanoseconds(now);
        for shard in &self.shards {
            while shard.earliest.load(Ordering::Relaxed) <= now {
                let due = shard.take_due(now, whose);
                let are_all = whose == Whose::Ours && due.len() < BATCH;
                due.into_iter().for_each(&mut wake);
                if are_all {
                    break;
                }
            }
        }
    }

    /// All wakers, due or not, and whether they are ours.
    pub(crate) fn take_all(&self) -> Vec<(Waker, bool)> {
        let take = |shard: &Shard| {
            let mut pending = lock(&shard.pending);
            let alarms = std::mem::take(&mut pending.alarms);
            shard.note_earliest(&pending);
            alarms
        };
        let alarms = self.shards.iter().flat_map(|shard| take(shard).into_values());
        alarms.map(|alarm| (alarm.waker, alarm.is_ours)).collect()
    }

    /// How long the monitor may sleep, which wants to look at something else at `look_at`, so as to be
    /// in time for the next deadline.
    pub(crate) fn limit(&self, now: Instant, look_at: Option<Instant>) -> Option<Duration> {
        let look_at = look_at.map_or(NEVER, |at| self.nanoseconds(at));
        self.monitor_looks.store(look_at, Ordering::Relaxed);
        // Ordering: pairs with the fence in `must_call_monitor`, see the top of this file.
        fence(Ordering::SeqCst);
        let earliest = self.earliest();
        let now = self.nanoseconds(now);
        let earliest = if earliest <= now { now + OVERDUE.as_nanos() as u64 } else { earliest };
        let until = look_at.min(earliest);
        self.monitor_looks.store(until, Ordering::Relaxed);
        (until != NEVER).then(|| Duration::from_nanos(until.saturating_sub(now)))
    }

    /// For a deadline that has just become the earliest of its map.
    fn must_call_monitor(&self, deadline: u64) -> bool {
        // Ordering: pairs with the fence in `limit`, see the top of this file.
        fence(Ordering::SeqCst);
        let oversleeps = deadline < self.monitor_looks.load(Ordering::Relaxed);
        if oversleeps {
            // One call is enough for all.
            self.monitor_looks.store(0, Ordering::Relaxed);
        }
        oversleeps
    }

    fn earliest(&self) -> u64 {
        let deadlines = self.shards.iter().map(|shard| shard.earliest.load(Ordering::Relaxed));
        deadlines.min().unwrap_or(NEVER)
    }

    /// What is out of reach never comes.
    fn nanoseconds(&self, time: Instant) -> u64 {
        u64::try_from(time.saturating_duration_since(self.start).as_nanos()).unwrap_or(NEVER)
    }

    fn key(&self, deadline: Instant, number: Number) -> Key {
        Key { deadline: self.nanoseconds(deadline), number }
    }

    fn shard(&self, number: Number) -> &Shard {
        &self.shards[number.0.get() as usize % SHARDS]
    }
}

impl Shard {
    fn note_earliest(&self, pending: &Pending) {
        let first = pending.alarms.first_key_value();
        self.earliest.store(first.map_or(NEVER, |(key, _)| key.deadline), Ordering::Relaxed);
    }

    fn take_due(&self, now: u64, whose: Whose) -> Vec<Waker> {
        let mut pending = lock(&self.pending);
        let mut due = Vec::new();
        while due.len() < BATCH
            && let Some(first) = pending.alarms.first_entry()
            && first.key().deadline <= now
            && (whose == Whose::Anybodys || first.get().is_ours)
        {
            let alarm = first.remove();
            due.push(alarm.waker);
            if !alarm.is_ours {
                // It may block: nothing is to wait behind it that others could wake.
                break;
            }
        }
        if whose == Whose::Ours {
            // Those behind one that is somebody else's.
            let until = Key { deadline: now, number: Number(NonZeroU64::MAX) };
            let ours = pending.alarms.range(..=until).filter(|(_, alarm)| alarm.is_ours);
            let left = BATCH - due.len();
            for key in ours.map(|(&key, _)| key).take(left).collect::<Vec<_>>() {
                due.extend(pending.alarms.remove(&key).map(|alarm| alarm.waker));
            }
        }
        self.note_earliest(&pending);
        due
    }
}
