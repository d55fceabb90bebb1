//! A socket as its owner holds it: registered with the reactor of a runtime, and used by futures.

#![forbid(unsafe_code)]

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use mio::event;

use crate::scheduler::gate::{self, Operation};
use crate::scheduler::io::deadlines::Deadlines;
use crate::scheduler::io::system::System;
use crate::scheduler::reactor::Reactor;
use crate::scheduler::reactor::source::{Direction, Readiness, Source, WaiterId, Woken};
use crate::scheduler::shared::Scheduler;
use crate::scheduler::{context, entered, foreign_wakers};

/// Whether a short read says that a socket is empty (`source.rs`). Elsewhere urgent data are not
/// reported, or an event comes again only after an attempt that failed.
const SHORT_SAYS_EMPTY: bool = cfg!(any(target_os = "linux", target_os = "android"));

/// Deregisters and closes the socket when dropped.
pub(crate) struct Registered<S: event::Source> {
    /// `None` only during the drop.
    socket: Option<S>,
    key: usize,
    source: Arc<Source>,
    scheduler: Arc<Scheduler>,
    /// Made by the first deadline.
    deadlines: OnceLock<Box<Deadlines>>,
}

impl<S: event::Source> Registered<S> {
    /// Registers the socket with the reactor of the calling code's runtime.
    pub(crate) fn new(mut socket: S) -> io::Result<Self> {
        let scheduler = entered::surrounding().ok_or_else(outside)?;
        let reactor = scheduler.start_reactor()?;
        let source = Arc::new(Source::new());
        let key = reactor.add(source.clone(), &scheduler.idle).ok_or_else(ended)?;
        if let Err(error) = System::register(&reactor.registry, &mut socket, key) {
            reactor.remove(key);
            return Err(error);
        }
        let (socket, deadlines) = (Some(socket), OnceLock::new());
        Ok(Registered { socket, key, source, scheduler, deadlines })
    }

    pub(crate) fn get(&self) -> &S {
        self.socket.as_ref().expect("it is there until the drop")
    }

    /// The socket itself, which no reactor knows any more.
    pub(crate) fn into_inner(mut self) -> S {
        self.deregister().expect("it is there until the drop")
    }

    /// Ends all operations, now and later.
    pub(crate) fn close(&self) {
        let mut woken = Vec::new();
        self.source.notify(Readiness::CLOSED, &mut woken);
        wake_all(woken);
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.source.state().is_closed()
    }

    /// Its runtime has.
    pub(crate) fn has_ended(&self) -> bool {
        self.source.state().has_ended()
    }

    /// Operations in these directions that are not done by then fail.
    pub(crate) fn set_deadline(&self, directions: &[Direction], deadline: Option<Instant>) {
        if deadline.is_none() && self.deadlines.get().is_none() {
            return;
        }
        let deadlines = self.deadlines.get_or_init(|| Box::new(Deadlines::new(&self.source)));
        for &direction in directions {
            deadlines.of(direction).set(deadline);
            // So that those who wait wait for the new one.
            let mut woken = Vec::new();
            self.source.wake(direction, &mut woken);
            wake_all(woken);
        }
    }

    /// A future that tries `attempt` until the socket is ready for it.
    pub(crate) fn wait_for<R, F>(
        &self,
        direction: Direction,
        operation: Operation,
        attempt: F,
    ) -> WaitFor<'_, S, F>
    where
        F: FnMut(&S) -> io::Result<Attempt<R>>,
    {
        WaitFor { registered: self, direction, operation, attempt, id: None }
    }

