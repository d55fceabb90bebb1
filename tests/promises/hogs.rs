//! Goroutines that compute for long and yield in between, and how many turns of theirs somebody waits.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use gorun::{spawn, yield_now};

use crate::common::compute_for;

/// One at a time of the tests that look how long something takes.
pub(crate) fn alone() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    ONE.lock().unwrap_or_else(PoisonError::into_inner)
}

#[derive(Clone)]
pub(crate) struct Hogs {
    pub(crate) count: usize,
    /// When their polls have begun.
    polls: Arc<Mutex<Vec<Instant>>>,
}

impl Hogs {
    /// They are there until main ends.
    pub(crate) fn start(count: usize, step: Duration) -> Hogs {
        let hogs = Hogs { count, polls: Arc::default() };
        for _ in 0..count {
            let polls = hogs.polls.clone();
            spawn(async move {
                loop {
                    polls.lock().unwrap().push(Instant::now());
                    compute_for(step);
                    yield_now().await;
                }
            });
        }
        hogs
    }

    pub(crate) fn polls(&self) -> usize {
        self.polls.lock().unwrap().len()
    }

    /// How many polls of theirs have begun in between.
    fn polls_between(&self, from: Instant, to: Instant) -> usize {
        self.polls.lock().unwrap().iter().filter(|&&at| from < at && at < to).count()
    }

    /// How many polls of theirs have begun in each of these times, the fewest first.
    pub(crate) fn polls_in(&self, samples: &[(Instant, Instant)]) -> Vec<usize> {
        let mut polls: Vec<_> =
            samples.iter().map(|&(due, came)| self.polls_between(due, came)).collect();
        polls.sort();
        polls
    }

    /// In three of four samples no more than `allowed` polls may begin between what was due and what came. A
    /// fair turn is one poll of each.
    #[track_caller]
    pub(crate) fn check(&self, what: &str, samples: &[(Instant, Instant)], allowed: usize) {
        let turns = self.polls_in(samples);
        let mut late: Vec<_> = samples.iter().map(|&(due, came)| came - due).collect();
        late.sort();
        let most = samples.len() * 3 / 4;
        println!("{what}: {} polls, {:?} in three of four; {turns:?}", turns[most], late[most]);
        assert!(
            turns[most] <= allowed,
            "{what}: {} polls of {} others before it has its turn, {:?}: {turns:?}",
            turns[most],
            self.count,
            late[most],
        );
    }
}
