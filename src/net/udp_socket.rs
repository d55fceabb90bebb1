//! `UdpSocket`: datagrams.

#![forbid(unsafe_code)]

use std::fmt;
use std::future::Future;
use std::io;
use std::net::{self, SocketAddr};
use std::time::Instant;

use super::descriptor::impl_descriptor;
use super::socket::Socket;
use super::to_addrs::ToAddrs;
use super::udp_endpoint::UdpEndpoint;
use super::{datagrams, options};
use crate::scheduler::at_caller::at_caller;
use crate::scheduler::reactor::source::Direction;
use crate::system_error::failed;

/// A UDP socket.
///
/// Clones share it; it is closed when the last one is dropped. A socket that is
/// [connected](Self::connect) exchanges datagrams with one peer, by [`send`](Self::send) and
/// [`recv`](Self::recv); others do so with any, by [`send_to`](Self::send_to) and
/// [`recv_from`](Self::recv_from). Datagrams may be lost, and arrive in any order.
///
/// Go counterpart: `net.UDPConn`.
///
/// # Examples
///
/// ```
/// use gorun::net::UdpSocket;
///
/// # fn main() -> std::io::Result<()> {
/// gorun::block_on(async {
///     let server = UdpSocket::bind("127.0.0.1:0").await?;
///     let client = UdpSocket::bind("127.0.0.1:0").await?;
///     client.connect(server.local_addr()?).await?;
///     client.send(b"ping").await?;
///     let mut buf = [0; 64];
///     let (length, peer) = server.recv_from(&mut buf).await?;
///     assert_eq!(&buf[..length], b"ping");
///     server.send_to(b"pong", peer).await?;
///     let length = client.recv(&mut buf).await?;
///     assert_eq!(&buf[..length], b"pong");
///     Ok(())
/// })
/// # }
/// ```
#[derive(Clone)]
pub struct UdpSocket {
    socket: Socket<UdpEndpoint>,
}

impl UdpSocket {
    /// A socket at the first of these addresses that is free. Port 0 means one that the system
    /// chooses.
    ///
    /// Go counterpart: `net.ListenPacket`.
    ///
    /// # Errors
    ///
    /// If the address is no address, is not one of this machine, or is in use. Without a runtime.
    ///
    /// # Examples
    ///
    /// See [`UdpSocket`].
    pub fn bind(address: impl ToAddrs) -> impl Future<Output = io::Result<UdpSocket>> {
        at_caller(async move {
            let target = address.to_target()?;
            drop(address);
            let mut first_error = None;
            for address in target.resolve().await? {
                match UdpEndpoint::bind(address) {
                    Ok(socket) => return Ok(UdpSocket { socket: Socket::open(socket)? }),
                    Err(error) => {
                        _ = first_error.get_or_insert(options::cannot_bind(address, error))
                    }
                }
            }
            Err(first_error.expect("there is an address"))
        })
    }

    /// From now on the socket sends to this peer alone, and receives only from it.
    ///
    /// Go counterpart: `net.DialUDP`.
    ///
    /// # Errors
    ///
    /// If the address is no address, or cannot be reached.
    ///
    /// # Examples
    ///
    /// See [`UdpSocket`].
    pub fn connect(&self, address: impl ToAddrs) -> impl Future<Output = io::Result<()>> {
        at_caller(async move {
            let target = address.to_target()?;
            drop(address);
            let mut result = Ok(());
            for address in target.resolve().await? {
                result = self.socket.get().connect(address);
                if result.is_ok() {
                    break;
                }
            }
            result.map_err(|error| failed(format!("cannot connect to {target}"), error))
        })
    }

    /// Sends a datagram to the peer that the socket is connected to.
    ///
    /// **Cancellation**: a future that is dropped before it is ready has sent nothing.
    ///
    /// # Errors
    ///
    /// If the socket is not connected, the datagram is too long, or a deadline has passed. If the
    /// peer has refused an earlier one.
    ///
    /// # Examples
    ///
    /// See [`UdpSocket`].
    pub fn send(&self, datagram: &[u8]) -> impl Future<Output = io::Result<usize>> {
        at_caller(async move {
            let result = self.socket.send(|socket| socket.send(datagram)).await;
            datagrams::sent(result, datagram.len())
        })
    }

    /// Receives a datagram from the peer that the socket is connected to, or from any if it is not.
    /// Returns its length. What `buf` cannot hold is lost.
    ///
    /// **Cancellation**: dropping the future loses nothing.
    ///
    /// # Errors
    ///
    /// If a deadline has passed, or the peer has refused an earlier datagram.
    ///
    /// # Examples
    ///
    /// See [`UdpSocket`].
    pub fn recv(&self, buf: &mut [u8]) -> impl Future<Output = io::Result<usize>> {
        at_caller(
            self.socket.receive(move |socket| datagrams::received(socket.recv(buf), buf.len())),
        )
    }

    /// Sends a datagram to this peer; of several addresses, to the first.
    ///
    /// **Cancellation**: a future that is dropped before it is ready has sent nothing.
    ///
    /// Go counterpart: `PacketConn.WriteTo`.
    ///
    /// # Errors
    ///
    /// If the address is no address, the datagram is too long, or a deadline has passed.
    ///
    /// # Examples
    ///
    /// See [`UdpSocket`].
    pub fn send_to(
        &self,
        datagram: &[u8],
        address: impl ToAddrs,
    ) -> impl Future<Output = io::Result<usize>> {
        at_caller(async move {
            let target = address.to_target()?;
            drop(address);
            let address = target.resolve().await?[0];
            let result = self.socket.send(|socket| socket.send_to(datagram, address)).await;
            datagrams::sent(result, datagram.len())
        })
    }

