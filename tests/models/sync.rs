//! The shipped files of `src/sync` that the models check.

#[path = "../../src/sync/oneshot/shared.rs"]
pub(crate) mod oneshot;
#[path = "../../src/sync/permits.rs"]
pub(crate) mod permits;
#[path = "../../src/sync/wait_queue.rs"]
pub(crate) mod wait_queue;
#[path = "../../src/sync/waitable.rs"]
pub(crate) mod waitable;
