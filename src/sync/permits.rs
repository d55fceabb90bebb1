//! Permits, given out first come, first served: a semaphore without its handles, and what the locks
//! are made of. A mutex is one permit. A readers-writer lock has so many that a writer can take all.
//!
//! # Protocol
//!
//! ```text
//! word        permits that are free × 4 + QUEUED + CLOSED
//! take        while nobody waits: one compare-exchange
//! give back   one addition; if somebody waits then, those whose turn it is are served, under the lock
//! wait        under the lock: set QUEUED, unless there are enough permits now, and join the line
//! serve       under the lock: while there are enough for the first one, take them for it
//! ```
//!
//! QUEUED is set as long as somebody is in the line, and changes under the lock only. While it is
//! set, nobody takes permits without the lock, so they only become more there. So newcomers do not
//! overtake, and one that needs many permits collects them.
//!
//! No permit is overlooked: an addition either precedes the compare-exchange that sets QUEUED, which
//! then fails, or it sees QUEUED and goes on to serve. A task that leaves the line may have kept
//! others waiting that need less. So the one that leaves serves, too, after it has given back what it
//! had been served.
//!
//! Who gets permits sees what came before they were given back: each addition is a release, which
//! the read-modify-writes after it continue; who takes them acquires, under the lock for others.
//!
//! Modelled in `tests/models/permits.rs`.
//!
//! Rejected: to collect permits for the first one in its slot, as they come. The word then no longer
//! says how many there are, and who leaves has to give back a part.

#![forbid(unsafe_code)]

use std::task::{Poll, Waker};

use crate::primitives::{AtomicUsize, Ordering};
use crate::sync::line::{Inner, Line, Parting};
use crate::sync::wait_queue::{Key, Standing};

const CLOSED: usize = 1;
const QUEUED: usize = 2;
const ONE: usize = 4;

/// As many as there may be. The word has room for more, as some may be out when others are added.
pub(crate) const MAX: usize = usize::MAX / (4 * ONE);

pub(crate) struct Permits {
    word: AtomicUsize,
    line: Line<()>,
}

/// No permit is given out any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Closed;

/// Why there are no permits at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    Closed,
    /// There are too few, or others wait.
    Short,
}

/// There would be more than [`MAX`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooMany;

impl Permits {
    pub(crate) fn new(count: usize) -> Self {
        Permits { word: AtomicUsize::new(count * ONE), line: Line::new(()) }
    }

    /// How many are free.
    pub(crate) fn free(&self) -> usize {
        // Ordering: Acquire pairs with the Release in `give_back`.
        self.word.load(Ordering::Acquire) / ONE
    }

    pub(crate) fn is_closed(&self) -> bool {
        // Ordering: Acquire pairs with the Release in `close`.
        self.word.load(Ordering::Acquire) & CLOSED != 0
    }

    /// Takes permits, if nobody waits.
    #[inline]
    pub(crate) fn try_take(&self, count: usize) -> Result<(), Refused> {
        // Ordering: Acquire pairs with the Release in `close`.
        let mut word = self.word.load(Ordering::Acquire);
        loop {
            if word & CLOSED != 0 {
                return Err(Refused::Closed);
            }
            if word & QUEUED != 0 || word / ONE < count {
                return Err(Refused::Short);
            }
            match self.exchange(word, word - count * ONE) {
                Ok(_) => return Ok(()),
                Err(actual) => word = actual,
            }
        }
    }

    /// Takes permits, or waits for them, with the slot `key`.
    #[inline]
    pub(crate) fn poll(
        &self,
        key: &mut Option<Key>,
        count: usize,
        waker: &Waker,
    ) -> Poll<Result<(), Closed>> {
        if key.is_none() {
            match self.try_take(count) {
                Ok(()) => return Poll::Ready(Ok(())),
                Err(Refused::Closed) => return Poll::Ready(Err(Closed)),
                Err(Refused::Short) => {}
            }
        }
        self.line.poll(key, count, waker, |look| match look.standing {
            Standing::New => self.take_or_queue(count, look.will_wait),
            Standing::Waiting => None,
            Standing::Served => Some(Ok(())),
            Standing::Released => Some(Err(Closed)),
        })
    }

    /// Takes permits, under the lock. If there are too few, and the task will wait, it says so.
    fn take_or_queue(&self, count: usize, will_wait: bool) -> Option<Result<(), Closed>> {
        // Ordering: Acquire pairs with the Release in `close`.
        let mut word = self.word.load(Ordering::Acquire);
        loop {
            let is_queued = word & QUEUED != 0;
            let can_take = !is_queued && word / ONE >= count;
            let new = match can_take {
                _ if word & CLOSED != 0 => return Some(Err(Closed)),
                true => word - count * ONE,
                false if is_queued || !will_wait => return None,
                false => word | QUEUED,
            };
            match self.exchange(word, new) {
                Ok(_) => return can_take.then_some(Ok(())),
                Err(actual) => word = actual,
            }
        }
    }

    fn exchange(&self, word: usize, new: usize) -> Result<usize, usize> {
        // Ordering: Acquire pairs with the Release in `give_back` and, in a failure, in `close`.
        self.word.compare_exchange(word, new, Ordering::Acquire, Ordering::Acquire)
    }

    /// Gives permits back that were taken.
    #[inline]
    pub(crate) fn give_back(&self, count: usize) {
        // Ordering: Release pairs with the Acquire of who takes them.
        if self.word.fetch_add(count * ONE, Ordering::Release) & QUEUED != 0 {
            self.line.change(|inner, parting| self.serve(inner, parting));
        }
    }

    /// Adds permits that there were not.
    pub(crate) fn add(&self, count: usize) -> Result<(), TooMany> {
        let mut word = self.word.load(Ordering::Relaxed);
        loop {
            if count > MAX || word / ONE + count > MAX {
                return Err(TooMany);
            }
            let more = word + count * ONE;
            // Ordering: Release, as in `give_back`.
            match self.word.compare_exchange(word, more, Ordering::Release, Ordering::Relaxed) {
                Ok(_) => break,
                Err(actual) => word = actual,
            }
        }
        if word & QUEUED != 0 {
            self.line.change(|inner, parting| self.serve(inner, parting));
        }
        Ok(())
    }

    /// Stops waiting for permits, or gives them back.
    pub(crate) fn leave(&self, key: Key, count: usize) {
        self.line.leave(key, |inner, standing, parting| {
            if standing == Standing::Served {
                // Ordering: Release, as in `give_back`.
                self.word.fetch_add(count * ONE, Ordering::Release);
            }
            self.serve(inner, parting);
        });
    }

    /// Serves those whose turn it is, under the lock.
    fn serve(&self, inner: &mut Inner<()>, parting: &mut Parting) {
        while let Some(wanted) = inner.queue.first_wants() {
            if self.word.load(Ordering::Relaxed) / ONE < wanted {
                return;
            }
            // They only become more meanwhile, as QUEUED is set.
            // Ordering: Acquire pairs with the Release in `give_back`, for the one that is served.
            self.word.fetch_sub(wanted * ONE, Ordering::Acquire);
            parting.wake_later(inner.queue.take_first(Standing::Served));
        }
        self.end_queue();
    }

    /// Nobody is in the line, under the lock.
    fn end_queue(&self) {
        if self.word.load(Ordering::Relaxed) & QUEUED != 0 {
            self.word.fetch_sub(QUEUED, Ordering::Relaxed);
        }
    }

    /// From now on none is given out, and nobody waits. Those that are out may be given back.
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
        self.line.change(|inner, parting| {
            parting.release_all(&mut inner.queue);
            self.end_queue();
        });
    }
}