    /// The same in steps, for a future with the entry `id`.
    pub(crate) fn poll<R>(
        &self,
        cx: &mut Context<'_>,
        direction: Direction,
        operation: Operation,
        id: &mut Option<WaiterId>,
        mut attempt: impl FnMut(&S) -> io::Result<Attempt<R>>,
    ) -> Poll<io::Result<R>> {
        if !gate::enter(operation, cx.waker()) {
            return Poll::Pending;
        }
        loop {
            self.check_deadline(direction)?;
            let seen = self.source.state();
            if seen.is_closed() {
                return Poll::Ready(Err(closed()));
            }
            if seen.has_ended() {
                return Poll::Ready(Err(ended()));
            }
            if !seen.is_ready(direction) {
                if self.wait(direction, id, cx.waker()) {
                    return Poll::Pending;
                }
                continue;
            }
            match attempt(self.get()) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.source.clear(direction, seen);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Poll::Ready(Err(error)),
                Ok(done) => {
                    if done.is_short && SHORT_SAYS_EMPTY {
                        self.source.clear_after_short(direction, seen);
                    }
                    return Poll::Ready(Ok(done.result));
                }
            }
        }
    }

    /// Takes out the entry of a future that goes.
    pub(crate) fn forget(&self, direction: Direction, id: WaiterId) {
        foreign_wakers::drop_waker(self.source.forget(direction, id));
    }

    fn check_deadline(&self, direction: Direction) -> io::Result<()> {
        match self.deadlines.get() {
            Some(deadlines) => deadlines.of(direction).check(),
            None => Ok(()),
        }
    }

    /// Returns whether `waker` waits.
    #[inline(never)]
    fn wait(&self, direction: Direction, id: &mut Option<WaiterId>, waker: &Waker) -> bool {
        let is_internal =
            context::with_inside(|inside| inside.is_some_and(|inside| inside.is_internal(waker)));
        // A foreign waker's clone runs user code.
        let waiting = self.source.wait(direction, id, waker.clone(), is_internal);
        foreign_wakers::drop_waker(waiting.unused);
        if let Some(evicted) = waiting.evicted {
            foreign_wakers::wake(evicted);
        }
        if !waiting.waits {
            return false;
        }
        if let Some(deadlines) = self.deadlines.get() {
            // Only now: whoever sets another one wakes those who wait.
            deadlines.of(direction).arm(&self.scheduler);
        }
        true
    }

    fn deregister(&mut self) -> Option<S> {
        let mut socket = self.socket.take()?;
        let reactor = self.scheduler.reactor().expect("it was registered there");
        // First the system, which may know the descriptor under other names: they would keep the
        // registration. It cannot fail; and if it did, nobody has that key any more.
        let _ = reactor.registry.deregister(&mut socket);
        reactor.remove(self.key);
        let all = self.source.forget_all();
        all.into_iter().for_each(|woken| foreign_wakers::drop_waker(woken.waker));
        Some(socket)
    }
}

impl<S: event::Source> Drop for Registered<S> {
    fn drop(&mut self) {
        drop(self.deregister());
    }
}

/// What an attempt on a socket that was ready has brought.
pub(crate) struct Attempt<R> {
    result: R,
    /// The socket did less than it was asked for, so another attempt would fail.
    is_short: bool,
}

impl<R> Attempt<R> {
    pub(crate) fn whole(result: R) -> Self {
        Attempt { result, is_short: false }
    }
}

impl Attempt<usize> {
    /// So many bytes of those wanted were read or written.
    pub(crate) fn bytes(count: usize, wanted: usize) -> Self {
        // None at all is the end.
        Attempt { result: count, is_short: 0 < count && count < wanted }
    }
}

/// The future of [`Registered::wait_for`].
pub(crate) struct WaitFor<'a, S: event::Source, F> {
    registered: &'a Registered<S>,
    direction: Direction,
    operation: Operation,
    attempt: F,
    id: Option<WaiterId>,
}

impl<S: event::Source, F> Unpin for WaitFor<'_, S, F> {}

impl<S, R, F> Future for WaitFor<'_, S, F>
where
    S: event::Source,
    F: FnMut(&S) -> io::Result<Attempt<R>>,
{
    type Output = io::Result<R>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        this.registered.poll(cx, this.direction, this.operation, &mut this.id, &mut this.attempt)
    }
}

impl<S: event::Source, F> Drop for WaitFor<'_, S, F> {
    fn drop(&mut self) {
        if let Some(id) = self.id {
            self.registered.forget(self.direction, id);
        }
    }
}

impl Scheduler {
    /// The reactor, started if this is the first use.
    fn start_reactor(&self) -> io::Result<&Reactor<System>> {
        if self.reactor().is_none() {
            let reactor = System::start().map_err(|error| {
                io::Error::new(
                    error.kind(),
                    format!(
                        "the system refuses what it takes to wait for sockets (three descriptors): \
                         {error}; raise the limit of descriptors (`ulimit -n`)"
                    ),
                )
            })?;
            // Another thread may have been faster.
            let _ = self.reactor.set(Box::new(reactor));
        }
        Ok(self.reactor().expect("it has been set"))
    }
}

fn wake_all(woken: Vec<Woken>) {
    woken.into_iter().for_each(|woken| foreign_wakers::wake(woken.waker));
}

fn outside() -> io::Error {
    io::Error::other(
        "a socket was made on a thread that belongs to no gorun runtime, so nobody would wait for its \
         events; make it inside `gorun::block_on`, or while the thread has entered a runtime with \
         `Handle::enter`",
    )
}

fn ended() -> io::Error {
    io::Error::other(
        "the gorun runtime that this socket, or pipe to a child, belongs to has ended, and nobody waits \
         for its events any more; use it before main returns, or take a socket out with `into_std`",
    )
}

fn closed() -> io::Error {
    io::Error::other("this socket has been closed, by its `close` method")
}

#[cfg(all(test, unix))]
mod tests;
