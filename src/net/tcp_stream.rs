//! `TcpStream`: a connection.

#![forbid(unsafe_code)]

use std::fmt;
use std::future::Future;
use std::io;
use std::net::{self, Shutdown, SocketAddr};
use std::time::{Duration, Instant};

use super::connect;
use super::descriptor::impl_descriptor;
use super::socket::{ByteSocket, Socket, impl_async_io};
use super::tcp_halves::{self, ReadHalf, WriteHalf};
use super::tcp_socket::TcpSocket;
use super::to_addrs::ToAddrs;
use crate::scheduler::at_caller::at_caller;
use crate::scheduler::io::surroundings;
use crate::scheduler::reactor::source::Direction;
use crate::time::timeout;

/// A TCP connection.
///
/// Clones share it; it is closed when the last one is dropped. It can be read and written at the same
/// time, also by several tasks.
///
/// Besides its methods it has those of `futures`' [`AsyncReadExt`] and [`AsyncWriteExt`], by value and
/// by reference: `(&stream).read_exact(&mut buf)`.
///
/// [`AsyncReadExt`]: https://docs.rs/futures/latest/futures/io/trait.AsyncReadExt.html
/// [`AsyncWriteExt`]: https://docs.rs/futures/latest/futures/io/trait.AsyncWriteExt.html
///
/// Go counterpart: `net.TCPConn`.
///
/// # Examples
///
/// See the [module](super).
#[derive(Clone)]
pub struct TcpStream {
    socket: Socket<TcpSocket>,
}

impl TcpStream {
    /// Connects to the first of these addresses that answers.
    ///
    /// If a name has several addresses, by IPv6 and IPv4, attempts race: the next one begins when the
    /// one before has failed, or has taken 250 ms.
    ///
    /// **Cancellation**: dropping the future ends all attempts.
    ///
    /// Go counterpart: `net.Dial("tcp", address)`.
    ///
    /// # Errors
    ///
    /// That of the first attempt that failed, or of the lookup. Without a runtime.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use gorun::net::TcpStream;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// gorun::block_on(async {
    ///     let stream = TcpStream::connect("example.org:80").await?;
    ///     println!("connected to {}", stream.peer_addr()?);
    ///     Ok(())
    /// })
    /// # }
    /// ```
    pub fn connect(address: impl ToAddrs) -> impl Future<Output = io::Result<TcpStream>> {
        at_caller(async move {
            let target = address.to_target()?;
            drop(address);
            let addresses = target.resolve().await?;
            Ok(TcpStream { socket: connect::connect(addresses).await? })
        })
    }

    /// The same, within `limit`, the lookup of a name included.
    ///
    /// Go counterpart: `net.DialTimeout`.
    ///
    /// # Errors
    ///
    /// Of kind [`TimedOut`](io::ErrorKind::TimedOut) if it takes longer.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use gorun::net::{TcpListener, TcpStream};
    ///
    /// # fn main() -> std::io::Result<()> {
    /// gorun::block_on(async {
    ///     let listener = TcpListener::bind("127.0.0.1:0").await?;
    ///     let limit = Duration::from_secs(5);
    ///     TcpStream::connect_timeout(listener.local_addr()?, limit).await?;
    ///     Ok(())
    /// })
    /// # }
    /// ```
    pub fn connect_timeout(
        address: impl ToAddrs,
        limit: Duration,
    ) -> impl Future<Output = io::Result<TcpStream>> {
        at_caller(async move {
            let target = address.to_target()?;
            drop(address);
            surroundings::surrounding()?;
            let connect = async {
                let addresses = target.resolve().await?;
                Ok(TcpStream { socket: connect::connect(addresses).await? })
            };
            timeout(limit, connect).await.unwrap_or_else(|elapsed| {
                let text = format!("cannot connect to {target}: {elapsed}");
                Err(io::Error::new(io::ErrorKind::TimedOut, text))
            })
        })
    }

    pub(super) fn new(socket: Socket<TcpSocket>) -> Self {
        TcpStream { socket }
    }

    /// A stream of `std`, for the calling code's runtime. Its options stay as they are, but it does
    /// not block any more.
    ///
    /// # Errors
    ///
    /// Outside of a runtime, and if the system refuses.
    ///
    /// # Examples
    ///
    /// ```
    /// use gorun::net::TcpStream;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    /// let stream = std::net::TcpStream::connect(listener.local_addr()?)?;
    /// gorun::block_on(async {
    ///     let stream = TcpStream::from_std(stream)?;
    ///     assert_eq!(stream.write(b"hello").await?, 5);
    ///     Ok(())
    /// })
    /// # }
    /// ```
    pub fn from_std(stream: net::TcpStream) -> io::Result<TcpStream> {
        stream.set_nonblocking(true)?;
        let stream = TcpSocket::System(mio::net::TcpStream::from_std(stream));
        Ok(TcpStream { socket: Socket::open(stream)? })
    }

