//! Waking all tasks that have waited for contexts.
//!
//! Waking a hundred thousand goroutines takes a tenth of a second: too long for the caller that
//! cancels. So inside a runtime a goroutine wakes them, a portion at a time. If the end of main
//! drops that goroutine, its destructor wakes the rest: they may be waiting on other threads.

#![forbid(unsafe_code)]

use std::task::Waker;
use std::vec::IntoIter;

use crate::scheduler::{context, foreign_wakers};
use crate::spawn::{detach, yield_now};

/// How many are woken at once. That takes some ten microseconds.
const PORTION: usize = 128;

struct Wakes(IntoIter<Waker>);

/// Wakes all, or begins to. The caller holds no lock.
pub(super) fn wake_all(wakers: Vec<Waker>) {
    let wakes = Wakes(wakers.into_iter());
    if wakes.0.len() > PORTION && context::with_inside(|inside| inside.is_some()) {
        detach(wakes.in_portions());
    }
}

impl Wakes {
    async fn in_portions(mut self) {
        while self.0.len() > 0 {
            self.0.by_ref().take(PORTION).for_each(foreign_wakers::wake);
            yield_now().await;
        }
    }
}

impl Drop for Wakes {
    fn drop(&mut self) {
        self.0.by_ref().for_each(foreign_wakers::wake);
    }
}
