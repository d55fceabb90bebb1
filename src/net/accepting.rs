//! Accepting connections, also while the system lacks descriptors.
//!
//! If the process may open no more descriptors, a connection waits that cannot be accepted, so the next
//! attempt would fail at once: a loop over such attempts would keep a core busy. So the failure is
//! reported after a pause, of 5 ms at first, then twice as long each time, up to a second. Then also
//! a loop that knows nothing of this leaves the others alone, and goes on by itself. A pause ends early
//! when the listener is closed, its runtime ends, or a deadline passes. It works on threads without a
//! runtime too: time is that of the listener's runtime, to which connections belong there.

#![forbid(unsafe_code)]

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_core::Stream;
use mio::event::Source;

use super::lack::is_lack;
use super::socket::Socket;
use crate::scheduler::io::pause::Pause;
use crate::scheduler::io::registered::{Attempt, Entry};
use crate::scheduler::operation::Operation;
use crate::scheduler::reactor::source::Direction;
use crate::system_error::failed_with_advice;

const FIRST_PAUSE: Duration = Duration::from_millis(5);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
#[cfg(feature = "hyper")]
const LONG: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

/// A socket that accepts connections.
pub(super) trait Listener: Source {
    type Connection: Source;
    type Stream;
    type Address;

    fn accept(&self) -> io::Result<(Self::Connection, Self::Address)>;

    fn stream(connection: Socket<Self::Connection>) -> Self::Stream;

    /// Makes a connection a socket of the listener's runtime.
    fn adopt(
        listener: &Socket<Self>,
        connection: Self::Connection,
    ) -> io::Result<Socket<Self::Connection>>
    where
        Self: Sized,
    {
        listener.accepted(connection)
    }

    /// Gives a connection the options that new ones should have.
    fn set_options(connection: &Self::Connection);

    /// Accepts no more.
    fn shut(&self);
}

/// A connection, and the address of its peer.
type Accepted<L> = (<L as Listener>::Stream, <L as Listener>::Address);

/// What all that accept from a listener share.
pub(super) struct Acceptor<L: Listener> {
    pub(super) socket: Socket<L>,
    /// Connections have the options of the listener, which has those that new ones should have.
    gives_options: bool,
    /// How often in a row the system has lacked something.
    failures: AtomicU32,
}

impl<L: Listener> Acceptor<L> {
    pub(super) fn new(socket: Socket<L>, gives_options: bool) -> Self {
        Acceptor { socket, gives_options, failures: AtomicU32::new(0) }
    }

    /// The inner result is whether the connection could be kept: otherwise it has been closed.
    fn attempt(&self, listener: &L) -> io::Result<io::Result<Accepted<L>>> {
        let (connection, peer) = listener.accept()?;
        if !self.gives_options {
            L::set_options(&connection);
        }
        let kept = L::adopt(&self.socket, connection);
        Ok(kept.map(|connection| (L::stream(connection), peer)))
    }

    /// How long the next pause is.
    fn pause(&self) -> Duration {
        let failures = self.failures.fetch_add(1, Ordering::Relaxed);
        FIRST_PAUSE.saturating_mul(1 << failures.min(16)).min(LONGEST_PAUSE)
    }
}

/// A task that accepts connections, one or several.
struct Accepting<'a, L: Listener> {
    acceptor: &'a Acceptor<L>,
    entry: Entry<'a, L>,
    /// What the system lacks, to be reported afterwards.
    pause: Option<(Pause, io::Error)>,
}

/// Why no connection was accepted.
enum Refusal {
    /// The system lacks something: it has been a while.
    Lack(io::Error),
    Other(io::Error),
}

