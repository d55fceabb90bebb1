//! Which workers are awake, asleep or searching, and which one to wake. `availability.rs` says
//! which ones are available at all.
//!
//! # The problem
//!
//! No push may be lost: if a thread pushes work while a worker goes to sleep, either the pusher
//! sees the sleeper, or the sleeper sees the work. A push must also be cheap. Waking a thread costs
//! microseconds, so a thousand pushes must not wake a thousand times, and waking a worker that
//! finds nothing is worse than waking none.
//!
//! # Two kinds of work
//!
//! - **Shared**: the injector, and a ring that holds two tasks or more. It wakes a sleeper.
//! - **A single**: a worker's next slot, or the only task of its ring. It belongs to that worker,
//!   which is awake and about to run it, so it wakes no sleeper. Otherwise each link in a chain of
//!   tasks that spawn the next would wake a second worker in vain. If the worker keeps computing
//!   instead, the monitor moves the single to the injector (`Scheduler::share_neglected`), which
//!   wakes a sleeper.
//!
//! # Protocol
//!
//! Each worker is *running*, *searching* (awake, without work, looking into other queues) or
//! *sleeping*. One word counts the workers that search, are awake and sleep, and says whether the
//! monitor is awake. All of it but the number of searchers changes under the lock of the lists. A
//! sleeper can be found only on the list of sleepers. A thread that takes one off to wake it owes
//! it exactly one signal. One exception: `availability.rs` makes a sleeper a spare, and sends no
//! signal.
//!
//! ```text
//!              begin_search (at most half of those awake)
//!    running ─────────────────────────────────────► searching ◄───────────┐
//!       ▲              found work: end_search           │                 │ signal: counts as
//!       └───────────────────────────────────────────────┤ found nothing:  │ a searcher
//!                                                       ▼ sleep           │
//!    a runner that may not search ────────────────► sleeping ─────────────┘
//! ```
//!
//! 1. (`notify`) A pusher publishes the work and reads the word. If a worker searches, the pusher
//!    is done. If one sleeps, the pusher takes a sleeper off the list, counts it as a searcher on its
//!    behalf, and signals it. Until that searcher has found something, further pushes see this
//!    searcher and wake no other. If no worker sleeps, the pusher wakes the monitor, unless that is
//!    awake.
//! 2. (`sleep`) A worker that goes to sleep puts itself on the list and stops counting as a
//!    searcher. Then it looks at all queues once more, at the injector with its locks. If it sees
//!    shared work, it takes itself off the list again. If a pusher was faster, the signal is on its
//!    way, and the worker takes that.
//! 3. (`end_search`) The last searcher to find work stops counting as one, then looks once more in
//!    the same way, and wakes a sleeper if shared work is left.
//!
//! # Why no push is lost
//!
//! Let a push to the injector be `P: lock, put, unlock; read word`. Suppose a worker changes the
//! word and then looks at the injector with its locks. Either this look comes after P's unlock, and
//! sees the work, or it comes before P's lock, which then hands P the change. There are three
//! cases:
//!
//! - P read a sleeper and no searcher: P wakes a worker.
//! - P read no sleeper: every worker is awake, or announces its sleep in a change that P did not
//!   see. Such a worker sees the work in step 2.
//! - P read a searcher S: S stops counting as one in a change that P did not see. If S goes to
//!   sleep, it sees the work in step 2. If S is one of several to find work, this case applies to
//!   the last searcher. If S is the last to find work, it sees the work in step 3, and passes the
//!   duty on.
//!
//! If another worker takes work that was seen, that work is not lost either.
//!
//! A push to the worker's own ring has no lock. Its worker is awake, and takes the work itself if
//! no other does. Such a push can lose only a moment of parallelism, which the monitor restores.
//!
//! # The monitor
//!
//! It is a thread of its own (`monitor/mod.rs`). While it is *awake*, it looks periodically for
//! work that the workers leave waiting, and finds all there is, singles included. It goes to sleep
//! when there is nothing to see. A thread wakes it when it pushes a single, or shared work while no
//! worker searches or sleeps. So an idle program has no wake-ups, and a busy one pays only for a
//! read of the word.
//!
//! The monitor goes to sleep like a worker: it announces its sleep, and looks again. For the
//! injector, the argument above holds. A single is pushed without a lock, so its pusher may still
//! read that the monitor is awake. Therefore the monitor sleeps with a limit as long as any worker
//! is awake or written off. If there is none, the next worker that pushes a single has taken the
//! lock since, and reads the truth.
//!
//! # Tiny goroutines
//!
//! Some goroutines run for less time than their move to another core takes (`steal_meter.rs`). They
//! are better left to the worker that has them, even if cores are idle. A worker that has stolen
//! such goroutines *backs off*, if others are awake and no other worker backs off: it sleeps for a
//! short time, without the look of step 2. While it backs off and others are awake, pushes wake no
//! worker, and duties pass to other sleepers. When its time is up, it is an ordinary sleeper, and
//! takes the look that it left out. If it finds something, it is an ordinary searcher.
//!
//! So if work is pushed during a backoff, the workers that are awake find it when they run out of
//! work: they cannot back off, and look in step 2. If they compute instead, the worker that backs
//! off finds it when its time is up. The last worker that is awake never backs off. A worker that
//! ends or goes away also looks for such work (`Scheduler::pass_on_shared_work`).
//!
//! `docs/benchmarks.md` shows the gain.
//!
//! # Rejected
//!
//! - A sleeper's state in two places: async-executor 1.9.0 kept wakers in two lists, lost wake-ups,
//!   and was withdrawn. A spare here is on one of two lists, never on both.
//! - Waking for every push: tokio tried that for its next slot. It made message passing a third
//!   slower, and was taken back twice. Waking for no single at all strands singles.
//! - A sleeping worker as the monitor, with a time limit, as in the first version: when all workers
//!   are stuck there is none, and each time it woke up another one had to start anew.
//! - A fence between publishing and reading the word, instead of the injector's locks: 10 ns for
//!   each push from outside.
//! - A limit of half of *all* workers for searchers: with eight workers on two cores, four
//!   searchers kept main from running.
//! - Deciding by the pusher's own polls whether to wake a worker: what counts is how long the new
//!   goroutine will run, and the pusher may spawn them all in a single long poll.
//! - Counters of jobs and sleepers, as in rayon: they are needed where tasks wait for tasks on the
//!   stack.

