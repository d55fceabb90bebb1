//! The wheel beside an ordered map, which fires the same timers.

#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::task::Wake;

use super::*;

/// Tells timers apart.
struct Numbered;

impl Wake for Numbered {
    fn wake(self: Arc<Self>) {}
}

/// A wheel and a map with the same timers.
struct Both {
    wheel: Wheel,
    /// By deadline and number: where it is, and its waker.
    map: BTreeMap<(u64, u64), (Index, Waker)>,
    fired: Vec<Index>,
    added: u64,
    now: u64,
    seed: u64,
}

impl Both {
    fn new(seed: u64) -> Self {
        let (map, fired) = (BTreeMap::new(), Vec::new());
        Both { wheel: Wheel::new(), map, fired, added: 0, now: 0, seed }
    }

    fn below(&mut self, bound: u64) -> u64 {
        let mut draw = || {
            self.seed = self.seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            self.seed >> 32
        };
        (draw() << 32 | draw()) % bound
    }

    fn add(&mut self, deadline: u64) {
        let waker = Waker::from(Arc::new(Numbered));
        let index = self.wheel.insert(deadline, waker.clone());
        self.added += 1;
        // One that is late when it is added is due then.
        let old = self.map.insert((deadline.max(self.wheel.base), self.added), (index, waker));
        assert!(old.is_none());
    }

    fn remove_any(&mut self) {
        let chosen = self.below(self.map.len().max(1) as u64) as usize;
        let Some((&key, _)) = self.map.iter().nth(chosen) else { return };
        let (index, waker) = self.map.remove(&key).unwrap();
        assert!(self.wheel.remove(index).unwrap().will_wake(&waker));
    }

    /// All that is due by `now` fires, in order.
    fn run_to(&mut self, now: u64) {
        // Another thread may have read the clock earlier.
        let before = self.now.saturating_sub(self.below(1000));
        if let Next::Due(index) = self.wheel.find_due(before) {
            let ((deadline, _), (first, _)) = self.map.first_key_value().unwrap();
            assert!(*deadline <= before && index == *first);
        }
        self.now = now;
        loop {
            match self.wheel.next(now) {
                Next::Moved => {}
                Next::Due(waker) => {
                    let ((deadline, _), (index, expected)) = self.map.pop_first().unwrap();
                    assert!(deadline <= now && waker.will_wake(&expected), "another one");
                    self.fired.push(index);
                }
                Next::Nobody => break,
            }
        }
        let first = self.map.first_key_value().map_or(NEVER, |((deadline, _), _)| *deadline);
        assert!(first > now || first == NEVER, "one is left that was due");
        self.check(first);
    }

    fn check(&mut self, first: u64) {
        assert!(self.wheel.earliest() <= first);
        assert_eq!(self.wheel.exact_earliest(), first);
        assert_eq!(self.wheel.len(), self.map.len());
        // Owners remove theirs later.
        while self.fired.len() > 20 {
            let index = self.fired.swap_remove(0);
            assert!(self.wheel.get(index).is_none() && self.wheel.remove(index).is_none());
        }
    }
}

const HOUR: u64 = 3600 * 1_000_000_000;

#[test]
fn a_timer_fires_out_of_order_or_never() {
    for seed in 0..300 {
        let mut both = Both::new(seed);
        // Close to each other, or over years.
        let width = 1 << (2 + both.below(60));
        for _ in 0..500 {
            match both.below(10) {
                0..5 => {
                    let deadline = both.now.saturating_add(both.below(width));
                    // Some are late.
                    let late = if both.below(8) == 0 { both.below(width) } else { 0 };
                    both.add(deadline.saturating_sub(late));
                }
                5 => {
                    // Many at once, some of them equal.
                    let (deadline, spread) =
                        (both.now.saturating_add(both.below(width)), 1 + both.below(40));
                    for _ in 0..50 {
                        let more = both.below(spread);
                        both.add(deadline.saturating_add(more));
                    }
                }
                6..8 => both.remove_any(),
                _ => {
                    let now = both.now.saturating_add(both.below(width / 2)).min(NEVER - 1);
                    both.run_to(now);
                }
            }
        }
        both.run_to(NEVER - 1);
    }
}

#[test]
fn timers_with_one_deadline_move_more_than_once() {
    let mut both = Both::new(3);
    for _ in 0..10_000 {
        both.add(HOUR + 12_345);
    }
    let mut moves = 0;
    while let Next::Moved = both.wheel.find_due(HOUR + 12_345) {
        moves += 1;
    }
    assert!(moves <= 10_000 / MOVED + 1, "{moves}");
}

#[test]
fn timers_with_one_deadline_are_looked_through_each_time() {
    let mut both = Both::new(1);
    for _ in 0..100_000 {
        both.add(HOUR);
    }
    both.run_to(HOUR);
    assert!(both.map.is_empty());
}

#[test]
fn a_timer_that_is_added_while_others_move_overtakes_them() {
    let mut both = Both::new(2);
    for n in 0..1000 {
        both.add(HOUR + n);
    }
    // Some have moved.
    assert!(matches!(both.wheel.next(HOUR + 500), Next::Moved));
    assert!(both.wheel.moving.is_some());
    for n in 0..1000 {
        both.add(HOUR + n);
        both.remove_any();
    }
    both.run_to(HOUR + 700);
    both.run_to(2 * HOUR);
    assert!(both.map.is_empty());
}

#[test]
fn a_place_is_used_again_before_its_owner_lets_it_go() {
    let mut wheel = Wheel::new();
    let first = wheel.insert(1, Waker::noop().clone());
    assert!(matches!(wheel.next(1), Next::Due(_)));
    let second = wheel.insert(2, Waker::noop().clone());
    assert_ne!(first, second);
    assert!(wheel.remove(first).is_none());
    assert!(wheel.get(second).is_some());
    assert_eq!(wheel.insert(3, Waker::noop().clone()), first);
}

#[test]
fn memory_of_many_timers_is_kept_when_they_are_gone() {
    let mut wheel = Wheel::new();
    let all: Vec<_> = (0..10_000).map(|n| wheel.insert(n, Waker::noop().clone())).collect();
    all.into_iter().for_each(|index| drop(wheel.remove(index)));
    assert!(wheel.places().have_unused());
    assert!(wheel.places().take_unused().len() > 100 && wheel.earliest() == NEVER);
    let index = wheel.insert(5, Waker::noop().clone());
    assert!(wheel.remove(index).is_some());
}
