//! A goroutine: its allocation, its result, the registry and the counts of all goroutines.

pub(crate) mod live_count;
pub(crate) mod meta;
pub(crate) mod outcome;
mod push;
pub(crate) mod registry;
mod spawn;
pub(crate) mod spawn_site;
pub(crate) mod task;
