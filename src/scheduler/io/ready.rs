//! Waiting until a descriptor is ready, for code that then reads or writes it by itself.
//!
//! The reactor hears of a descriptor once, when it becomes ready, and takes it to be so until an attempt
//! fails (`source.rs`). It does not see attempts that others make. So whoever only asks whether the
//! descriptor is ready would be told so again and again, although nothing is left to read. Hence what the
//! reactor knows counts once. After that the system is asked to report anew what is so now, which takes a
//! system call.
//!
//! Whether it was asked belongs to the descriptor, not to the future that waits: in a loop that drops such
//! futures and makes new ones, the answer comes all the same.

#![forbid(unsafe_code)]

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use mio::event;

use crate::scheduler::gate;
use crate::scheduler::io::registered::{Entry, Registered};
use crate::scheduler::io::system::System;
use crate::scheduler::operation::Operation;
use crate::scheduler::reactor::source::Direction;

/// Which reports nobody has been told of yet.
///
/// Ordering: Relaxed throughout. If two tasks disagree, the system is asked once too often, or a task is
/// told too often.
#[derive(Default)]
pub(crate) struct Untold {
    read: AtomicBool,
    write: AtomicBool,
}

impl Untold {
    fn of(&self, direction: Direction) -> &AtomicBool {
        match direction {
            Direction::Read => &self.read,
            Direction::Write => &self.write,
        }
    }
}

impl<S: event::Source> Entry<'_, S> {
    /// Waits until the system has reported that the source is ready, since somebody was told so last.
    /// `name` is another name of it, for the system.
    pub(crate) fn poll_ready(
        &mut self,
        cx: &mut Context<'_>,
        operation: Operation,
        untold: &Untold,
        name: &mut impl event::Source,
    ) -> Poll<io::Result<()>> {
        if !gate::enter(cx.waker()) {
            return Poll::Pending;
        }
        let Entry { registered, direction, id } = self;
        let untold = untold.of(*direction);
        loop {
            let seen = registered.check(*direction)?;
            if seen.is_ready(*direction) {
                if untold.swap(false, Ordering::Relaxed) {
                    return Poll::Ready(Ok(()));
                }
                registered.ask_again(name)?;
                // If the answer has come already, this clears nothing.
                registered.source.clear(*direction, seen);
            }
            untold.store(true, Ordering::Relaxed);
            if registered.wait(*direction, id, cx.waker()) {
                return gate::note_wait(operation, Poll::Pending);
            }
        }
    }
}

impl<S: event::Source> Registered<S> {
    /// The system reports once more what the source is ready for now.
    fn ask_again(&self, name: &mut impl event::Source) -> io::Result<()> {
        let reactor = self.scheduler.reactor().expect("it was registered there");
        System::register_again(&reactor.registry, name, self.key)
    }
}
