//! The state behind a channel's lock, and the steps of the protocol in `core.rs`.

#![forbid(unsafe_code)]

use std::collections::VecDeque;
use std::mem;
use std::sync::Arc;
use std::task::Waker;

use crate::chan::claim::Claim;
use crate::chan::head::{FEWEST, Head};
use crate::chan::outcomes::{Cancelled, RecvAttempt, SendAttempt};
use crate::chan::slots::{Parcel, Slots};
use crate::chan::unlocked::Unlocked;
use crate::chan::waiters::{Side, SlotKey, Waiter, Waiters};

pub(crate) struct State<T> {
    pub(crate) waiters: Waiters,
    pub(crate) buffer: VecDeque<T>,
    /// How many values the head had when it was detached; 0 if it is attached.
    detached: usize,
    /// Indexed by the numbers of the slots of `waiters`.
    pub(crate) slots: Slots<T>,
    pub(crate) senders: usize,
    pub(crate) receivers: usize,
    pub(crate) is_closed: bool,
    /// Woken when the channel is closed.
    pub(crate) watcher: Option<Waker>,
}

/// An empty buffer keeps this many bytes, or one value.
const KEPT_BYTES: usize = 16 << 10;

/// A channel whose lock is held.
pub(crate) struct LockedState<'g, T> {
    pub(crate) state: &'g mut State<T>,
    pub(crate) unlocked: &'g Unlocked<T>,
}

impl<T> State<T> {
    /// Counts one sender and one receiver.
    pub(crate) fn new() -> Self {
        State {
            waiters: Waiters::new(),
            buffer: VecDeque::new(),
            detached: 0,
            slots: Slots::new(),
            senders: 1,
            receivers: 1,
            is_closed: false,
            watcher: None,
        }
    }

    /// An empty buffer keeps room for this many values.
    const KEPT: usize = match size_of::<T>() {
        0 => usize::MAX,
        1..KEPT_BYTES => KEPT_BYTES / size_of::<T>(),
        _ => 1,
    };

    #[cold]
    #[inline(never)]
    fn shrink_buffer(&mut self) {
        self.buffer.shrink_to(Self::KEPT);
    }

    /// Frees the slot of a single operation and returns its content, if it has been served.
    #[inline(always)]
    pub(crate) fn take_if_served(&mut self, key: SlotKey) -> Option<Parcel<T>> {
        self.waiters.remove_if_served(key).then(|| self.take_freed(key))
    }

    /// Frees a served waiter's slot, and returns its content.
    #[inline(always)]
    fn free_served(&mut self, key: SlotKey) -> Parcel<T> {
        self.waiters.remove_served(key);
        self.take_freed(key)
    }

    #[inline(always)]
    fn take_freed(&mut self, key: SlotKey) -> Parcel<T> {
        let parcel = self.slots.take(key);
        if !key.is_kept() {
            self.truncate_slots();
        }
        parcel
    }

    #[cold]
    #[inline(never)]
    fn truncate_slots(&mut self) {
        self.slots.truncate(self.waiters.len());
    }
}

