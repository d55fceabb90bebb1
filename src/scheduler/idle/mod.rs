//! Who is awake, who sleeps, who searches, whom to wake. (Who is there at all: `availability.rs`.)
//!
//! # The problem
//!
//! A push must not be lost: if work is pushed while a worker goes to sleep, either the pusher sees
//! the sleeper, or the sleeper sees the work. And a push must be cheap: waking a thread costs
//! microseconds, so a thousand pushes must not wake a thousand times, and a wake-up whose worker
//! finds nothing is worse than none.
//!
//! # Two kinds of work
//!
//! - **Shared**: the injector, and a ring that holds two tasks or more. It wakes a sleeper.
//! - **A single**: a worker's next slot, or the only task of its ring. It belongs to that worker,
//!   who is awake and about to run it, and wakes nobody. (A chain of tasks that each spawn the
//!   next would otherwise wake a second worker for every link, in vain.) The exception is a worker
//!   that keeps computing; for it there is the monitor, below.
//!
//! # Protocol
//!
//! Each worker is *running*, *searching* (awake, without work, looking into other queues) or
//! *sleeping*. One word holds the three counts, and whether the monitor is awake. All of it but the
//! number of searchers changes under the lock of the lists; the list of sleepers is the only place
//! where a sleeper can be found, and whoever removes a sleeper from it owes it exactly one signal.
//!
//! ```text
//!              begin_search (at most half of those awake)
//!    running ─────────────────────────────────────► searching
//!       ▲ ▲            found work: end_search           │
//!       │ └─────────────────────────────────────────────┤ found nothing: sleep
//!       │                                               ▼
//!       └── (search, as a woken worker) ◄────────── sleeping ◄── a runner that may not search
//! ```
//!
//! 1. A pusher publishes the work and reads the word. If somebody searches it is done. If somebody
//!    sleeps, it takes one sleeper off the list, counts it as a searcher on its behalf, and signals
//!    it. Until that searcher has found something, further pushes see it and wake nobody. If nobody
//!    sleeps, it wakes the monitor, unless that is awake.
//! 2. A worker going to sleep puts itself on the list and stops counting as a searcher, and looks at
//!    all queues once more, at the injector with its locks. If it sees shared work it takes itself
//!    off the list again (if a pusher was faster, the signal is on its way, and it takes that).
//! 3. The last searcher to find work looks once more, likewise, after it has stopped counting as
//!    one, and wakes a sleeper if shared work is left.
//!
//! # Why no push is lost
//!
//! Let a push to the injector be `P: lock, put, unlock; read word`. Whoever looks at the injector with
//! its locks after a change of the word either comes after P's unlock, and sees the work; or before
//! P's lock, which then hands P the change. If P read a sleeper and no searcher, somebody is woken:
//! done. If it read no sleeper, then every worker is awake, or announces its sleep in a change that P
//! did not see; so it sees the work in step 2. If it read a searcher S, then S stops counting as one
//! in a change that P did not see: by going to sleep (step 2: sees the work), or as one of several
//! to find work (then the last searcher does what follows), or as the last (step 3: sees the work,
//! and passes the duty on). Work that is seen is not lost to somebody who takes it instead.
//!
//! A push to one's own ring has no lock: its worker is awake, and takes the work itself if nobody
//! else does. What such a push can lose is a moment of parallelism, which the monitor restores.
//!
//! # The monitor
//!
//! One thread of its own (`monitor/mod.rs`). While it is *awake* it looks every now and then for work
//! that others neglect, and finds all there is, singles included. It goes to sleep when there is nothing
//! to see, and whoever pushes a single, or shared work that wakes nobody, wakes it. So an idle program
//! has no wake-ups, and a busy one pays for no more than a read of the word.
//!
//! Its going to sleep is like a worker's: it announces that, and looks again. For the injector the argument
//! above holds. A single is pushed without a lock, so its pusher may still read that the monitor is
//! awake. Therefore it sleeps with a limit as long as any worker is awake or written off. Without any,
//! the next worker that pushes a single has been through the lock since, and reads the truth.
//!
//! # Tiny goroutines
//!
//! Goroutines that run for less time than it takes to carry them to another core (`steal_meter.rs`) are
//! better left to whoever has them, even if cores idle. A worker that finds what it stole to have been
//! like that *backs off*, if others are awake and nobody else backs off: it goes to sleep without the
//! look of step 2, for a short time. While it backs off and others are awake, pushes wake nobody, and
//! duties are passed on to other sleepers than this one. When its time is up it is an ordinary sleeper,
//! and takes the look that it left out; if it finds something it is an ordinary searcher.
//!
//! So work that is pushed while somebody backs off is found by those that are awake, when they come to
//! the end of what they do (they cannot back off, and look in step 2), or, if they compute, by the worker
//! that backs off, when its time is up. The last worker that is awake never backs off; and a worker that
//! ends, or goes away, looks after that too (`Scheduler::pass_on_shared_work`).
//!
//! What it brings: `docs/benchmarks.md`.
//!
//! # Rejected
//!
//! - A sleeper's state in two places: async-executor 1.9.0 kept wakers in two lists, lost
//!   wake-ups, and was withdrawn. (A spare is on one of two lists, never on both.)
//! - Waking for every push (tokio's next slot tried it: a third slower at message passing, twice
//!   taken back); waking nobody for singles at all (strands them).
//! - A sleeping worker as the monitor, with a time limit, which this had at first: when all workers
//!   are stuck there is none, and each time it woke up another one had to begin anew.
//! - A fence between publishing and reading the word, instead of the injector's locks: 10 ns for each
//!   push from outside.
//! - A limit of half of *all* workers for searchers: with eight workers on two cores, four searchers
//!   kept main from running.
//! - Deciding by the pusher's own polls whether to wake somebody: what counts is how long the new
//!   goroutine will run, and the pusher may be in a single long poll that spawns them all.
//! - Counters of jobs and sleepers as in rayon: needed where tasks wait for tasks on the stack.

