//! What the system may lack.

#![forbid(unsafe_code)]

use std::io;

#[cfg(unix)]
const CODES: [i32; 3] = [libc::EMFILE, libc::ENFILE, libc::ENOBUFS];
/// `WSAEMFILE`, `WSAENOBUFS`
#[cfg(not(unix))]
const CODES: [i32; 2] = [10024, 10055];

/// Descriptors of the process or of the system, memory, or room to wait for another socket.
pub(super) fn is_lack(error: &io::Error) -> bool {
    use io::ErrorKind::{OutOfMemory, QuotaExceeded, StorageFull};
    matches!(error.kind(), OutOfMemory | QuotaExceeded | StorageFull)
        || error.raw_os_error().is_some_and(|code| CODES.contains(&code))
}

/// What to do, if the error is such a one.
pub(super) fn advice_if_lack(error: &io::Error) -> &'static str {
    match is_lack(error) {
        true => "; raise the limit of descriptors (`ulimit -n`), or close some first",
        false => "",
    }
}

/// A queue for datagrams is full, and no event says when it has room again. (On Linux, that is no such
/// error, and there is an event.)
#[cfg(unix)]
pub(super) fn is_full_queue(error: &io::Error) -> bool {
    let is_linux = cfg!(any(target_os = "linux", target_os = "android"));
    !is_linux && error.raw_os_error() == Some(libc::ENOBUFS)
}
