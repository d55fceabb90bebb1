//! The places of the timers of one map.
//!
//! A place belongs to the timer's owner, also when the timer has fired: it is free when the owner removes the
//! timer. So nobody else's timer is ever at a place that somebody remembers. The memory of all places is freed when none is
//! in use.

#![forbid(unsafe_code)]

use std::mem;
use std::task::Waker;

/// How many places are allocated together.
const CHUNK: usize = 64;

/// The place of a timer.
pub(super) type Index = u32;

/// The end of the list of free places.
pub(super) const NONE: Index = Index::MAX;

pub(super) struct Entry {
    pub(super) deadline: u64,
    /// `None`: it has fired, or the place is free.
    pub(super) waker: Option<Waker>,
    /// The neighbours in its list, or the slot at the end of which it is. For a free place the next one of these; for one
    /// that has fired, nothing.
    pub(super) previous: Index,
    pub(super) next: Index,
}

/// The memory of places.
pub(super) type Chunks = Vec<Box<[Entry]>>;

pub(super) struct Places {
    chunks: Chunks,
    free: Index,
    /// How many are not free.
    used: usize,
}

impl Places {
    pub(super) const fn new() -> Self {
        Places { chunks: Vec::new(), free: NONE, used: 0 }
    }

    /// Takes a place. Its neighbours are to be set. No place has the number `limit` or a greater one.
    #[inline]
    pub(super) fn take(&mut self, deadline: u64, waker: Waker, limit: Index) -> Index {
        if self.free == NONE {
            self.allocate(limit);
        }
        let index = self.free;
        let entry = self.get_mut(index);
        let next_free = entry.next;
        (entry.deadline, entry.waker) = (deadline, Some(waker));
        self.free = next_free;
        self.used += 1;
        index
    }

    /// Its owner has removed it, and it is in no list.
    #[inline]
    pub(super) fn release(&mut self, index: Index) {
        let free = mem::replace(&mut self.free, index);
        self.get_mut(index).next = free;
        self.used -= 1;
    }

    #[inline]
    pub(super) fn get(&self, index: Index) -> &Entry {
        &self.chunks[index as usize / CHUNK][index as usize % CHUNK]
    }

    #[inline]
    pub(super) fn get_mut(&mut self, index: Index) -> &mut Entry {
        &mut self.chunks[index as usize / CHUNK][index as usize % CHUNK]
    }

    /// Nobody has a place.
    pub(super) fn are_unused(&self) -> bool {
        self.used == 0
    }

    /// Whether much memory is not needed any more.
    #[inline]
    pub(super) fn have_unused(&self) -> bool {
        self.used == 0 && self.chunks.len() > 1
    }

    /// That memory, to be dropped without the lock.
    #[cold]
    pub(super) fn take_unused(&mut self) -> Chunks {
        self.free = NONE;
        mem::take(&mut self.chunks)
    }

    #[cold]
    fn allocate(&mut self, limit: Index) {
        let first = self.chunks.len() * CHUNK;
        assert!(first + CHUNK <= limit as usize, "there are more than four billion timers");
        let free = |place: usize| Entry {
            deadline: 0,
            waker: None,
            previous: NONE,
            next: if place + 1 < CHUNK { (first + place + 1) as Index } else { NONE },
        };
        self.chunks.push((0..CHUNK).map(free).collect());
        self.free = first as Index;
    }
}
