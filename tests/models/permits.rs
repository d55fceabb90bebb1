//! Permits, and the queue in front of them: nobody waits for ever while there are enough, no permit is lost
//! or granted twice, also when waiters go away, and who acquires one sees what came before it was released.
//!
//! Seen to fail, each in one model at least: with a `release` that looks at QUEUED before it adds; with
//! QUEUED set without another look at the permits; with a `cancel` that does not give back what it was granted,
//! or does not serve; with a `serve` that does not end the queue; with a `poll` that enters the queue without a second
//! look; with a `close` that sets CLOSED after it has released those that wait (all of them deadlocks); with a
//! `try_acquire` that does not heed QUEUED (it overtakes); with a `release` or a `close` that releases nothing,
//! and with a `serve` or an `exchange` that acquires nothing ("Causality violation"); with a `come` that does not
//! serve when it is late, or does not see that it was granted what it came for meanwhile (deadlocks).

use std::sync::Arc;
use std::task::{Poll, Waker};

use loom::cell::UnsafeCell;
use loom::thread;

use crate::explore::{block, explore};
use crate::sync::permits::{Closed, Permits, Refused};
use crate::sync::wait_queue::Key;

/// What is protected by the permits.
struct Place {
    permits: Permits,
    memory: UnsafeCell<u32>,
}

impl Place {
    fn new(count: usize) -> Arc<Self> {
        Arc::new(Place { permits: Permits::new(count), memory: UnsafeCell::new(0) })
    }

    /// Alone, with all permits.
    fn change(&self) {
        self.memory.with_mut(|memory| {
            // SAFETY: loom panics before this if the access is not exclusive.
            unsafe { *memory += 1 }
        });
    }

    fn changes(&self) -> u32 {
        self.memory.with(|memory| {
            // SAFETY: loom panics before this if somebody writes.
            unsafe { *memory }
        })
    }
}

struct Acquire<'a> {
    permits: &'a Permits,
    count: usize,
    key: Option<Key>,
}

impl<'a> Acquire<'a> {
    fn new(permits: &'a Permits, count: usize) -> Self {
        Acquire { permits, count, key: None }
    }

    fn poll(&mut self, waker: &Waker) -> Poll<Result<(), Closed>> {
        self.permits.poll(&mut self.key, self.count, waker)
    }

    /// Blocks until it has them.
    fn block(mut self) -> Result<(), Closed> {
        block(|waker| self.poll(waker))
    }
}

impl Drop for Acquire<'_> {
    fn drop(&mut self) {
        if let Some(key) = self.key.take() {
            self.permits.cancel(key, self.count);
        }
    }
}

fn change_alone(place: &Place, all: usize) {
    Acquire::new(&place.permits, all).block().unwrap();
    place.change();
    place.permits.release(all);
}

#[test]
fn three_that_change_something_are_alone_each_and_see_each_other() {
    explore(Some(2), || {
        let place = Place::new(1);
        let threads = [(); 2].map(|()| {
            let place = place.clone();
            thread::spawn(move || change_alone(&place, 1))
        });
        change_alone(&place, 1);
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        assert_eq!((place.changes(), place.permits.available()), (3, 1));
    });
}

/// As a writer, and two readers.
#[test]
fn one_that_needs_all_collects_them() {
    explore(Some(2), || {
        let place = Place::new(2);
        let readers = [(); 2].map(|()| {
            let place = place.clone();
            thread::spawn(move || {
                Acquire::new(&place.permits, 1).block().unwrap();
                place.changes();
                place.permits.release(1);
            })
        });
        change_alone(&place, 2);
        readers.into_iter().for_each(|thread| thread.join().unwrap());
        assert_eq!((place.changes(), place.permits.available()), (1, 2));
    });
}

/// One looks, may be granted it or not, and goes away; another one waits behind it.
#[test]
fn one_that_goes_away_passes_on_what_it_was_granted() {
    explore(Some(3), || {
        let place = Place::new(0);
        let mut first = Acquire::new(&place.permits, 1);
        let gives = {
            let place = place.clone();
            assert!(first.poll(Waker::noop()).is_pending());
            thread::spawn(move || place.permits.release(1))
        };
        let waits = {
            let place = place.clone();
            thread::spawn(move || change_alone(&place, 1))
        };
        drop(first);
        gives.join().unwrap();
        waits.join().unwrap();
        assert_eq!((place.changes(), place.permits.available()), (1, 1));
    });
}

/// One that waits for two keeps one behind it from the permit that there is, and goes away.
#[test]
fn one_that_goes_away_lets_those_behind_it_have_what_there_is() {
    explore(Some(3), || {
        let place = Place::new(1);
        let mut many = Acquire::new(&place.permits, 2);
        assert!(many.poll(Waker::noop()).is_pending());
        let waits = {
            let place = place.clone();
            thread::spawn(move || change_alone(&place, 1))
        };
        drop(many);
        waits.join().unwrap();
        assert_eq!((place.changes(), place.permits.available()), (1, 1));
    });
}

