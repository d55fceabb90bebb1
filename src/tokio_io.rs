//! `tokio`'s traits for I/O, by those of the `futures` crate. (Feature `tokio-io`.)
//!
//! They are there for all types that have the latter, by value and by shared reference alike. None of them
//! needs a tokio runtime.

#![forbid(unsafe_code)]

use std::io::{self, IoSlice, SeekFrom};
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_io::{AsyncBufRead, AsyncRead, AsyncSeek, AsyncWrite};
use tokio::io::{
    AsyncBufRead as TokioBufRead, AsyncRead as TokioRead, AsyncSeek as TokioSeek,
    AsyncWrite as TokioWrite, ReadBuf,
};

use crate::fs::File;
#[cfg(all(unix, feature = "net"))]
use crate::io::Async;
use crate::io::thread_buffer::read_through;
use crate::io::{DuplexStream, PipeReader, PipeWriter, Stderr, Stdin, Stdout};
#[cfg(all(unix, feature = "net"))]
use crate::net::UnixStream;
#[cfg(feature = "net")]
use crate::net::{ReadHalf, TcpStream, WriteHalf};
#[cfg(feature = "process")]
use crate::process::{ChildStderr, ChildStdin, ChildStdout};

fn read_with(
    buf: &mut ReadBuf<'_>,
    read: impl FnOnce(&mut [u8]) -> Poll<io::Result<usize>>,
) -> Poll<io::Result<()>> {
    if buf.initialized().len() < buf.capacity() {
        return read_through(buf.remaining(), read, |bytes| buf.put_slice(bytes));
    }
    read(buf.initialize_unfilled()).map_ok(|count| buf.advance(count))
}

/// For one type, or for all those of some parameters that have the trait of `futures`.
macro_rules! impl_tokio {
    ($trait:ident, <$($parameter:tt),*> $type:ty) => {
        impl_tokio!(@$trait [<$($parameter),*>] $type [where $type: $trait]);
    };
    ($trait:ident, $type:ty) => {
        impl_tokio!(@$trait [] $type []);
    };
    (@AsyncRead [$($generics:tt)*] $type:ty [$($bound:tt)*]) => {
        impl $($generics)* TokioRead for $type $($bound)* {
            fn poll_read(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                buf: &mut ReadBuf<'_>,
            ) -> Poll<io::Result<()>> {
                read_with(buf, |buf| AsyncRead::poll_read(self, cx, buf))
            }
        }
    };
    (@AsyncWrite [$($generics:tt)*] $type:ty [$($bound:tt)*]) => {
        impl $($generics)* TokioWrite for $type $($bound)* {
            fn poll_write(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                buf: &[u8],
            ) -> Poll<io::Result<usize>> {
                AsyncWrite::poll_write(self, cx, buf)
            }

            fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                AsyncWrite::poll_flush(self, cx)
            }

            /// As `poll_close` of `futures`.
            fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                AsyncWrite::poll_close(self, cx)
            }

            fn poll_write_vectored(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                bufs: &[IoSlice<'_>],
            ) -> Poll<io::Result<usize>> {
                AsyncWrite::poll_write_vectored(self, cx, bufs)
            }

            /// Most do it with one system call. A pipe takes the first buffer.
            fn is_write_vectored(&self) -> bool {
                true
            }
        }
    };
    (@AsyncBufRead [$($generics:tt)*] $type:ty [$($bound:tt)*]) => {
        impl $($generics)* TokioBufRead for $type $($bound)* {
            fn poll_fill_buf(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
                AsyncBufRead::poll_fill_buf(self, cx)
            }

            fn consume(self: Pin<&mut Self>, count: usize) {
                AsyncBufRead::consume(self, count)
            }
        }
    };
    (@AsyncSeek [$($generics:tt)*] $type:ty [$($bound:tt)*]) => {
        impl $($generics)* TokioSeek for $type $($bound)* {
            /// Seeks here and now: there is nothing to wait for.
            fn start_seek(self: Pin<&mut Self>, position: SeekFrom) -> io::Result<()> {
                self.seek_now(position).map(drop)
            }

            fn poll_complete(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<u64>> {
                AsyncSeek::poll_seek(self, cx, SeekFrom::Current(0))
            }
        }
    };
}

macro_rules! impl_each {
    ($($trait:ident for $($type:ty),*;)*) => {
        $($(impl_tokio!($trait, $type);)*)*
    };
}

impl_each! {
    AsyncRead for File, &File, DuplexStream, PipeReader, Stdin;
    AsyncWrite for File, &File, DuplexStream, PipeWriter, Stdout, Stderr;
    AsyncSeek for File, &File;
    AsyncBufRead for Stdin;
}

#[cfg(feature = "net")]
impl_each! {
    AsyncRead for TcpStream, &TcpStream, ReadHalf, &ReadHalf;
    AsyncWrite for TcpStream, &TcpStream, WriteHalf, &WriteHalf;
}

#[cfg(all(unix, feature = "net"))]
impl_each! {
    AsyncRead for UnixStream, &UnixStream;
    AsyncWrite for UnixStream, &UnixStream;
}

/// By what a user's `read` does. If that says that it has read more than it has, this is not what others have
/// received.
#[cfg(all(unix, feature = "net"))]
fn read_cleared(
    buf: &mut ReadBuf<'_>,
    read: impl FnOnce(&mut [u8]) -> Poll<io::Result<usize>>,
) -> Poll<io::Result<()>> {
    read(buf.initialize_unfilled()).map_ok(|count| buf.advance(count))
}

#[cfg(all(unix, feature = "net"))]
impl<T> TokioRead for Async<T>
where
    Async<T>: AsyncRead,
{
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        read_cleared(buf, |buf| AsyncRead::poll_read(self, cx, buf))
    }
}

#[cfg(all(unix, feature = "net"))]
impl<'a, T> TokioRead for &'a Async<T>
where
    &'a Async<T>: AsyncRead,
{
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        read_cleared(buf, |buf| AsyncRead::poll_read(self, cx, buf))
    }
}

#[cfg(all(unix, feature = "net"))]
impl_tokio!(AsyncWrite, <T> Async<T>);
#[cfg(all(unix, feature = "net"))]
impl_tokio!(AsyncWrite, <'a, T> &'a Async<T>);

#[cfg(feature = "process")]
impl_each! {
    AsyncRead for ChildStdout, ChildStderr;
    AsyncWrite for ChildStdin;
}
