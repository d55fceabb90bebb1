//! `UnixListener`: accepts local connections.

#![forbid(unsafe_code)]

use std::fmt;
use std::future::Future;
use std::io;
use std::net::Shutdown;
use std::os::unix::net::{self, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use futures_core::Stream;
use socket2::SockRef;

use super::accepting::{Acceptor, Incoming, Listener};
use super::descriptor::impl_descriptor;
use super::lack::advice_if_lack;
use super::socket::Socket;
use super::unix_stream::UnixStream;
use crate::scheduler::at_caller::at_caller;
use crate::scheduler::io::surroundings;
use crate::scheduler::reactor::source::Direction;
use crate::system_error::failed_with_advice;

/// A socket that accepts connections of processes of this machine. (On Unix.)
///
/// Clones share it; it is closed when the last one is dropped. Its file is left; the program removes it.
///
/// Go counterpart: `net.UnixListener`, which removes the file.
///
/// # Examples
///
/// ```
/// use gorun::net::{UnixListener, UnixStream};
///
/// # fn main() -> std::io::Result<()> {
/// let path = std::env::temp_dir().join(format!("gorun-{}.socket", std::process::id()));
/// gorun::block_on(async {
///     let listener = UnixListener::bind(&path)?;
///     let client = UnixStream::connect(&path).await?;
///     let (server, _) = listener.accept().await?;
///     client.write(b"hello").await?;
///     assert_eq!(server.read(&mut [0; 64]).await?, 5);
///     std::fs::remove_file(&path)
/// })
/// # }
/// ```
#[derive(Clone)]
pub struct UnixListener {
    acceptor: Arc<Acceptor<mio::net::UnixListener>>,
}

impl UnixListener {
    /// Listens at this path, which must not exist.
    ///
    /// Go counterpart: `net.Listen("unix", path)`.
    ///
    /// # Errors
    ///
    /// If the file exists, also if nobody listens there any more; outside of a runtime; and if the
    /// system refuses.
    ///
    /// # Examples
    ///
    /// See [`UnixListener`].
    pub fn bind(path: impl AsRef<Path>) -> io::Result<UnixListener> {
        surroundings::check()?;
        let listener = mio::net::UnixListener::bind(&path).map_err(|error| {
            let advice = match error.kind() {
                io::ErrorKind::AddrInUse => {
                    "; the file exists: remove it, if no other process listens there"
                }
                _ => advice_if_lack(&error),
            };
            let path = path.as_ref().display();
            failed_with_advice(format!("cannot listen at {path}"), error, advice)
        })?;
        UnixListener::new(listener)
    }

    fn new(listener: mio::net::UnixListener) -> io::Result<UnixListener> {
        let socket = Socket::new(listener)?;
        Ok(UnixListener { acceptor: Arc::new(Acceptor::new(socket, true)) })
    }

    /// As [`TcpListener::accept`](super::TcpListener::accept).
    ///
    /// # Errors
    ///
    /// As there.
    ///
    /// # Examples
    ///
    /// See [`UnixListener`].
    pub fn accept(&self) -> impl Future<Output = io::Result<(UnixStream, SocketAddr)>> {
        at_caller(self.acceptor.accept())
    }

    /// As [`TcpListener::incoming`](super::TcpListener::incoming).
    ///
    /// # Examples
    ///
    /// See there.
    pub fn incoming(&self) -> impl Stream<Item = io::Result<UnixStream>> + Unpin {
        Incoming::new(&self.acceptor)
    }

    /// Waits until it is closed, or fails.
    #[cfg(feature = "hyper")]
    pub(crate) async fn over(&self) -> io::Result<()> {
        self.acceptor.over().await
    }

    /// As [`TcpListener::close`](super::TcpListener::close). But connections that wait to be accepted are
    /// not reset; they end when the last clone is dropped.
    ///
    /// # Examples
    ///
    /// See there.
    pub fn close(&self) {
        self.acceptor.close();
    }

    /// As [`TcpListener::set_deadline`](super::TcpListener::set_deadline).
    ///
    /// # Examples
    ///
    /// See there.
    pub fn set_deadline(&self, deadline: impl Into<Option<Instant>>) {
        self.acceptor.socket.set_deadline(&[Direction::Read], deadline.into());
    }

    /// The address at which it listens.
    ///
    /// # Errors
    ///
    /// If the system does not know it.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # fn main() -> std::io::Result<()> {
    /// gorun::block_on(async {
    ///     let listener = gorun::net::UnixListener::bind("/run/app.socket")?;
    ///     println!("listening at {:?}", listener.local_addr()?);
    ///     Ok(())
    /// })
    /// # }
    /// ```
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket().get().local_addr()
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
    /// let path = std::env::temp_dir().join(format!("gorun-std-{}.socket", std::process::id()));
    /// let listener = std::os::unix::net::UnixListener::bind(&path)?;
    /// gorun::block_on(async { gorun::net::UnixListener::from_std(listener)?.into_std() })?;
    /// std::fs::remove_file(&path)
    /// # }
    /// ```
    pub fn from_std(socket: net::UnixListener) -> io::Result<UnixListener> {
        socket.set_nonblocking(true)?;
        UnixListener::new(mio::net::UnixListener::from_std(socket))
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
    pub fn into_std(self) -> io::Result<net::UnixListener> {
        let socket = self.socket().clone();
        // So that the socket has no other owner, if this is the last clone.
        drop(self);
        socket.into_std()
    }

    fn socket(&self) -> &Socket<mio::net::UnixListener> {
        &self.acceptor.socket
    }
}

impl Listener for mio::net::UnixListener {
    type Connection = mio::net::UnixStream;
    type Stream = UnixStream;
    type Address = SocketAddr;

    fn accept(&self) -> io::Result<(mio::net::UnixStream, SocketAddr)> {
        mio::net::UnixListener::accept(self)
    }

    fn stream(connection: Socket<mio::net::UnixStream>) -> UnixStream {
        UnixStream::new(connection)
    }

    fn set_options(_: &mio::net::UnixStream) {}

    fn shut(&self) {
        // Where a listener cannot be shut down, that fails.
        let _ = SockRef::from(self).shutdown(Shutdown::Both);
    }
}

impl_descriptor!(UnixListener, net::UnixListener);

impl fmt::Debug for UnixListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.socket().get().fmt(f)
    }
}