#[test]
fn who_tries_does_not_overtake_one_that_waits() {
    explore(Some(3), || {
        let place = Place::new(1);
        place.permits.try_acquire(1).unwrap();
        let mut waits = Acquire::new(&place.permits, 1);
        assert!(waits.poll(Waker::noop()).is_pending());
        let tries = {
            let place = place.clone();
            thread::spawn(move || place.permits.try_acquire(1))
        };
        place.permits.release(1);
        assert_eq!(tries.join().unwrap(), Err(Refused::Insufficient));
        assert_eq!(waits.poll(Waker::noop()), Poll::Ready(Ok(())));
    });
}

#[test]
fn permits_that_are_added_reach_one_that_waits() {
    explore(Some(3), || {
        let place = Place::new(0);
        let adds = {
            let place = place.clone();
            thread::spawn(move || {
                place.permits.release(1);
                place.permits.release(1);
            })
        };
        Acquire::new(&place.permits, 2).block().unwrap();
        adds.join().unwrap();
        assert_eq!(place.permits.available(), 0);
    });
}

#[test]
fn nobody_waits_for_ever_when_it_is_closed_and_who_learns_of_it_sees_what_came_before() {
    explore(Some(3), || {
        let place = Place::new(0);
        let closes = {
            let place = place.clone();
            thread::spawn(move || {
                place.change();
                place.permits.close();
            })
        };
        let waits = {
            let place = place.clone();
            thread::spawn(move || Acquire::new(&place.permits, 1).block())
        };
        assert_eq!(Acquire::new(&place.permits, 1).block(), Err(Closed));
        assert_eq!(place.changes(), 1);
        assert_eq!(waits.join().unwrap(), Err(Closed));
        closes.join().unwrap();
    });
}

/// It is called, or late and then granted what it waits for.
#[test]
fn one_that_is_overtaken_has_its_turn() {
    explore(Some(3), || {
        let place = Place::new(1);
        place.permits.try_acquire(1).unwrap();
        let mut waits = Acquire::new(&place.permits, 1);
        assert!(waits.poll(Waker::noop()).is_pending());
        let overtakes = {
            let place = place.clone();
            thread::spawn(move || change_alone(&place, 1))
        };
        place.permits.release(1);
        waits.block().unwrap();
        place.change();
        place.permits.release(1);
        overtakes.join().unwrap();
        assert_eq!((place.changes(), place.permits.available()), (2, 1));
        assert_eq!(place.permits.try_acquire(1), Ok(()), "nobody is in the queue");
    });
}

/// Two that want different numbers are called at the same time, and may both be late.
#[test]
fn those_that_are_late_together_have_their_turns() {
    explore(Some(2), || {
        let place = Place::new(0);
        let mut few = Acquire::new(&place.permits, 1);
        assert!(few.poll(Waker::noop()).is_pending());
        let mut many = Acquire::new(&place.permits, 2);
        assert!(many.poll(Waker::noop()).is_pending());
        let overtakes = {
            let place = place.clone();
            thread::spawn(move || {
                for _ in 0..2 {
                    Acquire::new(&place.permits, 2).block().unwrap();
                    place.change();
                    place.permits.release(2);
                }
            })
        };
        place.permits.release(3);
        few.block().unwrap();
        many.block().unwrap();
        place.changes();
        place.permits.release(3);
        overtakes.join().unwrap();
        assert_eq!((place.changes(), place.permits.available()), (2, 3));
        assert_eq!(place.permits.try_acquire(3), Ok(()), "nobody is in the queue");
    });
}

/// Two are called at the same time, and one of them goes away.
#[test]
fn one_that_is_called_and_goes_away_leaves_what_there_is_to_others() {
    explore(Some(3), || {
        let place = Place::new(0);
        let mut goes = Acquire::new(&place.permits, 1);
        assert!(goes.poll(Waker::noop()).is_pending());
        let mut stays = Acquire::new(&place.permits, 1);
        assert!(stays.poll(Waker::noop()).is_pending());
        let overtakes = {
            let place = place.clone();
            thread::spawn(move || {
                Acquire::new(&place.permits, 2).block().unwrap();
                place.change();
                place.permits.release(2);
            })
        };
        place.permits.release(2);
        drop(goes);
        stays.block().unwrap();
        place.changes();
        place.permits.release(1);
        overtakes.join().unwrap();
        assert_eq!((place.changes(), place.permits.available()), (1, 2));
        assert_eq!(place.permits.try_acquire(2), Ok(()), "nobody is in the queue");
    });
}

/// The one that grants it has seen one gift only, of its own.
#[test]
fn who_collects_permits_sees_what_came_before_each_of_them() {
    explore(Some(3), || {
        let place = Place::new(0);
        let mut collects = Acquire::new(&place.permits, 2);
        assert!(collects.poll(Waker::noop()).is_pending());
        let threads = [(); 2].map(|()| {
            let place = place.clone();
            thread::spawn(move || {
                place.changes();
                place.permits.release(1);
            })
        });
        collects.block().unwrap();
        place.change();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        assert_eq!(place.permits.available(), 0);
    });
}
