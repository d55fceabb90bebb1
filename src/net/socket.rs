//! What all sockets have in common: clones share one, which is registered, read and written.

#![forbid(unsafe_code)]

use std::future::poll_fn;
use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::net::Shutdown;
use std::sync::Arc;
use std::task::{Context, Poll};
#[cfg(unix)]
use std::time::Duration;
use std::time::Instant;

use mio::event::Source;

use super::any_socket::{AnySocket, Simulable, Simulated};
use crate::scheduler::io::registered::{Attempt, Registered};
use crate::scheduler::operation::Operation;
use crate::scheduler::reactor::source::{Direction, WaiterId};

#[cfg(unix)]
use std::os::fd::{AsFd, OwnedFd as Owned};
#[cfg(windows)]
use std::os::windows::io::{AsSocket, OwnedSocket as Owned};

pub(super) struct Socket<S: Source>(Arc<Registered<S>>);

impl<S: Source> Clone for Socket<S> {
    fn clone(&self) -> Self {
        Socket(self.0.clone())
    }
}

impl<S: Source> Socket<S> {
    /// Of the calling code's runtime.
    pub(super) fn new(socket: S) -> io::Result<Self> {
        Ok(Socket(Arc::new(Registered::new(socket)?)))
    }

    pub(super) fn get(&self) -> &S {
        self.0.get()
    }

    pub(super) fn registered(&self) -> &Registered<S> {
        &self.0
    }

    pub(super) fn set_deadline(&self, directions: &[Direction], deadline: Option<Instant>) {
        self.0.set_deadline(directions, deadline);
    }

    /// One that this listener has accepted.
    pub(super) fn accepted<T: Source>(&self, connection: T) -> io::Result<Socket<T>> {
        Ok(Socket(Arc::new(self.0.register(connection)?)))
    }

    /// Waits before the next attempt, unless an operation in this direction would fail.
    #[cfg(unix)]
    pub(super) async fn pause(&self, direction: Direction, duration: Duration) -> io::Result<()> {
        let mut entry = self.0.entry(direction);
        let mut pause = entry.pause(duration);
        std::future::poll_fn(|cx| entry.poll_pause(cx, &mut pause)).await
    }

    /// Waits until `receive` succeeds.
    pub(super) async fn receive<R>(
        &self,
        mut receive: impl FnMut(&S) -> io::Result<R>,
    ) -> io::Result<R> {
        let attempt = |socket: &S| receive(socket).map(Attempt::whole);
        self.0.wait_for(Direction::Read, Operation::Read, attempt).await
    }

    /// Waits until `send` succeeds.
    pub(super) async fn send<R>(&self, mut send: impl FnMut(&S) -> io::Result<R>) -> io::Result<R> {
        let attempt = |socket: &S| send(socket).map(Attempt::whole);
        self.0.wait_for(Direction::Write, Operation::Write, attempt).await
    }
}

/// A descriptor of the system.
#[cfg(unix)]
pub(super) trait Descriptor: AsFd + Into<Owned> {
    fn duplicate(&self) -> io::Result<Owned> {
        self.as_fd().try_clone_to_owned()
    }
}

#[cfg(unix)]
impl<S: AsFd + Into<Owned>> Descriptor for S {}

#[cfg(windows)]
pub(super) trait Descriptor: AsSocket + Into<Owned> {
    fn duplicate(&self) -> io::Result<Owned> {
        self.as_socket().try_clone_to_owned()
    }
}

#[cfg(windows)]
impl<S: AsSocket + Into<Owned>> Descriptor for S {}

impl<S: Simulable> Socket<AnySocket<S>> {
    /// Of the calling code's runtime, or of its simulation.
    pub(super) fn open(socket: AnySocket<S>) -> io::Result<Self> {
        match &socket {
            AnySocket::System(_) => Socket::new(socket),
            AnySocket::Simulated(simulated) => {
                let source = simulated.socket.source().clone();
                Ok(Socket(Arc::new(Registered::simulated(socket, source)?)))
            }
        }
    }
}

impl<S: Source + Descriptor> Socket<S> {
    /// The socket itself, or another descriptor of it if other clones are left.
    pub(super) fn into_std<T: From<Owned>>(self) -> io::Result<T> {
        let owned = match Arc::try_unwrap(self.0) {
            Ok(registered) => registered.into_inner().into(),
            Err(shared) => shared.get().duplicate()?,
        };
        Ok(T::from(owned))
    }
}

/// A socket of bytes.
pub(super) trait ByteSocket: Source {
    fn shutdown(&self, how: Shutdown) -> io::Result<()>;

    /// A read that gets less than it asked for has emptied the socket.
    const SHORT_READ_EMPTIES: bool;
}

/// A read ends also behind data that came with a descriptor.
#[cfg(unix)]
impl ByteSocket for mio::net::UnixStream {
    fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        mio::net::UnixStream::shutdown(self, how)
    }

    const SHORT_READ_EMPTIES: bool = false;
}

