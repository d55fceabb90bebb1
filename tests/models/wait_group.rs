//! The counter of a wait group: no waiter is missed at zero, none goes on before it, and who goes on
//! sees what came before the `done`s.
//!
//! Seen to fail, each in one model: with a `done` that comes to zero outside the lock and takes the
//! waiters later; with one that looks at the number again instead of at what it came to ("deadlock");
//! with a `forget` that does not look at the zeros (likewise); with an `add` that loads and stores; and
//! in two models with a `done` that releases nothing ("Causality violation").

use std::sync::Arc;
use std::task::{Poll, Waker};

use loom::cell::UnsafeCell;
use loom::thread;

use crate::counter::{Counter, Ticket};
use crate::explore::{ALL, block, explore};

struct Wait<'a> {
    counter: &'a Counter,
    ticket: Option<Ticket>,
}

impl<'a> Wait<'a> {
    fn new(counter: &'a Counter) -> Self {
        Wait { counter, ticket: None }
    }

    fn poll(&mut self, waker: &Waker) -> bool {
        self.counter.poll(&mut self.ticket, waker)
    }

    /// Blocks until it is over.
    fn block(mut self) {
        block(|waker| match self.poll(waker) {
            true => Poll::Ready(()),
            false => Poll::Pending,
        })
    }
}

impl Drop for Wait<'_> {
    fn drop(&mut self) {
        self.ticket.take().into_iter().for_each(|ticket| self.counter.forget(ticket));
    }
}

/// What two threads have done, each with memory of its own.
struct Work(Counter, [UnsafeCell<bool>; 2]);

impl Work {
    fn new() -> Arc<Self> {
        Arc::new(Work(Counter::new(), std::array::from_fn(|_| UnsafeCell::new(false))))
    }

    fn set(&self, index: usize) {
        self.1[index].with_mut(|memory| {
            // SAFETY: loom panics before this if the access is not exclusive.
            unsafe { *memory = true }
        });
    }

    fn assert_both_set(&self) {
        for memory in &self.1 {
            memory.with(|memory| {
                // SAFETY: loom panics before this if somebody writes.
                assert!(unsafe { *memory });
            });
        }
    }
}

#[test]
fn two_that_are_done_release_a_waiter_who_sees_what_they_did() {
    explore(Some(3), || {
        let work = Work::new();
        work.0.add(2).unwrap();
        let threads = [0, 1].map(|index| {
            let work = work.clone();
            thread::spawn(move || {
                work.set(index);
                work.0.done().unwrap();
            })
        });
        Wait::new(&work.0).block();
        work.assert_both_set();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    });
}

/// One of the two is done by somebody who first counts another one up, and down again.
#[test]
fn additions_in_between_pass_on_what_was_done() {
    explore(Some(3), || {
        let work = Work::new();
        work.0.add(2).unwrap();
        let one = {
            let work = work.clone();
            thread::spawn(move || {
                work.set(0);
                work.0.done().unwrap();
            })
        };
        let two = {
            let work = work.clone();
            thread::spawn(move || {
                work.0.add(1).unwrap();
                work.set(1);
                work.0.done().unwrap();
                work.0.done().unwrap();
            })
        };
        Wait::new(&work.0).block();
        work.assert_both_set();
        one.join().unwrap();
        two.join().unwrap();
    });
}

/// Who waits since before the zero goes on, although another thread counts up at once.
#[test]
fn a_zero_that_is_over_at_once_releases_who_waited_before_it() {
    explore(Some(3), || {
        let counter = Arc::new(Counter::new());
        counter.add(1).unwrap();
        let mut wait = Wait::new(&counter);
        assert!(!wait.poll(Waker::noop()));
        let down = {
            let counter = counter.clone();
            thread::spawn(move || counter.done().unwrap())
        };
        let up = {
            let counter = counter.clone();
            thread::spawn(move || {
                while counter.number() != 0 {
                    thread::yield_now();
                }
                counter.add(1).unwrap();
            })
        };
        wait.block();
        down.join().unwrap();
        up.join().unwrap();
        assert_eq!(counter.number(), 1);
    });
}

/// Who comes after the zero, when another thread has counted up again, waits for the next one.
#[test]
fn a_zero_that_is_over_does_not_release_who_comes_later() {
    explore(Some(3), || {
        let counter = Arc::new(Counter::new());
        counter.add(1).unwrap();
        let down = {
            let counter = counter.clone();
            thread::spawn(move || counter.done().unwrap())
        };
        while counter.number() != 0 {
            thread::yield_now();
        }
        counter.add(1).unwrap();
        let mut wait = Wait::new(&counter);
        let too_soon = wait.poll(Waker::noop());
        down.join().unwrap();
        assert!(!too_soon && !wait.poll(Waker::noop()));
    });
}

/// A waiter that goes away while the last one is done takes nobody else's place.
#[test]
fn a_waiter_who_goes_away_at_zero_leaves_those_of_the_next_round_alone() {
    explore(Some(3), || {
        let counter = Arc::new(Counter::new());
        counter.add(1).unwrap();
        let other = {
            let counter = counter.clone();
            thread::spawn(move || {
                Wait::new(&counter).poll(Waker::noop());
            })
        };
        counter.done().unwrap();
        counter.add(1).unwrap();
        let last = {
            let counter = counter.clone();
            thread::spawn(move || counter.done().unwrap())
        };
        Wait::new(&counter).block();
        other.join().unwrap();
        last.join().unwrap();
    });
}

#[test]
fn one_too_many_is_refused_whoever_is_last() {
    explore(ALL, || {
        let counter = Arc::new(Counter::new());
        counter.add(1).unwrap();
        let other = {
            let counter = counter.clone();
            thread::spawn(move || counter.done().is_ok())
        };
        let here = counter.done().is_ok();
        assert!(here != other.join().unwrap());
        assert_eq!(counter.number(), 0);
    });
}
