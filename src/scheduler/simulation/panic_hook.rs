//! Panics of simulated runs: not printed, since most runs only look for the one to show, and their places
//! noted.

#![forbid(unsafe_code)]

use std::cell::RefCell;
use std::panic::{self, PanicHookInfo};
use std::sync::{Arc, Mutex, Once};
use std::thread;

use crate::panics;
use crate::primitives::lock;

/// The panics of a run: each message, and its place.
#[derive(Default)]
pub(crate) struct Panics(Mutex<Vec<(String, String)>>);

impl Panics {
    /// Each message, and its place.
    pub(crate) fn all(&self) -> Vec<(String, String)> {
        lock(&self.0).clone()
    }

    pub(crate) fn place_of(&self, message: &str) -> Option<String> {
        let all = lock(&self.0);
        all.iter().rev().find(|(other, _)| other == message).map(|(_, place)| place.clone())
    }
}

thread_local! {
    static WATCHED: RefCell<Option<Arc<Panics>>> = const { RefCell::new(None) };
}

/// Until it is dropped, panics of the calling thread are noted and not printed.
pub(crate) struct Watched(Option<Arc<Panics>>);

pub(crate) fn watch(panics: Arc<Panics>) -> Watched {
    static INSTALLED: Once = Once::new();
    if thread::panicking() {
        // Then it cannot be installed; panics are printed.
        return Watched(WATCHED.replace(Some(panics)));
    }
    INSTALLED.call_once(|| {
        let others = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !note(info) {
                others(info);
            }
        }));
    });
    Watched(WATCHED.replace(Some(panics)))
}

impl Drop for Watched {
    fn drop(&mut self) {
        WATCHED.set(self.0.take());
    }
}

fn note(info: &PanicHookInfo<'_>) -> bool {
    WATCHED
        .try_with(|watched| {
            let watched = watched.borrow();
            let Some(panics) = &*watched else { return false };
            let message = panics::text(info.payload()).unwrap_or_default();
            let place = info.location().map(ToString::to_string).unwrap_or_default();
            lock(&panics.0).push((message, place));
            true
        })
        .unwrap_or(false)
}
