//! Main, and what happens when it ends.
//!
//! # The order of exit
//!
//! 1. Main's future is dropped, in a live runtime.
//! 2. The phase becomes *closing*: whoever spawns from now on has the future dropped at once and
//!    gets a handle that says cancelled. Each goroutine that a worker comes to is dropped instead
//!    of polled; one that suspends is dropped right after that poll.
//! 3. The registry closes, and every suspended goroutine is woken, so that a worker comes to it.
//!    Destructors that wake, spawn or send find a runtime that answers.
//! 4. Main's thread only waits, so it never runs a straggler's destructor. If for a millisecond
//!    nothing moves, it wakes a worker that sleeps, or, if none is free, starts one more, which finds
//!    its way to everything that is queued behind a goroutine that does not suspend; and another one,
//!    if that one meets a destructor that does not end. If the system refuses the thread, those stay
//!    where they are.
//! 5. It waits until no goroutine is alive, or until nothing has moved for `exit_grace`, or, if all
//!    that are alive sit in a nested `block_on`, for 10 ms: what they wait for has been dropped, unless
//!    it is theirs, or comes from outside. (Those whose destructors sit in one are waited for as long
//!    as others: others are there to do what they wait for.)
//! 6. The phase becomes *ended*: workers end when they find nothing more to drop, and main's thread
//!    waits for those that can.
//! 7. Main's value goes back, or the panic that won is resumed.
//!
//! What moves: a poll that begins or ends, a goroutine that completes, a thread that ends. (A goroutine
//! that calls `blocking`, or a nested `block_on`, again and again in one poll might do so for ever. Only
//! the 10 ms begin anew with each such call.) The grace is counted by main's own short naps, each at its
//! nominal length: where the machine is so busy that this thread does not run, no time passes for the
//! workers either. And as long as a worker is free for a goroutine that waits for one, or a worker is in a
//! poll and has hardly had a core, it is given a second.
//!
//! Goroutines left behind keep the whole scheduler alive for ever (the reference that `block_on`
//! would drop is leaked), so whatever they do later finds it; what they would need is their thread,
//! which is detached. Handles of theirs that are awaited from outside are told.
//!
//! # Why nothing is missed
//!
//! A goroutine that is alive when the phase is set is running, queued, or suspended. Suspended: it
//! is in the registry and woken, or enters it later and is refused (see `registry.rs`). Queued or
//! woken: a worker comes to it, as long as one can, and looks at the phase. Running: it looks at
//! the phase when it suspends. That none is left is seen by the counts (`counts.rs`).

#![forbid(unsafe_code)]

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::task::Waker;
use std::thread;
use std::time::Duration;

use crate::clock;
use crate::scheduler::context::{Context, Role};
use crate::scheduler::drive::drive;
use crate::scheduler::{Phase, Scheduler, left_behind, main_guard};

/// Main's thread looks at least this often whether anything moves. Also how long the workers may
/// be busy with what they do before a thread is started for the stragglers.
const NAP: Duration = Duration::from_millis(1);

/// How many threads exit starts for the stragglers, one after the other: each may meet a destructor
/// that does not end.
pub(crate) const MAX_DRAINERS: usize = 64;

/// The least grace: in less time a thread that makes no progress cannot be told from one that
/// waits for its turn on a busy machine.
const LEAST_GRACE: Duration = Duration::from_millis(10);

/// For how long main's thread waits for a worker that is free to come to what is queued, or for one
/// that has no core. It comes as soon as the machine lets it; the limit is there so that exit ends
/// whatever happens.
const WORKER_LIMIT: Duration = Duration::from_secs(1);

/// Who has had a core for so long without coming to the end of its poll makes no progress.
const FAIR_CHANCE: Duration = Duration::from_millis(5);

/// Runs main to its end, and everything else with it. `Err` is the panic to resume.
pub(crate) fn run_main<F: Future>(
    scheduler: &Arc<Scheduler>,
    main: F,
) -> thread::Result<F::Output> {
    let context = Context::new(scheduler.clone(), Role::Main);
    let result =
        main_guard::run_as_main(&scheduler.main, || context.enter(|| drive_main(scheduler, main)));
    scheduler.enter_phase(Phase::Closing);
    scheduler.idle.keep_all();
    context.enter(|| scheduler.registry.close(Waker::wake));
    let all_done = wait_for_goroutines(scheduler);
    if !all_done {
        left_behind::announce(scheduler);
    }
    end_threads(scheduler, all_done);
    result
}

/// Ends workers that have not been given any work.
pub(crate) fn end_unused(scheduler: &Arc<Scheduler>) {
    end_threads(scheduler, true);
}

fn drive_main<F: Future>(scheduler: &Arc<Scheduler>, main: F) -> thread::Result<F::Output> {
    let mut main = pin!(Some(main));
    let polled = catch_unwind(AssertUnwindSafe(|| {
        let main = main.as_mut().as_pin_mut().expect("main is dropped below");
        let output = drive(main, || scheduler.main.crashed() || main_guard::must_unwind());
        if output.is_none() && !scheduler.main.crashed() {
            // A main that this one is inside of.
            main_guard::unwind();
        }
        output
    }));
    let (output, own) = match polled {
        Ok(output) => (output, None),
        Err(payload) => (None, Some(payload)),
    };
    let panics = scheduler.main.main_done(own);
    let dropped = catch_unwind(AssertUnwindSafe(|| main.set(None)));
    // In the order in which they happened; the first wins.
    let mut panics = panics.chain(dropped.err());
    let Some(first) = panics.next() else {
        return Ok(output.expect("only a panic interrupts main"));
    };
    let unwanted = catch_unwind(AssertUnwindSafe(|| drop(output)));
    panics.chain(unwanted.err()).for_each(main_guard::discard);
    Err(first)
}

