//! Errors of the system that say what has failed.

#![forbid(unsafe_code)]

use std::error::Error;
use std::fmt;
use std::io;

/// In an `io::Error`, whose `source` is the system's own.
#[derive(Debug)]
struct SystemError {
    what: String,
    source: io::Error,
}

impl fmt::Display for SystemError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.what, self.source)
    }
}

impl Error for SystemError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.source)
    }
}

/// Of the same kind, with text before it.
pub(crate) fn failed(what: String, source: io::Error) -> io::Error {
    io::Error::new(source.kind(), SystemError { what, source })
}

/// The system refuses a thread, for this purpose.
///
/// Its kind would be "would block", which code that reads takes for a wait that somebody will end.
pub(crate) fn no_thread(purpose: &str, source: io::Error) -> io::Error {
    let what = format!("the system refuses the thread that {purpose}");
    io::Error::other(SystemError { what, source })
}
