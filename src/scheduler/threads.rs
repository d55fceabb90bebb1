//! Worker threads: start, retire, wait for their end, leave behind.
//!
//! A worker thread sits on a *place*, the index of its [`Worker`]. There are as many available
//! workers as the program asked for; a worker whose goroutine calls `block_on` is not available,
//! and another is started to cover for it. When it comes back there is one too many: the next
//! worker that finds nothing to do, or comes to a check, retires, and its place is free again.
//!
//! A thread has *ended* when the destructors of its thread-locals have run, user code as they are.
//! For that the first thread-local of a worker thread is ours: destructors run in the reverse
//! order of first use. (That order is std's practice rather than its promise. Where it is another,
//! exit may wait for such a destructor without a bound.)

#![forbid(unsafe_code)]

use std::cell::RefCell;
use std::io::{self, Write};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use crate::scheduler::worker::Worker;
use crate::scheduler::{Phase, Scheduler, runner};
use crate::sync::{AtomicBool, AtomicUsize, Condvar, Mutex, Ordering, lock};

pub(crate) struct Threads {
    state: Mutex<State>,
    changed: Condvar,
    /// How many workers the program asked for.
    wanted: usize,
    /// Mirrors `state`, for a look without the lock: more workers are available than wanted.
    excess: AtomicBool,
    /// Workers inside a nested `block_on`.
    blocked: AtomicUsize,
    /// Those of them that a goroutine called in its poll, rather than a destructor after it.
    blocked_goroutines: AtomicUsize,
    refusal_reported: AtomicBool,
}

struct State {
    places: Vec<Place>,
    /// Workers that run goroutines, or look for some.
    available: usize,
    /// Threads that were started and have not ended.
    alive: usize,
    /// Exit has taken stock: no thread starts any more.
    closed: bool,
}

enum Place {
    Free,
    Running(Option<thread::JoinHandle<()>>),
    Retired,
    Ended(Option<thread::JoinHandle<()>>),
}

impl Threads {
    pub(crate) fn new(wanted: usize) -> Self {
        Threads {
            state: Mutex::new(State { places: Vec::new(), available: 0, alive: 0, closed: false }),
            changed: Condvar::new(),
            wanted,
            excess: AtomicBool::new(false),
            blocked: AtomicUsize::new(0),
            blocked_goroutines: AtomicUsize::new(0),
            refusal_reported: AtomicBool::new(false),
        }
    }

    /// Starts one more worker.
    pub(crate) fn start(&self, scheduler: &Arc<Scheduler>) -> io::Result<()> {
        let mut state = lock(&self.state);
        if state.closed {
            return Err(io::Error::other("the runtime has ended"));
        }
        let free = state.places.iter().position(|place| matches!(place, Place::Free));
        let index = free.unwrap_or(state.places.len());
        let Some(worker) = scheduler.place_worker(index) else {
            return Err(io::Error::other(format!("all {index} places for workers are taken")));
        };
        let config = &scheduler.config;
        let mut builder = thread::Builder::new().name(format!("{}-{index}", config.thread_name));
        if let Some(bytes) = config.stack_size {
            builder = builder.stack_size(bytes);
        }
        let handle = builder.spawn({
            let (scheduler, worker): (Arc<Scheduler>, Arc<Worker>) = (scheduler.clone(), worker);
            move || runner::thread_main(scheduler, worker)
        })?;
        if index == state.places.len() {
            state.places.push(Place::Free);
        }
        state.places[index] = Place::Running(Some(handle));
        state.alive += 1;
        self.set_available(&mut state, |available| available + 1);
        Ok(())
    }

    /// A worker stops running goroutines for the duration of a nested `block_on`: another is
    /// started if there are too few now.
    pub(crate) fn block(&self, scheduler: &Arc<Scheduler>, by_goroutine: bool) {
        self.blocked.fetch_add(1, Ordering::SeqCst);
        self.blocked_goroutines.fetch_add(by_goroutine.into(), Ordering::SeqCst);
        self.set_available(&mut lock(&self.state), |available| available - 1);
        while lock(&self.state).available < self.wanted && scheduler.phase() != Phase::Ended {
            if let Err(error) = self.start(scheduler) {
                if scheduler.phase() == Phase::Running {
                    self.report_refusal(&error);
                }
                return;
            }
        }
    }

