//! `copy_bidirectional`: what a proxy does.

#![forbid(unsafe_code)]

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Poll, ready};

use futures_io::{AsyncRead, AsyncWrite};

use super::transfer::{AtEnd, Transfer};
use crate::scheduler::at_caller::at_caller;

/// Copies from `a` to `b` and from `b` to `a`, until both have come to their end. Returns the numbers
/// of bytes, in this order.
///
/// When one end has nothing more to read, the other is *closed for writing*, and flushed by that:
/// its peer learns of the end, and may still send. (For a [`TcpStream`](crate::net::TcpStream) this
/// is `close_write`.) Each direction has a buffer of 8 KiB.
///
/// **Cancellation**: the future can be dropped at any time, but then up to 8 KiB of each direction
/// may have been read and not written. So do not go on with the same connections.
///
/// Go counterpart: two goroutines, each with `io.Copy` and `CloseWrite`.
///
/// # Errors
///
/// The first one of either direction; the other is given up. Of kind
/// [`WriteZero`](io::ErrorKind::WriteZero) if an end takes nothing.
///
/// # Examples
///
/// ```
/// use futures::{AsyncReadExt, AsyncWriteExt};
/// use gorun::{block_on, go, io};
///
/// # fn main() -> std::io::Result<()> {
/// block_on(async {
///     let (mut client, at_proxy) = io::duplex();
///     let (at_proxy_too, server) = io::duplex();
///     go!(async move {
///         // The server: an echo.
///         let (reader, mut writer) = server.into_split();
///         io::copy(reader, &mut writer).await.unwrap();
///     });
///     go!(async move {
///         let counts = io::copy_bidirectional(at_proxy, at_proxy_too).await.unwrap();
///         assert_eq!(counts, (5, 5));
///     });
///     client.write_all(b"hello").await?;
///     client.close().await?;
///     let mut answer = String::new();
///     client.read_to_string(&mut answer).await?;
///     assert_eq!(answer, "hello");
///     Ok(())
/// })
/// # }
/// ```
pub fn copy_bidirectional<A, B>(mut a: A, mut b: B) -> impl Future<Output = io::Result<(u64, u64)>>
where
    A: AsyncRead + AsyncWrite + Unpin,
    B: AsyncRead + AsyncWrite + Unpin,
{
    at_caller(async move {
        let mut forth = Transfer::new(AtEnd::Close);
        let mut back = Transfer::new(AtEnd::Close);
        poll_fn(|cx| {
            let forth = forth.poll(cx, Pin::new(&mut a), Pin::new(&mut b))?;
            let back = back.poll(cx, Pin::new(&mut b), Pin::new(&mut a))?;
            Poll::Ready(Ok((ready!(forth), ready!(back))))
        })
        .await
    })
}
