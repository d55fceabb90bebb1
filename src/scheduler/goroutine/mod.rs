//! A goroutine: its allocation, its result, and what is known of all of them.

pub(crate) mod live_count;
pub(crate) mod meta;
pub(crate) mod outcome;
mod push;
pub(crate) mod registry;
mod spawn;
pub(crate) mod spawn_site;
pub(crate) mod task;
