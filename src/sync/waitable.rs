//! Some state, and the tasks that wait for it to change: the basis of all of [`sync`](super).
//!
//! One lock protects the state and the queue of waiters. Nothing that belongs to a user runs under
//! it: wakers are cloned before it is taken, and called and dropped after it has been released
//! (`scheduler/foreign_wakers.rs`). So a waker, or the destructor of a value, may come back in.
//!
//! # Waiting
//!
//! A poll *attempts* its operation under the lock. If that cannot be done yet, the poll clones its
//! waker without the lock (unless that is one of ours), and makes another attempt before it enters the
//! queue under the same lock. So a change either comes before the last attempt, which sees it, or finds
//! the waker in the queue.
//!
//! A waiter that was *granted* something has a permit, or a notification. If its future is dropped
//! before it has seen that, the future passes it on. So these operations need not withdraw when a
//! `timeout` asks for it: if an operation is reported as late, what it was granted goes to the
//! next one when the future is dropped. In that poll nobody gets a lock or permits that it waits for
//! (`acquire.rs`). Waiters that were *released*, all at once, have nothing to
//! pass on. Their operations withdraw (`wait_until.rs`).
//!
//! Modelled in `tests/models/permits.rs`.

#![forbid(unsafe_code)]

use std::task::{Poll, Waker};

use crate::chan::lock::Locked;
use crate::primitives::const_fn;
use crate::scheduler::{context, foreign_wakers};
use crate::sync::wait_queue::{Key, WaitQueue, WaiterState};

pub(crate) struct Waitable<S> {
    inner: Locked<Inner<S>>,
}

pub(crate) struct Inner<S> {
    pub(crate) state: S,
    pub(crate) queue: WaitQueue,
}

/// What an attempt can use.
pub(crate) struct Attempt<'a, S> {
    pub(crate) state: &'a mut S,
    pub(crate) waiter: WaiterState,
    key: Option<Key>,
    /// The task enters the queue, or stays in it, if this attempt fails.
    pub(crate) will_wait: bool,
    pub(crate) queue: &'a mut WaitQueue,
    pub(crate) wakes: &'a mut WakeList,
}

/// Wakers to call, and others to drop, once the lock is released.
#[derive(Default)]
#[must_use = "the wakers in it have to be called"]
pub(crate) struct WakeList {
    to_wake: Option<Waker>,
    to_drop: Option<Waker>,
    /// Usually there are no more.
    others: Option<Box<Others>>,
}

#[derive(Default)]
struct Others {
    to_wake: Vec<Waker>,
    to_drop: Vec<Waker>,
}

impl WakeList {
    #[inline]
    pub(crate) fn wake_later(&mut self, waker: Option<Waker>) {
        match self.to_wake {
            None => self.to_wake = waker,
            Some(_) => self.others.get_or_insert_default().to_wake.extend(waker),
        }
    }

    #[inline]
    pub(crate) fn drop_later(&mut self, waker: Option<Waker>) {
        match (&self.to_drop, waker) {
            (_, None) => {}
            (None, waker) => self.to_drop = waker,
            (Some(_), waker) => self.others.get_or_insert_default().to_drop.extend(waker),
        }
    }

    /// Takes all out of the queue.
    pub(crate) fn release_all(&mut self, queue: &mut WaitQueue) {
        while !queue.is_empty() {
            self.wake_later(queue.pop_front(WaiterState::Released));
        }
    }

    /// The caller holds no lock.
    #[inline(always)]
    fn finish(self) {
        if let Some(waker) = self.to_wake {
            foreign_wakers::wake(waker);
        }
        if let Some(waker) = self.to_drop {
            foreign_wakers::drop_waker(waker);
        }
        if let Some(others) = self.others {
            others.finish();
        }
    }
}

impl Others {
    #[inline(never)]
    fn finish(self) {
        self.to_wake.into_iter().for_each(foreign_wakers::wake);
        self.to_drop.into_iter().for_each(foreign_wakers::drop_waker);
    }
}

impl<S> Attempt<'_, S> {
    /// One that was called, and comes too late, enters the queue at the front, behind those that
    /// were late before it.
    pub(crate) fn return_to_front(&mut self) {
        if let Some(key) = self.key {
            self.queue.return_late(key);
        }
    }

    /// The state of the waiter, after the attempt has changed something.
    pub(crate) fn state_now(&self) -> WaiterState {
        self.key.map_or(WaiterState::New, |key| self.queue.state(key))
    }
}

