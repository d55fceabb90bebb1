//! The one clock.

use std::time::Instant;

/// The present, on the monotonic clock.
pub(crate) fn now() -> Instant {
    Instant::now()
}
