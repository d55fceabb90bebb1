//! Runtimes that exit ended without some of their goroutines, and who waits for news of that.
//!
//! Such a goroutine may never complete, so nobody would ever wake those who await its handle. A
//! handle that is awaited by anybody but a goroutine of the same runtime therefore leaves a waker
//! here too. The scheduler of a goroutine left behind is never freed, so its address names it for
//! ever.
//!
//! Rejected: `event-listener`, which calls wakers under its lock. A waker is the user's code, and
//! may drop or poll other handles.

#![forbid(unsafe_code)]

use std::num::NonZeroU32;
use std::sync::{Arc, Mutex};
use std::task::Waker;

use slab::Slab;

use crate::scheduler::Scheduler;
use crate::sync::lock;

/// One of several, so that goroutines that await many handles through a combinator do not all wait
/// for one lock.
#[repr(align(128))]
struct Board {
    /// The addresses of schedulers, on every board.
    left: Vec<usize>,
    waiting: Slab<Option<Waker>>,
}

const BOARDS: usize = 16;

static BOARD: [Mutex<Board>; BOARDS] =
    [const { Mutex::new(Board { left: Vec::new(), waiting: Slab::new() }) }; BOARDS];

/// Waits for news until it is dropped.
pub(crate) struct Subscription {
    /// Its key, its board, plus one.
    number: NonZeroU32,
}

impl Subscription {
    fn new(board: usize, key: usize) -> Self {
        let number = u32::try_from(key * BOARDS + board).ok();
        let number = number.and_then(|number| NonZeroU32::MIN.checked_add(number));
        Subscription { number: number.expect("fewer than 2^28 handles are awaited from outside") }
    }

    fn board(&self) -> usize {
        (self.number.get() - 1) as usize % BOARDS
    }

    fn key(&self) -> usize {
        (self.number.get() - 1) as usize / BOARDS
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        let waker = lock(&BOARD[self.board()]).waiting.remove(self.key());
        // Outside the lock.
        drop(waker);
    }
}

/// Notes that goroutines of `scheduler` are left behind, keeps it for ever, and wakes all who wait
/// for such news.
pub(crate) fn announce(scheduler: &Arc<Scheduler>) {
    std::mem::forget(scheduler.clone());
    let mut wakers = Vec::new();
    for board in &BOARD {
        let mut board = lock(board);
        board.left.push(Arc::as_ptr(scheduler).addr());
        wakers.extend(board.waiting.iter_mut().filter_map(|(_, waker)| waker.take()));
    }
    if !wakers.is_empty() {
        scheduler.want_woken(wakers);
    }
}

/// Whether goroutines of the runtime at `scheduler` were left behind. If not, news of that will
/// wake `waker`, until `subscription` is dropped. `near` chooses the board.
pub(crate) fn is_announced(
    scheduler: *const Scheduler,
    near: usize,
    subscription: &mut Option<Subscription>,
    waker: &Waker,
) -> bool {
    let waker = waker.clone();
    let index = subscription.as_ref().map_or(near % BOARDS, Subscription::board);
    let mut board = lock(&BOARD[index]);
    let is_announced = board.left.contains(&scheduler.addr());
    let unused = match subscription {
        _ if is_announced => Some(waker),
        Some(subscribed) => board.waiting[subscribed.key()].replace(waker),
        None => {
            *subscription = Some(Subscription::new(index, board.waiting.insert(Some(waker))));
            None
        }
    };
    drop(board);
    // Outside the lock.
    drop(unused);
    is_announced
}
