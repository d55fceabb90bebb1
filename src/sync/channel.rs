//! What `broadcast` and `watch` have in common: a state that any number of senders and receivers
//! share. Both are counted, and each side learns when the other one has gone.

#![forbid(unsafe_code)]

use std::future::Future;
use std::ops::Deref;
use std::sync::Arc;

use crate::scheduler::operation::Operation;
use crate::sync::wait_queue::{Key, WaiterState};
use crate::sync::wait_until::wait_until;
use crate::sync::waitable::Waitable;

pub(crate) struct Channel<S> {
    /// Receivers wait here.
    counted: Waitable<Counted<S>>,
    /// Senders wait here until there is no receiver. So what is sent wakes none of them.
    closed: Waitable<()>,
}

pub(crate) struct Counted<S> {
    pub(crate) state: S,
    pub(crate) senders: usize,
    pub(crate) receivers: usize,
}

impl<S> Channel<S> {
    /// With one sender, and so many receivers.
    pub(crate) fn open(state: S, receivers: usize) -> Opened<S> {
        let counted = Waitable::new(Counted { state, senders: 1, receivers });
        let channel = Arc::new(Channel { counted, closed: Waitable::new(()) });
        Opened { sender: SenderSide(channel.clone()), channel }
    }

    pub(crate) fn counted(&self) -> &Waitable<Counted<S>> {
        &self.counted
    }

    /// Calls `access` under the lock. `access` changes nothing for which somebody waits.
    pub(crate) fn access<R>(&self, access: impl FnOnce(&mut Counted<S>) -> R) -> R {
        self.counted.with(|inner, _| access(&mut inner.state))
    }

    /// Counts a new receiver, and calls `look` under the same lock.
    pub(crate) fn add_receiver<R>(&self, look: impl FnOnce(&S) -> R) -> R {
        self.access(|counted| {
            counted.receivers += 1;
            look(&counted.state)
        })
    }

    /// Counts down for a receiver that goes, removes the waiter that it may have as a stream, and
    /// calls `change` under the same lock. The caller drops the result without the lock.
    pub(crate) fn remove_receiver<R>(
        &self,
        stream: Option<Key>,
        change: impl FnOnce(&mut S) -> R,
    ) -> R {
        let (is_last, result) = self.counted.with(|inner, wakes| {
            if let Some(key) = stream {
                wakes.drop_later(inner.queue.remove(key).1);
            }
            inner.state.receivers -= 1;
            (inner.state.receivers == 0, change(&mut inner.state.state))
        });
        if is_last {
            self.closed.with(|inner, wakes| wakes.release_all(&mut inner.queue));
        }
        result
    }

    /// The receiver with this waiter is no longer awaited as a stream.
    pub(crate) fn end_stream(&self, stream: &mut Option<Key>) {
        if let Some(key) = stream.take() {
            self.counted.cancel(key, |_, _, _| {});
        }
    }

    pub(crate) fn receivers(&self) -> usize {
        self.access(|counted| counted.receivers)
    }

    /// Waits until there is no receiver.
    pub(crate) fn closed(&self, operation: Operation) -> impl Future<Output = ()> + Unpin {
        // The lock of `closed` is taken before that of `counted`, never after it. The last receiver
        // takes both in turn: it is either seen in the count, or finds the waiter.
        wait_until(
            &self.closed,
            operation,
            |attempt| {
                let is_over = attempt.waiter == WaiterState::Released || self.receivers() == 0;
                is_over.then_some(())
            },
            |()| (),
        )
    }
}

/// A new channel, and its sender.
pub(crate) struct Opened<S> {
    pub(crate) sender: SenderSide<S>,
    pub(crate) channel: Arc<Channel<S>>,
}

/// A sender, which is counted. The last one wakes all receivers when it goes.
pub(crate) struct SenderSide<S>(Arc<Channel<S>>);

impl<S> SenderSide<S> {
    pub(crate) fn channel(&self) -> &Arc<Channel<S>> {
        &self.0
    }
}

impl<S> Deref for SenderSide<S> {
    type Target = Channel<S>;

    fn deref(&self) -> &Channel<S> {
        &self.0
    }
}

impl<S> Clone for SenderSide<S> {
    fn clone(&self) -> Self {
        self.access(|counted| counted.senders += 1);
        SenderSide(self.0.clone())
    }
}

impl<S> Drop for SenderSide<S> {
    fn drop(&mut self) {
        self.counted.with(|inner, wakes| {
            inner.state.senders -= 1;
            if inner.state.senders == 0 {
                wakes.release_all(&mut inner.queue);
            }
        });
    }
}
