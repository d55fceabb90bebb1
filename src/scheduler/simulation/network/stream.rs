//! A connection's end, as a socket has it.

#![forbid(unsafe_code)]

use std::fmt;
use std::io;
use std::mem;
use std::net::{Shutdown, SocketAddr};
use std::sync::Arc;

use crate::scheduler::reactor::source::{Readiness, Source};
use crate::scheduler::simulation::network::core::Network;
use crate::scheduler::simulation::network::end_id::{EndId, Side};
use crate::scheduler::simulation::network::ends::{Connection, Content, End, Owner, Phase};
use crate::scheduler::simulation::network::state::{Act, Protocol, shown};

/// One read of so many gets a part of what has come.
const SHORT_READS: usize = 8;

/// Closes the connection when dropped.
pub(crate) struct Stream {
    network: Arc<Network>,
    id: EndId,
    source: Arc<Source>,
    local: SocketAddr,
    peer: SocketAddr,
}

impl Stream {
    /// Begins to connect.
    pub(crate) fn connect(network: &Arc<Network>, to: SocketAddr) -> io::Result<Stream> {
        network.act(|act| {
            let from = act.host_here()?;
            let host = act.state.links.find(from, to.ip())?;
            let ip = act.state.links.source_for(from, to.ip())?;
            let to = match to.ip().is_unspecified() {
                true => (ip, to.port()).into(),
                false => to,
            };
            let local = act.state.bind(from, Protocol::Tcp, (ip, 0).into())?;
            let connection = act.state.new_id();
            let client = End::new(from, local, Owner::Socket);
            let server = End::new(host, to, Owner::Nobody);
            let source = client.source.clone();
            act.state.connections.insert(connection, Connection::new(client, server));
            let id = EndId { connection, side: Side::Client };
            act.send(id.other(), Content::Request);
            Ok(Stream { network: network.clone(), id, source, local, peer: to })
        })
    }

    /// The server's end of a connection that a listener has accepted.
    pub(super) fn accepted(
        act: &mut Act<'_>,
        network: &Arc<Network>,
        connection: u64,
        bound: SocketAddr,
    ) -> Self {
        let both = act.state.connections.get_mut(&connection).expect("it waits");
        let peer = shown(both.end(Side::Client).address, bound);
        let end = both.end(Side::Server);
        end.owner = Owner::Socket;
        let (source, local) = (end.source.clone(), end.address);
        let id = EndId { connection, side: Side::Server };
        Stream { network: network.clone(), id, source, local, peer }
    }

    pub(crate) fn source(&self) -> &Arc<Source> {
        &self.source
    }

    pub(crate) fn local_addr(&self) -> SocketAddr {
        self.local
    }

    /// Whether or not it is connected.
    pub(super) fn peer(&self) -> SocketAddr {
        self.peer
    }