/// Bytes, read and written by shared reference.
impl<S> Socket<S>
where
    S: ByteSocket,
    for<'a> &'a S: Read + Write,
{
    pub(super) async fn read(&self, buf: &mut [u8]) -> io::Result<usize> {
        if buf.is_empty() {
            return poll_fn(|cx| self.poll_empty(cx, Direction::Read)).await;
        }
        let attempt = |socket: &S| read(socket, buf);
        self.0.wait_for(Direction::Read, Operation::Read, attempt).await
    }

    pub(super) async fn write(&self, buf: &[u8]) -> io::Result<usize> {
        if buf.is_empty() {
            return poll_fn(|cx| self.poll_empty(cx, Direction::Write)).await;
        }
        let attempt = |socket: &S| write(socket, buf);
        self.0.wait_for(Direction::Write, Operation::Write, attempt).await
    }

    pub(super) fn close_read(&self) -> io::Result<()> {
        self.get().shutdown(Shutdown::Read)?;
        // Windows does not report that.
        self.0.end_reads();
        Ok(())
    }

    pub(super) fn poll_read(
        &self,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        if buf.is_empty() {
            return self.poll_empty(cx, Direction::Read);
        }
        self.poll(cx, Direction::Read, |socket| read(socket, buf))
    }

    pub(super) fn poll_read_vectored(
        &self,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
    ) -> Poll<io::Result<usize>> {
        if bufs.iter().all(|buf| buf.is_empty()) {
            return self.poll_empty(cx, Direction::Read);
        }
        // Never short: `std` passes the first 1,024 buffers on.
        self.poll(cx, Direction::Read, |mut socket| Ok(Attempt::whole(socket.read_vectored(bufs)?)))
    }

    pub(super) fn poll_write(&self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        if buf.is_empty() {
            return self.poll_empty(cx, Direction::Write);
        }
        self.poll(cx, Direction::Write, |socket| write(socket, buf))
    }

    pub(super) fn poll_write_vectored(
        &self,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if bufs.iter().all(|buf| buf.is_empty()) {
            return self.poll_empty(cx, Direction::Write);
        }
        // Never short, as above.
        self.poll(cx, Direction::Write, |mut socket| {
            Ok(Attempt::whole(socket.write_vectored(bufs)?))
        })
    }

    fn poll(
        &self,
        cx: &mut Context<'_>,
        direction: Direction,
        attempt: impl FnMut(&S) -> io::Result<Attempt<usize>>,
    ) -> Poll<io::Result<usize>> {
        let id = &mut Some(WaiterId::POLLED);
        self.0.poll(cx, direction, operation(direction), id, attempt)
    }

    /// No bytes are read or written at once, whatever has come: some systems would wait for data.
    fn poll_empty(&self, cx: &mut Context<'_>, direction: Direction) -> Poll<io::Result<usize>> {
        self.0.poll_empty(cx, direction)
    }
}

fn operation(direction: Direction) -> Operation {
    match direction {
        Direction::Read => Operation::Read,
        Direction::Write => Operation::Write,
    }
}

fn read<S: ByteSocket>(mut socket: &S, buf: &mut [u8]) -> io::Result<Attempt<usize>>
where
    for<'a> &'a S: Read,
{
    let wanted = if S::SHORT_READ_EMPTIES { buf.len() } else { 0 };
    Ok(Attempt::bytes(socket.read(buf)?, wanted))
}

fn write<S>(mut socket: &S, buf: &[u8]) -> io::Result<Attempt<usize>>
where
    for<'a> &'a S: Write,
{
    Ok(Attempt::bytes(socket.write(buf)?, buf.len()))
}

/// Implements the traits of `futures` for a type with a method `socket`, and for references to it.
macro_rules! impl_async_io {
    ($stream:ty) => {
        impl_async_io!(@read $stream);
        impl_async_io!(@read &$stream);
        impl_async_io!(@write $stream);
        impl_async_io!(@write &$stream);
    };
    (@read $stream:ty) => {
        impl futures_io::AsyncRead for $stream {
            fn poll_read(
                self: std::pin::Pin<&mut Self>,
                cx: &mut std::task::Context<'_>,
                buf: &mut [u8],
            ) -> std::task::Poll<std::io::Result<usize>> {
                self.socket().poll_read(cx, buf)
            }

            fn poll_read_vectored(
                self: std::pin::Pin<&mut Self>,
                cx: &mut std::task::Context<'_>,
                bufs: &mut [std::io::IoSliceMut<'_>],
            ) -> std::task::Poll<std::io::Result<usize>> {
                self.socket().poll_read_vectored(cx, bufs)
            }
        }
    };
    (@write $stream:ty) => {
        impl futures_io::AsyncWrite for $stream {
            fn poll_write(
                self: std::pin::Pin<&mut Self>,
                cx: &mut std::task::Context<'_>,
                buf: &[u8],
            ) -> std::task::Poll<std::io::Result<usize>> {
                self.socket().poll_write(cx, buf)
            }

            fn poll_write_vectored(
                self: std::pin::Pin<&mut Self>,
                cx: &mut std::task::Context<'_>,
                bufs: &[std::io::IoSlice<'_>],
            ) -> std::task::Poll<std::io::Result<usize>> {
                self.socket().poll_write_vectored(cx, bufs)
            }

            /// Ready: the system has all that was written.
            fn poll_flush(
                self: std::pin::Pin<&mut Self>,
                _: &mut std::task::Context<'_>,
            ) -> std::task::Poll<std::io::Result<()>> {
                std::task::Poll::Ready(Ok(()))
            }

            /// Tells the peer that nothing more comes.
            fn poll_close(
                self: std::pin::Pin<&mut Self>,
                _: &mut std::task::Context<'_>,
            ) -> std::task::Poll<std::io::Result<()>> {
                let closed = self.socket().get().shutdown(std::net::Shutdown::Write);
                // The peer may have gone, and then knows.
                std::task::Poll::Ready(match closed {
                    Err(error) if error.kind() == std::io::ErrorKind::NotConnected => Ok(()),
                    closed => closed,
                })
            }
        }
    };
}
pub(super) use impl_async_io;
