//! A channel: one lock, a buffer, and two lines of those who wait.
//!
//! # Protocol
//!
//! Everything happens under the channel's lock, one step after the other:
//!
//! ```text
//! send     closed: failed  │ a receiver waits: its slot gets the value  │ room: to the buffer  │ wait
//! receive  the buffer's first; a sender that waits puts its value into the room this makes
//!          │ a sender waits: its value  │ closed: nothing more  │ wait
//! leave    waiting: out of the line, a sender with its value
//!          served: a receiver's value goes to the next receiver, else back to the buffer's head
//! close    all who wait are served, with nothing: a sender finds its value, a receiver finds none
//! ```
//!
//! A waiter owns a slot from when it joins a line until it comes to look, or leaves. It is *served*
//! once, by a partner, and finds the outcome in `State::slots`:
//!
//! | slot of a | waiting | served by a partner | served by close |
//! |---|---|---|---|
//! | sender | its value | none | its value |
//! | receiver | none | a value | none |
//! | notice | none | none | none |
//!
//! A *notice* stands in the line of senders without a value: it wants to know when the buffer's value is
//! taken. It is for a channel that has one sender, an alarm (`time/alarm.rs`), and joins under the lock
//! under which there was a value in the buffer. Values leave an open channel's buffer only through
//! `receive`, which serves the line of senders when it has made room. So a notice waits only while there
//! is a value in the buffer, and is served by whoever takes the last one.
//!
//! A case of a `select!` that was decided at another channel may be taken out of the line without being
//! served (`waiters.rs`). Its slot stays as it was while it waited, until its owner leaves: a sender
//! still has its value there, and gets it back.
//!
//! # Invariant
//!
//! Whenever the lock is free: if a receiver waits that a partner could serve, the buffer is empty and
//! no sender waits that could be served; if such a sender waits, the buffer has no room; and after
//! `close` nobody waits that could be served. "Could be served": it is no case of a `select!`, or of
//! one that waits (see `claim.rs`).
//!
//! *Sketch.* Joining: only after an attempt under the same lock found nothing. Sending and returning
//! a value: to a receiver first, and to the buffer only if none can be served. Receiving: makes room
//! for one, which the first sender fills. A `select!` begins to wait under the locks of all its
//! channels, after attempts that found nothing. And passing over one that is busy changes nothing,
//! because it does not count.
//!
//! So a receiver need not look at the line of senders before it takes from the buffer, nor the other
//! way round, and values arrive in the order in which sends were committed, save those that came back
//! from a receive that was dropped.
//!
//! # Rejected
//!
//! - A slot's state in an atomic of its own, so that a waiter looks without the lock: it has to free
//!   the slot anyway, which takes the lock.
//! - A list node inside the future, as `tokio` has it: no slot to free, but unsafe code, and futures
//!   that are not `Unpin`.
//! - Counting a value that was given to a waiting receiver into the buffer, and only waking the
//!   receiver (`async-channel`): somebody else may take it first, so a rendezvous could not be told
//!   from a buffer of one, and the line is not first come, first served.
//! - A lock-free ring for the buffer: `select!` needs to hold several channels still at once.
//!
//! No code of the user runs under the lock: wakers are cloned, woken and dropped, and values dropped,
//! outside. The one exception is a clone of the polled goroutine's own waker, which is ours.
//!
//! Each of these calls comes when all state is as it is to stay, since it may panic, or come back in. What
//! becomes of a waker's panic says `scheduler/foreign.rs`: it keeps no outcome back, and nobody from being
//! woken.

#![forbid(unsafe_code)]

use std::collections::VecDeque;
use std::fmt;
use std::task::Waker;

use crate::chan::lock::{Held, Lock, Locked};
use crate::chan::waiters::{Key, Side, Waiter, Waiters};
use crate::scheduler::foreign;

pub(crate) struct Core<T> {
    state: Locked<State<T>>,
    pub(crate) capacity: usize,
}