impl<T> LockedState<'_, T> {
    /// Takes the value if it can be sent now.
    #[inline]
    pub(crate) fn send(&mut self, value: &mut Option<T>) -> SendAttempt {
        if self.state.is_closed {
            return SendAttempt::Closed;
        }
        if self.state.waiters.any(Side::Receivers) {
            if Slots::<T>::ARE_BOXED {
                return SendAttempt::Unboxed;
            }
            if let Some(wake) = self.by_value().send_to_receiver(value) {
                return SendAttempt::Sent(wake);
            }
        }
        if self.has_room()
            && let Some(value) = value.take()
        {
            self.push_back(value);
            return SendAttempt::Sent(None);
        }
        SendAttempt::Full
    }

    /// For functions that are not inlined: they get the references in registers, and not this struct's address.
    #[inline(always)]
    fn by_value(&mut self) -> LockedState<'_, T> {
        LockedState { state: self.state, unlocked: self.unlocked }
    }

    #[inline(always)]
    fn push_back(&mut self, value: T) {
        self.state.buffer.push_back(value);
        self.note_may_receive(true);
    }

    #[inline(always)]
    fn note_may_receive(&self, may: bool) {
        self.unlocked.note_may_receive(may);
    }

    #[inline]
    fn has_room(&mut self) -> bool {
        self.state.buffer.len() + self.state.detached < self.unlocked.capacity
            || self.by_value().makes_room()
    }

    /// Whether there is room after all, as receivers have taken values from the head.
    #[inline(never)]
    fn makes_room(mut self) -> bool {
        self.attach_head();
        self.state.buffer.len() < self.unlocked.capacity
    }

    /// From now on all values are in the buffer.
    #[inline]
    pub(crate) fn attach_head(&mut self) {
        if self.state.detached > 0 {
            self.by_value().attach_detached();
        }
    }

    #[cold]
    #[inline(never)]
    fn attach_detached(self) {
        if let Some(head) = self.unlocked.head() {
            head.attach(&mut self.state.buffer);
        }
        self.state.detached = 0;
    }

    /// Lets receivers take what is in the buffer without the channel's lock. No sender is queued.
    #[cold]
    #[inline(never)]
    fn detach_head(self) {
        self.state.detached = self.state.buffer.len();
        self.unlocked.head_or_new().detach(&mut self.state.buffer);
    }

    #[inline(never)]
    fn send_to_receiver(mut self, value: &mut Option<T>) -> Option<Option<Waker>> {
        self.hand_over(value)
    }

    /// Gives a small value to the first receiver that can be served.
    #[inline(always)]
    pub(crate) fn hand_over(&mut self, value: &mut Option<T>) -> Option<Option<Waker>> {
        let (receiver, wake) = self.state.waiters.serve(Side::Receivers)?;
        debug_assert!(!self.state.is_closed, "who waits at a closed channel");
        self.state.slots.put(receiver, Parcel::pack(value.take()));
        Some(wake)
    }

    /// As `send`, for a large value in its box. An empty box may be left in `parcel`.
    pub(crate) fn send_parcel(&mut self, parcel: &mut Parcel<T>) -> SendAttempt {
        if self.state.is_closed {
            return SendAttempt::Closed;
        }
        if let Some((receiver, wake)) = self.state.waiters.serve(Side::Receivers) {
            self.state.slots.put(receiver, mem::replace(parcel, Parcel::EMPTY));
            return SendAttempt::Sent(wake);
        }
        if self.has_room()
            && let Some(value) = parcel.take_value()
        {
            self.push_back(value);
            return SendAttempt::Sent(None);
        }
        SendAttempt::Full
    }

    /// As `send`, for a value that is in a sender's slot already. It stays there unless it is
    /// `Sent`.
    pub(crate) fn send_waiting(&mut self, sender: SlotKey) -> SendAttempt {
        if self.state.is_closed {
            return SendAttempt::Closed;
        }
        if let Some((receiver, wake)) = self.state.waiters.serve(Side::Receivers) {
            self.state.slots.pass(sender, receiver);
            return SendAttempt::Sent(wake);
        }
        if self.has_room()
            && let Some(value) = self.state.slots.take_value(sender)
        {
            self.push_back(value);
            return SendAttempt::Sent(None);
        }
        SendAttempt::Full
    }

    /// As `receive`, and leaves many values where the next receives find them without this lock.
    #[inline]
    pub(crate) fn receive_first(&mut self) -> RecvAttempt<T> {
        self.receive_and(|locked| {
            if locked.state.buffer.len() >= FEWEST {
                locked.by_value().detach_head();
            }
        })
    }

    #[inline]
    pub(crate) fn receive(&mut self) -> RecvAttempt<T> {
        self.receive_and(|_| {})
    }

    /// Calls `after` if it has left the rest of the buffer as it was.
    #[inline(always)]
    fn receive_and(&mut self, after: impl FnOnce(&mut Self)) -> RecvAttempt<T> {
        debug_assert!(self.unlocked.may_receive() || self.has_nothing(), "values that are missed");
        self.attach_head();
        match self.state.buffer.pop_front() {
            Some(value) if self.state.waiters.any(Side::Senders) => {
                self.by_value().receive_and_refill(value)
            }
            Some(value) => {
                self.note_may_receive(!self.state.buffer.is_empty() | self.state.is_closed);
                after(self);
                RecvAttempt::Received(value, None)
            }
            None if self.state.waiters.any(Side::Senders) => self.by_value().receive_from_sender(),
            None if self.state.is_closed => self.receive_end(),
            None => {
                self.note_may_receive(false);
                RecvAttempt::Empty
            }
        }
    }

    /// Nothing comes any more, so no memory is needed.
    #[cold]
    #[inline(never)]
    fn receive_end(&mut self) -> RecvAttempt<T> {
        self.shrink_idle_buffer();
        RecvAttempt::Closed
    }

    fn has_nothing(&self) -> bool {
        self.is_drained() && !self.state.waiters.any(Side::Senders)
    }

    fn is_drained(&self) -> bool {
        self.state.buffer.is_empty() && self.state.detached == 0 && !self.state.is_closed
    }

    /// Receives a value from the buffer while senders wait.
    #[inline(never)]
    fn receive_and_refill(mut self, value: T) -> RecvAttempt<T> {
        // The buffer may still be full, because of a value that was put back.
        if self.state.buffer.len() < self.unlocked.capacity
            && let Some((next, wake)) = self.take_next()
        {
            // A notice has none.
            if let Some(next) = next {
                self.state.buffer.push_back(next);
            }
            return RecvAttempt::Received(value, wake);
        }
        RecvAttempt::Received(value, None)
    }

    /// Receives while the buffer is empty and senders wait.
    #[inline(never)]
    fn receive_from_sender(mut self) -> RecvAttempt<T> {
        match self.take_next() {
            Some((Some(value), wake)) => RecvAttempt::Received(value, wake),
            Some((None, _)) => unreachable!("a notice waits while there is a value in the buffer"),
            None if self.state.is_closed => RecvAttempt::Closed,
            None => RecvAttempt::Empty,
        }
    }

    /// Serves the first sender that can be served, and takes its value; a notice has no value.
    #[inline(always)]
    fn take_next(&mut self) -> Option<(Option<T>, Option<Waker>)> {
        let (sender, wake) = self.state.waiters.serve(Side::Senders)?;
        Some((self.state.slots.take_value(sender), wake))
    }

    /// Enters a queue, after an attempt under the same lock. A sender brings its value, a `select!`
    /// the number of its case.
    #[inline(always)]
    pub(crate) fn enqueue(
        &mut self,
        side: Side,
        value: Parcel<T>,
        waiter: Waiter,
        case: u8,
    ) -> SlotKey {
        match side {
            Side::Receivers => {
                debug_assert!(self.is_drained(), "a value that nobody will take");
                self.shrink_idle_buffer();
            }
            Side::Senders => self.note_may_receive(true),
        }
        let key = self.state.waiters.enqueue(side, waiter, case);
        self.state.slots.insert(key, value);
        key
    }

    /// Puts a large value into a slot that is in no queue. A `select!` sends it from there, or
    /// waits with it: its boxes are made before it takes the locks of all its channels.
    pub(crate) fn park(&mut self, value: Parcel<T>) -> SlotKey {
        let key = self.state.waiters.park();
        self.state.slots.insert(key, value);
        key
    }

    /// Enters the queue with a parked value, or keeps its place there. No partner has decided the
    /// select, so a slot that is in no queue is parked.
    pub(crate) fn enqueue_parked(&mut self, key: SlotKey, claim: &Arc<Claim>, case: u8) -> SlotKey {
        if !self.state.waiters.is_dequeued(key) {
            return key;
        }
        let cancelled = self.cancel(Side::Senders, key);
        self.enqueue(Side::Senders, cancelled.parcel, Waiter::Case(Some(claim.clone())), case)
    }

    /// Shrinks the buffer. The caller found it empty.
    #[inline(always)]
    pub(crate) fn shrink_idle_buffer(&mut self) {
        if self.state.buffer.capacity() > State::<T>::KEPT {
            self.state.shrink_buffer();
        }
        if let Some(head) = self.unlocked.head() {
            Self::shrink_head(head);
        }
    }

    #[cold]
    #[inline(never)]
    fn shrink_head(head: &Head<T>) {
        head.shrink(State::<T>::KEPT);
    }

    pub(crate) fn len(&self) -> usize {
        let detached = match self.state.detached {
            0 => 0,
            _ => self.unlocked.head().map_or(0, |head| head.len()),
        };
        self.state.buffer.len() + detached
    }

    /// Takes all values, and the memory that is left of both buffers.
    pub(crate) fn take_all(&mut self) -> [VecDeque<T>; 2] {
        self.attach_head();
        let spare = self.unlocked.head().map(|head| head.take_memory());
        [mem::take(&mut self.state.buffer), spare.unwrap_or_default()]
    }

    /// Returns a waiter's slot content if it has been served, and frees the slot. `None` if it
    /// still waits.
    #[inline(always)]
    pub(crate) fn take_outcome(&mut self, key: SlotKey) -> Option<Parcel<T>> {
        if !self.state.waiters.is_dequeued(key) {
            return None;
        }
        Some(self.state.free_served(key))
    }

    /// Leaves, served or not. A sender gets its value back unless it was sent. A value that a
    /// receiver was given goes to the next receiver, or back to the buffer's head.
    pub(crate) fn cancel(&mut self, side: Side, key: SlotKey) -> Cancelled<T> {
        let waiter = self.state.waiters.remove(side, key);
        let mut wake = None;
        if let Side::Receivers = side
            && self.state.slots.has(key)
        {
            match self.state.waiters.serve(Side::Receivers) {
                Some((next, waker)) => {
                    wake = waker;
                    self.state.slots.pass(key, next);
                }
                None => {
                    let value = self.state.slots.take_value(key).expect("it has one");
                    self.attach_head();
                    self.state.buffer.push_front(value);
                    self.note_may_receive(true);
                }
            }
        }
        let parcel = self.state.slots.take(key);
        if !key.is_kept() {
            self.state.truncate_slots();
        }
        Cancelled { parcel, wake, waiter }
    }

    /// Takes the value back from a waiting sender, which keeps its place.
    pub(crate) fn take_back(&mut self, sender: SlotKey) -> Option<T> {
        self.state.slots.take_value(sender)
    }

    pub(crate) fn close(&mut self, wakes: &mut Vec<Waker>) {
        self.state.is_closed = true;
        self.note_may_receive(true);
        wakes.extend(self.state.watcher.take());
        for side in [Side::Senders, Side::Receivers] {
            while let Some((_, waker)) = self.state.waiters.serve(side) {
                wakes.extend(waker);
            }
        }
    }
}
