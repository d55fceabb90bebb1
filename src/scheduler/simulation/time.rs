//! The clock, and what is told when nobody can run.

#![forbid(unsafe_code)]

use std::mem;
use std::sync::Arc;
use std::task::Waker;
use std::time::{Duration, Instant};

use crate::primitives::{AtomicBool, Ordering, lock};
use crate::scheduler::simulation::state::{JITTERS, Simulation, State};
use crate::scheduler::simulation::steps::Number;

impl Simulation {
    pub(crate) fn now(&self) -> Instant {
        lock(&self.state).now
    }

    /// Moves the clock to a deadline, or beyond it by chance. Who is woken now is woken by a timer.
    pub(super) fn move_clock(&self, deadline: Instant) -> Instant {
        let mut state = lock(&self.state);
        let jitter = self.settings.jitter;
        let part = if jitter.is_zero() { 0 } else { state.choices.below(JITTERS + 1) };
        let late = jitter.mul_f64(part as f64 / JITTERS as f64);
        // Beyond the clock's range it is not late.
        state.now = state.now.max(deadline.checked_add(late).unwrap_or(deadline));
        state.running = Number::TIME;
        state.now
    }

    /// Registers one who waits until all others do. `is_rest` says when.
    pub(crate) fn settle(&self, is_rest: &Arc<AtomicBool>, waker: &Waker) {
        let waiting = (is_rest.clone(), waker.clone());
        lock(&self.state).settling.push(waiting);
    }

    /// All others wait: returns whom to wake.
    pub(super) fn take_settling(&self) -> Vec<Waker> {
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
    pub(super) fn wait_for_outside(&self, limit: Duration) -> bool {
        let state = lock(&self.state);
        let acts = state.outside_acts;
        let is_idle = |state: &mut State| {
            state.runnable.is_empty() && state.trouble.is_none() && state.outside_acts == acts
        };
        let waited = self.outside_acted.wait_timeout_while(state, limit, is_idle);
        let (mut state, _) = waited.unwrap_or_else(|error| error.into_inner());
        !is_idle(&mut state)
    }
}
