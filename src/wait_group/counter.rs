//! What a `WaitGroup` counts, and who waits for it to be zero.
//!
//! # Protocol
//!
//! The number goes up and down without the lock, except that it comes to zero only under the lock.
//! There the zeros are counted, and the wakers of all who wait are taken, to be woken outside. Who
//! waits looks at the number and leaves a waker under the same lock, so it comes before the zero and
//! is taken, or after it and sees it. It remembers how many zeros there had been: a different count
//! tells it later that there was one, whatever the number has become, and that its waker is gone.
//!
//! Whoever sees a zero sees all that came before the `done`s that led to it: each is a release, and
//! the additions between them are read-modify-writes, which pass that on.
//!
//! Modelled in `tests/models/wait_group.rs`. Rejected: everything under the lock (the many that count
//! down would wait for each other); waiters and number in one word, as in Go (it cannot tell a waiter
//! of the last round from one of this, and so forbids to reuse the group before all have returned).

#![forbid(unsafe_code)]

use std::task::Waker;

use slab::Slab;

use crate::scheduler::foreign;
use crate::sync::{AtomicUsize, Mutex, Ordering, lock};

pub(crate) struct Counter {
    number: AtomicUsize,
    waiting: Mutex<Waiting>,
}

struct Waiting {
    /// How often the number has come to zero.
    zeros: u64,
    wakers: Slab<Waker>,
}

/// One who waits. It is given back with [`Counter::forget`].
#[derive(Debug)]
pub(crate) struct Ticket {
    key: usize,
    /// The key holds until there is another zero.
    zeros: u64,
}

/// The number would be more than a `usize` holds. It has not changed.
#[derive(Debug)]
pub(crate) struct Overflow;

/// The number would be less than zero. It has not changed.
#[derive(Debug)]
pub(crate) struct Negative;

impl Counter {
    pub(crate) fn new() -> Self {
        Counter {
            number: AtomicUsize::new(0),
            waiting: Mutex::new(Waiting { zeros: 0, wakers: Slab::new() }),
        }
    }

    pub(crate) fn number(&self) -> usize {
        // Ordering: Acquire pairs with the Release of each `done`.
        self.number.load(Ordering::Acquire)
    }

    pub(crate) fn add(&self, more: usize) -> Result<(), Overflow> {
        let mut number = self.number.load(Ordering::Relaxed);
        loop {
            let sum = number.checked_add(more).ok_or(Overflow)?;
            // Ordering: Relaxed, since nobody learns anything from a number that went up.
            match self.number.compare_exchange(number, sum, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return Ok(()),
                Err(actual) => number = actual,
            }
        }
    }

    /// Counts down, and at zero wakes all who wait.
    pub(crate) fn done(&self) -> Result<(), Negative> {
        if self.count_down_to(1).is_some() {
            return Ok(());
        }
        // Most likely the last one.
        let mut waiting = lock(&self.waiting);
        // Others may count up again at once, so it matters what this came to, not what there is now.
        if self.count_down_to(0).ok_or(Negative)? > 0 {
            return Ok(());
        }
        waiting.zeros += 1;
        let wakers = std::mem::take(&mut waiting.wakers);
        drop(waiting);
        wakers.into_iter().for_each(|(_, waker)| foreign::wake(waker));
        Ok(())
    }

    /// Takes one off and says what is left, unless that is less than `least`.
    fn count_down_to(&self, least: usize) -> Option<usize> {
        let mut number = self.number.load(Ordering::Relaxed);
        while number > least {
            let less = number - 1;
            // Ordering: Release, so that who sees zero sees what came before this. Acquire, because
            // the one who comes to zero wakes the others, also for what came before their `done`.
            match self.number.compare_exchange(number, less, Ordering::AcqRel, Ordering::Relaxed) {
                Ok(_) => return Some(less),
                Err(actual) => number = actual,
            }
        }
        None
    }

    /// Whether the number is zero, or was since `ticket` was given out. If not, the next zero wakes
    /// `waker`.
    pub(crate) fn poll(&self, ticket: &mut Option<Ticket>, waker: &Waker) -> bool {
        if ticket.is_none() && self.number() == 0 {
            return true;
        }
        // A waker is the user's code: cloned, and dropped, outside the lock.
        let waker = waker.clone();
        let mut waiting = lock(&self.waiting);
        let zeros = waiting.zeros;
        let (is_ready, unused) = match ticket.take() {
            Some(held) if held.zeros == zeros => {
                let replaced = std::mem::replace(&mut waiting.wakers[held.key], waker);
                *ticket = Some(held);
                (false, Some(replaced))
            }
            None if self.number() > 0 => {
                *ticket = Some(Ticket { key: waiting.wakers.insert(waker), zeros });
                (false, None)
            }
            Some(_) | None => (true, Some(waker)),
        };
        drop(waiting);
        foreign::let_go(unused);
        is_ready
    }

    /// Forgets one who waits no more.
    pub(crate) fn forget(&self, ticket: Ticket) {
        let mut waiting = lock(&self.waiting);
        let waker = (ticket.zeros == waiting.zeros).then(|| waiting.wakers.remove(ticket.key));
        drop(waiting);
        // Outside the lock.
        foreign::let_go(waker);
    }
}
