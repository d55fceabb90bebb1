//! Children whose `Child` was dropped before anybody waited for them.
//!
//! On Unix somebody has to ask how they ended, or the system keeps a record of each.

#![forbid(unsafe_code)]

use std::sync::{Arc, Mutex};

use super::running::Running;
use crate::primitives::lock;

static ORPHANS: Mutex<Vec<Arc<Running>>> = Mutex::new(Vec::new());

/// Asks about all of them, without waiting, and forgets those that have ended.
pub(super) fn reap() {
    // Only calls of the system run under the lock.
    lock(&ORPHANS).retain(|orphan| matches!(orphan.child().try_wait(), Ok(None)));
}

pub(super) fn adopt(orphan: Arc<Running>) {
    if cfg!(unix) {
        lock(&ORPHANS).push(orphan);
        reap();
    }
}
