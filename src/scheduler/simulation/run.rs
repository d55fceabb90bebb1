//! What a simulation does between two polls of main: others have their turns.

#![forbid(unsafe_code)]

use std::panic::resume_unwind;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use crate::clock;
use crate::scheduler::context::{self, Context, Role};
use crate::scheduler::gate;
use crate::scheduler::goroutine::task;
use crate::scheduler::main::main_guard::GivenUp;
use crate::scheduler::shared::{Phase, Scheduler};
use crate::scheduler::simulation::baton::{Baton, Signal};
use crate::scheduler::simulation::panic_hook;
use crate::scheduler::simulation::{Planned, Polled, Simulation, Trouble, Turn};

/// A deadline that is so far away never comes: those of timers that wait for something else.
const NEVER: Duration = Duration::from_secs(20 * 365 * 24 * 3600);

/// How long a run that seems to be deadlocked waits for a thread outside, in real time.
const PATIENCE: Duration = Duration::from_millis(20);

/// A future that the calling thread drives, and that waits for its turn.
pub(crate) struct Waiting<'a> {
    pub(crate) scheduler: &'a Arc<Scheduler>,
    pub(crate) simulation: &'a Arc<Simulation>,
    /// Of the driver.
    pub(crate) address: usize,
    /// How many operations had given way on this thread when its poll began.
    pub(crate) given_way: u64,
}

/// The poll of a driver's future on the calling thread, which has just ended.
pub(crate) fn polled_here(given_way: u64, is_suspended: bool) -> Polled {
    context::with_inside(|context| Polled {
        spawned_at: None,
        is_suspended,
        gave_way: gate::times_given_way() != given_way,
        left: context.map_or(0, |context| context.budget.left()),
        wait: context.and_then(|context| context.wait.get()),
    })
}

impl Waiting<'_> {
    /// Others run until this one is chosen, or interrupted.
    pub(crate) fn await_turn(&self, is_woken: bool, interrupted: impl Fn() -> bool) {
        let &Waiting { scheduler, simulation, address, given_way } = self;
        let baton = Arc::new(Baton::new());
        simulation.driver_waits(address, &baton, is_woken, &polled_here(given_way, true));
        let is_of_goroutine = context::with_inside(|context| {
            context.is_some_and(|context| context.worker().is_some())
        });
        if simulation.settings.is_threaded {
            pass_to_goroutines(scheduler, simulation);
            baton.wait();
            clock::simulate(Some(simulation.now()));
        } else if is_of_goroutine {
            simulation.note_trouble(Trouble::NeedsThreads);
            give_up();
        } else {
            run_here(scheduler, interrupted);
        }
        simulation.driver_runs(address);
        if is_of_goroutine && scheduler.phase() != Phase::Running {
            give_up();
        }
    }
}

/// Unwinds a nested `block_on` of a run that ends.
fn give_up() -> ! {
    resume_unwind(Box::new(GivenUp))
}

/// Goroutines run on the calling thread, which is main's, until it is main's turn.
fn run_here(scheduler: &Arc<Scheduler>, interrupted: impl Fn() -> bool) {
    let context = goroutines_context(scheduler, 0);
    context.enter(|| {
        while !interrupted() {
            match next_turn(scheduler) {
                Some(Turn::Task(planned)) => take_step(&context, planned),
                Some(Turn::Driver(_)) => return,
                None => debug_assert!(interrupted(), "only trouble leaves nobody to run"),
            }
        }
    });
}

/// For a thread that runs goroutines. Its worker counts as blocked, so that nothing is pushed to its queue.
fn goroutines_context(scheduler: &Arc<Scheduler>, index: usize) -> Context {
    let worker = scheduler.make_worker(index);
    if !worker.is_blocked() {
        scheduler.idle.worker_added();
        scheduler.idle.block(&worker.parker);
    }
    Context::new(scheduler.clone(), Role::Worker(worker))
}

fn simulation_of(scheduler: &Scheduler) -> &Arc<Simulation> {
    scheduler.simulation().expect("it is simulated")
}

fn take_step(context: &Context, planned: Planned) {
    let worker = context.worker().expect("it runs goroutines");
    let given_way = gate::times_given_way();
    let mut spawned_at = None;
    let ran = task::run(planned.task, context, worker, |site| {
        spawned_at = Some(site.spawned_at);
        context.budget.set(planned.budget);
    });
    context.end_pending(ran.is_queued);
    let polled = Polled {
        spawned_at,
        is_suspended: ran.is_suspended,
        gave_way: gate::times_given_way() != given_way,
        left: context.budget.left(),
        wait: context.wait.get(),
    };
    simulation_of(&context.scheduler).note_step(&planned, polled);
}

