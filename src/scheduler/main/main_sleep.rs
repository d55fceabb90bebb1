//! Whether main's thread sleeps, for the check for deadlocks (`deadlock/mod.rs`).

#![forbid(unsafe_code)]

use std::sync::Arc;

use crate::primitives::{Mutex, lock};

/// `D` is what main's thread drives when it falls asleep.
pub(crate) struct MainSleep<D>(Mutex<State<D>>);

struct State<D> {
    asleep: Option<Arc<D>>,
    /// How often it has fallen asleep.
    count: u64,
}

impl<D> MainSleep<D> {
    pub(crate) fn new() -> Self {
        MainSleep(Mutex::new(State { asleep: None, count: 0 }))
    }

    /// For main's thread, before it falls asleep. It must then look whether it is the last.
    pub(crate) fn begin(&self, driver: &Arc<D>) {
        let mut state = lock(&self.0);
        state.asleep = Some(driver.clone());
        state.count += 1;
    }

    /// For main's thread, when it runs again.
    pub(crate) fn end(&self) {
        lock(&self.0).asleep = None;
    }

    /// How often it has fallen asleep, if it sleeps now.
    pub(crate) fn count(&self) -> Option<u64> {
        let state = lock(&self.0);
        state.asleep.as_ref().map(|_| state.count)
    }

    /// Whether it sleeps, and what it drives has not been woken.
    pub(crate) fn sleeps_on(&self, is_woken: impl FnOnce(&D) -> bool) -> bool {
        lock(&self.0).asleep.as_ref().is_some_and(|driver| !is_woken(driver))
    }
}
