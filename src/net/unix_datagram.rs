//! `UnixDatagram`: datagrams within this machine.

#![forbid(unsafe_code)]

use std::fmt;
use std::future::Future;
use std::io;
use std::os::unix::net::{self, SocketAddr};
use std::path::Path;
use std::time::{Duration, Instant};

use super::datagrams;
use super::descriptor::impl_descriptor;
use super::lack::{advice_if_lack, is_full_queue};
use super::socket::Socket;
use crate::scheduler::at_caller::at_caller;
use crate::scheduler::io::surroundings;
use crate::scheduler::reactor::source::Direction;
use crate::system_error::failed_with_advice;

/// The time between two attempts to send to a socket that has no room.
const PAUSE: Duration = Duration::from_millis(1);

/// A socket for datagrams between processes of this machine, which loses none. (On Unix.)
///
/// Clones share it; it is closed when the last one is dropped.
///
/// Go counterpart: `net.UnixConn` of the network "unixgram".
///
/// # Examples
///
/// ```
/// use gorun::net::UnixDatagram;
///
/// # fn main() -> std::io::Result<()> {
/// gorun::block_on(async {
///     let (left, right) = UnixDatagram::pair()?;
///     left.send(b"hello").await?;
///     let mut buf = [0; 64];
///     let length = right.recv(&mut buf).await?;
///     assert_eq!(&buf[..length], b"hello");
///     Ok(())
/// })
/// # }
/// ```
#[derive(Clone)]
pub struct UnixDatagram {
    socket: Socket<mio::net::UnixDatagram>,
}

impl UnixDatagram {
    /// A socket at this path, which must not exist.
    ///
    /// # Errors
    ///
    /// If the file exists, outside of a runtime, and if the system refuses.
    ///
    /// # Examples
    ///
    /// ```
    /// use gorun::net::UnixDatagram;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// let path = std::env::temp_dir().join(format!("gorun-{}.datagrams", std::process::id()));
    /// gorun::block_on(async {
    ///     let server = UnixDatagram::bind(&path)?;
    ///     let client = UnixDatagram::unbound()?;
    ///     client.send_to(b"to the path", &path).await?;
    ///     client.connect(&path)?;
    ///     client.send(b"the same").await?;
    ///     let (length, peer) = server.recv_from(&mut [0; 64]).await?;
    ///     assert!(length == 11 && peer.is_unnamed());
    ///     std::fs::remove_file(&path)
    /// })
    /// # }
    /// ```
    pub fn bind(path: impl AsRef<Path>) -> io::Result<UnixDatagram> {
        surroundings::check()?;
        let socket = mio::net::UnixDatagram::bind(&path).map_err(|error| {
            let advice = match error.kind() {
                io::ErrorKind::AddrInUse => {
                    "; the file exists: remove it, if no other process has it"
                }
                _ => advice_if_lack(&error),
            };
            let path = path.as_ref().display();
            failed_with_advice(format!("cannot bind a socket to {path}"), error, advice)
        })?;
        Ok(UnixDatagram { socket: Socket::new(socket)? })
    }

    /// A socket without a path: it can send, and its peers cannot answer.
    ///
    /// # Errors
    ///
    /// Outside of a runtime, and if the system refuses.
    ///
    /// # Examples
    ///
    /// See [`bind`](Self::bind).
    pub fn unbound() -> io::Result<UnixDatagram> {
        Ok(UnixDatagram { socket: Socket::new(mio::net::UnixDatagram::unbound()?)? })
    }

    /// Two sockets that are connected to each other.
    ///
    /// # Errors
    ///
    /// Outside of a runtime, and if the system refuses.
    ///
    /// # Examples
    ///
    /// See [`UnixDatagram`].
    pub fn pair() -> io::Result<(UnixDatagram, UnixDatagram)> {
        let (left, right) = mio::net::UnixDatagram::pair()?;
        let new = |socket| io::Result::Ok(UnixDatagram { socket: Socket::new(socket)? });
        Ok((new(left)?, new(right)?))
    }

    /// From now on the socket sends to this path alone, and receives only from there.
    ///
    /// # Errors
    ///
    /// If there is no such socket.
    ///
    /// # Examples
    ///
    /// See [`bind`](Self::bind).
    pub fn connect(&self, path: impl AsRef<Path>) -> io::Result<()> {
        self.socket.get().connect(path)
    }

    /// Sends a datagram to the socket that this one is connected to. Waits while that one has no
    /// room.
    ///
    /// **Cancellation**: a future that is dropped before it is ready has sent nothing.
    ///
    /// # Errors
    ///
    /// If the socket is not connected, the datagram is too long, or a deadline has passed.
    ///
    /// # Examples
    ///
    /// See [`UnixDatagram`].
    pub fn send(&self, datagram: &[u8]) -> impl Future<Output = io::Result<usize>> {
        at_caller(async move {
            self.send_when_there_is_room(|socket| match socket.send(datagram) {
                Err(error) if is_full_queue(&error) => Ok(None),
                result => datagrams::sent(result, datagram.len()).map(Some),
            })
            .await
        })
    }

