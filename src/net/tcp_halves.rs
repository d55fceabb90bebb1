//! The two halves of a `TcpStream`.

#![forbid(unsafe_code)]

use std::fmt;
use std::io;
use std::net::Shutdown;

use super::socket::{Socket, impl_async_io};

/// The reading half of a [`TcpStream`](super::TcpStream), made by
/// [`into_split`](super::TcpStream::into_split).
///
/// # Examples
///
/// See [`into_split`](super::TcpStream::into_split).
pub struct ReadHalf {
    socket: Socket<mio::net::TcpStream>,
}

/// The writing half of a [`TcpStream`](super::TcpStream), made by
/// [`into_split`](super::TcpStream::into_split). Its drop tells the peer that nothing more comes.
///
/// # Examples
///
/// See [`into_split`](super::TcpStream::into_split).
pub struct WriteHalf {
    socket: Socket<mio::net::TcpStream>,
}

pub(super) fn split(socket: Socket<mio::net::TcpStream>) -> (ReadHalf, WriteHalf) {
    (ReadHalf { socket: socket.clone() }, WriteHalf { socket })
}

impl ReadHalf {
    /// As [`TcpStream::read`](super::TcpStream::read).
    ///
    /// # Errors
    ///
    /// As there.
    ///
    /// # Examples
    ///
    /// See [`into_split`](super::TcpStream::into_split).
    pub async fn read(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.socket.read(buf).await
    }

    fn socket(&self) -> &Socket<mio::net::TcpStream> {
        &self.socket
    }
}

impl WriteHalf {
    /// As [`TcpStream::write`](super::TcpStream::write).
    ///
    /// # Errors
    ///
    /// As there.
    ///
    /// # Examples
    ///
    /// See [`into_split`](super::TcpStream::into_split).
    pub async fn write(&self, buf: &[u8]) -> io::Result<usize> {
        self.socket.write(buf).await
    }

    fn socket(&self) -> &Socket<mio::net::TcpStream> {
        &self.socket
    }
}

impl Drop for WriteHalf {
    fn drop(&mut self) {
        // It fails if the peer has gone.
        let _ = self.socket.get().shutdown(Shutdown::Write);
    }
}

impl_async_io!(@read ReadHalf);
impl_async_io!(@read &ReadHalf);
impl_async_io!(@write WriteHalf);
impl_async_io!(@write &WriteHalf);

impl fmt::Debug for ReadHalf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ReadHalf").field(self.socket.get()).finish()
    }
}

impl fmt::Debug for WriteHalf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("WriteHalf").field(self.socket.get()).finish()
    }
}
