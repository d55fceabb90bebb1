//! What goes wrong with the length of datagrams.

#![forbid(unsafe_code)]

use std::io;

use crate::system_error::{TOO_LONG, failed_as, failed_with_advice};

fn is_too_long(error: &io::Error) -> bool {
    error.raw_os_error() == Some(TOO_LONG)
}

/// The result of sending so many bytes.
pub(super) fn sent<T>(result: io::Result<T>, length: usize) -> io::Result<T> {
    result.map_err(|error| match is_too_long(&error) {
        true => {
            let what = format!("a datagram of {length} bytes is too long");
            failed_as(io::ErrorKind::InvalidInput, what, error, "; send several shorter ones")
        }
        false => error,
    })
}

/// The result of receiving a datagram into a buffer of so many bytes, of which it fills as many as there
/// are. (Windows reports a longer one as an error, others as received.)
pub(super) fn received(result: io::Result<usize>, room: usize) -> io::Result<usize> {
    match result {
        Err(error) if cfg!(windows) && is_too_long(&error) => Ok(room),
        result => result,
    }
}

/// The same for who needs the sender, whom Windows does not tell then.
pub(super) fn received_from<T>(result: io::Result<T>, room: usize) -> io::Result<T> {
    result.map_err(|error| match cfg!(windows) && is_too_long(&error) {
        true => {
            let what = format!("a datagram was longer than the buffer of {room} bytes");
            failed_with_advice(what, error, "; give a longer one")
        }
        false => error,
    })
}