struct State<T> {
    waiters: Waiters,
    buffer: VecDeque<T>,
    /// With the numbers of the slots of `waiters`.
    slots: Vec<Option<T>>,
    senders: usize,
    receivers: usize,
    is_closed: bool,
    /// To be woken when it is closed.
    watcher: Option<Waker>,
}

/// A channel whose lock is held.
pub(crate) struct Inside<'g, T> {
    state: &'g mut State<T>,
    capacity: usize,
}

/// What became of an attempt to send. Unless it is `Sent` the value is where it was.
pub(crate) enum Sending {
    /// Whom to wake.
    Sent(Option<Waker>),
    Full,
    Closed,
}

/// What became of an attempt to receive.
pub(crate) enum Receiving<T> {
    /// A value, and whom to wake.
    Received(T, Option<Waker>),
    Empty,
    Closed,
}

/// What became of an alarm's value.
pub(crate) struct Rung {
    /// Who waits for somebody to take what is in the buffer.
    pub(crate) notice: Option<Key>,
    /// To be woken.
    pub(crate) wake: Option<Waker>,
}

/// What a waiter that leaves hands to its owner, for when the lock is free.
#[must_use]
pub(crate) struct Left<T> {
    value: Option<T>,
    /// To be woken.
    wake: Option<Waker>,
    waiter: Waiter,
}

impl<T> Left<T> {
    /// Lets go of the waker, and wakes who is to be woken. The lock is free.
    #[inline]
    pub(crate) fn settle(self) -> Option<T> {
        foreign::let_go(self.waiter);
        if let Some(waker) = self.wake {
            foreign::wake(waker);
        }
        self.value
    }
}

impl<T> Core<T> {
    /// With one sender and one receiver.
    pub(crate) fn new(capacity: usize) -> Self {
        let state = State {
            waiters: Waiters::new(),
            buffer: VecDeque::new(),
            slots: Vec::new(),
            senders: 1,
            receivers: 1,
            is_closed: false,
            watcher: None,
        };
        Core { state: Locked::new(state), capacity }
    }

    /// Without the type of the values, so that a `select!` can hold those of all its channels.
    #[inline]
    pub(crate) fn lock(&self) -> &Lock {
        self.state.lock()
    }

