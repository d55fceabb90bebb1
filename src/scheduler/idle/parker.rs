//! Where a worker sleeps, and whether it is available.

#![forbid(unsafe_code)]

use std::time::Duration;

use crate::sync::{AtomicU32, Condvar, Mutex, Ordering, lock};

/// Whether a worker is available to goroutines. It changes under the lock of the lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum Availability {
    /// Awake or asleep, or a spare.
    Available,
    /// The same, and to check in after this poll: perhaps it is one too many, or others wait for it to
    /// look at the injector.
    CheckInRequested,
    /// Away, by the monitor's decision, until it checks in.
    WrittenOff,
    /// Away, until it says otherwise.
    Blocked,
}

/// What a sleeper is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signal {
    /// Taken off the list, and counted as a searcher.
    Search,
    /// Taken off the list of spares: not needed any more.
    Leave,
    /// To the monitor.
    Wake,
}

/// Where a worker sleeps, with its availability. It has at most one signal waiting.
pub(crate) struct Parker {
    availability: AtomicU32,
    signal: Mutex<Option<Signal>>,
    changed: Condvar,
}

impl Parker {
    pub(crate) fn new() -> Self {
        Parker {
            availability: AtomicU32::new(Availability::Available as u32),
            signal: Mutex::new(None),
            changed: Condvar::new(),
        }
    }

    /// By the worker itself, after a poll: whether others have asked it to check in, or written it off.
    #[inline]
    pub(crate) fn must_check_in(&self) -> bool {
        !self.is(Availability::Available)
    }

    /// By others: perhaps out of date.
    #[inline]
    pub(crate) fn is(&self, availability: Availability) -> bool {
        // Relaxed: it guards nothing. A worker that learns late of what others have decided pushes
        // to its own queue meanwhile, where the monitor finds it, or checks in after the next poll.
        self.availability.load(Ordering::Relaxed) == availability as u32
    }

    pub(super) fn set(&self, availability: Availability) {
        self.availability.store(availability as u32, Ordering::Relaxed);
    }

    pub(crate) fn send(&self, signal: Signal) {
        *lock(&self.signal) = Some(signal);
        self.changed.notify_one();
    }

    /// Sleeps until a signal comes, or `limit` has passed (then `None`).
    pub(crate) fn receive(&self, limit: Option<Duration>) -> Option<Signal> {
        let mut slot = lock(&self.signal);
        loop {
            if slot.is_some() {
                return slot.take();
            }
            slot = match limit {
                None => self.changed.wait(slot).unwrap_or_else(|e| e.into_inner()),
                Some(limit) => {
                    let woken = self.changed.wait_timeout(slot, limit);
                    let (mut slot, _) = woken.unwrap_or_else(|e| e.into_inner());
                    return slot.take();
                }
            };
        }
    }
}
