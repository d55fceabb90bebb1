//! Who records the events of one thread.

#![forbid(unsafe_code)]

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::event::{Event, EventKind, EventSlot};
use super::ring::Ring;
use super::ticks::Ticks;
use crate::scheduler::goroutine::spawn_site::SpawnSite;
use crate::scheduler::wait::RawActivity;

pub(crate) type EventRing = Ring<EventSlot>;

/// The ring of a thread that has one for itself.
pub(crate) struct OwnRing {
    pub(super) events: EventRing,
    /// How many of all these were notes.
    pub(super) notes: AtomicU64,
}

/// A long poll is noted again after so many events in it, as a part of the ring: otherwise they would overwrite
/// its begin.
const GOES_ON_AFTER: usize = 4;

pub(crate) struct Recorder {
    ring: Arc<OwnRing>,
    time: Ticks,
    /// When a poll has ended here, unless something else came after it.
    last_end: Cell<Option<u64>>,
    /// What is polled here, and its site: of several, inside one another, the outermost.
    polled: Cell<Option<(EventKind, usize, usize)>>,
    /// How many events there have been since that was noted.
    since: Cell<usize>,
}

impl Recorder {
    pub(super) fn new(ring: Arc<OwnRing>, time: Ticks) -> Self {
        Recorder {
            ring,
            time,
            last_end: Cell::new(None),
            polled: Cell::new(None),
            since: Cell::new(0),
        }
    }

    pub(crate) fn record(&self, kind: EventKind, subject: usize, site: usize) {
        self.push(kind, self.time.now(), subject, site, RawActivity::RUNNING);
    }

    #[inline]
    pub(crate) fn poll_begins(&self, task: usize, site: &'static SpawnSite) {
        let at = self.last_end.take().unwrap_or_else(|| self.time.ordered());
        let site = site.address();
        self.push(EventKind::PollBegins, at, task, site, RawActivity::RUNNING);
        self.polled.set(Some((EventKind::PollGoesOn, task, site)));
        self.since.set(0);
    }

    #[inline]
    pub(crate) fn poll_ends(
        &self,
        kind: EventKind,
        task: usize,
        site: usize,
        activity: RawActivity,
    ) {
        let at = self.time.now();
        self.polled.set(None);
        self.push(kind, at, task, site, activity);
        self.last_end.set(Some(at));
    }

    /// Notes how the two clocks stand, now and then.
    pub(crate) fn note_clocks(&self) {
        if let Some((at, nanoseconds)) = self.time.both_at_once() {
            self.ring.notes.fetch_add(1, Ordering::Relaxed);
            self.push(EventKind::Clock, at, nanoseconds as usize, 0, RawActivity::RUNNING);
        }
    }

    /// Something comes between two polls that may take a while.
    pub(crate) fn pause(&self) {
        self.last_end.set(None);
    }

    /// What this thread drives, `subject`, begins or ends a poll. The event has the driver around it instead of a
    /// site.
    pub(crate) fn drive(&self, kind: EventKind, subject: usize, activity: RawActivity) {
        let outermost = self.polled.get();
        if outermost.is_some_and(|polled| polled.1 == subject) {
            self.polled.set(None);
        }
        let around = outermost.filter(|polled| polled.0 == EventKind::DriveGoesOn);
        let around = around.map_or(0, |polled| polled.1);
        let around = if around == subject { 0 } else { around };
        self.push(kind, self.time.ordered(), subject, around, activity);
        if kind == EventKind::DrivePollBegins && outermost.is_none() {
            self.polled.set(Some((EventKind::DriveGoesOn, subject, 0)));
            self.since.set(0);
        }
    }

    #[inline]
    fn push(&self, kind: EventKind, at: u64, subject: usize, site: usize, activity: RawActivity) {
        self.last_end.set(None);
        self.since.set(self.since.get() + 1);
        self.ring.events.push(Event { kind, at, subject, site, activity, thread: 0 });
        if self.since.get() > self.ring.events.capacity() / GOES_ON_AFTER {
            self.note_again(at);
        }
    }

    #[cold]
    fn note_again(&self, at: u64) {
        self.since.set(0);
        if let Some((kind, subject, site)) = self.polled.get() {
            let activity = RawActivity::RUNNING;
            self.ring.notes.fetch_add(1, Ordering::Relaxed);
            self.ring.events.push(Event { kind, at, subject, site, activity, thread: 0 });
        }
    }
}
