//! Runtimes as their goroutines refer to them: by a number, which is half as large as an address.
//!
//! A number is used again when its runtime is gone. The first ones are in a table that is read without a lock.

#![forbid(unsafe_code)]

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::primitives::lock;

/// The number of a runtime that exists.
pub(crate) struct RuntimeId(u32);

const FIRST: usize = 256;

/// The addresses of those with low numbers; zero: there is none.
static LOW: [AtomicUsize; FIRST] = [const { AtomicUsize::new(0) }; FIRST];

/// The numbers that are used, and the addresses of those that are not in `LOW`.
static ALL: Mutex<All> = Mutex::new(All { free: Vec::new(), next: 0, high: Vec::new() });

struct All {
    free: Vec<u32>,
    next: u32,
    high: Vec<usize>,
}

impl RuntimeId {
    pub(crate) fn new() -> Self {
        let all = &mut *lock(&ALL);
        RuntimeId(all.free.pop().unwrap_or_else(|| {
            let next = all.next;
            all.next = next.checked_add(1).expect("there are not so many runtimes");
            next
        }))
    }

    #[inline]
    pub(crate) fn get(&self) -> u32 {
        self.0
    }

    /// The exposed address of the runtime's scheduler, as its `Arc` gives it. Once, before it has goroutines: `schedule`
    /// (`task.rs`) relies on that.
    pub(crate) fn set_address(&self, address: usize) {
        self.store(&mut lock(&ALL), address);
    }

    fn store(&self, all: &mut All, address: usize) {
        let number = self.0 as usize;
        if let Some(place) = LOW.get(number) {
            // Ordering: Release pairs with the Acquire in `address_of`.
            return place.store(address, Ordering::Release);
        }
        let place = number - FIRST;
        if all.high.len() <= place {
            all.high.resize(place + 1, 0);
        }
        all.high[place] = address;
    }
}

impl Drop for RuntimeId {
    fn drop(&mut self) {
        let all = &mut *lock(&ALL);
        self.store(all, 0);
        all.free.push(self.0);
    }
}

/// Where the runtime with this number is, which exists.
pub(super) fn address_of(number: u32) -> usize {
    let address = match LOW.get(number as usize) {
        Some(place) => place.load(Ordering::Acquire),
        None => lock(&ALL).high[number as usize - FIRST],
    };
    assert!(address != 0, "a goroutine has outlived its runtime");
    address
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_runtime_that_is_not_among_the_first_has_the_address_of_another() {
        let ids: Vec<_> = (0..FIRST + 50).map(|_| RuntimeId::new()).collect();
        ids.iter().for_each(|id| id.set_address(id.get() as usize * 8 + 8));
        for id in &ids {
            assert_eq!(address_of(id.get()), id.get() as usize * 8 + 8);
        }
        let highest = ids.iter().map(RuntimeId::get).max().unwrap();
        drop(ids);
        // Numbers are used again. (Other tests have some.)
        let again: Vec<_> = (0..FIRST).map(|_| RuntimeId::new()).collect();
        assert!(again.iter().all(|id| id.get() <= highest + FIRST as u32));
    }
}
