//! A socket for datagrams.

#![forbid(unsafe_code)]

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use crate::scheduler::reactor::source::{Readiness, Source};
use crate::scheduler::simulation::host_id::HostId;
use crate::scheduler::simulation::network::agenda::{Datagram, Event, Refusal};
use crate::scheduler::simulation::network::core::Network;
use crate::scheduler::simulation::network::state::{Act, Protocol, Receiving, reaches, shown};
use crate::system_error::TOO_LONG;

/// The longest one, as the Internet's protocols have it.
const LONGEST: usize = 65_507;

/// How many bytes wait to be received. What comes then is lost.
const CAPACITY: usize = 256 * 1024;

/// Closed when dropped.
pub(crate) struct Datagrams {
    network: Arc<Network>,
    id: u64,
    source: Arc<Source>,
}

impl Datagrams {
    pub(crate) fn bind(network: &Arc<Network>, address: SocketAddr) -> io::Result<Datagrams> {
        network.act(|act| {
            let host = act.host_here()?;
            let address = act.state.bind(host, Protocol::Udp, address)?;
            let (id, source) = (act.state.new_id(), Arc::new(Source::new()));
            let receiving = Receiving {
                source: source.clone(),
                host,
                address,
                peer: None,
                received: VecDeque::new(),
                received_bytes: 0,
                error: None,
            };
            act.state.datagrams.insert(id, receiving);
            Ok(Datagrams { network: network.clone(), id, source })
        })
    }

    pub(crate) fn source(&self) -> &Arc<Source> {
        &self.source
    }

    pub(crate) fn local_addr(&self) -> io::Result<SocketAddr> {
        self.network.act(|act| Ok(act.socket(self.id)?.address))
    }

    pub(crate) fn peer_addr(&self) -> io::Result<SocketAddr> {
        let peer = self.network.act(|act| Ok(act.socket(self.id)?.peer))?;
        peer.ok_or_else(|| io::ErrorKind::NotConnected.into())
    }

    pub(crate) fn connect(&self, peer: SocketAddr) -> io::Result<()> {
        self.network.act(|act| {
            let (peer, _, ip) = act.route(self.id, peer)?;
            let socket = act.socket(self.id)?;
            socket.peer = Some(peer);
            if socket.address.ip().is_unspecified() {
                socket.address.set_ip(ip);
            }
            Ok(())
        })
    }

    pub(crate) fn send(&self, data: &[u8]) -> io::Result<usize> {
        self.send_to_or_peer(data, None)
    }

    pub(crate) fn send_to(&self, data: &[u8], to: SocketAddr) -> io::Result<usize> {
        self.send_to_or_peer(data, Some(to))
    }

    fn send_to_or_peer(&self, data: &[u8], to: Option<SocketAddr>) -> io::Result<usize> {
        self.network.act(|act| {
            let socket = act.socket(self.id)?;
            if let Some(error) = socket.error.take() {
                return Err(error.into());
            }
            let to = to.or(socket.peer).ok_or(io::ErrorKind::NotConnected)?;
            if data.len() > LONGEST {
                // The system's own error, which `net` explains.
                return Err(io::Error::from_raw_os_error(TOO_LONG));
            }
            act.send_datagram(self.id, data, to)?;
            Ok(data.len())
        })
    }

    /// What `buf` cannot hold is lost.
    pub(crate) fn recv_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.network.act(|act| {
            let received = act.peek_datagram(self.id, buf)?;
            let socket = act.socket(self.id)?;
            let (_, data) = socket.received.pop_front().expect("it was seen");
            socket.received_bytes -= data.len();
            Ok(received)
        })
    }

    pub(crate) fn peek_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.network.act(|act| act.peek_datagram(self.id, buf))
    }
}

impl fmt::Debug for Datagrams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UdpSocket").field("addr", &self.local_addr().ok()).finish()
    }
}

impl Drop for Datagrams {
    fn drop(&mut self) {
        // If the runtime has ended, it is gone.
        let _ = self.network.act(|act| {
            if let Some(socket) = act.state.datagrams.remove(&self.id) {
                act.state.release_port(socket.host, Protocol::Udp, socket.address.port());
            }
            Ok(())
        });
    }
}

