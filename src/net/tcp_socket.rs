//! TCP sockets, of the system and of a simulated network.

#![forbid(unsafe_code)]

use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use socket2::{SockRef, Type};

use super::any_socket::{AnySocket, Simulable, Simulated, simulated_network, unused_socket};
use super::options::{self, ARE_INHERITED, BACKLOG};
use super::socket::ByteSocket;
use crate::scheduler::reactor::source::Source;
use crate::scheduler::simulation::network::listener::Listener;
use crate::scheduler::simulation::network::stream::Stream;

pub(super) type TcpSocket = AnySocket<mio::net::TcpStream>;
pub(super) type ListeningSocket = AnySocket<mio::net::TcpListener>;

impl Simulable for mio::net::TcpStream {
    type Simulated = Stream;

    fn stand_in() -> io::Result<Self> {
        let socket = mio::net::TcpStream::from_std(unused_socket(Type::STREAM)?.into());
        options::set_defaults(&socket)?;
        Ok(socket)
    }

    fn discards_when_closed(&self) -> bool {
        SockRef::from(self).linger().is_ok_and(|linger| linger == Some(Duration::ZERO))
    }
}

impl Simulable for mio::net::TcpListener {
    type Simulated = Listener;

    fn stand_in() -> io::Result<Self> {
        Ok(mio::net::TcpListener::from_std(unused_socket(Type::STREAM)?.into()))
    }
}

impl Simulated for Stream {
    fn source(&self) -> &Arc<Source> {
        self.source()
    }

    fn discard(&self) {
        self.abort();
    }
}

impl Simulated for Listener {
    fn source(&self) -> &Arc<Source> {
        self.source()
    }
}

impl TcpSocket {
    /// Begins to connect.
    pub(super) fn connect(address: SocketAddr) -> io::Result<Self> {
        if let Some(network) = simulated_network()? {
            return Ok(AnySocket::simulated(Stream::connect(&network, address)?));
        }
        let stream = mio::net::TcpStream::connect(address)?;
        // Some systems refuse that once the connection has failed, which is found out later.
        let _ = options::set_defaults(&stream);
        Ok(AnySocket::System(stream))
    }

    /// Fails with `WouldBlock` while it connects.
    pub(super) fn peer_if_connected(&self) -> io::Result<SocketAddr> {
        match self {
            // So that on Windows another event comes if it is not.
            AnySocket::System(stream) => stream.try_io(|| self.peer_or_error()),
            AnySocket::Simulated(_) => self.peer_or_error(),
        }
    }

    fn peer_or_error(&self) -> io::Result<SocketAddr> {
        if let Some(error) = self.take_error()? {
            return Err(error);
        }
        self.peer_addr().map_err(|error| match error.kind() {
            io::ErrorKind::NotConnected => io::ErrorKind::WouldBlock.into(),
            _ => error,
        })
    }

    fn take_error(&self) -> io::Result<Option<io::Error>> {
        match self {
            AnySocket::System(stream) => stream.take_error(),
            AnySocket::Simulated(simulated) => simulated.socket.take_error(),
        }
    }

    pub(super) fn peer_addr(&self) -> io::Result<SocketAddr> {
        match self {
            AnySocket::System(stream) => stream.peer_addr(),
            AnySocket::Simulated(simulated) => simulated.socket.peer_addr(),
        }
    }

    pub(super) fn local_addr(&self) -> io::Result<SocketAddr> {
        match self {
            AnySocket::System(stream) => stream.local_addr(),
            AnySocket::Simulated(simulated) => Ok(simulated.socket.local_addr()),
        }
    }

    pub(super) fn peek(&self, buf: &mut [u8]) -> io::Result<usize> {
        match self {
            AnySocket::System(stream) => stream.peek(buf),
            AnySocket::Simulated(simulated) => simulated.socket.peek(buf),
        }
    }
}

impl Read for &TcpSocket {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match self {
            AnySocket::System(stream) => (&*stream).read(buf),
            AnySocket::Simulated(simulated) => simulated.socket.read(buf),
        }
    }

    fn read_vectored(&mut self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        match self {
            AnySocket::System(stream) => (&*stream).read_vectored(bufs),
            AnySocket::Simulated(simulated) => {
                let first = bufs.iter_mut().find(|buf| !buf.is_empty());
                first.map_or(Ok(0), |buf| simulated.socket.read(buf))
            }
        }
    }
}

impl Write for &TcpSocket {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        match self {
            AnySocket::System(stream) => (&*stream).write(buf),
            AnySocket::Simulated(simulated) => simulated.socket.write(buf),
        }
    }

    fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        match self {
            AnySocket::System(stream) => (&*stream).write_vectored(bufs),
            // Together, as the system sends them.
            AnySocket::Simulated(simulated) => {
                let bufs: Vec<&[u8]> = bufs.iter().map(|buf| &**buf).collect();
                simulated.socket.write(&bufs.concat())
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A read that gets less than it asked for has emptied the socket. (A simulated network says it if not.)
impl ByteSocket for TcpSocket {
    fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        match self {
            AnySocket::System(stream) => stream.shutdown(how),
            AnySocket::Simulated(simulated) => simulated.socket.shutdown(how),
        }
    }

    const SHORT_READ_EMPTIES: bool = true;
}

impl ListeningSocket {
    pub(super) fn bind(address: SocketAddr) -> io::Result<Self> {
        if let Some(network) = simulated_network()? {
            return Ok(AnySocket::simulated(Listener::bind(&network, address)?));
        }
        let listener = mio::net::TcpListener::bind(address)?;
        let socket = SockRef::from(&listener);
        // Again, with a longer queue.
        socket.listen(BACKLOG)?;
        if ARE_INHERITED {
            options::set_defaults(socket)?;
        }
        Ok(AnySocket::System(listener))
    }

    pub(super) fn accept(&self) -> io::Result<(TcpSocket, SocketAddr)> {
        match self {
            AnySocket::System(listener) => {
                let (stream, peer) = listener.accept()?;
                Ok((AnySocket::System(stream), peer))
            }
            AnySocket::Simulated(simulated) => {
                let (stream, peer) = simulated.socket.accept()?;
                Ok((AnySocket::simulated(stream), peer))
            }
        }
    }

    pub(super) fn local_addr(&self) -> io::Result<SocketAddr> {
        match self {
            AnySocket::System(listener) => listener.local_addr(),
            AnySocket::Simulated(simulated) => Ok(simulated.socket.local_addr()),
        }
    }

    /// Accepts no more.
    pub(super) fn shut(&self) {
        match self {
            // Where a listener cannot be shut down, that fails.
            AnySocket::System(listener) => {
                _ = SockRef::from(listener).shutdown(Shutdown::Both);
            }
            AnySocket::Simulated(simulated) => simulated.socket.close(),
        }
    }
}
