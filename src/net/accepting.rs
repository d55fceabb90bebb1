//! Accepting connections, also while the system lacks descriptors.
//!
//! If the process may open no more descriptors, a connection waits that cannot be accepted, so the next
//! attempt would fail at once: a loop over such attempts would keep a core busy. So the failure is
//! reported after a pause, of 5 ms at first, then twice as long each time, up to a second. Then also
//! a loop that knows nothing of this leaves the others alone, and goes on by itself.

#![forbid(unsafe_code)]

use std::future::{Future, poll_fn};
use std::io;
use std::net::Shutdown;
use std::pin::Pin;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_core::Stream;
use mio::event::Source;
use socket2::SockRef;

use super::socket::Socket;
use crate::scheduler::gate::Operation;
use crate::scheduler::io::registered::Attempt;
use crate::scheduler::reactor::source::{Direction, WaiterId};
use crate::time::{Sleep, sleep};

const FIRST_PAUSE: Duration = Duration::from_millis(5);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// A socket that accepts connections.
pub(super) trait Listener: Source {
    type Stream;
    type Address;

    /// `gives_options`: connections have the options that new ones should have.
    fn accept(&self, gives_options: bool) -> io::Result<(Self::Stream, Self::Address)>;
}

/// A connection, and the address of its peer.
type Accepted<L> = (<L as Listener>::Stream, <L as Listener>::Address);

/// What all that accept from a listener share.
pub(super) struct Acceptor<L: Listener> {
    pub(super) socket: Socket<L>,
    gives_options: bool,
    /// How often in a row the system has lacked something.
    failures: AtomicU32,
}

impl<L: Listener> Acceptor<L> {
    pub(super) fn new(socket: Socket<L>, gives_options: bool) -> Self {
        Acceptor { socket, gives_options, failures: AtomicU32::new(0) }
    }

    fn pause(&self) -> Duration {
        let failures = self.failures.fetch_add(1, Ordering::Relaxed);
        FIRST_PAUSE.saturating_mul(1 << failures.min(16)).min(LONGEST_PAUSE)
    }
}

/// A task that accepts connections, one or several.
struct Accepting<'a, L: Listener> {
    acceptor: &'a Acceptor<L>,
    id: Option<WaiterId>,
    /// What the system lacks, to be reported afterwards.
    pause: Option<(Sleep, io::Error)>,
}

/// Why no connection was accepted.
enum Refusal {
    /// The system lacks something: it has been a while.
    Lack(io::Error),
    Other(io::Error),
}

impl<'a, L: Listener> Accepting<'a, L> {
    fn new(acceptor: &'a Acceptor<L>) -> Self {
        Accepting { acceptor, id: None, pause: None }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<Accepted<L>, Refusal>> {
        if let Some((sleep, _)) = &mut self.pause {
            ready!(Pin::new(sleep).poll(cx));
            let (_, error) = self.pause.take().expect("it was there");
            return Poll::Ready(Err(Refusal::Lack(error)));
        }
        loop {
            let gives_options = self.acceptor.gives_options;
            let accept = |listener: &L| listener.accept(gives_options).map(Attempt::whole);
            let registered = self.acceptor.socket.registered();
            let (direction, operation) = (Direction::Read, Operation::Accept);
            let accepted = ready!(registered.poll(cx, direction, operation, &mut self.id, accept));
            match accepted {
                Ok(accepted) => {
                    self.acceptor.failures.store(0, Ordering::Relaxed);
                    return Poll::Ready(Ok(accepted));
                }
                // It was gone before it was accepted.
                Err(error) if is_of_connection(&error) => {}
                Err(error) if is_lack(&error) => {
                    let mut sleep = sleep(self.acceptor.pause());
                    let is_over = Pin::new(&mut sleep).poll(cx).is_ready();
                    let error = with_advice(error);
                    if is_over {
                        return Poll::Ready(Err(Refusal::Lack(error)));
                    }
                    self.pause = Some((sleep, error));
                    return Poll::Pending;
                }
                Err(error) => return Poll::Ready(Err(Refusal::Other(error))),
            }
        }
    }
}

impl<L: Listener> Drop for Accepting<'_, L> {
    fn drop(&mut self) {
        if let Some(id) = self.id {
            self.acceptor.socket.registered().forget(Direction::Read, id);
        }
    }
}

fn is_of_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionReset)
}

/// Descriptors of the process or of the system, or memory.
fn is_lack(error: &io::Error) -> bool {
    #[cfg(unix)]
    const DESCRIPTORS: [i32; 2] = [24, 23];
    #[cfg(not(unix))]
    const DESCRIPTORS: [i32; 2] = [10024, 10055];
    error.kind() == io::ErrorKind::OutOfMemory
        || error.raw_os_error().is_some_and(|code| DESCRIPTORS.contains(&code))
}

fn with_advice(error: io::Error) -> io::Error {
    io::Error::new(
        error.kind(),
        format!(
            "a connection waits, and the system has no descriptor for it: {error}; raise the limit \
             (`ulimit -n`), or accept fewer at the same time"
        ),
    )
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
    pub(super) fn close(&self)
    where
        for<'a> SockRef<'a>: From<&'a L>,
    {
        self.socket.registered().close();
        // Where a listener cannot be shut down, that fails.
        let _ = SockRef::from(self.socket.get()).shutdown(Shutdown::Both);
    }

    fn is_closed(&self) -> bool {
        self.socket.registered().is_closed()
    }
}
