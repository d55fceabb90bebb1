//! A channel: a lock, a buffer, and two wait queues.
//!
//! # Protocol
//!
//! Each operation runs as one step under the channel's lock (`state.rs`):
//!
//! ```text
//! send     closed: failed  │ a receiver waits: its slot gets the value  │ room: to the buffer  │ wait
//! receive  take from the buffer; a waiting sender puts its value into the room this makes
//!          │ a sender waits: its value  │ closed: nothing more  │ wait
//! cancel   waiting: out of the queue, a sender with its value
//!          served: a receiver's value goes to the next receiver, else back to the buffer's head
//! close    serves all waiters, with nothing: a sender finds its value, a receiver finds none
//! ```
//!
//! A receive that leaves many values in the buffer, while no sender waits, *detaches* them: the next
//! receives take them without this lock (`head.rs`). A `select!` does not detach. A step that finds
//! values, or no room, attaches them first, and `len` counts them. So *the buffer* below means all
//! values.
//!
//! Beside the lock there is `may_receive`. It is false only if the buffer is empty, no value is
//! detached, no sender is queued, and the channel is open. It is written under the lock: true by a
//! value that enters the buffer, by a sender that enters the queue, and by close; false by a receive
//! that takes the last value of an open channel, or finds none, while no sender is queued. A
//! `select!` reads it without the lock before it tries a receive, as a hint. With the locks, before
//! it waits, it reads it again, and then `false` is certain.
//!
//! A waiter owns a slot from when it enters a queue until it collects the outcome, or cancels. A
//! partner *serves* it once. The waiter then finds the outcome in `State::slots`:
//!
//! | slot of a | waiting | served by a partner | served by close |
//! |---|---|---|---|
//! | sender | its value | none | its value |
//! | receiver | none | a value | none |
//! | notice | none | none | none |
//!
//! A *notice* waits in the queue of senders without a value. It is served when the buffer's value
//! has been taken. Only an alarm uses one (`time/channels.rs`), as the one sender of its channel,
//! and it enters the queue under the lock under which it saw a value in the buffer. While it waits
//! no value is detached, so values leave the buffer only through `receive`, which serves the queue
//! of senders when it has made room. So a notice waits only while there is a value in the buffer,
//! and the receive that takes the last value serves it.
//!
//! A case of a `select!` that was decided at another channel may be taken out of the queue without
//! being served (`waiters.rs`). Its slot does not change until its owner cancels: a sender still
//! has its value there, and gets it back.
//!
//! # Memory
//!
//! A large value lies in a box, so an empty slot takes one word (`slots.rs`). The box is made
//! before the lock is taken and freed after it is released. Only the `Vec`s of the slots and the
//! buffers grow and shrink under the lock, once for many values, and the head is made there, once.
//! Each waiter that goes frees its slot, and unused slots are released (`waiters.rs`). The buffer
//! doubles as values arrive. A receive that finds it empty, and waits or fails (`try_recv`),
//! shrinks it to 16 KiB or one value. A buffer grows only as values arrive, so the cost for each
//! value is small. A receive that finds a value checks nothing. A buffer that never becomes empty
//! keeps its largest size. All this holds for the buffer of the head, too.
//!
//! # Invariant
//!
//! Whenever the lock is free: if a receiver waits that a partner can serve, the buffer is empty and
//! no servable sender waits; if a servable sender waits, the buffer has no room; and after `close`
//! no servable waiter is left. A waiter is *servable* unless it is a case of a `select!` that is
//! not waiting (see `claim.rs`).
//!
//! *Sketch.* A waiter enters a queue only after an attempt under the same lock found nothing. A
//! send, and a value that is returned, serve a receiver first, and use the buffer only if no
//! receiver can be served. A receive makes room for one value, which the first sender fills. A
//! `select!` begins to wait under the locks of all its channels, after attempts that found nothing.
//! Passing over a busy `select!` changes nothing, because a busy one is not servable.
//!
//! So a receive need not check the queue of senders before it takes from the buffer, nor a send the
//! buffer before it serves a receiver. Values arrive in the order in which sends were committed,
//! except those that a dropped receive returned.
//!
//! # Rejected
//!
//! - An atomic state for each slot, so that a waiter finds the outcome without the lock: the waiter
//!   has to free the slot anyway, which takes the lock.
//! - A list node inside the future, as in `tokio`: there would be no slot to free, but it needs
//!   unsafe code, and the futures are not `Unpin`.
//! - Putting the value for a waiting receiver into the buffer, and only waking the receiver
//!   (`async-channel`): another receiver may take the value first. Then a rendezvous would look
//!   like a buffer of one, and the queue would not be first come, first served.
//! - Keeping a waiting sender's value in its future: the partner would have to reach into the
//!   future. So `Send` has room for the value, which is empty while it waits; `send_from` has none.
//! - Boxing a large value in a `Send` from the start: without unsafe code the future needs room for
//!   the value itself as well, and a send that does not wait would allocate.
//! - A lock-free ring as the buffer: `select!` has to stop several channels at once.
//!
//! No user code runs under the lock: wakers are cloned, woken and dropped outside, and values are
//! dropped outside. The one exception is the clone of a waker with the functions of the polled
//! goroutine's own, which are gorun's code. A step under the lock is short: the lock's backoff
//! counts on some twenty nanoseconds (`lock.rs`).
//!
//! Each call into user code comes after the state is final, because that code may panic, or use the
//! channel again. `scheduler/foreign_wakers.rs` says what happens to a waker's panic: it withholds
//! no outcome, and every other waiter is still woken.

