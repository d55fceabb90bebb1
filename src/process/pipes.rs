//! The ends of pipes to a child.

#![forbid(unsafe_code)]

use std::fmt;
use std::io;
use std::pin::Pin;
use std::process::{self, Stdio};
use std::task::{Context, Poll};

use futures_io::{AsyncRead, AsyncWrite};

#[cfg(unix)]
use super::unix::{Reads, Writes};
#[cfg(windows)]
use super::windows::{Reads, Writes};

/// The standard input of a child: a pipe that is written here. Dropping it, or `close`, is the end of
/// its input.
///
/// **Cancellation**: a write that is dropped before it is done has written nothing. (`write_all` may
/// have written a part.) On Windows a write blocks the thread where it is polled: a `timeout` does not
/// cut it short.
///
/// Go counterpart: `Cmd.StdinPipe`.
///
/// # Errors
///
/// Writes fail with [`BrokenPipe`](io::ErrorKind::BrokenPipe) if nobody has the pipe open for reading any
/// more, and after `close`.
///
/// # Examples
///
/// See [`Child`](super::Child).
pub struct ChildStdin {
    /// `None`: closed.
    pipe: Option<Writes<process::ChildStdin>>,
}

impl ChildStdin {
    pub(super) fn new(stdin: process::ChildStdin) -> io::Result<Self> {
        Ok(ChildStdin { pipe: Some(Writes::new(stdin)?) })
    }
}

impl AsyncWrite for ChildStdin {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        match &mut self.get_mut().pipe {
            Some(pipe) => pipe.poll_write(cx, buf),
            None => {
                let text = "this end of a pipe to a child has been closed";
                Poll::Ready(Err(io::Error::new(io::ErrorKind::BrokenPipe, text)))
            }
        }
    }

    /// Ready: the system has all that was written.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    /// The end of the child's input.
    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().pipe = None;
        Poll::Ready(Ok(()))
    }
}

impl fmt::Debug for ChildStdin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChildStdin").finish_non_exhaustive()
    }
}

/// The standard output of a child: a pipe that is read here. Its end comes when nobody has it open for
/// writing any more, neither the child nor children of its own.
///
/// **Cancellation**: a read that is dropped loses nothing. On Windows a read blocks the thread where it
/// is polled: a `timeout` does not cut it short.
///
/// Go counterpart: `Cmd.StdoutPipe`.
///
/// # Examples
///
/// See [`Child`](super::Child).
pub struct ChildStdout {
    pipe: Reads<process::ChildStdout>,
}

/// The standard error output of a child. Otherwise it is as [`ChildStdout`].
///
/// Go counterpart: `Cmd.StderrPipe`.
///
/// # Examples
///
/// See [`Child`](super::Child).
pub struct ChildStderr {
    pipe: Reads<process::ChildStderr>,
}

macro_rules! impl_reads {
    ($name:ident) => {
        impl $name {
            pub(super) fn new(pipe: process::$name) -> io::Result<Self> {
                Ok($name { pipe: Reads::new(pipe)? })
            }

            pub(super) fn into_reads(self) -> Reads<process::$name> {
                self.pipe
            }

            /// The standard input of another process.
            ///
            /// Go counterpart: none; there `os.Pipe` makes both ends, one for each `Cmd`.
            ///
            /// # Errors
            ///
            /// Those of the system.
            ///
            /// # Examples
            ///
            /// `echo hello | tr a-z A-Z`:
            ///
            /// ```
            /// # #[cfg(unix)]
            /// # fn main() -> std::io::Result<()> {
            /// use gorun::process::{Command, Stdio};
            ///
            /// gorun::block_on(async {
            ///     let mut echo = Command::new("echo").arg("hello").stdout(Stdio::piped()).spawn()?;
            ///     let hello = echo.stdout.take().unwrap().into_stdio()?;
            ///     let output = Command::new("tr").args(["a-z", "A-Z"]).stdin(hello).output().await?;
            ///     assert_eq!(output.stdout, b"HELLO\n");
            ///     echo.wait().await?;
            ///     Ok(())
            /// })
            /// # }
            /// # #[cfg(not(unix))]
            /// # fn main() {}
            /// ```
            pub fn into_stdio(self) -> io::Result<Stdio> {
                self.pipe.into_stdio()
            }
        }

        impl AsyncRead for $name {
            fn poll_read(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                buf: &mut [u8],
            ) -> Poll<io::Result<usize>> {
                Pin::new(&mut self.get_mut().pipe).poll_read(cx, buf)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($name)).finish_non_exhaustive()
            }
        }
    };
}

impl_reads!(ChildStdout);
impl_reads!(ChildStderr);