#![forbid(unsafe_code)]

pub(crate) mod availability;
pub(crate) mod monitor_wakeup;
pub(crate) mod parker;
mod poller;
pub(crate) mod rest;

use std::sync::Arc;
use std::time::Duration;

use crate::primitives::{AtomicBool, AtomicU64, Mutex, Ordering, lock};
use parker::{Parker, Signal};

/// How long a worker backs off. In practice it takes half as long again, because of the system's
/// slack for timers.
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

/// Whether a worker searches, or none sleeps and the monitor is awake (one comparison).
#[inline]
fn needs_no_wake(word: u64) -> bool {
    field(word, SEARCHING) > 0 || word / SLEEPING == MONITOR_AWAKE / SLEEPING
}

/// Whether one sleeper must not be woken: it backs off, and others are awake.
fn excludes_one(word: u64) -> bool {
    word & BACKING_OFF != 0 && field(word, AWAKE) > 0
}

/// Its methods are in three files: here those for sleeping and waking, in `availability.rs` and
/// `monitor_wakeup.rs` the others. A worker that sleeps is a `W`.
pub(crate) struct Idle<W> {
    word: AtomicU64,
    lists: Mutex<Lists<W>>,
    /// Where the monitor sleeps.
    monitor: Parker,
    /// The monitor must be awake whenever a worker is.
    keeps_monitor_awake: bool,
    /// How often the monitor has fallen asleep or woken up: odd while it sleeps.
    monitor_sleeps: AtomicU64,
    /// The monitor is to be notified when all workers and main sleep.
    rest_is_wanted: AtomicBool,
}

/// State that changes only under the lock. The word mirrors the first four fields, to be read
/// without the lock.
struct Lists<W> {
    awake: usize,
    /// The first of `sleepers` backs off.
    is_backing_off: bool,
    is_monitor_awake: bool,
    /// The last to fall asleep is woken first.
    sleepers: Vec<Arc<W>>,
    /// The last to come is used first.
    spares: Vec<Arc<W>>,
    /// The least number of spares since the last call of `retire_spares`.
    unneeded: usize,
    /// Workers that have announced that they block.
    blocked: usize,
    /// Workers that the monitor has found to be stuck.
    written_off: usize,
    /// How many workers may be available.
    allowed: usize,
    /// The runtime is closing: no worker is in excess.
    keeps_all: bool,
    monitor_sleeps_without_limit: bool,
    /// How often a worker has fallen asleep.
    sleeps: u64,
    times_written_off: u64,
}

