//! Who sleeps, who searches, whom to wake.
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
//!   that keeps computing; for it there is the watcher, below.
//!
//! # Protocol
//!
//! Each worker is *running*, *searching* (awake, without work, looking into other queues) or
//! *sleeping*. One word holds the three counts and what the watcher does. All of it but the number of
//! searchers changes under the lock of the list of sleepers; that list is the only place where a
//! sleeper can be found, and whoever removes a sleeper from it owes it exactly one signal.
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
//! 1. A pusher publishes the work and reads the word. If somebody searches, or nobody sleeps, it is
//!    done. Otherwise it takes one sleeper off the list, counts it as a searcher on its behalf, and
//!    signals it. Until that searcher has found something, further pushes see it and wake nobody.
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
//! else does. What such a push can lose is a moment of parallelism, which the watcher restores.
//!
//! # Tiny goroutines
//!
//! Goroutines that run for less time than it takes to carry them to another core (`haul.rs`) are
//! better left to whoever has them, even if cores idle. A worker that finds its catch to have been
//! like that *rests*, if others are awake: it goes to sleep as the watcher, without the look of step
//! 2, for a shorter time than a watcher otherwise. While it rests and others are awake, pushes wake
//! nobody, and duties are passed on to other sleepers than this one. When its time is up it looks, as
//! watchers do; if it finds nothing it is an ordinary watcher again, and if it finds something it is
//! an ordinary searcher.
//!
//! So work that is pushed while somebody rests is found by those that are awake, when they come to
//! the end of what they do (they cannot rest, and look in step 2), or, if they compute, by the
//! resting worker when its time is up. The last worker that is awake never rests; and a worker that
//! ends, or goes where it runs no goroutines, looks after that too (`worker_unavailable`).
//!
//! What it brings: `docs/benchmarks.md`.
//!
//! # The watcher
//!
//! While some workers are awake and some sleep, one of the sleepers is the watcher: it sleeps with
//! a time limit, and each time looks for what the others neglect: shared work nobody was woken
//! for, and singles of a worker that has not finished a poll since the last look. It takes them,
//! so `wake B, then compute` does not strand B beside an idle core. When nobody is awake there
//! is nothing to neglect, and the watcher sleeps without a limit: an idle program has no wake-ups.
//!
//! There is a watcher when one is needed: a worker that goes to sleep while others are awake
//! becomes it if there is none; and a worker that puts a single aside while the word says
//! "sleepers, no watcher" appoints one. The bit it reads is not stale where it matters: it is
//! cleared because the only sleeper left was woken (then nobody is idle, and the next worker to go
//! to sleep watches), or because nobody was awake (then the reader slept, and has been through the
//! lock since). A watcher that gets up appoints its successor.
//!
//! # Rejected
//!
//! - A sleeper's state in two places: async-executor 1.9.0 kept wakers in two lists, lost
//!   wake-ups, and was withdrawn.
//! - Waking for every push (tokio's next slot tried it: a third slower at message passing, twice
//!   taken back); waking nobody for singles at all (strands them); an own thread that watches
//!   (it would have to be woken as often, and is one more thread).
//! - A fence between publishing and reading the word, instead of the injector's locks: 10 ns for each
//!   push from outside.
//! - A limit of half of *all* workers for searchers: with eight workers on two cores, four searchers
//!   kept main from running.
//! - Deciding by the pusher's own polls whether to wake somebody: what counts is how long the new
//!   goroutine will run, and the pusher may be in a single long poll that spawns them all.
//! - Counters of jobs and sleepers as in rayon: needed where tasks wait for tasks on the stack.

#![forbid(unsafe_code)]

use std::time::Duration;

use crate::sync::{AtomicU64, Condvar, Mutex, MutexGuard, Ordering, lock};

/// How long the watcher sleeps between two looks. Shorter finds a neglected task sooner and costs
/// a wake-up (about 5 µs of CPU) each time; 400 µs keeps it near one percent of a core.
const WATCH_INTERVAL: Duration = Duration::from_micros(400);

/// How long a worker rests. In practice it is half as long again, the system's slack for timers.
const REST_INTERVAL: Duration = Duration::from_micros(100);

/// The word: three 16-bit fields and two bits.
const SEARCHING: u64 = 1;
const AWAKE: u64 = 1 << 16;
const SLEEPING: u64 = 1 << 32;
const WATCHED: u64 = 1 << 48;
const RESTING: u64 = 1 << 49;

#[inline]
fn field(word: u64, unit: u64) -> u64 {
    (word / unit) & 0xFFFF
}

