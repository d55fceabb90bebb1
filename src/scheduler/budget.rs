//! How many operations may still begin in the poll that runs on a thread (`gate.rs`).
//!
//! # Stages
//!
//! Others wait while a poll lasts, so it ought to end soon. A send or a receive that is ready takes ten
//! nanoseconds, and one at a socket a thousand, and the program computes in between. So the budget comes in
//! stages of 128 operations. After the first one the poll notes the time. After the second one, and after
//! each further one, it gives way unless that stage took less than `QUICK`. After the eighth it gives way in
//! any case. So it may begin 256 operations, and up to 1,024 if it gets on quickly.
//!
//! Why so many: a sender that fills a buffer waits for the receiver. One that gives way before the buffer is
//! full stands in the run queue, as the receiver does. Then another worker takes one of the two, and each
//! value changes cores. With a buffer of 1,000 that takes up to two and a half times as long.
//!
//! Rejected: one number for all, 1,024, by which a goroutine that computes for a microsecond for each value
//! would keep others waiting for a millisecond. Weights for the kinds of operations: what the program
//! computes in between has none.

#![forbid(unsafe_code)]

use std::cell::Cell;
use std::time::{Duration, Instant};

use crate::clock;
use crate::primitives::{AtomicU32, Ordering};

/// Operations that a poll may begin if they are slow, and if they are quick.
pub(crate) const SLOW: u32 = 2 * STAGE;
pub(crate) const FULL: u32 = STAGES * STAGE;

/// The operations of a stage, and how many stages there are.
const STAGE: u32 = 128;
const STAGES: u32 = 8;

/// A stage that takes less is quick.
const QUICK: Duration = Duration::from_micros(8);

/// In the word: one more stage may follow.
const ONE_MORE: u32 = 1 << 16;
const FULL_WORD: u32 = (STAGES - 1) * ONE_MORE + STAGE;

thread_local! {
    /// When the present stage of this thread's poll began, if that is known. The first stage does not read it.
    static BEGAN: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// Its own thread spends it. Others only exhaust it. That may be lost if the thread spends at the
/// same moment, which does no harm: they try again.
pub(crate) struct Budget {
    /// How many operations are left in this stage, and above them how many stages may follow.
    word: AtomicU32,
}

/// All that is left of a budget.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Left(u32);

impl Budget {
    pub(crate) fn new() -> Self {
        Budget { word: AtomicU32::new(FULL_WORD) }
    }

    /// Returns whether there was something to spend in this stage.
    #[inline]
    pub(crate) fn spend(&self) -> bool {
        let word = self.word.load(Ordering::Relaxed);
        if word.is_multiple_of(ONE_MORE) {
            return false;
        }
        self.word.store(word - 1, Ordering::Relaxed);
        true
    }

    #[inline]
    pub(crate) fn refill(&self) {
        self.word.store(FULL_WORD, Ordering::Relaxed);
    }

    /// So many operations are left, and no further stage.
    pub(crate) fn set(&self, operations: u32) {
        self.word.store(operations, Ordering::Relaxed);
    }

    /// How many operations are left in this stage.
    #[inline]
    pub(crate) fn left(&self) -> u32 {
        self.word.load(Ordering::Relaxed) % ONE_MORE
    }

    #[inline]
    pub(crate) fn save(&self) -> Left {
        Left(self.word.load(Ordering::Relaxed))
    }

    pub(crate) fn restore(&self, left: Left) {
        self.word.store(left.0, Ordering::Relaxed);
    }

    /// As `restore`, after one operation in which the thread drove another future, with a budget of its own:
    /// this stage is not quick, unless it is the first.
    pub(crate) fn restore_after_drive(&self, left: Left) {
        BEGAN.set(None);
        self.restore(left);
        self.spend();
    }

    /// This stage is spent: begins the next one, if the poll may go on.
    pub(crate) fn begin_stage(&self) -> bool {
        let Some(more) = (self.word.load(Ordering::Relaxed) / ONE_MORE).checked_sub(1) else {
            return false;
        };
        let now = clock::now();
        let began = BEGAN.replace(Some(now));
        let is_first = more == STAGES - 2;
        let is_quick = |began| now.saturating_duration_since(began) < QUICK;
        if !is_first && !began.is_some_and(is_quick) {
            return false;
        }
        self.word.store(more * ONE_MORE + STAGE, Ordering::Relaxed);
        true
    }

    /// Other threads call this: the next operation gives way.
    pub(crate) fn exhaust(&self) {
        self.word.store(0, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many operations begin, of which each takes this long, before one gives way. `before` each it does this.
    fn begun(each: Duration, before: impl Fn(u32, &Budget)) -> u32 {
        begun_by(|_| each, before)
    }

    /// The same, with a time for each.
    fn begun_by(each: impl Fn(u32) -> Duration, before: impl Fn(u32, &Budget)) -> u32 {
        let budget = Budget::new();
        let mut now = Instant::now();
        let former = clock::simulate(Some(now));
        let mut begun = 0;
        loop {
            before(begun, &budget);
            if !(budget.spend() || budget.begin_stage() && budget.spend()) {
                break;
            }
            now += each(begun);
            begun += 1;
            clock::simulate(Some(now));
        }
        clock::simulate(former);
        begun
    }

    #[test]
    fn a_poll_of_quick_operations_gives_way_early() {
        assert_eq!(begun(Duration::from_nanos(20), |_, _| {}), FULL);
        assert_eq!(begun(QUICK / STAGE - Duration::from_nanos(1), |_, _| {}), FULL);
    }

    #[test]
    fn a_poll_of_slow_operations_goes_on() {
        assert_eq!(begun(QUICK / STAGE + Duration::from_nanos(1), |_, _| {}), SLOW);
        assert_eq!(begun(Duration::from_micros(1), |_, _| {}), SLOW);
    }

    #[test]
    fn a_poll_that_becomes_slow_goes_on_to_the_end() {
        for slow_from in [SLOW, SLOW + 1, SLOW + STAGE, FULL - STAGE - 1] {
            let each = |begun| match begun < slow_from {
                true => Duration::ZERO,
                false => QUICK / STAGE + Duration::from_nanos(1),
            };
            let begun = begun_by(each, |_, _| {});
            assert!((slow_from..slow_from + 2 * STAGE).contains(&begun), "{slow_from}: {begun}");
        }
    }

    #[test]
    fn a_poll_that_has_driven_another_future_is_quick_or_is_cut_short() {
        let cut_short = [(STAGE + 1, SLOW), (SLOW, SLOW), (SLOW + 1, SLOW + STAGE)];
        for (at, expected) in
            [(0, FULL), (STAGE - 1, FULL), (STAGE, FULL)].into_iter().chain(cut_short)
        {
            let drive = |begun, budget: &Budget| {
                if begun == at {
                    let left = budget.save();
                    budget.refill();
                    while budget.spend() || budget.begin_stage() {}
                    budget.restore_after_drive(left);
                }
            };
            // What was driven was one operation.
            let begun = begun(Duration::ZERO, drive);
            assert!([expected, expected - 1].contains(&begun), "{at}: {begun}");
        }
    }

    /// However many stages could follow.
    #[test]
    fn an_exhausted_budget_goes_on() {
        for at in [0, 1, STAGE - 1, STAGE, STAGE + 1, SLOW - 1, SLOW, SLOW + 1, FULL - 1] {
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
        for operations in [0, 1, STAGE, FULL] {
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
        for at in [0, 1, STAGE, SLOW - 1, SLOW, FULL - 1] {
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
