//! The worker that sleeps in the reactor. `reactor/mod.rs` says what it does there.

#![forbid(unsafe_code)]

use std::sync::Arc;

use super::parker::{Parker, Signal};
use super::{CancelSleep, Idle, Mode, SLEEPING, Sleeper, field};
use crate::primitives::Ordering;

impl<W: AsRef<Parker>> Idle<W> {
    /// As `sleep`, for a worker that holds the reactor's token and sleeps in the reactor. `poll` sleeps
    /// there, gives the token back, and returns whether a signal has come. If none has, it has noted
    /// tasks to wake. `hand_over` wakes them, but not on this worker's ring,
    /// if the worker must not run them.
    pub(crate) fn sleep_as_poller(
        &self,
        me: &Arc<W>,
        mode: Mode,
        must_stay_awake: impl FnOnce() -> bool,
        poll: impl FnOnce(&Parker) -> bool,
        hand_over: impl FnOnce(),
    ) -> bool {
        let parker = W::as_ref(me);
        let is_poller = matches!(self.announce_sleep(me, mode, true), Sleeper::Poller);
        let stays_awake = must_stay_awake();
        let has_polled = is_poller && !stays_awake;
        let has_signal = if has_polled {
            poll(parker)
        } else {
            // With the token.
            drop(poll);
            false
        };
        if stays_awake || has_polled && !has_signal {
            match self.cancel_sleep(me) {
                CancelSleep::Awake => return true,
                CancelSleep::SignalComes => {}
                CancelSleep::IsSpare => {
                    hand_over();
                    if stays_awake {
                        self.pass_on();
                    }
                    return parker.receive(None) == Some(Signal::Search);
                }
            }
        }
        let signal = parker.receive(None);
        if signal != Some(Signal::Search) {
            hand_over();
        }
        signal == Some(Signal::Search)
    }

    /// Wakes a sleeper, if there is one and no worker searches: it will find nothing to do, and
    /// sleep in the reactor.
    #[cold]
    pub(crate) fn wake_poller(&self) {
        if field(self.word.load(Ordering::Relaxed), SLEEPING) > 0 {
            self.wake_sleeper();
        }
    }
}
