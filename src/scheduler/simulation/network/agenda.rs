//! What is to happen later.

#![forbid(unsafe_code)]

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::time::Instant;

use crate::scheduler::simulation::host_id::HostId;
use crate::scheduler::simulation::network::end_id::EndId;

pub(super) enum Event {
    /// Something arrives at this end.
    Arrival(EndId),
    /// Neither end has heard of the other for too long.
    GiveUp(u64),
    /// An end asks whether the other one, which has crashed, is there.
    Probe(EndId),
    Datagram(Datagram),
    /// A datagram was refused.
    Refusal(Refusal),
    /// Both ends have heard of each other, if the link still works.
    Heard(u64),
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

pub(super) struct Refusal {
    pub(super) sender: u64,
    pub(super) sender_host: HostId,
    /// Who refuses.
    pub(super) host: HostId,
    pub(super) address: SocketAddr,
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

    /// What is due. Each of these lists may go on next, at its beginning: datagrams over one link that are due at the
    /// same time arrive as they were sent.
    pub(super) fn due(&self, now: Instant) -> VecDeque<VecDeque<Key>> {
        let mut lists: VecDeque<VecDeque<Key>> = VecDeque::new();
        let mut of_links = BTreeMap::new();
        for (&key, event) in self.events.range(..=(now, u64::MAX)) {
            if let Event::Datagram(datagram) = event {
                let link = (datagram.sender_host, datagram.to_host);
                let list = *of_links.entry(link).or_insert(lists.len());
                if let Some(list) = lists.get_mut(list) {
                    list.push_back(key);
                    continue;
                }
            }
            lists.push_back(VecDeque::from([key]));
        }
        lists
    }

    pub(super) fn clear(&mut self) {
        self.events.clear();
    }
}
