//! What a server accepts connections from.

#![forbid(unsafe_code)]

use std::future::Future;
use std::io;

use futures_core::Stream;
use hyper::rt::{Read, Write};

use crate::net::{TcpListener, TcpStream};
#[cfg(unix)]
use crate::net::{UnixListener, UnixStream};

/// A listener: [`TcpListener`](crate::net::TcpListener), and on Unix
/// [`UnixListener`](crate::net::UnixListener).
///
/// For other connections see [`Server::serve_connection`](super::Server::serve_connection).
pub trait Listener: sealed::Sealed + Send {
    /// Its connections.
    type Stream: Read + Write + Unpin + Send + 'static;

    /// The connections, one after the other.
    #[doc(hidden)]
    fn connections(&self) -> impl Stream<Item = io::Result<Self::Stream>> + Unpin + Send;

    /// Waits until somebody closes it, or it fails.
    #[doc(hidden)]
    fn over(&self) -> impl Future<Output = io::Result<()>> + Send;
}

impl Listener for TcpListener {
    type Stream = TcpStream;

    fn connections(&self) -> impl Stream<Item = io::Result<TcpStream>> + Unpin + Send {
        self.incoming()
    }

    fn over(&self) -> impl Future<Output = io::Result<()>> + Send {
        TcpListener::over(self)
    }
}

#[cfg(unix)]
impl Listener for UnixListener {
    type Stream = UnixStream;

    fn connections(&self) -> impl Stream<Item = io::Result<UnixStream>> + Unpin + Send {
        self.incoming()
    }

    fn over(&self) -> impl Future<Output = io::Result<()>> + Send {
        UnixListener::over(self)
    }
}

mod sealed {
    pub trait Sealed {}

    impl Sealed for crate::net::TcpListener {}
    #[cfg(unix)]
    impl Sealed for crate::net::UnixListener {}
}
