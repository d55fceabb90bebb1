//! A pause of an operation that is to wait although its socket is ready.

#![forbid(unsafe_code)]

use std::io;
use std::task::{Context, Poll};
use std::time::Duration;

use mio::event;

use crate::clock;
use crate::scheduler::io::registered::Entry;
use crate::scheduler::io::surroundings::ended;
use crate::scheduler::reactor::source::Source;
use crate::scheduler::timers::timer::Timer;

/// Made by [`Entry::pause`].
pub(crate) struct Pause {
    /// Of the socket's runtime.
    timer: Timer,
}

impl<S: event::Source> Entry<'_, S> {
    /// One from now on.
    pub(crate) fn pause(&self, duration: Duration) -> Pause {
        Pause { timer: Timer::new(self.registered.scheduler.clone(), clock::now() + duration) }
    }

    /// Waits until the pause is over. It fails earlier if the operation would: if the socket is
    /// closed, its runtime ends, or a deadline passes.
    pub(crate) fn poll_pause(
        &mut self,
        cx: &mut Context<'_>,
        pause: &mut Pause,
    ) -> Poll<io::Result<()>> {
        let Entry { registered, direction, id } = self;
        loop {
            registered.check(*direction)?;
            if pause.timer.is_due() {
                return Poll::Ready(Ok(()));
            }
            if registered.enter(Source::wait_for_end, *direction, id, cx.waker()) {
                break;
            }
        }
        if !pause.timer.wait(cx.waker()) {
            return Poll::Pending;
        }
        // It is due meanwhile, or nobody keeps the time any more.
        Poll::Ready(if pause.timer.is_due() { Ok(()) } else { Err(ended()) })
    }
}
