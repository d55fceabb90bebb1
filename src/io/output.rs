//! `stdout` and `stderr`: `std`'s, as writers of the `futures` crate.

#![forbid(unsafe_code)]

use std::io::{self, IoSlice, Write};
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_io::AsyncWrite;

use super::in_place;

/// The standard output of the process, the one that `println!` writes to: they share its buffer, which
/// is written at each end of a line, by `flush`, and at the end of the process.
///
/// A write blocks the goroutine's thread until the system has taken it, and another worker takes over
/// meanwhile ([`blocking`](crate::blocking())). In main it simply blocks main's thread. So a `timeout`
/// does not limit it, and a goroutine that is in a write which nobody reads when main returns is left
/// behind after [`exit_grace`](crate::Builder::exit_grace).
///
/// **Cancellation**: a write that has begun completes.
///
/// Go counterpart: `os.Stdout`, which has no buffer.
///
/// # Errors
///
/// Writes fail with [`BrokenPipe`](io::ErrorKind::BrokenPipe) if nobody reads any more.
///
/// # Examples
///
/// ```
/// use futures::AsyncWriteExt;
///
/// # fn main() -> std::io::Result<()> {
/// gorun::block_on(async {
///     let mut out = gorun::io::stdout();
///     out.write_all(b"without an end of line").await?;
///     out.flush().await
/// })
/// # }
/// ```
pub fn stdout() -> Stdout {
    Stdout(())
}

/// The standard error output of the process, the one that `eprintln!` writes to. It has no buffer.
///
/// Otherwise it is as [`stdout`].
///
/// Go counterpart: `os.Stderr`.
///
/// # Examples
///
/// ```
/// use futures::AsyncWriteExt;
///
/// # fn main() -> std::io::Result<()> {
/// gorun::block_on(async { gorun::io::stderr().write_all(b"no such file\n").await })
/// # }
/// ```
pub fn stderr() -> Stderr {
    Stderr(())
}

/// The standard output of the process, made by [`stdout`].
///
/// # Examples
///
/// See [`stdout`].
#[derive(Debug)]
pub struct Stdout(());

/// The standard error output of the process, made by [`stderr`].
///
/// # Examples
///
/// See [`stderr`].
#[derive(Debug)]
pub struct Stderr(());

macro_rules! impl_async_write {
    ($output:ty, $std:path) => {
        impl AsyncWrite for $output {
            fn poll_write(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                buf: &[u8],
            ) -> Poll<io::Result<usize>> {
                in_place::poll_io(cx, || $std().write(buf))
            }

            fn poll_write_vectored(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                bufs: &[IoSlice<'_>],
            ) -> Poll<io::Result<usize>> {
                in_place::poll_io(cx, || $std().write_vectored(bufs))
            }

            fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                in_place::poll_io(cx, || $std().flush())
            }

            /// Flushes. The output stays open, as it belongs to the process.
            fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                self.poll_flush(cx)
            }
        }
    };
}

impl_async_write!(Stdout, io::stdout);
impl_async_write!(Stderr, io::stderr);
