//! The sources of a reactor, under keys that are never used again: on 64 bits. On 32 bits the number
//! in a key repeats after 4,096 sources, and an event that is so late costs another one an attempt.

#![forbid(unsafe_code)]

use std::sync::Arc;

use slab::Slab;

use crate::primitives::{Mutex, MutexGuard, lock};
use crate::scheduler::reactor::source::Source;

/// A key's lower bits are the place in the table, the others a number.
const PLACE_BITS: u32 = if usize::BITS == 64 { 32 } else { 20 };

pub(crate) struct Table {
    entries: Mutex<Entries>,
}

pub(crate) struct Entries {
    slots: Slab<Entry>,
    /// How many there have been.
    added: usize,
    has_ended: bool,
}

struct Entry {
    key: usize,
    source: Arc<Source>,
}

impl Table {
    pub(crate) fn new() -> Self {
        let entries = Entries { slots: Slab::new(), added: 0, has_ended: false };
        Table { entries: Mutex::new(entries) }
    }

    /// `None` after the end.
    pub(crate) fn insert(&self, source: Arc<Source>) -> Option<usize> {
        let mut entries = lock(&self.entries);
        if entries.has_ended {
            return None;
        }
        entries.added = entries.added.wrapping_add(1);
        let number = entries.added << PLACE_BITS;
        let slot = entries.slots.vacant_entry();
        assert!(slot.key() < 1 << PLACE_BITS, "a process has fewer descriptors");
        let key = number | slot.key();
        slot.insert(Entry { key, source });
        Some(key)
    }

    /// Returns whether it was there.
    pub(crate) fn remove(&self, key: usize) -> bool {
        let mut entries = lock(&self.entries);
        let is_there = entries.source(key).is_some();
        let removed = is_there.then(|| entries.slots.remove(place(key)));
        // Memory follows what is there.
        if entries.slots.is_empty() && entries.slots.capacity() > KEPT {
            entries.slots = Slab::new();
        }
        drop(entries);
        removed.is_some()
    }

    /// For several looks at once. The lock is held until the result is dropped.
    pub(crate) fn entries(&self) -> MutexGuard<'_, Entries> {
        lock(&self.entries)
    }

    /// Removes all sources, and refuses others from now on.
    pub(crate) fn end(&self) -> Vec<Arc<Source>> {
        let mut entries = lock(&self.entries);
        entries.has_ended = true;
        let slots = std::mem::take(&mut entries.slots);
        slots.into_iter().map(|(_, entry)| entry.source).collect()
    }
}

/// How much room for sources is kept for good.
const KEPT: usize = 64;

fn place(key: usize) -> usize {
    key & ((1 << PLACE_BITS) - 1)
}

impl Entries {
    pub(crate) fn sources(&self) -> impl Iterator<Item = &Source> {
        self.slots.iter().map(|(_, entry)| &*entry.source)
    }

    pub(crate) fn source(&self, key: usize) -> Option<&Source> {
        let entry = self.slots.get(place(key)).filter(|entry| entry.key == key)?;
        Some(&entry.source)
    }
}