/// Who sleeps, who searches.
pub(crate) struct Idle {
    word: AtomicU64,
    /// The watcher, if there is one, comes first. Who fell asleep last is woken first.
    sleepers: Mutex<Vec<usize>>,
}

/// What a sleeper is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Signal {
    /// Taken off the list, and counted as a searcher.
    Search,
    /// Still on the list, but as the watcher.
    Watch,
}

/// Where a worker sleeps. It has at most one signal waiting.
pub(crate) struct Bed {
    signal: Mutex<Option<Signal>>,
    changed: Condvar,
}

impl Bed {
    pub(crate) fn new() -> Self {
        Bed { signal: Mutex::new(None), changed: Condvar::new() }
    }

    fn send(&self, signal: Signal) {
        let mut slot = lock(&self.signal);
        // `Search` is final; a request to watch that comes before it is void.
        if *slot != Some(Signal::Search) {
            *slot = Some(signal);
        }
        drop(slot);
        self.changed.notify_one();
    }

    /// Sleeps until a signal comes, or `limit` has passed (then `None`).
    fn receive(&self, limit: Option<Duration>) -> Option<Signal> {
        let mut slot = lock(&self.signal);
        loop {
            if slot.is_some() {
                return slot.take();
            }
            slot = match limit {
                None => self.changed.wait(slot).unwrap_or_else(|e| e.into_inner()),
                Some(limit) => {
                    let woken = self.changed.wait_timeout(slot, limit);
                    let (mut slot, _) = woken.unwrap_or_else(|e| e.into_inner());
                    return slot.take();
                }
            };
        }
    }
}

/// What a worker that goes to sleep wants to know of the queues.
pub(crate) trait Queues {
    /// Whether shared work waits anywhere.
    fn shared_work_waits(&self) -> bool;
    /// The watcher's look: takes a single that its worker neglects, or says that shared work
    /// waits. `true` ends the sleep.
    fn neglected_work(&mut self) -> bool;
    /// The bed of a worker.
    fn bed(&self, worker: usize) -> &Bed;
}

impl Idle {
    pub(crate) fn new() -> Self {
        Idle { word: AtomicU64::new(0), sleepers: Mutex::new(Vec::new()) }
    }

    /// A worker starts, or comes back from where it ran no goroutines.
    pub(crate) fn worker_available(&self) {
        let _sleepers = lock(&self.sleepers);
        self.word.fetch_add(AWAKE, Ordering::SeqCst);
    }

    /// A running worker ends, or goes where it runs no goroutines. Its queue is empty.
    pub(crate) fn worker_unavailable(&self) {
        let _sleepers = lock(&self.sleepers);
        self.word.fetch_sub(AWAKE, Ordering::SeqCst);
    }

