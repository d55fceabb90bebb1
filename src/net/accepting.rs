//! Accepting connections, also while the system lacks descriptors.
//!
//! If the process may open no more descriptors, a connection waits that cannot be accepted, so the next
//! attempt would fail at once: a loop over such attempts would keep a core busy. So the failure is
//! reported after a pause, of 5 ms at first, then twice as long each time, up to a second. Then also
//! a loop that knows nothing of this leaves the others alone, and goes on by itself.

#![forbid(unsafe_code)]

use std::fmt;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_core::Stream;
use mio::net::TcpListener as Listener;

use super::socket::Socket;
use super::tcp_stream::TcpStream;
use crate::scheduler::gate::Operation;
use crate::scheduler::io::registered::Attempt;
use crate::scheduler::reactor::source::{Direction, WaiterId};
use crate::time::{Sleep, sleep};

const FIRST_PAUSE: Duration = Duration::from_millis(5);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// What all that accept from a listener share.
pub(super) struct Acceptor {
    pub(super) socket: Socket<Listener>,
    /// Connections have the options that new ones should have.
    pub(super) gives_options: bool,
    /// How often in a row the system has lacked something.
    failures: AtomicU32,
}

impl Acceptor {
    pub(super) fn new(socket: Socket<Listener>, gives_options: bool) -> Self {
        Acceptor { socket, gives_options, failures: AtomicU32::new(0) }
    }

    fn pause(&self) -> Duration {
        let failures = self.failures.fetch_add(1, Ordering::Relaxed);
        FIRST_PAUSE.saturating_mul(1 << failures.min(16)).min(LONGEST_PAUSE)
    }
}

/// A task that accepts connections, one or several.
pub(super) struct Accepting<'a> {
    acceptor: &'a Acceptor,
    id: Option<WaiterId>,
    /// What the system lacks, to be reported afterwards.
    pause: Option<(Sleep, io::Error)>,
}

/// Why no connection was accepted.
pub(super) enum Refusal {
    /// The system lacks something: it has been a while.
    Lack(io::Error),
    Other(io::Error),
}

impl<'a> Accepting<'a> {
    pub(super) fn new(acceptor: &'a Acceptor) -> Self {
        Accepting { acceptor, id: None, pause: None }
    }

    pub(super) fn poll(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(TcpStream, SocketAddr), Refusal>> {
        if let Some((sleep, _)) = &mut self.pause {
            ready!(Pin::new(sleep).poll(cx));
            let (_, error) = self.pause.take().expect("it was there");
            return Poll::Ready(Err(Refusal::Lack(error)));
        }
        loop {
            let accept = |listener: &Listener| listener.accept().map(Attempt::whole);
            let registered = self.acceptor.socket.registered();
            let (direction, operation) = (Direction::Read, Operation::Accept);
            let accepted = ready!(registered.poll(cx, direction, operation, &mut self.id, accept));
            let accepted = accepted.and_then(|(stream, peer)| {
                Ok((TcpStream::accepted(stream, self.acceptor.gives_options)?, peer))
            });
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

impl Drop for Accepting<'_> {
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

/// The connections of a listener, made by [`incoming`](super::TcpListener::incoming).
///
/// # Examples
///
/// See [`incoming`](super::TcpListener::incoming).
#[must_use = "streams do nothing unless polled"]
pub struct Incoming<'a> {
    accepting: Accepting<'a>,
    has_reported: bool,
}

impl<'a> Incoming<'a> {
    pub(super) fn new(acceptor: &'a Acceptor) -> Self {
        Incoming { accepting: Accepting::new(acceptor), has_reported: false }
    }
}

impl Stream for Incoming<'_> {
    type Item = io::Result<TcpStream>;

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
                Err(Refusal::Other(error)) => Some(Err(error)),
            });
        }
    }
}

impl Acceptor {
    fn is_closed(&self) -> bool {
        self.socket.registered().is_closed()
    }
}

impl fmt::Debug for Incoming<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Incoming").field(self.accepting.acceptor.socket.get()).finish()
    }
}
