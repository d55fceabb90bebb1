//! The runtimes that a thread has entered with `Handle::enter`, for calls outside any `block_on`. And the
//! one to which a thread of tokio's belongs, by a bridge.
//!
//! A thread inside a runtime, which drives a future or runs goroutines, has a `Context`, and that
//! wins: nothing here is looked at then. So the way of a spawn inside a runtime is as short as
//! without this.
//!
//! Each guard removes its own entry, so guards may be dropped in any order: the last of those that
//! are left counts. Rejected: a guard that makes a `Context` the current one. If guards were
//! dropped out of order, the thread would point at a context that is gone; and one that is made
//! inside a future would stay, between polls, where the driver of that future expects its own.

#![forbid(unsafe_code)]

use std::cell::RefCell;
use std::sync::{Arc, Weak};
use std::time::Duration;

use crate::primitives::{Mutex, lock};
use crate::scheduler::context::{self, Place};
use crate::scheduler::shared::Scheduler;
use crate::scheduler::tokio_bridge::{self, Id};

/// Distinguishes a thread's guards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct EntryId(u64);

#[derive(Default)]
struct Entries {
    list: Vec<(EntryId, Arc<Scheduler>)>,
    next: u64,
}

thread_local! {
    static ENTRIES: RefCell<Entries> = const { RefCell::new(Entries { list: Vec::new(), next: 0 }) };
}

/// From now on the calling thread is in `scheduler` where it is in no other runtime. `None` while
/// the thread ends.
pub(crate) fn push(scheduler: Arc<Scheduler>) -> Option<EntryId> {
    let pushed = ENTRIES.try_with(|entries| {
        let entries = &mut *entries.borrow_mut();
        let id = EntryId(entries.next);
        entries.next += 1;
        entries.list.push((id, scheduler));
        id
    });
    pushed.ok()
}

pub(crate) fn remove(id: EntryId) {
    let removed = ENTRIES.try_with(|entries| {
        let list = &mut entries.borrow_mut().list;
        let place = list.iter().rposition(|(entry, _)| *entry == id);
        place.map(|place| list.remove(place))
    });
    // Outside the borrow.
    drop(removed);
}

/// Of each tokio runtime, by its id, the runtime that has a bridge to it. If several have, the last
/// one counts.
static BRIDGED: Mutex<Vec<(Id, Weak<Scheduler>)>> = Mutex::new(Vec::new());

/// From now on code on the threads of tokio's runtime is in `scheduler`, if that has a bridge.
pub(crate) fn open_bridge(scheduler: &Arc<Scheduler>) {
    if let Some(bridge) = &scheduler.config.tokio {
        lock(&BRIDGED).push((bridge.id(), Arc::downgrade(scheduler)));
    }
}

/// Ends the bridge. What blocks in a tokio runtime of our own may take as long as `grace`. Tasks that are dropped now still find their runtime, which refuses what they spawn.
pub(crate) fn close_bridge(scheduler: &Arc<Scheduler>, grace: Duration) {
    if let Some(bridge) = &scheduler.config.tokio {
        bridge.shut_down(grace);
        let own = Arc::as_ptr(scheduler);
        lock(&BRIDGED).retain(|(_, other)| other.as_ptr() != own);
    }
}

fn across_bridge() -> Option<Arc<Scheduler>> {
    let id = tokio_bridge::current_id()?;
    let bridged = lock(&BRIDGED);
    let (_, scheduler) = bridged.iter().rfind(|(other, _)| *other == id)?;
    scheduler.upgrade()
}

/// The runtime of the calling code: the one that it is inside, else the last one that its thread has
/// entered, else the one of the bridge to the tokio runtime that it is in.
#[inline]
pub(crate) fn surrounding() -> Option<Arc<Scheduler>> {
    let inside = context::with_inside(|inside| inside.map(|inside| inside.scheduler.clone()));
    if inside.is_some() { inside } else { last() }
}

/// For code that is inside no runtime.
#[cold]
fn last() -> Option<Arc<Scheduler>> {
    if !context::with(|place| matches!(place, Place::Outside)) {
        return None;
    }
    let last = ENTRIES
        .try_with(|entries| entries.borrow().list.last().map(|(_, scheduler)| scheduler.clone()));
    last.ok().flatten().or_else(across_bridge)
}
