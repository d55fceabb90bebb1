//! Bytes of an `Async`, if what is in it can be read or written.

#![forbid(unsafe_code)]

use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_io::{AsyncRead, AsyncWrite};

use super::descriptor::Async;
use crate::scheduler::reactor::source::Direction;

/// Implements the traits of `futures` by one of these.
macro_rules! impl_async_io {
    ($async:ty, $poll:ident, $this:ident => $io:expr, [$($read:tt)*], [$($write:tt)*]) => {
        impl<T> AsyncRead for $async
        where
            $($read)*
        {
            fn poll_read(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                buf: &mut [u8],
            ) -> Poll<io::Result<usize>> {
                if buf.is_empty() {
                    return Poll::Ready(Ok(0));
                }
                self.get_mut().$poll(cx, Direction::Read, |io| io.read(buf))
            }

            fn poll_read_vectored(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                bufs: &mut [IoSliceMut<'_>],
            ) -> Poll<io::Result<usize>> {
                if bufs.iter().all(|buf| buf.is_empty()) {
                    return Poll::Ready(Ok(0));
                }
                self.get_mut().$poll(cx, Direction::Read, |io| io.read_vectored(bufs))
            }
        }

        impl<T> AsyncWrite for $async
        where
            $($write)*
        {
            fn poll_write(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                buf: &[u8],
            ) -> Poll<io::Result<usize>> {
                self.get_mut().$poll(cx, Direction::Write, |io| io.write(buf))
            }

            fn poll_write_vectored(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                bufs: &[IoSlice<'_>],
            ) -> Poll<io::Result<usize>> {
                self.get_mut().$poll(cx, Direction::Write, |io| io.write_vectored(bufs))
            }

            fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                let $this = self.get_mut();
                // Mostly there is nothing to do, and then there need not be room to write.
                match $io.flush() {
                    Err(error) if is_to_be_tried_again(&error) => {
                        $this.$poll(cx, Direction::Write, |io| io.flush())
                    }
                    result => Poll::Ready(result),
                }
            }

            /// Flushes. The drop closes the descriptor.
            fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                self.poll_flush(cx)
            }
        }
    };
}

impl_async_io!(Async<T>, poll_alone, this => this.get_mut(), [T: Read], [T: Write]);
impl_async_io!(
    &Async<T>,
    poll_shared,
    this => (&mut this.get_ref()),
    [for<'a> &'a T: Read],
    [for<'a> &'a T: Write]
);

fn is_to_be_tried_again(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}
