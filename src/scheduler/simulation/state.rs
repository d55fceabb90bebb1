//! The state of a simulation.

#![forbid(unsafe_code)]

#[cfg(feature = "net")]
use std::any::Any;
use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasherDefault, Hasher};
use std::mem;
use std::ptr;
use std::sync::Arc;
use std::task::Waker;
use std::thread;
use std::time::{Duration, Instant};

use crate::clock;
use crate::primitives::{AtomicBool, Condvar, Mutex, lock};
use crate::rng::mix;
use crate::scheduler::queues::run_queue::RawTask;
use crate::scheduler::simulation::baton::Baton;
use crate::scheduler::simulation::choices::Choices;
#[cfg(feature = "net")]
use crate::scheduler::simulation::network::settings::NetworkSettings;
use crate::scheduler::simulation::notes::Notes;
use crate::scheduler::simulation::panic_hook::{self, Panics};
use crate::scheduler::simulation::places::Places;
use crate::scheduler::simulation::steps::{Number, Step, Steps};

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
    #[cfg(feature = "net")]
    pub(crate) network: NetworkSettings,
}

impl Settings {
    /// How many turns a runtime has: each of main's steps may take two.
    fn turns(&self) -> u64 {
        self.step_limit.saturating_mul(2).saturating_add(MORE_TURNS)
    }
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

/// The simulation that the calling thread runs.
pub(crate) fn current() -> Option<Arc<Simulation>> {
    CURRENT.try_with(|current| current.borrow().clone()).ok().flatten()
}

#[cfg(feature = "net")]
/// What the sockets of a simulated runtime are connected by. It is made of this layer, and has timers.
pub(crate) trait Network: Any + Send + Sync {
    /// The runtime has ended.
    fn end(&self);
}

pub(crate) struct Simulation {
    pub(crate) settings: Settings,
    pub(crate) panics: Arc<Panics>,
    pub(super) state: Mutex<State>,
    /// A thread outside has made somebody runnable.
    pub(super) outside_acted: Condvar,
}

pub(super) struct State {
    /// In the order in which they became runnable.
    pub(super) runnable: VecDeque<Entry>,
    pub(super) known: HashMap<RawTask, Known, BuildHasherDefault<AddressHasher>>,
    pub(super) next_number: u32,
    pub(super) places: Places,
    /// Of the present runtime, once it is used.
    #[cfg(feature = "net")]
    pub(super) network: Option<Arc<dyn Network>>,
    /// What the network has done.
    pub(super) notes: Notes,
    /// The futures that threads drive.
    pub(super) drivers: Vec<Drive>,
    /// How many steps may begin: first of the run, and then of what follows the end of main.
    pub(super) turns_left: u64,
    /// Who runs, or has woken others.
    pub(super) running: Number,
    pub(super) choices: Choices,
    pub(super) steps: Steps,
    pub(super) now: Instant,
    /// Those who wait until all others do.
    pub(super) settling: Vec<(Arc<AtomicBool>, Waker)>,
    pub(super) trouble: Option<Trouble>,
    /// Where threads wait that run goroutines.
    pub(super) spares: Vec<Arc<Baton>>,
    pub(super) threads: Vec<(Arc<Baton>, thread::JoinHandle<()>)>,
    /// Where main's thread waits until nobody can run.
    pub(super) rests_at: Option<Arc<Baton>>,
    /// A runtime of the program runs.
    pub(super) has_runtime: bool,
    /// Its main has ended, and its goroutines are cancelled: in turn, and that is no part of the run.
    pub(super) is_closing: bool,
    /// Main's thread waits while it panics, so that it cannot be interrupted.
    pub(super) main_panics: bool,
    /// A goroutine has begun a nested `block_on`.
    pub(super) has_nested: bool,
    /// How often a thread outside has done something.
    pub(super) outside_acts: u64,
}

/// So many steps are for what follows the end of main.
pub(super) const MORE_TURNS: u64 = 10_000;

/// How many delays there are.
pub(super) const JITTERS: usize = 1 << 12;

/// A goroutine that has not ended.
#[derive(Clone, Copy)]
pub(super) struct Known {
    pub(super) number: Number,
    /// How many operations its next poll must be able to begin, so that it gets on: those that are pending begin
    /// again in each poll, before the one that gave way.
    pub(super) least: u32,
}

/// Somebody who can run.
pub(crate) struct Entry {
    pub(super) what: Runnable,
    pub(crate) number: Number,
    pub(super) woken_by: Number,
}

#[derive(Clone, Copy)]
pub(super) enum Runnable {
    Task(RawTask),
    /// A driver's address.
    Driver(usize),
}

/// A future that a thread drives.
pub(super) struct Drive {
    pub(super) address: usize,
    pub(super) number: Number,
    /// Its thread is main's.
    pub(super) is_mains: bool,
    /// Where its thread waits for its turn, if it does.
    pub(super) waits_at: Option<Arc<Baton>>,
    /// It waits, and is among those that can run.
    pub(super) is_queued: bool,
    pub(super) has_turn: bool,
    /// As that of a goroutine.
    pub(super) least: u32,
    /// Main has ended, and it waits for what never comes.
    pub(super) is_given_up: bool,
    /// Of its present step.
    pub(super) woken_by: Number,
    pub(super) runnable: u32,
    pub(super) budget: u32,
}

impl Simulation {
    pub(crate) fn new(settings: Settings, choices: Choices, steps: Steps) -> Arc<Self> {
        let now = settings.start;
        let turns_left = settings.turns();
        Arc::new(Simulation {
            settings,
            panics: Arc::default(),
            state: Mutex::new(State {
                runnable: VecDeque::new(),
                known: HashMap::default(),
                next_number: Number::MAIN.0 + 1,
                places: Places::default(),
                #[cfg(feature = "net")]
                network: None,
                notes: Notes::default(),
                drivers: Vec::new(),
                turns_left,
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
                main_panics: false,
                has_nested: false,
                outside_acts: 0,
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

    /// Whether the calling thread runs this simulation, and not another one, or none.
    pub(super) fn is_here(&self) -> bool {
        let is_this = |current: &RefCell<Option<Arc<Simulation>>>| {
            current.borrow().as_ref().is_some_and(|current| ptr::eq(Arc::as_ptr(current), self))
        };
        CURRENT.try_with(is_this).unwrap_or(false)
    }

    /// A runtime begins, unless another one has not ended. Its main runs.
    pub(crate) fn begin_runtime(&self) -> bool {
        let mut state = lock(&self.state);
        let is_first = !mem::replace(&mut state.has_runtime, true);
        if is_first {
            state.running = Number::MAIN;
            state.is_closing = false;
            state.turns_left = self.settings.turns();
            state.notes = Notes::default();
        }
        is_first
    }

    /// Main has ended.
    pub(crate) fn close(&self) {
        let mut state = lock(&self.state);
        state.is_closing = true;
        // A goroutine is cancelled in one step, unless destructors make others.
        state.turns_left = MORE_TURNS + 16 * state.known.len() as u64;
    }

    pub(crate) fn end_runtime(&self) {
        lock(&self.state).has_runtime = false;
    }
}

impl State {
    pub(super) fn push(&mut self, what: Runnable, number: Number, woken_by: Number) {
        self.runnable.push_back(Entry { what, number, woken_by });
    }

    /// If it waits, and is not among them already.
    pub(super) fn push_driver(&mut self, address: usize, woken_by: Number) {
        let Some(drive) = self.drive(address) else { return };
        if drive.waits_at.is_some() && !mem::replace(&mut drive.is_queued, true) {
            let number = drive.number;
            self.push(Runnable::Driver(address), number, woken_by);
        }
    }

    pub(super) fn drive(&mut self, address: usize) -> Option<&mut Drive> {
        self.drivers.iter_mut().find(|drive| drive.address == address)
    }

    pub(super) fn note(&mut self, step: Step) {
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
pub(super) struct AddressHasher(u64);

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
