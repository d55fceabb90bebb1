//! Permits, granted in the order in which tasks came, but for newcomers that overtake one that is
//! being woken: a semaphore without its handles, and the basis of the locks. Both locks have [`MAX`]
//! permits. Who is to be alone takes all of them, a reader takes one.
//!
//! # Why newcomers may overtake
//!
//! If the first waiter were given the lock while it still sleeps, whoever wants it meanwhile would
//! have to wait: the next ones, and the one that has just released it. A lock that is held for
//! some nanoseconds would from then on go through the scheduler each time, and never recover: all
//! who want it stand in the queue, one behind the other. So the first waiter is *called*: it is
//! woken, and the permits stay free until it comes. Newcomers may take them, but only as often as
//! [`OVERTAKES`] says. If they are not there when it comes, it is *late*: it returns to the front.
//! From then on nobody overtakes it, and it is *granted* the permits while it sleeps.
//!
//! # Protocol
//!
//! ```text
//! word       permits that are free · overtakes left · LOOK · QUEUED · CLOSED
//! acquire    while nobody waits: one compare-exchange; while some are called: likewise, which also
//!            counts, until no overtakes are left
//! release    one addition; with LOOK, those whose turn it is are served, under the lock
//! wait       under the lock: unless there are enough permits now, set the flags and enter the queue
//! serve      under the lock: while there are enough for the first waiter, beside those for whoever is
//!            called already, call it; if it was late, take them for it
//! come       under the lock: take the permits, or return to the front
//! ```
//!
//! QUEUED is set as long as somebody is in the queue or called. LOOK is set as long as somebody is in the
//! queue who might be served by a release: the one at the front of a mutex's queue is not, while
//! another one is called. The flags change under the lock only, and so do the overtakes, except
//! that newcomers count them down. They are set anew whenever one is called, and end when one is late.
//!
//! No permit is overlooked: everything is in one word. An addition either precedes the
//! compare-exchange that sets the flags, which then fails, or it sees LOOK and goes on to serve. A
//! waiter that leaves the queue may have blocked others that need fewer. So it serves, too, after it
//! has released what it had been granted. And one that was called may have blocked those before it, that
//! were late. So it serves when it comes, also if it is late itself.
//!
//! Nobody waits for ever: each waiter is called once, and one that was called is not overtaken any more
//! after it was late. The number of permits only grows from then on, until there are enough: nobody
//! else takes any, except those that were called at the same time, each once. So a waiter is overtaken
//! `OVERTAKES` times at most for each that is called before it comes, itself among them. While one waits
//! for all permits, as for a mutex, nobody is called after it: with `n` ahead of it, it is overtaken
//! `(n + 1) × OVERTAKES` times at most.
//!
//! Whoever gets permits sees what came before their release. Each addition is a release, which the
//! read-modify-writes after it continue. Whoever takes permits acquires; for a waiter that was
//! late, another thread does so under the lock.
//!
//! The owner ensures that there are never more than [`MAX`], those in use included. So the word
//! does not overflow.
//!
//! Modelled in `tests/models/permits.rs`.
//!
//! # Rejected
//!
//! - Granting always, without overtaking: with sixteen goroutines on two workers a lock took some 20
//!   times as long as Go's (`docs/benchmarks.md`).
//! - A limit in time instead of a number of overtakes, as in Go (a millisecond) and in `async-lock`:
//!   it reads the clock, and a test cannot say how often is too often.
//! - Setting the overtakes anew only when one is called while no other is. Where there are more permits
//!   than workers, and sections are short, somebody is called all the time: nobody may overtake, all
//!   stand in the queue, and that does not end.
//! - More overtakes, 1,023 and 8,191: fewer wait, and a readers-writer lock is no faster.
//! - Collecting permits at the first waiter's place as they come. Then the word no longer says how
//!   many there are, and a waiter that leaves has to release a part.

#![forbid(unsafe_code)]

use std::task::{Poll, Waker};

use crate::primitives::{AtomicUsize, Ordering, const_fn, limit};
use crate::sync::wait_queue::{Front, Key, WaitQueue, WaiterState};
use crate::sync::waitable::{Attempt, Waitable, WakeList};

const CLOSED: usize = 1;
const QUEUED: usize = 2;
const LOOK: usize = 4;
const OVERTAKE: usize = 8;
const ONE: usize = OVERTAKE * (OVERTAKES + 1);
/// The overtakes in the word.
const LEFT: usize = OVERTAKE * OVERTAKES;

