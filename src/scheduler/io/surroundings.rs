//! Where a socket is made, and what it is told where it cannot be, or not any more.

#![forbid(unsafe_code)]

use std::io;
use std::sync::Arc;

use crate::scheduler::entered;
use crate::scheduler::shared::Scheduler;

/// The runtime to which a new socket belongs.
pub(crate) fn surrounding() -> io::Result<Arc<Scheduler>> {
    entered::surrounding().ok_or_else(outside)
}

/// Whether a socket of the system can be made here, for one that leaves something behind.
#[cfg(unix)]
pub(crate) fn check() -> io::Result<()> {
    check_real(&*surrounding()?)
}

/// Refuses what the system does with sockets of its own, in a simulation.
pub(super) fn check_real(scheduler: &Scheduler) -> io::Result<()> {
    if scheduler.simulation().is_none() {
        return Ok(());
    }
    Err(io::Error::new(
        io::ErrorKind::Unsupported,
        "a simulation has no Unix sockets, no `io::Async`, and none of `std`'s sockets: what the system does with them \
         could not be repeated. It has `net::TcpStream`, `net::UdpSocket` and `io::duplex`",
    ))
}

fn outside() -> io::Error {
    io::Error::other(
        "a socket, or an `Async`, was made on a thread that belongs to no gorun runtime, so nobody would \
         wait for its events; make it inside `gorun::block_on`, or while the thread has entered a runtime with \
         `Handle::enter`",
    )
}

pub(super) fn ended() -> io::Error {
    io::Error::other(
        "the gorun runtime that this socket, pipe or `Async` belongs to has ended, and nobody waits for \
         its events any more; use it before main returns, or take it out with `into_std` or `into_inner`",
    )
}

pub(super) fn closed(scheduler: &Scheduler) -> io::Error {
    if scheduler.simulation().is_some() {
        return io::Error::other(
            "this socket has been closed, by its `close` method, or since its host has crashed",
        );
    }
    io::Error::other("this socket has been closed, by its `close` method")
}
