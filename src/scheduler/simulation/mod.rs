//! A run in which one thread at a time executes, and in which a seed decides who goes next.
//!
//! # Protocol
//!
//! A simulated runtime has the goroutines, channels, timers and locks of an ordinary one, and the same main.
//! It has no workers, no idle protocol and no monitor. In their place is a list of those that can run:
//! goroutines, and futures that a thread drives, main's first of all. A *step* takes one of them out and
//! polls it. `Choices` decides which, how many operations that poll may begin (`gate.rs` makes it give way
//! after that), and all that an ordinary run draws by chance.
//!
//! There are four seams, and an ordinary run pays at most a comparison for each:
//!
//! | | |
//! |---|---|
//! | push | `Scheduler::inject`: a worker here always counts as blocked, so that nothing else is pushed to |
//! | drive | `drive.rs`: instead of sleeping, a driver lets others have their turns (`run.rs`) |
//! | clock | `clock.rs`: one that moves when nothing can run, to the next deadline |
//! | chance | `context::random_below` |
//!
//! A goroutine can be interrupted where an ordinary run may interrupt it, at the gate, and nowhere else.
//!
//! # Time
//!
//! When nobody can run, the clock moves to the next deadline, and what is due is woken in an order that is
//! chosen. With jitter it moves further, and more may be due. If there is no deadline either, the run is
//! deadlocked: nobody else acts.
//!
//! # Threads
//!
//! Main's thread runs the goroutines, too, while main waits. So a run starts no thread and takes no lock
//! that others hold. But a goroutine in a nested `block_on` occupies the thread that polls it, and main must
//! stay on its own. So when that happens the run is given up, and begins again with threads for goroutines:
//! one that runs them, and one more for each that is in a nested `block_on`. A *baton* says whose turn it
//! is, and everyone else sleeps (`baton.rs`).
//!
//! # A closed world
//!
//! The run can be repeated because nothing acts from outside. A thread outside that wakes a goroutine or
//! spawns one ends the run with an error that says so, unless threads are allowed. What gorun cannot see,
//! such as the order of a `HashMap`, shows when a run is repeated and takes another step (`steps.rs`).
//!
//! # Rejected
//!
//! - A mode of the workers' loop: it would be in the way of who reads that loop, and it would still search,
//!   steal and sleep.
//! - A thread for main and one for goroutines from the start: two switches between threads for each step of
//!   main's cost more than ten polls.
//! - Threads with coroutines instead of futures, as `shuttle` has them: each dependency must be replaced.
//! - Each operation as a step of its own, whether or not it gives way: a budget by chance reaches the same
//!   orders, with fewer polls.

#![forbid(unsafe_code)]

pub(crate) mod baton;
pub(crate) mod choices;
pub(crate) mod panic_hook;
pub(crate) mod run;
pub(crate) mod steps;

use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasherDefault, Hasher};
use std::mem;
use std::panic::Location;
use std::sync::Arc;
use std::task::Waker;
use std::thread;
use std::time::{Duration, Instant};

use crate::clock;
use crate::primitives::{AtomicBool, Condvar, Mutex, MutexGuard, Ordering, lock};
use crate::rng::mix;
use crate::scheduler::budget::FULL;
use crate::scheduler::queues::run_queue::RawTask;
use crate::scheduler::wait::Wait;
use baton::{Baton, Signal};
use choices::Choices;
use panic_hook::Panics;
use steps::{Number, Step, Steps, Stop};

/// What holds for one run.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// What the clock shows at the start.
    pub(crate) start: Instant,
    pub(crate) step_limit: u64,
    /// How late timers may be.
    pub(crate) jitter: Duration,
    /// Threads outside may act.
    pub(crate) allows_threads: bool,
    /// Goroutines may be left when main has ended.
    pub(crate) allows_leaks: bool,
    /// Goroutines have threads of their own.
    pub(crate) is_threaded: bool,
    /// A schedule that has failed before runs again.
    pub(crate) is_repeated: bool,
}