    /// Wakes somebody, if needed, after work was pushed.
    #[inline]
    pub(crate) fn notify<'a>(&self, bed: impl Fn(usize) -> &'a Bed) {
        let word = self.word.load(Ordering::Relaxed);
        let is_left_to_others = word & RESTING != 0 && field(word, AWAKE) > 0;
        if field(word, SEARCHING) == 0 && field(word, SLEEPING) > 0 && !is_left_to_others {
            self.wake_one(bed);
        }
    }

    /// Wakes somebody for what a searcher has left, also while one rests, whom it leaves alone.
    pub(crate) fn pass_on<'a>(&self, bed: impl Fn(usize) -> &'a Bed) {
        let word = self.word.load(Ordering::Relaxed);
        let resting = u64::from(word & RESTING != 0 && field(word, AWAKE) > 0);
        if field(word, SEARCHING) == 0 && field(word, SLEEPING) > resting {
            self.wake_one(bed);
        }
    }

    #[cold]
    fn wake_one<'a>(&self, bed: impl Fn(usize) -> &'a Bed) {
        let mut sleepers = lock(&self.sleepers);
        if field(self.word.load(Ordering::SeqCst), SEARCHING) > 0 {
            return;
        }
        let Some(worker) = sleepers.pop() else { return };
        self.take_off_list(sleepers.is_empty());
        self.word.fetch_add(SEARCHING, Ordering::SeqCst);
        drop(sleepers);
        bed(worker).send(Signal::Search);
    }

    /// Wakes all, at exit.
    pub(crate) fn notify_all<'a>(&self, bed: impl Fn(usize) -> &'a Bed) {
        let mut sleepers = lock(&self.sleepers);
        while let Some(worker) = sleepers.pop() {
            self.take_off_list(sleepers.is_empty());
            self.word.fetch_add(SEARCHING, Ordering::SeqCst);
            bed(worker).send(Signal::Search);
        }
    }

    /// Sees to it that there is a watcher, after the caller has put a single aside.
    #[inline]
    pub(crate) fn ensure_watched<'a>(&self, bed: impl Fn(usize) -> &'a Bed) {
        let word = self.word.load(Ordering::Relaxed);
        if word & WATCHED == 0 && field(word, SLEEPING) > 0 {
            self.appoint_watcher(lock(&self.sleepers), bed);
        }
    }

    #[cold]
    fn appoint_watcher<'a>(
        &self,
        sleepers: MutexGuard<'_, Vec<usize>>,
        bed: impl Fn(usize) -> &'a Bed,
    ) {
        if !self.is_watched()
            && let Some(&worker) = sleepers.first()
        {
            self.word.fetch_add(WATCHED, Ordering::SeqCst);
            drop(sleepers);
            bed(worker).send(Signal::Watch);
        }
    }

    /// Whether others than the calling worker are awake.
    pub(crate) fn others_are_awake(&self) -> bool {
        field(self.word.load(Ordering::Relaxed), AWAKE) > 1
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

    /// Sleeps until there is something to do; `resting`, which searchers do not, leaves it for a while
    /// to others, if they are awake. The caller's own queue is empty. Returns as a searcher.
    pub(crate) fn sleep(
        &self,
        me: usize,
        searching: bool,
        resting: bool,
        queues: &mut impl Queues,
    ) {
        let mut watching = self.lie_down(me, searching, resting);
        let rests = watching && resting;
        let mut interval = if rests { REST_INTERVAL } else { WATCH_INTERVAL };
        if !rests && queues.shared_work_waits() && self.get_up(me, queues) {
            return;
        }
        loop {
            match queues.bed(me).receive(watching.then_some(interval)) {
                Some(Signal::Search) => return,
                Some(Signal::Watch) => watching = true,
                None => {
                    if queues.neglected_work() {
                        if !self.get_up(me, queues) {
                            // Somebody was faster: the signal is on its way.
                            while queues.bed(me).receive(None) != Some(Signal::Search) {}
                        }
                        return;
                    }
                    watching = self.keep_watching(me);
                    interval = WATCH_INTERVAL;
                }
            }
        }
    }

    /// Puts a worker on the list. Says whether it is the watcher now.
    fn lie_down(&self, me: usize, searching: bool, resting: bool) -> bool {
        let mut sleepers = lock(&self.sleepers);
        let others_are_awake = field(self.word.load(Ordering::SeqCst), AWAKE) > 1;
        let watch = others_are_awake && !self.is_watched();
        let place = if watch { 0 } else { sleepers.len() };
        sleepers.insert(place, me);
        let watching = u64::from(watch) * (WATCHED + u64::from(resting) * RESTING);
        let change = SLEEPING + watching - AWAKE - u64::from(searching) * SEARCHING;
        self.word.fetch_add(change, Ordering::SeqCst);
        watch
    }

    /// A sleeper takes itself off the list, unless somebody else already did. If it watched,
    /// another sleeper does from now on.
    fn get_up(&self, me: usize, queues: &impl Queues) -> bool {
        let mut sleepers = lock(&self.sleepers);
        let Some(place) = sleepers.iter().position(|&worker| worker == me) else {
            return false;
        };
        sleepers.remove(place);
        let watched = self.take_off_list(place == 0);
        self.word.fetch_add(SEARCHING, Ordering::SeqCst);
        if watched {
            self.appoint_watcher(sleepers, |worker| queues.bed(worker));
        }
        true
    }

    /// A watcher has found nothing. Whether it should go on, which it should not when nobody is
    /// awake.
    fn keep_watching(&self, me: usize) -> bool {
        let sleepers = lock(&self.sleepers);
        if !self.is_watched() || sleepers.first() != Some(&me) {
            return false;
        }
        let word = self.word.load(Ordering::SeqCst);
        let others_are_awake = field(word, AWAKE) > 0;
        let over = if others_are_awake { RESTING } else { WATCHED | RESTING };
        self.word.fetch_sub(word & over, Ordering::SeqCst);
        others_are_awake
    }

    // Under the lock.

    fn is_watched(&self) -> bool {
        self.word.load(Ordering::SeqCst) & WATCHED != 0
    }

    /// A sleeper has been taken off the list. Returns whether it was the watcher.
    fn take_off_list(&self, was_first: bool) -> bool {
        let of_watcher = if was_first { WATCHED | RESTING } else { 0 };
        let over = self.word.load(Ordering::SeqCst) & of_watcher;
        self.word.fetch_add(AWAKE.wrapping_sub(SLEEPING + over), Ordering::SeqCst);
        over & WATCHED != 0
    }
}