#![forbid(unsafe_code)]

use std::collections::VecDeque;
use std::fmt;
use std::task::Waker;

use crate::chan::lock::{Lock, LockGuard, Locked};
use crate::chan::outcomes::SendAttempt;
use crate::chan::slots::{Parcel, Slots};
use crate::chan::state::{LockedState, State};
use crate::chan::unlocked::Unlocked;
use crate::chan::waiters::{Side, SlotKey, Waiter};
use crate::scheduler::foreign_wakers;

pub(crate) struct Core<T> {
    state: Locked<State<T>>,
    pub(crate) unlocked: Unlocked<T>,
}

/// The outcome of an alarm's send.
pub(crate) struct Fired {
    /// Waits until the value in the buffer has been taken.
    pub(crate) notice: Option<SlotKey>,
    /// The caller wakes it.
    pub(crate) wake: Option<Waker>,
}

impl<T> Core<T> {
    /// Counts one sender and one receiver.
    pub(crate) fn new(capacity: usize) -> Self {
        Core { state: Locked::new(State::new()), unlocked: Unlocked::new(capacity) }
    }

    /// Returns the lock, which does not carry the type of the values: a `select!` holds the locks
    /// of all its channels.
    #[inline]
    pub(crate) fn lock(&self) -> &Lock {
        self.state.lock()
    }

