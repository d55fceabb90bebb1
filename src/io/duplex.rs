//! `duplex`: two pipes, one in each direction.

#![forbid(unsafe_code)]

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_io::{AsyncRead, AsyncWrite};

use super::pipe::{PipeReader, PipeWriter, pipe};

/// Makes a connection in memory: two [`pipe`]s, one in each direction. What is written at one end is
/// read at the other.
///
/// It is for tests of code that takes any stream. As there is no buffer, it shows who waits for whom:
/// two ends that both write first wait for ever. Closing an end, by `close`, is the end of the stream
/// for the other, which can still write; dropping one closes both directions.
///
/// There are no deadlines; [`timeout`](crate::time::timeout) limits a single operation, and loses
/// nothing.
///
/// Go counterpart: `net.Pipe`.
///
/// # Examples
///
/// ```
/// use futures::{AsyncReadExt, AsyncWriteExt};
/// use gorun::{block_on, go, io};
///
/// # fn main() -> std::io::Result<()> {
/// block_on(async {
///     let (mut client, mut server) = io::duplex();
///     go!(async move {
///         let mut question = [0; 4];
///         server.read_exact(&mut question).await.unwrap();
///         assert_eq!(&question, b"ping");
///         server.write_all(b"pong").await.unwrap();
///     });
///     client.write_all(b"ping").await?;
///     let mut answer = String::new();
///     client.read_to_string(&mut answer).await?;
///     assert_eq!(answer, "pong");
///     Ok(())
/// })
/// # }
/// ```
pub fn duplex() -> (DuplexStream, DuplexStream) {
    let (here, to_here) = pipe();
    let (there, to_there) = pipe();
    (
        DuplexStream { reader: here, writer: to_there },
        DuplexStream { reader: there, writer: to_here },
    )
}

/// An end of a connection in memory, made by [`duplex`].
///
/// **Cancellation**: as for the ends of a [`pipe`]: operations that are dropped lose nothing.
///
/// # Examples
///
/// See [`duplex`].
#[derive(Debug)]
pub struct DuplexStream {
    reader: PipeReader,
    writer: PipeWriter,
}

impl DuplexStream {
    /// The two directions, for a goroutine that reads and one that writes.
    ///
    /// # Examples
    ///
    /// ```
    /// use gorun::{block_on, go, io};
    ///
    /// block_on(async {
    ///     let (a, b) = io::duplex();
    ///     let (reads, writes) = a.into_split();
    ///     go!(async move { io::copy(&b"hello"[..], writes).await.unwrap() });
    ///     let mut text = Vec::new();
    ///     let (from_a, to_a) = b.into_split();
    ///     io::copy(from_a, &mut text).await.unwrap();
    ///     assert_eq!(text, b"hello");
    ///     # drop((reads, to_a));
    /// });
    /// ```
    pub fn into_split(self) -> (PipeReader, PipeWriter) {
        (self.reader, self.writer)
    }
}

impl AsyncRead for DuplexStream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().reader).poll_read(cx, buf)
    }
}

impl AsyncWrite for DuplexStream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().writer).poll_write(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().writer).poll_flush(cx)
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().writer).poll_close(cx)
    }
}
