//! The time of events.

#![forbid(unsafe_code)]

use std::time::Instant;

use crate::clock;

/// Counts from the start of a runtime.
#[derive(Clone, Copy)]
pub(crate) struct SinceStart(pub(crate) Instant);

impl SinceStart {
    /// In nanoseconds.
    #[inline]
    pub(crate) fn now(self) -> u64 {
        clock::now().saturating_duration_since(self.0).as_nanos() as u64
    }
}
