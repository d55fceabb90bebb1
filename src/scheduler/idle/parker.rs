//! Where a worker or the monitor sleeps, and whether a worker is available.

#![forbid(unsafe_code)]

use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::Arc;
use std::time::Duration;

use crate::primitives::{AtomicBool, AtomicU32, Condvar, Mutex, Ordering, lock};

/// Whether a worker is available to goroutines. It changes under the lock of the lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum Availability {
    /// Not away: awake, asleep, or a spare.
    Available,
    /// Available, and must check in after this poll: it may be in excess, or tasks in the injector
    /// wait for it to look.
    CheckInRequested,
    /// Away, by decision of the monitor, until it checks in.
    WrittenOff,
    /// Away, until it announces its return.
    Blocked,
}

/// What a signal tells a sleeper.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signal {
    /// It was taken off the list, and counts as a searcher.
    Search,
    /// It was taken off the list of spares, because it is no longer needed.
    Retire,
    /// For the monitor.
    Wake,
}

/// Another place to sleep in, which a signal must interrupt.
pub(crate) trait Interrupt: Send + Sync + UnwindSafe + RefUnwindSafe {
    /// Ends the present sleep there, or the next one.
    fn interrupt(&self);
}

/// Where a worker or the monitor sleeps, with a worker's availability. It holds at most one signal.
pub(crate) struct Parker {
    availability: AtomicU32,
    slot: Mutex<Slot>,
    changed: Condvar,
    /// The worker, a poller, has events, and counts as asleep.
    has_events: AtomicBool,
}

struct Slot {
    signal: Option<Signal>,
    /// Where the worker sleeps, if not here.
    elsewhere: Option<Arc<dyn Interrupt>>,
}

impl Parker {
    pub(crate) fn new() -> Self {
        Parker {
            availability: AtomicU32::new(Availability::Available as u32),
            slot: Mutex::new(Slot { signal: None, elsewhere: None }),
            changed: Condvar::new(),
            has_events: AtomicBool::new(false),
        }
    }

    /// For the worker itself, after a poll: whether another thread asked it to check in, or wrote
    /// it off.
    #[inline]
    pub(crate) fn must_check_in(&self) -> bool {
        !self.is(Availability::Available)
    }

    /// For other threads the answer may be out of date.
    #[inline]
    pub(crate) fn is(&self, availability: Availability) -> bool {
        // Relaxed: it guards nothing. If a worker learns late of another thread's decision, it
        // pushes to its own queue meanwhile, where the monitor finds the tasks, or checks in one
        // poll later.
        self.availability.load(Ordering::Relaxed) == availability as u32
    }

    pub(super) fn set(&self, availability: Availability) {
        self.availability.store(availability as u32, Ordering::Relaxed);
    }

    pub(crate) fn send(&self, signal: Signal) {
        let mut slot = lock(&self.slot);
        slot.signal = Some(signal);
        let elsewhere = slot.elsewhere.take();
        drop(slot);
        match elsewhere {
            Some(elsewhere) => elsewhere.interrupt(),
            None => self.changed.notify_one(),
        }
    }

    /// Sleeps until a signal comes. Returns `None` if `limit` passes first.
    pub(crate) fn receive(&self, limit: Option<Duration>) -> Option<Signal> {
        let mut slot = lock(&self.slot);
        loop {
            if slot.signal.is_some() {
                return slot.signal.take();
            }
            slot = match limit {
                None => self.changed.wait(slot).unwrap_or_else(|e| e.into_inner()),
                Some(limit) => {
                    let woken = self.changed.wait_timeout(slot, limit);
                    let (mut slot, _) = woken.unwrap_or_else(|e| e.into_inner());
                    return slot.signal.take();
                }
            };
        }
    }

    /// From now on a signal interrupts the worker's sleep there. Returns `false` if a signal has
    /// come already.
    pub(crate) fn sleep_elsewhere(&self, there: &Arc<dyn Interrupt>) -> bool {
        let mut slot = lock(&self.slot);
        let may_sleep = slot.signal.is_none();
        if may_sleep {
            slot.elsewhere = Some(there.clone());
        }
        may_sleep
    }

    /// Returns whether a signal has come.
    pub(crate) fn end_sleep_elsewhere(&self) -> bool {
        let mut slot = lock(&self.slot);
        slot.elsewhere = None;
        slot.signal.is_some()
    }

    /// For a poller that is about to take waiters from sockets.
    pub(crate) fn note_events(&self) {
        // Relaxed: who does not find a waiter any more has taken the socket's lock after this.
        self.has_events.store(true, Ordering::Relaxed);
    }

    /// For the poller when it counts as awake, or has handed over what it has taken.
    pub(crate) fn clear_events(&self) {
        // Ordering: Release pairs with the Acquire in `has_events`: who sees this sees it awake, or what it has
        // pushed.
        self.has_events.store(false, Ordering::Release);
    }

    pub(crate) fn has_events(&self) -> bool {
        self.has_events.load(Ordering::Acquire)
    }

    pub(crate) fn has_signal(&self) -> bool {
        lock(&self.slot).signal.is_some()
    }
}
