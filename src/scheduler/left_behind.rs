//! Runtimes that exit ended without some of their goroutines, and who waits for news of that.
//!
//! Such a goroutine may never complete, so nobody would ever wake those who await its handle. A
//! handle that is awaited outside its runtime therefore leaves a waker here too. The scheduler of
//! a goroutine left behind is never freed, so its address names it for ever.
//!
//! Rejected: `event-listener`, which calls wakers under its lock. A waker is the user's code, and
//! may drop or poll other handles.

#![forbid(unsafe_code)]

use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};
use std::task::Waker;

use slab::Slab;

use crate::scheduler::{Scheduler, main_guard};
use crate::sync::lock;

struct Board {
    /// The addresses of schedulers.
    left: Vec<usize>,
    waiting: Slab<Option<Waker>>,
}

static BOARD: Mutex<Board> = Mutex::new(Board { left: Vec::new(), waiting: Slab::new() });

/// Waits for news until it is dropped.
pub(crate) struct Subscription {
    /// Its key, plus one.
    number: NonZeroUsize,
}

impl Subscription {
    fn new(key: usize) -> Self {
        Subscription { number: NonZeroUsize::MIN.saturating_add(key) }
    }

    fn key(&self) -> usize {
        self.number.get() - 1
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        let waker = lock(&BOARD).waiting.remove(self.key());
        // Outside the lock.
        drop(waker);
    }
}

/// Notes that goroutines of `scheduler` are left behind, keeps it for ever, and wakes all who wait
/// for such news.
pub(crate) fn announce(scheduler: &Arc<Scheduler>) {
    std::mem::forget(scheduler.clone());
    let wakers: Vec<Waker> = {
        let mut board = lock(&BOARD);
        board.left.push(Arc::as_ptr(scheduler).addr());
        board.waiting.iter_mut().filter_map(|(_, waker)| waker.take()).collect()
    };
    for waker in wakers {
        if let Err(payload) = catch_unwind(AssertUnwindSafe(|| waker.wake())) {
            main_guard::discard(payload);
        }
    }
}

/// Whether goroutines of the runtime at `scheduler` were left behind. If not, news of that will
/// wake `waker`, until `subscription` is dropped.
pub(crate) fn is_announced(
    scheduler: *const Scheduler,
    subscription: &mut Option<Subscription>,
    waker: &Waker,
) -> bool {
    let waker = waker.clone();
    let mut board = lock(&BOARD);
    let is_announced = board.left.contains(&scheduler.addr());
    let unused = match subscription {
        _ if is_announced => Some(waker),
        Some(subscribed) => board.waiting[subscribed.key()].replace(waker),
        None => {
            *subscription = Some(Subscription::new(board.waiting.insert(Some(waker))));
            None
        }
    };
    drop(board);
    // Outside the lock.
    drop(unused);
    is_announced
}