impl<S> Inner<S> {
    /// If the attempt succeeds, the task has no waiter any more.
    #[inline]
    fn attempt<R>(
        &mut self,
        key: &mut Option<Key>,
        will_wait: bool,
        wakes: &mut WakeList,
        attempt: &mut impl FnMut(Attempt<'_, S>) -> Option<R>,
    ) -> Option<R> {
        let Inner { state, queue } = self;
        let waiter = key.map_or(WaiterState::New, |key| queue.state(key));
        if matches!(waiter, WaiterState::Granted | WaiterState::Released)
            && let Some(key) = key.take()
        {
            // Whoever took it out of the queue took the waker.
            let _ = queue.remove(key);
        }
        let key_now = *key;
        let result = attempt(Attempt { state, waiter, key: key_now, will_wait, queue, wakes })?;
        self.dequeue(key, wakes);
        Some(result)
    }

    #[inline(never)]
    fn enqueue(
        &mut self,
        key: &mut Option<Key>,
        wanted: usize,
        waker: Waker,
        wakes: &mut WakeList,
    ) {
        match *key {
            Some(key) => wakes.drop_later(self.queue.set_waker(key, waker)),
            None => *key = Some(self.queue.push_back(waker, wanted)),
        }
    }

    #[inline]
    fn dequeue(&mut self, key: &mut Option<Key>, wakes: &mut WakeList) {
        if let Some(key) = key.take() {
            wakes.drop_later(self.queue.remove(key).1);
        }
    }
}

impl<S> Waitable<S> {
    const_fn! {
        pub(crate) fn new(state: S) -> Self {
            Waitable { inner: Locked::new(Inner { state, queue: WaitQueue::new() }) }
        }
    }

    /// Calls `act` under the lock, and afterwards wakes those on the list. The caller drops the
    /// result without the lock.
    #[inline]
    pub(crate) fn with<R>(&self, act: impl FnOnce(&mut Inner<S>, &mut WakeList) -> R) -> R {
        let mut wakes = WakeList::default();
        let mut guard = self.inner.lock().acquire();
        let result = act(self.inner.get(&mut guard), &mut wakes);
        drop(guard);
        wakes.finish();
        result
    }

    /// Attempts an operation. If that cannot be done yet, the task waits, as the waiter `key`. An
    /// attempt must succeed for a waiter that was granted something.
    #[inline]
    pub(crate) fn poll<R>(
        &self,
        key: &mut Option<Key>,
        wanted: usize,
        waker: &Waker,
        mut attempt: impl FnMut(Attempt<'_, S>) -> Option<R>,
    ) -> Poll<R> {
        if key.is_none()
            && let Some(result) = self.look(&mut attempt)
        {
            return Poll::Ready(result);
        }
        self.wait(key, wanted, waker, attempt)
    }

    /// Attempts an operation of a task that does not wait.
    #[inline]
    fn look<R>(&self, attempt: &mut impl FnMut(Attempt<'_, S>) -> Option<R>) -> Option<R> {
        let (waiter, key, will_wait) = (WaiterState::New, None, false);
        self.with(|Inner { state, queue }, wakes| {
            attempt(Attempt { state, waiter, key, will_wait, queue, wakes })
        })
    }

    /// As `poll`, without a look before.
    #[inline(never)]
    pub(crate) fn wait<R>(
        &self,
        key: &mut Option<Key>,
        wanted: usize,
        waker: &Waker,
        mut attempt: impl FnMut(Attempt<'_, S>) -> Option<R>,
    ) -> Poll<R> {
        let is_own = context::is_own_waker(waker);
        let mut wakes = WakeList::default();
        let mut guard = self.inner.lock().acquire();
        let inner = self.inner.get(&mut guard);
        let stays = key.is_some_and(|key| inner.queue.will_wake(key, waker));
        let mut result = inner.attempt(key, stays || is_own, &mut wakes, &mut attempt);
        if result.is_none() && !stays {
            if is_own {
                inner.enqueue(key, wanted, waker.clone(), &mut wakes);
            } else {
                // A foreign waker's clone runs user code.
                drop(guard);
                let clone = waker.clone();
                guard = self.inner.lock().acquire();
                let inner = self.inner.get(&mut guard);
                result = inner.attempt(key, true, &mut wakes, &mut attempt);
                match result {
                    Some(_) => wakes.drop_later(Some(clone)),
                    None => inner.enqueue(key, wanted, clone, &mut wakes),
                }
            }
        }
        drop(guard);
        wakes.finish();
        result.map_or(Poll::Pending, Poll::Ready)
    }

    /// Attempts an operation a last time. The task does not wait any more.
    pub(crate) fn withdraw<R>(
        &self,
        key: &mut Option<Key>,
        mut attempt: impl FnMut(Attempt<'_, S>) -> Option<R>,
    ) -> Option<R> {
        self.with(|inner, wakes| {
            let result = inner.attempt(key, false, wakes, &mut attempt);
            inner.dequeue(key, wakes);
            result
        })
    }

    /// Removes a waiter, and tells `act` under the same lock which state it was in.
    pub(crate) fn cancel(
        &self,
        key: Key,
        act: impl FnOnce(&mut Inner<S>, WaiterState, &mut WakeList),
    ) {
        self.with(|inner, wakes| {
            let (state, waker) = inner.queue.remove(key);
            wakes.drop_later(waker);
            act(inner, state, wakes);
        });
    }
}
