//! The two halves of a `TcpStream`.

#![forbid(unsafe_code)]

use std::fmt;
use std::future::Future;
use std::io;
use std::net::Shutdown;
use std::time::Instant;

use super::socket::{ByteSocket, Socket, impl_async_io};
use super::tcp_socket::TcpSocket;
use crate::scheduler::at_caller::at_caller;
use crate::scheduler::reactor::source::Direction;

/// The reading half of a [`TcpStream`](super::TcpStream), made by
/// [`into_split`](super::TcpStream::into_split).
///
/// # Examples
///
/// See [`into_split`](super::TcpStream::into_split).
pub struct ReadHalf {
    socket: Socket<TcpSocket>,
}

/// The writing half of a [`TcpStream`](super::TcpStream), made by
/// [`into_split`](super::TcpStream::into_split). Its drop tells the peer that nothing more comes.
///
/// # Examples
///
/// See [`into_split`](super::TcpStream::into_split).
pub struct WriteHalf {
    socket: Socket<TcpSocket>,
}

pub(super) fn split(socket: Socket<TcpSocket>) -> (ReadHalf, WriteHalf) {
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
    pub fn read(&self, buf: &mut [u8]) -> impl Future<Output = io::Result<usize>> {
        at_caller(self.socket.read(buf))
    }

    /// As [`TcpStream::set_read_deadline`](super::TcpStream::set_read_deadline).
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
    ///     let (reads, writes) = TcpStream::connect(listener.local_addr()?).await?.into_split();
    ///     reads.set_read_deadline(now() + Duration::from_millis(5));
    ///     let silence = reads.read(&mut [0]).await.unwrap_err();
    ///     assert_eq!(silence.kind(), ErrorKind::TimedOut);
    ///     assert_eq!(writes.write(b"still here").await?, 10);
    ///     Ok(())
    /// })
    /// # }
    /// ```
    pub fn set_read_deadline(&self, deadline: impl Into<Option<Instant>>) {
        self.socket.set_deadline(&[Direction::Read], deadline.into());
    }

    fn socket(&self) -> &Socket<TcpSocket> {
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
    pub fn write(&self, buf: &[u8]) -> impl Future<Output = io::Result<usize>> {
        at_caller(self.socket.write(buf))
    }

    /// As [`TcpStream::set_write_deadline`](super::TcpStream::set_write_deadline).
    ///
    /// # Examples
    ///
    /// See [`ReadHalf::set_read_deadline`].
    pub fn set_write_deadline(&self, deadline: impl Into<Option<Instant>>) {
        self.socket.set_deadline(&[Direction::Write], deadline.into());
    }

    fn socket(&self) -> &Socket<TcpSocket> {
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
