//! A worker as other threads see it: its run queue, counts and parker. `run_loop.rs` runs it.

#![forbid(unsafe_code)]

pub(crate) mod away;
mod busy_time;
mod helper_threads;
pub(crate) mod nested_waits;
mod run_loop;
mod seen;
mod start;
pub(crate) mod steal_meter;
pub(crate) mod thread_hooks;
pub(crate) mod thread_requests;
pub(crate) mod threads;
mod turns;

use std::panic::Location;
use std::sync::Arc;

use crate::primitives::{AtomicU32, AtomicU64, AtomicUsize, Ordering};
use crate::scheduler::budget::Budget;
use crate::scheduler::goroutine::live_count::LiveCount;
use crate::scheduler::goroutine::spawn_site::SpawnSite;
use crate::scheduler::idle::parker::{Availability, Parker};
use crate::scheduler::os_thread::OsThreadId;
use crate::scheduler::queues::run_queue::{NextSlot, RawTask, Ring};
use crate::scheduler::wait::ActivityCell;
use crate::scheduler::worker::busy_time::BusyTime;

const RING_CAPACITY: usize = 256;

/// As if polls took no time.
pub(crate) const UNKNOWN_PACE: u32 = u32::MAX;

/// So many tasks from the injector join a ring that is half full, at each look. (`skynet` takes a seventh
/// longer with 64.)
const FEW: usize = 15;

/// What a beginning or end of blocking adds to the ticks. It is even, and larger than any number of
/// polls that readers tell apart.
const BLOCKING_CHANGE: u64 = 1 << 40;

pub(crate) struct Worker {
    pub(crate) index: usize,
    pub(crate) ring: Ring<RING_CAPACITY>,
    pub(crate) next: NextSlot,
    pub(crate) parker: Parker,
    pub(crate) live_count: LiveCount,
    pub(crate) budget: Arc<Budget>,
    /// Increases by one when a poll begins and when it ends, so it is odd inside a poll. The upper
    /// bits count how often blocking has begun or ended inside polls.
    ticks: AtomicU64,
    /// The address of the spawn site of the goroutine that was polled last.
    site: AtomicUsize,
    thread: AtomicU32,
    /// How many polls it begins in a tenth of a millisecond.
    pace: AtomicU32,
    /// How often it has stolen.
    steals: AtomicU64,
    pub(crate) busy: BusyTime,
    /// What the goroutine here waits for, in a `block_on`.
    pub(crate) driving: ActivityCell,
    /// The lower half of the ticks that the monitor or a census saw last, and when that was for the first time, in
    /// milliseconds.
    seen: AtomicU64,
}

impl Worker {
    pub(crate) fn new(index: usize) -> Self {
        Worker {
            index,
            ring: Ring::new(),
            next: NextSlot::new(),
            parker: Parker::new(),
            live_count: LiveCount::new(),
            budget: Arc::new(Budget::new()),
            ticks: AtomicU64::new(0),
            site: AtomicUsize::new(0),
            thread: AtomicU32::new(0),
            pace: AtomicU32::new(UNKNOWN_PACE),
            steals: AtomicU64::new(0),
            busy: BusyTime::new(),
            driving: ActivityCell::new(),
            seen: AtomicU64::new(0),
        }
    }

    /// Notes that the calling thread is this worker from now on.
    pub(crate) fn set_thread(&self) {
        self.thread.store(OsThreadId::current().0, Ordering::Relaxed);
    }

    pub(crate) fn thread(&self) -> OsThreadId {
        OsThreadId(self.thread.load(Ordering::Relaxed))
    }

    /// For the monitor.
    pub(crate) fn set_pace(&self, pace: u32) {
        self.pace.store(pace, Ordering::Relaxed);
    }

    /// How many polls it begins in a tenth of a millisecond, as far as the monitor knows.
    pub(crate) fn pace(&self) -> u32 {
        self.pace.load(Ordering::Relaxed)
    }

    /// Whether the worker has announced that it blocks.
    #[inline]
    pub(crate) fn is_blocked(&self) -> bool {
        self.parker.is(Availability::Blocked)
    }

