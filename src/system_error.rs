//! Errors of the system that say what has failed.

#![forbid(unsafe_code)]

use std::error::Error;
use std::fmt;
use std::io;

/// The system's number for a datagram that is too long.
#[cfg(all(unix, feature = "net"))]
pub(crate) const TOO_LONG: i32 = libc::EMSGSIZE;
/// `WSAEMSGSIZE`
#[cfg(all(not(unix), feature = "net"))]
pub(crate) const TOO_LONG: i32 = 10040;

/// In an `io::Error`, whose `source` is the system's own.
#[derive(Debug)]
struct SystemError {
    what: String,
    source: io::Error,
    /// What to do, after a semicolon; or nothing.
    advice: &'static str,
}

impl fmt::Display for SystemError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}{}", self.what, self.source, self.advice)
    }
}

impl Error for SystemError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.source)
    }
}

/// Of the same kind, with text before it.
pub(crate) fn failed(what: String, source: io::Error) -> io::Error {
    failed_with_advice(what, source, "")
}

/// Of the same kind, with text before it and behind it.
pub(crate) fn failed_with_advice(
    what: String,
    source: io::Error,
    advice: &'static str,
) -> io::Error {
    failed_as(source.kind(), what, source, advice)
}

/// Of this kind, with text before it and behind it.
pub(crate) fn failed_as(
    kind: io::ErrorKind,
    what: String,
    source: io::Error,
    advice: &'static str,
) -> io::Error {
    io::Error::new(kind, SystemError { what, source, advice })
}

/// The system's number of the error, also of one that was made here.
#[cfg(feature = "net")]
pub(crate) fn code(error: &io::Error) -> Option<i32> {
    let made_here = || error.get_ref()?.downcast_ref::<SystemError>();
    error.raw_os_error().or_else(|| code(&made_here()?.source))
}

/// The system refuses a thread, for this purpose.
///
/// Its kind would be "would block", which code that reads takes for a wait that somebody will end.
pub(crate) fn no_thread(purpose: &str, source: io::Error) -> io::Error {
    let what = format!("the system refuses the thread that {purpose}");
    failed_as(io::ErrorKind::Other, what, source, "")
}
