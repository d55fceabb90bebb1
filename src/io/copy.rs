//! `copy`: all bytes of a reader, to a writer.

#![forbid(unsafe_code)]

use std::future::poll_fn;
use std::io;
use std::pin::Pin;

use futures_io::{AsyncRead, AsyncWrite};

use super::transfer::{AtEnd, Transfer};
use crate::scheduler::at_caller::at_caller;

/// Reads from `reader` to its end, writes all of it to `writer`, and returns the number of bytes.
///
/// Both may be passed by reference, and a socket as both ends of an echo: `copy(&stream, &stream)`.
///
/// The writer is flushed at the end, and whenever the reader has nothing to read at present: so what
/// came is passed on although a buffer is not full. **The writer is not closed.** If its peer waits for
/// the end of the stream, close it after this.
///
/// Ends that are always ready do not keep others from running. The copy has a buffer of 8 KiB, on the
/// heap, as long as it lasts.
///
/// **Cancellation**: the future can be dropped at any time, but then up to 8 KiB may have been read
/// and not written. So do not go on with the same reader.
///
/// Go counterpart: `io.Copy(writer, reader)`, in the other order, and without `splice` between
/// sockets.
///
/// # Errors
///
/// The first one of either end. Of kind [`WriteZero`](io::ErrorKind::WriteZero) if the writer takes
/// nothing. Unlike in Go, how much was written before that is not known.
///
/// # Examples
///
/// ```
/// use gorun::{block_on, io};
///
/// # fn main() -> std::io::Result<()> {
/// block_on(async {
///     let mut text = Vec::new();
///     assert_eq!(io::copy(&b"hello"[..], &mut text).await?, 5);
///     assert_eq!(text, b"hello");
///     Ok(())
/// })
/// # }
/// ```
pub fn copy<R, W>(mut reader: R, mut writer: W) -> impl Future<Output = io::Result<u64>>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    at_caller(async move {
        let mut transfer = Transfer::new(AtEnd::Flush);
        poll_fn(|cx| transfer.poll(cx, Pin::new(&mut reader), Pin::new(&mut writer))).await
    })
}