/// Why a run does not go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// With a dump.
    Deadlock(String),
    /// The same.
    StepLimit(String),
    Leak(String),
    /// A thread outside has acted.
    Outside {
        thread: String,
        action: &'static str,
    },
    /// A goroutine is in a nested `block_on`.
    NeedsThreads,
    /// There are too many threads for goroutines, or the system refuses one.
    Threads(String),
    /// The run before, with the same decisions, did not take this step.
    Differs,
}

thread_local! {
    /// What the calling thread runs.
    static CURRENT: RefCell<Option<Arc<Simulation>>> = const { RefCell::new(None) };
}

/// The simulation that the calling thread runs, outside of goroutines that have threads of their own.
pub(crate) fn current() -> Option<Arc<Simulation>> {
    CURRENT.try_with(|current| current.borrow().clone()).ok().flatten()
}

pub(crate) struct Simulation {
    pub(crate) settings: Settings,
    pub(crate) panics: Arc<Panics>,
    state: Mutex<State>,
    /// A thread outside has made somebody runnable.
    outside_acted: Condvar,
}

struct State {
    /// In the order in which they became runnable.
    runnable: VecDeque<Entry>,
    known: HashMap<RawTask, Known, BuildHasherDefault<AddressHasher>>,
    next_number: u32,
    /// The futures that threads drive.
    drivers: Vec<Drive>,
    /// How many steps have begun, with those after the end of main.
    turns: u64,
    /// Who runs, or has woken others.
    running: Number,
    choices: Choices,
    steps: Steps,
    now: Instant,
    /// Those who wait until all others do.
    settling: Vec<(Arc<AtomicBool>, Waker)>,
    trouble: Option<Trouble>,
    /// Where threads wait that run goroutines.
    spares: Vec<Arc<Baton>>,
    threads: Vec<(Arc<Baton>, thread::JoinHandle<()>)>,
    /// Where main's thread waits until nobody can run.
    rests_at: Option<Arc<Baton>>,
    /// A runtime of the program runs.
    has_runtime: bool,
    /// Its main has ended, and its goroutines are cancelled: in turn, and that is no part of the run.
    is_closing: bool,
    /// A goroutine has waited in a nested `block_on`.
    has_nested: bool,
}

/// So many more steps, and as many again as the limit, what follows the end of main may take.
const MORE_TURNS: u64 = 10_000;

/// How many delays there are.
const JITTERS: usize = 1 << 12;

/// A goroutine that has not ended.
#[derive(Clone, Copy)]
struct Known {
    number: Number,
    /// An operation has begun in its last poll, or before, and has not ended.
    is_in_operation: bool,
}

/// Somebody who can run.
pub(crate) struct Entry {
    what: Runnable,
    pub(crate) number: Number,
    woken_by: Number,
}

#[derive(Clone, Copy)]
enum Runnable {
    Task(RawTask),
    /// A driver's address.
    Driver(usize),
}

/// A future that a thread drives.
struct Drive {
    address: usize,
    number: Number,
    /// Its thread is main's.
    is_mains: bool,
    /// Where its thread waits for its turn, if it does.
    waits_at: Option<Arc<Baton>>,
    /// It waits, and is among those that can run.
    is_queued: bool,
    has_turn: bool,
    is_in_operation: bool,
    /// Main has ended, and it waits for what never comes.
    is_given_up: bool,
    /// Of its present step.
    woken_by: Number,
    runnable: u32,
    budget: u32,
}

/// Whose turn it is.
pub(crate) enum Turn {
    Task(Planned),
    /// Of the one that waits there.
    Driver(Arc<Baton>),
}

/// A step to take.
pub(crate) struct Planned {
    pub(crate) task: RawTask,
    number: Number,
    woken_by: Number,
    runnable: u32,
    pub(crate) budget: u32,
}

/// How a poll has ended.
pub(crate) struct Polled {
    /// `None`: it is not a goroutine's.
    pub(crate) spawned_at: Option<&'static Location<'static>>,
    pub(crate) is_suspended: bool,
    pub(crate) gave_way: bool,
    /// What was left of its budget.
    pub(crate) left: u32,
    pub(crate) wait: Option<Wait>,
}

