//! The pending timers of one shard: an ordered map for internal wakers, and one for foreign ones.

#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::num::NonZeroU64;
use std::task::Waker;

use crate::primitives::{AtomicBool, AtomicU64, Mutex, Ordering, lock};

/// How many timers are taken out before other threads may use the map.
pub(super) const BATCH: usize = 128;

/// No deadline.
pub(super) const NEVER: u64 = u64::MAX;

#[repr(align(128))]
pub(crate) struct Shard {
    /// Counts the shared shards first, and then the drivers'.
    pub(super) index: u64,
    pub(super) internal: Map,
    pub(super) foreign: Map,
    /// Its driver sleeps until the earliest deadline.
    pub(super) is_driver_asleep: AtomicBool,
}

pub(super) struct Map {
    pub(super) pending: Mutex<Pending>,
    /// The earliest deadline in `pending`.
    pub(super) earliest: AtomicU64,
}

pub(super) struct Pending {
    pub(super) wakers: BTreeMap<TimerKey, Waker>,
    pub(super) added: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct TimerKey {
    pub(super) deadline: u64,
    pub(super) id: TimerId,
}

/// Distinguishes a pending timer from others with the same deadline, and says where it is. Timers
/// of one map with equal deadlines fire in the order in which they were added.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct TimerId(NonZeroU64);

/// A timer's id holds a count, the index of its shard, and whether its waker is foreign.
pub(super) const INDEX_BITS: u32 = 16;
const FOREIGN: u64 = 1;

impl TimerId {
    pub(super) fn new(count: u64, index: u64, is_internal: bool) -> Self {
        let number = (count << INDEX_BITS | index) << 1 | u64::from(!is_internal);
        TimerId(NonZeroU64::new(number).expect("it counts from one"))
    }

    pub(super) fn index(self) -> usize {
        (self.0.get() >> 1) as usize & ((1 << INDEX_BITS) - 1)
    }

    pub(super) fn is_internal(self) -> bool {
        self.0.get() & FOREIGN == 0
    }
}

pub(super) fn earliest_of<'a>(maps: impl Iterator<Item = &'a Map>) -> u64 {
    maps.map(|map| map.earliest.load(Ordering::Relaxed)).min().unwrap_or(NEVER)
}

impl Shard {
    pub(super) fn new(index: usize) -> Self {
        let (internal, foreign) = (Map::new(), Map::new());
        Shard { index: index as u64, internal, foreign, is_driver_asleep: AtomicBool::new(false) }
    }

    #[inline]
    pub(super) fn map(&self, is_internal: bool) -> &Map {
        if is_internal { &self.internal } else { &self.foreign }
    }

    #[inline]
    pub(super) fn maps(&self) -> [&Map; 2] {
        [&self.internal, &self.foreign]
    }

    /// Whether another driver may use it. Internal wakers of the former driver that are left do
    /// nothing.
    pub(super) fn has_no_foreign(&self) -> bool {
        self.foreign.earliest.load(Ordering::Relaxed) == NEVER
    }

    /// The driver calls this around its sleep.
    pub(crate) fn set_driver_asleep(&self, is_driver_asleep: bool) {
        // Relaxed: if the monitor learns of it late, it wakes a moment too early or too late.
        self.is_driver_asleep.store(is_driver_asleep, Ordering::Relaxed);
    }
}

impl Map {
    pub(super) fn new() -> Self {
        Map {
            pending: Mutex::new(Pending { wakers: BTreeMap::new(), added: 0 }),
            earliest: AtomicU64::new(NEVER),
        }
    }

    pub(super) fn note_earliest(&self, pending: &Pending) {
        let first = pending.wakers.first_key_value();
        self.earliest.store(first.map_or(NEVER, |(key, _)| key.deadline), Ordering::Relaxed);
    }

    #[inline]
    pub(super) fn is_due(&self, now: u64) -> bool {
        self.earliest.load(Ordering::Relaxed) <= now
    }

    /// Takes out what is due, at most `batch` at a time, and passes it to `wake` without the lock.
    pub(super) fn take_due(&self, now: u64, batch: usize, wake: &mut impl FnMut(Waker)) {
        while self.is_due(now) {
            let mut pending = lock(&self.pending);
            let mut due = Vec::new();
            while due.len() < batch
                && let Some(first) = pending.wakers.first_entry()
                && first.key().deadline <= now
            {
                due.push(first.remove());
            }
            self.note_earliest(&pending);
            drop(pending);
            due.into_iter().for_each(&mut *wake);
        }
    }

    pub(super) fn take_first(&self) -> Option<Waker> {
        let mut pending = lock(&self.pending);
        let (_, waker) = pending.wakers.pop_first()?;
        self.note_earliest(&pending);
        Some(waker)
    }

    pub(super) fn take_all(&self) -> impl Iterator<Item = Waker> + use<> {
        let mut pending = lock(&self.pending);
        let wakers = std::mem::take(&mut pending.wakers);
        self.note_earliest(&pending);
        wakers.into_values()
    }
}
