//! The lock of a channel lets in one at a time, with the memory of the one before.
//!
//! Seen to fail ("Causality violation") with a `Relaxed` in `try_acquire`, or in `LockGuard::drop`, and with a load
//! and a store in place of the compare-exchange.

use std::sync::Arc;

use loom::cell::UnsafeCell;
use loom::thread;

use crate::chan_lock::Locked;
use crate::explore::{ALL, explore, quick_or_full};

/// Loom finds an access that is not ordered after the one before it.
fn add_one(counter: &Locked<UnsafeCell<u32>>) -> u32 {
    let mut guard = counter.lock().acquire();
    counter.get(&mut guard).with_mut(|counter| {
        // SAFETY: loom panics before this if the access is not exclusive.
        let counter = unsafe { &mut *counter };
        *counter += 1;
        *counter
    })
}

/// (Three threads are more than loom can do: two that wait give way to each other for ever.)
#[test]
fn two_threads_count() {
    explore(quick_or_full(4, ALL), || {
        let counter = Arc::new(Locked::new(UnsafeCell::new(0)));
        let other = thread::spawn({
            let counter = counter.clone();
            move || [add_one(&counter), add_one(&counter)]
        });
        let mut seen = [add_one(&counter), add_one(&counter), 0, 0];
        seen[2..].copy_from_slice(&other.join().unwrap());
        seen.sort();
        assert_eq!(seen, [1, 2, 3, 4]);
    });
}

#[test]
#[should_panic(expected = "opens its own value only")]
fn a_lock_opens_no_other_value() {
    explore(ALL, || {
        let (one, other) = (Locked::new(()), Locked::new(()));
        other.get(&mut one.lock().acquire());
    });
}
