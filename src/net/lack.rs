//! What the system may lack.

#![forbid(unsafe_code)]

use std::io;

use crate::system_error::code;

#[cfg(unix)]
const CODES: [i32; 3] = [libc::EMFILE, libc::ENFILE, libc::ENOBUFS];
/// `WSAEMFILE`, `WSAENOBUFS`
#[cfg(not(unix))]
const CODES: [i32; 2] = [10024, 10055];

/// Descriptors of the process or of the system, memory, or room to wait for another socket.
pub(super) fn is_lack(error: &io::Error) -> bool {
    use io::ErrorKind::{OutOfMemory, QuotaExceeded, StorageFull};
    matches!(error.kind(), OutOfMemory | QuotaExceeded | StorageFull)
        || code(error).is_some_and(|code| CODES.contains(&code))
}

/// What to do, if the error is such a one. (One that was made here says so itself.)
pub(super) fn advice_if_lack(error: &io::Error) -> &'static str {
    match error.get_ref().is_none() && is_lack(error) {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system_error::failed;

    #[test]
    fn a_lack_with_text_before_it_is_still_one_and_says_itself_what_to_do() {
        let lack = || io::Error::from_raw_os_error(CODES[0]);
        assert!(is_lack(&lack()) && !advice_if_lack(&lack()).is_empty());
        let with_text = failed("no socket".to_owned(), lack());
        assert!(is_lack(&with_text) && advice_if_lack(&with_text).is_empty());
    }
}
