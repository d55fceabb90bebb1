//! What a worker thread does: find a goroutine and run it; without any, search; without success,
//! sleep.

#![forbid(unsafe_code)]

use std::cell::RefCell;
use std::mem;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::backoff::{SpinOutcome, spin_until, yield_for};
use crate::clock;
use crate::rng::Rng;
use crate::scheduler::context::{self, Context};
use crate::scheduler::goroutine::task;
use crate::scheduler::idle::Mode;
use crate::scheduler::idle::parker::Parker;
use crate::scheduler::io::system::System;
use crate::scheduler::queues::prefetch::prefetch;
use crate::scheduler::queues::run_queue::RawTask;
use crate::scheduler::reactor::Token;
use crate::scheduler::reactor::source::Woken;
use crate::scheduler::shared::{Phase, Scheduler};
use crate::scheduler::trace::event::EventKind;
use crate::scheduler::trace::recorder::Recorder;
use crate::scheduler::worker::Worker;
use crate::scheduler::worker::seen::run_seen;
use crate::scheduler::worker::steal_meter::{StealMeter, Worth};
use crate::scheduler::worker::turns::Turns;

/// How many times in a row the next slot goes before the ring, while the ring has tasks.
const MAX_SLOT_STREAK: u32 = 3;

/// How many polls ahead a worker prefetches the memory of a goroutine. Measured: two is better than
/// one, and four is no better.
const FETCH_AHEAD: u32 = 2;

/// The longest time that a worker lets tiny goroutines accumulate before it takes more.
const MAX_PAUSE: Duration = Duration::from_micros(100);

/// The least time between two looks for events while there is other work. A look is a system call,
/// and 61 polls may take no longer.
const LOOK_INTERVAL: Duration = Duration::from_micros(200);

/// How many times a searcher visits all workers before it gives up.
const SEARCH_ROUNDS: usize = 2;

pub(super) struct RunLoop<'a> {
    context: &'a Context,
    scheduler: &'a Arc<Scheduler>,
    worker: &'a Worker,
    rng: Rng,
    turns: Turns,
    slot_streak: u32,
    steals: StealMeter,
    /// When it looked for events, while there was other work.
    looked_last: Instant,
    /// Events may have come that spare a sleep: so it was the last time. Otherwise a searcher does
    /// not look, since the poller's sleep ends at once if there are any.
    expects_events: bool,
    /// What this worker is about to wake after a look, or a sleep as the poller.
    woken: Vec<Woken>,
    /// It is a spare that was told to retire.
    is_retired: bool,
}

impl<'a> RunLoop<'a> {
    pub(super) fn new(context: &'a Context) -> Self {
        let worker = context.worker().expect("only workers run goroutines");
        let scheduler = &context.scheduler;
        RunLoop {
            context,
            scheduler,
            worker,
            rng: Rng::new(!scheduler.seed_of(worker.index)),
            turns: Turns::new(),
            slot_streak: 0,
            steals: StealMeter::new(),
            looked_last: clock::now(),
            expects_events: false,
            woken: Vec::new(),
            is_retired: false,
        }
    }

