//! `Async`: any descriptor of the system, as a source of events.
//!
//! `AsFd` is a safe trait, so a type may name another descriptor each time. We ask when we register it, and register and
//! deregister that number, whatever becomes of it: otherwise a registration would stay behind. All that we
//! do with the number is to register it. So a type that lies, or that closes its descriptor, may miss
//! events, or take those of whoever has the number next; no memory is at stake.

// Here and not in `net`: a pipe, a terminal or a watch of files is no network, and `tokio`'s counterpart is
// in its `io`, too.
// Rejected: clones that share it, as sockets do. A socket has a second descriptor to give to `into_std`; a
// `T` may have none. An `Arc` does the same, for those who need it.

#![forbid(unsafe_code)]

use std::fmt;
use std::future::Future;
use std::future::poll_fn;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::task::{Context, Poll};

use mio::event::Source;
use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};
use socket2::SockRef;

use crate::scheduler::at_caller::at_caller;
use crate::scheduler::io::ready::Untold;
use crate::scheduler::io::registered::{Attempt, Registered};
use crate::scheduler::operation::Operation;
use crate::scheduler::reactor::source::{Direction, WaiterId};
use crate::system_error::failed_with_advice;

/// Anything with a descriptor that the system reports events of: pipes, terminals, serial lines, inotify,
/// sockets of kinds that [`net`](crate::net) does not have. (On Unix, with the feature `net`.)
///
/// [`read_with`](Self::read_with) and [`write_with`](Self::write_with) call a function until it does not
/// fail with [`WouldBlock`](io::ErrorKind::WouldBlock), and suspend the goroutine in between. If `T` is
/// [`Read`](io::Read) or [`Write`](io::Write), an `Async<T>` is [`AsyncRead`](futures_io::AsyncRead) or
/// [`AsyncWrite`](futures_io::AsyncWrite), and if `&T` is, a shared
/// reference to it is, too. Any number of tasks may wait, in both directions. They share it by reference,
/// or in an [`Arc`](std::sync::Arc).
///
/// It belongs to the runtime in which it was made, as a socket does: when that has ended, each operation
/// fails with an error that says so, and [`into_inner`](Self::into_inner) still works.
///
/// The descriptor is asked for by [`new`](Self::new) alone. `T` should keep it open, and keep to it. If it does not,
/// operations may wait for ever, also those of a socket that gets the same number later.
///
/// **Files and directories** have no events: use [`fs`](crate::fs).
///
/// **What others have open, too,** for example a terminal, does not block for any of them any more: they
/// may fail with `WouldBlock`. Open it anew, by `/dev/tty` for one, so as not to disturb them; the standard
/// streams of the process are [`stdin`](super::stdin) and [`stdout`](super::stdout).
///
/// **Cancellation**: an operation that is dropped before it is ready has done nothing.
///
/// Go counterpart: `os.NewFile` with a descriptor that does not block; [`read_with`](Self::read_with) is
/// `syscall.RawConn`'s `Read`.
///
/// # Examples
///
/// A pipe of the system:
///
/// ```
/// use futures::{AsyncReadExt, AsyncWriteExt};
/// use gorun::io::Async;
/// use gorun::{block_on, go};
///
/// # fn main() -> std::io::Result<()> {
/// block_on(async {
///     let (reader, writer) = std::io::pipe()?;
///     let (mut reader, mut writer) = (Async::new(reader)?, Async::new(writer)?);
///     go!(async move { writer.write_all(b"hello").await.unwrap() });
///     let mut text = String::new();
///     reader.read_to_string(&mut text).await?;
///     assert_eq!(text, "hello");
///     Ok(())
/// })
/// # }
/// ```
pub struct Async<T> {
    registered: Registered<Descriptor<T>>,
    untold: Untold,
}

/// Nothing in it is pinned.
impl<T> Unpin for Async<T> {}

struct Descriptor<T> {
    inner: T,
    /// As it was at first.
    number: RawFd,
}

impl<T> Source for Descriptor<T> {
    fn register(&mut self, registry: &Registry, key: Token, interests: Interest) -> io::Result<()> {
        SourceFd(&self.number).register(registry, key, interests)
    }

    fn reregister(
        &mut self,
        registry: &Registry,
        key: Token,
        interests: Interest,
    ) -> io::Result<()> {
        SourceFd(&self.number).reregister(registry, key, interests)
    }

    fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
        SourceFd(&self.number).deregister(registry)
    }
}

