//! `after_func`: a function that is called later, unless it is stopped.
//!
//! A goroutine waits for the time and calls the function, so a panic, the end of main, and a call
//! that blocks have the same effect as in any goroutine. The *plan* says when the next call is
//! due. `stop` and `reset` change the plan, and notify the goroutine. Just before a call, the
//! goroutine takes the due plan, under the plan's lock. So either `stop` finds the plan, and the
//! call does not happen, or the goroutine finds it.

#![forbid(unsafe_code)]

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::deadline::deadline;
use super::timeout::timeout_at;
use crate::clock;
use crate::primitives::{Mutex, lock};
use crate::spawn::{detach, yield_now};
use crate::sync::Notify;

/// Calls `f` in a goroutine of its own when `duration` has passed.
///
/// The [`AfterFunc`] that this returns can stop or change that; dropping it does neither. `f` is called
/// once, and again only after a [`reset`](AfterFunc::reset). It may block, as any goroutine may. To
/// await something there, start a goroutine: `after_func(d, move || go!(work()))`.
///
/// If main ends before the time has come, `f` is dropped, not called. The goroutine counts in
/// [`num_goroutines`](crate::num_goroutines) while it waits.
///
/// Go counterpart: `time.AfterFunc`.
///
/// # Panics
///
/// On a thread that belongs to no runtime. A panic of `f` is one of a goroutine without a handle: see
/// [`UnhandledPanic`](crate::UnhandledPanic).
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use gorun::{block_on, channel, time};
///
/// block_on(async {
///     let (tx, rx) = channel(1);
///     time::after_func(Duration::from_millis(2), move || tx.try_send("now").unwrap());
///     assert_eq!(rx.recv().await, Some("now"));
///
///     let never = time::after_func(Duration::from_secs(3600), || unreachable!());
///     assert!(never.stop());
/// });
/// ```
#[track_caller]
pub fn after_func(duration: Duration, f: impl FnMut() + Send + 'static) -> AfterFunc {
    let plan = Plan { next: Some(deadline(duration)), is_open: true };
    let shared = Arc::new(Shared { plan: Mutex::new(plan), changed: Notify::new() });
    detach(call_when_due(Caller { share: Share(shared.clone()), f }));
    AfterFunc { shared }
}

/// A call that is to come: see [`after_func`].
///
/// Go counterpart: the `*time.Timer` of `time.AfterFunc`.
///
/// # Examples
///
/// A call that comes when nothing has happened for a while:
///
/// ```
/// use std::time::Duration;
/// use gorun::{block_on, channel, time};
///
/// block_on(async {
///     let (tx, idle) = channel(1);
///     let limit = Duration::from_millis(5);
///     let watch = time::after_func(limit, move || tx.try_send(()).unwrap());
///     for _ in 0..3 {
///         time::sleep(Duration::from_millis(1)).await;
///         watch.reset(limit);
///     }
///     assert_eq!(idle.recv().await, Some(()));
/// });
/// ```
pub struct AfterFunc {
    shared: Arc<Shared>,
}

impl AfterFunc {
    /// Cancels the call. Returns `true` if the call was still to come: then it does not happen.
    /// Returns `false` if it was cancelled before, or has begun; this does not wait for its end.
    ///
    /// Go counterpart: `Timer.Stop`.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// gorun::block_on(async {
    ///     let call = gorun::time::after_func(Duration::from_secs(3600), || unreachable!());
    ///     assert!(call.stop());
    ///     assert!(!call.stop());
    /// });
    /// ```
    pub fn stop(&self) -> bool {
        self.shared.change(|plan| plan.next.take().is_some())
    }

    /// Schedules the call for `duration` from now. Returns `true` if it was still to come, and
    /// `false` if it was cancelled or has happened. If a call is running now, the next one begins
    /// after it; in Go they run side by side.
    ///
    /// After the end of main nothing is called, and this returns `false`.
    ///
    /// Go counterpart: `Timer.Reset`.
    ///
    /// # Examples
    ///
    /// See [`AfterFunc`].
    pub fn reset(&self, duration: Duration) -> bool {
        let next = deadline(duration);
        self.shared.change(|plan| plan.is_open && plan.next.replace(next).is_some())
    }
}

impl Drop for AfterFunc {
    fn drop(&mut self) {
        self.shared.change(|plan| plan.is_open = false);
    }
}

impl fmt::Debug for AfterFunc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_planned = lock(&self.shared.plan).next.is_some();
        f.debug_struct("AfterFunc").field("is_planned", &is_planned).finish()
    }
}

struct Shared {
    plan: Mutex<Plan>,
    changed: Notify,
}

struct Plan {
    /// When the next call is due, if there is to be one.
    next: Option<Instant>,
    /// Another call can be planned: the `AfterFunc` and the goroutine are both there.
    is_open: bool,
}

impl Shared {
    fn change<R>(&self, change: impl FnOnce(&mut Plan) -> R) -> R {
        let result = change(&mut lock(&self.plan));
        self.changed.notify_one();
        result
    }
}

async fn call_when_due(mut caller: Caller<impl FnMut()>) {
    let Caller { share: Share(shared), f } = &mut caller;
    loop {
        let turn = take_turn(&mut lock(&shared.plan));
        match turn {
            Turn::Call => {
                f();
                // The function may have planned another call that is due.
                yield_now().await;
            }
            Turn::Wait(until) => {
                // The next turn finds out whether the time has come or the plan has changed.
                let _ = timeout_at(until, shared.changed.notified()).await;
            }
            Turn::Idle => shared.changed.notified().await,
            Turn::End => return,
        }
    }
}

enum Turn {
    Call,
    Wait(Instant),
    Idle,
    End,
}

/// What to do next. A call that is due is taken out of the plan.
fn take_turn(plan: &mut Plan) -> Turn {
    match plan.next {
        Some(next) if clock::now() >= next => {
            plan.next = None;
            Turn::Call
        }
        Some(next) => Turn::Wait(next),
        None if plan.is_open => Turn::Idle,
        None => Turn::End,
    }
}

/// What the goroutine has.
struct Caller<F> {
    /// Above the function, whose destructor may ask whether a call is to come.
    share: Share,
    f: F,
}

/// Dropped when the goroutine returns, panics, or is dropped, perhaps before it has run. Then no call
/// is to come.
struct Share(Arc<Shared>);

impl Drop for Share {
    fn drop(&mut self) {
        let mut plan = lock(&self.0.plan);
        plan.next = None;
        plan.is_open = false;
    }
}
