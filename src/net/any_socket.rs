//! A socket of the system, or of a simulated network.

#![forbid(unsafe_code)]

use std::fmt;
use std::io;
use std::sync::{Arc, OnceLock};

use mio::event::Source;
use mio::{Interest, Registry, Token};
use socket2::{Domain, Type};

use crate::scheduler::io::surroundings;
use crate::scheduler::reactor::source;
use crate::scheduler::simulation::network::core::Network;

#[cfg(unix)]
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
#[cfg(windows)]
use std::os::windows::io::{AsRawSocket, AsSocket, BorrowedSocket, OwnedSocket, RawSocket};

/// A socket of the system for which a simulated network has another.
pub(super) trait Simulable: Source + fmt::Debug + Sized {
    type Simulated: Simulated;

    /// One that nobody uses.
    fn stand_in() -> io::Result<Self>;

    /// Its options say that what the peer does not have yet is lost when it is closed.
    fn discards_when_closed(&self) -> bool {
        false
    }
}

pub(super) trait Simulated {
    fn source(&self) -> &Arc<source::Source>;

    /// Closes it. What the peer does not have yet is lost.
    fn discard(&self) {}
}

pub(super) enum AnySocket<S: Simulable> {
    System(S),
    Simulated(Box<InSimulation<S>>),
}

pub(super) struct InSimulation<S: Simulable> {
    pub(super) socket: S::Simulated,
    /// Has options and a descriptor, for code that asks for them.
    stand_in: OnceLock<S>,
}

impl<S: Simulable> Drop for InSimulation<S> {
    fn drop(&mut self) {
        if self.stand_in.get().is_some_and(S::discards_when_closed) {
            self.socket.discard();
        }
    }
}

impl<S: Simulable> AnySocket<S> {
    pub(super) fn simulated(socket: S::Simulated) -> Self {
        AnySocket::Simulated(Box::new(InSimulation { socket, stand_in: OnceLock::new() }))
    }

    /// The socket that has the options.
    pub(super) fn system(&self) -> io::Result<&S> {
        match self {
            AnySocket::System(socket) => Ok(socket),
            AnySocket::Simulated(simulated) => {
                if let Some(stand_in) = simulated.stand_in.get() {
                    return Ok(stand_in);
                }
                let made = S::stand_in()?;
                Ok(simulated.stand_in.get_or_init(|| made))
            }
        }
    }

    /// For what a simulation cannot do.
    pub(super) fn must_be_systems(&self, what: &str) -> io::Result<&S> {
        match self {
            AnySocket::System(socket) => Ok(socket),
            AnySocket::Simulated(_) => Err(io::Error::new(
                io::ErrorKind::Unsupported,
                format!("a socket of a simulated network has no `{what}`"),
            )),
        }
    }

    #[cfg(any(unix, windows))]
    fn descriptor(&self) -> &S {
        match self.system() {
            Ok(socket) => socket,
            Err(error) => {
                panic!(
                    "a simulated socket gets a descriptor when it is asked for, and that failed: {error}"
                )
            }
        }
    }
}

/// A socket of the system that is neither bound nor connected.
pub(super) fn unused_socket(kind: Type) -> io::Result<socket2::Socket> {
    let socket = socket2::Socket::new(Domain::IPV4, kind, None)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// The network of the simulation that the calling code runs in.
pub(super) fn simulated_network() -> io::Result<Option<Arc<Network>>> {
    Network::of(&surroundings::surrounding()?)
}

/// Only the system's are registered.
impl<S: Simulable> Source for AnySocket<S> {
    fn register(&mut self, registry: &Registry, key: Token, interests: Interest) -> io::Result<()> {
        match self {
            AnySocket::System(socket) => socket.register(registry, key, interests),
            AnySocket::Simulated(_) => Ok(()),
        }
    }

    fn reregister(
        &mut self,
        registry: &Registry,
        key: Token,
        interests: Interest,
    ) -> io::Result<()> {
        match self {
            AnySocket::System(socket) => socket.reregister(registry, key, interests),
            AnySocket::Simulated(_) => Ok(()),
        }
    }

    fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
        match self {
            AnySocket::System(socket) => socket.deregister(registry),
            AnySocket::Simulated(_) => Ok(()),
        }
    }
}

#[cfg(unix)]
impl<S: Simulable + AsFd> AsFd for AnySocket<S> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor().as_fd()
    }
}

#[cfg(unix)]
impl<S: Simulable + AsRawFd> AsRawFd for AnySocket<S> {
    fn as_raw_fd(&self) -> RawFd {
        self.descriptor().as_raw_fd()
    }
}

#[cfg(windows)]
impl<S: Simulable + AsSocket> AsSocket for AnySocket<S> {
    fn as_socket(&self) -> BorrowedSocket<'_> {
        self.descriptor().as_socket()
    }
}

#[cfg(windows)]
impl<S: Simulable + AsRawSocket> AsRawSocket for AnySocket<S> {
    fn as_raw_socket(&self) -> RawSocket {
        self.descriptor().as_raw_socket()
    }
}

#[cfg(unix)]
type Owned = OwnedFd;
#[cfg(windows)]
type Owned = OwnedSocket;

impl<S: Simulable + Into<Owned>> From<AnySocket<S>> for Owned {
    fn from(socket: AnySocket<S>) -> Self {
        match socket {
            AnySocket::System(socket) => socket.into(),
            AnySocket::Simulated(_) => unreachable!("`into_std` refuses it"),
        }
    }
}

impl<S: Simulable> fmt::Debug for AnySocket<S>
where
    S::Simulated: fmt::Debug,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AnySocket::System(socket) => socket.fmt(f),
            AnySocket::Simulated(simulated) => simulated.socket.fmt(f),
        }
    }
}
