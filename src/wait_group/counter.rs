//! The counter of a `WaitGroup`, and the tasks that wait for zero.
//!
//! # Protocol
//!
//! The number goes up and down without the lock, except that it reaches zero only under the lock.
//! There `done` counts the zeros and takes all wakers, and wakes them after it has released the
//! lock. A waiting task reads the number and leaves its waker under the same lock. So it comes
//! either before the zero, and its waker is taken, or after it, and sees the zero. Its ticket
//! records the count of zeros. A different count tells it later that there was a zero, whatever the
//! number is by then, and that its waker is gone.
//!
//! A task that sees a zero also sees everything before the `done`s that led to it: each `done` is a
//! release, and the additions between them are read-modify-writes, which continue the release
//! sequence.
//!
//! Modelled in `tests/models/wait_group.rs`.
//!
//! Rejected: all operations under the lock, because many calls of `done` would wait for each other.
//! Number and waiters in one word, as in Go, because that cannot tell a waiter of the last round
//! from one of this round, and so forbids reuse until all waits have returned.

#![forbid(unsafe_code)]

use std::task::Waker;

use slab::Slab;

use crate::primitives::{AtomicUsize, Mutex, Ordering, lock};
use crate::scheduler::foreign_wakers;

pub(crate) struct Counter {
    number: AtomicUsize,
    waiting: Mutex<Waiting>,
}

struct Waiting {
    /// How often the number has reached zero.
    zeros: u64,
    wakers: Slab<Waker>,
}

/// A waiting task's registration. The task returns it with [`Counter::forget`].
#[derive(Debug)]
pub(crate) struct Ticket {
    key: usize,
    /// The key is valid until the next zero.
    zeros: u64,
}

/// The number would exceed a `usize`. It has not changed.
#[derive(Debug)]
pub(crate) struct Overflow;

/// The number would be negative. It has not changed.
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
            // Ordering: Relaxed, since no task acts on a number that went up.
            match self.number.compare_exchange(number, sum, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return Ok(()),
                Err(actual) => number = actual,
            }
        }
    }

    /// Counts down, and at zero wakes all waiting tasks.
    pub(crate) fn done(&self) -> Result<(), Negative> {
        if self.count_down_to(1).is_some() {
            return Ok(());
        }
        // This is probably the last `done`.
        let mut waiting = lock(&self.waiting);
        // An `add` may follow at once, so the result of this step counts, not the present number.
        if self.count_down_to(0).ok_or(Negative)? > 0 {
            return Ok(());
        }
        waiting.zeros += 1;
        let wakers = std::mem::take(&mut waiting.wakers);
        drop(waiting);
        wakers.into_iter().for_each(|(_, waker)| foreign_wakers::wake(waker));
        Ok(())
    }

    /// Subtracts one and returns the rest, unless that would be less than `least`.
    fn count_down_to(&self, least: usize) -> Option<usize> {
        let mut number = self.number.load(Ordering::Relaxed);
        while number > least {
            let less = number - 1;
            // Ordering: Release, so that a task that sees the zero sees what came before this call.
            // Acquire, because the call that reaches zero wakes the others, also for what came
            // before their `done`.
            match self.number.compare_exchange(number, less, Ordering::AcqRel, Ordering::Relaxed) {
                Ok(_) => return Some(less),
                Err(actual) => number = actual,
            }
        }
        None
    }

    /// Whether the number is zero, or has been since `ticket` was given out. If not, the next zero
    /// wakes `waker`.
    pub(crate) fn poll(&self, ticket: &mut Option<Ticket>, waker: &Waker) -> bool {
        if ticket.is_none() && self.number() == 0 {
            return true;
        }
        // Cloning and dropping a waker may run user code, so both happen outside the lock.
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
        foreign_wakers::drop_waker(unused);
        is_ready
    }

    /// Removes a task that waits no more.
    pub(crate) fn forget(&self, ticket: Ticket) {
        let mut waiting = lock(&self.waiting);
        let waker = (ticket.zeros == waiting.zeros).then(|| waiting.wakers.remove(ticket.key));
        drop(waiting);
        // Outside the lock.
        foreign_wakers::drop_waker(waker);
    }
}
