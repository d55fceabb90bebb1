//! Who decides a `select!`: one word, so that exactly one case happens.
//!
//! ```text
//!   BUSY ── wait, under the locks of all its channels ──► WAITING ── commit, by a partner ──► case
//!    ▲                                                       │                    (for good)
//!    └────────────── take_over, by the select ───────────────┘
//! ```
//!
//! While it says `BUSY` the select itself looks at its cases, and nobody else can decide it; while
//! it says `WAITING` whoever serves one of its slots, under the lock of that channel, may. The
//! argument why no partner is missed in between stands in `select/future.rs`.
//!
//! A partner that cannot commit is told why. A select that is busy may wait again, so it keeps its
//! place in the line; one that has been decided never does, so the partner takes its slot out.

#![forbid(unsafe_code)]

use std::sync::Arc;
use std::task::Waker;

use crate::scheduler::foreign;
use crate::sync::{AtomicUsize, Mutex, Ordering, lock};

/// Not a case.
const WAITING: usize = usize::MAX;
const BUSY: usize = usize::MAX - 1;

pub struct Claim {
    state: AtomicUsize,
    /// For all the slots of the select. Held for a moment, by those who hold a channel's lock too.
    waker: Mutex<Option<Waker>>,
}

impl Claim {
    /// The select's own, for now.
    pub(crate) fn new(waker: Waker) -> Arc<Self> {
        Arc::new(Claim { state: AtomicUsize::new(BUSY), waker: Mutex::new(Some(waker)) })
    }

    /// Decides for `case`. `Err` if it is not for the caller to decide; else whom to wake. The caller
    /// holds the lock of the channel.
    #[inline]
    pub(crate) fn commit(&self, case: usize) -> Result<Option<Waker>, Unavailable> {
        // Ordering: AcqRel; Release pairs with the Acquire in `take_over`. What the partner does to
        // the channel afterwards is seen through the channel's lock. Relaxed for a failure: a case is
        // for good, so an old value that says so is true still; and whoever sees BUSY does nothing.
        match self.state.compare_exchange(WAITING, case, Ordering::AcqRel, Ordering::Relaxed) {
            Ok(_) => Ok(self.take_waker()),
            Err(BUSY) => Err(Unavailable::Busy),
            Err(_) => Err(Unavailable::Decided),
        }
    }

    /// The select looks itself from now on; `Err` with the case that has been decided.
    pub(crate) fn take_over(&self) -> Result<(), usize> {
        // Ordering: Acquire pairs with the Release in `commit`.
        self.state
            .compare_exchange(WAITING, BUSY, Ordering::Acquire, Ordering::Acquire)
            .map(drop)
            .or_else(|state| if state == BUSY { Ok(()) } else { Err(state) })
    }

    /// Anybody may decide from now on. The caller holds the locks of all its channels.
    pub(crate) fn wait(&self) {
        // Ordering: Release, though who commits comes through a lock that the caller still holds.
        self.state.store(WAITING, Ordering::Release);
    }

    /// Whom to wake from now on. The caller has taken over. Returns the former one, if it is another,
    /// to be dropped.
    pub(crate) fn set_waker(&self, waker: &Waker) -> Option<Waker> {
        if lock(&self.waker).as_ref().is_some_and(|own| own.will_wake(waker)) {
            return None;
        }
        let waker = waker.clone();
        lock(&self.waker).replace(waker)
    }

    /// The select is dropped: nobody can decide any more.
    pub(crate) fn retire(&self) {
        // Ordering: Acquire pairs with the Release in `commit`.
        self.state.swap(BUSY, Ordering::Acquire);
        // Here, since whoever drops the claim last may hold a lock.
        foreign::let_go(self.take_waker());
    }

    /// Nobody is to be woken any more: the caller drops this.
    fn take_waker(&self) -> Option<Waker> {
        lock(&self.waker).take()
    }
}

/// Why a partner cannot decide.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unavailable {
    /// The select looks at its cases itself, or is being dropped. It may wait again.
    Busy,
    /// Another partner has decided. It never waits again.
    Decided,
}
