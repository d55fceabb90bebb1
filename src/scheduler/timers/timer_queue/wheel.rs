//! The pending timers of one map, in the order of their deadlines: a hierarchical timing wheel whose lowest slot is a
//! nanosecond wide, so that no deadline is rounded.
//!
//! # Structure
//!
//! A level has 64 slots, and each slot of a level is as wide as all slots of the level below. The deadline differs
//! from `base`, where the wheel stands, in some group of six bits first: that is its level, and those bits are its
//! slot. So adding a timer takes a few instructions, whatever else there is. A slot is a list, linked both ways by
//! indices, and removing a timer unlinks it.
//!
//! The first slot of the lowest level in use has the earliest deadline. If it has few timers, the least of them is
//! found by looking at each. Otherwise the wheel moves on to the earliest deadline in that slot, and its timers move to
//! lower levels, in their order: so each moves at most ten times. [`Wheel::next`] moves a few at a time, so that the lock of
//! the map is never held for long. Until all have moved, none fires, and those that are added with a place below go behind
//! them. So timers with equal deadlines fire in the order in which they were added.
//!
//! # What is not exact
//!
//! A slot notes its earliest deadline when a timer is added, and not when one is removed: that may be too early. Then who
//! waits for it wakes, finds nobody due, and the slot is looked at anew, or moved. A program that sets limits and seldom
//! reaches them, which is what most do, pays for that at most once for each such deadline.
//!
//! A timer that is late when it is added counts as due where the wheel stands.
//!
//! After "Hashed and Hierarchical Timing Wheels", by Varghese and Lauck.
//!
//! # Rejected
//!
//! - An ordered map: removing one of a million timers takes several cache misses, and takes three times as long as one of a
//!   thousand (`docs/benchmarks.md`).
//! - A generation in each timer's id instead of a place that belongs to its owner (`places.rs`): it is used up at some time.
//! - Noting the exact earliest deadline when it is removed: whoever removes a million timers of one slot, the earliest first,
//!   would look at all of them each time.

#![forbid(unsafe_code)]

use std::mem;
use std::task::Waker;

use super::places::{Entry, Index, NONE, Places};

/// No deadline.
pub(super) const NEVER: u64 = u64::MAX;

const BITS: u32 = 6;
const SLOTS: usize = 1 << BITS;
const LEVELS: usize = 64_usize.div_ceil(BITS as usize);

/// A slot with so many timers is not moved: the earliest of them is looked for.
const FEW: usize = 8;

/// How many timers one call moves.
const MOVED: usize = 64;

/// Where a list ends there is its slot, counted from this.
const FIRST_SLOT: Index = Index::MAX - (LEVELS * SLOTS) as Index;

#[derive(Clone, Copy)]
struct Slot {
    first: Index,
    last: Index,
    /// Not later than the earliest deadline in it.
    earliest: u64,
}

struct Level {
    /// A bit for each slot that has timers.
    occupied: u64,
    slots: [Slot; SLOTS],
}

pub(super) struct Wheel {
    /// No timer is due before, but for those that were when they were added.
    base: u64,
    /// As many as were ever in use.
    levels: Vec<Option<Box<Level>>>,
    /// A bit for each level that has timers.
    occupied: u16,
    /// A slot whose timers are being moved.
    moving: Option<usize>,
    places: Places,
    /// How many timers have not fired.
    len: usize,
}

/// What happens next.
pub(super) enum Next<T> {
    Due(T),
    /// Some timers were moved: ask again.
    Moved,
    /// Nobody is due.
    Nobody,
}