    pub(crate) fn ticks(&self) -> u64 {
        self.ticks.load(Ordering::Acquire)
    }

    pub(crate) fn is_in_poll(&self) -> bool {
        self.ticks() % 2 == 1
    }

    /// How many polls have begun.
    #[inline]
    pub(crate) fn polls(&self) -> usize {
        (self.ticks.load(Ordering::Relaxed) % BLOCKING_CHANGE).div_ceil(2) as usize
    }

    /// How often blocking has begun or ended inside polls.
    pub(crate) fn blocking_changes(&self) -> u64 {
        self.ticks() / BLOCKING_CHANGE
    }

    /// Only for the worker's own thread, like the methods down to `note_blocking`.
    #[inline]
    pub(crate) fn begin_poll(&self, site: &'static SpawnSite) {
        // Ordering: Release pairs with the Acquire in `spawn_site`: a thread that reads this site
        // sees that the previous poll has ended.
        self.site.store(site.address(), Ordering::Release);
        self.advance(1);
    }

    /// The same for user code that is not a goroutine.
    pub(crate) fn begin_call(&self) {
        self.site.store(0, Ordering::Release);
        self.advance(1);
    }

    #[inline]
    pub(crate) fn end_poll(&self) {
        self.advance(1);
    }

    pub(crate) fn note_steal(&self) {
        let steals = self.steals.load(Ordering::Relaxed);
        self.steals.store(steals + 1, Ordering::Relaxed);
    }

    /// Records that the goroutine begins or ends blocking (`away.rs`).
    pub(crate) fn note_blocking(&self) {
        self.advance(BLOCKING_CHANGE);
    }

    #[inline]
    fn advance(&self, by: u64) {
        let ticks = self.ticks.load(Ordering::Relaxed);
        self.ticks.store(ticks.wrapping_add(by), Ordering::Release);
    }

    pub(crate) fn steals(&self) -> u64 {
        self.steals.load(Ordering::Relaxed)
    }

    /// For the monitor, or a census, which sees these ticks now.
    pub(crate) fn note_seen(&self, ticks: u64, now: u32) {
        if self.seen_since(ticks).is_none() {
            self.seen.store(ticks << 32 | u64::from(now), Ordering::Relaxed);
        }
    }

    /// Since when the monitor has seen these ticks, if it has.
    pub(crate) fn seen_since(&self, ticks: u64) -> Option<u32> {
        let seen = self.seen.load(Ordering::Relaxed);
        (seen >> 32 == ticks & u64::from(u32::MAX)).then_some(seen as u32)
    }

    /// Where the goroutine being polled was spawned, if the ticks are still `ticks`.
    pub(crate) fn spawn_site(&self, ticks: u64) -> Option<&'static Location<'static>> {
        let address = self.site.load(Ordering::Acquire);
        if self.ticks() != ticks {
            return None;
        }
        SpawnSite::at(address).map(|site| site.spawned_at)
    }

    /// How many tasks from the injector the ring can take without soon being full. A few join one that is
    /// half full, too: what runs here may come back by itself, as busy connections do, and would leave the
    /// others one poll in 61, or more if polls are long.
    pub(crate) fn room_for_batch(&self) -> usize {
        let free = RING_CAPACITY.saturating_sub(self.ring.len());
        free.saturating_sub(RING_CAPACITY / 2).max(FEW.min(free / 2))
    }

    /// Takes all tasks out of the queue, for other workers to run.
    pub(crate) fn drain(&self) -> Vec<RawTask> {
        self.next.take().into_iter().chain(self.ring.drain()).collect()
    }

    /// An estimate of the number of tasks here: other threads may change it at any time.
    pub(crate) fn tasks_waiting(&self) -> usize {
        usize::from(!self.next.is_empty()) + self.ring.len()
    }

    pub(crate) fn has_tasks(&self) -> bool {
        self.tasks_waiting() > 0
    }

    /// Whether other workers may take tasks here: a single task belongs to this worker.
    #[inline]
    pub(crate) fn has_shared_work(&self) -> bool {
        self.ring.len() >= 2
    }
}

impl AsRef<Parker> for Worker {
    fn as_ref(&self) -> &Parker {
        &self.parker
    }
}