    /// Once is enough.
    fn report_refusal(&self, error: &io::Error) {
        if !self.refusal_reported.swap(true, Ordering::Relaxed) {
            let _ = writeln!(
                io::stderr(),
                "gorun: a goroutine waits in `block_on`, and no thread could be started to stand \
                 in for its worker: {error}. If all workers come to wait like this, they wait for \
                 ever; let goroutines `.await` instead",
            );
        }
    }

    /// The worker runs goroutines again.
    pub(crate) fn unblock(&self, by_goroutine: bool) {
        let mut state = lock(&self.state);
        self.set_available(&mut state, |available| available + 1);
        self.blocked_goroutines.fetch_sub(by_goroutine.into(), Ordering::SeqCst);
        self.blocked.fetch_sub(1, Ordering::SeqCst);
    }

    /// How many workers are inside a nested `block_on`.
    pub(crate) fn blocked(&self) -> usize {
        self.blocked.load(Ordering::SeqCst)
    }

    /// How many goroutines are inside a nested `block_on` that they called in their polls.
    pub(crate) fn blocked_goroutines(&self) -> usize {
        self.blocked_goroutines.load(Ordering::SeqCst)
    }

    /// How many workers there are, inside a nested `block_on` or not.
    pub(crate) fn working(&self) -> usize {
        lock(&self.state).available + self.blocked()
    }

    /// Retires the worker at `index`, the caller, if there is one too many.
    pub(crate) fn retire_if_excess(&self, index: usize) -> bool {
        if !self.excess.load(Ordering::Relaxed) {
            return false;
        }
        let mut state = lock(&self.state);
        if state.available <= self.wanted {
            return false;
        }
        self.set_available(&mut state, |available| available - 1);
        // Dropping the handle detaches the thread; its end is still waited for, by count.
        state.places[index] = Place::Retired;
        true
    }

    /// Waits until a thread ends, or for `limit`. Returns how many have not ended.
    pub(crate) fn wait_for_an_end(&self, limit: Duration) -> usize {
        let state = lock(&self.state);
        if state.alive == 0 {
            return 0;
        }
        let (state, _) =
            self.changed.wait_timeout(state, limit).unwrap_or_else(|error| error.into_inner());
        state.alive
    }

    /// Joins the threads that have ended and detaches the others.
    pub(crate) fn join_ended(&self) {
        let places = {
            let mut state = lock(&self.state);
            state.closed = true;
            std::mem::take(&mut state.places)
        };
        for place in places {
            if let Place::Ended(Some(handle)) = place {
                // `thread_main` does not panic.
                let _ = handle.join();
            }
        }
    }

    fn end(&self, index: usize) {
        let mut state = lock(&self.state);
        state.alive -= 1;
        if let Some(place) = state.places.get_mut(index) {
            *place = match std::mem::replace(place, Place::Free) {
                Place::Running(handle) => Place::Ended(handle),
                Place::Retired | Place::Free => Place::Free,
                ended @ Place::Ended(_) => ended,
            };
        }
        drop(state);
        self.changed.notify_all();
    }

    fn set_available(&self, state: &mut State, change: impl FnOnce(usize) -> usize) {
        state.available = change(state.available);
        self.excess.store(state.available > self.wanted, Ordering::Relaxed);
    }
}

struct ThreadEnd {
    scheduler: Arc<Scheduler>,
    index: usize,
}

impl Drop for ThreadEnd {
    fn drop(&mut self) {
        self.scheduler.threads.end(self.index);
    }
}

thread_local! {
    static THREAD_END: RefCell<Option<ThreadEnd>> = const { RefCell::new(None) };
}

/// Called first on a worker thread, so that its end is signalled last.
pub(crate) fn signal_at_thread_end(scheduler: &Arc<Scheduler>, index: usize) {
    let end = ThreadEnd { scheduler: scheduler.clone(), index };
    THREAD_END.set(Some(end));
}
