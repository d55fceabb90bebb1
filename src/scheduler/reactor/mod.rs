//! The reactor: which tasks wait for which sockets, and which thread asks the system about them.
//!
//! # The problem
//!
//! The system says that sockets are ready to a thread that asks, and one thread at a time is
//! enough. If that is a thread of its own, each event crosses to a worker, which costs two thread
//! switches. If it is a worker, the events stay with it; but then somebody else has to ask whenever
//! that worker computes or blocks. No event may be late by more than a millisecond or so, and a
//! program without sockets must not pay.
//!
//! # The token
//!
//! Who holds the *token* may ask the driver ([`Driver`]). Nobody waits for the token: a thread takes
//! it if it is free.
//!
//! - **A worker that goes to sleep** and finds the token free takes it, and sleeps in the driver
//!   instead of on its parker: it is the *poller*. It lies at the bottom of the list of sleepers, so
//!   that pushes wake others first. What it wakes goes into its own ring.
//! - **A worker that is awake** looks, without waiting, when it looks at the timers, unless it has
//!   just looked, and when it searches and expects events.
//! - **The monitor** looks, without waiting, at each of its samples. If nobody has looked since the
//!   last sample, and a worker sleeps, the monitor wakes that worker. The worker finds nothing to do,
//!   and becomes the poller.
//!
//! # How a poller is woken
//!
//! As any sleeper: a thread takes it off the list, and sends it a signal. Its parker (`parker.rs`)
//! knows that it sleeps elsewhere, and the signal then interrupts the driver instead of the parker's
//! condition variable. The signal itself is in the parker, as ever, so a poller's wake state is in
//! one place too, and the argument in `idle/mod.rs` needs no new case.
//!
//! If an event ends the sleep, the poller notes whom it wakes, gives the token back, takes itself
//! off the list, and only then wakes them: it is awake, and a searcher, when it pushes to its own
//! ring. If it has become a spare meanwhile, it pushes to the injector, and sleeps on as a spare.
//!
//! # Why no event is forgotten
//!
//! *While there are sources and nobody holds the token, the monitor is awake.* Two steps could
//! break that: giving back the token, and adding the first source. Whoever does one of these then
//! wakes the monitor, unless it is awake: `give back; fence; load whether the monitor is awake`. The
//! monitor announces its sleep, and looks again: `store that it sleeps; fence; load whether the token
//! is free`. So at least one of the two sees what the other has stored: the monitor finds the token
//! free, and stays awake, or who gives it back finds the monitor asleep.
//!
//! A poller that waits in the driver misses no event either: the system reports what happened
//! before the wait as well.
//!
//! # Why no task is forgotten
//!
//! `source.rs` shows that a task that finds its socket not ready is woken by the next event.
//!
//! # Whose wakers are called where
//!
//! The wakers of goroutines, and of threads that drive a future, are called by whoever has the event,
//! also by the monitor. Others may be user code: they are left in a list, from which workers take them
//! one by one, as overdue timers (`timer_queue/mod.rs`). They count as work that waits.
//!
//! # Sources
//!
//! A source's key has its place in a table, and a number that no other source has had. The system
//! may still report an event of a socket that has been closed. It then has a key that is in the
//! table no more, although its place, and its descriptor, may be used again.
//!
//! # Rejected
//!
//! - A thread of its own for the reactor: each event costs two thread switches. In an echo on two
//!   cores, `async-io` switches threads 0.6 times for each round trip, and tokio 0.1 times.
//! - The monitor as the poller: the same hop, and it would have to choose between deadlines and
//!   events.
//! - A driver for each worker: a connection stays with the worker that accepted it, or has to be
//!   moved; an idle worker cannot take another's events.
//! - Handing the token to a sleeper whenever a worker leaves the driver: a thread is woken for each
//!   event that arrives while the others sleep. The monitor does it once a millisecond, if at all.
//! - Letting the monitor wait in the driver while all workers are in long polls: a worker that goes
//!   to sleep would have to take the token from it. It looks once a millisecond instead, which is a
//!   thousandth of one core.
//! - A count of waiting tasks rather than of sources, to let the monitor sleep beside sockets for
//!   which nobody waits: two writes to shared memory for each wait.

