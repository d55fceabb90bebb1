//! A condition variable for an async mutex.

#![forbid(unsafe_code)]

use std::fmt;
use std::future::{Future, poll_fn};
use std::ops::DerefMut;
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::scheduler::at_caller::at_caller;
use crate::scheduler::gate;
use crate::scheduler::operation::Operation;
use crate::sync::guarded::Relock;
use crate::sync::notify::{Notified, Notify};

/// Lets tasks wait for a change to something that a [`Mutex`](crate::sync::Mutex), or an
/// [`RwLock`](crate::sync::RwLock), protects.
///
/// A task that has the lock [waits](Self::wait): it joins the queue, and only then releases the
/// lock. So it misses no change that another task makes under the lock, and notifies afterwards.
/// When the wait is over, the task has the lock again.
///
/// A [channel](crate::channel()), [`Notify`] or [`watch`](crate::sync::watch) often reads better.
///
/// Go counterpart: `sync.Cond`, whose `Signal` is `notify_one` here, and whose `Broadcast` is
/// `notify_all`. `std` counterpart: `Condvar`.
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
///
/// use gorun::sync::{Cond, Mutex};
/// use gorun::{block_on, go};
///
/// block_on(async {
///     let shared = Arc::new((Mutex::new(Vec::new()), Cond::new()));
///     let other = shared.clone();
///     go!(async move {
///         other.0.lock().await.push(7);
///         other.1.notify_one();
///     });
///     let (queue, not_empty) = &*shared;
///     let mut queue = queue.lock().await;
///     while queue.is_empty() {
///         queue = not_empty.wait(queue).await;
///     }
///     assert_eq!(queue.pop(), Some(7));
/// });
/// ```
pub struct Cond {
    notify: Notify,
}

impl Cond {
    /// Nobody waits.
    ///
    /// # Examples
    ///
    /// ```
    /// // Nothing is kept.
    /// gorun::sync::Cond::new().notify_one();
    /// ```
    pub const fn new() -> Self {
        Cond { notify: Notify::new() }
    }

    /// Releases the lock, waits for a notification, and takes the lock again. `guard` is any guard of a
    /// [`Mutex`](crate::sync::Mutex) or an [`RwLock`](crate::sync::RwLock).
    ///
    /// What the task waits for may have changed again before it has the lock: look in a loop, or use
    /// [`wait_while`](Self::wait_while).
    ///
    /// **Cancellation**: dropping the future releases the lock, or gives up the place in its
    /// queue. If the task was given a [`notify_one`](Self::notify_one), and has not taken the lock
    /// again, the next waiter gets that.
    ///
    /// So a [`timeout`](crate::time::timeout) that elapses has no guard to give back: take the lock
    /// anew. What the task waits for may be there by then.
    ///
    /// Go counterpart: `Cond.Wait`.
    ///
    /// # Examples
    ///
    /// With a time limit:
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use gorun::sync::{Cond, Mutex};
    /// use gorun::time::timeout;
    ///
    /// gorun::block_on(async {
    ///     let (queue, not_empty) = (Mutex::new(Vec::<u32>::new()), Cond::new());
    ///     let guard = queue.lock().await;
    ///     let waits = not_empty.wait_while(guard, |queue| queue.is_empty());
    ///     let mut queue = match timeout(Duration::from_millis(1), waits).await {
    ///         Ok(guard) => guard,
    ///         Err(_) => queue.lock().await,
    ///     };
    ///     assert_eq!(queue.pop(), None);
    /// });
    /// ```
    pub fn wait<G: Relock>(&self, guard: G) -> impl Future<Output = G> + Unpin {
        let lock = guard.relock();
        let notified = self.notify.notified_now();
        Wait { cond: self, notified, guard: Some(guard), lock, stage: Stage::Waits }
    }

    /// Waits as long as `goes_on` returns `true`. Calls it under the lock, also before the first
    /// wait.
    ///
    /// **Cancellation**: as [`wait`](Self::wait).
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::Arc;
    ///
    /// use gorun::sync::{Cond, Mutex};
    /// use gorun::{block_on, go};
    ///
    /// block_on(async {
    ///     let shared = Arc::new((Mutex::new(0), Cond::new()));
    ///     for _ in 0..3 {
    ///         let shared = shared.clone();
    ///         go!(async move {
    ///             *shared.0.lock().await += 1;
    ///             shared.1.notify_all();
    ///         });
    ///     }
    ///     let count = shared.0.lock().await;
    ///     assert_eq!(*shared.1.wait_while(count, |count| *count < 3).await, 3);
    /// });
    /// ```
    pub fn wait_while<G: Relock + DerefMut>(
        &self,
        mut guard: G,
        mut goes_on: impl FnMut(&mut G::Target) -> bool,
    ) -> impl Future<Output = G> {
        at_caller(async move {
            // Once for each call: a loop over calls that need not wait has no other await.
            poll_fn(|cx| match gate::enter(cx.waker()) {
                true => Poll::Ready(()),
                false => Poll::Pending,
            })
            .await;
            while goes_on(&mut guard) {
                guard = self.wait(guard).await;
            }
            guard
        })
    }

    /// Lets the task that has waited longest continue. If none waits, nothing happens.
    ///
    /// Go counterpart: `Cond.Signal`.
    ///
    /// # Examples
    ///
    /// See [`Cond`].
    pub fn notify_one(&self) {
        self.notify.notify_one_that_waits();
    }

    /// Lets all waiting tasks continue. Each takes the lock in turn.
    ///
    /// Go counterpart: `Cond.Broadcast`.
    ///
    /// # Examples
    ///
    /// See [`wait_while`](Self::wait_while).
    pub fn notify_all(&self) {
        self.notify.notify_all();
    }
}

impl Default for Cond {
    fn default() -> Self {
        Cond::new()
    }
}

impl fmt::Debug for Cond {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cond").finish_non_exhaustive()
    }
}

/// The future of [`Cond::wait`].
struct Wait<'c, G, L> {
    cond: &'c Cond,
    notified: Notified<'c>,
    /// Until it is in the queue.
    guard: Option<G>,
    lock: L,
    stage: Stage,
}

enum Stage {
    Waits,
    /// It takes the lock again. If it goes away, it `passes_on` the notification.
    Locks {
        passes_on: bool,
    },
}

impl<G, L> Unpin for Wait<'_, G, L> {}

impl<G, L: Future<Output = G> + Unpin> Future for Wait<'_, G, L> {
    type Output = G;

    #[track_caller]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<G> {
        let this = self.get_mut();
        if let Stage::Waits = this.stage {
            if !gate::enter(cx.waker()) {
                return Poll::Pending;
            }
            let Poll::Ready(passes_on) = this.notified.poll_inside(cx.waker()) else {
                // Now it is in the queue, and cannot miss what others do.
                drop(this.guard.take());
                return gate::note_wait(Operation::Notified, Poll::Pending);
            };
            if let Some(guard) = this.guard.take() {
                // All were notified before this was polled.
                return Poll::Ready(guard);
            }
            this.stage = Stage::Locks { passes_on };
        }
        let guard = Pin::new(&mut this.lock).poll(cx);
        if guard.is_ready() {
            this.stage = Stage::Locks { passes_on: false };
        }
        guard
    }
}

impl<G, L> Drop for Wait<'_, G, L> {
    fn drop(&mut self) {
        if let Stage::Locks { passes_on: true } = self.stage {
            self.cond.notify_one();
        }
    }
}