impl<T: AsFd> Async<T> {
    /// Takes this for the calling code's runtime. Its descriptor does not block any more.
    ///
    /// # Errors
    ///
    /// Outside of a runtime; if the system reports no events of such a descriptor, for example a file's; if
    /// it belongs to an `Async` already. Then `io` is dropped.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::fs::File;
    /// use gorun::io::Async;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// gorun::block_on(async {
    ///     let (reader, _writer) = std::io::pipe()?;
    ///     assert!(Async::new(&reader).is_ok());
    /// #   #[cfg(target_os = "linux")] {
    ///     let refused = Async::new(File::open("Cargo.toml")?).unwrap_err();
    ///     assert!(refused.to_string().ends_with("for a file or a directory, use `gorun::fs`"));
    /// #   }
    ///     Ok(())
    /// })
    /// # }
    /// ```
    pub fn new(io: T) -> io::Result<Async<T>> {
        let number = io.as_fd().as_raw_fd();
        let registered = Registered::new(Descriptor { inner: io, number }).map_err(refused)?;
        // `fcntl`, which is the same for all descriptors. Only now: others may have the same one.
        SockRef::from(&registered.get().inner).set_nonblocking(true)?;
        Ok(Async { registered, untold: Untold::default() })
    }
}

/// Says what is wrong with a descriptor.
fn refused(error: io::Error) -> io::Error {
    let (what, advice) = match error.raw_os_error() {
        Some(libc::EPERM) => (
            "the system reports no events of this descriptor",
            "; for a file or a directory, use `gorun::fs`",
        ),
        Some(libc::EEXIST) => (
            "this descriptor belongs to an `Async`, or a socket, already",
            "; share that one, or take a duplicate of the descriptor",
        ),
        _ => return error,
    };
    failed_with_advice(what.to_owned(), error, advice)
}

impl<T> Async<T> {
    /// Waits until it can be read, as far as the system knows: there is something, or the end, or an
    /// error. It may be wrong, as somebody else may have been faster.
    ///
    /// This is for code that reads by itself, of [`get_ref`](Self::get_ref), and does not say when it has
    /// found nothing. Each wait takes a system call more than [`read_with`](Self::read_with).
    ///
    /// # Errors
    ///
    /// If the runtime has ended.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::io::{Read, Write};
    /// use gorun::io::Async;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// gorun::block_on(async {
    ///     let (reader, mut writer) = std::io::pipe()?;
    ///     let reader = Async::new(reader)?;
    ///     writer.write_all(b"hello")?;
    ///     reader.readable().await?;
    ///     let mut buf = [0; 64];
    ///     assert_eq!(reader.get_ref().read(&mut buf)?, 5);
    ///     Ok(())
    /// })
    /// # }
    /// ```
    pub fn readable(&self) -> impl Future<Output = io::Result<()>> {
        at_caller(self.ready(Direction::Read))
    }

    /// Waits until it can be written, as far as the system knows. Otherwise it is as
    /// [`readable`](Self::readable).
    ///
    /// # Errors
    ///
    /// If the runtime has ended.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::io::Write;
    /// use gorun::io::Async;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// gorun::block_on(async {
    ///     let (_reader, writer) = std::io::pipe()?;
    ///     let writer = Async::new(writer)?;
    ///     writer.writable().await?;
    ///     assert_eq!(writer.get_ref().write(b"hello")?, 5);
    ///     Ok(())
    /// })
    /// # }
    /// ```
    pub fn writable(&self) -> impl Future<Output = io::Result<()>> {
        at_caller(self.ready(Direction::Write))
    }

    async fn ready(&self, direction: Direction) -> io::Result<()> {
        let mut entry = self.registered.entry(direction);
        let mut name = SourceFd(&self.registered.get().number);
        let operation = operation(direction);
        poll_fn(|cx| entry.poll_ready(cx, operation, &self.untold, &mut name)).await
    }

    /// Calls `read` when there may be something to read, until it does not fail with
    /// [`WouldBlock`](io::ErrorKind::WouldBlock) (or `Interrupted`). It is called at once at first.
    ///
    /// Let it fail so only if the system has said so: otherwise nothing may happen that would call it again.
    ///
    /// Go counterpart: `RawConn.Read`.
    ///
    /// # Errors
    ///
    /// Those of `read`, and if the runtime has ended.
    ///
    /// # Examples
    ///
    /// ```
    /// use gorun::io::Async;
    /// use std::os::unix::net::UnixDatagram;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// gorun::block_on(async {
    ///     let (sender, receiver) = UnixDatagram::pair()?;
    ///     let receiver = Async::new(receiver)?;
    ///     gorun::go!(async move { sender.send(b"hello").unwrap(); });
    ///     let mut buf = [0; 64];
    ///     let (length, _) = receiver.read_with(|socket| socket.recv_from(&mut buf)).await?;
    ///     assert_eq!(&buf[..length], b"hello");
    ///     Ok(())
    /// })
    /// # }
    /// ```
    pub fn read_with<R>(
        &self,
        mut read: impl FnMut(&T) -> io::Result<R>,
    ) -> impl Future<Output = io::Result<R>> {
        at_caller(async move {
            let attempt = |io: &Descriptor<T>| read(&io.inner).map(Attempt::whole);
            self.registered.wait_for(Direction::Read, Operation::Read, attempt).await
        })
    }

