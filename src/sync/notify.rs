//! Notifications without a value.

#![forbid(unsafe_code)]

use std::fmt;
use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use crate::scheduler::gate;
use crate::scheduler::operation::Operation;
use crate::sync::wait_queue::{Key, WaiterState};
use crate::sync::waitable::{Inner, Waitable, WakeList};

/// Wakes tasks that wait for something to happen.
///
/// [`notify_one`](Self::notify_one) lets one of the tasks that wait in
/// [`notified`](Self::notified) continue: the one that has waited longest. If none waits, this
/// keeps the notification for the next one, but no more than one. [`notify_all`](Self::notify_all)
/// lets all waiting tasks continue, and keeps nothing.
///
/// Any thread and any executor may use it, also outside a runtime.
///
/// Go counterpart: a send that does not block, on a `chan struct{}` with a buffer of one, for
/// `notify_one`; `close` for `notify_all`. tokio counterpart: `Notify`, whose `notify_all` is called
/// `notify_waiters`.
///
/// # Examples
///
/// ```
/// use std::sync::{Arc, Mutex};
///
/// use gorun::sync::Notify;
/// use gorun::{block_on, spawn};
///
/// block_on(async {
///     let (work, news) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Notify::new()));
///     let worker = spawn({
///         let (work, news) = (work.clone(), news.clone());
///         async move {
///             loop {
///                 if let Some(n) = work.lock().unwrap().pop() {
///                     return n;
///                 }
///                 news.notified().await;
///             }
///         }
///     });
///     work.lock().unwrap().push(7);
///     news.notify_one();
///     assert_eq!(worker.await.unwrap(), 7);
/// });
/// ```
pub struct Notify {
    waitable: Waitable<State>,
}

pub(super) struct State {
    /// A notification that no task waited for.
    has_permit: bool,
    /// How often all were notified.
    generation: usize,
}

impl Notify {
    /// Without a notification.
    ///
    /// # Examples
    ///
    /// ```
    /// static NEWS: gorun::sync::Notify = gorun::sync::Notify::new();
    /// NEWS.notify_one();
    /// gorun::block_on(NEWS.notified());
    /// ```
    pub const fn new() -> Self {
        Notify { waitable: Waitable::new(State { has_permit: false, generation: 0 }) }
    }

    /// Lets the task that has waited longest continue, or keeps the notification for the next one
    /// that waits.
    ///
    /// # Examples
    ///
    /// ```
    /// let notify = gorun::sync::Notify::new();
    /// notify.notify_one();
    /// notify.notify_one();
    /// gorun::block_on(async {
    ///     notify.notified().await;
    ///     // Only one was kept.
    ///     assert!(futures::poll!(notify.notified()).is_pending());
    /// });
    /// ```
    pub fn notify_one(&self) {
        self.waitable.with(|inner, wakes| {
            if !grant(inner, wakes) {
                inner.state.has_permit = true;
            }
        });
    }

    /// Lets one waiting task continue. If none waits, nothing happens.
    pub(super) fn notify_one_that_waits(&self) {
        self.waitable.with(|inner, wakes| _ = grant(inner, wakes));
    }

    /// Lets all waiting tasks continue, and all that have called [`notified`](Self::notified) and
    /// do not wait yet. Keeps nothing for others.
    ///
    /// # Examples
    ///
    /// ```
    /// let notify = gorun::sync::Notify::new();
    /// gorun::block_on(async {
    ///     let (one, other) = (notify.notified(), notify.notified());
    ///     notify.notify_all();
    ///     one.await;
    ///     other.await;
    ///     assert!(futures::poll!(notify.notified()).is_pending());
    /// });
    /// ```
    pub fn notify_all(&self) {
        self.waitable.with(|inner, wakes| {
            inner.state.generation = inner.state.generation.wrapping_add(1);
            wakes.release_all(&mut inner.queue);
        });
    }

