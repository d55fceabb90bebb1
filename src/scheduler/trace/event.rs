//! What happens in a runtime, as a trace has it.

#![forbid(unsafe_code)]

use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};

use crate::scheduler::trace::ring::Slot;
use crate::scheduler::wait::{ActivityCell, RawActivity};

/// An event: what, when, and to whom.
#[derive(Clone, Copy)]
pub(crate) struct Event {
    pub(crate) kind: EventKind,
    /// Since the runtime began: in ticks, in a ring, and in nanoseconds for whoever reads them.
    pub(crate) at: u64,
    /// The address of a goroutine, or of a driver: it is the same one as long as it lives. Or a number.
    pub(crate) subject: usize,
    /// The address of its spawn site, or zero. Who wakes a goroutine does not know it. For a driver: that of the
    /// outermost other one that is polled on the thread.
    pub(crate) site: usize,
    /// What it waits for from now on.
    pub(crate) activity: RawActivity,
    /// The number of the thread that this happened on, if it has no ring of its own.
    pub(crate) thread: u32,
}

/// What happens. "Begins" and "ends" come in pairs, inside one another, on the same thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum EventKind {
    /// The subject, a goroutine, is spawned by what this thread does.
    Spawned,
    /// Likewise, the subject, a goroutine or a driver, is woken.
    Woken,
    PollBegins,
    /// The same poll, once more, when much has happened in it.
    PollGoesOn,
    /// The subject waits.
    PollEnds,
    /// The subject ends.
    PollCompletes,
    /// In this poll: the subject has panicked,
    Panicked,
    /// or is dropped, because it was aborted or main has ended.
    Cancelled,
    /// The thread begins to drive the subject, a future of main's or of a `block_on`.
    DrivePollBegins,
    DriveGoesOn,
    DrivePollEnds,
    /// It is done with, in a poll or between two.
    DriveEnds,
    /// The worker has nothing to do. The subject is 1 if it is the poller.
    SleepBegins,
    SleepEnds,
    /// The goroutine blocks the thread, by `blocking` or `block_on`.
    BlockingBegins,
    BlockingEnds,
    /// The worker calls wakers that may be user code.
    CallBegins,
    CallEnds,
    /// The worker has stolen the subject from another one's queue, which has that number: `site`.
    Stolen,
    /// So many timers have fired here: the subject.
    TimersFired,
    /// So many events of sockets have come here: the subject.
    IoReady,
    /// The monitor has seen that the subject, a worker, is stuck, and that another one has to stand in for it.
    WrittenOff,
    /// A thread begins to be this worker.
    ThreadBegins,
    ThreadEnds,
    /// A span of the program begins: the subject is the address of its name (`names.rs`).
    SpanBegins,
    SpanEnds,
    /// The program notes the subject, the address of a name.
    Noted,
    /// How the two clocks stand: the subject is the time in nanoseconds.
    Clock,
    /// Counts of the moment, which the monitor takes: goroutines,
    Goroutines,
    /// those that wait for a worker,
    Queued,
    /// and workers that have something to do.
    Awake,
}

impl EventKind {
    /// It is no event of the program's: it says again what is known, or how the clocks stand.
    pub(crate) fn is_note(self) -> bool {
        matches!(self, EventKind::PollGoesOn | EventKind::DriveGoesOn | EventKind::Clock)
    }

    const ALL: [EventKind; 31] = [
        EventKind::Spawned,
        EventKind::Woken,
        EventKind::PollBegins,
        EventKind::PollGoesOn,
        EventKind::PollEnds,
        EventKind::PollCompletes,
        EventKind::Panicked,
        EventKind::Cancelled,
        EventKind::DrivePollBegins,
        EventKind::DriveGoesOn,
        EventKind::DrivePollEnds,
        EventKind::DriveEnds,
        EventKind::SleepBegins,
        EventKind::SleepEnds,
        EventKind::BlockingBegins,
        EventKind::BlockingEnds,
        EventKind::CallBegins,
        EventKind::CallEnds,
        EventKind::Stolen,
        EventKind::TimersFired,
        EventKind::IoReady,
        EventKind::WrittenOff,
        EventKind::ThreadBegins,
        EventKind::ThreadEnds,
        EventKind::SpanBegins,
        EventKind::SpanEnds,
        EventKind::Noted,
        EventKind::Clock,
        EventKind::Goroutines,
        EventKind::Queued,
        EventKind::Awake,
    ];
}

/// The time has the upper bits: enough for two years.
const KIND_BITS: u32 = 8;

/// An event in a ring: half a cache line.
pub(crate) struct EventSlot {
    time_and_kind: AtomicU64,
    subject: AtomicUsize,
    site: AtomicUsize,
    activity: ActivityCell,
    thread: AtomicU32,
}

impl Slot for EventSlot {
    type Event = Event;

    fn empty() -> Self {
        EventSlot {
            time_and_kind: AtomicU64::new(0),
            subject: AtomicUsize::new(0),
            site: AtomicUsize::new(0),
            activity: ActivityCell::new(),
            thread: AtomicU32::new(0),
        }
    }

    #[inline]
    fn store(&self, event: Event) {
        let time_and_kind = event.at << KIND_BITS | event.kind as u64;
        self.time_and_kind.store(time_and_kind, Ordering::Relaxed);
        self.subject.store(event.subject, Ordering::Relaxed);
        self.site.store(event.site, Ordering::Relaxed);
        self.activity.set(event.activity);
        self.thread.store(event.thread, Ordering::Relaxed);
    }

    fn load(&self) -> Event {
        let time_and_kind = self.time_and_kind.load(Ordering::Relaxed);
        Event {
            kind: EventKind::ALL[(time_and_kind & ((1 << KIND_BITS) - 1)) as usize],
            at: time_and_kind >> KIND_BITS,
            subject: self.subject.load(Ordering::Relaxed),
            site: self.site.load(Ordering::Relaxed),
            activity: self.activity.get(),
            thread: self.thread.load(Ordering::Relaxed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_a_number_of_its_own() {
        for (place, &kind) in EventKind::ALL.iter().enumerate() {
            assert_eq!(kind as usize, place);
        }
    }

    #[test]
    fn an_event_takes_half_a_cache_line() {
        assert_eq!(size_of::<EventSlot>(), 32);
    }
}