    /// The same for `write`, when there may be room to write.
    ///
    /// Go counterpart: `RawConn.Write`.
    ///
    /// # Errors
    ///
    /// Those of `write`, and if the runtime has ended.
    ///
    /// # Examples
    ///
    /// ```
    /// use gorun::io::Async;
    /// use std::os::unix::net::UnixDatagram;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// gorun::block_on(async {
    ///     let (sender, receiver) = UnixDatagram::pair()?;
    ///     let sender = Async::new(sender)?;
    ///     assert_eq!(sender.write_with(|socket| socket.send(b"hello")).await?, 5);
    ///     assert_eq!(receiver.recv(&mut [0; 64])?, 5);
    ///     Ok(())
    /// })
    /// # }
    /// ```
    pub fn write_with<R>(
        &self,
        mut write: impl FnMut(&T) -> io::Result<R>,
    ) -> impl Future<Output = io::Result<R>> {
        at_caller(async move {
            let attempt = |io: &Descriptor<T>| write(&io.inner).map(Attempt::whole);
            self.registered.wait_for(Direction::Write, Operation::Write, attempt).await
        })
    }

    /// What it was made of.
    ///
    /// # Examples
    ///
    /// See [`readable`](Self::readable).
    pub fn get_ref(&self) -> &T {
        &self.registered.get().inner
    }

    /// What it was made of, for what takes `&mut self`. Leave its descriptor in it: otherwise whoever gets its
    /// number next may lose its events, a socket for example, and wait for ever.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::io::{Read, Write};
    /// use gorun::io::Async;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// gorun::block_on(async {
    ///     let (reader, mut writer) = std::io::pipe()?;
    ///     let mut reader = Async::new(reader)?;
    ///     writer.write_all(b"hello")?;
    ///     reader.readable().await?;
    ///     assert_eq!(reader.get_mut().read(&mut [0; 64])?, 5);
    ///     Ok(())
    /// })
    /// # }
    /// ```
    pub fn get_mut(&mut self) -> &mut T {
        &mut self.registered.get_mut().inner
    }

    /// What it was made of, which still does not block. This also works when the runtime has ended.
    ///
    /// # Examples
    ///
    /// ```
    /// use gorun::io::Async;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// let (reader, writer) = std::io::pipe()?;
    /// let reader = gorun::block_on(async { Async::new(reader) })?.into_inner();
    /// drop(writer);
    /// assert_eq!(std::io::read_to_string(reader)?, "");
    /// # Ok(())
    /// # }
    /// ```
    pub fn into_inner(self) -> T {
        self.registered.into_inner().inner
    }
}

// A short read or write says nothing of what is left: a terminal gives a line at a time. So each attempt
// counts as whole.
impl<T> Async<T> {
    pub(super) fn poll_alone<R>(
        &mut self,
        cx: &mut Context<'_>,
        direction: Direction,
        mut attempt: impl FnMut(&mut T) -> io::Result<R>,
    ) -> Poll<io::Result<R>> {
        let attempt = |io: &mut Descriptor<T>| attempt(&mut io.inner).map(Attempt::whole);
        let id = &mut Some(WaiterId::POLLED);
        self.registered.poll_mut(cx, direction, operation(direction), id, attempt)
    }

    pub(super) fn poll_shared<R>(
        &self,
        cx: &mut Context<'_>,
        direction: Direction,
        mut attempt: impl FnMut(&mut &T) -> io::Result<R>,
    ) -> Poll<io::Result<R>> {
        let attempt = |io: &Descriptor<T>| attempt(&mut &io.inner).map(Attempt::whole);
        let id = &mut Some(WaiterId::POLLED);
        self.registered.poll(cx, direction, operation(direction), id, attempt)
    }
}

fn operation(direction: Direction) -> Operation {
    match direction {
        Direction::Read => Operation::Read,
        Direction::Write => Operation::Write,
    }
}

impl<T: AsFd> AsFd for Async<T> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.get_ref().as_fd()
    }
}

impl<T: fmt::Debug> fmt::Debug for Async<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Async").field(self.get_ref()).finish()
    }
}
