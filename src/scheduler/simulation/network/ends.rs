//! The two ends of a connection, and what is on its way between them.

#![forbid(unsafe_code)]

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use crate::scheduler::reactor::source::{Readiness, Source, Woken};
use crate::scheduler::simulation::host_id::HostId;
use crate::scheduler::simulation::network::agenda::Key;
use crate::scheduler::simulation::network::end_id::Side;

pub(super) struct Connection {
    client: End,
    server: End,
    /// Of the agenda, while messages do not get through.
    pub(super) gives_up: Option<Key>,
}

impl Connection {
    pub(super) fn new(client: End, server: End) -> Self {
        Connection { client, server, gives_up: None }
    }

    pub(super) fn end(&mut self, side: Side) -> &mut End {
        match side {
            Side::Client => &mut self.client,
            Side::Server => &mut self.server,
        }
    }

    pub(super) fn hosts(&self) -> (HostId, HostId) {
        (self.client.host, self.server.host)
    }

    pub(super) fn has_lost_end(&self) -> bool {
        [&self.client, &self.server].iter().any(|end| end.owner == Owner::Lost)
    }

    /// Whether it means anything to somebody that nothing gets through.
    pub(super) fn can_fail(&self) -> bool {
        [&self.client, &self.server].iter().any(|end| end.is_used() && end.phase != Phase::Over)
    }

    /// Whether either end has a socket, or waits for one.
    pub(super) fn is_used(&self) -> bool {
        let is_requested = self.server.phase == Phase::Connecting;
        self.client.is_used() || self.server.is_used() && !is_requested
    }
}

pub(super) struct Segment {
    pub(super) arrives: Instant,
    pub(super) content: Content,
}

pub(super) enum Content {
    /// A client wants a connection.
    Request,
    /// There is one.
    Acceptance,
    /// There is none.
    Refusal,
    Data(Vec<u8>),
    /// No more data.
    End,
    Reset,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Connecting,
    Open,
    /// It has failed, or was never connected.
    Over,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    /// Nobody has accepted it yet.
    Nobody,
    Socket,
    /// Its socket is closed.
    Gone,
    /// Its host has crashed.
    Lost,
}

pub(super) struct End {
    pub(super) source: Arc<Source>,
    pub(super) host: HostId,
    pub(super) address: SocketAddr,
    pub(super) phase: Phase,
    pub(super) owner: Owner,
    /// On their way to here.
    pub(super) incoming: VecDeque<Segment>,
    /// How many bytes these are.
    pub(super) incoming_bytes: usize,
    /// When something arrives is on the agenda.
    pub(super) arrival: Option<Key>,
    pub(super) received: VecDeque<u8>,
    /// The peer's end of data has come.
    pub(super) has_all: bool,
    pub(super) reads_are_shut: bool,
    /// The end of data has been sent.
    pub(super) writes_are_shut: bool,
    /// The peer had no room, and it waits.
    pub(super) is_held_up: bool,
    pub(super) error: Option<io::ErrorKind>,
}

/// How many bytes may be on their way and unread, in each direction.
const CAPACITY: usize = 64 * 1024;

pub(super) const ALL: Readiness = Readiness::READABLE
    .with(Readiness::WRITABLE)
    .with(Readiness::READ_CLOSED)
    .with(Readiness::WRITE_CLOSED);

impl End {
    pub(super) fn new(host: HostId, address: SocketAddr, owner: Owner) -> Self {
        End {
            source: Arc::new(Source::new()),
            host,
            address,
            phase: Phase::Connecting,
            owner,
            incoming: VecDeque::new(),
            incoming_bytes: 0,
            arrival: None,
            received: VecDeque::new(),
            has_all: false,
            reads_are_shut: false,
            writes_are_shut: false,
            is_held_up: false,
            error: None,
        }
    }

    pub(super) fn is_used(&self) -> bool {
        matches!(self.owner, Owner::Nobody | Owner::Socket)
    }

    /// After some of what was on its way is lost.
    pub(super) fn count_incoming(&mut self) {
        let bytes = self.incoming.iter().map(|segment| match &segment.content {
            Content::Data(data) => data.len(),
            _ => 0,
        });
        self.incoming_bytes = bytes.sum();
    }

    /// For how many bytes more there is room here.
    pub(super) fn room(&self) -> usize {
        CAPACITY.saturating_sub(self.received.len() + self.incoming_bytes)
    }

    /// Nothing is exchanged any more. What was received may still be read.
    pub(super) fn fail(&mut self, error: io::ErrorKind, woken: &mut Vec<Woken>) {
        if self.phase == Phase::Connecting && self.owner == Owner::Nobody {
            // No listener has heard of it.
            self.owner = Owner::Gone;
        }
        if self.phase != Phase::Over {
            self.phase = Phase::Over;
            // If all has come, only who writes is told of a reset.
            let is_late = self.has_all && error == io::ErrorKind::ConnectionReset;
            self.error = Some(if is_late { io::ErrorKind::BrokenPipe } else { error });
        }
        self.incoming.clear();
        self.incoming_bytes = 0;
        self.source.notify(ALL, woken);
    }
}
