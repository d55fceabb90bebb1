//! Drives one future on the calling thread: poll, park, poll again.
//!
//! The thread keeps time for its future: before each poll it fires the future's due timers, and it
//! sleeps no longer than to the next deadline (`timer_queue/mod.rs`).

#![forbid(unsafe_code)]

use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::thread;

use crate::backoff::{SpinOutcome, spin_until};
use crate::clock;
use crate::scheduler::budget::Left;
use crate::scheduler::context::{self, Role, WakerId};
use crate::scheduler::gate;
use crate::scheduler::main::driver::{Driver, Listener};
use crate::scheduler::shared::Scheduler;
use crate::scheduler::simulation::run::{Waiting, is_mains_thread, polled_here};
use crate::scheduler::simulation::state::Simulation;
use crate::scheduler::simulation::steps::Number;
use crate::scheduler::trace::event::EventKind;
use crate::scheduler::wait::{ActivityCell, RawActivity};

/// After the thread finds that others want its core, it skips spinning before this many sleeps.
/// Spinning would make it late for its own timers.
const SLEEPS_AFTER_CONTENTION: u32 = 64;

/// Polls `future` until it is ready. Returns `None` if `interrupted` returns true first, between
/// two polls. The code that makes `interrupted` true unparks the thread. Only an unhandled panic
/// that unwinds main interrupts; exit does not.
pub(crate) fn drive<F: Future>(
    mut future: Pin<&mut F>,
    interrupted: impl Fn() -> bool,
) -> Option<F::Output> {
    let driver = Driver::new(listener());
    let waker = Waker::from(driver.clone());
    let driving = Driving::new(driver, &waker);
    let mut contended = 0;
    loop {
        while !driving.driver.take_wake() {
            // First: this may call user code, which may park this thread, and so consume the park
            // token of a wake or an interruption.
            driving.wake_due();
            if interrupted() {
                return None;
            }
            if contended > 0 {
                contended -= 1;
                if !driving.driver.is_woken() {
                    driving.sleep();
                }
                continue;
            }
            match spin_until(|| driving.driver.is_woken()) {
                SpinOutcome::Ready => continue,
                SpinOutcome::TimedOut => {}
                SpinOutcome::Contended => contended = SLEEPS_AFTER_CONTENTION,
            }
            driving.sleep();
        }
        if interrupted() {
            return None;
        }
        driving.wake_due();
        driving.begin_poll();
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return Some(output);
        }
        driving.note_wait();
        if let Some(waiting) = driving.in_simulation() {
            // Then it is woken, or interrupted.
            waiting.await_turn(|| driving.driver.is_woken(), &interrupted);
            // Who is told of a wake late has had its turn for it.
            driving.driver.set_woken();
            driving.has_polled.set(false);
        }
    }
}

/// Who is told of the wakes of a future that the calling thread drives.
fn listener() -> Option<Listener> {
    context::with_inside(|context| {
        let scheduler = &context?.scheduler;
        // A waker may be kept for ever. And it does not hold the scheduler, even for a moment: whoever wakes would
        // drop it, and what the program has given it, if all others have done so meanwhile.
        if let Some(simulation) = scheduler.simulation_here() {
            let weak = Arc::downgrade(simulation);
            return Some(Listener::After(Box::new(move |address| {
                weak.upgrade().iter().for_each(|simulation| simulation.wake_driver(address));
            })));
        }
        let weak = Arc::downgrade(scheduler.trace.as_ref()?);
        Some(Listener::Before(Box::new(move |address| {
            if let Some(trace) = weak.upgrade() {
                context::record_in(&trace, EventKind::Woken, address);
            }
        })))
    })
}

/// The calling thread while it drives a future. Dropping it ends that.
struct Driving {
    driver: Arc<Driver>,
    /// The runtime that the thread is in, if any, and what it drove there before.
    inside: Option<(Arc<Scheduler>, Option<Arc<Driver>>, WakerId)>,
    /// The thread is main's.
    is_main: bool,
    /// The budget left to the outer poll.
    budget: Option<Left>,
    /// Whether the outer poll only probes. A driver waits.
    outer_probes: bool,
    /// Who ran before, in a simulation.
    outer_number: Option<Number>,
    /// How many operations had given way on this thread before, and when the last poll began.
    outer_given_way: u64,
    given_way: Cell<u64>,
    /// It has begun a step, and that is not noted.
    has_polled: Cell<bool>,
}

