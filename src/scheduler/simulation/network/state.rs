//! What the network knows, and an act on it.

#![forbid(unsafe_code)]

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::scheduler::reactor::source::{Source, Woken};
use crate::scheduler::simulation::host_id::HostId;
use crate::scheduler::simulation::network::agenda::Agenda;
use crate::scheduler::simulation::network::end_id::EndId;
use crate::scheduler::simulation::network::ends::{Connection, End};
use crate::scheduler::simulation::network::links::{Cut, Links};
use crate::scheduler::simulation::network::settings::NetworkSettings;
use crate::scheduler::simulation::state::{JITTERS, Simulation};
use crate::scheduler::timers::timer::Timer;

pub(super) struct State {
    pub(super) links: Links,
    pub(super) agenda: Agenda,
    pub(super) connections: BTreeMap<u64, Connection>,
    pub(super) listeners: BTreeMap<u64, Listening>,
    pub(super) datagrams: BTreeMap<u64, Receiving>,
    /// How often each port is used.
    pub(super) ports: BTreeMap<(HostId, Protocol, u16), usize>,
    pub(super) last_id: u64,
    /// Of the earliest on the agenda.
    pub(super) timer: Option<Timer>,
    pub(super) has_ended: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Protocol {
    Tcp,
    Udp,
}

/// A socket that accepts connections.
pub(super) struct Listening {
    pub(super) source: Arc<Source>,
    pub(super) host: HostId,
    pub(super) address: SocketAddr,
    /// Those that nobody has accepted yet.
    pub(super) waiting: VecDeque<u64>,
}

/// A socket for datagrams.
pub(super) struct Receiving {
    pub(super) source: Arc<Source>,
    pub(super) host: HostId,
    pub(super) address: SocketAddr,
    pub(super) peer: Option<SocketAddr>,
    pub(super) received: VecDeque<(SocketAddr, Vec<u8>)>,
    pub(super) received_bytes: usize,
    pub(super) error: Option<io::ErrorKind>,
}

/// Something that changes the state, at a moment.
pub(super) struct Act<'a> {
    pub(super) state: &'a mut State,
    pub(super) settings: &'a NetworkSettings,
    pub(super) simulation: &'a Simulation,
    pub(super) now: Instant,
    /// Who is to be woken, without the lock.
    pub(super) woken: Vec<Woken>,
}

impl State {
    pub(super) fn new() -> Self {
        State {
            links: Links::new(),
            agenda: Agenda::default(),
            connections: BTreeMap::new(),
            listeners: BTreeMap::new(),
            datagrams: BTreeMap::new(),
            ports: BTreeMap::new(),
            last_id: 0,
            timer: None,
            has_ended: false,
        }
    }

