//! A span of the crate `tracing` around each goroutine.

#![forbid(unsafe_code)]

use std::future::Future;
use std::panic::Location;

use tracing::Instrument;

/// Subscribers that want `gorun=trace` see where the goroutine was spawned with all that it logs. The span has no
/// parent: it would keep those of the spawner open. It takes 40 bytes, also if nobody wants it.
pub(super) fn around<F: Future>(
    future: F,
    spawned_at: &'static Location<'static>,
) -> impl Future<Output = F::Output> {
    future.instrument(tracing::trace_span!(target: "gorun", parent: None, "goroutine", %spawned_at))
}
