//! Numbers about a runtime, for those who watch it.

#![forbid(unsafe_code)]

mod histogram;

use std::time::Duration;

use crate::handle::Handle;

pub use histogram::Histogram;

/// Numbers about a runtime at a moment: [`Handle::metrics`] takes them.
///
/// Those with `num_` are as of now, and the others count from the start of the runtime; of these take the
/// difference between two moments. They are not of the very same moment: goroutines go on meanwhile. Each is
/// taken where the runtime has it anyway, or so seldom that goroutines pay next to nothing.
///
/// What to watch: `num_queued`, as work that waits for a worker, and `schedule_latencies`, for how long; `num_away`,
/// as threads that goroutines block; `num_goroutines`, which should not grow for ever. `busy`, between two
/// moments, divided by the time between them and by `num_workers`, is how busy the workers are.
///
/// Go counterpart: package `runtime/metrics`. `num_goroutines` is its `/sched/goroutines:goroutines`,
/// `num_workers` its `/sched/gomaxprocs:threads`, and `schedule_latencies` its `/sched/latencies:seconds`.
///
/// # Examples
///
/// ```
/// use gorun::{Handle, block_on, spawn};
///
/// block_on(async {
///     for _ in 0..10 {
///         spawn(async {}).await.unwrap();
///     }
///     let metrics = Handle::current().metrics();
///     assert_eq!((metrics.spawned, metrics.ended, metrics.num_goroutines), (10, 10, 1));
/// });
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Metrics {
    /// Goroutines that are alive, main included.
    pub num_goroutines: usize,
    /// Goroutines that could run, and wait in a queue for a worker.
    pub num_queued: usize,
    /// How many goroutines may run at the same time: `Builder::worker_threads`, or the usable cores. It is more
    /// while goroutines block their threads so briefly, again and again, that others run beside them.
    pub num_workers: usize,
    /// Workers that are asleep, since there is nothing to do.
    pub num_idle: usize,
    /// Workers whose goroutine blocks the thread, by `blocking` or `block_on`, or so that the monitor has noticed.
    pub num_away: usize,
    /// Threads that stand by to stand in for others.
    pub num_spares: usize,
    /// Timers that have not fired.
    pub num_timers: usize,
    /// Sockets, and other descriptors of which the runtime waits for events.
    pub num_sockets: usize,
    /// Goroutines that were spawned.
    pub spawned: u64,
    /// Goroutines that have ended.
    pub ended: u64,
    /// Polls of goroutines, and calls of users' wakers. It begins anew after 5 · 10¹¹ polls of a worker.
    pub polls: u64,
    /// How often a worker has taken goroutines from another one's queue.
    pub steals: u64,
    /// How often a worker has fallen asleep, or was about to.
    pub sleeps: u64,
    /// How often a worker's queue was full, and half of it went to the queue of all.
    pub overflows: u64,
    /// How often the monitor has found that a goroutine blocks its worker without notice.
    pub written_off: u64,
    /// For how long the workers' threads have been awake, all of them together: since they started, less the time in
    /// which they slept because there was nothing to do. That they search for work counts, and so does a
    /// goroutine that blocks its thread; another thread stands in for that one, whose time counts as well.
    pub busy: Duration,
    /// For how long goroutines that could run, since they were spawned or woken, had to wait until a worker polled
    /// them: samples. Each worker takes one of a thousand polls, or of fewer if they are long, and of eight sleeps, and main's thread one of
    /// eight polls: the next goroutine that is spawned or woken there. So of many that are woken at the same time it is
    /// mostly the first, which waits least; and long polls count for more than short ones. What other threads spawn
    /// and wake is not in it. Watch how it changes, rather than what it is.
    pub schedule_latencies: Histogram,
}

impl Handle {
    /// Numbers about this runtime. It takes some microseconds, more with many threads in `block_on`. It takes no lock that
    /// is held for longer than a clock is read.
    ///
    /// Go counterpart: `metrics.Read`.
    ///
    /// # Examples
    ///
    /// See [`Metrics`].
    pub fn metrics(&self) -> Metrics {
        let scheduler = self.scheduler();
        let counts = scheduler.idle.counts();
        // Ended first, so that there are never more of these.
        let ended = scheduler.finished();
        Metrics {
            num_goroutines: scheduler.num_goroutines(),
            num_queued: scheduler.tasks_waiting(),
            num_workers: counts.allowed,
            num_idle: counts.asleep,
            num_away: counts.away,
            num_spares: counts.spares,
            num_timers: scheduler.timers.len(),
            num_sockets: scheduler.num_sources(),
            spawned: scheduler.spawned(),
            ended,
            polls: scheduler.workers_ever().map(|worker| worker.polls() as u64).sum(),
            steals: scheduler.workers_ever().map(|worker| worker.steals()).sum(),
            sleeps: counts.sleeps,
            overflows: scheduler.overflows(),
            written_off: counts.times_written_off,
            busy: scheduler.workers_ever().map(|worker| worker.busy.get()).sum(),
            schedule_latencies: Histogram::of(&scheduler.latencies),
        }
    }
}
