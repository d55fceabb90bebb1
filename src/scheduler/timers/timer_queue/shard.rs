//! The pending timers of one shard: a wheel for internal wakers, and one for foreign ones.

#![forbid(unsafe_code)]

use std::mem;
use std::num::NonZeroU64;
use std::task::Waker;
use std::thread;

use super::places::Index;
use super::wheel::{NEVER, Next, Wheel};
use crate::primitives::{AtomicBool, AtomicU64, Mutex, Ordering, lock};

/// How many timers are taken out before other threads may use the map.
pub(super) const BATCH: usize = 128;

/// How often timers are moved before other threads may use the map.
const MOVES: usize = 4;

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
    pub(super) pending: Mutex<Wheel>,
    /// Not later than the earliest deadline in `pending`.
    pub(super) earliest: AtomicU64,
}

/// Where a pending timer is: its place in a wheel, the index of its shard, and whether its waker is foreign.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct TimerId(NonZeroU64);

pub(super) const INDEX_BITS: u32 = 16;
const FOREIGN: u64 = 1;

impl TimerId {
    #[inline]
    pub(super) fn new(place: Index, index: u64, is_internal: bool) -> Self {
        let number = ((u64::from(place) + 1) << INDEX_BITS | index) << 1 | u64::from(!is_internal);
        TimerId(NonZeroU64::new(number).expect("it counts from one"))
    }

    #[inline]
    pub(super) fn place(self) -> Index {
        ((self.0.get() >> (INDEX_BITS + 1)) - 1) as Index
    }

    #[inline]
    pub(super) fn index(self) -> usize {
        (self.0.get() >> 1) as usize & ((1 << INDEX_BITS) - 1)
    }

    #[inline]
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
        Map { pending: Mutex::new(Wheel::new()), earliest: AtomicU64::new(NEVER) }
    }

    #[inline]
    pub(super) fn note_earliest(&self, pending: &Wheel) {
        let earliest = pending.earliest();
        // Others read it: it is written only if it differs.
        if self.earliest.load(Ordering::Relaxed) != earliest {
            self.earliest.store(earliest, Ordering::Relaxed);
        }
    }

    #[inline]
    pub(super) fn is_due(&self, now: u64) -> bool {
        self.earliest.load(Ordering::Relaxed) <= now
    }

    /// Takes out what is due, at most `batch` at a time, and passes it to `wake` without the lock.
    pub(super) fn take_due(&self, now: u64, batch: usize, wake: &mut impl FnMut(Waker)) {
        while self.is_due(now) {
            let mut pending = lock(&self.pending);
            let (mut due, mut moves) = (Vec::new(), 0);
            while due.len() < batch && moves < MOVES {
                match pending.next(now) {
                    Next::Due(waker) => due.push(waker),
                    Next::Moved => moves += 1,
                    Next::Nobody => break,
                }
            }
            self.note_earliest(&pending);
            drop(pending);
            if due.is_empty() {
                // They may be many: those who wait for the lock get it.
                thread::yield_now();
            }
            due.into_iter().for_each(&mut *wake);
        }
    }

    /// Whether anybody is due, also if the earliest deadline belonged to a timer that is gone: then that is noted.
    pub(super) fn has_due(&self, now: u64) -> bool {
        while self.is_due(now) {
            let mut pending = lock(&self.pending);
            for _ in 0..MOVES {
                match pending.find_due(now) {
                    Next::Due(_) => return true,
                    Next::Moved => {}
                    Next::Nobody => break,
                }
            }
            self.note_earliest(&pending);
        }
        false
    }

    /// Gives back the memory of a map that nobody uses.
    pub(super) fn shrink(&self) {
        let mut pending = lock(&self.pending);
        let unused =
            pending.places().are_unused().then(|| mem::replace(&mut *pending, Wheel::new()));
        drop(pending);
        drop(unused);
    }

    /// Takes out a timer that has not fired, due or not.
    pub(super) fn take_any(&self) -> Option<Waker> {
        let mut pending = lock(&self.pending);
        let waker = pending.take_any();
        self.note_earliest(&pending);
        waker
    }
}
