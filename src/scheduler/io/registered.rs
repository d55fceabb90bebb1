//! A socket as its owner holds it: registered with the reactor of a runtime, and used by futures.

#![forbid(unsafe_code)]

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, Waker, ready};
use std::time::Instant;

use mio::event;

use crate::scheduler::gate;
use crate::scheduler::io::deadlines::Deadlines;
use crate::scheduler::io::surroundings::{check_real, closed, ended, surrounding};
use crate::scheduler::io::system::System;
use crate::scheduler::operation::Operation;
use crate::scheduler::reactor::Reactor;
use crate::scheduler::reactor::source::{
    Direction, Readiness, Source, State, WaiterId, Waiting, Woken,
};
use crate::scheduler::shared::Scheduler;
use crate::scheduler::{context, entered, foreign_wakers};
use crate::system_error::failed_with_advice;

/// Whether a short read says that a socket is empty (`source.rs`). Elsewhere urgent data are not
/// reported, or an event comes again only after an attempt that failed.
const SHORT_SAYS_EMPTY: bool = cfg!(any(target_os = "linux", target_os = "android"));

/// No source has that.
const NO_KEY: usize = usize::MAX;

/// Deregisters and closes the socket when dropped.
pub(crate) struct Registered<S: event::Source> {
    /// `None` only during the drop.
    socket: Option<S>,
    /// In a simulation there is none: its network notifies the source.
    pub(super) key: usize,
    pub(super) source: Arc<Source>,
    pub(super) scheduler: Arc<Scheduler>,
    /// Made by the first deadline.
    deadlines: OnceLock<Box<Deadlines>>,
}

impl<S: event::Source> Registered<S> {
    /// Registers the socket with the reactor of the calling code's runtime.
    pub(crate) fn new(socket: S) -> io::Result<Self> {
        Registered::with(surrounding()?, socket)
    }

    /// Registers a socket that this one has brought: with the reactor of the calling code's runtime,
    /// or, where there is none, with the same as this one.
    pub(crate) fn register<T: event::Source>(&self, socket: T) -> io::Result<Registered<T>> {
        let scheduler = entered::surrounding().unwrap_or_else(|| self.scheduler.clone());
        Registered::with(scheduler, socket)
    }

    /// One of a simulated network, which notifies `source`.
    pub(crate) fn simulated(socket: S, source: Arc<Source>) -> io::Result<Self> {
        let (socket, deadlines) = (Some(socket), OnceLock::new());
        Ok(Registered { socket, key: NO_KEY, source, scheduler: surrounding()?, deadlines })
    }