#![forbid(unsafe_code)]

pub(crate) mod source;
mod table;

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use crate::primitives::{AtomicBool, AtomicUsize, Mutex, MutexGuard, Ordering, fence, lock};
use crate::scheduler::idle::Idle;
use crate::scheduler::idle::parker::{Interrupt, Parker};
use crate::scheduler::reactor::source::{Readiness, Source, Woken};
use table::Table;

/// Where events come from: the system, or a simulation.
pub(crate) trait Driver: Send {
    /// Where sources are made known to it.
    type Registry;

    /// Waits for events or an interruption, up to `limit`, and passes each event on: the key of
    /// its source, and what that is ready for.
    fn wait(&mut self, limit: Option<Duration>, event: impl FnMut(usize, Readiness));
}

pub(crate) struct Reactor<D: Driver> {
    /// Somebody holds the token.
    is_held: AtomicBool,
    /// Only who holds the token takes this lock.
    driver: Mutex<D>,
    pub(crate) registry: D::Registry,
    interrupt: Arc<dyn Interrupt>,
    sources: Table,
    /// How many there are.
    count: AtomicUsize,
    /// How often somebody has held the token.
    looks: AtomicUsize,
    /// Wakers that may be user code, for workers to call.
    left: Mutex<VecDeque<Waker>>,
    has_left: AtomicBool,
}

impl<D: Driver> Reactor<D> {
    pub(crate) fn new(driver: D, registry: D::Registry, interrupt: Arc<dyn Interrupt>) -> Self {
        Reactor {
            is_held: AtomicBool::new(false),
            driver: Mutex::new(driver),
            registry,
            interrupt,
            sources: Table::new(),
            count: AtomicUsize::new(0),
            looks: AtomicUsize::new(0),
            left: Mutex::new(VecDeque::new()),
            has_left: AtomicBool::new(false),
        }
    }

    // Sources.

    /// Returns the source's key, or `None` if the runtime has ended. Its events may come as soon as
    /// the driver knows of it.
    pub(crate) fn add<W: AsRef<Parker>>(
        &self,
        source: Arc<Source>,
        idle: &Idle<W>,
    ) -> Option<usize> {
        let key = self.sources.insert(source)?;
        if self.count.fetch_add(1, Ordering::SeqCst) == 0 {
            self.watch(idle);
        }
        Some(key)
    }

