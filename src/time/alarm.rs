//! `after` and `tick`: time as a channel.
//!
//! The channel's one sender belongs to an *alarm*, which is what the timer wakes, and what the channel
//! wakes when nobody receives any more. Whatever woke it, it looks what there is to do.
//!
//! The channel owns the alarm, and the alarm the channel, by its sender. That ends when there are no
//! receivers any more, or when the runtime ends before the alarm has rung.

#![forbid(unsafe_code)]

use std::sync::Arc;
use std::task::{Wake, Waker};
use std::time::{Duration, Instant};

use super::interval::next_tick;
use super::{deadline, scheduler};
use crate::chan::channel;
use crate::chan::receiver::Receiver;
use crate::chan::sender::Sender;
use crate::clock;
use crate::scheduler::timer::Timer;
use crate::sync::{Mutex, lock};

/// A channel that gets the time, once, when `duration` has passed.
///
/// What is sent is the time at which it is. After that the channel stays open and empty, so one that
/// was made before a loop of `select!`s is chosen once. Dropping the receiver, or closing it, removes
/// the timer, so one may be made in each turn. If the runtime ends first the channel is closed.
///
/// Go counterpart: `time.After`. (`len` is 1 here when the time has come, and always 0 there.)
///
/// # Panics
///
/// On a thread that belongs to no runtime.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use gorun::{block_on, channel, select, time};
///
/// block_on(async {
///     let (_tx, rx) = channel::<u32>(0);
///     let answer = select! {
///         answer = rx.recv() => answer,
///         _ = time::after(Duration::from_millis(1)).recv() => None,
///     };
///     assert_eq!(answer, None);
/// });
/// ```
#[track_caller]
pub fn after(duration: Duration) -> Receiver<Instant> {
    set(deadline(duration), None)
}

/// A channel that gets the time every `period`, for the first time when one has passed.
///
/// It holds one tick: while nobody takes that, others are dropped. So a slow receiver misses ticks, and
/// does not delay them. Dropping the receiver, or closing it, removes the
/// timer. When the runtime ends the channel is closed.
///
/// Go counterpart: `time.Tick`. [`interval`](super::interval) is without a channel, and ticks at once.
///
/// # Panics
///
/// If `period` is zero. On a thread that belongs to no runtime.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use gorun::{block_on, time};
///
/// block_on(async {
///     let start = time::now();
///     let ticks = time::tick(Duration::from_millis(2));
///     for _ in 0..3 {
///         ticks.recv().await;
///     }
///     assert!(time::now() - start >= Duration::from_millis(6));
/// });
/// ```
#[track_caller]
pub fn tick(period: Duration) -> Receiver<Instant> {
    assert!(
        !period.is_zero(),
        "`tick(0)`: ticks without any time between them; give a period that is not zero"
    );
    set(deadline(period), Some(period))
}

#[track_caller]
fn set(deadline: Instant, period: Option<Duration>) -> Receiver<Instant> {
    let timer = Timer::new(scheduler(), deadline);
    let (sender, receiver) = channel(1);
    let alarm = Arc::new(Alarm { armed: Mutex::new(None) });
    sender.wake_when_closed(Waker::from(alarm.clone()));
    alarm.arm(Armed { timer: Some(timer), period, sender });
    alarm.ring_if_due();
    receiver
}

struct Alarm {
    /// `None` while it rings, and when it is over.
    armed: Mutex<Option<Armed>>,
}

struct Armed {
    /// `None` when it has rung for the last time.
    timer: Option<Timer>,
    period: Option<Duration>,
    sender: Sender<Instant>,
}

impl Armed {
    fn is_over(&self) -> bool {
        self.timer.as_ref().is_some_and(Timer::has_stopped) || self.sender.is_closed()
    }

    fn is_due(&self) -> bool {
        self.timer.as_ref().is_some_and(Timer::is_due)
    }

    /// For the next tick, if there is one, after the present.
    fn wind(&mut self, now: Instant) {
        match (&mut self.timer, self.period) {
            (Some(timer), Some(period)) => timer.reset(next_tick(timer.deadline(), period, now)),
            _ => self.timer = None,
        }
    }
}

impl Alarm {
    fn arm(self: &Arc<Self>, mut armed: Armed) {
        let waker = Waker::from(self.clone());
        let mut slot = lock(&self.armed);
        if let Some(timer) = &mut armed.timer {
            timer.wait(&waker);
        }
        *slot = Some(armed);
        drop(slot);
        // Whoever ended it while there was nothing in the slot has found nothing to do.
        self.end_if_over();
    }

    fn end_if_over(&self) {
        let over = lock(&self.armed).take_if(|armed| armed.is_over());
        drop(over);
    }

    fn ring_if_due(self: &Arc<Self>) {
        let due = lock(&self.armed).take_if(|armed| armed.is_due());
        let Some(mut armed) = due else { return };
        let now = clock::now();
        // Not under the lock: it wakes whoever receives. If there is a tick already this one is dropped.
        let _ = armed.sender.try_send(now);
        armed.wind(now);
        self.arm(armed);
    }
}

impl Wake for Alarm {
    fn wake(self: Arc<Self>) {
        self.end_if_over();
        self.ring_if_due();
    }
}
