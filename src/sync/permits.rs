//! Permits, granted first come, first served: a semaphore without its handles, and the basis of
//! the locks. A mutex is one permit. A readers-writer lock has many, and a writer takes all of
//! them.
//!
//! # Protocol
//!
//! ```text
//! word       permits that are free × 4 + QUEUED + CLOSED
//! acquire    while nobody waits: one compare-exchange
//! release    one addition; if somebody waits then, those whose turn it is are granted, under the lock
//! wait       under the lock: set QUEUED, unless there are enough permits now, and enter the queue
//! grant      under the lock: while there are enough for the first waiter, take them for it
//! ```
//!
//! QUEUED is set as long as somebody is in the queue, and changes under the lock only. While it is
//! set, nobody takes permits without the lock, so without the lock their number only grows. So
//! newcomers do not overtake, and permits collect for a task that needs many.
//!
//! No permit is overlooked: an addition either precedes the compare-exchange that sets QUEUED,
//! which then fails, or it sees QUEUED and goes on to grant. A waiter that leaves the queue may
//! have blocked others that need fewer. So it grants, too, after it has released what it had been
//! granted.
//!
//! Whoever gets permits sees what came before their release. Each addition is a release, which the
//! read-modify-writes after it continue. Whoever takes permits acquires; for a waiter, another
//! thread does so under the lock.
//!
//! The owner ensures that there are never more than [`MAX`], those in use included. So the word
//! does not overflow.
//!
//! Modelled in `tests/models/permits.rs`.
//!
//! Rejected: collecting permits at the first waiter's place as they come. Then the word no longer
//! says how many there are, and a waiter that leaves has to release a part.

#![forbid(unsafe_code)]

use std::task::{Poll, Waker};

use crate::primitives::{AtomicUsize, Ordering, const_fn};
use crate::sync::wait_queue::{Key, WaiterState};
use crate::sync::waitable::{Inner, Waitable, WakeList};

const CLOSED: usize = 1;
const QUEUED: usize = 2;
const ONE: usize = 4;

/// The largest number of permits.
pub(crate) const MAX: usize = usize::MAX / ONE;

pub(crate) struct Permits {
    word: AtomicUsize,
    waiters: Waitable<()>,
}

/// No permit is granted any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Closed;

/// Why there are no permits at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    Closed,
    /// There are too few, or others wait.
    Insufficient,
}

impl Permits {
    const_fn! {
        pub(crate) fn new(count: usize) -> Self {
            Permits { word: AtomicUsize::new(count * ONE), waiters: Waitable::new(()) }
        }
    }

    /// How many are free.
    pub(crate) fn available(&self) -> usize {
        // Ordering: Acquire pairs with the Release in `release`.
        self.word.load(Ordering::Acquire) / ONE
    }

    pub(crate) fn is_closed(&self) -> bool {
        // Ordering: Acquire pairs with the Release in `close`.
        self.word.load(Ordering::Acquire) & CLOSED != 0
    }

    /// Acquires permits, if nobody waits.
    #[inline]
    pub(crate) fn try_acquire(&self, count: usize) -> Result<(), Refused> {
        // Ordering: Acquire pairs with the Release in `close`.
        let mut word = self.word.load(Ordering::Acquire);
        loop {
            if word & CLOSED != 0 {
                return Err(Refused::Closed);
            }
            if word & QUEUED != 0 || word / ONE < count {
                return Err(Refused::Insufficient);
            }
            match self.exchange(word, word - count * ONE) {
                Ok(_) => return Ok(()),
                Err(actual) => word = actual,
            }
        }
    }