    /// Sends a datagram to the socket at this path.
    ///
    /// **Cancellation**: a future that is dropped before it is ready has sent nothing.
    ///
    /// # Errors
    ///
    /// If there is no such socket, the datagram is too long, or a deadline has passed.
    ///
    /// # Examples
    ///
    /// See [`bind`](Self::bind).
    pub fn send_to(
        &self,
        datagram: &[u8],
        path: impl AsRef<Path>,
    ) -> impl Future<Output = io::Result<usize>> {
        at_caller(async move {
            let path = path.as_ref().to_owned();
            self.send_when_there_is_room(|socket| match socket.send_to(datagram, &path) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
                Err(error) if is_full_queue(&error) => Ok(None),
                result => datagrams::sent(result, datagram.len()).map(Some),
            })
            .await
        })
    }

    /// Tries until `attempt` brings something, with pauses: the system does not report when another
    /// socket has room again.
    async fn send_when_there_is_room(
        &self,
        mut attempt: impl FnMut(&mio::net::UnixDatagram) -> io::Result<Option<usize>>,
    ) -> io::Result<usize> {
        loop {
            if let Some(sent) = self.socket.send(&mut attempt).await? {
                return Ok(sent);
            }
            self.socket.pause(Direction::Write, PAUSE).await?;
        }
    }

    /// Receives a datagram. Returns its length. What `buf` cannot hold is lost.
    ///
    /// **Cancellation**: dropping the future loses nothing.
    ///
    /// # Errors
    ///
    /// If a deadline has passed.
    ///
    /// # Examples
    ///
    /// See [`UnixDatagram`].
    pub fn recv(&self, buf: &mut [u8]) -> impl Future<Output = io::Result<usize>> {
        at_caller(self.socket.receive(move |socket| socket.recv(buf)))
    }

    /// The same, with the address of the peer.
    ///
    /// # Errors
    ///
    /// If a deadline has passed.
    ///
    /// # Examples
    ///
    /// See [`bind`](Self::bind).
    pub fn recv_from(
        &self,
        buf: &mut [u8],
    ) -> impl Future<Output = io::Result<(usize, SocketAddr)>> {
        at_caller(self.socket.receive(move |socket| socket.recv_from(buf)))
    }

    /// From then on reads and writes fail with [`TimedOut`](io::ErrorKind::TimedOut), also those that
    /// wait already; `None`: never. A later deadline makes the socket usable again.
    ///
    /// Go counterpart: `Conn.SetDeadline`.
    ///
    /// # Examples
    ///
    /// See [`TcpStream::set_deadline`](super::TcpStream::set_deadline).
    pub fn set_deadline(&self, deadline: impl Into<Option<Instant>>) {
        self.socket.set_deadline(&[Direction::Read, Direction::Write], deadline.into());
    }

    /// The same for reads alone.
    ///
    /// # Examples
    ///
    /// See [`set_deadline`](Self::set_deadline).
    pub fn set_read_deadline(&self, deadline: impl Into<Option<Instant>>) {
        self.socket.set_deadline(&[Direction::Read], deadline.into());
    }

    /// The same for writes alone.
    ///
    /// # Examples
    ///
    /// See [`set_deadline`](Self::set_deadline).
    pub fn set_write_deadline(&self, deadline: impl Into<Option<Instant>>) {
        self.socket.set_deadline(&[Direction::Write], deadline.into());
    }

    /// The address of this socket.
    ///
    /// # Errors
    ///
    /// If the system does not know it.
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// gorun::block_on(async {
    ///     assert!(gorun::net::UnixDatagram::unbound()?.local_addr()?.is_unnamed());
    ///     Ok(())
    /// })
    /// # }
    /// ```
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.get().local_addr()
    }

    /// A socket of `std`, for the calling code's runtime. It does not block any more.
    ///
    /// # Errors
    ///
    /// Outside of a runtime, and if the system refuses.
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// let (left, _right) = std::os::unix::net::UnixDatagram::pair()?;
    /// gorun::block_on(async { gorun::net::UnixDatagram::from_std(left)?.into_std() })?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn from_std(socket: net::UnixDatagram) -> io::Result<UnixDatagram> {
        socket.set_nonblocking(true)?;
        Ok(UnixDatagram { socket: Socket::new(mio::net::UnixDatagram::from_std(socket))? })
    }

    /// The socket of `std`, which still does not block. If there are other clones, it is another
    /// descriptor of the same socket. Descriptors of one socket share that setting: if other clones are
    /// still used, leave it nonblocking, or their operations block threads. This also works when the
    /// runtime has ended.
    ///
    /// # Errors
    ///
    /// If there are other clones, and the system refuses another descriptor.
    ///
    /// # Examples
    ///
    /// See [`from_std`](Self::from_std).
    pub fn into_std(self) -> io::Result<net::UnixDatagram> {
        self.socket.into_std()
    }

    fn socket(&self) -> &Socket<mio::net::UnixDatagram> {
        &self.socket
    }
}

impl_descriptor!(UnixDatagram, net::UnixDatagram);

impl fmt::Debug for UnixDatagram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.socket.get().fmt(f)
    }
}
