//! Children whose `Child` was dropped before anybody waited for them.
//!
//! On Unix somebody has to ask how they ended, or the system keeps a record of each. Whoever starts a
//! process, or drops another such `Child`, asks about a few, in turn: there may be many that live on.
//! Each orphan brings two turns, when it is started and when it is dropped. So those that have ended go
//! faster than they come.

#![forbid(unsafe_code)]

use std::sync::{Arc, Mutex};

use super::running::Running;
use crate::primitives::lock;

/// How many one turn asks about.
const FEW: usize = 8;

static ORPHANS: Mutex<InTurn<Arc<Running>>> = Mutex::new(InTurn { all: Vec::new(), next: 0 });

/// Asks about some of them, without waiting, and forgets those that have ended.
pub(super) fn reap() {
    // Only calls of the system run under the lock.
    lock(&ORPHANS).retain_few(|orphan| matches!(orphan.child().try_wait(), Ok(None)));
}

pub(super) fn adopt(orphan: Arc<Running>) {
    if cfg!(unix) {
        lock(&ORPHANS).all.push(orphan);
        reap();
    }
}

struct InTurn<T> {
    all: Vec<T>,
    /// The one to ask about next.
    next: usize,
}

impl<T> InTurn<T> {
    /// Asks about the next ones, and takes out those that do not stay.
    fn retain_few(&mut self, mut stays: impl FnMut(&T) -> bool) {
        for _ in 0..FEW.min(self.all.len()) {
            self.next %= self.all.len();
            if stays(&self.all[self.next]) {
                self.next += 1;
            } else {
                self.all.swap_remove(self.next);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turn_asks_about_few_and_nobody_is_passed_over() {
        for count in [0, 1, FEW - 1, FEW, FEW + 1, 1000] {
            let mut all = InTurn { all: (0..count).collect(), next: 0 };
            for round in 0..3 {
                let mut asked = vec![0; count];
                for _ in 0..count.div_ceil(FEW) {
                    let mut in_turn = 0;
                    all.retain_few(|&orphan| {
                        asked[orphan] += 1;
                        in_turn += 1;
                        true
                    });
                    assert!(in_turn <= FEW);
                }
                assert!(asked.iter().all(|&times| times >= 1), "{count}, {round}");
            }
            // Those that have ended go, and one that lives on stays.
            for _ in 0..count {
                all.retain_few(|&orphan| orphan == 7);
            }
            assert_eq!(all.all.len(), usize::from(count > 7));
        }
    }
}
