//! Who looks for events, and who wakes tasks for them.

#![forbid(unsafe_code)]

use std::time::Duration;

use crate::primitives::Ordering;
use crate::scheduler::context;
use crate::scheduler::io::system::System;
use crate::scheduler::reactor::Token;
use crate::scheduler::reactor::source::Woken;
use crate::scheduler::shared::Scheduler;
use crate::scheduler::trace::event::EventKind;
use crate::scheduler::worker::Worker;

/// What came of a look.
pub(crate) struct Look {
    /// How many events the system has reported.
    pub(crate) events: usize,
    /// How many tasks have been woken for them.
    pub(crate) woken: usize,
}

impl Scheduler {
    /// Looks for events, without waiting, and wakes tasks, if there are sources and nobody else
    /// looks. Returns how many, if it looked. `woken` is empty before and after: it lends its
    /// memory.
    #[inline]
    pub(crate) fn look_at_io(&self, woken: &mut Vec<Woken>) -> Option<usize> {
        if self.has_sources() { self.look_at_sources(woken) } else { None }
    }

    /// Whether there is anything to look for.
    #[inline]
    pub(crate) fn has_sources(&self) -> bool {
        self.reactor().is_some_and(|reactor| reactor.has_sources())
    }

    pub(crate) fn num_sources(&self) -> usize {
        self.reactor().map_or(0, |reactor| reactor.count())
    }

    #[cold]
    #[inline(never)]
    fn look_at_sources(&self, woken: &mut Vec<Woken>) -> Option<usize> {
        self.look_once(woken).map(|look| look.woken)
    }

    pub(crate) fn look_once(&self, woken: &mut Vec<Woken>) -> Option<Look> {
        let mut token = self.try_io_token()?;
        let events = token.wait(Some(Duration::ZERO), woken);
        drop(token);
        let look = Look { events, woken: woken.len() };
        self.wake_ready(woken);
        if look.woken > 0 {
            self.allow_poller();
        }
        Some(look)
    }

    /// Takes the reactor's token, if that is free and there are sources.
    pub(crate) fn try_io_token(&self) -> Option<Token<'_, System, Worker>> {
        let reactor = self.reactor()?;
        if reactor.has_sources() { reactor.try_token(&self.idle) } else { None }
    }

    /// The same for a worker that goes to sleep.
    pub(crate) fn try_poller_token(&self) -> Option<Token<'_, System, Worker>> {
        if self.has_no_poller() { None } else { self.try_io_token() }
    }

    /// No worker may sleep as the poller: main has ended, and looks itself (`main_end.rs`).
    pub(crate) fn has_no_poller(&self) -> bool {
        self.has_no_poller.load(Ordering::SeqCst)
    }

    /// The poller wakes up, and no worker takes its place.
    pub(crate) fn expel_poller(&self) {
        self.has_no_poller.store(true, Ordering::SeqCst);
        self.idle.notify_all();
    }

    pub(crate) fn allow_poller(&self) {
        if self.has_no_poller() && self.has_no_poller.swap(false, Ordering::SeqCst) {
            self.idle.wake_poller();
        }
    }

    /// Wakes tasks, and leaves wakers that may be user code to workers.
    pub(crate) fn wake_ready(&self, woken: &mut Vec<Woken>) {
        if !woken.is_empty() {
            context::record(self, EventKind::IoReady, woken.len());
        }
        for Woken { waker, is_internal } in woken.drain(..) {
            match self.reactor() {
                Some(reactor) if !is_internal => reactor.leave(waker),
                _ => self.wake(waker),
            }
        }
    }

    /// Whether such wakers have been left.
    #[inline]
    pub(crate) fn has_left_wakers(&self) -> bool {
        self.reactor().is_some_and(|reactor| reactor.has_left())
    }

    /// Calls them. Workers call this.
    pub(crate) fn call_left_wakers(&self) {
        let Some(reactor) = self.reactor() else { return };
        while let Some(waker) = reactor.take_left() {
            self.wake(waker);
        }
    }

    // The monitor.

    /// How often somebody has looked.
    pub(crate) fn io_looks(&self) -> usize {
        self.reactor().map_or(0, |reactor| reactor.looks())
    }

    /// Whether the monitor, which has announced its sleep, must look for events instead.
    pub(crate) fn io_needs_monitor(&self) -> bool {
        self.reactor().is_some_and(|reactor| reactor.has_left() || reactor.needs_monitor())
    }

    /// Wakes all tasks that wait for events: none come any more.
    pub(crate) fn end_io(&self) {
        #[cfg(feature = "net")]
        if let Some(network) = self.simulation().and_then(|simulation| simulation.take_network()) {
            return network.end();
        }
        let Some(reactor) = self.reactor() else { return };
        let (internal, foreign): (Vec<_>, Vec<_>) =
            reactor.end().into_iter().partition(|woken| woken.is_internal);
        internal.into_iter().for_each(|woken| self.wake(woken.waker));
        let left = std::iter::from_fn(|| reactor.take_left());
        let foreign: Vec<_> = foreign.into_iter().map(|woken| woken.waker).chain(left).collect();
        if !foreign.is_empty() {
            self.threads.requests.wake_elsewhere(foreign);
        }
    }
}
