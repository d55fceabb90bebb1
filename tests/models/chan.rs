//! The files of `src/chan` below the handles. Their lock has a model of its own, `models/lock_model.rs`.

#[path = "../../src/chan/claim.rs"]
pub(crate) mod claim;
#[path = "../../src/chan/core.rs"]
pub(crate) mod core;
#[path = "../../src/chan/error.rs"]
pub(crate) mod error;
#[path = "../../src/chan/head.rs"]
pub(crate) mod head;
#[path = "substitute_lock.rs"]
pub(crate) mod lock;
#[path = "../../src/chan/outcomes.rs"]
pub(crate) mod outcomes;
#[path = "../../src/chan/recv.rs"]
pub(crate) mod recv;
#[path = "../../src/chan/send.rs"]
pub(crate) mod send;
#[path = "../../src/chan/slots.rs"]
pub(crate) mod slots;
#[path = "../../src/chan/state.rs"]
pub(crate) mod state;
#[path = "../../src/chan/unlocked.rs"]
pub(crate) mod unlocked;
#[path = "../../src/chan/waiters.rs"]
pub(crate) mod waiters;
