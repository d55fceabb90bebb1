//! What is to happen later.

#![forbid(unsafe_code)]

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Instant;

use crate::scheduler::simulation::network::end_id::EndId;
use crate::scheduler::simulation::places::HostId;

pub(super) enum Event {
    /// Something arrives at this end.
    Arrival(EndId),
    /// Neither end has heard of the other for too long.
    GiveUp(u64),
    /// An end asks whether the other one, which has crashed, is there.
    Probe(EndId),
    Datagram(Datagram),
    /// A datagram of this socket was refused.
    Refusal(u64),
    OutageEnds(HostId, HostId),
}

pub(super) struct Datagram {
    pub(super) from: SocketAddr,
    pub(super) sender: u64,
    pub(super) sender_host: HostId,
    pub(super) to: SocketAddr,
    pub(super) to_host: HostId,
    pub(super) data: Vec<u8>,
}

/// When, and a number, by which it is taken off.
pub(super) type Key = (Instant, u64);

#[derive(Default)]
pub(super) struct Agenda {
    events: BTreeMap<Key, Event>,
    next: u64,
}

impl Agenda {
    pub(super) fn add(&mut self, at: Instant, event: Event) -> Key {
        self.next += 1;
        let key = (at, self.next);
        self.events.insert(key, event);
        key
    }

    pub(super) fn remove(&mut self, key: Key) -> Option<Event> {
        self.events.remove(&key)
    }

    pub(super) fn earliest(&self) -> Option<Instant> {
        self.events.keys().next().map(|(at, _)| *at)
    }

    /// What may happen next of what is due. Datagrams over one link that are due at the same time arrive as they were sent.
    pub(super) fn due(&self, now: Instant) -> Vec<Key> {
        let mut links = BTreeSet::new();
        let due = self.events.range(..=(now, u64::MAX));
        let next = due.filter(|(_, event)| match event {
            Event::Datagram(datagram) => links.insert((datagram.sender_host, datagram.to_host)),
            _ => true,
        });
        next.map(|(key, _)| *key).collect()
    }

    pub(super) fn clear(&mut self) {
        self.events.clear();
    }
}