    /// Fails unless it is connected.
    pub(crate) fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.with_end(|end| match end.phase {
            Phase::Open => Ok(self.peer),
            Phase::Connecting | Phase::Over => Err(io::ErrorKind::NotConnected.into()),
        })
    }

    pub(crate) fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.with_end(|end| Ok(end.error.take().map(io::Error::from)))
    }

    pub(crate) fn read(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.network.act(|act| {
            let count = self.copy_received(act, buf)?;
            let end = act.end_of(self.id)?;
            end.received.drain(..count);
            if !end.received.is_empty() {
                // Less was read than there is: the next attempt gets more.
                act.notify(self.id, Readiness::READABLE);
            }
            let peer = self.id.other();
            if mem::take(&mut act.end_of(peer)?.is_held_up) {
                act.notify(peer, Readiness::WRITABLE);
            }
            Ok(count)
        })
    }

    pub(crate) fn peek(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.network.act(|act| self.copy_received(act, buf))
    }

    fn copy_received(&self, act: &mut Act<'_>, buf: &mut [u8]) -> io::Result<usize> {
        let end = act.end_of(self.id)?;
        let count = end.received.len().min(buf.len());
        if count == 0 {
            return match (end.phase, end.error) {
                _ if buf.is_empty() || end.has_all || end.reads_are_shut => Ok(0),
                (_, Some(error)) => {
                    end.error = None;
                    Err(error.into())
                }
                (Phase::Over, None) => Ok(0),
                (Phase::Connecting, None) => Err(io::ErrorKind::NotConnected.into()),
                (Phase::Open, None) => Err(io::ErrorKind::WouldBlock.into()),
            };
        }
        let count = match count > 1 && act.simulation.one_in(SHORT_READS) {
            true => 1 + act.simulation.below(count - 1),
            false => count,
        };
        let (first, second) = act.end_of(self.id)?.received.as_slices();
        let of_first = count.min(first.len());
        buf[..of_first].copy_from_slice(&first[..of_first]);
        buf[of_first..count].copy_from_slice(&second[..count - of_first]);
        Ok(count)
    }

    pub(crate) fn write(&self, buf: &[u8]) -> io::Result<usize> {
        self.network.act(|act| {
            let end = act.end_of(self.id)?;
            if let Some(error) = end.error.take() {
                return Err(error.into());
            }
            match end.phase {
                Phase::Connecting => return Err(io::ErrorKind::NotConnected.into()),
                Phase::Over => return Err(io::ErrorKind::BrokenPipe.into()),
                Phase::Open if end.writes_are_shut => {
                    return Err(io::ErrorKind::BrokenPipe.into());
                }
                Phase::Open => {}
            }
            let host = end.host;
            let peer = act.end_of(self.id.other())?;
            let count = peer.room().min(buf.len());
            let is_remote = peer.host != host;
            if is_remote && act.simulation.one_in(act.settings.resets) {
                act.reset(self.id.connection);
                act.end_of(self.id)?.error = None;
                return Err(io::ErrorKind::ConnectionReset.into());
            }
            if count < buf.len() {
                act.end_of(self.id)?.is_held_up = true;
            }
            if count == 0 {
                return if buf.is_empty() { Ok(0) } else { Err(io::ErrorKind::WouldBlock.into()) };
            }
            act.send(self.id.other(), Content::Data(buf[..count].to_vec()));
            Ok(count)
        })
    }

    pub(crate) fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        self.network.act(|act| {
            let end = act.end_of(self.id)?;
            if end.phase != Phase::Open {
                return Err(io::ErrorKind::NotConnected.into());
            }
            if how != Shutdown::Write {
                end.reads_are_shut = true;
                act.notify(self.id, Readiness::READ_CLOSED);
            }
            let shuts_writes = how != Shutdown::Read;
            if shuts_writes && !mem::replace(&mut act.end_of(self.id)?.writes_are_shut, true) {
                act.notify(self.id, Readiness::WRITE_CLOSED);
                act.send(self.id.other(), Content::End);
            }
            Ok(())
        })
    }

    /// The rest is lost, and the peer is told so.
    pub(crate) fn abort(&self) {
        self.close(true);
    }

    fn close(&self, abort: bool) {
        // If the runtime has ended, there is no peer.
        let _ = self.network.act(|act| {
            act.close(self.id, abort);
            Ok(())
        });
    }

    fn with_end<R>(&self, f: impl FnOnce(&mut End) -> io::Result<R>) -> io::Result<R> {
        self.network.act(|act| f(act.end_of(self.id)?))
    }
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut stream = f.debug_struct("TcpStream");
        stream.field("addr", &self.local).field("peer", &self.peer).finish()
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.close(false);
    }
}

impl Act<'_> {
    /// The connection is there as long as either end has a socket.
    fn end_of(&mut self, id: EndId) -> io::Result<&mut End> {
        self.state.end(id).ok_or_else(|| io::ErrorKind::NotConnected.into())
    }

    fn notify(&mut self, id: EndId, readiness: Readiness) {
        if let Some(end) = self.state.end(id) {
            end.source.notify(readiness, &mut self.woken);
        }
    }
}
