//! What the senders and receivers of a broadcast channel share.
//!
//! The allocator may be the user's, and slow. So the boxes of values are made and freed while the
//! channel's lock is free.

#![forbid(unsafe_code)]

use std::collections::VecDeque;
use std::sync::Arc;

use crate::sync::broadcast::error::TryRecvError;
use crate::sync::channel::{Channel, Counted, Opened};

#[track_caller]
pub(super) fn open<T>(capacity: usize, receivers: usize) -> Opened<State<T>> {
    assert!(
        capacity > 0,
        "a broadcast channel needs room for one value; for none, use `channel(0)`"
    );
    Channel::open(
        State { values: VecDeque::new(), capacity, sent: 0, spares: Vec::new() },
        receivers,
    )
}

pub(super) struct State<T> {
    /// Those that somebody has not got yet. The last one is the number `sent - 1`.
    pub(super) values: VecDeque<Slot<T>>,
    pub(super) capacity: usize,
    pub(super) sent: u64,
    /// Empty boxes that the next values use: a value costs no allocation then, nor its release on
    /// another core.
    spares: Vec<Boxed<T>>,
}

/// Shared by those that make their clones of the value.
pub(super) type Boxed<T> = Arc<Option<T>>;

pub(super) struct Slot<T> {
    value: Boxed<T>,
    /// How many receivers have not got it.
    pub(super) remaining: usize,
}

impl<T> State<T> {
    /// How many empty boxes are kept: 64 of values without size, 56 of eight bytes, none above 4,032
    /// bytes.
    const SPARES: usize = 4096 / (64 + size_of::<T>());

    /// The number of the first value.
    fn first(&self) -> u64 {
        self.sent - self.values.len() as u64
    }

    /// The value `next`, which advances. All that has to be dropped without the lock is returned.
    fn receive(&mut self, next: &mut u64) -> Result<Received<T>, TryRecvError> {
        let first = self.first();
        if *next == self.sent {
            return Err(TryRecvError::Empty);
        }
        if *next < first {
            let missed = first - *next;
            *next = first;
            return Err(TryRecvError::Lagged(missed));
        }
        let index = (*next - first) as usize;
        *next += 1;
        let slot = &mut self.values[index];
        slot.remaining -= 1;
        if slot.remaining > 0 {
            return Ok(Received::Shared(slot.value.clone()));
        }
        // Whoever has got this one has got those before it, so it is the first one.
        let slot = self.values.pop_front().expect("just seen");
        self.shrink();
        Ok(self.take(slot.value))
    }

    /// Takes a value that no receiver will get any more out of its box, if nobody makes a clone of it
    /// and the box is kept.
    fn take(&mut self, mut boxed: Boxed<T>) -> Received<T> {
        if self.spares.len() == Self::SPARES {
            return Received::Shared(boxed);
        }
        let Some(value) = Arc::get_mut(&mut boxed).and_then(Option::take) else {
            return Received::Shared(boxed);
        };
        self.spares.push(boxed);
        Received::Own(value)
    }

    /// Puts the value into a spare box, if there is one.
    pub(super) fn fill_spare(&mut self, value: &mut Option<T>) -> Option<Boxed<T>> {
        let mut boxed = self.spares.pop()?;
        *Arc::get_mut(&mut boxed).expect("a spare one has one owner") = value.take();
        Some(boxed)
    }

    /// A value for so many receivers.
    pub(super) fn push(&mut self, value: Boxed<T>, receivers: usize) {
        self.values.push_back(Slot { value, remaining: receivers });
        self.sent += 1;
    }

    /// A receiver goes that has got what is before `next`. Returns what nobody needs any more.
    pub(super) fn unsubscribe(&mut self, next: u64) -> Vec<Slot<T>> {
        let seen = next.saturating_sub(self.first()) as usize;
        self.values.iter_mut().skip(seen).for_each(|slot| slot.remaining -= 1);
        let unneeded = self.values.iter().take_while(|slot| slot.remaining == 0).count();
        let unneeded = self.values.drain(..unneeded).collect();
        self.shrink();
        unneeded
    }

    /// How many values are kept from `next` on.
    pub(super) fn count_from(&self, next: u64) -> usize {
        (self.sent - next.max(self.first())) as usize
    }

    /// Memory follows what is there.
    fn shrink(&mut self) {
        const KEPT: usize = 64;
        if self.values.is_empty() && self.values.capacity() > KEPT {
            self.values = VecDeque::new();
        }
    }
}

impl<T> Counted<State<T>> {
    /// As `State::receive`, and whether more values may come.
    pub(super) fn receive(&mut self, next: &mut u64) -> Result<Received<T>, TryRecvError> {
        match self.state.receive(next) {
            Err(TryRecvError::Empty) if self.senders == 0 => Err(TryRecvError::Closed),
            received => received,
        }
    }
}

/// What a receiver gets under the lock.
pub(super) enum Received<T> {
    Own(T),
    /// Other receivers get it as well, or make their clones of it. Or the box is for the caller to
    /// free.
    Shared(Boxed<T>),
}

impl<T: Clone> Received<T> {
    /// Clones the value, if need be. The caller holds no lock.
    pub(super) fn into_value(self) -> T {
        match self {
            Received::Own(value) => value,
            Received::Shared(boxed) => {
                Arc::unwrap_or_clone(boxed).expect("a box is not emptied on its way")
            }
        }
    }
}