impl Wheel {
    pub(super) const fn new() -> Self {
        Wheel {
            base: 0,
            levels: Vec::new(),
            occupied: 0,
            moving: None,
            places: Places::new(),
            len: 0,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    #[inline]
    pub(super) fn insert(&mut self, deadline: u64, waker: Waker) -> Index {
        let deadline = deadline.max(self.base);
        let slot = self.slot_for(deadline);
        let index = self.places.take(deadline, waker, FIRST_SLOT);
        self.len += 1;
        self.append(index, slot, deadline);
        index
    }

    /// Frees the place. Returns the waker of a timer that has not fired, which the caller drops without the lock.
    #[inline]
    pub(super) fn remove(&mut self, index: Index) -> Option<Waker> {
        let waker = self.places.get_mut(index).waker.take();
        if waker.is_some() {
            self.unlink(index);
            self.len -= 1;
        }
        self.places.release(index);
        waker
    }

    /// For whoever has removed a timer: memory that is not needed any more.
    #[inline]
    pub(super) fn places(&mut self) -> &mut Places {
        &mut self.places
    }

    /// The waker of a timer that has not fired.
    pub(super) fn get(&self, index: Index) -> Option<&Waker> {
        self.places.get(index).waker.as_ref()
    }

    /// Not later than the earliest deadline; `NEVER` if there is none.
    #[inline]
    pub(super) fn earliest(&self) -> u64 {
        self.first_slot().map_or(NEVER, |slot| self.slot(slot).earliest)
    }

    /// The earliest deadline.
    pub(super) fn exact_earliest(&mut self) -> u64 {
        let mut exact = NEVER;
        while let Some(slot) = self.first_slot() {
            exact = self.deadlines(slot).map(|(deadline, _)| deadline).min().unwrap_or(NEVER);
            self.slot_mut(slot).earliest = exact;
            // Only while timers are being moved those of another slot may be earlier.
            match self.moving {
                Some(moving) if moving == slot => _ = self.move_some(slot),
                _ => break,
            }
        }
        exact
    }

    /// The next timer that is due fires.
    pub(super) fn next(&mut self, now: u64) -> Next<Waker> {
        match self.find_due(now) {
            Next::Due(index) => {
                self.unlink(index);
                self.len -= 1;
                Next::Due(self.places.get_mut(index).waker.take().expect("it has not fired"))
            }
            Next::Moved => Next::Moved,
            Next::Nobody => Next::Nobody,
        }
    }

    /// The same, without firing it.
    pub(super) fn find_due(&mut self, now: u64) -> Next<Index> {
        let Some(slot) = self.first_slot() else {
            self.base = self.base.max(now);
            return Next::Nobody;
        };
        if self.moving.is_some() {
            return self.move_some(slot);
        }
        if self.slot(slot).earliest > now {
            self.move_on(now);
            return Next::Nobody;
        }
        let is_lowest = slot < SLOTS;
        if !is_lowest && self.deadlines(slot).nth(FEW).is_some() {
            self.base = self.slot(slot).earliest;
            self.moving = Some(slot);
            return self.move_some(slot);
        }
        // At the lowest level all are equal. Of several, the first.
        let looked_at = if is_lowest { 1 } else { FEW };
        let earliest = self.deadlines(slot).take(looked_at).min_by_key(|(deadline, _)| *deadline);
        let (deadline, index) = earliest.expect("the slot is occupied");
        if deadline > now {
            self.slot_mut(slot).earliest = deadline;
            return Next::Nobody;
        }
        Next::Due(index)
    }

    /// Any timer fires, whether or not it is due: nobody keeps the time any more.
    pub(super) fn take_any(&mut self) -> Option<Waker> {
        let slot = self.first_slot()?;
        let index = self.slot(slot).first;
        self.unlink(index);
        self.len -= 1;
        self.places.get_mut(index).waker.take()
    }

    // Slots.

    /// Where a timer belongs.
    #[inline]
    fn slot_for(&self, deadline: u64) -> usize {
        let different = (deadline ^ self.base) | (SLOTS as u64 - 1);
        let level = different.ilog2() / BITS;
        let slot = level as usize * SLOTS + digit(deadline, level);
        match self.moving {
            // Behind those that are moved.
            Some(moving) if (level as usize) < moving / SLOTS => moving,
            _ => slot,
        }
    }

    /// The one with the earliest deadline. While it is moved it is the one that the others come from.
    #[inline]
    fn first_slot(&self) -> Option<usize> {
        if self.moving.is_some() {
            return self.moving;
        }
        if self.occupied == 0 {
            return None;
        }
        let level = self.occupied.trailing_zeros() as usize;
        let occupied = self.levels[level].as_ref().map_or(0, |level| level.occupied);
        Some(level * SLOTS + occupied.trailing_zeros() as usize)
    }

    /// The wheel stands at `now`, unless timers would have to move for that.
    fn move_on(&mut self, now: u64) {
        let now = now.max(self.base);
        let level = ((now ^ self.base) | (SLOTS as u64 - 1)).ilog2() / BITS;
        let of_level = self.levels.get(level as usize).and_then(Option::as_ref);
        let of_level = of_level.map_or(0, |level| level.occupied);
        if of_level & (1 << digit(now, level)) == 0 {
            self.base = now;
        }
    }

    /// Moves some timers of the slot in which the wheel stands, or all.
    fn move_some(&mut self, slot: usize) -> Next<Index> {
        for _ in 0..MOVED {
            let index = self.slot(slot).first;
            // With the last one nothing is moving any more.
            self.unlink(index);
            let deadline = self.places.get_mut(index).deadline;
            let moving = self.moving.take();
            let to = self.slot_for(deadline);
            self.append(index, to, deadline);
            self.moving = moving;
            if moving.is_none() {
                break;
            }
        }
        Next::Moved
    }

    fn slot(&self, slot: usize) -> &Slot {
        &self.levels[slot / SLOTS].as_ref().expect("it is in use").slots[slot % SLOTS]
    }

    fn slot_mut(&mut self, slot: usize) -> &mut Slot {
        &mut self.levels[slot / SLOTS].as_mut().expect("it is in use").slots[slot % SLOTS]
    }

    /// The deadlines in a slot, and whose they are, in their order.
    fn deadlines(&self, slot: usize) -> impl Iterator<Item = (u64, Index)> {
        let mut index = self.slot(slot).first;
        std::iter::from_fn(move || {
            let entry = (index < FIRST_SLOT).then(|| self.places.get(index))?;
            let this = mem::replace(&mut index, entry.next);
            Some((entry.deadline, this))
        })
    }

    // Lists.

    #[inline]
    fn append(&mut self, index: Index, slot: usize, deadline: u64) {
        let end = FIRST_SLOT + slot as Index;
        if self.levels.get(slot / SLOTS).is_none_or(Option::is_none) {
            self.add_level(slot / SLOTS);
        }
        let level = self.levels[slot / SLOTS].as_mut().expect("it was added");
        self.occupied |= 1 << (slot / SLOTS);
        let place = &mut level.slots[slot % SLOTS];
        let is_first = level.occupied & (1 << (slot % SLOTS)) == 0;
        level.occupied |= 1 << (slot % SLOTS);
        let previous = if is_first { end } else { place.last };
        if is_first {
            (place.first, place.earliest) = (index, deadline);
        } else {
            place.earliest = place.earliest.min(deadline);
        }
        place.last = index;
        if !is_first {
            self.places.get_mut(previous).next = index;
        }
        let entry = self.places.get_mut(index);
        (entry.previous, entry.next) = (previous, end);
    }

    #[inline]
    fn unlink(&mut self, index: Index) {
        let &mut Entry { previous, next, .. } = self.places.get_mut(index);
        let of_slot = |end: Index| end.checked_sub(FIRST_SLOT).map(|slot| slot as usize);
        match (of_slot(previous), of_slot(next)) {
            (None, None) => {
                self.places.get_mut(previous).next = next;
                self.places.get_mut(next).previous = previous;
            }
            (Some(slot), None) => {
                self.slot_mut(slot).first = next;
                self.places.get_mut(next).previous = previous;
            }
            (None, Some(slot)) => {
                self.slot_mut(slot).last = previous;
                self.places.get_mut(previous).next = next;
            }
            (Some(slot), Some(_)) => self.empty(slot),
        }
    }

    #[inline]
    fn empty(&mut self, slot: usize) {
        let level = self.levels[slot / SLOTS].as_mut().expect("it is in use");
        level.slots[slot % SLOTS].first = FIRST_SLOT + slot as Index;
        level.occupied &= !(1 << (slot % SLOTS));
        if level.occupied == 0 {
            self.occupied &= !(1 << (slot / SLOTS));
        }
        if self.moving == Some(slot) {
            self.moving = None;
        }
    }

    #[cold]
    fn add_level(&mut self, level: usize) {
        if self.levels.len() <= level {
            self.levels.resize_with(level + 1, || None);
        }
        self.levels[level] = Some(Level::new());
    }
}

impl Level {
    fn new() -> Box<Self> {
        let slot = Slot { first: NONE, last: NONE, earliest: NEVER };
        Box::new(Level { occupied: 0, slots: [slot; SLOTS] })
    }
}

#[inline]
fn digit(deadline: u64, level: u32) -> usize {
    (deadline >> (BITS * level)) as usize % SLOTS
}

#[cfg(test)]
mod tests;
