//! A goroutine: its allocation, its result, and what is known of all of them.

pub(crate) mod live_count;
pub(crate) mod outcome;
pub(crate) mod registry;
pub(crate) mod spawn_site;
pub(crate) mod task;
