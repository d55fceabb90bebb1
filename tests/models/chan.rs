//! The files of `src/chan` below the handles.

#[path = "../../src/chan/claim.rs"]
pub(crate) mod claim;
#[path = "../../src/chan/core.rs"]
pub(crate) mod core;
#[path = "../../src/chan/error.rs"]
pub(crate) mod error;
#[path = "../../src/chan/lock_cell.rs"]
pub(crate) mod lock_cell;
#[path = "../../src/chan/recv.rs"]
pub(crate) mod recv;
#[path = "../../src/chan/send.rs"]
pub(crate) mod send;
#[path = "../../src/chan/waiters.rs"]
pub(crate) mod waiters;
