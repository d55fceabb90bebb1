//! The ring of a trace: a reader never keeps an event that is torn, or whose place an older one had.
//!
//! Seen to fail, with "torn" or "in their order": without the fence in `push`; without that in `read`; with a
//! `read` that keeps what may be on its way (`next` instead of `next + 1`); with a Relaxed store of `next`, or a
//! Relaxed first load of it.

use std::sync::Arc;

use loom::thread;

use crate::explore::{explore, quick_or_full};
use crate::primitives::{AtomicU64, Ordering};
use crate::trace_ring::{Ring, Slot};

/// An event is one number, in two words.
struct Words(AtomicU64, AtomicU64);

impl Slot for Words {
    type Event = (u64, u64);

    fn empty() -> Self {
        Words(AtomicU64::new(0), AtomicU64::new(0))
    }

    fn store(&self, (first, second): (u64, u64)) {
        self.0.store(first, Ordering::Relaxed);
        self.1.store(second, Ordering::Relaxed);
    }

    fn load(&self) -> (u64, u64) {
        (self.0.load(Ordering::Relaxed), self.1.load(Ordering::Relaxed))
    }
}

fn check(ring: &Ring<Words>) -> usize {
    let kept = ring.read(ring.count(), usize::MAX).unwrap();
    for (event, n) in kept.events.iter().zip(kept.lost + 1..) {
        assert_eq!(event.0, event.1, "torn");
        assert_eq!(event.0, n, "in their order, and all that are not lost");
    }
    kept.events.len()
}

#[test]
fn a_reader_keeps_whole_events_in_their_order() {
    explore(quick_or_full(3, Some(5)), || {
        let ring = Arc::new(Ring::<Words>::new(2).unwrap());
        ring.push((1, 1));
        let reader = thread::spawn({
            let ring = ring.clone();
            move || check(&ring)
        });
        (2..=4).for_each(|n| ring.push((n, n)));
        assert!(reader.join().unwrap() <= 2);
        assert!(check(&ring) >= 1);
    });
}