/// Whose turn it is. Moves the clock if nobody can run. `None`: main must end, and has been told so.
fn next_turn(scheduler: &Arc<Scheduler>) -> Option<Turn> {
    let simulation = simulation_of(scheduler);
    let describe = || scheduler.describe();
    loop {
        if scheduler.phase() != Phase::Running || simulation.is_resting() {
            return simulation.next_turn();
        }
        if simulation.trouble(describe) {
            scheduler.main.crash(Box::new(GivenUp));
            return None;
        }
        if let Some(turn) = simulation.next_turn() {
            return Some(turn);
        }
        if simulation.wake_settling() || move_clock(scheduler, simulation) {
            continue;
        }
        if !simulation.wait_for_outside(PATIENCE) {
            simulation.note_trouble(Trouble::Deadlock(describe()));
        }
    }
}

/// Moves the clock to the next deadline, and wakes those who are due. Returns whether there are any.
fn move_clock(scheduler: &Scheduler, simulation: &Simulation) -> bool {
    let Some(deadline) = scheduler.timers.earliest() else { return false };
    if deadline > simulation.now() + NEVER {
        return false;
    }
    let now = simulation.move_clock(deadline);
    clock::simulate(Some(now));
    let mut due = Vec::new();
    scheduler.timers.take_internal_due(now, |waker| due.push(waker));
    scheduler.timers.take_foreign_due(now, |waker| due.push(waker));
    let any = !due.is_empty();
    while !due.is_empty() {
        let chosen = if due.len() > 1 { simulation.below(due.len()) } else { 0 };
        scheduler.wake(due.remove(chosen));
    }
    any
}

/// Goroutines run until none can: for main's thread, when main has ended. The clock stands still.
pub(crate) fn run_to_rest(scheduler: &Arc<Scheduler>) {
    let simulation = simulation_of(scheduler);
    if !simulation.settings.is_threaded {
        let context = goroutines_context(scheduler, 0);
        context.enter(|| {
            while let Some(Turn::Task(planned)) = simulation.next_turn() {
                take_step(&context, planned);
            }
        });
        return;
    }
    let own = simulation.rest_at();
    pass_to_goroutines(scheduler, simulation);
    own.wait();
    simulation.end_rest();
}

/// Cancels goroutines when main has ended. Those in a nested `block_on` are unwound.
pub(crate) fn cancel_all(scheduler: &Arc<Scheduler>) {
    let simulation = simulation_of(scheduler);
    simulation.close();
    run_to_rest(scheduler);
    while let Some(waiting) = simulation.take_waiting() {
        let own = simulation.rest_at();
        waiting.pass(Signal::Go);
        own.wait();
        simulation.end_rest();
    }
    simulation.end_threads();
}

/// Gives the turn to a thread that runs goroutines. The caller then waits for its own.
fn pass_to_goroutines(scheduler: &Arc<Scheduler>, simulation: &Arc<Simulation>) {
    let Err(index) = simulation.pass_to_spare() else { return };
    let scheduler = scheduler.clone();
    let baton = Arc::new(Baton::new());
    let own = baton.clone();
    let thread = thread::Builder::new().name(format!("gorun-{index}"));
    let started = thread.spawn(move || run_goroutines(&scheduler, &own, index));
    simulation.note_thread(started.expect("a thread for goroutines"));
    baton.pass(Signal::Go);
}

fn run_goroutines(scheduler: &Arc<Scheduler>, own: &Arc<Baton>, index: usize) {
    let simulation = simulation_of(scheduler);
    let _watched = panic_hook::watch(simulation.panics.clone());
    let wait = || {
        let goes = own.wait() == Signal::Go;
        clock::simulate(Some(simulation.now()));
        goes
    };
    if !wait() {
        return;
    }
    let context = goroutines_context(scheduler, index);
    context.enter(|| {
        loop {
            let to = match next_turn(scheduler) {
                Some(Turn::Task(planned)) => {
                    take_step(&context, planned);
                    continue;
                }
                Some(Turn::Driver(baton)) => baton,
                None => simulation.where_main_waits(),
            };
            simulation.add_spare(own);
            to.pass(Signal::Go);
            if !wait() {
                return;
            }
        }
    });
    context::end_thread();
}