    #[inline]
    pub(crate) fn hold(&self) -> Held<'_> {
        self.lock().hold()
    }

    /// The lock that is held is this channel's.
    #[inline]
    pub(crate) fn inside<'g>(&'g self, held: &'g mut Held<'_>) -> Inside<'g, T> {
        Inside { state: self.state.get(held), capacity: self.capacity }
    }

    /// What one that waits finds when it is polled: its slot, if it has been served, which it owns no
    /// more; or `None`, and `waker` is woken in time.
    #[inline]
    pub(crate) fn look(&self, side: Side, key: Key, waker: &Waker) -> Option<Option<T>> {
        let mut held = self.hold();
        let mut inside = self.inside(&mut held);
        let found = inside.finish(side, key);
        if found.is_some() || inside.state.waiters.will_wake(key, waker) {
            return found;
        }
        drop(held);
        // It may be anybody's, and do anything when it is cloned.
        self.look_with(side, key, waker.clone())
    }

    #[cold]
    fn look_with(&self, side: Side, key: Key, waker: Waker) -> Option<Option<T>> {
        let mut held = self.hold();
        let mut inside = self.inside(&mut held);
        if !inside.state.waiters.is_out(key) {
            let former = inside.state.waiters.set_waker(key, waker);
            drop(held);
            foreign::let_go(former);
            return None;
        }
        // Served while it was cloned.
        let found = inside.finish(side, key);
        drop(held);
        foreign::let_go(waker);
        found
    }

    pub(crate) fn len(&self) -> usize {
        self.inside(&mut self.hold()).state.buffer.len()
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.inside(&mut self.hold()).state.is_closed
    }

    pub(crate) fn describe(&self, to: &mut fmt::DebugStruct<'_, '_>) -> fmt::Result {
        to.field("capacity", &self.capacity)
            .field("len", &self.len())
            .field("is_closed", &self.is_closed())
            .finish_non_exhaustive()
    }

    pub(crate) fn close(&self) {
        let mut wakes = Vec::new();
        self.inside(&mut self.hold()).close(&mut wakes);
        wakes.into_iter().for_each(foreign::wake);
    }

    /// For a channel that is open.
    pub(crate) fn wake_when_closed(&self, watcher: Waker) {
        self.inside(&mut self.hold()).state.watcher = Some(watcher);
    }

    /// Sends a value of an alarm, if there is room, and otherwise drops it. If there is one in the buffer
    /// then, `notice` waits for somebody to take it, with the key that comes back.
    pub(crate) fn ring(&self, value: T, notice: Option<Waker>) -> Rung {
        let mut value = Some(value);
        let mut held = self.hold();
        let mut inside = self.inside(&mut held);
        let (wake, is_open) = match inside.send(&mut value) {
            Sending::Sent(wake) => (wake, true),
            Sending::Full => (None, true),
            Sending::Closed => (None, false),
        };
        let is_left = is_open && !inside.state.buffer.is_empty();
        let notice = notice
            .filter(|_| is_left)
            .map(|waker| inside.join(Side::Senders, None, Waiter::Alone(waker), 0));
        Rung { notice, wake }
    }

    /// Whether a notice has been served. It is gone then.
    pub(crate) fn is_taken(&self, notice: Key) -> bool {
        self.inside(&mut self.hold()).finish(Side::Senders, notice).is_some()
    }

    pub(crate) fn add_sender(&self) {
        let mut held = self.hold();
        let count = &mut self.inside(&mut held).state.senders;
        *count = count.checked_add(1).expect("fewer than usize::MAX senders");
    }

    /// The last one closes the channel.
    pub(crate) fn remove_sender(&self) {
        let mut wakes = Vec::new();
        let mut held = self.hold();
        let mut inside = self.inside(&mut held);
        inside.state.senders -= 1;
        if inside.state.senders == 0 {
            inside.close(&mut wakes);
        }
        drop(held);
        wakes.into_iter().for_each(foreign::wake);
    }

    pub(crate) fn add_receiver(&self) {
        let mut held = self.hold();
        let count = &mut self.inside(&mut held).state.receivers;
        *count = count.checked_add(1).expect("fewer than usize::MAX receivers");
    }

    /// The last one closes the channel, and drops what is in it.
    pub(crate) fn remove_receiver(&self) {
        let mut wakes = Vec::new();
        let mut unwanted = VecDeque::new();
        let mut held = self.hold();
        let mut inside = self.inside(&mut held);
        inside.state.receivers -= 1;
        if inside.state.receivers == 0 {
            inside.close(&mut wakes);
            unwanted = std::mem::take(&mut inside.state.buffer);
        }
        drop(held);
        wakes.into_iter().for_each(foreign::wake);
        // Last, since a value may panic.
        drop(unwanted);
    }
}