    /// Waits for a notification.
    ///
    /// A [`notify_all`](Self::notify_all) counts from this call on, not only from the first poll.
    /// So a task misses none if it calls this first, then looks whether it has to wait, and if so
    /// awaits this. A [`notify_one`](Self::notify_one) counts from the first poll on, or from
    /// [`Notified::enable`].
    ///
    /// **Cancellation**: dropping the future gives up its place in the queue. A
    /// [`notify_one`](Self::notify_one) that it was given meanwhile goes to the next one, or is kept.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::Arc;
    /// use gorun::sync::Notify;
    ///
    /// gorun::block_on(async {
    ///     let start = Arc::new(Notify::new());
    ///     let started = start.clone();
    ///     let notified = start.notified();
    ///     gorun::go!(async move { started.notify_all() });
    ///     notified.await;
    /// });
    /// ```
    pub fn notified(&self) -> Notified<'_> {
        let generation = self.waitable.with(|inner, _| inner.state.generation);
        Notified { notify: self, generation, key: None, is_ready: false, stores_permit: true }
    }

    /// The same, but a notification that it does not use is not kept if nobody else waits.
    pub(super) fn notified_now(&self) -> Notified<'_> {
        Notified { stores_permit: false, ..self.notified() }
    }
}

/// Notifies the first one that waits, and says whether there is one.
fn grant(inner: &mut Inner<State>, wakes: &mut WakeList) -> bool {
    let is_any = !inner.queue.is_empty();
    wakes.wake_later(inner.queue.pop_front(WaiterState::Granted));
    is_any
}

impl Default for Notify {
    fn default() -> Self {
        Notify::new()
    }
}

impl fmt::Debug for Notify {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Notify").finish_non_exhaustive()
    }
}

/// The future of [`Notify::notified`].
///
/// # Examples
///
/// See [`Notify::notified`].
#[must_use = "futures do nothing unless awaited"]
pub struct Notified<'a> {
    notify: &'a Notify,
    generation: usize,
    key: Option<Key>,
    /// It was notified, and `enable` has found that.
    is_ready: bool,
    /// If it does not use a notification, and nobody else waits, that is kept.
    stores_permit: bool,
}

impl Notified<'_> {
    /// Enters the queue without being polled, so that a `notify_one` counts from now on. Returns
    /// whether the notification is there already: then the await is ready at once.
    ///
    /// For two tasks or more that look for work and then wait: each must have its place in the queue
    /// before it looks, as several notifications are kept as one.
    ///
    /// A notification that this has found is used up, also if the future is dropped before it is
    /// awaited.
    ///
    /// # Examples
    ///
    /// ```
    /// let notify = gorun::sync::Notify::new();
    /// gorun::block_on(async {
    ///     let (mut one, mut other) = (notify.notified(), notify.notified());
    ///     assert!(!one.enable() && !other.enable());
    ///     notify.notify_one();
    ///     notify.notify_one();
    ///     one.await;
    ///     other.await;
    /// });
    /// ```
    pub fn enable(&mut self) -> bool {
        let is_waiting = |key| {
            self.notify.waitable.with(|inner, _| inner.queue.state(key) == WaiterState::Waiting)
        };
        // One that waits already keeps its waker.
        if !self.is_ready && !self.key.is_some_and(is_waiting) {
            self.is_ready = self.poll_inside(Waker::noop()).is_ready();
        }
        self.is_ready
    }

    /// Without the gate, for a future that has passed it. Says whether it took the notification of a
    /// `notify_one`.
    pub(super) fn poll_inside(&mut self, waker: &Waker) -> Poll<bool> {
        let Notified { notify, generation, stores_permit, .. } = *self;
        notify.waitable.poll(&mut self.key, 1, waker, |attempt| match attempt.waiter {
            WaiterState::Granted => Some(true),
            WaiterState::Released => Some(false),
            _ if attempt.state.generation != generation => Some(false),
            _ => (stores_permit && mem::take(&mut attempt.state.has_permit)).then_some(true),
        })
    }
}

impl Future for Notified<'_> {
    type Output = ();

    #[track_caller]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        if !gate::enter(cx.waker()) {
            return Poll::Pending;
        }
        if mem::take(&mut this.is_ready) {
            return Poll::Ready(());
        }
        gate::note_wait(Operation::Notified, this.poll_inside(cx.waker())).map(|_| ())
    }
}

impl Drop for Notified<'_> {
    fn drop(&mut self) {
        let Some(key) = self.key.take() else { return };
        self.notify.waitable.cancel(key, |inner, state, wakes| {
            if state == WaiterState::Granted && !grant(inner, wakes) && self.stores_permit {
                inner.state.has_permit = true;
            }
        });
    }
}

impl fmt::Debug for Notified<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Notified").finish_non_exhaustive()
    }
}