impl Simulation {
    pub(crate) fn new(settings: Settings, choices: Choices, steps: Steps) -> Arc<Self> {
        let now = settings.start;
        Arc::new(Simulation {
            settings,
            panics: Arc::default(),
            state: Mutex::new(State {
                runnable: VecDeque::new(),
                known: HashMap::default(),
                next_number: Number::MAIN.0 + 1,
                drivers: Vec::new(),
                turns: 0,
                running: Number::MAIN,
                choices,
                steps,
                now,
                settling: Vec::new(),
                trouble: None,
                spares: Vec::new(),
                threads: Vec::new(),
                rests_at: None,
                has_runtime: false,
                is_closing: false,
                has_nested: false,
            }),
            outside_acted: Condvar::new(),
        })
    }

    /// Calls `f`, in which the calling thread runs this simulation: its clock is the simulation's, and the
    /// runtimes that it starts are simulated, one after the other.
    pub(crate) fn enter<R>(self: &Arc<Self>, f: impl FnOnce() -> R) -> R {
        struct Leave(Option<Arc<Simulation>>, Option<Instant>);
        impl Drop for Leave {
            fn drop(&mut self) {
                CURRENT.set(self.0.take());
                clock::simulate(self.1);
            }
        }
        let _watched = panic_hook::watch(self.panics.clone());
        let _leave = Leave(CURRENT.replace(Some(self.clone())), clock::simulate(Some(self.now())));
        f()
    }

    /// A runtime begins, unless another one has not ended. Its main runs.
    pub(crate) fn begin_runtime(&self) -> bool {
        let mut state = lock(&self.state);
        let is_first = !mem::replace(&mut state.has_runtime, true);
        if is_first {
            state.running = Number::MAIN;
            state.is_closing = false;
        }
        is_first
    }

    /// Main has ended.
    pub(crate) fn close(&self) {
        lock(&self.state).is_closing = true;
    }

    pub(crate) fn end_runtime(&self) {
        lock(&self.state).has_runtime = false;
    }

    // Making somebody runnable.

    /// A goroutine was spawned or woken.
    pub(crate) fn push(&self, task: RawTask) {
        let (mut state, woken_by) = self.state_for("wakes a goroutine, or spawns one");
        let fresh = Number(state.next_number);
        let new = Known { number: fresh, is_in_operation: false };
        let number = state.known.entry(task).or_insert(new).number;
        if number == fresh {
            state.next_number += 1;
        }
        state.push(Runnable::Task(task), number, woken_by);
        drop(state);
        self.tell_if_outside();
    }

    /// A driver's future is woken, for the first time since its poll began.
    pub(crate) fn wake_driver(&self, address: usize) {
        let (mut state, woken_by) = self.state_for("wakes main, or a `block_on`");
        // While it is polled, `driver_waits` finds that it was woken.
        state.push_driver(address, woken_by);
        drop(state);
        self.tell_if_outside();
    }

    /// For who makes somebody runnable; and which goroutine that is.
    fn state_for(&self, action: &'static str) -> (MutexGuard<'_, State>, Number) {
        let mut state = lock(&self.state);
        let mut woken_by = state.running;
        if !clock::is_simulated() {
            woken_by = Number::OUTSIDE;
            if !self.settings.allows_threads && state.trouble.is_none() {
                let thread = thread::current();
                let thread = thread.name().map_or("a thread without a name".to_owned(), |name| {
                    format!("the thread `{name}`")
                });
                state.trouble = Some(Trouble::Outside { thread, action });
            }
        }
        (state, woken_by)
    }

    fn tell_if_outside(&self) {
        if !clock::is_simulated() {
            self.outside_acted.notify_all();
        }
    }

    // Steps.

