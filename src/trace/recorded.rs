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
        let overwritten = copied.rings.iter().map(|(_, kept)| kept.lost).sum();
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

    /// How many complete ones there are, without those that say again what is known.
    pub(super) fn len(&self) -> u64 {
        let is_again = |kind| matches!(kind, EventKind::PollGoesOn | EventKind::DriveGoesOn);
        let first = self.complete().iter().filter(|(_, event)| !is_again(event.kind));
        first.count() as u64
    }

    /// How many came before the complete ones.
    pub(super) fn lost(&self) -> u64 {
        self.overwritten + self.incomplete as u64
    }
}

/// The polls of a ring, if the begin of the first one is lost, begin with the ring: one that goes on is what one looks for.
fn add_first_poll(owner: Owner, kept: &mut Kept<Event>) {
    // It has events of several threads.
    if owner == Owner::Outside {
        return;
    }
    let is_poll = |kind| match owner {
        Owner::Main => matches!(
            kind,
            EventKind::DrivePollBegins | EventKind::DriveGoesOn | EventKind::DrivePollEnds
        ),
        _ => matches!(
            kind,
            EventKind::PollBegins
                | EventKind::PollGoesOn
                | EventKind::PollEnds
                | EventKind::PollCompletes
        ),
    };
    let first = kept.events.iter().find(|event| is_poll(event.kind)).copied();
    let Some(first) = first.filter(|_| kept.lost > 0) else { return };
    let kind = match first.kind {
        EventKind::PollBegins | EventKind::DrivePollBegins => return,
        EventKind::DriveGoesOn | EventKind::DrivePollEnds => EventKind::DriveGoesOn,
        _ => EventKind::PollGoesOn,
    };
    let at = kept.events[0].at;
    kept.events.insert(0, Event { kind, at, ..first });
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
        let event = events.next().expect("it is among the heads");
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