    // Never inline: inside `thread_main` the loop has fewer registers, which costs four
    // instructions a poll.
    #[inline(never)]
    pub(super) fn run(&mut self) {
        let (context, worker) = (self.context, self.worker);
        'search: while let Some(mut task) = self.find_task() {
            loop {
                match context.sees_polls {
                    false => _ = task::run(task, context, worker, |_| {}),
                    true => run_seen(task, context, worker),
                }
                if !worker.parker.must_check_in() || !self.check_in() {
                    continue 'search;
                }
                match self.search(true) {
                    Some(found) => task = found,
                    None => break 'search,
                }
            }
        }
        if !self.is_retired {
            self.call_foreign(Scheduler::stop_foreign_timers);
            self.scheduler.idle.worker_removed(&self.worker.parker);
            self.scheduler.pass_on_shared_work();
        }
    }

    /// The next goroutine to run, or `None` when this worker must end. When the runtime ends, the
    /// worker first drops what is still queued.
    #[inline]
    fn find_task(&mut self) -> Option<RawTask> {
        if self.turns.is_check_due()
            && let Some(task) = self.check_outside()
        {
            return Some(task);
        }
        self.own_or_injected_task().or_else(|| self.search(false))
    }

    /// For a worker that was asked to check in, or written off, in its last poll. Returns whether
    /// it is in excess; then it has left its queue to others.
    #[cold]
    fn check_in(&mut self) -> bool {
        let is_excess = self.scheduler.idle.check_in(&self.worker.parker);
        if is_excess {
            self.scheduler.inject_queue_of(self.worker);
        }
        self.turns.check_soon(self.context.yielded_to_none.take());
        is_excess
    }

    #[inline]
    fn own_or_injected_task(&mut self) -> Option<RawTask> {
        self.own_task().or_else(|| self.injected_task())
    }

    /// What follows may take a while: it does not belong to the next poll.
    fn pause_record(&self) {
        self.context.recorder.iter().for_each(Recorder::pause);
    }

    /// Searches, and sleeps, until there is a task, or until this worker must end.
    fn search(&mut self, is_excess: bool) -> Option<RawTask> {
        let (scheduler, me) = (self.scheduler, self.context.worker().expect("it is a worker"));
        self.pause_record();
        let worth = self.steals.end();
        let mut mode = match worth {
            Worth::OneTiny | Worth::ManyTiny(_) if scheduler.idle.others_are_awake() => {
                Mode::BackingOff
            }
            _ if is_excess => Mode::Waiting,
            _ => self.begin_search(),
        };
        // Another worker spawns them one by one. Let more of them accumulate than last time.
        let mut pause = match worth {
            Worth::ManyTiny(took) => Some((2 * took).min(MAX_PAUSE)),
            Worth::OneTiny | Worth::Fair => None,
        };
        let mut has_polled = false;
        loop {
            let mut found = None;
            if mode == Mode::Searching {
                if !mem::take(&mut has_polled) {
                    mode = self.check_outside_as_searcher();
                }
                if self.turns.are_taken() {
                    found = self.task_in_turn();
                }
                found = found.or_else(|| self.own_or_injected_task());
                if mode == Mode::Searching {
                    found = found.or_else(|| self.steal());
                }
            }
            if found.is_some() || self.is_to_end() {
                if mode == Mode::Searching && scheduler.idle.end_search() {
                    scheduler.pass_on_shared_work();
                }
                self.steals.begin();
                return found;
            }
            if scheduler.is_closing() {
                // Perhaps this worker ran the last goroutine that exit waits for.
                scheduler.main.unpark();
            }
            let token = scheduler.try_poller_token();
            if mode == Mode::Searching && token.is_none() {
                if let Some(pause) = pause {
                    yield_for(pause);
                }
                // On a busy machine this may take long, and meanwhile no push wakes another worker.
                let came = spin_until(|| self.is_to_end() || scheduler.has_shared_work_or_timers());
                if came == SpinOutcome::Ready {
                    continue;
                }
            }
            if !self.sleep(me, mode, token) {
                self.is_retired = true;
                return None;
            }
            has_polled = !self.woken.is_empty();
            if has_polled {
                self.expects_events = self.woken.len() > 1;
                // To this worker's own ring.
                scheduler.wake_ready(&mut self.woken);
                has_polled = !scheduler.has_left_wakers();
            }
            // What this worker knew before its sleep is out of date.
            (mode, pause) = (Mode::Searching, None);
        }
    }

    /// Returns `false` if this worker must retire.
    fn sleep(
        &mut self,
        me: &Arc<Worker>,
        mode: Mode,
        token: Option<Token<'_, System, Worker>>,
    ) -> bool {
        self.context.record(EventKind::SleepBegins, usize::from(token.is_some()), 0);
        self.worker.busy.end();
        let may_go_on = match token {
            Some(token) => self.sleep_as_poller(me, mode, token),
            None => self.scheduler.idle.sleep(me, mode, || self.must_stay_awake()),
        };
        self.worker.busy.begin();
        self.context.record(EventKind::SleepEnds, 0, 0);
        self.context.approach_sample(context::SLEEP);
        may_go_on
    }

    fn must_stay_awake(&self) -> bool {
        self.is_to_end() || self.scheduler.has_shared_work_locked()
    }

    /// Sleeps in the reactor. Returns `false` if this worker must retire. Whom to wake afterwards
    /// is in `woken`.
    fn sleep_as_poller(
        &mut self,
        me: &Arc<Worker>,
        mode: Mode,
        token: Token<'_, System, Worker>,
    ) -> bool {
        // A poller has no time limit, so it does not back off.
        let mode = if mode == Mode::BackingOff { Mode::Waiting } else { mode };
        let woken = RefCell::new(mem::take(&mut self.woken));
        let poll = |parker: &Parker| {
            let mut token = token;
            token.sleep(parker, &mut woken.borrow_mut())
        };
        let hand_over = || {
            self.context.injects_woken.set(true);
            self.scheduler.wake_ready(&mut woken.borrow_mut());
            self.context.injects_woken.set(false);
            self.worker.parker.clear_events();
            if self.scheduler.has_left_wakers() {
                // This worker goes on sleeping, and the monitor may sleep as well.
                self.scheduler.idle.notify_monitor();
            }
        };
        let idle = &self.scheduler.idle;
        let may_go_on = idle.sleep_as_poller(me, mode, || self.must_stay_awake(), poll, hand_over);
        self.worker.parker.clear_events();
        self.woken = woken.into_inner();
        may_go_on
    }

    fn begin_search(&self) -> Mode {
        if self.scheduler.idle.begin_search() { Mode::Searching } else { Mode::Waiting }
    }

    #[inline]
    fn is_to_end(&self) -> bool {
        self.scheduler.phase() == Phase::Ended
    }

    /// Looks for events, if it is time. The goroutines go where `check_timers` sends them.
    fn look_in_passing(&mut self) {
        if self.scheduler.has_sources() {
            let now = clock::now();
            if now.saturating_duration_since(self.looked_last) >= LOOK_INTERVAL {
                self.looked_last = now;
                self.scheduler.look_at_io(&mut self.woken);
            }
        }
    }

    /// Fires due timers that have internal wakers. Their goroutines go to this worker's own ring,
    /// or to the injector while `injects_woken` is set. Returns whether there are foreign wakers
    /// to call.
    #[inline]
    fn check_timers(&self) -> bool {
        !self.scheduler.timers.is_empty() && self.scheduler.wake_internal_due(clock::now())
            || self.scheduler.has_left_wakers()
    }

    fn call_foreign_due(&self) {
        self.call_foreign(|scheduler| {
            scheduler.wake_due(clock::now());
            scheduler.call_left_wakers();
        });
    }

    /// Foreign wakers are user code and may block, so the monitor and exit see this as a poll.
    #[cold]
    fn call_foreign(&self, wake: impl FnOnce(&Scheduler)) {
        self.worker.begin_call();
        self.context.record(EventKind::CallBegins, 0, 0);
        wake(self.scheduler);
        self.context.record(EventKind::CallEnds, 0, 0);
        self.worker.end_poll();
    }

    /// Returns what this worker, a searcher, is now. It stops searching while it calls foreign
    /// code, because pushes would otherwise rely on it.
    fn check_outside_as_searcher(&mut self) -> Mode {
        if self.expects_events || self.scheduler.has_no_poller() {
            let woken = self.scheduler.look_at_io(&mut self.woken);
            self.expects_events = woken.is_some_and(|woken| woken > 0);
        }
        if !self.check_timers() {
            return Mode::Searching;
        }
        if self.scheduler.idle.end_search() {
            self.scheduler.pass_on_shared_work();
        }
        self.call_foreign_due();
        self.begin_search()
    }

    /// A task from this worker's own queue.
    #[inline]
    fn own_task(&mut self) -> Option<RawTask> {
        if let Some(task) = self.next_slot_task() {
            return Some(task);
        }
        self.slot_streak = 0;
        let task = self.worker.ring.pop();
        prefetch(self.worker.ring.upcoming(FETCH_AHEAD));
        task
    }

    /// The turn of what belongs to no worker: the timers, I/O and the injector.
    #[cold]
    fn check_outside(&mut self) -> Option<RawTask> {
        self.pause_record();
        self.context.approach_sample(context::LOOK);
        self.turns.begin_check(self.worker.pace());
        self.context.injects_woken.set(self.turns.are_taken());
        self.look_in_passing();
        if self.check_timers() {
            self.call_foreign_due();
        }
        self.context.injects_woken.set(false);
        if self.turns.are_taken() {
            return self.task_in_turn();
        }
        self.injected_task()
    }

    fn task_in_turn(&mut self) -> Option<RawTask> {
        self.turns.next(&self.scheduler.injector, || self.worker.has_tasks())
    }

    /// The task in the next slot. If the slot had too many turns in a row, its task goes to the
    /// back of the ring instead.
    #[inline]
    fn next_slot_task(&mut self) -> Option<RawTask> {
        let task = self.worker.next.take()?;
        if self.slot_streak < MAX_SLOT_STREAK || self.worker.ring.len() == 0 {
            self.slot_streak += 1;
            return Some(task);
        }
        self.put_behind(task);
        None
    }

    #[cold]
    fn put_behind(&self, task: RawTask) {
        self.scheduler.push_back(self.worker, task);
    }

    /// A task from the injector, with a batch for the ring if polls are short.
    #[inline]
    fn injected_task(&mut self) -> Option<RawTask> {
        let task = self.take_injected()?;
        // It may have been pushed after the last poll here had ended.
        self.pause_record();
        Some(task)
    }

    fn take_injected(&mut self) -> Option<RawTask> {
        if self.turns.are_taken() {
            let injector = &self.scheduler.injector;
            return injector.take_pushed().or_else(|| injector.take_from_rings());
        }
        let (task, others) = self.scheduler.take_injected(self.worker)?;
        self.steals.add(1 + others);
        Some(task)
    }

    /// A task from another worker's ring.
    fn steal(&mut self) -> Option<RawTask> {
        let workers = self.scheduler.threads.slots_in_use();
        let closing = self.scheduler.is_closing();
        // Without others there is nobody to steal from, and it has just looked at the injector.
        let rounds = if workers == 1 { 0 } else { SEARCH_ROUNDS };
        for _ in 0..rounds {
            let start = self.rng.below(workers);
            for victim in (start..workers).chain(0..start) {
                let Some(victim) = self.scheduler.worker(victim) else { continue };
                if victim.index == self.worker.index {
                    continue;
                }
                if let Some((task, batch)) = victim.ring.steal_into(&self.worker.ring) {
                    self.steals.add(1 + batch);
                    self.worker.note_steal();
                    self.context.record(EventKind::Stolen, 1 + batch, victim.index);
                    return Some(task);
                }
                // A next slot belongs to its worker. At exit thieves take it too, because waiting
                // gains nothing.
                if closing && let Some(task) = victim.next.take() {
                    return Some(task);
                }
            }
            if let Some(task) = self.injected_task() {
                return Some(task);
            }
        }
        None
    }
}