impl Act<'_> {
    fn socket(&mut self, id: u64) -> io::Result<&mut Receiving> {
        self.state.datagrams.get_mut(&id).ok_or_else(|| io::ErrorKind::NotConnected.into())
    }

    /// Where a datagram to this address goes: the address, its host, and the address that it comes from.
    fn route(&mut self, id: u64, to: SocketAddr) -> io::Result<(SocketAddr, HostId, IpAddr)> {
        let socket = self.socket(id)?;
        let (host, own) = (socket.host, socket.address.ip());
        let to_host = self.state.links.find(host, to.ip())?;
        let source = self.state.links.source_for(host, to.ip())?;
        let (from, there) = (own.to_canonical(), to.ip().to_canonical());
        let is_other_family = match own.is_unspecified() {
            true => own.is_ipv4() && there.is_ipv6(),
            false => from.is_ipv4() != there.is_ipv4(),
        };
        let is_local = from.is_loopback() && host != to_host;
        let invalid = |text| Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        if to.port() == 0 {
            return invalid(format!("a datagram cannot be sent to port 0, as in {to}"));
        }
        if is_other_family || is_local {
            return invalid(format!(
                "a socket with the address {own}, by its bind or by an earlier connect, cannot send to {to}; use one that is bound \
                 to `0.0.0.0`, or `[::]` for both families"
            ));
        }
        let ip = if to.ip().is_unspecified() { source } else { to.ip() };
        let from = if own.is_unspecified() { source } else { own.to_canonical() };
        Ok(((ip, to.port()).into(), to_host, from))
    }

    fn peek_datagram(&mut self, id: u64, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        let socket = self.socket(id)?;
        if let Some(error) = socket.error.take() {
            return Err(error.into());
        }
        let (from, data) = socket.received.front().ok_or(io::ErrorKind::WouldBlock)?;
        let count = data.len().min(buf.len());
        buf[..count].copy_from_slice(&data[..count]);
        Ok((count, shown(*from, socket.address)))
    }

    fn send_datagram(&mut self, id: u64, data: &[u8], to: SocketAddr) -> io::Result<()> {
        let (to, to_host, ip) = self.route(id, to)?;
        let socket = self.socket(id)?;
        let (host, own) = (socket.host, socket.address);
        self.maybe_break(host, to_host);
        let is_remote = host != to_host;
        let is_lost = is_remote && self.simulation.one_in(self.settings.losses);
        if is_lost || self.state.links.is_cut(host, to_host) {
            self.note_loss(host, to_host);
            return Ok(());
        }
        let is_doubled = is_remote && self.simulation.one_in(self.settings.duplicates);
        if is_doubled {
            self.note(|name| {
                format!("a datagram from {} to {} is doubled", name(host), name(to_host))
            });
        }
        let copies = if is_doubled { 2 } else { 1 };
        for _ in 0..copies {
            let datagram = Datagram {
                from: (ip, own.port()).into(),
                sender: id,
                sender_host: host,
                to,
                to_host,
                data: data.to_vec(),
            };
            let arrives = self.arrival(host, to_host);
            if arrives > self.now {
                self.state.agenda.add(arrives, Event::Datagram(datagram));
            } else {
                self.receive(datagram);
            }
        }
        Ok(())
    }

    /// It arrives, if it can.
    pub(super) fn receive(&mut self, datagram: Datagram) {
        let Datagram { from, sender, sender_host, to, to_host, data } = datagram;
        if self.state.links.is_cut(sender_host, to_host) {
            return self.note_loss(sender_host, to_host);
        }
        let there = self.state.datagrams.values_mut().filter(|socket| socket.host == to_host);
        // A connected socket is there for its peer alone.
        let hears = there.filter(|socket| socket.peer.is_none_or(|peer| is_same(peer, from)));
        let matching = hears.filter_map(|socket| Some((reaches(socket.address, to)?, socket)));
        let Some((_, socket)) = matching.max_by_key(|(matched, _)| *matched) else {
            let refusal = Refusal { sender, sender_host, host: to_host, address: to };
            return self.send_refusal(refusal);
        };
        if socket.received_bytes + data.len() <= CAPACITY {
            socket.received_bytes += data.len();
            socket.received.push_back((from, data));
            socket.source.notify(Readiness::READABLE, &mut self.woken);
        } else {
            self.note_loss(sender_host, to_host);
        }
    }

    fn note_loss(&self, from: HostId, to: HostId) {
        self.note(|name| format!("a datagram from {} to {} is lost", name(from), name(to)));
    }

    /// Nobody is at the port. Who sends to one peer alone is told.
    fn send_refusal(&mut self, refusal: Refusal) {
        let arrives = self.arrival(refusal.host, refusal.sender_host);
        if arrives > self.now {
            self.state.agenda.add(arrives, Event::Refusal(refusal));
        } else {
            self.refuse(&refusal);
        }
    }

    pub(super) fn refuse(&mut self, refusal: &Refusal) {
        if self.state.links.is_cut(refusal.host, refusal.sender_host) {
            return;
        }
        let Some(socket) = self.state.datagrams.get_mut(&refusal.sender) else { return };
        if socket.peer.is_some_and(|peer| is_same(peer, refusal.address)) {
            socket.error = Some(io::ErrorKind::ConnectionRefused);
            let readiness = Readiness::READABLE.with(Readiness::WRITABLE);
            socket.source.notify(readiness, &mut self.woken);
        }
    }
}

fn is_same(one: SocketAddr, other: SocketAddr) -> bool {
    one.port() == other.port() && one.ip().to_canonical() == other.ip().to_canonical()
}