#![forbid(unsafe_code)]

pub(crate) mod availability;
pub(crate) mod monitor_wakeup;
pub(crate) mod parker;

use std::time::Duration;

use crate::sync::{AtomicU64, Mutex, Ordering, lock};
use parker::{Parker, Signal};

/// How long a worker backs off. In practice it is half as long again, the system's slack for timers.
const BACKOFF: Duration = Duration::from_micros(100);

/// The word: three 16-bit fields and two bits.
const SEARCHING: u64 = 1;
const AWAKE: u64 = 1 << 16;
const SLEEPING: u64 = 1 << 32;
const MONITOR_AWAKE: u64 = 1 << 48;
const BACKING_OFF: u64 = 1 << 49;

#[inline]
fn field(word: u64, unit: u64) -> usize {
    (word / unit) as usize & 0xFFFF
}

pub(crate) struct Idle {
    word: AtomicU64,
    lists: Mutex<Lists>,
    /// The monitor's.
    monitor: Parker,
    /// The monitor is to be awake whenever a worker is.
    keeps_monitor_awake: bool,
}

/// What only changes under the lock. The word mirrors the first four, for a look without it.
struct Lists {
    awake: usize,
    /// The sleeper that comes first backs off.
    is_backing_off: bool,
    /// The monitor is awake.
    is_monitor_awake: bool,
    /// Who fell asleep last is woken first.
    sleepers: Vec<usize>,
    /// Who came last is needed first.
    spares: Vec<usize>,
    /// The least number of spares since the last call of `spares_to_leave`.
    unneeded: usize,
    /// Workers that have said that they block.
    blocked: usize,
    /// Those that the monitor has found to be stuck.
    written_off: usize,
    /// How many workers may be available.
    allowed: usize,
    /// The runtime is closing: nobody is one too many.
    keeps_all: bool,
    /// The monitor sleeps without a limit.
    monitor_sleeps_without_limit: bool,
}

/// What a worker that goes to sleep wants to know.
pub(crate) trait Queues {
    /// Whether shared work waits anywhere.
    fn has_shared_work(&self) -> bool;
    /// Where a worker sleeps.
    fn parker(&self, worker: usize) -> &Parker;
}

/// What a worker that announces its sleep becomes.
enum Sleeper {
    Ordinary,
    BackingOff,
    Spare,
}

