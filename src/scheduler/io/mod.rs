//! I/O: the reactor with the system's events, and who wakes whom for them.

#![forbid(unsafe_code)]

#[cfg(feature = "net")]
mod deadlines;
pub(super) mod dispatch;
#[cfg(feature = "net")]
pub(crate) mod pause;
#[cfg(all(unix, feature = "net"))]
pub(crate) mod ready;
#[cfg(feature = "net")]
pub(crate) mod registered;
#[cfg(feature = "net")]
pub(crate) mod surroundings;
pub(super) mod system;