    /// Whose turn it is. `None`: nobody can run.
    pub(crate) fn next_turn(&self) -> Option<Turn> {
        let state = &mut *lock(&self.state);
        if state.runnable.is_empty() {
            return None;
        }
        state.turns += 1;
        if state.turns > 2 * self.settings.step_limit.saturating_add(MORE_TURNS) {
            // Also what follows the end of main must end.
            state.trouble.get_or_insert(Trouble::StepLimit(String::new()));
            return None;
        }
        let index = if state.is_closing { 0 } else { state.choices.next(&state.runnable) };
        let runnable = state.runnable.len() as u32;
        let entry = state.runnable.remove(index)?;
        state.running = entry.number;
        match entry.what {
            Runnable::Task(task) => {
                let (number, woken_by) = (entry.number, entry.woken_by);
                let is_in_operation =
                    state.known.get(&task).is_some_and(|known| known.is_in_operation);
                let budget = match state.is_closing {
                    true => FULL,
                    false => state.choices.budget(is_in_operation),
                };
                Some(Turn::Task(Planned { task, number, woken_by, runnable, budget }))
            }
            Runnable::Driver(address) => {
                let drive = state.drive(address).expect("only who waits is runnable");
                (drive.woken_by, drive.runnable) = (entry.woken_by, runnable);
                (drive.is_queued, drive.has_turn) = (false, true);
                Some(Turn::Driver(drive.waits_at.clone().expect("it waits")))
            }
        }
    }

    /// Notes a step. The goroutine may have been pushed meanwhile.
    pub(crate) fn note_step(&self, planned: &Planned, polled: Polled) {
        let state = &mut *lock(&self.state);
        let &Planned { task, number, woken_by, runnable, budget } = planned;
        let is_last = |entry: &Entry| entry.number == number;
        let is_queued = polled.is_suspended && state.runnable.iter().rev().take(2).any(is_last);
        let stop = match (polled.is_suspended, polled.gave_way, is_queued) {
            (false, ..) => {
                state.known.remove(&task);
                Stop::Ended
            }
            (_, true, _) => Stop::GaveWay,
            (_, _, true) => Stop::Yielded,
            _ => Stop::Waits(polled.wait),
        };
        if let Some(known) = state.known.get_mut(&task) {
            known.is_in_operation = stop.is_in_operation();
        }
        let at = state.now - self.settings.start;
        state.note(Step::new(number, woken_by, runnable, at, budget, stop, &polled));
    }

    /// One of so many, by choice.
    pub(crate) fn below(&self, bound: usize) -> usize {
        lock(&self.state).choices.below(bound)
    }

    /// Whether the run must not go on. `dump` says what all do.
    pub(crate) fn has_trouble(&self, dump: impl FnOnce() -> String) -> bool {
        let mut state = lock(&self.state);
        if state.trouble.is_none() && state.steps.count() >= self.settings.step_limit {
            drop(state);
            let dump = dump();
            state = lock(&self.state);
            state.trouble.get_or_insert(Trouble::StepLimit(dump));
        }
        state.trouble.is_some()
    }

    pub(crate) fn note_trouble(&self, trouble: Trouble) {
        lock(&self.state).trouble.get_or_insert(trouble);
    }

    // Drivers.

    /// The calling thread begins to drive a future. Returns who ran before.
    pub(crate) fn begin_drive(&self, address: usize, is_mains: bool) -> Number {
        let mut state = lock(&self.state);
        let number = state.running;
        state.drivers.push(Drive {
            address,
            number,
            is_mains,
            waits_at: None,
            is_queued: false,
            has_turn: false,
            is_in_operation: false,
            is_given_up: false,
            woken_by: number,
            runnable: 1,
            budget: 0,
        });
        number
    }

    /// How many operations its next poll may begin.
    pub(crate) fn driver_budget(&self, address: usize) -> u32 {
        let mut state = lock(&self.state);
        let is_in_operation = state.drive(address).is_some_and(|drive| drive.is_in_operation);
        let budget = state.choices.budget(is_in_operation);
        state.drive(address).into_iter().for_each(|drive| drive.budget = budget);
        budget
    }

    pub(crate) fn end_drive(&self, address: usize, before: Number, polled: &Polled) {
        let mut state = lock(&self.state);
        self.note_drive(&mut state, address, Stop::Ended, polled);
        state.drivers.retain(|drive| drive.address != address);
        let is_other =
            |entry: &Entry| !matches!(entry.what, Runnable::Driver(other) if other == address);
        state.runnable.retain(is_other);
        state.running = before;
    }