    fn with(scheduler: Arc<Scheduler>, mut socket: S) -> io::Result<Self> {
        check_real(&scheduler)?;
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

    #[cfg(unix)]
    pub(crate) fn get_mut(&mut self) -> &mut S {
        self.socket.as_mut().expect("it is there until the drop")
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

    /// Those that wait to read try again: nothing comes any more.
    pub(crate) fn end_reads(&self) {
        let mut woken = Vec::new();
        self.source.notify(Readiness::READ_CLOSED, &mut woken);
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
        WaitFor { entry: self.entry(direction), operation, attempt }
    }

    /// For a future that does several operations, one after the other.
    pub(crate) fn entry(&self, direction: Direction) -> Entry<'_, S> {
        Entry { registered: self, direction, id: None }
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
        if !gate::enter(cx.waker()) {
            return Poll::Pending;
        }
        loop {
            let seen = ready!(gate::note_wait(operation, self.poll_turn(cx, direction, id)))?;
            let result = attempt(self.get());
            if let Some(result) = self.judge(direction, seen, result) {
                return Poll::Ready(result);
            }
        }
    }

    /// The same for an attempt that needs the socket alone.
    #[cfg(unix)]
    pub(crate) fn poll_mut<R>(
        &mut self,
        cx: &mut Context<'_>,
        direction: Direction,
        operation: Operation,
        id: &mut Option<WaiterId>,
        mut attempt: impl FnMut(&mut S) -> io::Result<Attempt<R>>,
    ) -> Poll<io::Result<R>> {
        if !gate::enter(cx.waker()) {
            return Poll::Pending;
        }
        loop {
            let seen = ready!(gate::note_wait(operation, self.poll_turn(cx, direction, id)))?;
            let result = attempt(self.get_mut());
            if let Some(result) = self.judge(direction, seen, result) {
                return Poll::Ready(result);
            }
        }
    }

    /// Waits until the next attempt is worth it.
    #[inline]
    fn poll_turn(
        &self,
        cx: &mut Context<'_>,
        direction: Direction,
        id: &mut Option<WaiterId>,
    ) -> Poll<io::Result<State>> {
        loop {
            let seen = self.check(direction)?;
            if seen.is_ready(direction) {
                return Poll::Ready(Ok(seen));
            }
            if self.wait(direction, id, cx.waker()) {
                return Poll::Pending;
            }
        }
    }

    /// What an attempt has brought, unless another one has to follow.
    #[inline]
    fn judge<R>(
        &self,
        direction: Direction,
        seen: State,
        result: io::Result<Attempt<R>>,
    ) -> Option<io::Result<R>> {
        match result {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.source.clear(direction, seen);
                None
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => None,
            Err(error) => Some(Err(error)),
            Ok(done) => {
                if done.is_short && SHORT_SAYS_EMPTY {
                    self.source.clear_after_short(direction, seen);
                }
                Some(Ok(done.result))
            }
        }
    }

    /// An operation on no bytes, for which the socket need not be ready.
    pub(crate) fn poll_empty(
        &self,
        cx: &mut Context<'_>,
        direction: Direction,
    ) -> Poll<io::Result<usize>> {
        if !gate::enter(cx.waker()) {
            return Poll::Pending;
        }
        Poll::Ready(self.check(direction).map(|_| 0))
    }

    /// Takes out the entry of a future that goes.
    pub(crate) fn forget(&self, direction: Direction, id: WaiterId) {
        foreign_wakers::drop_waker(self.source.forget(direction, id));
    }

    /// What the socket is ready for, if its deadline has not passed and it has not ended.
    #[inline]
    pub(super) fn check(&self, direction: Direction) -> io::Result<State> {
        if let Some(deadlines) = self.deadlines.get() {
            deadlines.of(direction).check()?;
        }
        match self.source.state() {
            seen if seen.is_closed() => Err(closed(&self.scheduler)),
            seen if seen.has_ended() => Err(ended()),
            seen => Ok(seen),
        }
    }

    /// Returns whether `waker` waits until the socket is ready.
    pub(super) fn wait(
        &self,
        direction: Direction,
        id: &mut Option<WaiterId>,
        waker: &Waker,
    ) -> bool {
        self.enter(Source::wait, direction, id, waker)
    }

    /// Enters `waker` by `wait`. Returns whether it waits.
    #[inline(never)]
    pub(super) fn enter(
        &self,
        wait: fn(&Source, Direction, &mut Option<WaiterId>, Waker, bool) -> Waiting,
        direction: Direction,
        id: &mut Option<WaiterId>,
        waker: &Waker,
    ) -> bool {
        let is_internal =
            context::with_inside(|inside| inside.is_some_and(|inside| inside.is_internal(waker)));
        // A foreign waker's clone runs user code.
        let waiting = wait(&self.source, direction, id, waker.clone(), is_internal);
        foreign_wakers::drop_waker(waiting.unused);
        waiting.asked.into_iter().for_each(foreign_wakers::wake);
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
        if self.key != NO_KEY {
            let reactor = self.scheduler.reactor().expect("it was registered there");
            // First the system, which may know the descriptor under other names: they would keep the
            // registration. It cannot fail; and if it did, nobody has that key any more.
            let _ = reactor.registry.deregister(&mut socket);
            reactor.remove(self.key);
        }
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

/// The entry of a future among those that wait for a socket. It is taken out when dropped.
pub(crate) struct Entry<'a, S: event::Source> {
    pub(super) registered: &'a Registered<S>,
    pub(super) direction: Direction,
    pub(super) id: Option<WaiterId>,
}

impl<S: event::Source> Entry<'_, S> {
    pub(crate) fn poll<R>(
        &mut self,
        cx: &mut Context<'_>,
        operation: Operation,
        attempt: impl FnMut(&S) -> io::Result<Attempt<R>>,
    ) -> Poll<io::Result<R>> {
        self.registered.poll(cx, self.direction, operation, &mut self.id, attempt)
    }
}

impl<S: event::Source> Drop for Entry<'_, S> {
    fn drop(&mut self) {
        if let Some(id) = self.id {
            self.registered.forget(self.direction, id);
        }
    }
}

/// The future of [`Registered::wait_for`].
pub(crate) struct WaitFor<'a, S: event::Source, F> {
    entry: Entry<'a, S>,
    operation: Operation,
    attempt: F,
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
        this.entry.poll(cx, this.operation, &mut this.attempt)
    }
}

impl Scheduler {
    /// The reactor, started if this is the first use.
    fn start_reactor(&self) -> io::Result<&Reactor<System>> {
        if self.reactor().is_none() {
            let reactor = System::start().map_err(|error| {
                let what =
                    "the system refuses what it takes to wait for sockets (three descriptors)";
                let advice = "; raise the limit of descriptors (`ulimit -n`)";
                failed_with_advice(what.to_owned(), error, advice)
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

#[cfg(all(test, unix))]
mod tests;