    pub(super) fn new_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }

    pub(super) fn end(&mut self, id: EndId) -> Option<&mut End> {
        Some(self.connections.get_mut(&id.connection)?.end(id.side))
    }

    /// Gives a socket its address. Port zero is one that is free. Fails if the host has crashed.
    pub(super) fn bind(
        &mut self,
        host: HostId,
        protocol: Protocol,
        mut address: SocketAddr,
    ) -> io::Result<SocketAddr> {
        if self.links.is_down(host) {
            return Err(io::Error::other("this host has crashed; `Host::spawn` starts it again"));
        }
        if !self.links.has(host, address.ip()) {
            return Err(io::ErrorKind::AddrNotAvailable.into());
        }
        if address.port() == 0 {
            address.set_port(self.free_port(host, protocol)?);
        } else if self.is_taken(host, protocol, address) {
            return Err(io::ErrorKind::AddrInUse.into());
        }
        *self.ports.entry((host, protocol, address.port())).or_default() += 1;
        Ok(address)
    }

    fn free_port(&mut self, host: HostId, protocol: Protocol) -> io::Result<u16> {
        for _ in 0..=u16::MAX {
            let next = &mut self.links.host(host).next_port;
            let port = *next;
            *next = next.checked_add(1).unwrap_or(1024);
            if !self.ports.contains_key(&(host, protocol, port)) {
                return Ok(port);
            }
        }
        Err(io::ErrorKind::AddrInUse.into())
    }

    fn is_taken(&self, host: HostId, protocol: Protocol, address: SocketAddr) -> bool {
        let covers =
            |all: IpAddr, one: IpAddr| all.is_unspecified() && (all.is_ipv6() || one.is_ipv4());
        let overlaps = |other: IpAddr| {
            let own = address.ip();
            other.to_canonical() == own.to_canonical() || covers(own, other) || covers(other, own)
        };
        let is_same = |(at, other): (HostId, SocketAddr)| {
            at == host && other.port() == address.port() && overlaps(other.ip())
        };
        match protocol {
            Protocol::Tcp => self.listeners.values().map(|l| (l.host, l.address)).any(is_same),
            Protocol::Udp => self.datagrams.values().map(|d| (d.host, d.address)).any(is_same),
        }
    }

    pub(super) fn release_port(&mut self, host: HostId, protocol: Protocol, port: u16) {
        let key = (host, protocol, port);
        if let Some(users) = self.ports.get_mut(&key) {
            *users -= 1;
            if *users == 0 {
                self.ports.remove(&key);
            }
        }
    }
}

impl Act<'_> {
    /// Where a socket is that the calling code makes.
    pub(super) fn host_here(&self) -> io::Result<HostId> {
        match self.simulation.is_of_crashed_host() {
            true => Err(io::Error::other("the host of this goroutine has crashed")),
            false => Ok(self.simulation.current_host()),
        }
    }

    /// For a report. `event` makes the text; its argument gives the name of a host.
    pub(super) fn note(&self, event: impl FnOnce(&dyn Fn(HostId) -> String) -> String) {
        let links = &self.state.links;
        self.simulation.note_event(event(&|host| format!("`{}`", links.name(host))));
    }

    fn drawn(&self, least: Duration, most: Duration) -> Duration {
        let more = most.saturating_sub(least);
        if more.is_zero() {
            return least;
        }
        let part = self.simulation.below(JITTERS + 1) as f64 / JITTERS as f64;
        least + more.mul_f64(part)
    }

    /// When a message arrives that is sent now.
    pub(super) fn arrival(&self, from: HostId, to: HostId) -> Instant {
        if from == to {
            return self.now;
        }
        let own = self.state.links.latencies.get(&(from, to));
        let latency = own.copied().unwrap_or(self.settings.latency);
        self.now + self.drawn(latency.least, latency.most)
    }

    /// What may befall a link when a message is sent.
    pub(super) fn may_break(&mut self, from: HostId, to: HostId) -> Option<(Cut, Instant)> {
        if from == to || !self.simulation.one_in(self.settings.outages) {
            return None;
        }
        let until = self.now + self.drawn(Duration::ZERO, self.settings.longest_outage);
        Some((Cut(Some(until)), until))
    }
}

/// Whether what is sent to `to` reaches a socket that is bound to `bound`, as the exact one or as one for all
/// addresses.
pub(super) fn reaches(bound: SocketAddr, to: SocketAddr) -> Option<Match> {
    if bound.port() != to.port() {
        return None;
    }
    let (bound, to) = (bound.ip(), to.ip().to_canonical());
    if bound.to_canonical() == to {
        return Some(Match::Exact);
    }
    let of_family = bound.is_ipv6() || to.is_ipv4();
    (bound.is_unspecified() && of_family).then_some(Match::Any)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Match {
    Any,
    Exact,
}

/// The address as a socket shows it that is bound to `bound`.
pub(super) fn shown(address: SocketAddr, bound: SocketAddr) -> SocketAddr {
    match (address.ip(), bound) {
        (IpAddr::V4(ip), SocketAddr::V6(_)) => (ip.to_ipv6_mapped(), address.port()).into(),
        (ip, _) => (ip.to_canonical(), address.port()).into(),
    }
}
