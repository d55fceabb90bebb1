//! Main, and what happens when it ends.
//!
//! # The order of exit
//!
//! 1. Main's future is dropped, in a live runtime, and then what is left of those that it has
//!    spawned on its own thread (`local_futures.rs`).
//! 2. The phase becomes *closing*. A worker drops each goroutine that it takes instead of polling
//!    it, and drops one that suspends right after that poll. Goroutines that are spawned now go the
//!    same way, so no thread drops a future on the stack that spawned it, perhaps under a lock.
//! 3. The registry closes and wakes every suspended goroutine, so that a worker takes it.
//!    Destructors that wake, spawn or send find a runtime that answers.
//! 4. Main's thread only waits, so it never runs a straggler's destructor. If nothing moves for a
//!    millisecond, it wakes a sleeping worker. If no worker is free, it has the monitor start one
//!    more, which reaches everything that is queued behind a goroutine that does not suspend; and
//!    another one, if that one meets a destructor that does not end. If the system refuses the
//!    thread, those goroutines stay where they are.
//! 5. It waits until no goroutine is alive, or until `grace.rs` decides that it has waited long
//!    enough. A nested `block_on` is not interrupted; if only those remain, the wait is 10 ms
//!    (`grace.rs`). Meanwhile it exhausts the budgets of running goroutines, so that each gives way
//!    at its next await, even at one that is always ready.
//! 6. The phase becomes *closed*. An outside thread that spawns from now on drops the future
//!    itself, and gets a handle that says cancelled, since no worker is left to drop it. If a
//!    goroutine was spawned at the last moment, exit goes on waiting. Exit wakes code that awaits
//!    goroutines left behind.
//! 7. A tokio runtime that gorun has started for the program is shut down (`tokio_bridge.rs`).
//! 8. The phase becomes *ended*: workers end when they find nothing more to drop, and main's thread
//!    waits for those that can end.
//! 9. Sockets that are left, outside of goroutines, wake their waiters: they have no reactor any
//!    more.
//! 10. Main's value is returned, or the winning panic is resumed.
//!
//! Goroutines left behind keep the whole scheduler alive for ever: the reference that `block_on`
//! would drop is leaked. So it still exists, whatever they do later. Besides it they need only
//! their thread, which exit detaches. Exit wakes code outside that awaits their handles.
//!
//! # Why nothing is missed
//!
//! A goroutine that is alive when the phase is set is running, queued, or suspended. If suspended,
//! it is in the registry and is woken, or it enters later and is refused (see `registry.rs`). If
//! queued or woken, a worker takes it, as long as one can, and reads the phase. If running, it
//! reads the phase when it suspends. The counts show when none is left (`live_count.rs`).

