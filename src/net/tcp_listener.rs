//! `TcpListener`: accepts connections.

#![forbid(unsafe_code)]

use std::fmt;
use std::future::Future;
use std::io;
use std::net::{self, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use futures_core::Stream;

use super::accepting::{Acceptor, Incoming, Listener};
use super::descriptor::impl_descriptor;
use super::options::{self, ARE_INHERITED};
use super::socket::Socket;
use super::tcp_socket::{ListeningSocket, TcpSocket};
use super::tcp_stream::TcpStream;
use super::to_addrs::ToAddrs;
use crate::scheduler::at_caller::at_caller;
use crate::scheduler::reactor::source::Direction;

/// A socket that accepts TCP connections.
///
/// Clones share it. It is closed when the last one is dropped.
///
/// Go counterpart: `net.TCPListener`.
///
/// # Examples
///
/// See the [module](super).
#[derive(Clone)]
pub struct TcpListener {
    acceptor: Arc<Acceptor<ListeningSocket>>,
}

impl TcpListener {
    /// Listens at the first of these addresses that is free. Port 0 means one that the system
    /// chooses.
    ///
    /// Go counterpart: `net.Listen("tcp", address)`.
    ///
    /// # Errors
    ///
    /// If the address is no address, is not one of this machine, or is in use. Without a runtime.
    ///
    /// # Examples
    ///
    /// ```
    /// use gorun::net::TcpListener;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// gorun::block_on(async {
    ///     let listener = TcpListener::bind("127.0.0.1:0").await?;
    ///     assert_ne!(listener.local_addr()?.port(), 0);
    ///     let in_use = TcpListener::bind(listener.local_addr()?).await.unwrap_err();
    ///     assert_eq!(in_use.kind(), std::io::ErrorKind::AddrInUse);
    ///     Ok(())
    /// })
    /// # }
    /// ```
    pub fn bind(address: impl ToAddrs) -> impl Future<Output = io::Result<TcpListener>> {
        at_caller(async move {
            let target = address.to_target()?;
            drop(address);
            let mut first_error = None;
            for address in target.resolve().await? {
                match ListeningSocket::bind(address) {
                    Ok(listener) => return TcpListener::new(listener, ARE_INHERITED),
                    Err(error) => {
                        _ = first_error.get_or_insert(options::cannot_bind(address, error))
                    }
                }
            }
            Err(first_error.expect("there is an address"))
        })
    }

    fn new(listener: ListeningSocket, gives_options: bool) -> io::Result<TcpListener> {
        let socket = Socket::open(listener)?;
        Ok(TcpListener { acceptor: Arc::new(Acceptor::new(socket, gives_options)) })
    }

    /// Waits for the next connection. Returns it, and the address of the peer.
    ///
    /// If the system has no descriptor or no memory left for it, or forbids it (as a firewall may), the
    /// error comes after a pause, from 5 ms up to a second if that happens again and again. So a loop may
    /// simply go on.
    ///
    /// **Cancellation**: dropping the future loses no connection. One that is dropped during such a pause
    /// reports nothing, and the next one tries at once.
    ///
    /// Go counterpart: `Listener.Accept`.
    ///
    /// # Errors
    ///
    /// If the listener has been closed, a deadline has passed, or the system lacks something.
    ///
    /// # Examples
    ///
    /// See the [module](super).
    pub fn accept(&self) -> impl Future<Output = io::Result<(TcpStream, SocketAddr)>> {
        at_caller(self.acceptor.accept())
    }

    /// The connections that come, as a stream. It ends when the listener is closed. If the process has
    /// no descriptor left for one, or must not have it, the stream reports that on standard error, once,
    /// and waits.
    ///
    /// # Examples
    ///
    /// ```
    /// use futures::StreamExt;
    /// use gorun::net::{TcpListener, TcpStream};
    ///
    /// # fn main() -> std::io::Result<()> {
    /// gorun::block_on(async {
    ///     let listener = TcpListener::bind("127.0.0.1:0").await?;
    ///     let _client = TcpStream::connect(listener.local_addr()?).await?;
    ///     let mut incoming = listener.incoming();
    ///     let _server = incoming.next().await.unwrap()?;
    ///     listener.close();
    ///     assert!(incoming.next().await.is_none());
    ///     Ok(())
    /// })
    /// # }
    /// ```
    pub fn incoming(&self) -> impl Stream<Item = io::Result<TcpStream>> + Unpin {
        Incoming::new(&self.acceptor)
    }

    /// Waits until it is closed, or fails.
    #[cfg(feature = "hyper")]
    pub(crate) async fn over(&self) -> io::Result<()> {
        self.acceptor.over().await
    }

    /// Ends all [`accept`](Self::accept)s, those that wait and later ones, with an error, and all
    /// streams of [`incoming`](Self::incoming) connections. Peers that connect from now on are
    /// refused on Linux; elsewhere, when the last clone has been dropped, which closes the socket.
    ///
    /// Go counterpart: `Listener.Close`.
    ///
    /// It shuts the socket down: for other processes that have it too, and connections that wait to be
    /// accepted are reset. To leave it to them, drop all clones instead.
    ///
    /// # Examples
    ///
    /// ```
    /// use gorun::net::TcpListener;
    /// use gorun::spawn;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// gorun::block_on(async {
    ///     let listener = TcpListener::bind("127.0.0.1:0").await?;
    ///     let server = spawn({
    ///         let listener = listener.clone();
    ///         async move { listener.accept().await.is_err() }
    ///     });
    ///     listener.close();
    ///     assert!(server.await.unwrap());
    ///     Ok(())
    /// })
    /// # }
    /// ```
    pub fn close(&self) {
        self.acceptor.close();
    }

    /// From then on [`accept`](Self::accept) fails with [`TimedOut`](io::ErrorKind::TimedOut), also
    /// if it waits already; `None`: never. A later deadline makes the listener usable again.
    ///
    /// Go counterpart: `TCPListener.SetDeadline`.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::io::ErrorKind;
    /// use std::time::Duration;
    /// use gorun::net::TcpListener;
    /// use gorun::time::now;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// gorun::block_on(async {
    ///     let listener = TcpListener::bind("127.0.0.1:0").await?;
    ///     listener.set_deadline(now() + Duration::from_millis(5));
    ///     assert_eq!(listener.accept().await.unwrap_err().kind(), ErrorKind::TimedOut);
    ///     Ok(())
    /// })
    /// # }
    /// ```
    pub fn set_deadline(&self, deadline: impl Into<Option<Instant>>) {
        self.acceptor.socket.set_deadline(&[Direction::Read], deadline.into());
    }

    /// The address at which it listens.
    ///
    /// Go counterpart: `Listener.Addr`.
    ///
    /// # Errors
    ///
    /// If the system does not know it.
    ///
    /// # Examples
    ///
    /// See [`bind`](Self::bind).
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket().get().local_addr()
    }

    /// A listener of `std`, for the calling code's runtime. It does not block any more.
    ///
    /// # Errors
    ///
    /// Outside of a runtime, and if the system refuses.
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    /// gorun::block_on(async { gorun::net::TcpListener::from_std(listener)?.into_std() })?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn from_std(listener: net::TcpListener) -> io::Result<TcpListener> {
        listener.set_nonblocking(true)?;
        // Its options are its user's.
        let listener = mio::net::TcpListener::from_std(listener);
        TcpListener::new(ListeningSocket::System(listener), false)
    }

    /// The listener of `std`, which still does not block. If there are other clones, it is another
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
    pub fn into_std(self) -> io::Result<net::TcpListener> {
        self.socket().get().must_be_systems("into_std")?;
        let socket = self.socket().clone();
        // So that the socket has no other owner, if this is the last clone.
        drop(self);
        socket.into_std()
    }
}

impl Listener for ListeningSocket {
    type Connection = TcpSocket;
    type Stream = TcpStream;
    type Address = SocketAddr;

    fn accept(&self) -> io::Result<(TcpSocket, SocketAddr)> {
        ListeningSocket::accept(self)
    }

    fn stream(connection: Socket<TcpSocket>) -> TcpStream {
        TcpStream::new(connection)
    }

    fn adopt(listener: &Socket<Self>, connection: TcpSocket) -> io::Result<Socket<TcpSocket>> {
        match connection {
            TcpSocket::System(_) => listener.accepted(connection),
            TcpSocket::Simulated(_) => Socket::open(connection),
        }
    }

    fn set_options(connection: &TcpSocket) {
        if let TcpSocket::System(connection) = connection {
            // Some systems refuse that once the peer has reset the connection. Then a read says so.
            let _ = options::set_defaults(connection);
        }
    }

    fn shut(&self) {
        ListeningSocket::shut(self);
    }
}

impl TcpListener {
    fn socket(&self) -> &Socket<ListeningSocket> {
        &self.acceptor.socket
    }
}

impl_descriptor!(TcpListener, net::TcpListener);

impl fmt::Debug for TcpListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.socket().get().fmt(f)
    }
}