    /// How many sources there are.
    pub(crate) fn count(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    /// The driver must not know of it any more.
    pub(crate) fn remove(&self, key: usize) {
        if self.sources.remove(key) {
            self.count.fetch_sub(1, Ordering::SeqCst);
        }
    }

    /// Whether there is anything to ask for.
    #[inline]
    pub(crate) fn has_sources(&self) -> bool {
        self.count.load(Ordering::Relaxed) > 0
    }

    /// Whether a task waits for any of them.
    pub(crate) fn has_waiters(&self) -> bool {
        self.sources.entries().sources().any(|source| source.waiting() > 0)
    }

    /// Tells all sources that no events come any more, and returns whom to wake.
    pub(crate) fn end(&self) -> Vec<Woken> {
        let mut woken = Vec::new();
        for source in self.sources.end() {
            self.count.fetch_sub(1, Ordering::SeqCst);
            source.notify(Readiness::ENDED, &mut woken);
        }
        woken
    }

    // The token.

    /// Takes the token, if it is free.
    pub(crate) fn try_token<'a, W: AsRef<Parker>>(
        &'a self,
        idle: &'a Idle<W>,
    ) -> Option<Token<'a, D, W>> {
        // Ordering: Acquire pairs with the Release in the drop of a token.
        let (success, failure) = (Ordering::Acquire, Ordering::Relaxed);
        self.is_held.compare_exchange(false, true, success, failure).ok()?;
        self.looks.fetch_add(1, Ordering::Relaxed);
        Some(Token { driver: Some(lock(&self.driver)), reactor: self, idle })
    }

    /// For the monitor, after it has announced its sleep: whether it must stay awake.
    pub(crate) fn needs_monitor(&self) -> bool {
        // Ordering: pairs with the fence in `watch`, see the top of this file.
        fence(Ordering::SeqCst);
        self.has_sources() && !self.is_held.load(Ordering::Relaxed)
    }

    /// How often somebody has held the token.
    pub(crate) fn looks(&self) -> usize {
        self.looks.load(Ordering::Relaxed)
    }

    /// Sees to it that the monitor is awake, if there are sources.
    fn watch<W: AsRef<Parker>>(&self, idle: &Idle<W>) {
        // Ordering: pairs with the fence in `needs_monitor`, see the top of this file.
        fence(Ordering::SeqCst);
        if self.has_sources() {
            idle.ensure_monitor_awake();
        }
    }

    // Foreign wakers.

    /// Leaves a waker for workers to call.
    pub(crate) fn leave(&self, waker: Waker) {
        let mut left = lock(&self.left);
        left.push_back(waker);
        self.has_left.store(true, Ordering::Relaxed);
    }

    /// Judged without the lock.
    #[inline]
    pub(crate) fn has_left(&self) -> bool {
        self.has_left.load(Ordering::Relaxed)
    }

    /// The oldest one. One at a time, since each may block: the others stay where other workers find
    /// them.
    pub(crate) fn take_left(&self) -> Option<Waker> {
        let mut left = lock(&self.left);
        let waker = left.pop_front();
        if left.is_empty() {
            self.has_left.store(false, Ordering::Relaxed);
            *left = VecDeque::new();
        }
        waker
    }
}

/// The right to ask the driver. Gives it back when dropped.
pub(crate) struct Token<'a, D: Driver, W: AsRef<Parker>> {
    driver: Option<MutexGuard<'a, D>>,
    reactor: &'a Reactor<D>,
    idle: &'a Idle<W>,
}

impl<D: Driver, W: AsRef<Parker>> Token<'_, D, W> {
    /// Waits for events or an interruption, up to `limit`, and notes whom to wake. Returns how many events
    /// there were.
    pub(crate) fn wait(&mut self, limit: Option<Duration>, woken: &mut Vec<Woken>) -> usize {
        self.wait_with(limit, woken, || {})
    }

    /// `note` is called before the first waiter is taken.
    fn wait_with(
        &mut self,
        limit: Option<Duration>,
        woken: &mut Vec<Woken>,
        mut note: impl FnMut(),
    ) -> usize {
        let sources = &self.reactor.sources;
        let driver = self.driver.as_mut().expect("it is held until the drop");
        // Taken with the first event, when the driver waits no more.
        let mut entries = None;
        let mut reported = 0;
        driver.wait(limit, |key, readiness| {
            reported += 1;
            let entries = entries.get_or_insert_with(|| {
                note();
                sources.entries()
            });
            if let Some(source) = entries.source(key) {
                source.notify(readiness, woken);
            }
        });
        reported
    }

    /// For the poller: sleeps in the driver until it has to wake somebody, or gets a signal.
    /// Returns whether there is a signal.
    pub(crate) fn sleep(&mut self, parker: &Parker, woken: &mut Vec<Woken>) -> bool {
        if !parker.sleep_elsewhere(&self.reactor.interrupt) {
            return true;
        }
        while woken.is_empty() && !parker.has_signal() {
            self.wait_with(None, woken, || parker.note_events());
            if woken.is_empty() {
                parker.clear_events();
            }
        }
        parker.end_sleep_elsewhere()
    }
}

impl<D: Driver, W: AsRef<Parker>> Drop for Token<'_, D, W> {
    fn drop(&mut self) {
        self.driver = None;
        // Ordering: Release pairs with the Acquire in `try_token`.
        self.reactor.is_held.store(false, Ordering::Release);
        self.reactor.watch(self.idle);
    }
}