    /// The stream of `std`, which still does not block; see
    /// [`set_nonblocking`](net::TcpStream::set_nonblocking). If there are other clones, it is another
    /// descriptor of the same connection. Descriptors of one socket share that setting: if other clones are
    /// still used, leave it nonblocking, or their operations block threads. This also works when the
    /// runtime has ended.
    ///
    /// # Errors
    ///
    /// If there are other clones, and the system refuses another descriptor.
    ///
    /// # Examples
    ///
    /// ```
    /// use gorun::net::{TcpListener, TcpStream};
    ///
    /// # fn main() -> std::io::Result<()> {
    /// let stream = gorun::block_on(async {
    ///     let listener = TcpListener::bind("127.0.0.1:0").await?;
    ///     TcpStream::connect(listener.local_addr()?).await
    /// })?;
    /// let stream = stream.into_std()?;
    /// stream.set_nonblocking(false)?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn into_std(self) -> io::Result<net::TcpStream> {
        self.socket.get().must_be_systems("into_std")?;
        self.socket.into_std()
    }

    /// Reads what has come, as much as `buf` holds. Returns the number of bytes: zero at the end of
    /// the stream, or if `buf` is empty.
    ///
    /// **Cancellation**: dropping the future loses nothing.
    ///
    /// Go counterpart: `Conn.Read`, where the end is `io.EOF`.
    ///
    /// # Errors
    ///
    /// If the connection has failed, or a deadline has passed.
    ///
    /// # Examples
    ///
    /// ```
    /// use gorun::net::{TcpListener, TcpStream};
    ///
    /// # fn main() -> std::io::Result<()> {
    /// gorun::block_on(async {
    ///     let listener = TcpListener::bind("127.0.0.1:0").await?;
    ///     let client = TcpStream::connect(listener.local_addr()?).await?;
    ///     let (server, _) = listener.accept().await?;
    ///     client.write(b"hello").await?;
    ///     let mut buf = [0; 64];
    ///     let read = server.read(&mut buf).await?;
    ///     assert_eq!(&buf[..read], b"hello");
    ///     drop(client);
    ///     assert_eq!(server.read(&mut buf).await?, 0);
    ///     Ok(())
    /// })
    /// # }
    /// ```
    pub fn read(&self, buf: &mut [u8]) -> impl Future<Output = io::Result<usize>> {
        at_caller(self.socket.read(buf))
    }

    /// The same without taking what it reads.
    ///
    /// # Examples
    ///
    /// ```
    /// use gorun::net::{TcpListener, TcpStream};
    ///
    /// # fn main() -> std::io::Result<()> {
    /// gorun::block_on(async {
    ///     let listener = TcpListener::bind("127.0.0.1:0").await?;
    ///     let client = TcpStream::connect(listener.local_addr()?).await?;
    ///     let (server, _) = listener.accept().await?;
    ///     client.write(b"GET").await?;
    ///     let (mut first, mut again) = ([0], [0]);
    ///     assert_eq!((server.peek(&mut first).await?, first), (1, *b"G"));
    ///     assert_eq!((server.read(&mut again).await?, again), (1, *b"G"));
    ///     Ok(())
    /// })
    /// # }
    /// ```
    pub fn peek(&self, buf: &mut [u8]) -> impl Future<Output = io::Result<usize>> {
        at_caller(async move {
            if buf.is_empty() {
                return self.read(buf).await;
            }
            self.socket.receive(|stream| stream.peek(buf)).await
        })
    }

    /// Writes as many bytes of `buf` as the system takes, and returns their number. (`write_all` of
    /// `futures` writes all of them.)
    ///
    /// **Cancellation**: a future that is dropped before it is ready has written nothing.
    ///
    /// Go counterpart: `Conn.Write`, which writes all.
    ///
    /// # Errors
    ///
    /// Of kind [`BrokenPipe`](io::ErrorKind::BrokenPipe) or
    /// [`ConnectionReset`](io::ErrorKind::ConnectionReset) if the peer has gone; if the connection has
    /// failed, or a deadline has passed.
    ///
    /// # Examples
    ///
    /// See [`read`](Self::read).
    pub fn write(&self, buf: &[u8]) -> impl Future<Output = io::Result<usize>> {
        at_caller(self.socket.write(buf))
    }

    /// Ends reading: reads that wait return zero, and later ones do when nothing is there. On Linux the
    /// system goes on accepting what the peer sends, and reads get it.
    ///
    /// Go counterpart: `TCPConn.CloseRead`.
    ///
    /// # Errors
    ///
    /// If the connection has been closed already.
    ///
    /// # Examples
    ///
    /// ```
    /// use gorun::net::{TcpListener, TcpStream};
    ///
    /// # fn main() -> std::io::Result<()> {
    /// gorun::block_on(async {
    ///     let listener = TcpListener::bind("127.0.0.1:0").await?;
    ///     let client = TcpStream::connect(listener.local_addr()?).await?;
    ///     client.close_read()?;
    ///     assert_eq!(client.read(&mut [0]).await?, 0);
    ///     Ok(())
    /// })
    /// # }
    /// ```
    pub fn close_read(&self) -> io::Result<()> {
        self.socket.close_read()
    }

    /// Tells the peer that nothing more comes; its reads reach the end. It can still send.
    ///
    /// Go counterpart: `TCPConn.CloseWrite`.
    ///
    /// # Errors
    ///
    /// If the connection has been closed already.
    ///
    /// # Examples
    ///
    /// See the [module](super).
    pub fn close_write(&self) -> io::Result<()> {
        self.socket.get().shutdown(Shutdown::Write)
    }

    /// From then on reads and writes fail with [`TimedOut`](io::ErrorKind::TimedOut); `None`: never.
    /// Those that wait already are included. A deadline in the past counts at once. The connection
    /// stays as it is, and a later deadline makes it usable again.
    ///
    /// Go counterpart: `Conn.SetDeadline`.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::io::ErrorKind;
    /// use std::time::Duration;
    /// use gorun::net::{TcpListener, TcpStream};
    /// use gorun::time::now;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// gorun::block_on(async {
    ///     let listener = TcpListener::bind("127.0.0.1:0").await?;
    ///     let client = TcpStream::connect(listener.local_addr()?).await?;
    ///     client.set_deadline(now() + Duration::from_millis(5));
    ///     let silence = client.read(&mut [0]).await.unwrap_err();
    ///     assert_eq!(silence.kind(), ErrorKind::TimedOut);
    ///     client.set_deadline(None);
    ///     assert_eq!(client.write(b"still here").await?, 10);
    ///     Ok(())
    /// })
    /// # }
    /// ```
    pub fn set_deadline(&self, deadline: impl Into<Option<Instant>>) {
        self.socket.set_deadline(&[Direction::Read, Direction::Write], deadline.into());
    }

    /// The same for reads alone.
    ///
    /// Go counterpart: `Conn.SetReadDeadline`.
    ///
    /// # Examples
    ///
    /// See [`set_deadline`](Self::set_deadline).
    pub fn set_read_deadline(&self, deadline: impl Into<Option<Instant>>) {
        self.socket.set_deadline(&[Direction::Read], deadline.into());
    }

    /// The same for writes alone.
    ///
    /// Go counterpart: `Conn.SetWriteDeadline`.
    ///
    /// # Examples
    ///
    /// See [`set_deadline`](Self::set_deadline).
    pub fn set_write_deadline(&self, deadline: impl Into<Option<Instant>>) {
        self.socket.set_deadline(&[Direction::Write], deadline.into());
    }

    /// Two halves, one for each direction. When the write half is dropped the peer learns that
    /// nothing more comes, as by [`close_write`](Self::close_write).
    ///
    /// Deadlines that were set before stay. Two clones do as well, if the end does not matter.
    ///
    /// # Examples
    ///
    /// ```
    /// use futures::AsyncReadExt;
    /// use gorun::net::{TcpListener, TcpStream};
    ///
    /// # fn main() -> std::io::Result<()> {
    /// gorun::block_on(async {
    ///     let listener = TcpListener::bind("127.0.0.1:0").await?;
    ///     let (mut reads, writes) = TcpStream::connect(listener.local_addr()?).await?.into_split();
    ///     gorun::go!(async move {
    ///         let (server, _) = listener.accept().await.unwrap();
    ///         futures::io::copy(&server, &mut &server).await.unwrap();
    ///     });
    ///     writes.write(b"echo").await?;
    ///     drop(writes);
    ///     let mut answer = Vec::new();
    ///     reads.read_to_end(&mut answer).await?;
    ///     assert_eq!(answer, b"echo");
    ///     Ok(())
    /// })
    /// # }
    /// ```
    pub fn into_split(self) -> (ReadHalf, WriteHalf) {
        tcp_halves::split(self.socket)
    }

    /// The address of the peer.
    ///
    /// Go counterpart: `Conn.RemoteAddr`.
    ///
    /// # Errors
    ///
    /// If the connection has ended.
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// # use gorun::net::{TcpListener, TcpStream};
    /// # gorun::block_on(async {
    /// # let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// # let address = listener.local_addr()?;
    /// let stream = TcpStream::connect(address).await?;
    /// assert_eq!(stream.peer_addr()?, address);
    /// # Ok(())
    /// # })
    /// # }
    /// ```
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.socket.get().peer_addr()
    }

    /// The address of this end.
    ///
    /// Go counterpart: `Conn.LocalAddr`.
    ///
    /// # Errors
    ///
    /// If the system does not know it.
    ///
    /// # Examples
    ///
    /// See [`peer_addr`](Self::peer_addr).
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.get().local_addr()
    }
}

impl TcpStream {
    pub(super) fn socket(&self) -> &Socket<TcpSocket> {
        &self.socket
    }
}

impl_async_io!(TcpStream);
impl_descriptor!(TcpStream, net::TcpStream);

impl fmt::Debug for TcpStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.socket.get().fmt(f)
    }
}