/// How many newcomers may overtake one that was called. A power of two, less one. Each poll may begin twice
/// as many operations (`budget.rs`), so a goroutine that locks in a loop leads to a hand-over before it gives way.
pub(crate) const OVERTAKES: usize = limit(127, 1);

/// The largest number of permits.
pub(crate) const MAX: usize = usize::MAX / ONE;

pub(crate) struct Permits {
    word: AtomicUsize,
    waiters: Waitable<Called>,
}

/// Those that were called and have not come yet.
pub(crate) struct Called {
    count: usize,
    /// How many permits they wait for.
    wanted: usize,
}

impl Called {
    fn add(&mut self, wanted: usize) {
        self.count += 1;
        self.wanted += wanted;
    }

    fn remove(&mut self, wanted: usize) {
        self.count -= 1;
        self.wanted -= wanted;
    }

    /// How many permits there must be, to serve one that wants so many.
    fn needed_beside(&self, wanted: usize) -> usize {
        self.wanted.saturating_add(wanted)
    }

    /// The word with the flags that belong to it, if this one is at the front.
    fn with_flags(&self, word: usize, front: Option<Front>) -> usize {
        let look = front.is_some_and(|front| self.needed_beside(front.wanted) <= MAX);
        let queued = self.count > 0 || front.is_some();
        let is_overtaken = self.count > 0 && !front.is_some_and(|front| front.was_late);
        let left = if is_overtaken { LEFT } else { 0 };
        word & !(QUEUED | LOOK | LEFT)
            | word & left
            | if queued { QUEUED } else { 0 }
            | if look { LOOK } else { 0 }
    }
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
            let called = Called { count: 0, wanted: 0 };
            Permits { word: AtomicUsize::new(count * ONE), waiters: Waitable::new(called) }
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

    /// Acquires permits, if nobody waits, and nobody else does so at the same time.
    #[inline]
    pub(crate) fn try_at_once(&self, count: usize) -> bool {
        // Who wants all of them knows the word already.
        let word = if count == MAX { MAX * ONE } else { self.word.load(Ordering::Relaxed) };
        let is_free = word & (CLOSED | QUEUED) == 0 && word / ONE >= count;
        is_free && self.exchange(word, word - count * ONE).is_ok()
    }

    /// Acquires permits, if nobody waits.
    #[inline]
    pub(crate) fn try_acquire(&self, count: usize) -> Result<(), Refused> {
        self.take(count, false)
    }

    #[inline]
    fn take(&self, count: usize, may_overtake: bool) -> Result<(), Refused> {
        // Ordering: Acquire pairs with the Release in `close`.
        let mut word = self.word.load(Ordering::Acquire);
        loop {
            if word & CLOSED != 0 {
                return Err(Refused::Closed);
            }
            let overtakes = match word & (QUEUED | LEFT) {
                0 => 0,
                QUEUED => return Err(Refused::Insufficient),
                _ if may_overtake => OVERTAKE,
                _ => return Err(Refused::Insufficient),
            };
            if word / ONE < count {
                return Err(Refused::Insufficient);
            }
            match self.exchange(word, word - count * ONE - overtakes) {
                Ok(_) => return Ok(()),
                Err(actual) => word = actual,
            }
        }
    }

    /// Acquires permits, or waits for them, as the waiter `key`.
    pub(crate) fn poll(
        &self,
        key: &mut Option<Key>,
        count: usize,
        waker: &Waker,
    ) -> Poll<Result<(), Closed>> {
        if key.is_none() {
            match self.take(count, true) {
                Ok(()) => return Poll::Ready(Ok(())),
                Err(Refused::Closed) => return Poll::Ready(Err(Closed)),
                Err(Refused::Insufficient) => {}
            }
        }
        self.waiters.wait(key, count, waker, |attempt| match attempt.waiter {
            WaiterState::New => self.acquire_or_queue(count, attempt),
            WaiterState::Waiting => None,
            WaiterState::Called => self.come(count, attempt),
            WaiterState::Granted => Some(Ok(())),
            WaiterState::Released => Some(Err(Closed)),
        })
    }

    /// Whether all that waited were let go, this one among them.
    pub(crate) fn has_released(&self, key: Key) -> bool {
        self.waiters.with(|inner, _| inner.queue.state(key) == WaiterState::Released)
    }

