//! How many operations may still begin in the poll that runs on a thread (`gate.rs`).
//!
//! # Stages
//!
//! A poll ought to last for some ten microseconds at most, so that others run soon. A send or a receive that is
//! ready takes ten nanoseconds, and one at a socket a thousand; and the program computes in between. So the
//! budget has three stages, and asks the clock twice:
//!
//! | operations | at the end |
//! |---|---|
//! | 128 | notes the time |
//! | 128 | gives way, unless these took less than `QUICK` |
//! | 768 | gives way |
//!
//! Why so many for those that are quick: a sender that fills a buffer waits for the receiver, but one that gives
//! way before the buffer is full stands in the run queue, as the receiver does. Then another worker takes one of the two, and
//! each value changes cores. With a buffer of 1,000 that takes two and a half times as long.
//!
//! Rejected: one number for all, 1,024, by which a goroutine that computes for a microsecond for each value would
//! keep others waiting for a millisecond. Weights for the kinds of operations: what the program computes
//! in between has none.

#![forbid(unsafe_code)]

use std::cell::Cell;
use std::time::{Duration, Instant};

use crate::clock;
use crate::primitives::{AtomicU32, Ordering};

/// Operations that a poll may begin at least, and at most.
pub(crate) const SLOW: u32 = FIRST + SECOND;
pub(crate) const FULL: u32 = SLOW + THIRD;

const FIRST: u32 = 128;
const SECOND: u32 = 128;
const THIRD: u32 = 768;

/// For the operations of the second stage.
const QUICK: Duration = Duration::from_micros(8);

/// What is left: operations of this stage in the lower bits, and above them how many stages may follow.
const STAGE: u32 = 1 << 16;
const FULL_LEFT: u32 = 2 * STAGE + FIRST;

thread_local! {
    /// When the second stage began of the poll that runs on this thread.
    static SECOND_BEGAN: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// Its own thread spends it. Others only exhaust it. That may be lost if the thread spends at the
/// same moment, which does no harm: they try again.
pub(crate) struct Budget {
    left: AtomicU32,
}

/// All that is left of a budget.
#[derive(Clone, Copy)]
pub(crate) struct Left(u32);

impl Budget {
    pub(crate) fn new() -> Self {
        Budget { left: AtomicU32::new(FULL_LEFT) }
    }

    /// Returns whether there was something to spend in this stage.
    #[inline]
    pub(crate) fn spend(&self) -> bool {
        let left = self.left.load(Ordering::Relaxed);
        if left % STAGE == 0 {
            return false;
        }
        self.left.store(left - 1, Ordering::Relaxed);
        true
    }

    #[inline]
    pub(crate) fn refill(&self) {
        self.left.store(FULL_LEFT, Ordering::Relaxed);
    }

    /// So many operations are left, and no further stage.
    pub(crate) fn set(&self, operations: u32) {
        self.left.store(operations, Ordering::Relaxed);
    }

    /// How many operations are left in this stage.
    #[inline]
    pub(crate) fn left(&self) -> u32 {
        self.left.load(Ordering::Relaxed) % STAGE
    }

    pub(crate) fn save(&self) -> Left {
        Left(self.left.load(Ordering::Relaxed))
    }

    pub(crate) fn restore(&self, left: Left) {
        self.left.store(left.0, Ordering::Relaxed);
    }

    /// A stage is spent: begins the next one with an operation, if there is one, and the last one was quick.
    pub(crate) fn begin_stage(&self) -> bool {
        let next = match self.left.load(Ordering::Relaxed) / STAGE {
            2 => {
                SECOND_BEGAN.set(Some(clock::now()));
                STAGE + SECOND
            }
            1 if is_quick() => THIRD,
            _ => return false,
        };
        self.left.store(next - 1, Ordering::Relaxed);
        true
    }

    /// Other threads call this: the next operation gives way.
    pub(crate) fn exhaust(&self) {
        self.left.store(0, Ordering::Relaxed);
    }
}

fn is_quick() -> bool {
    SECOND_BEGAN.get().is_some_and(|began| clock::now().saturating_duration_since(began) < QUICK)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many operations begin, of which each takes this long, before one gives way. `before` each it does this.
    fn begun(each: Duration, before: impl Fn(u32, &Budget)) -> u32 {
        let budget = Budget::new();
        let mut now = Instant::now();
        let former = clock::simulate(Some(now));
        let mut begun = 0;
        loop {
            before(begun, &budget);
            if !budget.spend() && !budget.begin_stage() {
                break;
            }
            begun += 1;
            now += each;
            clock::simulate(Some(now));
        }
        clock::simulate(former);
        begun
    }

    #[test]
    fn a_poll_of_quick_operations_gives_way_early() {
        assert_eq!(begun(Duration::from_nanos(20), |_, _| {}), FULL);
        assert_eq!(begun(QUICK / SECOND, |_, _| {}), FULL);
    }

    #[test]
    fn a_poll_of_slow_operations_goes_on() {
        assert_eq!(begun(QUICK / SECOND + Duration::from_nanos(1), |_, _| {}), SLOW);
        assert_eq!(begun(Duration::from_micros(1), |_, _| {}), SLOW);
    }

    /// However many stages could follow.
    #[test]
    fn an_exhausted_budget_goes_on() {
        for at in [0, 1, FIRST - 1, FIRST, FIRST + 1, SLOW - 1, SLOW, SLOW + 1, FULL - 1] {
            let exhaust = |begun, budget: &Budget| {
                if begun == at {
                    budget.exhaust();
                }
            };
            assert_eq!(begun(Duration::ZERO, exhaust), at);
        }
    }

    #[test]
    fn a_budget_that_was_set_has_another_stage() {
        for operations in [0, 1, FIRST, FULL] {
            let set = |begun, budget: &Budget| {
                if begun == 0 {
                    budget.set(operations);
                }
            };
            assert_eq!(begun(Duration::ZERO, set), operations);
        }
    }

    #[test]
    fn what_was_saved_is_not_what_is_restored() {
        for at in [0, 1, FIRST, SLOW - 1, SLOW, FULL - 1] {
            let probe = |begun, budget: &Budget| {
                if begun == at {
                    let left = budget.save();
                    while budget.spend() || budget.begin_stage() {}
                    budget.restore(left);
                }
            };
            assert_eq!(begun(Duration::ZERO, probe), FULL);
        }
    }
}
