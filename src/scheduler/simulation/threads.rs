//! The threads that run goroutines, where these have some of their own.

#![forbid(unsafe_code)]

use std::mem;
use std::sync::Arc;
use std::thread;

use crate::primitives::lock;
use crate::scheduler::simulation::baton::{Baton, Signal};
use crate::scheduler::simulation::state::Simulation;

impl Simulation {
    /// Passes the turn to a thread that runs goroutines. Without any, returns the number of the next.
    pub(super) fn pass_to_spare(&self) -> Result<(), usize> {
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

    pub(super) fn add_spare(&self, baton: &Arc<Baton>) {
        lock(&self.state).spares.push(baton.clone());
    }

    pub(super) fn note_thread(&self, baton: Arc<Baton>, thread: thread::JoinHandle<()>) {
        lock(&self.state).threads.push((baton, thread));
    }

    /// Main's thread is about to wait here until nobody can run.
    pub(super) fn rest_at(&self) -> Arc<Baton> {
        let baton = Arc::new(Baton::new());
        lock(&self.state).rests_at = Some(baton.clone());
        baton
    }

    pub(super) fn end_rest(&self) {
        lock(&self.state).rests_at = None;
    }

    pub(super) fn is_resting(&self) -> bool {
        lock(&self.state).rests_at.is_some()
    }

    pub(super) fn where_main_waits(&self) -> Arc<Baton> {
        let state = lock(&self.state);
        let mains = state.drivers.iter().filter(|drive| drive.is_mains);
        let waits_at = mains.rev().find_map(|drive| drive.waits_at.clone());
        state.rests_at.clone().or(waits_at).expect("main's thread waits")
    }

    /// Gives one up that waits in a nested `block_on` of a goroutine. Returns where.
    pub(super) fn give_one_up(&self) -> Option<Arc<Baton>> {
        let mut state = lock(&self.state);
        let mut of_goroutines = state.drivers.iter_mut().filter(|drive| !drive.is_mains);
        let waiting = of_goroutines.find(|drive| drive.waits_at.is_some() && !drive.is_given_up)?;
        waiting.is_given_up = true;
        waiting.waits_at.clone()
    }

    pub(super) fn end_threads(&self) {
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
}
