//! Notifications without a value.

#![forbid(unsafe_code)]

use std::fmt;
use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use crate::scheduler::gate::{self, Operation};
use crate::sync::line::{Inner, Line, Parting};
use crate::sync::wait_queue::{Key, Standing};

/// Wakes tasks that wait for something to happen.
///
/// [`notify_one`](Self::notify_one) lets one task go on that waits in [`notified`](Self::notified):
/// the one that has waited longest. If none waits, the notification is kept for the next one; no
/// more than one is kept. [`notify_all`](Self::notify_all) lets all go on that wait, and keeps
/// nothing.
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
    line: Line<State>,
}

pub(super) struct State {
    /// A notification that none waited for.
    is_kept: bool,
    /// How often all were notified.
    rounds: usize,
}

impl Notify {
    /// Without a notification.
    ///
    /// # Examples
    ///
    /// ```
    /// let notify = gorun::sync::Notify::new();
    /// notify.notify_one();
    /// gorun::block_on(notify.notified());
    /// ```
    pub fn new() -> Self {
        Notify { line: Line::new(State { is_kept: false, rounds: 0 }) }
    }

    /// Lets the task go on that has waited longest, or keeps the notification for the next one that
    /// waits.
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
        self.line.change(|inner, parting| {
            if !serve(inner, parting) {
                inner.state.is_kept = true;
            }
        });
    }

    /// Lets one go on that waits. If none does, nothing happens.
    pub(super) fn notify_one_that_waits(&self) {
        self.line.change(|inner, parting| _ = serve(inner, parting));
    }

    /// Lets all tasks go on that wait, and all that have called [`notified`](Self::notified)
    /// although they have not waited yet. Keeps nothing for others.
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
        self.line.change(|inner, parting| {
            inner.state.rounds = inner.state.rounds.wrapping_add(1);
            parting.release_all(&mut inner.queue);
        });
    }

    /// Waits for a notification.
    ///
    /// A [`notify_all`](Self::notify_all) counts from this call on, not only from the first poll. So
    /// a task that calls this first, then looks whether it has to wait, and awaits this if so,
    /// misses none.
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
        let rounds = self.line.change(|inner, _| inner.state.rounds);
        Notified { notify: self, rounds, key: None, keeps: true }
    }

    /// The same, but a notification that it does not use is not kept if nobody else waits.
    pub(super) fn notified_now(&self) -> Notified<'_> {
        Notified { keeps: false, ..self.notified() }
    }
}

/// Whether one waits.
fn serve(inner: &mut Inner<State>, parting: &mut Parting) -> bool {
    let is_any = !inner.queue.is_empty();
    parting.wake_later(inner.queue.take_first(Standing::Served));
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
    rounds: usize,
    key: Option<Key>,
    keeps: bool,
}

impl Notified<'_> {
    /// Without the gate, for a future that has passed it. Says whether it took the notification of a
    /// `notify_one`.
    pub(super) fn poll_inside(&mut self, waker: &Waker) -> Poll<bool> {
        let Notified { notify, rounds, keeps, .. } = *self;
        notify.line.poll(&mut self.key, 1, waker, |look| match look.standing {
            Standing::Served => Some(true),
            Standing::Released => Some(false),
            _ if look.state.rounds != rounds => Some(false),
            _ => (keeps && mem::take(&mut look.state.is_kept)).then_some(true),
        })
    }
}

impl Future for Notified<'_> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        match gate::enter(Operation::Notified, cx.waker()) {
            true => self.get_mut().poll_inside(cx.waker()).map(|_| ()),
            false => Poll::Pending,
        }
    }
}

impl Drop for Notified<'_> {
    fn drop(&mut self) {
        let Some(key) = self.key.take() else { return };
        self.notify.line.leave(key, |inner, standing, parting| {
            if standing == Standing::Served && !serve(inner, parting) && self.keeps {
                inner.state.is_kept = true;
            }
        });
    }
}

impl fmt::Debug for Notified<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Notified").finish_non_exhaustive()
    }
}
