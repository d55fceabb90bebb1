//! The events that a runtime has recorded, of all threads in one order.

#![forbid(unsafe_code)]

use std::collections::HashMap;

use crate::scheduler::trace::event::{Event, EventKind};
use crate::scheduler::trace::{Owner, Trace};

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

/// So often the rings are read, if threads overwrite theirs meanwhile.
const TRIES: usize = 4;

/// All events that are left, up to the moment at which somebody asked for them. They are complete from the latest
/// moment on before which some thread has lost any.
pub(crate) struct Recorded {
    events: Vec<(Thread, Event)>,
    /// Where they become complete.
    begin: u64,
    /// How many there are before that.
    incomplete: usize,
    overwritten: u64,
}

impl Recorded {
    pub(crate) fn of(trace: &Trace) -> Self {
        let mut tries = 1;
        let (rings, begin) = loop {
            let (rings, end) = trace.read();
            let cut = rings.iter().filter(|(_, kept)| kept.lost > 0);
            let begin =
                cut.map(|(_, kept)| kept.events.first().map_or(end, |event| event.at)).max();
            let begin = begin.unwrap_or(0);
            if begin < end || tries == TRIES {
                break (rings, begin);
            }
            tries += 1;
        };
        let overwritten = rings.iter().map(|(_, kept)| kept.lost).sum();
        let mut others = HashMap::new();
        let mut events = Vec::new();
        for (owner, kept) in rings {
            events.extend(kept.events.into_iter().map(|event| {
                let number = event.thread;
                let thread = match owner {
                    Owner::Outside => *others
                        .entry(number)
                        .or_insert_with(|| Thread::of(trace.owner_of(number), number)),
                    owner => Thread::of(owner, 0),
                };
                (thread, event)
            }));
        }
        // Those of a thread stay in their order. At the same time, somebody is woken before he is polled.
        let is_wake = |kind| matches!(kind, EventKind::Spawned | EventKind::Woken);
        events.sort_by_key(|(_, event)| (event.at, !is_wake(event.kind)));
        find_sites(&mut events);
        let incomplete = events.partition_point(|(_, event)| event.at < begin);
        Recorded { events, begin, incomplete, overwritten }
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

    /// How many came before the complete ones.
    pub(super) fn lost(&self) -> u64 {
        self.overwritten + self.incomplete as u64
    }
}

/// Who wakes a goroutine does not know where that was spawned. The poll after it does.
fn find_sites(events: &mut [(Thread, Event)]) {
    let mut sites = HashMap::new();
    for (_, event) in events.iter_mut().rev() {
        match event.kind {
            EventKind::PollBegins => _ = sites.insert(event.subject, event.site),
            EventKind::Woken => event.site = sites.get(&event.subject).copied().unwrap_or(0),
            EventKind::Spawned => _ = sites.remove(&event.subject),
            _ => {}
        }
    }
}