impl<'a, L: Listener> Accepting<'a, L> {
    fn new(acceptor: &'a Acceptor<L>) -> Self {
        let entry = acceptor.socket.registered().entry(Direction::Read);
        Accepting { acceptor, entry, pause: None }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<Accepted<L>, Refusal>> {
        loop {
            if let Some((pause, _)) = &mut self.pause {
                let result = ready!(self.entry.poll_pause(cx, pause));
                let (_, error) = self.pause.take().expect("it was there");
                return Poll::Ready(Err(
                    result.map_or_else(Refusal::Other, |()| Refusal::Lack(error))
                ));
            }
            let acceptor = self.acceptor;
            let accept = |listener: &L| acceptor.attempt(listener).map(Attempt::whole);
            match ready!(self.entry.poll(cx, Operation::Accept, accept)) {
                Ok(Ok(accepted)) => {
                    self.acceptor.failures.store(0, Ordering::Relaxed);
                    return Poll::Ready(Ok(accepted));
                }
                Ok(Err(error)) if is_lack(&error) => self.begin_pause(error, CLOSED, FOR_WATCHES),
                Ok(Err(error)) => return Poll::Ready(Err(Refusal::Other(error))),
                // It was gone before it was accepted.
                Err(error) if is_of_connection(&error) => {}
                Err(error) if is_lack(&error) => self.begin_pause(error, WAITS, FOR_DESCRIPTORS),
                Err(error) if is_forbidden(&error) => {
                    self.begin_pause(error, FORBIDDEN, FOR_PERMISSION)
                }
                Err(error) => return Poll::Ready(Err(Refusal::Other(error))),
            }
        }
    }

    /// What happened is reported after the pause.
    fn begin_pause(&mut self, error: io::Error, what: &str, advice: &'static str) {
        let pause = self.entry.pause(self.acceptor.pause());
        self.pause = Some((pause, failed_with_advice(what.to_owned(), error, advice)));
    }
}

const WAITS: &str = "a connection waits, and the system has no descriptor or no memory for it";
const FOR_DESCRIPTORS: &str = "; raise the limit (`ulimit -n`), or accept fewer at the same time";

const CLOSED: &str = "a connection was accepted and closed again, since the system has no room to wait for \
                      its events";
const FOR_WATCHES: &str = "; raise that limit (on Linux `sysctl fs.epoll.max_user_watches`), or have fewer \
                           connections at the same time";

const FORBIDDEN: &str = "the system does not let this process have a connection";
const FOR_PERMISSION: &str = "; a firewall or a sandbox refuses it";

/// What has become of a connection: Linux reports that by `accept`.
#[cfg(unix)]
const CODES: [i32; 8] = [
    libc::EPROTO,
    libc::ENOPROTOOPT,
    libc::EOPNOTSUPP,
    libc::ENETDOWN,
    libc::ENETUNREACH,
    libc::EHOSTDOWN,
    libc::EHOSTUNREACH,
    #[cfg(any(target_os = "linux", target_os = "android"))]
    libc::ENONET,
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    libc::ETIMEDOUT,
];
/// `WSAENETDOWN`, `WSAENETUNREACH`, `WSAEHOSTUNREACH`
#[cfg(not(unix))]
const CODES: [i32; 3] = [10050, 10051, 10065];

fn is_of_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionReset)
        || error.raw_os_error().is_some_and(|code| CODES.contains(&code))
}

/// By a firewall, perhaps for this connection alone. Or for all: so there is a pause.
fn is_forbidden(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::PermissionDenied
}

/// The connections of a listener.
pub(super) struct Incoming<'a, L: Listener> {
    accepting: Accepting<'a, L>,
    has_reported: bool,
    /// The runtime has ended, which was said.
    is_over: bool,
}

impl<'a, L: Listener> Incoming<'a, L> {
    pub(super) fn new(acceptor: &'a Acceptor<L>) -> Self {
        Incoming { accepting: Accepting::new(acceptor), has_reported: false, is_over: false }
    }
}

impl<L: Listener> Stream for Incoming<'_, L> {
    type Item = io::Result<L::Stream>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            return Poll::Ready(match ready!(self.accepting.poll(cx)) {
                Ok((stream, _)) => Some(Ok(stream)),
                Err(Refusal::Lack(error)) => {
                    if !std::mem::replace(&mut self.has_reported, true) {
                        eprintln!("gorun: {error}");
                    }
                    continue;
                }
                Err(Refusal::Other(_)) if self.accepting.acceptor.is_closed() => None,
                Err(Refusal::Other(_)) if self.is_over => None,
                Err(Refusal::Other(error)) => {
                    self.is_over = self.accepting.acceptor.socket.registered().has_ended();
                    Some(Err(error))
                }
            });
        }
    }
}

impl<L: Listener> Acceptor<L> {
    /// Accepts one connection.
    pub(super) async fn accept(&self) -> io::Result<Accepted<L>> {
        let mut accepting = Accepting::new(self);
        let accepted = poll_fn(|cx| accepting.poll(cx)).await;
        accepted.map_err(|(Refusal::Lack(error) | Refusal::Other(error))| error)
    }

    /// Ends all operations, now and later.
    pub(super) fn close(&self) {
        self.socket.registered().close();
        self.socket.get().shut();
    }

    /// Waits until it is closed. Fails if the next `accept` would: a deadline has passed, or the runtime
    /// has ended.
    #[cfg(feature = "hyper")]
    pub(super) async fn over(&self) -> io::Result<()> {
        let mut entry = self.socket.registered().entry(Direction::Read);
        loop {
            let mut pause = entry.pause(LONG);
            match poll_fn(|cx| entry.poll_pause(cx, &mut pause)).await {
                Ok(()) => {}
                Err(_) if self.is_closed() => return Ok(()),
                Err(error) => return Err(error),
            }
        }
    }

    fn is_closed(&self) -> bool {
        self.socket.registered().is_closed()
    }
}

#[cfg(test)]
mod tests;
