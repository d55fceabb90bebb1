//! Hosts, as goroutines know them: where they are, and what becomes of them in a crash.

#![forbid(unsafe_code)]

use std::collections::HashMap;
use std::mem;
use std::sync::Arc;
use std::task::Waker;

use crate::primitives::lock;
use crate::scheduler::queues::run_queue::RawTask;
use crate::scheduler::shared::Scheduler;
use crate::scheduler::simulation::host_id::HostId;
use crate::scheduler::simulation::state::{Network, Simulation};
use crate::scheduler::simulation::steps::Number;

impl Simulation {
    /// The host of the calling code has crashed since that code began, which goes on to its next await.
    pub(super) fn is_of_crashed_host(&self) -> bool {
        let state = lock(&self.state);
        self.is_here() && state.places.is_dead(state.running)
    }

    /// The host of the calling code.
    pub(crate) fn current_host(&self) -> HostId {
        let state = lock(&self.state);
        if self.is_here() { state.places.host_of(state.running) } else { HostId::MAINS }
    }

    /// Calls `f` as if the calling code were on `host`. What it spawns is there.
    pub(crate) fn on_host<R>(&self, host: HostId, f: impl FnOnce() -> R) -> R {
        let mut state = lock(&self.state);
        let running = state.running;
        let place = state.places.on(host);
        let before = state.places.put(running, Some(place));
        drop(state);
        let result = f();
        lock(&self.state).places.put(running, before);
        result
    }

    /// Calls `f`, in which the network acts, and not who runs.
    pub(crate) fn on_network<R>(&self, f: impl FnOnce() -> R) -> R {
        let before = mem::replace(&mut lock(&self.state).running, Number::NETWORK);
        let result = f();
        lock(&self.state).running = before;
        result
    }

    /// For a report.
    pub(super) fn note_event(&self, event: String) {
        let mut state = lock(&self.state);
        let at = state.now - self.settings.start;
        state.notes.add(at, event);
    }

    pub(super) fn note_host(&self, names: Vec<String>) {
        lock(&self.state).notes.hosts = names;
    }

    /// The network of the present runtime, which `make` makes.
    pub(crate) fn network(&self, make: impl FnOnce() -> Arc<dyn Network>) -> Arc<dyn Network> {
        lock(&self.state).network.get_or_insert_with(make).clone()
    }

    pub(crate) fn take_network(&self) -> Option<Arc<dyn Network>> {
        lock(&self.state).network.take()
    }
}

/// Cancels all goroutines of a host.
pub(crate) fn crash(scheduler: &Scheduler, simulation: &Simulation, host: HostId) {
    let mut state = lock(&simulation.state);
    state.places.crash(host);
    let known = state.known.iter().map(|(&task, known)| (task, known.number));
    let dead: HashMap<_, _> = known.filter(|(_, number)| state.places.is_dead(*number)).collect();
    drop(state);
    wake_all(scheduler, &dead);
}

/// Wakes goroutines that are suspended, in the order of their numbers.
pub(super) fn wake_all(scheduler: &Scheduler, which: &HashMap<RawTask, Number>) {
    let mut wakers: Vec<(_, Waker)> = Vec::new();
    scheduler.registry.visit(|entry| {
        if let Some(&number) = which.get(&entry.address()) {
            wakers.push((number, entry.to_waker()));
        }
    });
    wakers.sort_by_key(|(number, _)| *number);
    wakers.into_iter().for_each(|(_, waker)| scheduler.wake(waker));
}