#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::future::{Future, poll_fn};
use std::io::{self, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use crate::clock;
use crate::panics;
use crate::scheduler::context::{Context, Role, WakerId};
use crate::scheduler::entered;
use crate::scheduler::goroutine::entry::Entry;
use crate::scheduler::main::drive::drive;
use crate::scheduler::main::grace::{Grace, LEAST_GRACE, NAP, Observation, Verdict};
use crate::scheduler::main::local_futures::LocalFutures;
use crate::scheduler::main::main_end::MainEnd;
use crate::scheduler::main::{left_behind, main_guard};
use crate::scheduler::shared::{Phase, Scheduler};
use crate::scheduler::simulation::run;
use crate::scheduler::worker::Worker;

/// A worker that has run on a core for this long without ending its poll makes no progress.
const FAIR_CHANCE: Duration = Duration::from_millis(5);

/// Runs main, and everything else in the runtime, to the end. `Err` is the panic to resume.
pub(crate) fn run_main<F: Future>(
    scheduler: &Arc<Scheduler>,
    main_end: Option<&MainEnd>,
    main: F,
) -> thread::Result<F::Output> {
    let context = Context::new(scheduler.clone(), Role::Main(LocalFutures::default()));
    let result = main_guard::run_as_main(&scheduler.main, || {
        context.enter(|| drive_main(&context, main, main_end.is_some_and(|end| end.settles)))
    });
    let result = match main_end {
        Some(main_end) => look_who_is_left(&context, main_end, result),
        None => result,
    };
    scheduler.enter_phase(Phase::Closing);
    scheduler.idle.keep_all();
    context.enter(|| scheduler.registry.close(Entry::wake));
    let all_done = wait_for_goroutines(scheduler);
    if !all_done {
        left_behind::publish(scheduler);
        if scheduler.config.reports_left_behind {
            report_left_behind(scheduler);
        }
    }
    entered::close_bridge(scheduler, scheduler.config.exit_grace.max(LEAST_GRACE));
    end_threads(scheduler, all_done);
    scheduler.stop_timers_left();
    scheduler.end_io();
    scheduler.threads.requests.deliver_wakes();
    result
}

/// Calls what the program has for that. If it panics, that is main's panic, unless there is one.
fn look_who_is_left<T>(
    context: &Context,
    MainEnd { call, .. }: &MainEnd,
    result: thread::Result<T>,
) -> thread::Result<T> {
    let has_panicked = result.is_err();
    let call = || context.enter(|| call(&context.scheduler, has_panicked));
    let called = catch_unwind(AssertUnwindSafe(call));
    let late = context.scheduler.main.end_settling();
    let has_failed = has_panicked || called.as_ref().is_ok_and(|has_failed| *has_failed);
    // Main's own failure wins, then that of the call, then a goroutine's.
    let mut others = called.err().into_iter().chain(late);
    let first = if has_failed { None } else { others.next() };
    let ended = match (result, first) {
        (Ok(output), Some(first)) => {
            let unwanted = catch_unwind(AssertUnwindSafe(|| drop(output)));
            unwanted.err().into_iter().for_each(panics::discard);
            Err(first)
        }
        (result, _) => result,
    };
    others.for_each(panics::discard);
    ended
}

/// Ends workers that have had no work yet, but for what hooks have spawned: that is left behind.
pub(crate) fn end_unused(scheduler: &Arc<Scheduler>) {
    entered::close_bridge(scheduler, LEAST_GRACE);
    end_threads(scheduler, true);
    if scheduler.live() > 0 {
        left_behind::publish(scheduler);
        scheduler.threads.requests.deliver_wakes();
    }
}

/// `settles`: goroutines go on for a while when main has ended.
fn drive_main<F: Future>(context: &Context, main: F, settles: bool) -> thread::Result<F::Output> {
    let scheduler = &context.scheduler;
    let local_futures = context.local_futures().expect("this is main's thread");
    let mut main = pin!(Some(main));
    let polled = catch_unwind(AssertUnwindSafe(|| {
        let mut main = main.as_mut().as_pin_mut().expect("main is dropped below");
        let all = poll_fn(|cx| {
            poll_local_futures(context, local_futures);
            let polled = main.as_mut().poll(cx);
            if polled.is_pending() {
                local_futures.watch(cx.waker());
            }
            polled
        });
        let output = drive(pin!(all), || scheduler.main.crashed() || main_guard::must_unwind());
        if output.is_none() && !scheduler.main.crashed() {
            // An outer main on this thread must stop.
            main_guard::unwind();
        }
        output
    }));
    let (output, own) = match polled {
        Ok(output) => (output, None),
        Err(payload) => (None, Some(payload)),
    };
    let panics = scheduler.main.main_done(own, settles);
    let dropped = catch_unwind(AssertUnwindSafe(|| main.set(None)));
    local_futures.close();
    // In the order in which they happened: the first wins.
    let mut panics = panics.chain(dropped.err());
    let Some(first) = panics.next() else {
        return Ok(output.expect("only a panic interrupts main"));
    };
    let unwanted = catch_unwind(AssertUnwindSafe(|| drop(output)));
    panics.chain(unwanted.err()).for_each(panics::discard);
    Err(first)
}

/// Polls those that are ready, each as if it was main.
fn poll_local_futures(context: &Context, futures: &LocalFutures) {
    let left = context.budget.left();
    futures.poll_ready(|waker, poll| {
        let mains = context.driver_waker.replace(WakerId::of(waker));
        poll();
        context.driver_waker.set(mains);
        context.budget.refill();
        // They are not main.
        context.wait.set(None);
    });
    if context.scheduler.simulation().is_some() {
        context.budget.set(left);
    }
}

/// Waits until no goroutine is alive. `false`: some still are, and do not reach their next await.
fn wait_for_goroutines(scheduler: &Arc<Scheduler>) -> bool {
    if scheduler.simulation().is_some() {
        run::cancel_all(scheduler);
        scheduler.enter_phase(Phase::Closed);
        return scheduler.live() == 0;
    }
    let mut grace = Grace::new(scheduler.config.exit_grace);
    let mut core_times = Vec::new();
    let mut slept = Duration::ZERO;
    loop {
        let seen = scheduler.observe();
        let verdict = grace.assess(&seen, slept, || scheduler.any_lacks_a_core(&core_times));
        let limit = match verdict {
            // A last goroutine may have been spawned meanwhile.
            Verdict::Done if scheduler.phase() < Phase::Closed => {
                scheduler.enter_phase(Phase::Closed);
                continue;
            }
            Verdict::Done => return true,
            Verdict::GiveUp => {
                scheduler.enter_phase(Phase::Closed);
                return scheduler.live() == 0;
            }
            Verdict::Wait(limit) => limit,
            Verdict::WakeWorker(limit) => {
                scheduler.idle.wake_sleeper();
                limit
            }
            Verdict::StartWorker(limit) => {
                scheduler.request_exit_worker();
                core_times.clear();
                limit
            }
        };
        if grace.stalled_for() < NAP {
            core_times.clear();
        } else if core_times.is_empty() {
            core_times = scheduler.core_times();
        }
        scheduler.workers().for_each(|worker| worker.budget.exhaust());
        slept = nap(limit, || thread::park_timeout(limit));
    }
}

/// Reports on standard error what is left behind. A thread of its own writes that, since one of the
/// goroutines may hold the lock of standard error. Main waits for it, but not for long.
fn report_left_behind(scheduler: &Arc<Scheduler>) {
    const REPORT_TIMEOUT: Duration = Duration::from_millis(100);
    let report = left_behind_sentence(scheduler);
    let (tell, told) = mpsc::channel();
    let write = move || {
        let _ = writeln!(io::stderr(), "{report}");
        let _ = tell.send(());
    };
    if thread::Builder::new().name("gorun-report".to_owned()).spawn(write).is_ok() {
        let _ = told.recv_timeout(REPORT_TIMEOUT);
    }
}

fn left_behind_sentence(scheduler: &Scheduler) -> String {
    const SITES: usize = 4;
    let mut sites = BTreeMap::new();
    for worker in scheduler.workers().filter(|worker| worker.is_in_poll()) {
        if let Some(site) = worker.spawn_site(worker.ticks()) {
            *sites.entry(site.to_string()).or_insert(0) += 1;
        }
    }
    let (left, running) = (scheduler.live() as usize, sites.values().sum::<usize>());
    let mut sentence = format!(
        "gorun: main has returned, and {left} of its goroutines did not end: what they would drop is cut \
         off, or never dropped"
    );
    for (place, (site, count)) in sites.iter().take(SITES).enumerate() {
        let before = if place == 0 { ". On a thread now: spawned at" } else { "," };
        sentence += &format!("{before} {site} ({count})");
    }
    if sites.len() > SITES {
        sentence += &format!(", and at {} other places", sites.len() - SITES);
    }
    if left > running {
        sentence += &format!(". {} wait behind others", left - running);
    }
    sentence + ". To give them more time use `Builder::exit_grace`"
}

/// Ends the workers, and waits for those that are not in a poll that does not end.
fn end_threads(scheduler: &Arc<Scheduler>, all_done: bool) {
    scheduler.enter_phase(Phase::Ended);
    scheduler.threads.start_joining();
    scheduler.idle.notify_all();
    let grace = scheduler.config.exit_grace.max(LEAST_GRACE);
    let mut least = usize::MAX;
    let mut alive = usize::MAX;
    let mut stalled_for = Duration::ZERO;
    // Those inside a nested `block_on` may never end, and are not waited for.
    while alive > scheduler.nested_waits.workers() {
        stalled_for += nap(NAP, || alive = scheduler.threads.wait_for_an_end(NAP));
        if alive < least {
            least = alive;
            stalled_for = Duration::ZERO;
        }
        let all_stuck = !all_done && alive <= scheduler.workers_in_poll();
        if stalled_for >= if all_stuck { LEAST_GRACE } else { grace } {
            break;
        }
    }
    scheduler.threads.join_ended();
}

/// How long `sleep` took, capped at its nominal length: time in which the machine is too busy to
/// run this thread does not count.
fn nap(nominal: Duration, sleep: impl FnOnce()) -> Duration {
    let start = clock::now();
    sleep();
    start.elapsed().min(nominal)
}

impl Scheduler {
    fn observe(&self) -> Observation {
        // An exit worker that is about to start counts as free. Read first, so that one that
        // starts now is not missed.
        let starting = self.threads.requests.exit_workers();
        let living = self.live() as usize;
        if living == 0 {
            // The rest does not matter.
            return Observation::default();
        }
        Observation {
            living,
            finished: self.finished(),
            nested: self.nested_waits.goroutines(),
            blocking_changes: self
                .workers()
                .map(Worker::blocking_changes)
                .fold(0, u64::wrapping_add),
            in_poll: self.workers_in_poll(),
            workers: self.idle.working() + starting,
        }
    }

    /// For each worker in a poll: how long it has run on a core so far.
    fn core_times(&self) -> Vec<(usize, Duration)> {
        let in_poll = self.workers().filter(|worker| worker.is_in_poll());
        in_poll.filter_map(|worker| Some((worker.index, worker.thread().core_time()?))).collect()
    }

    /// Whether a worker in a poll waits for a core, and has hardly had one since `since`.
    fn any_lacks_a_core(&self, since: &[(usize, Duration)]) -> bool {
        since.iter().any(|&(index, before)| {
            self.worker(index).is_some_and(|worker| {
                let (is_in_poll, thread) = (worker.is_in_poll(), worker.thread());
                let now = thread.core_time().unwrap_or(Duration::MAX);
                is_in_poll && now.saturating_sub(before) < FAIR_CHANCE && !thread.is_asleep()
            })
        })
    }

    pub(super) fn workers_in_poll(&self) -> usize {
        self.workers().filter(|worker| worker.is_in_poll()).count()
    }
}