/// Waits until no goroutine is alive. `false`: some are, and do not come to their next await.
fn wait_for_goroutines(scheduler: &Arc<Scheduler>) -> bool {
    let grace = scheduler.config.exit_grace.max(LEAST_GRACE);
    let (mut quiet, mut quiet_in_polls) = (Quiet::new(), Quiet::new());
    let mut core_times = Vec::new();
    let mut drainers = 0;
    loop {
        let live = scheduler.live() as usize;
        if live == 0 {
            return true;
        }
        let all_wait = live <= scheduler.threads.waiting_goroutines();
        let limit = match scheduler.has_worker_for(live) {
            true => grace.max(WORKER_LIMIT),
            false => grace,
        };
        let (moved, stepped) = (scheduler.progress(), scheduler.progress_in_polls());
        let slept = nap(|| thread::park_timeout(NAP));
        let quiet_for = quiet.after(moved, slept);
        let nobody_steps = quiet_in_polls.after(stepped, slept) >= LEAST_GRACE;
        if quiet_for < 2 * NAP {
            core_times.clear();
        } else if core_times.is_empty() {
            core_times = scheduler.core_times();
        }
        if quiet_for >= NAP && scheduler.has_free_worker() {
            // Perhaps it sleeps, beside what somebody who does not suspend has queued.
            scheduler.idle.wake_one(|index| scheduler.bed(index));
        }
        let lacks_worker = !all_wait && !scheduler.has_free_worker();
        if quiet_for >= NAP && drainers < MAX_DRAINERS && lacks_worker {
            drainers += 1;
            let limit = scheduler.config.max_threads + MAX_DRAINERS;
            if scheduler.threads.start(scheduler, limit).is_ok() {
                quiet.restart();
            }
        } else if all_wait && nobody_steps
            || quiet_for >= limit.max(WORKER_LIMIT)
            || quiet_for >= limit && !scheduler.somebody_lacks_a_core(&core_times)
        {
            return scheduler.live() == 0;
        }
    }
}

/// Ends the workers, and waits for those that are not inside a poll that does not end.
fn end_threads(scheduler: &Arc<Scheduler>, all_done: bool) {
    scheduler.enter_phase(Phase::Ended);
    scheduler.threads.begin_end();
    scheduler.idle.notify_all(|index| scheduler.bed(index));
    let grace = scheduler.config.exit_grace.max(LEAST_GRACE);
    let mut quiet = Quiet::new();
    let mut alive = usize::MAX;
    while alive > scheduler.threads.waiting() {
        let moved = scheduler.progress().wrapping_add(alive as u64);
        let slept = nap(|| alive = scheduler.threads.wait_for_an_end(NAP));
        let quiet_for = quiet.after(moved, slept);
        let all_stuck = !all_done && alive <= scheduler.workers_in_poll();
        if quiet_for >= if all_stuck { LEAST_GRACE } else { grace } {
            break;
        }
    }
    scheduler.threads.join_ended();
}

/// How long nothing has moved.
struct Quiet {
    moved: u64,
    quiet_for: Duration,
}

impl Quiet {
    fn new() -> Self {
        Quiet { moved: u64::MAX, quiet_for: Duration::ZERO }
    }

    fn restart(&mut self) {
        *self = Quiet::new();
    }

    /// After a nap before which `moved` was seen: for how long it has been the same.
    fn after(&mut self, moved: u64, slept: Duration) -> Duration {
        if moved != self.moved {
            *self = Quiet { moved, quiet_for: Duration::ZERO };
        }
        self.quiet_for += slept;
        self.quiet_for
    }
}

/// Says how long `sleep` took. That is no more than its nominal length, so that a machine too busy to
/// run this thread passes no time.
fn nap(sleep: impl FnOnce()) -> Duration {
    let start = clock::now();
    sleep();
    start.elapsed().min(NAP)
}

impl Scheduler {
    /// A figure that changes whenever anything moves.
    fn progress(&self) -> u64 {
        self.workers()
            .map(|worker| worker.beginnings_and_ends() + worker.counts.finished())
            .fold(0, u64::wrapping_add)
    }

    /// A figure that also changes when somebody inside a poll begins or ends to block.
    fn progress_in_polls(&self) -> u64 {
        self.workers().map(|worker| worker.ticks()).fold(0, u64::wrapping_add)
    }

    /// Of the workers that are in a poll: how long they have had a core so far.
    fn core_times(&self) -> Vec<(usize, Duration)> {
        let in_poll = self.workers().filter(|worker| worker.is_in_poll());
        in_poll.filter_map(|worker| Some((worker.index, worker.thread().core_time()?))).collect()
    }

    /// Whether one of those in a poll waits for a core, and has hardly had one since then.
    fn somebody_lacks_a_core(&self, since: &[(usize, Duration)]) -> bool {
        since.iter().any(|&(index, before)| {
            self.worker(index).is_some_and(|worker| {
                let (is_in_poll, thread) = (worker.is_in_poll(), worker.thread());
                let now = thread.core_time().unwrap_or(Duration::MAX);
                is_in_poll && now.saturating_sub(before) < FAIR_CHANCE && !thread.is_asleep()
            })
        })
    }

    fn workers_in_poll(&self) -> usize {
        self.workers().filter(|worker| worker.is_in_poll()).count()
    }

    fn has_free_worker(&self) -> bool {
        self.workers_in_poll() < self.idle.working()
    }

    /// Whether some of the living goroutines wait for a worker, and some worker is free for them.
    fn has_worker_for(&self, live: usize) -> bool {
        self.has_free_worker() && self.workers_in_poll() < live
    }
}
