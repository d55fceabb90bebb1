//! What happens on a connection: what is sent, what arrives, and what never does.

#![forbid(unsafe_code)]

use std::io;
use std::time::{Duration, Instant};

use crate::scheduler::reactor::source::Readiness;
use crate::scheduler::simulation::host_id::HostId;
use crate::scheduler::simulation::network::agenda::Event;
use crate::scheduler::simulation::network::end_id::{EndId, Side};
use crate::scheduler::simulation::network::ends::{Content, Owner, Phase, Segment};
use crate::scheduler::simulation::network::links::Cut;
use crate::scheduler::simulation::network::state::{Act, Protocol, reaches, shown};

/// How long one tries to connect: what Linux does.
const TO_CONNECT: Duration = Duration::from_secs(127);

/// How long a connection lasts on which nothing gets through: what keepalive makes of it, as `net` sets it (nine
/// questions after the first 15 s).
const UNHEARD: Duration = Duration::from_secs(150);

/// When the first of them is asked.
const PROBE: Duration = Duration::from_secs(15);

/// When a request is sent again for which a listener had no room.
const AGAIN: Duration = Duration::from_secs(1);

/// How many connections wait for a listener.
const BACKLOG: usize = 4096;

impl Act<'_> {
    /// Sends something from the other end to `to`, behind what is on its way.
    pub(super) fn send(&mut self, to: EndId, content: Content) {
        let Some(from) = self.state.end(to.other()).map(|end| end.host) else { return };
        let Some(host) = self.state.end(to).map(|end| end.host) else { return };
        self.maybe_break(from, host);
        let mut arrives = self.arrival(from, host);
        let Some(end) = self.state.end(to) else { return };
        if let Some(last) = end.incoming.back() {
            arrives = arrives.max(last.arrives);
        }
        if let Content::Data(data) = &content {
            end.incoming_bytes += data.len();
        }
        end.incoming.push_back(Segment { arrives, content });
        if self.state.links.is_cut(from, host) {
            self.watch(to.connection);
        }
        self.deliver(to);
    }

    /// Takes all that has arrived at `id`, and notes when the next does.
    pub(super) fn deliver(&mut self, id: EndId) {
        while let Some((from, to, arrives)) = self.next_segment(id) {
            if arrives > self.now {
                self.expect(id, arrives);
                return;
            }
            if self.state.links.is_cut(from, to) {
                return self.hold(id);
            }
            let end = self.state.end(id).expect("it has a segment");
            let segment = end.incoming.pop_front().expect("it has one");
            if !self.take(id, segment.content) {
                return;
            }
            self.heard(id.connection);
        }
    }

    /// What has arrived at a link that is cut is sent again, unless its sender has crashed.
    fn hold(&mut self, id: EndId) {
        self.watch(id.connection);
        let sender = self.state.end(id.other());
        if sender.is_some_and(|sender| sender.owner == Owner::Lost) {
            self.forget_late(id);
        }
    }

    /// If something should have arrived that nobody sends again, what follows is lost, too; but for the reset by a host
    /// that runs again.
    fn forget_late(&mut self, id: EndId) {
        let now = self.now;
        let Some(end) = self.state.end(id) else { return };
        if end.incoming.front().is_none_or(|segment| segment.arrives > now) {
            return;
        }
        let before = end.incoming.len();
        end.incoming.retain(|segment| matches!(segment.content, Content::Reset));
        end.count_incoming();
        let is_lost = end.incoming.len() < before;
        if is_lost && let Some((from, to)) = self.hosts_of(id) {
            self.note(|name| format!("what {} had sent to {} is lost", name(from), name(to)));
        }
    }

    /// From where to where `id` receives.
    fn hosts_of(&mut self, id: EndId) -> Option<(HostId, HostId)> {
        Some((self.state.end(id.other())?.host, self.state.end(id)?.host))
    }

    fn next_segment(&mut self, id: EndId) -> Option<(HostId, HostId, Instant)> {
        let from = self.state.end(id.other())?.host;
        let end = self.state.end(id)?;
        Some((from, end.host, end.incoming.front()?.arrives))
    }

    fn expect(&mut self, id: EndId, arrives: Instant) {
        let state = &mut *self.state;
        let Some(connection) = state.connections.get_mut(&id.connection) else { return };
        let end = connection.end(id.side);
        if let Some(key) = end.arrival {
            if key.0 <= arrives {
                return;
            }
            state.agenda.remove(key);
        }
        end.arrival = Some(state.agenda.add(arrives, Event::Arrival(id)));
    }

    /// Returns whether the next segment may follow.
    fn take(&mut self, id: EndId, content: Content) -> bool {
        let Some(end) = self.state.end(id) else { return false };
        if let Content::Data(data) = &content {
            end.incoming_bytes -= data.len();
        }
        match content {
            Content::Request => return self.take_request(id),
            // Nobody wants it any more, or its host does not know it.
            Content::Acceptance | Content::Data(_) if !end.is_used() => {
                end.phase = Phase::Over;
                end.incoming.clear();
                end.incoming_bytes = 0;
                self.send(id.other(), Content::Reset);
            }
            Content::Acceptance => {
                end.phase = Phase::Open;
                end.source.notify(Readiness::WRITABLE, &mut self.woken);
                self.forget_watch(id.connection);
                if self.is_cut_off(id.connection) {
                    self.watch(id.connection);
                }
            }
            Content::Refusal => end.fail(io::ErrorKind::ConnectionRefused, &mut self.woken),
            Content::Data(_) if end.phase == Phase::Over => {}
            Content::Data(data) => {
                end.received.extend(data);
                end.source.notify(Readiness::READABLE, &mut self.woken);
            }
            Content::End => {
                end.has_all = true;
                let readiness = Readiness::READABLE.with(Readiness::READ_CLOSED);
                end.source.notify(readiness, &mut self.woken);
            }
            Content::Reset => {
                let was_over = end.phase == Phase::Over;
                end.fail(io::ErrorKind::ConnectionReset, &mut self.woken);
                if !was_over && let Some((from, to)) = self.hosts_of(id) {
                    self.note(|name| format!("{} resets a connection of {}", name(from), name(to)));
                }
            }
        }
        self.forget_watch_of_failed(id.connection);
        true
    }

    fn take_request(&mut self, id: EndId) -> bool {
        let Some(end) = self.state.end(id) else { return false };
        let (host, to) = (end.host, end.address);
        let listeners =
            self.state.listeners.iter_mut().filter(|(_, listener)| listener.host == host);
        let matching = listeners.filter_map(|(_, listener)| {
            reaches(listener.address, to).map(|matched| (matched, listener))
        });
        match matching.max_by_key(|(matched, _)| *matched) {
            None => {
                self.send(id.other(), Content::Refusal);
                let end = self.state.end(id).expect("it was there");
                (end.phase, end.owner) = (Phase::Over, Owner::Gone);
                true
            }
            Some((_, listener)) if listener.waiting.len() >= BACKLOG => {
                let again = self.now + AGAIN;
                let end = self.state.end(id).expect("it was there");
                let content = Content::Request;
                end.incoming.push_front(Segment { arrives: again, content });
                self.expect(id, again);
                self.watch(id.connection);
                false
            }
            Some((_, listener)) => {
                listener.waiting.push_back(id.connection);
                listener.source.notify(Readiness::READABLE, &mut self.woken);
                let bound = listener.address;
                let end = self.state.end(id).expect("it was there");
                end.phase = Phase::Open;
                end.address = shown(end.address, bound);
                self.send(id.other(), Content::Acceptance);
                true
            }
        }
    }

    // Links.

    pub(super) fn maybe_break(&mut self, from: HostId, to: HostId) {
        if let Some((cut, until)) = self.may_break(from, to) {
            for (one, other) in [(from, to), (to, from)] {
                // One that a script has made stays.
                if !self.state.links.cuts.contains_key(&(one, other)) {
                    self.note(|name| {
                        format!("an outage from {} to {} begins", name(one), name(other))
                    });
                    self.cut(one, other, cut);
                    self.state.agenda.add(until, Event::OutageEnds(one, other));
                }
            }
        }
    }

    pub(super) fn cut(&mut self, from: HostId, to: HostId, cut: Cut) {
        self.state.links.cuts.insert((from, to), cut);
        self.watch_all();
    }

    /// All connections over links that are cut are given up after a while.
    pub(super) fn watch_all(&mut self) {
        let ids: Vec<_> = self.state.connections.keys().copied().collect();
        for id in ids {
            if self.is_cut_off(id) {
                self.watch(id);
            }
        }
    }

    /// Links work again: what waits for them arrives after a while.
    pub(super) fn go_on(&mut self) {
        let ids: Vec<_> = self.state.connections.keys().copied().collect();
        for connection in ids {
            self.may_be_heard(connection);
            for side in [Side::Client, Side::Server] {
                self.send_again(EndId { connection, side });
            }
        }
    }

    fn send_again(&mut self, id: EndId) {
        let Some((from, to, first)) = self.next_segment(id) else { return };
        // What has not arrived yet is on its way as ever.
        if first > self.now || self.state.links.is_cut(from, to) {
            return;
        }
        let arrives = self.arrival(from, to);
        let end = self.state.end(id).expect("it has a segment");
        end.incoming.iter_mut().for_each(|segment| segment.arrives = segment.arrives.max(arrives));
        self.deliver(id);
    }

    /// If the link works for long enough, a connection that was to be given up is not.
    fn may_be_heard(&mut self, id: u64) {
        if self.has_got_through(id) {
            let (one, other) = self.state.connections[&id].hosts();
            let both = self.arrival(one, other).max(self.arrival(other, one));
            self.state.agenda.add(both, Event::Heard(id));
        }
    }

    pub(super) fn heard(&mut self, id: u64) {
        if self.has_got_through(id) {
            self.forget_watch(id);
        }
    }

    /// Whether a connection that was to be given up hears of both ends. A request has not got through before it is
    /// accepted.
    fn has_got_through(&mut self, id: u64) -> bool {
        let Some(connection) = self.state.connections.get_mut(&id) else { return false };
        let is_open = connection.end(Side::Client).phase != Phase::Connecting;
        is_open && connection.gives_up.is_some() && !self.is_cut_off(id)
    }

    fn is_cut_off(&self, connection: u64) -> bool {
        let Some(connection) = self.state.connections.get(&connection) else { return false };
        let (one, other) = connection.hosts();
        self.state.links.are_apart(one, other) || connection.has_lost_end()
    }

    fn watch(&mut self, id: u64) {
        let state = &mut *self.state;
        let Some(connection) = state.connections.get_mut(&id) else { return };
        if connection.gives_up.is_none() && connection.can_fail() {
            let is_connecting = connection.end(Side::Client).phase == Phase::Connecting;
            let limit = if is_connecting { TO_CONNECT } else { UNHEARD };
            connection.gives_up = Some(state.agenda.add(self.now + limit, Event::GiveUp(id)));
        }
    }

    fn forget_watch(&mut self, id: u64) {
        let state = &mut *self.state;
        let Some(connection) = state.connections.get_mut(&id) else { return };
        if let Some(key) = connection.gives_up.take() {
            state.agenda.remove(key);
        }
    }

    fn forget_watch_of_failed(&mut self, id: u64) {
        let connection = self.state.connections.get_mut(&id);
        if connection.is_some_and(|connection| !connection.can_fail()) {
            self.forget_watch(id);
        }
    }

    /// Nothing has got through for long.
    pub(super) fn give_up(&mut self, id: u64) {
        let Some(connection) = self.state.connections.get_mut(&id) else { return };
        connection.gives_up = None;
        let (one, other) = connection.hosts();
        for side in [Side::Client, Side::Server] {
            let end = connection.end(side);
            if end.is_used() {
                end.fail(io::ErrorKind::TimedOut, &mut self.woken);
            }
        }
        self.note(|name| format!("a connection from {} to {} is given up", name(one), name(other)));
        self.remove_if_unused(id);
    }

    // Ends.

    /// Its socket is closed. `abort`: the peer is told that the rest is lost.
    pub(super) fn close(&mut self, id: EndId, abort: bool) {
        let Some(end) = self.state.end(id) else { return };
        if !end.is_used() {
            return;
        }
        end.owner = Owner::Gone;
        let is_open = end.phase == Phase::Open;
        let loses = abort || !end.received.is_empty();
        end.received.clear();
        let has_shut = std::mem::replace(&mut end.writes_are_shut, true);
        if is_open && loses {
            end.phase = Phase::Over;
            self.send(id.other(), Content::Reset);
        } else if is_open && !has_shut {
            self.send(id.other(), Content::End);
        }
        self.remove_if_unused(id.connection);
    }

    /// The connection fails at both ends, at once.
    pub(super) fn reset(&mut self, id: u64) {
        let Some(connection) = self.state.connections.get_mut(&id) else { return };
        for side in [Side::Client, Side::Server] {
            connection.end(side).fail(io::ErrorKind::ConnectionReset, &mut self.woken);
        }
        let (one, other) = connection.hosts();
        self.note(|name| format!("a connection from {} to {} is reset", name(one), name(other)));
        self.forget_watch(id);
    }

    /// The host of this end has crashed.
    pub(super) fn lose(&mut self, id: EndId) {
        let peer = self.state.end(id.other());
        let has_sent = peer.is_some_and(|peer| !peer.incoming.is_empty());
        // What would have to be sent again is lost; what is on its way arrives.
        self.forget_late(id.other());
        let Some(end) = self.state.end(id) else { return };
        // A request that has not arrived is sent again until it does.
        let is_requested = end.owner == Owner::Nobody && end.phase == Phase::Connecting;
        if end.is_used() && !is_requested {
            end.fail(io::ErrorKind::ConnectionReset, &mut self.woken);
            end.owner = Owner::Lost;
            end.received.clear();
        } else if end.owner == Owner::Gone && has_sent {
            // Its peer may not have heard that it is closed.
            (end.owner, end.phase) = (Owner::Lost, Phase::Over);
        }
        self.watch(id.connection);
        self.remove_if_unused(id.connection);
    }

    /// A host runs again that has crashed: the peers of what it had find that out.
    pub(super) fn probe(&mut self, host: HostId) {
        let state = &mut *self.state;
        for (&id, connection) in &mut state.connections {
            for side in [Side::Client, Side::Server] {
                let end = connection.end(side);
                if end.host == host && end.owner == Owner::Lost {
                    let peer = EndId { connection: id, side }.other();
                    state.agenda.add(self.now + PROBE, Event::Probe(peer));
                }
            }
        }
    }

    pub(super) fn probed(&mut self, id: EndId) {
        let Some(lost) = self.state.end(id.other()) else { return };
        let (owner, host) = (lost.owner, lost.host);
        if owner == Owner::Lost && !self.state.links.is_down(host) {
            self.send(id, Content::Reset);
        }
    }

    /// Nobody has either end.
    fn remove_if_unused(&mut self, id: u64) {
        let state = &mut *self.state;
        let Some(connection) = state.connections.get_mut(&id) else { return };
        if connection.is_used() {
            return;
        }
        let arrivals = [Side::Client, Side::Server].map(|side| connection.end(side).arrival);
        let keys = arrivals.into_iter().chain([connection.gives_up]).flatten();
        keys.for_each(|key| _ = state.agenda.remove(key));
        let client = connection.end(Side::Client);
        let (host, port) = (client.host, client.address.port());
        state.connections.remove(&id);
        state.release_port(host, Protocol::Tcp, port);
    }
}