    /// A newcomer acquires permits, under the lock. If there are too few, and it will wait, says so.
    fn acquire_or_queue(
        &self,
        count: usize,
        attempt: Attempt<'_, Called>,
    ) -> Option<Result<(), Closed>> {
        let (called, is_first) = (&*attempt.state, attempt.queue.is_empty());
        // Ordering: Acquire pairs with the Release in `close`.
        let mut word = self.word.load(Ordering::Acquire);
        loop {
            let free = word / ONE;
            let (new, result) = match () {
                () if word & CLOSED != 0 => return Some(Err(Closed)),
                () if is_first && free >= called.needed_beside(count) => {
                    (word - count * ONE, Some(Ok(())))
                }
                () if word & LEFT != 0 && free >= count => {
                    (word - count * ONE - OVERTAKE, Some(Ok(())))
                }
                // Behind others it changes nothing.
                () if !is_first || !attempt.will_wait => return None,
                () => {
                    let front = Front { wanted: count, was_late: false };
                    (called.with_flags(word, Some(front)), None)
                }
            };
            match self.exchange(word, new) {
                Ok(_) => return result,
                Err(actual) => word = actual,
            }
        }
    }

    /// One that was called acquires permits, under the lock. If there are too few, and it will wait,
    /// it returns to the front.
    fn come(&self, count: usize, mut attempt: Attempt<'_, Called>) -> Option<Result<(), Closed>> {
        let mut word = self.word.load(Ordering::Relaxed);
        let mut result = loop {
            if word / ONE < count {
                break (word & CLOSED != 0).then_some(Err(Closed));
            }
            match self.exchange(word, word - count * ONE) {
                Ok(_) => break Some(Ok(())),
                Err(actual) => word = actual,
            }
        };
        if result.is_none() && !attempt.will_wait {
            return None;
        }
        attempt.state.remove(count);
        if result.is_none() {
            attempt.return_to_front();
        }
        self.serve(attempt.state, attempt.queue, attempt.wakes);
        if result.is_none() && attempt.state_now() == WaiterState::Granted {
            result = Some(Ok(()));
        }
        result
    }

    #[inline(always)]
    fn exchange(&self, word: usize, new: usize) -> Result<usize, usize> {
        // Ordering: Acquire pairs with the Release in `release` and, in a failure, in `close`.
        self.word.compare_exchange(word, new, Ordering::Acquire, Ordering::Acquire)
    }

    /// Releases permits that were acquired, or adds new ones.
    #[inline]
    pub(crate) fn release(&self, count: usize) {
        // Ordering: Release pairs with the Acquire of who acquires them.
        if self.word.fetch_add(count * ONE, Ordering::Release) & LOOK != 0 {
            self.serve_waiting();
        }
    }

    #[inline(never)]
    fn serve_waiting(&self) {
        self.waiters.with(|inner, wakes| self.serve(&mut inner.state, &mut inner.queue, wakes));
    }

    /// Stops waiting for permits, or releases them.
    pub(crate) fn cancel(&self, key: Key, count: usize) {
        self.waiters.cancel(key, |inner, state, wakes| {
            match state {
                // Ordering: Release, as in `release`.
                WaiterState::Granted => _ = self.word.fetch_add(count * ONE, Ordering::Release),
                WaiterState::Called => inner.state.remove(count),
                WaiterState::New | WaiterState::Waiting | WaiterState::Released => {}
            }
            self.serve(&mut inner.state, &mut inner.queue, wakes);
        });
    }

    /// Serves those whose turn it is, and sets the flags, under the lock.
    fn serve(&self, called: &mut Called, queue: &mut WaitQueue, wakes: &mut WakeList) {
        let mut word = self.word.load(Ordering::Relaxed);
        let mut overtakes = 0;
        loop {
            let front = queue.front();
            let turn = front.filter(|front| called.needed_beside(front.wanted) <= word / ONE);
            let new = match turn {
                Some(front) if !front.was_late => {
                    // The permits are free until it comes.
                    overtakes = LEFT;
                    called.add(front.wanted);
                    wakes.wake_later(queue.pop_front(WaiterState::Called));
                    continue;
                }
                Some(front) => word - front.wanted * ONE,
                None => called.with_flags(word | overtakes, front),
            };
            if new != word || turn.is_some() {
                match self.exchange(word, new) {
                    Ok(_) => word = new,
                    Err(actual) => {
                        word = actual;
                        continue;
                    }
                }
            }
            match turn {
                Some(_) => wakes.wake_later(queue.pop_front(WaiterState::Granted)),
                None => return,
            }
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
            self.serve(&mut inner.state, &mut inner.queue, wakes);
        });
    }
}
