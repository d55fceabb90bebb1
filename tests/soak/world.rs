//! What the goroutines of a round share, be they in one runtime or in two.

use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use gorun::{AbortHandle, Receiver, Sender, WaitGroup, channel};

use super::options::Plant;
use super::random::Random;
use super::record::{Home, Plan, Record, Table};
use super::value::{Fates, Value};

/// A channel that lasts as long as the round, with somebody who sends and somebody who receives until
/// it is closed.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) number: u32,
    pub(crate) tx: Sender<Value>,
    pub(crate) rx: Receiver<Value>,
}

const CAPACITIES: [usize; 5] = [0, 1, 2, 64, 1000];

pub(crate) struct World {
    pub(crate) lines: Vec<Line>,
    pub(crate) fates: Arc<Fates>,
    pub(crate) table: Arc<Table>,
    pub(crate) homes: [OnceLock<Arc<Home>>; 2],
    /// Counts main functions, threads, and goroutines that end by themselves.
    pub(crate) actives: WaitGroup,
    pub(crate) residents: WaitGroup,
    /// Main functions wait until all others have come to their end.
    pub(crate) is_clean: bool,
    /// Goroutines may panic, and nobody need observe it.
    pub(crate) has_panics: bool,
    pub(crate) lock: Mutex<u64>,
    /// Whom anybody may abort.
    pub(crate) victims: Mutex<Vec<(AbortHandle, Arc<Record>)>>,
    pub(crate) timers: AtomicU64,
    /// How many bytes connections have carried.
    pub(crate) carried: AtomicU64,
    pub(crate) plant: Option<Plant>,
}

impl World {
    pub(crate) fn new(
        random: &mut Random,
        is_clean: bool,
        has_panics: bool,
        plant: Option<Plant>,
    ) -> Self {
        let line = |(number, &capacity): (usize, &usize)| {
            let (tx, rx) = channel(capacity);
            Line { number: number as u32, tx, rx }
        };
        // Few channels meet more often.
        let count = 1 + random.index(CAPACITIES.len());
        let first = random.index(CAPACITIES.len());
        let capacities = CAPACITIES.iter().cycle().skip(first).take(count);
        World {
            lines: capacities.enumerate().map(line).collect(),
            fates: Fates::new(),
            table: Arc::default(),
            homes: [const { OnceLock::new() }; 2],
            actives: WaitGroup::new(),
            residents: WaitGroup::new(),
            is_clean,
            has_panics,
            lock: Mutex::new(0),
            victims: Mutex::default(),
            timers: AtomicU64::new(0),
            carried: AtomicU64::new(0),
            plant,
        }
    }

    pub(crate) fn plan(&self, random: &mut Random) -> Plan {
        match random.below(24) {
            0 | 1 if self.has_panics => Plan::PanicInPoll,
            2 if self.has_panics => Plan::PanicInDrop,
            _ => Plan::Finish,
        }
    }

    pub(crate) fn line(&self, random: &mut Random) -> &Line {
        random.pick(&self.lines)
    }

    pub(crate) fn expose(&self, victim: AbortHandle, record: &Arc<Record>) {
        let mut victims = self.victims.lock().unwrap_or_else(PoisonError::into_inner);
        victims.push((victim, record.clone()));
    }

    /// Whom it meets depends on who is there, and so on the schedule.
    pub(crate) fn abort_somebody(&self, random: &mut Random) {
        let mut victims = self.victims.lock().unwrap_or_else(PoisonError::into_inner);
        if !victims.is_empty() {
            let index = random.index(victims.len());
            let (victim, record) = victims.swap_remove(index);
            drop(victims);
            record.will_be_aborted();
            victim.abort();
        }
    }

    pub(crate) fn set_timer(&self) {
        self.timers.fetch_add(1, SeqCst);
    }

    pub(crate) fn close(&self, random: &mut Random) {
        for line in &self.lines {
            match random.one_in(2) {
                true => line.tx.close(),
                false => line.rx.close(),
            }
        }
    }

    pub(crate) fn is_planted(&self, plant: Plant) -> bool {
        self.plant == Some(plant)
    }
}
