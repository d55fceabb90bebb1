//! The one clock.

#![forbid(unsafe_code)]

use std::time::Instant;

/// The present, on the monotonic clock.
pub(crate) fn now() -> Instant {
    Instant::now()
}
