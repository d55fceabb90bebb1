//! A channel: one lock, a buffer, and two lines of those who wait.
//!
//! # Protocol
//!
//! Everything happens under the channel's lock (`inside.rs`), one step after the other:
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
//! # Memory
//!
//! A large value lies in a box, so that a slot without one is a word (`slots.rs`). Slots are given back when
//! they are not needed any more (`waiters.rs`), by whoever leaves his. A buffer grows as values come, to
//! the double each time. A receiver that finds nothing, and waits or says so (`try_recv`), gives it back,
//! but for 16 KiB or one value: so many values had to come that it costs each of them little. No look
//! at each value that is received is needed for this; a buffer that never runs empty is as large as it has
//! ever been.
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
//! - A sender's value that waits in its future: the partner would have to reach into it. So `Send` has room
//!   for the value, which is empty while it waits; `send_from` has none.
//! - A box from the beginning in a `Send` of a large value: without unsafe code there is room for the
//!   value itself, too, and a send that need not wait would allocate.
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

use crate::chan::inside::{Inside, Sending, State};
use crate::chan::lock::{Held, Lock, Locked};
use crate::chan::waiters::{Key, Side, Waiter};
use crate::scheduler::foreign;

pub(crate) struct Core<T> {
    state: Locked<State<T>>,
    pub(crate) capacity: usize,
}

/// What became of an alarm's value.
pub(crate) struct Rung {
    /// Who waits for somebody to take what is in the buffer.
    pub(crate) notice: Option<Key>,
    /// To be woken.
    pub(crate) wake: Option<Waker>,
}

impl<T> Core<T> {
    /// With one sender and one receiver.
    pub(crate) fn new(capacity: usize) -> Self {
        Core { state: Locked::new(State::new()), capacity }
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
    pub(crate) fn look(&self, key: Key, waker: &Waker) -> Option<Option<T>> {
        // The way of most is short, and saves no registers for calls.
        if key.is_kept() { self.look_into(key, waker) } else { self.look_beyond(key, waker) }
    }

    #[cold]
    #[inline(never)]
    fn look_beyond(&self, key: Key, waker: &Waker) -> Option<Option<T>> {
        self.look_into(key, waker)
    }

    #[inline(always)]
    fn look_into(&self, key: Key, waker: &Waker) -> Option<Option<T>> {
        let mut held = self.hold();
        let inside = self.inside(&mut held);
        if inside.state.waiters.is_out(key) {
            return Some(inside.state.free_served(key));
        }
        if inside.state.waiters.will_wake(key, waker) {
            return None;
        }
        drop(held);
        // It may be anybody's, and do anything when it is cloned.
        self.look_with(key, waker.clone())
    }

    #[cold]
    fn look_with(&self, key: Key, waker: Waker) -> Option<Option<T>> {
        let mut held = self.hold();
        let mut inside = self.inside(&mut held);
        if !inside.state.waiters.is_out(key) {
            let former = inside.state.waiters.set_waker(key, waker);
            drop(held);
            foreign::let_go(former);
            return None;
        }
        // Served while it was cloned.
        let found = inside.finish(key);
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
        self.inside(&mut self.hold()).finish(notice).is_some()
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
