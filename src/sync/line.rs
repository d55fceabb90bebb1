//! Some state, and the tasks that wait for it to change: what all of [`sync`](super) is made of.
//!
//! One lock protects both. Nothing that belongs to a user runs under it: wakers are cloned before it
//! is taken, and called and dropped after it has been released (`scheduler/foreign.rs`). So a waker,
//! or the destructor of a value, may come back in.
//!
//! # Waiting
//!
//! A poll *looks* at the state under the lock. If there is nothing for it, it clones its waker
//! without the lock, and looks again before it joins the line under the same lock. So a change
//! either comes before that look, which sees it, or finds the waker in the line.
//!
//! A task that was *served* has been given something: a permit, a notification. If it is dropped
//! before it has seen that, its future passes the gift on. So these operations need not withdraw
//! when a `timeout` asks for it: what was given to an operation that is reported as late goes to the
//! next one when the future is dropped.
//!
//! Modelled in `tests/models/permits.rs`.

#![forbid(unsafe_code)]

use std::task::{Poll, Waker};

use crate::primitives::{Mutex, lock};
use crate::scheduler::{context, foreign};
use crate::sync::wait_queue::{Key, Standing, WaitQueue};

pub(crate) struct Line<S> {
    inner: Mutex<Inner<S>>,
}

pub(crate) struct Inner<S> {
    pub(crate) state: S,
    pub(crate) queue: WaitQueue,
}

/// What a task sees that looks.
pub(crate) struct Look<'a, S> {
    pub(crate) state: &'a mut S,
    pub(crate) standing: Standing,
    /// The task waits if it finds nothing now.
    pub(crate) will_wait: bool,
    pub(crate) queue: &'a mut WaitQueue,
    pub(crate) parting: &'a mut Parting,
}

/// Wakers that leave the lock: some are to be called, others only to be dropped.
#[derive(Default)]
#[must_use = "those that were taken off the line wait to be woken"]
pub(crate) struct Parting {
    /// Usually there is no more than one.
    first: Option<Waker>,
    others: Vec<Waker>,
    unused: Vec<Waker>,
}

impl Parting {
    /// To be woken.
    pub(crate) fn wake_later(&mut self, waker: Option<Waker>) {
        match self.first {
            None => self.first = waker,
            Some(_) => self.others.extend(waker),
        }
    }

    /// To be dropped.
    pub(crate) fn drop_later(&mut self, waker: Option<Waker>) {
        self.unused.extend(waker);
    }

    /// Takes all off the line.
    pub(crate) fn release_all(&mut self, queue: &mut WaitQueue) {
        while !queue.is_empty() {
            self.wake_later(queue.take_first(Standing::Released));
        }
    }

    /// The caller holds no lock.
    fn go(self) {
        self.first.into_iter().chain(self.others).for_each(foreign::wake);
        self.unused.into_iter().for_each(foreign::drop_waker);
    }
}

impl<S> Inner<S> {
    /// A task that finds something has no slot any more.
    fn look<R>(
        &mut self,
        key: &mut Option<Key>,
        will_wait: bool,
        parting: &mut Parting,
        look: &mut impl FnMut(Look<'_, S>) -> Option<R>,
    ) -> Option<R> {
        let Inner { state, queue } = self;
        let standing = key.map_or(Standing::New, |key| queue.standing(key));
        if matches!(standing, Standing::Served | Standing::Released)
            && let Some(key) = key.take()
        {
            // Who took it off the line took the waker.
            let _ = queue.leave(key);
        }
        let found = look(Look { state, standing, will_wait, queue, parting })?;
        if let Some(key) = key.take() {
            parting.drop_later(queue.leave(key).1);
        }
        Some(found)
    }

    /// Joins the line, or stays in it.
    fn wait(&mut self, key: &mut Option<Key>, wanted: usize, waker: Waker, parting: &mut Parting) {
        match *key {
            Some(key) => parting.drop_later(self.queue.set_waker(key, waker)),
            None => *key = Some(self.queue.join(waker, wanted)),
        }
    }
}

impl<S> Line<S> {
    pub(crate) fn new(state: S) -> Self {
        Line { inner: Mutex::new(Inner { state, queue: WaitQueue::new() }) }
    }

    /// Calls `change` under the lock, and afterwards wakes those who are parting. What it returns,
    /// the caller drops without the lock.
    pub(crate) fn change<R>(&self, change: impl FnOnce(&mut Inner<S>, &mut Parting) -> R) -> R {
        let mut parting = Parting::default();
        let result = change(&mut lock(&self.inner), &mut parting);
        parting.go();
        result
    }

    /// Whether `look` finds something. If not, the task waits, with the slot `key`. A task that was
    /// served must find that.
    pub(crate) fn poll<R>(
        &self,
        key: &mut Option<Key>,
        wanted: usize,
        waker: &Waker,
        mut look: impl FnMut(Look<'_, S>) -> Option<R>,
    ) -> Poll<R> {
        let mut parting = Parting::default();
        let mut inner = lock(&self.inner);
        let stays = key.is_some_and(|key| inner.queue.will_wake(key, waker));
        let mut found = inner.look(key, stays, &mut parting, &mut look);
        if found.is_none() && !stays {
            let clone = if context::is_own_waker(waker) {
                waker.clone()
            } else {
                // A foreign waker's clone runs user code.
                drop(inner);
                let clone = waker.clone();
                inner = lock(&self.inner);
                clone
            };
            found = inner.look(key, true, &mut parting, &mut look);
            match found {
                Some(_) => parting.drop_later(Some(clone)),
                None => inner.wait(key, wanted, clone, &mut parting),
            }
        }
        drop(inner);
        parting.go();
        found.map_or(Poll::Pending, Poll::Ready)
    }

    /// Gives a slot back, and tells `change` under the same lock how the task stood.
    pub(crate) fn leave(
        &self,
        key: Key,
        change: impl FnOnce(&mut Inner<S>, Standing, &mut Parting),
    ) {
        self.change(|inner, parting| {
            let (standing, waker) = inner.queue.leave(key);
            parting.drop_later(waker);
            change(inner, standing, parting);
        });
    }
}