    /// Acquires permits, or waits for them, as the waiter `key`.
    #[inline]
    pub(crate) fn poll(
        &self,
        key: &mut Option<Key>,
        count: usize,
        waker: &Waker,
    ) -> Poll<Result<(), Closed>> {
        if key.is_none() {
            match self.try_acquire(count) {
                Ok(()) => return Poll::Ready(Ok(())),
                Err(Refused::Closed) => return Poll::Ready(Err(Closed)),
                Err(Refused::Insufficient) => {}
            }
        }
        self.waiters.poll(key, count, waker, |attempt| match attempt.waiter {
            WaiterState::New => self.acquire_or_queue(count, attempt.will_wait),
            WaiterState::Waiting => None,
            WaiterState::Granted => Some(Ok(())),
            WaiterState::Released => Some(Err(Closed)),
        })
    }

    /// Acquires permits, under the lock. If there are too few, and the task will wait, says so.
    fn acquire_or_queue(&self, count: usize, will_wait: bool) -> Option<Result<(), Closed>> {
        // Ordering: Acquire pairs with the Release in `close`.
        let mut word = self.word.load(Ordering::Acquire);
        loop {
            let is_queued = word & QUEUED != 0;
            let suffices = !is_queued && word / ONE >= count;
            let new = match suffices {
                _ if word & CLOSED != 0 => return Some(Err(Closed)),
                true => word - count * ONE,
                false if is_queued || !will_wait => return None,
                false => word | QUEUED,
            };
            match self.exchange(word, new) {
                Ok(_) => return suffices.then_some(Ok(())),
                Err(actual) => word = actual,
            }
        }
    }

    fn exchange(&self, word: usize, new: usize) -> Result<usize, usize> {
        // Ordering: Acquire pairs with the Release in `release` and, in a failure, in `close`.
        self.word.compare_exchange(word, new, Ordering::Acquire, Ordering::Acquire)
    }

    /// Releases permits that were acquired, or adds new ones.
    #[inline]
    pub(crate) fn release(&self, count: usize) {
        // Ordering: Release pairs with the Acquire of who acquires them.
        if self.word.fetch_add(count * ONE, Ordering::Release) & QUEUED != 0 {
            self.waiters.with(|inner, wakes| self.grant(inner, wakes));
        }
    }

    /// Stops waiting for permits, or releases them.
    pub(crate) fn cancel(&self, key: Key, count: usize) {
        self.waiters.cancel(key, |inner, state, wakes| {
            if state == WaiterState::Granted {
                // Ordering: Release, as in `release`.
                self.word.fetch_add(count * ONE, Ordering::Release);
            }
            self.grant(inner, wakes);
        });
    }

    /// Grants permits to those whose turn it is, under the lock.
    fn grant(&self, inner: &mut Inner<()>, wakes: &mut WakeList) {
        while let Some(wanted) = inner.queue.front_wanted() {
            if self.word.load(Ordering::Relaxed) / ONE < wanted {
                return;
            }
            // They only become more meanwhile, as QUEUED is set.
            // Ordering: Acquire pairs with the Release in `release`, for the one that gets them.
            self.word.fetch_sub(wanted * ONE, Ordering::Acquire);
            wakes.wake_later(inner.queue.pop_front(WaiterState::Granted));
        }
        self.end_queue();
    }

    /// Nobody is in the queue, under the lock.
    fn end_queue(&self) {
        if self.word.load(Ordering::Relaxed) & QUEUED != 0 {
            self.word.fetch_sub(QUEUED, Ordering::Relaxed);
        }
    }

    /// From now on none is granted, and nobody waits. Those that are out may be released.
    pub(crate) fn close(&self) {
        let mut word = self.word.load(Ordering::Relaxed);
        while word & CLOSED == 0 {
            let closed = word | CLOSED;
            // Ordering: Release, so that who learns of it sees what came before.
            match self.word.compare_exchange(word, closed, Ordering::Release, Ordering::Relaxed) {
                Ok(_) => break,
                Err(actual) => word = actual,
            }
        }
        self.waiters.with(|inner, wakes| {
            wakes.release_all(&mut inner.queue);
            self.end_queue();
        });
    }
}
