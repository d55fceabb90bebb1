//! The files of `src/select`, without the macro.

#[path = "../../src/select/case_kinds.rs"]
pub(crate) mod case_kinds;
#[path = "../../src/select/cases.rs"]
pub(crate) mod cases;
#[path = "../../src/select/future.rs"]
pub(crate) mod future;
#[path = "../../src/select/locks.rs"]
pub(crate) mod locks;
#[path = "../../src/select/order.rs"]
pub(crate) mod order;
