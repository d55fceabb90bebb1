//! `UnixStream`: a local connection.

#![forbid(unsafe_code)]

use std::fmt;
use std::future::Future;
use std::io;
use std::net::Shutdown;
use std::os::unix::net::{self, SocketAddr};
use std::path::Path;
use std::time::Instant;

use super::descriptor::impl_descriptor;
use super::lack::advice_if_lack;
use super::socket::{Socket, impl_async_io};
use crate::scheduler::at_caller::at_caller;
use crate::scheduler::io::registered::Attempt;
use crate::scheduler::io::surroundings;
use crate::scheduler::operation::Operation;
use crate::scheduler::reactor::source::Direction;
use crate::system_error::failed_with_advice;

/// A connection between processes of this machine. (On Unix.)
///
/// Clones share it; it is closed when the last one is dropped. It is used as a
/// [`TcpStream`](super::TcpStream).
///
/// Go counterpart: `net.UnixConn`.
///
/// # Examples
///
/// ```
/// use gorun::net::UnixStream;
///
/// # fn main() -> std::io::Result<()> {
/// gorun::block_on(async {
///     let (left, right) = UnixStream::pair()?;
///     left.write(b"hello").await?;
///     let mut buf = [0; 64];
///     let read = right.read(&mut buf).await?;
///     assert_eq!(&buf[..read], b"hello");
///     Ok(())
/// })
/// # }
/// ```
#[derive(Clone)]
pub struct UnixStream {
    socket: Socket<mio::net::UnixStream>,
}

impl UnixStream {
    /// Connects to the listener at this path.
    ///
    /// Go counterpart: `net.Dial("unix", path)`.
    ///
    /// # Errors
    ///
    /// If nobody listens there, or so many wait for a connection that there is no room for another.
    ///
    /// # Examples
    ///
    /// See [`UnixListener`](super::UnixListener).
    pub fn connect(path: impl AsRef<Path>) -> impl Future<Output = io::Result<UnixStream>> {
        at_caller(async move {
            let cannot = |error: io::Error| {
                let advice = match error.kind() {
                    io::ErrorKind::WouldBlock => "; its queue is full: try again later",
                    io::ErrorKind::ConnectionRefused => "; nobody listens there any more",
                    _ => advice_if_lack(&error),
                };
                let path = path.as_ref().display();
                failed_with_advice(format!("cannot connect to {path}"), error, advice)
            };
            surroundings::check()?;
            let socket = Socket::new(mio::net::UnixStream::connect(&path).map_err(cannot)?)?;
            let is_connected = |stream: &mio::net::UnixStream| match stream.take_error()? {
                Some(error) => Err(error),
                None => match stream.peer_addr() {
                    Err(error) if error.kind() == io::ErrorKind::NotConnected => {
                        Err(io::ErrorKind::WouldBlock.into())
                    }
                    peer => peer.map(|_| Attempt::whole(())),
                },
            };
            let registered = socket.registered();
            let connected = registered.wait_for(Direction::Write, Operation::Connect, is_connected);
            connected.await.map_err(cannot)?;
            Ok(UnixStream { socket })
        })
    }

    /// Two streams that are connected to each other.
    ///
    /// # Errors
    ///
    /// Outside of a runtime, and if the system refuses.
    ///
    /// # Examples
    ///
    /// See [`UnixStream`].
    pub fn pair() -> io::Result<(UnixStream, UnixStream)> {
        let (left, right) = mio::net::UnixStream::pair()?;
        Ok((UnixStream { socket: Socket::new(left)? }, UnixStream { socket: Socket::new(right)? }))
    }

    pub(super) fn new(socket: Socket<mio::net::UnixStream>) -> Self {
        UnixStream { socket }
    }

    /// As [`TcpStream::read`](super::TcpStream::read).
    ///
    /// # Errors
    ///
    /// As there.
    ///
    /// # Examples
    ///
    /// See [`UnixStream`].
    pub fn read(&self, buf: &mut [u8]) -> impl Future<Output = io::Result<usize>> {
        at_caller(self.socket.read(buf))
    }

    /// As [`TcpStream::write`](super::TcpStream::write).
    ///
    /// # Errors
    ///
    /// As there.
    ///
    /// # Examples
    ///
    /// See [`UnixStream`].
    pub fn write(&self, buf: &[u8]) -> impl Future<Output = io::Result<usize>> {
        at_caller(self.socket.write(buf))
    }

    /// As [`TcpStream::close_read`](super::TcpStream::close_read).
    ///
    /// # Errors
    ///
    /// If the connection has been closed already.
    ///
    /// # Examples
    ///
    /// See [`close_write`](Self::close_write).
    pub fn close_read(&self) -> io::Result<()> {
        self.socket.close_read()
    }

    /// As [`TcpStream::close_write`](super::TcpStream::close_write).
    ///
    /// # Errors
    ///
    /// If the connection has been closed already.
    ///
    /// # Examples
    ///
    /// ```
    /// use gorun::net::UnixStream;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// gorun::block_on(async {
    ///     let (left, right) = UnixStream::pair()?;
    ///     left.close_write()?;
    ///     assert_eq!(right.read(&mut [0]).await?, 0);
    ///     right.close_read()
    /// })
    /// # }
    /// ```
    pub fn close_write(&self) -> io::Result<()> {
        self.socket.get().shutdown(Shutdown::Write)
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

    /// The address of this end: for a client, mostly unnamed.
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
    ///     let (left, _right) = gorun::net::UnixStream::pair()?;
    ///     assert!(left.local_addr()?.is_unnamed() && left.peer_addr()?.is_unnamed());
    ///     Ok(())
    /// })
    /// # }
    /// ```
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.get().local_addr()
    }

    /// The address of the peer.
    ///
    /// # Errors
    ///
    /// If the connection has ended.
    ///
    /// # Examples
    ///
    /// See [`local_addr`](Self::local_addr).
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.socket.get().peer_addr()
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
    /// let (left, _right) = std::os::unix::net::UnixStream::pair()?;
    /// gorun::block_on(async { gorun::net::UnixStream::from_std(left)?.into_std() })?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn from_std(socket: net::UnixStream) -> io::Result<UnixStream> {
        socket.set_nonblocking(true)?;
        Ok(UnixStream { socket: Socket::new(mio::net::UnixStream::from_std(socket))? })
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
    pub fn into_std(self) -> io::Result<net::UnixStream> {
        self.socket.into_std()
    }

    fn socket(&self) -> &Socket<mio::net::UnixStream> {
        &self.socket
    }
}

impl_async_io!(UnixStream);
impl_descriptor!(UnixStream, net::UnixStream);

impl fmt::Debug for UnixStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.socket.get().fmt(f)
    }
}
