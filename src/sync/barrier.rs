//! A barrier: a number of tasks wait for each other.

#![forbid(unsafe_code)]

use std::fmt;
use std::future::Future;

use crate::scheduler::operation::Operation;
use crate::sync::wait_queue::WaiterState;
use crate::sync::wait_until::wait_until;
use crate::sync::waitable::Waitable;

/// A place where tasks wait until a given number of them has arrived. Then all continue, and the
/// next ones can meet there.
///
/// Any thread and any executor may use it, also outside a runtime.
///
/// Go counterpart: none; two [`WaitGroup`](crate::WaitGroup)s. tokio counterpart: `Barrier`.
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
///
/// use gorun::sync::Barrier;
/// use gorun::{JoinSet, block_on};
///
/// block_on(async {
///     let barrier = Arc::new(Barrier::new(3));
///     let mut set = JoinSet::new();
///     for _ in 0..3 {
///         let barrier = barrier.clone();
///         set.spawn(async move { barrier.wait().await.is_leader() });
///     }
///     let leaders = set.join_all().await.into_iter().filter(|&is_leader| is_leader);
///     assert_eq!(leaders.count(), 1);
/// });
/// ```
pub struct Barrier {
    waiters: Waitable<()>,
    size: usize,
}

impl Barrier {
    /// A barrier for this many tasks. With zero or one, nobody waits.
    ///
    /// # Examples
    ///
    /// ```
    /// let barrier = gorun::sync::Barrier::new(1);
    /// assert!(gorun::block_on(barrier.wait()).is_leader());
    /// ```
    pub const fn new(size: usize) -> Self {
        Barrier { waiters: Waitable::new(()), size }
    }

    /// Waits until as many tasks have arrived here as the barrier is for, this one included. One
    /// of them is the leader: the last one that has arrived.
    ///
    /// **Cancellation**: dropping the future takes the task back, as if it had not arrived, unless
    /// the others have already gone on. A [`timeout`](crate::time::timeout) that has elapsed has
    /// taken the task back: nobody has gone on with it.
    ///
    /// # Examples
    ///
    /// ```
    /// use gorun::sync::Barrier;
    ///
    /// gorun::block_on(async {
    ///     let barrier = Barrier::new(2);
    ///     let (one, other) = futures::join!(barrier.wait(), barrier.wait());
    ///     assert!(!one.is_leader() && other.is_leader());
    /// });
    /// ```
    pub fn wait(&self) -> impl Future<Output = BarrierWaitResult> + Unpin {
        let size = self.size;
        wait_until(
            &self.waiters,
            Operation::Barrier,
            move |attempt| match attempt.waiter {
                WaiterState::New if attempt.queue.length() + 1 >= size => {
                    attempt.wakes.release_all(attempt.queue);
                    Some(true)
                }
                WaiterState::New | WaiterState::Waiting | WaiterState::Called => None,
                WaiterState::Granted | WaiterState::Released => Some(false),
            },
            BarrierWaitResult,
        )
    }
}

impl fmt::Debug for Barrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Barrier").field("size", &self.size).finish_non_exhaustive()
    }
}

/// Whether a task is the leader of those that have met at a [`Barrier`].
///
/// # Examples
///
/// See [`Barrier`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BarrierWaitResult(bool);

impl BarrierWaitResult {
    /// True for one of those that went on together.
    ///
    /// # Examples
    ///
    /// See [`Barrier`].
    pub fn is_leader(&self) -> bool {
        self.0
    }
}