    /// Receives a datagram. Returns its length, and the address of the peer. What `buf` cannot hold is
    /// lost. (On Windows such a datagram is an error, since the system does not say whose it is.)
    ///
    /// **Cancellation**: dropping the future loses nothing.
    ///
    /// Go counterpart: `PacketConn.ReadFrom`.
    ///
    /// # Errors
    ///
    /// If a deadline has passed. On Windows also of kind
    /// [`ConnectionReset`](io::ErrorKind::ConnectionReset), if a peer has refused an earlier datagram
    /// from this socket.
    ///
    /// # Examples
    ///
    /// See [`UdpSocket`].
    pub fn recv_from(
        &self,
        buf: &mut [u8],
    ) -> impl Future<Output = io::Result<(usize, SocketAddr)>> {
        at_caller(async move {
            let received = self.socket.receive(|socket| socket.recv_from(buf)).await;
            datagrams::received_from(received, buf.len())
        })
    }

    /// As [`recv`](Self::recv), without taking the datagram.
    ///
    /// # Errors
    ///
    /// As there.
    ///
    /// # Examples
    ///
    /// ```
    /// use gorun::net::UdpSocket;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// gorun::block_on(async {
    ///     let socket = UdpSocket::bind("127.0.0.1:0").await?;
    ///     socket.send_to(b"to myself", socket.local_addr()?).await?;
    ///     let (mut first, mut again) = ([0; 2], [0; 9]);
    ///     assert_eq!((socket.peek(&mut first).await?, &first), (2, b"to"));
    ///     assert_eq!((socket.recv(&mut again).await?, &again), (9, b"to myself"));
    ///     Ok(())
    /// })
    /// # }
    /// ```
    pub fn peek(&self, buf: &mut [u8]) -> impl Future<Output = io::Result<usize>> {
        at_caller(
            self.socket.receive(move |socket| datagrams::received(socket.peek(buf), buf.len())),
        )
    }

    /// As [`recv_from`](Self::recv_from), without taking the datagram.
    ///
    /// # Errors
    ///
    /// As there.
    ///
    /// # Examples
    ///
    /// See [`peek`](Self::peek).
    pub fn peek_from(
        &self,
        buf: &mut [u8],
    ) -> impl Future<Output = io::Result<(usize, SocketAddr)>> {
        at_caller(async move {
            let received = self.socket.receive(|socket| socket.peek_from(buf)).await;
            datagrams::received_from(received, buf.len())
        })
    }

    /// From then on operations fail with [`TimedOut`](io::ErrorKind::TimedOut), also those that wait
    /// already; `None`: never. A later deadline makes the socket usable again.
    ///
    /// Go counterpart: `Conn.SetDeadline`.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use gorun::net::UdpSocket;
    /// use gorun::time::now;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// gorun::block_on(async {
    ///     let socket = UdpSocket::bind("127.0.0.1:0").await?;
    ///     socket.set_deadline(now() + Duration::from_millis(5));
    ///     let silence = socket.recv(&mut [0]).await.unwrap_err();
    ///     assert_eq!(silence.kind(), std::io::ErrorKind::TimedOut);
    ///     Ok(())
    /// })
    /// # }
    /// ```
    pub fn set_deadline(&self, deadline: impl Into<Option<Instant>>) {
        self.socket.set_deadline(&[Direction::Read, Direction::Write], deadline.into());
    }

    /// The same for receiving alone.
    ///
    /// # Examples
    ///
    /// See [`set_deadline`](Self::set_deadline).
    pub fn set_read_deadline(&self, deadline: impl Into<Option<Instant>>) {
        self.socket.set_deadline(&[Direction::Read], deadline.into());
    }

    /// The same for sending alone.
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
    /// See [`UdpSocket`].
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.get().local_addr()
    }

    /// The address of the peer that the socket is connected to.
    ///
    /// # Errors
    ///
    /// If it is not connected.
    ///
    /// # Examples
    ///
    /// See [`UdpSocket`].
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
    /// let socket = std::net::UdpSocket::bind("127.0.0.1:0")?;
    /// gorun::block_on(async { gorun::net::UdpSocket::from_std(socket)?.into_std() })?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn from_std(socket: net::UdpSocket) -> io::Result<UdpSocket> {
        socket.set_nonblocking(true)?;
        let socket = UdpEndpoint::System(mio::net::UdpSocket::from_std(socket));
        Ok(UdpSocket { socket: Socket::open(socket)? })
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
    pub fn into_std(self) -> io::Result<net::UdpSocket> {
        self.socket.get().must_be_systems("into_std")?;
        self.socket.into_std()
    }
}

impl UdpSocket {
    pub(super) fn socket(&self) -> &Socket<UdpEndpoint> {
        &self.socket
    }
}

impl_descriptor!(UdpSocket, net::UdpSocket);

impl fmt::Debug for UdpSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.socket.get().fmt(f)
    }
}
