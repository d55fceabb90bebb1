//! Options of sockets: those that are on from the start.

#![forbid(unsafe_code)]

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};

use super::lack::advice_if_lack;
use crate::system_error::failed_with_advice;

/// Go's: after so long without data the system asks whether the peer is there, and so often.
const KEEPALIVE: Duration = Duration::from_secs(15);

/// As long as a queue for connections that nobody has accepted yet may be; the system has a limit of
/// its own.
pub(super) const BACKLOG: i32 = 4096;

/// Whether connections that are accepted have the options of the listener.
pub(super) const ARE_INHERITED: bool = cfg!(any(target_os = "linux", target_os = "android"));

pub(super) fn set_defaults<'a>(socket: impl Into<SockRef<'a>>) -> io::Result<()> {
    let socket = socket.into();
    socket.set_tcp_nodelay(true)?;
    set_keepalive(&socket, Some(KEEPALIVE))
}

/// Asks after `after` without data, and again and again after as long; `None`: never.
pub(super) fn set_keepalive(socket: &SockRef<'_>, after: Option<Duration>) -> io::Result<()> {
    let Some(after) = after else { return socket.set_keepalive(false) };
    let keepalive = TcpKeepalive::new().with_time(after);
    #[cfg(not(any(target_os = "openbsd", target_os = "solaris", target_os = "haiku")))]
    let keepalive = keepalive.with_interval(after);
    socket.set_tcp_keepalive(&keepalive)
}

pub(super) fn cannot_bind(address: SocketAddr, error: io::Error) -> io::Error {
    let advice = match error.kind() {
        io::ErrorKind::AddrInUse => {
            "; another socket has that port: choose another one, or port 0 for any that is free"
        }
        io::ErrorKind::AddrNotAvailable => "; this machine does not have that address",
        io::ErrorKind::PermissionDenied => "; ports below 1024 are the administrator's",
        _ => advice_if_lack(&error),
    };
    failed_with_advice(format!("cannot bind a socket to {address}"), error, advice)
}