impl Driving {
    fn new(driver: Arc<Driver>, waker: &Waker) -> Self {
        let mut budget = None;
        let mut is_main = false;
        let inside = context::with_inside(|context| {
            let context = context?;
            let former = context.driver.replace(Some(driver.clone()));
            let former_waker = context.driver_waker.replace(WakerId::of(waker));
            budget = Some(context.budget.save());
            is_main = matches!(context.role, Role::Main(_));
            Some((context.scheduler.clone(), former, former_waker))
        });
        let outer_probes = gate::set_probing(false);
        let mut driving = Driving {
            driver,
            inside,
            is_main,
            budget,
            outer_probes,
            outer_number: None,
            outer_given_way: gate::times_given_way(),
            given_way: Cell::new(0),
            has_polled: Cell::new(false),
        };
        let begin = |simulation: &Arc<Simulation>| {
            simulation.begin_drive(driving.driver.address(), is_mains_thread())
        };
        driving.outer_number = driving.simulation().map(begin);
        driving
    }

    /// The simulation that the calling thread runs, if it does.
    fn simulation(&self) -> Option<&Arc<Simulation>> {
        let (scheduler, ..) = self.inside.as_ref()?;
        scheduler.simulation_here()
    }

    /// For a thread of a simulation: what waits for its turn.
    fn in_simulation(&self) -> Option<Waiting<'_>> {
        let (scheduler, ..) = self.inside.as_ref()?;
        let address = self.driver.address();
        let (simulation, given_way) = (self.simulation()?, self.given_way.get());
        Some(Waiting { scheduler, simulation, address, given_way })
    }

    /// Fires the future's due timers.
    fn wake_due(&self) {
        if let (Some(shard), Some((scheduler, ..))) = (self.driver.shard(), &self.inside) {
            scheduler.wake_driver_due(shard, clock::now());
        }
    }

    fn begin_poll(&self) {
        self.record(EventKind::DrivePollBegins);
        context::with_inside(|context| {
            if let Some(context) = context {
                context.approach_sample(context::SLEEP);
                context.budget.refill();
                if let Some(simulation) = self.simulation() {
                    context.budget.set(simulation.driver_budget(self.driver.address()));
                    self.given_way.set(gate::times_given_way());
                    self.has_polled.set(true);
                }
                context.wait.set(None);
                context.driving().into_iter().for_each(ActivityCell::set_running);
            }
        });
    }

    /// For reports.
    fn note_wait(&self) {
        self.record(EventKind::DrivePollEnds);
        context::with_inside(|context| {
            if let Some(context) = context
                && let Some(driving) = context.driving()
            {
                // First, so that this wait is never seen with the age of one before.
                if let (true, Some(diagnostics)) = (self.is_main, &context.scheduler.diagnostics) {
                    diagnostics.note_main_wait();
                }
                driving.set_waiting(context.wait.get());
            }
        });
    }

    fn record(&self, kind: EventKind) {
        if let Some((scheduler, ..)) = &self.inside
            && let Some(trace) = &scheduler.trace
        {
            let subject = self.driver.address();
            context::with_inside(|context| {
                let context = context.expect("it is inside");
                let activity = RawActivity::waiting(context.wait.get());
                match &context.recorder {
                    Some(recorder) => recorder.drive(kind, subject, activity),
                    None => trace.record_outside(kind, subject, 0, activity),
                }
            });
        }
    }

    /// Sleeps until the thread is unparked, or until the next deadline.
    fn sleep(&self) {
        match &self.inside {
            Some((scheduler, ..)) if self.is_main => {
                scheduler.main_sleep.begin(&self.driver);
                scheduler.idle.note_main_sleep();
                self.park();
                scheduler.main_sleep.end();
            }
            _ => self.park(),
        }
    }

    fn park(&self) {
        let (Some(shard), Some((scheduler, ..))) = (self.driver.shard(), &self.inside) else {
            return thread::park();
        };
        match scheduler.timers.driver_limit(shard, clock::now()) {
            Some(limit) => {
                shard.set_driver_asleep(true);
                thread::park_timeout(limit);
                shard.set_driver_asleep(false);
            }
            None => thread::park(),
        }
    }
}

impl Drop for Driving {
    fn drop(&mut self) {
        gate::set_probing(self.outer_probes);
        self.record(EventKind::DriveEnds);
        if let (Some(simulation), Some(number)) = (self.simulation(), self.outer_number) {
            let polled = self.has_polled.get().then(|| polled_here(self.given_way.get(), false));
            simulation.end_drive(self.driver.address(), number, polled.as_ref());
            // What has given way in here is not the outer poll's.
            gate::set_times_given_way(self.outer_given_way);
        }
        let Some((scheduler, former, former_waker)) = self.inside.take() else { return };
        context::with_inside(|context| {
            let context = context.expect("it was there before");
            context.driver.replace(former);
            context.driver_waker.set(former_waker);
            // For the outer poll this was one operation. A goroutine that exit drops does no other.
            let is_dropped_next = scheduler.is_closing() && context.polling.get().is_some();
            match self.budget {
                Some(left) if !is_dropped_next => context.budget.restore_after_drive(left),
                _ => context.budget.set(0),
            }
            context.wait.set(None);
            context.driving().into_iter().for_each(ActivityCell::set_running);
        });
        if let Some(shard) = self.driver.shard() {
            scheduler.timers.detach(shard);
        }
    }
}
