//! What a simulation does between two polls of main: others have their turns.

#![forbid(unsafe_code)]

#[cfg(feature = "net")]
use std::collections::HashMap;
use std::io::{self, Write};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::process;
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
#[cfg(feature = "net")]
use crate::scheduler::simulation::hosts;
use crate::scheduler::simulation::state::{Simulation, Trouble};
use crate::scheduler::simulation::steps::Polled;
use crate::scheduler::simulation::turns::{Planned, Turn};
use crate::scheduler::worker::thread_requests::too_many;

/// A deadline that is so far away never comes: those of timers that wait for something else.
const NEVER: Duration = Duration::from_secs(20 * 365 * 24 * 3600);

/// How long a run that seems to be deadlocked waits for a thread outside, in real time: to name it, or, if it may act, for
/// what it does.
const PATIENCE: Duration = Duration::from_millis(50);
const PATIENCE_IF_ALLOWED: Duration = Duration::from_secs(1);

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
    pub(crate) fn await_turn(&self, is_woken: impl Fn() -> bool, interrupted: impl Fn() -> bool) {
        let &Waiting { scheduler, simulation, address, given_way } = self;
        let baton = Arc::new(Baton::new());
        simulation.driver_waits(address, &baton, is_woken, &polled_here(given_way, true));
        let is_mains = is_mains_thread();
        if simulation.settings.is_threaded {
            if pass_to_goroutines(scheduler, simulation) {
                baton.wait();
            } else if !is_mains {
                simulation.where_main_waits().pass(Signal::Go);
                baton.wait();
            }
            clock::simulate(Some(simulation.now()));
        } else if is_mains {
            run_here(scheduler, &interrupted);
        } else {
            simulation.note_trouble(Trouble::NeedsThreads);
        }
        if !simulation.driver_runs(address) && !interrupted() {
            end_nested(scheduler, is_mains);
        }
    }
}

/// Whether the calling code runs for main, and not for a goroutine.
pub(crate) fn is_mains_thread() -> bool {
    context::with_inside(|context| context.is_none_or(|context| context.worker().is_none()))
}

/// Nobody will wake what this thread drives: the run ends. Unwinds, if that is possible.
fn end_nested(scheduler: &Scheduler, is_mains: bool) -> ! {
    let simulation = simulation_of(scheduler);
    if is_mains {
        simulation.note_trouble(Trouble::Deadlock(scheduler.describe()));
    }
    if !thread::panicking() {
        resume_unwind(Box::new(GivenUp));
    }
    if is_mains || !simulation.settings.is_threaded {
        abort(simulation);
    }
    // The thread is left behind.
    simulation.where_main_waits().pass(Signal::Go);
    loop {
        thread::park();
    }
}

/// A destructor waits for ever, and its thread panics already.
fn abort(simulation: &Simulation) -> ! {
    let mut text = "gorun: a destructor waits in `block_on`, while its thread panics, for what never comes in this \
                    simulated run; so the process must end\n"
        .to_owned();
    for (message, place) in simulation.panics.all() {
        text += &format!("a panic at {place}: {message}\n");
    }
    simulation
        .inspect(|_, steps, _| steps.last().for_each(|step| _ = step.print(&mut text, true, &[])));
    // Not by `eprintln`, of which a harness would show nothing.
    _ = io::stderr().write_all(text.as_bytes());
    process::abort();
}

