//! The events that a runtime has recorded, of all threads in one order.

#![forbid(unsafe_code)]

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, TryReserveError};
use std::io;

use crate::scheduler::trace::event::{Event, EventKind};
use crate::scheduler::trace::ring::Kept;
use crate::scheduler::trace::{Copied, Owner, Trace};

/// A thread, in the order in which a file shows them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Thread {
    Main,
    Worker(usize),
    Monitor,
    /// Any other, with its number.
    Other(u32),
}

impl Thread {
    fn of(owner: Owner, number: u32) -> Self {
        match owner {
            Owner::Main => Thread::Main,
            Owner::Worker(index) => Thread::Worker(index),
            Owner::Monitor => Thread::Monitor,
            Owner::Outside => Thread::Other(number),
        }
    }
}

/// If threads overwrite their rings while these are read: at least this part of each is.
const LEAST_PART: usize = 64;

/// What the rings had when somebody asked. To copy it takes no longer than it must: all goes on meanwhile, also when
/// main has ended.
pub(crate) struct Snapshot {
    copied: Copied,
    /// Where it becomes complete, in ticks.
    begin: u64,
}

impl Snapshot {
    /// Fails if there is no memory for it.
    pub(crate) fn of(trace: &Trace) -> io::Result<Self> {
        let mut part = 1;
        loop {
            match trace.read(part) {
                Ok(copied) => {
                    let end = copied.end;
                    let cut = copied.rings.iter().filter(|(_, kept)| kept.lost > 0);
                    let firsts = cut.map(|(_, kept)| kept.events.first());
                    let begin = firsts.map(|event| event.map_or(end, |event| event.at)).max();
                    let begin = begin.unwrap_or(0).min(end);
                    if begin < end || part == LEAST_PART {
                        return Ok(Snapshot { copied, begin });
                    }
                }
                Err(error) if part == LEAST_PART => return Err(error.into()),
                Err(_) => {}
            }
            part *= 2;
        }
    }
}

/// All events that are left, up to the moment at which somebody asked for them. They are complete from the latest
/// moment on before which some thread has lost any.
pub(super) struct Recorded {
    events: Vec<(Thread, Event)>,
    /// Where they become complete.
    begin: u64,
    /// How many there are before that.
    incomplete: usize,
    overwritten: u64,
}

impl Recorded {
    /// Fails if there is no memory for it.
    pub(super) fn of(Snapshot { mut copied, begin }: Snapshot) -> io::Result<Self> {
        let overwritten = copied.lost();
        let begin = copied.convert()(begin);
        copied.rings.iter_mut().for_each(|(owner, kept)| add_first_poll(*owner, kept));
        let mut events = merged(copied)?;
        find_sites(&mut events);
        let incomplete = events.partition_point(|(_, event)| event.at < begin);
        Ok(Recorded { events, begin, incomplete, overwritten })
    }

    pub(super) fn begin(&self) -> u64 {
        self.begin
    }

    pub(super) fn incomplete(&self) -> &[(Thread, Event)] {
        &self.events[..self.incomplete]
    }

    pub(super) fn complete(&self) -> &[(Thread, Event)] {
        &self.events[self.incomplete..]
    }

    /// How many complete ones there are.
    pub(super) fn len(&self) -> u64 {
        count(self.complete())
    }

    /// How many came before the complete ones.
    pub(super) fn lost(&self) -> u64 {
        self.overwritten + count(self.incomplete())
    }
}

/// Without those that say again what is known.
fn count(events: &[(Thread, Event)]) -> u64 {
    events.iter().filter(|(_, event)| !event.kind.is_note()).count() as u64
}

/// The polls of a ring, if the begin of the first one is lost, begin with the ring: one that goes on is what one looks for.
fn add_first_poll(owner: Owner, kept: &mut Kept<Event>) {
    let first = match owner {
        Owner::Main => kept.events.iter().find_map(drives),
        Owner::Worker(_) => kept.events.iter().find_map(polls),
        // That has none, and others share a ring.
        Owner::Monitor | Owner::Outside => None,
    };
    if let (Some(Some(first)), true) = (first, kept.lost > 0) {
        let at = kept.events[0].at;
        kept.events.insert(0, Event { at, ..first });
    }
}

/// What the event says of the poll that the thread is in before it, if anything.
fn polls(event: &Event) -> Option<Option<Event>> {
    match event.kind {
        EventKind::PollBegins => Some(None),
        EventKind::PollGoesOn | EventKind::PollEnds | EventKind::PollCompletes => {
            Some(Some(Event { kind: EventKind::PollGoesOn, ..*event }))
        }
        _ => None,
    }
}

/// The same for main's thread, which polls drivers, perhaps one inside the other: of the outermost.
fn drives(event: &Event) -> Option<Option<Event>> {
    let goes_on = Event { kind: EventKind::DriveGoesOn, site: 0, ..*event };
    match event.kind {
        kind if !is_drive(kind) => None,
        _ if event.site != 0 => Some(Some(Event { subject: event.site, ..goes_on })),
        EventKind::DriveGoesOn | EventKind::DrivePollEnds => Some(Some(goes_on)),
        _ => Some(None),
    }
}

fn is_drive(kind: EventKind) -> bool {
    matches!(
        kind,
        EventKind::DrivePollBegins
            | EventKind::DriveGoesOn
            | EventKind::DrivePollEnds
            | EventKind::DriveEnds
    )
}

/// The events of all rings by time, those of each in its order. At the same time, somebody is woken before he is
/// polled on another thread.
fn merged(Copied { rings, owners, .. }: Copied) -> Result<Vec<(Thread, Event)>, TryReserveError> {
    let is_wake = |kind| matches!(kind, EventKind::Spawned | EventKind::Woken);
    let key = |event: &Event, ring: usize| Reverse((event.at, !is_wake(event.kind), ring));
    let thread_of = |owner, number| match owner {
        Owner::Outside => match owners.get(&number) {
            Some(owner) => Thread::of(*owner, number),
            None => Thread::Other(number),
        },
        owner => Thread::of(owner, number),
    };
    let mut rings: Vec<_> = rings
        .into_iter()
        .map(|(owner, kept)| (owner, kept.events.into_iter().peekable()))
        .collect();
    let mut heads = BinaryHeap::new();
    for (ring, (_, events)) in rings.iter_mut().enumerate() {
        heads.extend(events.peek().map(|event| key(event, ring)));
    }
    let mut all = Vec::new();
    all.try_reserve_exact(rings.iter().map(|(_, events)| events.len()).sum())?;
    while let Some(Reverse((_, _, ring))) = heads.pop() {
        let (owner, events) = &mut rings[ring];
        let mut event = events.next().expect("it is among the heads");
        if is_drive(event.kind) {
            event.site = 0;
        }
        all.push((thread_of(*owner, event.thread), event));
        heads.extend(events.peek().map(|event| key(event, ring)));
    }
    Ok(all)
}

/// Who wakes a goroutine does not know where that was spawned. What comes after it does.
fn find_sites(events: &mut [(Thread, Event)]) {
    let mut sites = HashMap::new();
    for (_, event) in events.iter_mut().rev() {
        match event.kind {
            EventKind::Woken => event.site = sites.get(&event.subject).copied().unwrap_or(0),
            EventKind::Spawned => _ = sites.remove(&event.subject),
            EventKind::PollBegins
            | EventKind::PollGoesOn
            | EventKind::PollEnds
            | EventKind::PollCompletes => _ = sites.insert(event.subject, event.site),
            _ => {}
        }
    }
}
