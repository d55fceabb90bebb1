//! UDP sockets, of the system and of a simulated network.

#![forbid(unsafe_code)]

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use socket2::Type;

use super::any_socket::{AnySocket, Simulable, Simulated, simulated_network, unused_socket};
use crate::scheduler::reactor::source::Source;
use crate::scheduler::simulation::network::datagrams::Datagrams;

pub(super) type UdpEndpoint = AnySocket<mio::net::UdpSocket>;

impl Simulable for mio::net::UdpSocket {
    type Simulated = Datagrams;

    fn stand_in() -> io::Result<Self> {
        Ok(mio::net::UdpSocket::from_std(unused_socket(Type::DGRAM)?.into()))
    }
}

impl Simulated for Datagrams {
    fn source(&self) -> &Arc<Source> {
        self.source()
    }
}

impl UdpEndpoint {
    pub(super) fn bind(address: SocketAddr) -> io::Result<Self> {
        Ok(match simulated_network()? {
            Some(network) => AnySocket::simulated(Datagrams::bind(&network, address)?),
            None => AnySocket::System(mio::net::UdpSocket::bind(address)?),
        })
    }

    pub(super) fn connect(&self, peer: SocketAddr) -> io::Result<()> {
        match self {
            AnySocket::System(socket) => socket.connect(peer),
            AnySocket::Simulated(simulated) => simulated.socket.connect(peer),
        }
    }

    pub(super) fn send(&self, datagram: &[u8]) -> io::Result<usize> {
        match self {
            AnySocket::System(socket) => socket.send(datagram),
            AnySocket::Simulated(simulated) => simulated.socket.send(datagram),
        }
    }

    pub(super) fn send_to(&self, datagram: &[u8], peer: SocketAddr) -> io::Result<usize> {
        match self {
            AnySocket::System(socket) => socket.send_to(datagram, peer),
            AnySocket::Simulated(simulated) => simulated.socket.send_to(datagram, peer),
        }
    }

    pub(super) fn recv(&self, buf: &mut [u8]) -> io::Result<usize> {
        match self {
            AnySocket::System(socket) => socket.recv(buf),
            AnySocket::Simulated(simulated) => Ok(simulated.socket.recv_from(buf)?.0),
        }
    }

    pub(super) fn recv_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        match self {
            AnySocket::System(socket) => socket.recv_from(buf),
            AnySocket::Simulated(simulated) => simulated.socket.recv_from(buf),
        }
    }

    pub(super) fn peek(&self, buf: &mut [u8]) -> io::Result<usize> {
        match self {
            AnySocket::System(socket) => socket.peek(buf),
            AnySocket::Simulated(simulated) => Ok(simulated.socket.peek_from(buf)?.0),
        }
    }

    pub(super) fn peek_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        match self {
            AnySocket::System(socket) => socket.peek_from(buf),
            AnySocket::Simulated(simulated) => simulated.socket.peek_from(buf),
        }
    }

    pub(super) fn local_addr(&self) -> io::Result<SocketAddr> {
        match self {
            AnySocket::System(socket) => socket.local_addr(),
            AnySocket::Simulated(simulated) => simulated.socket.local_addr(),
        }
    }

    pub(super) fn peer_addr(&self) -> io::Result<SocketAddr> {
        match self {
            AnySocket::System(socket) => socket.peer_addr(),
            AnySocket::Simulated(simulated) => simulated.socket.peer_addr(),
        }
    }
}
