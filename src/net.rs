//! The network: TCP and UDP sockets, names of hosts, and on Unix the local sockets. Go's package `net`.
//! (Feature `net`, on by default.)
//!
//! An operation that has to wait suspends its goroutine, not its thread. An idle worker waits for the
//! events of all sockets; if none does, the monitor looks every millisecond. So a goroutine
//! that blocks its thread delays the others' I/O by a millisecond or two, and no thread exists for
//! I/O alone.
//!
//! ```
//! use futures::{AsyncReadExt, AsyncWriteExt};
//! use gorun::net::{TcpListener, TcpStream};
//! use gorun::{block_on, go};
//!
//! # fn main() -> std::io::Result<()> {
//! block_on(async {
//!     let listener = TcpListener::bind("127.0.0.1:0").await?;
//!     let address = listener.local_addr()?;
//!     go!(async move {
//!         while let Ok((stream, _)) = listener.accept().await {
//!             // An echo: the same socket is read and written.
//!             go!(async move { futures::io::copy(&stream, &mut &stream).await.unwrap_or(0); });
//!         }
//!     });
//!     let mut stream = TcpStream::connect(address).await?;
//!     stream.write_all(b"hello").await?;
//!     stream.close_write()?;
//!     let mut answer = String::new();
//!     stream.read_to_string(&mut answer).await?;
//!     assert_eq!(answer, "hello");
//!     Ok(())
//! })
//! # }
//! ```
//!
//! # What to know
//!
//! - **Clones share the socket.** It is closed when the last clone is dropped, or the last half.
//!   All operations take `&self`, and any number of tasks may wait for one socket.
//! - **Cancellation**: a single `read`, `write` or `accept` that is dropped before it is ready has done
//!   nothing. So as a losing case of a [`select!`](crate::select!) it loses no data. `read_exact`,
//!   `write_all` and `copy` of `futures` take several steps: dropped in between, they have read or
//!   written a part.
//! - **Deadlines** are Go's: an operation that is not done by then fails with
//!   [`TimedOut`](std::io::ErrorKind::TimedOut), and so do later ones, until another deadline is set.
//!   The socket remains usable. [`timeout`](crate::time::timeout) limits a single operation.
//! - `TCP_NODELAY` and keepalive are on, as in Go: the system sends what was written without delay,
//!   and notices a peer that has gone after a few minutes.
//! - **A socket belongs to the runtime in which it was made.** Made outside a runtime, it is an error.
//!   When main returns, workers drop the goroutines, and with them their sockets. A socket that lives
//!   on, for example because main returned it, fails each operation with an error that says so; its
//!   `into_std` still works.
//! - **Errors** say what has failed, and what to do. The system's own, with its number, is their
//!   [`source`](std::error::Error::source).
//! - Streams implement [`futures_io::AsyncRead`] and [`futures_io::AsyncWrite`], also by shared
//!   reference. So the extension traits of `futures` work: `read_exact`, `write_all`, `BufReader`,
//!   `copy`. With the feature `tokio-io` they implement those of `tokio`, too.
//! - In a [simulation](crate::sim), sockets of TCP and UDP are those of a [network in memory](crate::sim::net).
//! - Other descriptors, on Unix, are the business of `gorun::io::Async`.

// Rejected: names of types as in Go (`TCPConn`, `Conn`), since a Rust hand looks for `TcpStream`; a
// trait for all streams, since `AsyncRead + AsyncWrite` is that.

#![forbid(unsafe_code)]

mod accepting;
mod any_socket;
mod connect;
mod datagrams;
mod descriptor;
mod lack;
mod lookup;
mod options;
mod resolver;
mod socket;
mod tcp_halves;
mod tcp_listener;
mod tcp_options;
mod tcp_socket;
mod tcp_stream;
mod to_addrs;
mod udp_endpoint;
mod udp_options;
mod udp_socket;
#[cfg(unix)]
mod unix_datagram;
#[cfg(unix)]
mod unix_listener;
#[cfg(unix)]
mod unix_stream;

pub use lookup::lookup_host;
pub use tcp_halves::{ReadHalf, WriteHalf};
pub use tcp_listener::TcpListener;
pub use tcp_stream::TcpStream;
pub use to_addrs::ToAddrs;
pub use udp_socket::UdpSocket;
#[cfg(unix)]
pub use unix_datagram::UnixDatagram;
#[cfg(unix)]
pub use unix_listener::UnixListener;
#[cfg(unix)]
pub use unix_stream::UnixStream;