impl<T> Inside<'_, T> {
    /// Takes the value if it can be sent now.
    #[inline]
    pub(crate) fn send(&mut self, value: &mut Option<T>) -> Sending {
        if self.state.is_closed {
            return Sending::Closed;
        }
        if self.state.waiters.any(Side::Receivers)
            && let Some(wake) = self.give(value)
        {
            return Sending::Sent(wake);
        }
        if self.state.buffer.len() < self.capacity
            && let Some(value) = value.take()
        {
            self.state.buffer.push_back(value);
            return Sending::Sent(None);
        }
        Sending::Full
    }

    /// Gives the value to the first receiver that can be served.
    #[inline(never)]
    fn give(&mut self, value: &mut Option<T>) -> Option<Option<Waker>> {
        let (receiver, wake) = self.state.waiters.serve(Side::Receivers)?;
        *self.slot(receiver) = value.take();
        Some(wake)
    }

    #[inline]
    pub(crate) fn receive(&mut self) -> Receiving<T> {
        match self.state.buffer.pop_front() {
            Some(value) if self.state.waiters.any(Side::Senders) => self.receive_and_refill(value),
            Some(value) => Receiving::Received(value, None),
            None if self.state.waiters.any(Side::Senders) => self.receive_from_sender(),
            None if self.state.is_closed => Receiving::Closed,
            None => Receiving::Empty,
        }
    }

    /// A value was received from the buffer while senders wait.
    #[inline(never)]
    fn receive_and_refill(&mut self, value: T) -> Receiving<T> {
        // It may still be full, with a value that came back.
        if self.state.buffer.len() < self.capacity
            && let Some((next, wake)) = self.take_next()
        {
            // A notice has none.
            if let Some(next) = next {
                self.state.buffer.push_back(next);
            }
            return Receiving::Received(value, wake);
        }
        Receiving::Received(value, None)
    }

    /// The buffer is empty, and senders wait.
    #[inline(never)]
    fn receive_from_sender(&mut self) -> Receiving<T> {
        match self.take_next() {
            Some((Some(value), wake)) => Receiving::Received(value, wake),
            Some((None, _)) => unreachable!("a notice waits while there is a value in the buffer"),
            None if self.state.is_closed => Receiving::Closed,
            None => Receiving::Empty,
        }
    }

    /// The first sender that can be served, with its value; a notice has none.
    #[inline(always)]
    fn take_next(&mut self) -> Option<(Option<T>, Option<Waker>)> {
        let (sender, wake) = self.state.waiters.serve(Side::Senders)?;
        Some((self.slot(sender).take(), wake))
    }

    /// Joins a line, after an attempt under the same lock: a sender with its value, a `select!` with
    /// the number of its case.
    #[inline(always)]
    pub(crate) fn join(&mut self, side: Side, value: Option<T>, waiter: Waiter, case: u8) -> Key {
        let key = self.state.waiters.join(side, waiter, case);
        match self.state.slots.get_mut(key.0 as usize) {
            Some(slot) => *slot = value,
            None => self.state.slots.push(value),
        }
        key
    }

    /// What one that waited has in its slot after it has been served; it owns the slot no more.
    /// `None` if it waits still.
    #[inline(always)]
    pub(crate) fn finish(&mut self, side: Side, key: Key) -> Option<Option<T>> {
        if !self.state.waiters.is_out(key) {
            return None;
        }
        // There is nothing in it to be dropped: who served it took the waker, and a `select!` has a
        // reference of its own to its claim.
        drop(self.state.waiters.leave(side, key));
        Some(self.slot(key).take())
    }

    /// Leaves, served or not, without looking. A sender gets its value back, unless it was sent; what
    /// a receiver was given goes to the next one, or back to where it came from.
    pub(crate) fn leave(&mut self, side: Side, key: Key) -> Left<T> {
        let waiter = self.state.waiters.leave(side, key);
        let mut left = Left { value: self.slot(key).take(), wake: None, waiter };
        if let Side::Receivers = side
            && left.value.is_some()
        {
            match self.state.waiters.serve(Side::Receivers) {
                Some((next, waker)) => {
                    left.wake = waker;
                    *self.slot(next) = left.value.take();
                }
                None => self.state.buffer.push_front(left.value.take().expect("it is some")),
            }
        }
        left
    }

    /// The value of a sender that waits, for another attempt, or put back after one.
    #[inline]
    pub(crate) fn slot(&mut self, key: Key) -> &mut Option<T> {
        &mut self.state.slots[key.0 as usize]
    }

    fn close(&mut self, wakes: &mut Vec<Waker>) {
        self.state.is_closed = true;
        wakes.extend(self.state.watcher.take());
        for side in [Side::Senders, Side::Receivers] {
            while let Some((_, waker)) = self.state.waiters.serve(side) {
                wakes.extend(waker);
            }
        }
    }
}
