//! A goroutine: its allocation, its result, the registry and the counts of all goroutines.

mod address;
pub(crate) mod entry;
pub(crate) mod live_count;
pub(crate) mod meta;
mod observed;
pub(crate) mod outcome;
mod push;
pub(crate) mod registry;
pub(crate) mod runtime_id;
#[cfg_attr(not(feature = "tracing"), path = "no_span.rs")]
mod span;
mod spawn;
pub(crate) mod spawn_site;
pub(crate) mod task;