    /// A driver waits at `baton` for its turn. `is_woken`: it wants one at once.
    fn driver_waits(
        &self,
        address: usize,
        baton: &Arc<Baton>,
        is_woken: impl Fn() -> bool,
        polled: &Polled,
    ) {
        let mut state = lock(&self.state);
        // From now on whoever wakes it makes it runnable. Who has woken it before does not.
        if let Some(drive) = state.drive(address) {
            (drive.waits_at, drive.has_turn) = (Some(baton.clone()), false);
        }
        let is_woken = is_woken();
        let stop = match (polled.gave_way, is_woken) {
            (true, _) => Stop::GaveWay,
            (false, true) => Stop::Yielded,
            (false, false) => Stop::Waits(polled.wait),
        };
        self.note_drive(&mut state, address, stop, polled);
        if is_woken {
            let itself = state.running;
            state.push_driver(address, itself);
        }
    }

    fn note_drive(&self, state: &mut State, address: usize, stop: Stop, polled: &Polled) {
        let at = state.now - self.settings.start;
        if let Some(drive) = state.drive(address) {
            drive.is_in_operation = stop.is_in_operation();
            let &mut Drive { number, woken_by, runnable, budget, .. } = drive;
            state.note(Step::new(number, woken_by, runnable, at, budget, stop, polled));
        }
    }

    /// Its thread runs again. Returns whether that is because it has its turn.
    fn driver_runs(&self, address: usize) -> bool {
        let mut state = lock(&self.state);
        let Some(drive) = state.drive(address) else { return false };
        drive.waits_at = None;
        let (number, has_turn) = (drive.number, drive.has_turn);
        state.running = number;
        has_turn
    }

    /// Refuses what a thread outside does that nobody would notice otherwise.
    pub(crate) fn check_inside(&self, action: &'static str) {
        if !clock::is_simulated() {
            drop(self.state_for(action));
        }
    }

    // Time.

    pub(crate) fn now(&self) -> Instant {
        lock(&self.state).now
    }

    /// Moves the clock to a deadline, or beyond it by chance. Who is woken now is woken by a timer.
    fn move_clock(&self, deadline: Instant) -> Instant {
        let mut state = lock(&self.state);
        let jitter = self.settings.jitter;
        let part = if jitter.is_zero() { 0 } else { state.choices.below(JITTERS + 1) };
        state.now = state.now.max(deadline + jitter.mul_f64(part as f64 / JITTERS as f64));
        state.running = Number::TIME;
        state.now
    }

    /// Registers one who waits until all others do. `is_rest` says when.
    pub(crate) fn settle(&self, is_rest: &Arc<AtomicBool>, waker: &Waker) {
        let waiting = (is_rest.clone(), waker.clone());
        lock(&self.state).settling.push(waiting);
    }

    /// All others wait: returns whom to wake.
    fn take_settling(&self) -> Vec<Waker> {
        let mut state = lock(&self.state);
        state.running = Number::REST;
        let settling = mem::take(&mut state.settling).into_iter();
        settling
            .map(|(is_rest, waker)| {
                is_rest.store(true, Ordering::Relaxed);
                waker
            })
            .collect()
    }

    /// Waits in real time for a thread outside to act.
    fn wait_for_outside(&self, limit: Duration) -> bool {
        let state = lock(&self.state);
        let is_idle = |state: &mut State| state.runnable.is_empty() && state.trouble.is_none();
        let waited = self.outside_acted.wait_timeout_while(state, limit, is_idle);
        let (state, _) = waited.unwrap_or_else(|error| error.into_inner());
        !state.runnable.is_empty() || state.trouble.is_some()
    }

    // Threads.

    /// Passes the turn to a thread that runs goroutines. Without any, returns the number of the next.
    fn pass_to_spare(&self) -> Result<(), usize> {
        let mut state = lock(&self.state);
        match state.spares.pop() {
            Some(spare) => {
                drop(state);
                spare.pass(Signal::Go);
                Ok(())
            }
            None => Err(state.threads.len()),
        }
    }