/// What a worker without work does before it sleeps.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// It searches, and counts as a searcher.
    Searching,
    /// It does not search, since what it stole last was tiny. If others are awake, it leaves work
    /// to them for a while.
    BackingOff,
    /// It may not search: it is in excess, or enough workers search.
    Waiting,
}

/// What a worker becomes when it announces its sleep.
enum Sleeper {
    Ordinary,
    BackingOff,
    Poller,
    Spare,
}

/// The result of taking the announcement back.
enum CancelSleep {
    Awake,
    /// Another thread was faster: its signal is on its way.
    SignalComes,
    /// Another thread has made it a spare.
    IsSpare,
}

impl<W: AsRef<Parker>> Idle<W> {
    /// `allowed` is how many workers may be available.
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
                sleeps: 0,
                times_written_off: 0,
            }),
            monitor: Parker::new(),
            keeps_monitor_awake,
            monitor_sleeps: AtomicU64::new(0),
            rest_is_wanted: AtomicBool::new(false),
        }
    }

    /// Wakes a worker or the monitor, if needed, after a push. During a backoff it wakes no worker
    /// while others are awake.
    #[inline]
    pub(crate) fn notify(&self) {
        let word = self.word.load(Ordering::Relaxed);
        if !needs_no_wake(word) {
            self.wake(word, !excludes_one(word));
        }
    }

    /// Wakes a sleeper for what a searcher has left, also during a backoff. It does not wake the
    /// worker that backs off while others are awake.
    pub(crate) fn pass_on(&self) {
        let word = self.word.load(Ordering::Relaxed);
        if !needs_no_wake(word) {
            self.wake(word, field(word, SLEEPING) > usize::from(excludes_one(word)));
        }
    }

    /// Wakes a sleeper, if it `may`, or the monitor if none sleeps.
    #[cold]
    fn wake(&self, word: u64, may: bool) {
        if field(word, SLEEPING) == 0 {
            self.ensure_monitor_awake_by(word);
        } else if may {
            self.wake_sleeper();
        }
    }

    /// Wakes a sleeper, or the monitor if none sleeps, unless a worker searches.
    #[cold]
    pub(crate) fn wake_sleeper(&self) {
        let mut lists = lock(&self.lists);
        if field(self.word.load(Ordering::SeqCst), SEARCHING) > 0 {
            return;
        }
        let Some(sleeper) = lists.sleepers.pop() else {
            return self.wake_monitor_locked(&mut lists);
        };
        self.count_as_searcher(&mut lists);
        drop(lists);
        W::as_ref(&sleeper).send(Signal::Search);
    }

    /// Wakes all workers, spares as well, and the monitor.
    pub(crate) fn notify_all(&self) {
        let mut lists = lock(&self.lists);
        while self.promote_spare(&mut lists) {}
        while let Some(sleeper) = lists.sleepers.pop() {
            self.count_as_searcher(&mut lists);
            W::as_ref(&sleeper).send(Signal::Search);
        }
        self.monitor.send(Signal::Wake);
    }

    /// Whether workers other than the calling one are awake.
    pub(crate) fn others_are_awake(&self) -> bool {
        field(self.word.load(Ordering::Relaxed), AWAKE) > 1
    }

    /// Whether a worker is free for what waits: asleep, or searching.
    pub(crate) fn has_idle_worker(&self) -> bool {
        let word = self.word.load(Ordering::Relaxed);
        field(word, SLEEPING) > 0 || field(word, SEARCHING) > 0
    }

    /// Makes a searcher of a running worker without work; `false` if half of those awake search
    /// already.
    pub(crate) fn begin_search(&self) -> bool {
        let word = self.word.load(Ordering::Relaxed);
        if 2 * field(word, SEARCHING) >= field(word, AWAKE) {
            return false;
        }
        // Two workers may pass the limit together: it bounds waste, and nothing depends on it.
        self.word.fetch_add(SEARCHING, Ordering::SeqCst);
        true
    }

    /// Ends the search of a worker that has found work. Returns whether it was the last searcher,
    /// which must look again, with the injector's locks, and pass the duty on.
    #[must_use]
    pub(crate) fn end_search(&self) -> bool {
        let before = self.word.fetch_sub(SEARCHING, Ordering::SeqCst);
        field(before, SEARCHING) == 1
    }

    /// Sleeps until there is something to do. The caller's own queue is empty. `must_stay_awake`
    /// looks whether the runtime ends or shared work waits anywhere, and takes the injector's
    /// locks. Returns `true` as a searcher, or `false` if the worker must retire.
    pub(crate) fn sleep(
        &self,
        me: &Arc<W>,
        mode: Mode,
        must_stay_awake: impl FnOnce() -> bool,
    ) -> bool {
        let parker = W::as_ref(me);
        let mut signal = None;
        if let Sleeper::BackingOff = self.announce_sleep(me, mode, false) {
            signal = parker.receive(Some(BACKOFF));
            if signal.is_none() {
                self.backoff_is_over(me);
            }
        }
        if signal.is_none() && must_stay_awake() {
            match self.cancel_sleep(me) {
                CancelSleep::Awake => return true,
                CancelSleep::SignalComes => {}
                CancelSleep::IsSpare => self.pass_on(),
            }
        }
        let signal = signal.or_else(|| parker.receive(None));
        signal == Some(Signal::Search)
    }

    fn announce_sleep(&self, me: &Arc<W>, mode: Mode, is_poller: bool) -> Sleeper {
        let mut lists = lock(&self.lists);
        self.count_in(&mut lists, W::as_ref(me));
        let backs_off = mode == Mode::BackingOff && !lists.is_backing_off && lists.awake > 1;
        let (sleeper, gained) = if lists.are_too_many_available() {
            self.add_spare(&mut lists, me.clone());
            (Sleeper::Spare, 0)
        } else if is_poller {
            // At the bottom, or next to it: pushes wake others first.
            let place = lists.sleepers.len().min(usize::from(lists.is_backing_off));
            lists.sleepers.insert(place, me.clone());
            (Sleeper::Poller, SLEEPING)
        } else if backs_off {
            lists.sleepers.insert(0, me.clone());
            lists.is_backing_off = true;
            (Sleeper::BackingOff, SLEEPING + BACKING_OFF)
        } else {
            lists.sleepers.push(me.clone());
            (Sleeper::Ordinary, SLEEPING)
        };
        lists.awake -= 1;
        let lost = AWAKE + u64::from(mode == Mode::Searching) * SEARCHING;
        self.word.fetch_add(gained.wrapping_sub(lost), Ordering::SeqCst);
        lists.sleeps += 1;
        self.note_rest(&lists);
        sleeper
    }

    /// Takes a sleeper off the list on its own behalf, unless another thread already did.
    fn cancel_sleep(&self, me: &Arc<W>) -> CancelSleep {
        let mut lists = lock(&self.lists);
        let is_me = |worker: &Arc<W>| Arc::ptr_eq(worker, me);
        if lists.spares.iter().any(is_me) {
            return CancelSleep::IsSpare;
        }
        let Some(place) = lists.sleepers.iter().position(is_me) else {
            return CancelSleep::SignalComes;
        };
        lists.sleepers.remove(place);
        self.count_as_searcher(&mut lists);
        CancelSleep::Awake
    }

    fn backoff_is_over(&self, me: &Arc<W>) {
        let mut lists = lock(&self.lists);
        let is_first = lists.sleepers.first().is_some_and(|first| Arc::ptr_eq(first, me));
        if lists.is_backing_off && is_first {
            self.end_backoff(&mut lists);
        }
    }

    // Under the lock.

    /// Counts a sleeper that was taken off the list as a searcher.
    fn count_as_searcher(&self, lists: &mut Lists<W>) {
        lists.awake += 1;
        let change = (AWAKE + SEARCHING).wrapping_sub(SLEEPING);
        self.word.fetch_add(change, Ordering::SeqCst);
        self.end_backoff_if_taken(lists);
        if self.keeps_monitor_awake {
            self.wake_monitor_locked(lists);
        }
    }

    /// Ends the backoff if its worker has been taken off the list.
    fn end_backoff_if_taken(&self, lists: &mut Lists<W>) {
        if lists.is_backing_off && lists.sleepers.is_empty() {
            self.end_backoff(lists);
        }
    }

    fn end_backoff(&self, lists: &mut Lists<W>) {
        lists.is_backing_off = false;
        self.word.fetch_sub(BACKING_OFF, Ordering::SeqCst);
    }
}