/// What a worker finds that takes its announcement back.
enum CancelSleep {
    Awake,
    /// Somebody was faster: the signal is on its way.
    SignalComes,
    /// It has become a spare.
    IsSpare,
}

impl Idle {
    /// As many workers as `allowed` are to be available.
    pub(crate) fn new(allowed: usize, keeps_monitor_awake: bool) -> Self {
        Idle {
            word: AtomicU64::new(0),
            lists: Mutex::new(Lists {
                awake: 0,
                is_backing_off: false,
                is_monitor_awake: false,
                sleepers: Vec::new(),
                spares: Vec::new(),
                unneeded: 0,
                blocked: 0,
                written_off: 0,
                allowed,
                keeps_all: false,
                monitor_sleeps_without_limit: true,
            }),
            monitor: Parker::new(),
            keeps_monitor_awake,
        }
    }

    /// Wakes somebody, if needed, after work was pushed.
    #[inline]
    pub(crate) fn notify<'a>(&self, parker: impl Fn(usize) -> &'a Parker) {
        let word = self.word.load(Ordering::Relaxed);
        if !Idle::is_looked_after(word) {
            let is_left_to_others = word & BACKING_OFF != 0 && field(word, AWAKE) > 0;
            self.wake(word, if is_left_to_others { usize::MAX } else { 0 }, parker);
        }
    }

    /// Wakes somebody for what a searcher has left, also while one backs off, whom it leaves alone.
    pub(crate) fn pass_on<'a>(&self, parker: impl Fn(usize) -> &'a Parker) {
        let word = self.word.load(Ordering::Relaxed);
        if !Idle::is_looked_after(word) {
            let is_one_left_alone = word & BACKING_OFF != 0 && field(word, AWAKE) > 0;
            self.wake(word, usize::from(is_one_left_alone), parker);
        }
    }

    /// Somebody searches, or nobody sleeps and the monitor is awake.
    #[inline]
    fn is_looked_after(word: u64) -> bool {
        field(word, SEARCHING) > 0 || word / SLEEPING == MONITOR_AWAKE / SLEEPING
    }

    /// Wakes a sleeper if there are more than are left alone, and the monitor if there are none.
    #[cold]
    fn wake<'a>(&self, word: u64, left_alone: usize, parker: impl Fn(usize) -> &'a Parker) {
        match field(word, SLEEPING) {
            0 => self.ensure_monitor_awake_by(word),
            sleeping if sleeping > left_alone => self.wake_one(parker),
            _ => {}
        }
    }

    /// Wakes a sleeper, unless somebody searches.
    #[cold]
    pub(crate) fn wake_one<'a>(&self, parker: impl Fn(usize) -> &'a Parker) {
        let mut lists = lock(&self.lists);
        if field(self.word.load(Ordering::SeqCst), SEARCHING) > 0 {
            return;
        }
        let Some(worker) = lists.sleepers.pop() else {
            return self.wake_monitor_locked(&mut lists);
        };
        self.wakes_up(&mut lists);
        drop(lists);
        parker(worker).send(Signal::Search);
    }

    /// Wakes all, at exit.
    pub(crate) fn notify_all<'a>(&self, parker: impl Fn(usize) -> &'a Parker) {
        let mut lists = lock(&self.lists);
        while self.promote_spare(&mut lists) {}
        while let Some(worker) = lists.sleepers.pop() {
            self.wakes_up(&mut lists);
            parker(worker).send(Signal::Search);
        }
        self.monitor.send(Signal::Wake);
    }

    /// Whether others than the calling worker are awake.
    pub(crate) fn others_are_awake(&self) -> bool {
        field(self.word.load(Ordering::Relaxed), AWAKE) > 1
    }

    /// Whether somebody is free for what waits: asleep, or searching.
    pub(crate) fn somebody_is_idle(&self) -> bool {
        let word = self.word.load(Ordering::Relaxed);
        field(word, SLEEPING) > 0 || field(word, SEARCHING) > 0
    }

    /// A running worker without work asks whether it may search.
    pub(crate) fn begin_search(&self) -> bool {
        let word = self.word.load(Ordering::Relaxed);
        if 2 * field(word, SEARCHING) >= field(word, AWAKE) {
            return false;
        }
        // Two may pass the limit together: it bounds waste, and nothing depends on it.
        self.word.fetch_add(SEARCHING, Ordering::SeqCst);
        true
    }

    /// A searcher has found work. Says whether it was the last one, who must look again, with the
    /// injector's locks, and pass the duty on.
    #[must_use]
    pub(crate) fn end_search(&self) -> bool {
        let before = self.word.fetch_sub(SEARCHING, Ordering::SeqCst);
        field(before, SEARCHING) == 1
    }

    /// Sleeps until there is something to do; `backing_off`, which searchers do not, leaves it for a while
    /// to others, if they are awake. The caller's own queue is empty. Returns as a searcher, or, with
    /// `false`, to leave for good.
    pub(crate) fn sleep(
        &self,
        me: usize,
        searching: bool,
        backing_off: bool,
        queues: &impl Queues,
    ) -> bool {
        let parker = queues.parker(me);
        let mut signal = None;
        if let Sleeper::BackingOff = self.announce_sleep(me, parker, searching, backing_off) {
            signal = parker.receive(Some(BACKOFF));
            if signal.is_none() {
                self.backoff_is_over(me);
            }
        }
        if signal.is_none() && queues.has_shared_work() {
            match self.cancel_sleep(me) {
                CancelSleep::Awake => return true,
                CancelSleep::SignalComes => {}
                CancelSleep::IsSpare => self.pass_on(|worker| queues.parker(worker)),
            }
        }
        let signal = signal.or_else(|| parker.receive(None));
        signal == Some(Signal::Search)
    }

    fn announce_sleep(
        &self,
        me: usize,
        parker: &Parker,
        searching: bool,
        backing_off: bool,
    ) -> Sleeper {
        let mut lists = lock(&self.lists);
        self.count_in(&mut lists, parker);
        let backs_off = backing_off && !lists.is_backing_off && lists.awake > 1;
        let (sleeper, gained) = if lists.are_too_many_available() {
            self.add_spare(&mut lists, me);
            (Sleeper::Spare, 0)
        } else if backs_off {
            lists.sleepers.insert(0, me);
            lists.is_backing_off = true;
            (Sleeper::BackingOff, SLEEPING + BACKING_OFF)
        } else {
            lists.sleepers.push(me);
            (Sleeper::Ordinary, SLEEPING)
        };
        lists.awake -= 1;
        let lost = AWAKE + u64::from(searching) * SEARCHING;
        self.word.fetch_add(gained.wrapping_sub(lost), Ordering::SeqCst);
        sleeper
    }

    /// A sleeper takes itself off the list, unless somebody else already did.
    fn cancel_sleep(&self, me: usize) -> CancelSleep {
        let mut lists = lock(&self.lists);
        if lists.spares.contains(&me) {
            return CancelSleep::IsSpare;
        }
        let Some(place) = lists.sleepers.iter().position(|&worker| worker == me) else {
            return CancelSleep::SignalComes;
        };
        lists.sleepers.remove(place);
        self.wakes_up(&mut lists);
        CancelSleep::Awake
    }

    fn backoff_is_over(&self, me: usize) {
        let mut lists = lock(&self.lists);
        if lists.is_backing_off && lists.sleepers.first() == Some(&me) {
            self.end_backoff(&mut lists);
        }
    }

    // Under the lock.

    /// A sleeper has been taken off the list and is a searcher now.
    fn wakes_up(&self, lists: &mut Lists) {
        lists.awake += 1;
        let change = (AWAKE + SEARCHING).wrapping_sub(SLEEPING);
        self.word.fetch_add(change, Ordering::SeqCst);
        self.settle_backoff(lists);
        if self.keeps_monitor_awake {
            self.wake_monitor_locked(lists);
        }
    }

    /// If the one that backed off has been taken off the list, nobody backs off.
    fn settle_backoff(&self, lists: &mut Lists) {
        if lists.is_backing_off && lists.sleepers.is_empty() {
            self.end_backoff(lists);
        }
    }

    fn end_backoff(&self, lists: &mut Lists) {
        lists.is_backing_off = false;
        self.word.fetch_sub(BACKING_OFF, Ordering::SeqCst);
    }
}
