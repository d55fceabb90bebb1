//! `sleep`: a future that is ready at a given time.

#![forbid(unsafe_code)]

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use super::deadline::{deadline, scheduler};
use crate::scheduler::context;
use crate::scheduler::gate;
use crate::scheduler::operation::Operation;
use crate::scheduler::timers::timer::Timer;

/// Waits until `duration` has passed. It is never ready early; zero is ready at once.
///
/// The duration counts from this call, not from the first poll. A duration beyond the clock's range
/// never ends.
///
/// **Cancellation**: dropping the future, or aborting its goroutine, removes the timer.
///
/// Go counterpart: `time.Sleep`.
///
/// # Panics
///
/// In this call, on a thread that belongs to no runtime. When the future is polled before its
/// deadline but after its runtime has ended, since no runtime drives it then.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use gorun::time;
///
/// gorun::block_on(async {
///     let start = time::now();
///     time::sleep(Duration::from_millis(5)).await;
///     assert!(time::now() - start >= Duration::from_millis(5));
/// });
/// ```
#[track_caller]
pub fn sleep(duration: Duration) -> Sleep {
    sleep_until(deadline(duration))
}

/// Waits until `deadline`. A deadline that has passed is ready at once.
///
/// Otherwise like [`sleep`].
///
/// Go counterpart: `time.Sleep(time.Until(deadline))`.
///
/// # Panics
///
/// As [`sleep`].
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use gorun::time;
///
/// gorun::block_on(async {
///     let deadline = time::now() + Duration::from_millis(5);
///     time::sleep_until(deadline).await;
///     assert!(time::now() >= deadline);
/// });
/// ```
#[track_caller]
pub fn sleep_until(deadline: Instant) -> Sleep {
    Sleep { timer: Timer::new(scheduler(), deadline) }
}

/// The future of [`sleep`] and [`sleep_until`].
#[must_use = "futures do nothing unless polled"]
pub struct Sleep {
    timer: Timer,
}

impl Sleep {
    /// The time at which it becomes ready.
    ///
    /// # Examples
    ///
    /// ```
    /// use gorun::time;
    ///
    /// gorun::block_on(async {
    ///     let deadline = time::now();
    ///     assert_eq!(time::sleep_until(deadline).deadline(), deadline);
    /// });
    /// ```
    pub fn deadline(&self) -> Instant {
        self.timer.deadline()
    }

    /// Changes the deadline, also after it has passed: the sleep can be awaited again.
    ///
    /// A task that waits is not woken at the new deadline until it polls the sleep again, as a loop of
    /// `select!`s does.
    ///
    /// # Examples
    ///
    /// A limit that begins anew with each value:
    ///
    /// ```
    /// use std::time::Duration;
    /// use gorun::time::{now, sleep};
    /// use gorun::{block_on, channel, go, select};
    ///
    /// block_on(async {
    ///     let (tx, rx) = channel(1);
    ///     go!(async move {
    ///         for n in 0..3 {
    ///             tx.send(n).await.unwrap();
    ///         }
    ///         std::future::pending::<()>().await;
    ///     });
    ///     let limit = Duration::from_millis(10);
    ///     let (mut silence, mut values) = (sleep(limit), Vec::new());
    ///     loop {
    ///         select! {
    ///             value = rx.recv() => {
    ///                 values.extend(value);
    ///                 silence.reset(now() + limit);
    ///             }
    ///             () = &mut silence => break,
    ///         }
    ///     }
    ///     assert_eq!(values, [0, 1, 2]);
    /// });
    /// ```
    pub fn reset(&mut self, deadline: Instant) {
        self.timer.reset(deadline);
    }

    /// Wakes no task until it is polled again.
    pub(super) fn cancel(&mut self) {
        self.timer.cancel();
    }

    pub(super) fn is_waited_for(&self) -> bool {
        self.timer.is_waited_for()
    }

    pub(super) fn is_due(&self) -> bool {
        self.timer.is_due()
    }

    /// For a future that contains this one and passes the gate itself.
    pub(super) fn poll_timer(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let timer = &mut self.timer;
        if timer.is_due() {
            return Poll::Ready(());
        }
        if !timer.wait(cx.waker()) {
            return Poll::Pending;
        }
        if timer.is_due() { Poll::Ready(()) } else { never(timer) }
    }
}

impl Future for Sleep {
    type Output = ();

    #[track_caller]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if gate::note_wait(Operation::Sleep, self.poll_timer(cx)).is_pending()
            || !gate::enter(cx.waker())
        {
            return Poll::Pending;
        }
        self.timer.cancel();
        Poll::Ready(())
    }
}

/// The runtime has ended. A goroutine that exit left behind stays pending; other callers must learn
/// that the timer never fires.
#[cold]
fn never(timer: &Timer) -> Poll<()> {
    let is_left_behind = context::with_inside(|inside| {
        inside.is_some_and(|inside| inside.worker().is_some() && timer.belongs_to(inside))
    });
    assert!(
        is_left_behind,
        "a timer of {:?} was awaited after its gorun runtime had ended, and nobody keeps the time any \
         more; await it inside the runtime, before main returns",
        timer.deadline()
    );
    Poll::Pending
}

impl fmt::Debug for Sleep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sleep").field("deadline", &self.deadline()).finish_non_exhaustive()
    }
}