/// Goroutines run on the calling thread, which is main's, until it is main's turn, or the run ends.
fn run_here(scheduler: &Arc<Scheduler>, interrupted: &impl Fn() -> bool) {
    let context = goroutines_context(scheduler, 0);
    context.enter(|| {
        while !interrupted()
            && let Some(Turn::Task(planned)) = next_turn(scheduler)
        {
            take_step(&context, planned);
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

impl Scheduler {
    /// The simulation, if the calling thread runs it. Threads outside must not take what belongs to a schedule.
    pub(crate) fn simulation_here(&self) -> Option<&Arc<Simulation>> {
        self.simulation().filter(|_| clock::is_simulated())
    }
}

fn simulation_of(scheduler: &Scheduler) -> &Arc<Simulation> {
    scheduler.simulation().expect("it is simulated")
}

fn take_step(context: &Context, planned: Planned) {
    let worker = context.worker().expect("it runs goroutines");
    let given_way = gate::times_given_way();
    let mut spawned_at = None;
    let ran = task::run(planned.task, context, worker, |meta| {
        spawned_at = Some(meta.spawned_at());
        context.budget.set(planned.budget);
        if planned.is_dead {
            meta.set_aborted();
        }
    });
    context.end_pending(ran.is_queued);
    let polled = Polled {
        spawned_at,
        is_suspended: ran.is_suspended,
        gave_way: gate::times_given_way() != given_way,
        left: context.budget.left(),
        wait: context.wait.get(),
    };
    let _is_dead = simulation_of(&context.scheduler).note_step(&planned, polled);
    #[cfg(feature = "net")]
    if _is_dead {
        hosts::wake_all(&context.scheduler, &HashMap::from([(planned.task, planned.number)]));
    }
}

/// Whose turn it is. Moves the clock if nobody can run. `None`: main must end, and has been told so; or, if it
/// has ended, nobody can run.
fn next_turn(scheduler: &Arc<Scheduler>) -> Option<Turn> {
    let simulation = simulation_of(scheduler);
    let describe = || scheduler.describe();
    loop {
        if scheduler.phase() != Phase::Running || simulation.is_resting() {
            return simulation.next_turn();
        }
        let has_trouble = simulation.has_trouble(describe);
        // When main has ended, or panics, its destructors may wait.
        let may_interrupt = || !scheduler.main.is_main_done() && !simulation.main_panics();
        if (has_trouble || scheduler.main.crashed()) && may_interrupt() {
            if has_trouble {
                scheduler.main.crash(Box::new(GivenUp));
            }
            return None;
        }
        if let Some(turn) = simulation.next_turn() {
            return Some(turn);
        }
        if wake_settling(scheduler, simulation) {
            // Those who wanted to know can run.
        } else if move_clock(scheduler, simulation) {
            // Who was due can run.
        } else if has_trouble {
            return None;
        } else if !threads_act(simulation) && !move_clock(scheduler, simulation) {
            simulation.note_trouble(Trouble::Deadlock(describe()));
        }
    }
}

/// All others wait. Returns whether there was anyone to tell.
fn wake_settling(scheduler: &Scheduler, simulation: &Simulation) -> bool {
    let settling = simulation.take_settling();
    let any = !settling.is_empty();
    settling.into_iter().for_each(|waker| scheduler.wake(waker));
    any
}

/// Waits for threads outside. Returns whether one has acted.
fn threads_act(simulation: &Simulation) -> bool {
    let settings = &simulation.settings;
    match (settings.allows_threads, settings.is_repeated) {
        (true, _) => simulation.wait_for_outside(PATIENCE_IF_ALLOWED),
        (false, false) => simulation.wait_for_outside(PATIENCE),
        // It would have been named before.
        (false, true) => false,
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
    if !simulation.has_trouble(|| scheduler.describe()) {
        run_all(scheduler, simulation);
        while wake_settling(scheduler, simulation) {
            run_all(scheduler, simulation);
        }
        simulation.describe_limit(|| scheduler.describe());
    }
}

fn run_all(scheduler: &Arc<Scheduler>, simulation: &Arc<Simulation>) {
    if simulation.settings.is_threaded {
        let own = simulation.rest_at();
        if pass_to_goroutines(scheduler, simulation) {
            own.wait();
        }
        simulation.end_rest();
        return;
    }
    let context = goroutines_context(scheduler, 0);
    context.enter(|| {
        while let Some(Turn::Task(planned)) = simulation.next_turn() {
            take_step(&context, planned);
        }
    });
}

/// Cancels goroutines when main has ended. Those in a nested `block_on` for which nobody comes are unwound.
pub(crate) fn cancel_all(scheduler: &Arc<Scheduler>) {
    let simulation = simulation_of(scheduler);
    simulation.close();
    run_all(scheduler, simulation);
    while let Some(waiting) = simulation.give_one_up() {
        let own = simulation.rest_at();
        waiting.pass(Signal::Go);
        own.wait();
        simulation.end_rest();
    }
    simulation.end_threads();
}

/// Gives the turn to a thread that runs goroutines. The caller then waits for its own. `false`: there is none, and
/// main must end.
fn pass_to_goroutines(scheduler: &Arc<Scheduler>, simulation: &Arc<Simulation>) -> bool {
    let Err(index) = simulation.pass_to_spare() else { return true };
    let baton = Arc::new(Baton::new());
    let started = match index < scheduler.config.max_threads {
        true => {
            let thread = thread::Builder::new().name(format!("gorun-{index}"));
            let (scheduler, own) = (scheduler.clone(), baton.clone());
            thread.spawn(move || run_goroutines(&scheduler, &own, index))
        }
        false => Err(too_many(index)),
    };
    match started {
        Ok(thread) => {
            simulation.note_thread(baton.clone(), thread);
            baton.pass(Signal::Go);
            true
        }
        Err(error) => {
            simulation.note_trouble(Trouble::Threads(error.to_string()));
            scheduler.main.crash(Box::new(GivenUp));
            false
        }
    }
}

fn run_goroutines(scheduler: &Arc<Scheduler>, own: &Arc<Baton>, index: usize) {
    let simulation = simulation_of(scheduler);
    if own.wait() == Signal::End {
        return;
    }
    simulation.enter(|| {
        let ran = catch_unwind(AssertUnwindSafe(|| {
            let context = goroutines_context(scheduler, index);
            context.enter(|| while let Signal::Go = run_until_passed(&context, own) {});
        }));
        if ran.is_err() {
            // All user code runs under a `catch_unwind` inside.
            simulation
                .note_trouble(Trouble::Threads("a defect of gorun, please report it".to_owned()));
            simulation.where_main_waits().pass(Signal::Go);
        }
    });
    context::end_thread();
}

/// Goroutines run on the calling thread until it is another one's turn. Waits for its own.
fn run_until_passed(context: &Context, own: &Arc<Baton>) -> Signal {
    let scheduler = &context.scheduler;
    let simulation = simulation_of(scheduler);
    let to = loop {
        match next_turn(scheduler) {
            Some(Turn::Task(planned)) => take_step(context, planned),
            Some(Turn::Driver(baton)) => break baton,
            None => break simulation.where_main_waits(),
        }
    };
    simulation.add_spare(own);
    to.pass(Signal::Go);
    let signal = own.wait();
    clock::simulate(Some(simulation.now()));
    signal
}