    fn add_spare(&self, baton: &Arc<Baton>) {
        lock(&self.state).spares.push(baton.clone());
    }

    fn note_thread(&self, baton: Arc<Baton>, thread: thread::JoinHandle<()>) {
        lock(&self.state).threads.push((baton, thread));
    }

    /// Main's thread is about to wait here until nobody can run.
    fn rest_at(&self) -> Arc<Baton> {
        let baton = Arc::new(Baton::new());
        lock(&self.state).rests_at = Some(baton.clone());
        baton
    }

    fn end_rest(&self) {
        lock(&self.state).rests_at = None;
    }

    fn is_resting(&self) -> bool {
        lock(&self.state).rests_at.is_some()
    }

    fn where_main_waits(&self) -> Arc<Baton> {
        let state = lock(&self.state);
        let mains = state.drivers.iter().filter(|drive| drive.is_mains);
        let waits_at = mains.rev().find_map(|drive| drive.waits_at.clone());
        state.rests_at.clone().or(waits_at).expect("main's thread waits")
    }

    /// Gives one up that waits in a nested `block_on` of a goroutine. Returns where.
    fn give_one_up(&self) -> Option<Arc<Baton>> {
        let mut state = lock(&self.state);
        let mut of_goroutines = state.drivers.iter_mut().filter(|drive| !drive.is_mains);
        let waiting = of_goroutines.find(|drive| drive.waits_at.is_some() && !drive.is_given_up)?;
        waiting.is_given_up = true;
        waiting.waits_at.clone()
    }

    /// A goroutine waits in a nested `block_on`.
    fn note_nested(&self) {
        lock(&self.state).has_nested = true;
    }

    fn end_threads(&self) {
        let mut state = lock(&self.state);
        let (spares, threads) = (mem::take(&mut state.spares), mem::take(&mut state.threads));
        drop(state);
        for (baton, thread) in threads {
            // The others are given up, and left behind.
            if spares.iter().any(|spare| Arc::ptr_eq(spare, &baton)) {
                baton.pass(Signal::End);
                _ = thread.join();
            }
        }
    }

    // Looks.

    /// How many steps there were.
    pub(crate) fn steps(&self) -> u64 {
        lock(&self.state).steps.count()
    }

    /// Who runs.
    pub(crate) fn running(&self) -> Number {
        lock(&self.state).running
    }

    /// What the run has left: why it ended early, its steps, its decisions.
    pub(crate) fn has_nested(&self) -> bool {
        lock(&self.state).has_nested
    }

    pub(crate) fn inspect<R>(
        &self,
        f: impl FnOnce(Option<&Trouble>, &mut Steps, &Choices) -> R,
    ) -> R {
        let state = &mut *lock(&self.state);
        f(state.trouble.as_ref(), &mut state.steps, &state.choices)
    }
}

impl State {
    fn push(&mut self, what: Runnable, number: Number, woken_by: Number) {
        self.runnable.push_back(Entry { what, number, woken_by });
    }

    /// If it waits, and is not among them already.
    fn push_driver(&mut self, address: usize, woken_by: Number) {
        let Some(drive) = self.drive(address) else { return };
        if drive.waits_at.is_some() && !mem::replace(&mut drive.is_queued, true) {
            let number = drive.number;
            self.push(Runnable::Driver(address), number, woken_by);
        }
    }

    fn drive(&mut self, address: usize) -> Option<&mut Drive> {
        self.drivers.iter_mut().find(|drive| drive.address == address)
    }

    fn note(&mut self, step: Step) {
        if self.is_closing || self.trouble.is_some() {
            return;
        }
        self.choices.note(&step);
        if self.steps.push(step) {
            self.trouble.get_or_insert(Trouble::Differs);
        }
    }
}

/// For addresses, which nobody else chooses.
#[derive(Default)]
struct AddressHasher(u64);

impl Hasher for AddressHasher {
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_usize((*byte).into()));
    }

    fn write_usize(&mut self, address: usize) {
        self.0 = mix(self.0 ^ address as u64);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