    #[inline]
    pub(crate) fn acquire(&self) -> LockGuard<'_> {
        self.lock().acquire()
    }

    /// `guard` must hold this channel's lock.
    #[inline]
    pub(crate) fn locked<'g>(&'g self, guard: &'g mut LockGuard<'_>) -> LockedState<'g, T> {
        LockedState { state: self.state.get(guard), unlocked: &self.unlocked }
    }

    /// Returns the content of a waiter's slot if it has been served, and frees the slot. Otherwise
    /// returns `None`, and `waker` will be woken.
    #[inline]
    pub(crate) fn poll_slot(&self, key: SlotKey, waker: &Waker) -> Option<Option<T>> {
        // Most keys are kept ones. Their path is short, and saves no registers for calls.
        if key.is_kept() {
            self.poll_slot_inline(key, waker)
        } else {
            self.poll_far_slot(key, waker)
        }
    }

    #[cold]
    #[inline(never)]
    fn poll_far_slot(&self, key: SlotKey, waker: &Waker) -> Option<Option<T>> {
        self.poll_slot_inline(key, waker)
    }

    #[inline(always)]
    fn poll_slot_inline(&self, key: SlotKey, waker: &Waker) -> Option<Option<T>> {
        let mut guard = self.acquire();
        let locked = self.locked(&mut guard);
        if let Some(parcel) = locked.state.take_if_served(key) {
            drop(guard);
            return Some(parcel.unpack());
        }
        if locked.state.waiters.will_wake(key, waker) {
            return None;
        }
        drop(guard);
        // A foreign waker's clone runs user code.
        self.poll_slot_with_clone(key, waker.clone())
    }

    #[cold]
    fn poll_slot_with_clone(&self, key: SlotKey, waker: Waker) -> Option<Option<T>> {
        let mut guard = self.acquire();
        let mut locked = self.locked(&mut guard);
        if !locked.state.waiters.is_dequeued(key) {
            let former = locked.state.waiters.set_waker(key, waker);
            drop(guard);
            foreign_wakers::drop_waker(former);
            return None;
        }
        // A partner served it during the clone.
        let found = locked.take_outcome(key);
        drop(guard);
        foreign_wakers::drop_waker(waker);
        found.map(Parcel::unpack)
    }

    pub(crate) fn len(&self) -> usize {
        self.locked(&mut self.acquire()).len()
    }

    /// No more values than this can be received without a wait: those in the buffer, and one of each
    /// sender that waits. (Slots that are free count as well.)
    pub(crate) fn most_ready(&self) -> usize {
        let mut guard = self.acquire();
        let locked = self.locked(&mut guard);
        locked.len().saturating_add(locked.state.waiters.len())
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.locked(&mut self.acquire()).state.is_closed
    }

    pub(crate) fn describe(&self, to: &mut fmt::DebugStruct<'_, '_>) -> fmt::Result {
        to.field("capacity", &self.unlocked.capacity)
            .field("len", &self.len())
            .field("is_closed", &self.is_closed())
            .finish_non_exhaustive()
    }

    pub(crate) fn close(&self) {
        let mut wakes = Vec::new();
        self.locked(&mut self.acquire()).close(&mut wakes);
        wakes.into_iter().for_each(foreign_wakers::wake);
    }

    /// The channel must be open.
    pub(crate) fn wake_when_closed(&self, watcher: Waker) {
        self.locked(&mut self.acquire()).state.watcher = Some(watcher);
    }

    /// Sends an alarm's value if there is room, and drops it otherwise. If a value is in the buffer
    /// afterwards, `notice` enters the queue to wait until it is taken; its key is in the result.
    pub(crate) fn fire(&self, value: T, notice: Option<Waker>) -> Fired {
        const { assert!(!Slots::<T>::ARE_BOXED, "the time is small") };
        let mut value = Some(value);
        let mut guard = self.acquire();
        let mut locked = self.locked(&mut guard);
        let (wake, is_open) = match locked.send(&mut value) {
            SendAttempt::Sent(wake) => (wake, true),
            SendAttempt::Full | SendAttempt::Unboxed => (None, true),
            SendAttempt::Closed => (None, false),
        };
        locked.attach_head();
        let is_unread = is_open && !locked.state.buffer.is_empty();
        let notice = notice
            .filter(|_| is_unread)
            .map(|waker| locked.enqueue(Side::Senders, Parcel::EMPTY, Waiter::Alone(waker), 0));
        Fired { notice, wake }
    }

    /// Whether a notice has been served. If so, frees it.
    pub(crate) fn is_taken(&self, notice: SlotKey) -> bool {
        // A notice's parcel is empty.
        self.locked(&mut self.acquire()).take_outcome(notice).is_some()
    }

    pub(crate) fn add_sender(&self) {
        let mut guard = self.acquire();
        let count = &mut self.locked(&mut guard).state.senders;
        *count = count.checked_add(1).expect("fewer than usize::MAX senders");
    }

    /// Closes the channel when the last sender goes.
    pub(crate) fn remove_sender(&self) {
        let mut wakes = Vec::new();
        let mut guard = self.acquire();
        let mut locked = self.locked(&mut guard);
        locked.state.senders -= 1;
        if locked.state.senders == 0 {
            locked.close(&mut wakes);
        }
        drop(guard);
        wakes.into_iter().for_each(foreign_wakers::wake);
    }

    pub(crate) fn add_receiver(&self) {
        let mut guard = self.acquire();
        let count = &mut self.locked(&mut guard).state.receivers;
        *count = count.checked_add(1).expect("fewer than usize::MAX receivers");
    }

    /// Closes the channel when the last receiver goes, and drops the values in it.
    pub(crate) fn remove_receiver(&self) {
        let mut wakes = Vec::new();
        let mut unwanted = <[VecDeque<T>; 2]>::default();
        let mut guard = self.acquire();
        let mut locked = self.locked(&mut guard);
        locked.state.receivers -= 1;
        if locked.state.receivers == 0 {
            locked.close(&mut wakes);
            unwanted = locked.take_all();
        }
        drop(guard);
        wakes.into_iter().for_each(foreign_wakers::wake);
        // Last, since a value's destructor may panic.
        drop(unwanted);
    }
}
