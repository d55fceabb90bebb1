//! The decision of a `select!`: one word, so that exactly one case happens.
//!
//! ```text
//!   BUSY ── wait, under the locks of all its channels ──► WAITING ── commit, by a partner ──► case
//!    ▲                                                       │                    (for good)
//!    └────────────── take_over, by the select ───────────────┘
//! ```
//!
//! While it says `BUSY`, the select itself tries its cases, and no partner can decide it. While it
//! says `WAITING`, any partner that serves one of its slots may, under the lock of that channel.
//! `select/future.rs` argues why the select misses no partner in between.
//!
//! A partner that cannot commit learns why. A busy select may wait again, so it keeps its place in
//! the queue; a decided one never does, so the partner takes its slot out.

#![forbid(unsafe_code)]

use std::sync::Arc;
use std::task::Waker;

use crate::primitives::{AtomicUsize, Mutex, Ordering, lock};
use crate::scheduler::foreign_wakers;

/// Not a number of a case.
const WAITING: usize = usize::MAX;
const BUSY: usize = usize::MAX - 1;

pub struct Claim {
    state: AtomicUsize,
    /// One waker for all slots of the select. Its lock is held briefly, also by holders of a
    /// channel's lock.
    waker: Mutex<Option<Waker>>,
}

impl Claim {
    /// A claim that starts out `BUSY`, so the select has it.
    pub(crate) fn new(waker: Waker) -> Arc<Self> {
        Arc::new(Claim { state: AtomicUsize::new(BUSY), waker: Mutex::new(Some(waker)) })
    }

    /// Decides for `case`, and returns the waker to wake. `Err` if the caller cannot decide. The
    /// caller holds the lock of the channel.
    #[inline]
    pub(crate) fn commit(&self, case: usize) -> Result<Option<Waker>, CannotCommit> {
        // Ordering: AcqRel; Release pairs with the Acquire in `take_over`. The channel's lock
        // publishes what the partner does to the channel afterwards. Relaxed for a failure: a
        // decision is final, so an old value that shows one is still true; and a partner that sees
        // BUSY does nothing.
        match self.state.compare_exchange(WAITING, case, Ordering::AcqRel, Ordering::Relaxed) {
            Ok(_) => Ok(self.take_waker()),
            Err(BUSY) => Err(CannotCommit::Busy),
            Err(_) => Err(CannotCommit::Decided),
        }
    }

    /// Sets `BUSY`: the select tries its cases itself from now on. `Err` with the case if one has
    /// been decided.
    pub(crate) fn take_over(&self) -> Result<(), usize> {
        // Ordering: Acquire pairs with the Release in `commit`.
        self.state
            .compare_exchange(WAITING, BUSY, Ordering::Acquire, Ordering::Acquire)
            .map(drop)
            .or_else(|state| if state == BUSY { Ok(()) } else { Err(state) })
    }

    /// Any partner may decide from now on. The caller holds the locks of all the select's channels.
    pub(crate) fn wait(&self) {
        // Ordering: Release, although a partner commits only after it has taken a lock that the
        // caller still holds.
        self.state.store(WAITING, Ordering::Release);
    }

    /// Sets the waker to wake from now on. The caller has taken over. Returns the replaced waker,
    /// if any, which the caller drops.
    pub(crate) fn set_waker(&self, waker: &Waker) -> Option<Waker> {
        if lock(&self.waker).as_ref().is_some_and(|own| own.will_wake(waker)) {
            return None;
        }
        let waker = waker.clone();
        lock(&self.waker).replace(waker)
    }

    /// The select is dropped: no partner can decide from now on.
    pub(crate) fn abandon(&self) {
        // Ordering: Acquire pairs with the Release in `commit`.
        self.state.swap(BUSY, Ordering::Acquire);
        // Dropped here, since the thread that drops the claim last may hold a lock.
        foreign_wakers::drop_waker(self.take_waker());
    }

    /// Takes the waker, so that it is not woken any more. The caller drops it.
    fn take_waker(&self) -> Option<Waker> {
        lock(&self.waker).take()
    }
}

/// Why a partner cannot decide.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum CannotCommit {
    /// The select tries its cases itself, or is being dropped. It may wait again.
    Busy,
    /// Another partner has decided. The select never waits again.
    Decided,
}
