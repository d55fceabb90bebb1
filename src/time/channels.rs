//! `after` and `tick`: time as a channel.
//!
//! An *alarm* owns the channel's one sender. The timer wakes the alarm, and so does the channel
//! when it is closed. Whatever woke it, the alarm checks what there is to do.
//!
//! The channel owns the alarm, and the alarm owns the channel, through its sender. The cycle ends
//! when the channel has no receiver left, or when the runtime ends before the alarm has fired.
//!
//! # A tick that is not taken
//!
//! A ticker without a listener costs nothing. When a tick stays in the channel, or finds another
//! one there, the alarm puts a notice into the queue of senders, under the same lock. It also sets
//! its timer to a time that never comes, because the end of the runtime wakes all timers that are
//! set. The receive that takes the tick serves the notice, and so wakes the alarm, which sets the
//! timer for the next multiple of the period.
//!
//! ```text
//!   set for the next tick ── fires, a receiver waits and gets the tick ──► set for the next tick
//!   set for the next tick ── fires, the tick is left ──► notice, never due
//!   notice, never due     ── the tick is taken ──► set for the next tick
//! ```
//!
//! A wake that comes while the alarm fires finds nothing to do. It is not lost, because the alarm
//! checks again when it has been armed.

#![forbid(unsafe_code)]

use std::sync::Arc;
use std::task::{Wake, Waker};
use std::time::{Duration, Instant};

use super::deadline::{FAR, deadline, scheduler};
use super::missed_ticks::MissedTickBehavior;
use crate::chan::channel;
use crate::chan::receiver::Receiver;
use crate::chan::sender::Sender;
use crate::chan::waiters::SlotKey;
use crate::clock;
use crate::primitives::{Mutex, lock};
use crate::scheduler::foreign_wakers;
use crate::scheduler::timers::timer::Timer;

/// Returns a channel that gets the time once, when `duration` has passed.
///
/// The value is the time at which it is sent. After that the channel stays open and empty, so a
/// loop of `select!`s that uses one channel chooses it once. Dropping or closing the receiver
/// removes the timer, so a loop may make a new one in each iteration. If the runtime ends first,
/// the channel is closed.
///
/// Go counterpart: `time.After`. Here `len` is 1 when the time has come; in Go it is always 0.
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

/// Returns a channel that gets the time every `period`, for the first time after one period.
///
/// The channel holds one tick. Until it is taken there are no others, and the ticker costs nothing.
/// So a slow receiver misses ticks, but does not delay them: the next one comes at a multiple of
/// the period. Dropping or closing the receiver removes the timer. When the runtime ends, the
/// channel is closed.
///
/// Go counterpart: `time.Tick`. [`interval`](super::interval) uses no channel, and ticks at once.
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
    make(deadline, period).1
}

#[track_caller]
fn make(due: Instant, period: Option<Duration>) -> (Arc<Alarm>, Receiver<Instant>) {
    let timer = Timer::new(scheduler(), due);
    let (sender, receiver) = channel(1);
    let alarm = Arc::new(Alarm { armed: Mutex::new(None) });
    sender.wake_when_closed(Waker::from(alarm.clone()));
    let mut armed = Armed { timer: Some(timer), due, period, notice: None, sender };
    // Not once it is armed: a worker could be firing it while the caller looks into the channel.
    if armed.is_due() {
        armed.fire(clock::now(), &alarm);
    }
    alarm.arm(armed);
    (alarm, receiver)
}

struct Alarm {
    /// `None` while the alarm fires, and when it is over.
    armed: Mutex<Option<Armed>>,
}

struct Armed {
    /// `None` when the alarm has fired for the last time.
    timer: Option<Timer>,
    /// When the alarm fires next. While the last tick is in the channel, when that tick was due.
    due: Instant,
    period: Option<Duration>,
    /// In the channel's queue, until the last tick is taken.
    notice: Option<SlotKey>,
    sender: Sender<Instant>,
}

impl Armed {
    fn is_over(&self) -> bool {
        self.timer.as_ref().is_some_and(Timer::has_stopped) || self.sender.is_closed()
    }

    fn is_due(&self) -> bool {
        self.timer.as_ref().is_some_and(Timer::is_due)
    }

    /// Whether the tick has been taken. Says so once.
    fn is_taken(&mut self) -> bool {
        let notice = self.notice.take_if(|notice| self.sender.is_taken(*notice));
        notice.is_some()
    }

    /// Sends the time. Returns the waker to wake.
    fn fire(&mut self, now: Instant, alarm: &Arc<Alarm>) -> Option<Waker> {
        let notice = self.period.map(|_| Waker::from(alarm.clone()));
        let fired = self.sender.fire(now, notice);
        self.notice = fired.notice;
        match (&mut self.timer, self.notice) {
            // The timer stays set, so that the end of the runtime wakes it.
            (Some(timer), Some(_)) => timer.reset(now + FAR),
            _ => self.wind(now),
        }
        fired.wake
    }

    /// Sets the timer for the next tick after `now`, if there is one.
    fn wind(&mut self, now: Instant) {
        match (&mut self.timer, self.period) {
            (Some(timer), Some(period)) => {
                self.due = MissedTickBehavior::Skip.next_tick(self.due, period, now);
                timer.reset(self.due);
            }
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
        // A close, an end of the runtime, or a receive that came while the slot was empty found
        // nothing to do.
        self.end_if_over();
        self.wind_if_taken();
    }

    fn end_if_over(&self) {
        let over = lock(&self.armed).take_if(|armed| armed.is_over());
        drop(over);
    }

    fn wind_if_taken(self: &Arc<Self>) {
        let taken = lock(&self.armed).take_if(Armed::is_taken);
        if let Some(mut armed) = taken {
            armed.wind(clock::now());
            self.arm(armed);
        }
    }

    fn fire_if_due(self: &Arc<Self>) {
        let due = lock(&self.armed).take_if(|armed| armed.is_due());
        let Some(mut armed) = due else { return };
        let wake = armed.fire(clock::now(), self);
        self.arm(armed);
        // Last, since a foreign waker may run any code.
        if let Some(waker) = wake {
            foreign_wakers::wake(waker);
        }
    }
}

impl Wake for Alarm {
    fn wake(self: Arc<Self>) {
        self.end_if_over();
        self.wind_if_taken();
        self.fire_if_due();
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::task::Context;
    use std::thread;

    use super::*;
    use crate::{TryRecvError, block_on};

    const MILLI: Duration = Duration::from_millis(1);
    const DAY: Duration = Duration::from_secs(24 * 3600);

    /// The timer's deadline; `None` while another thread uses the alarm.
    fn deadline_of(alarm: &Alarm) -> Option<Instant> {
        lock(&alarm.armed).as_ref().map(|armed| armed.timer.as_ref().unwrap().deadline())
    }

    /// A worker wakes the alarm.
    fn wait_until(mut condition: impl FnMut() -> bool) {
        let start = Instant::now();
        while !condition() {
            assert!(start.elapsed() < 60 * Duration::from_secs(1), "it does not come");
            thread::yield_now();
        }
    }

    #[test]
    fn a_ticker_is_not_set_while_nobody_takes_its_tick_and_keeps_its_phase() {
        block_on(async {
            let start = clock::now() + MILLI;
            let (alarm, ticks) = make(start, Some(MILLI));
            for _ in 0..100 {
                wait_until(|| ticks.len() == 1 && lock(&alarm.armed).is_some());
                let deadline = deadline_of(&alarm).unwrap();
                assert!(deadline > clock::now() + DAY, "it fires though nobody listens");
                let due = lock(&alarm.armed).as_ref().unwrap().due;
                assert!(due <= clock::now());
                assert_eq!((due - start).as_nanos() % MILLI.as_nanos(), 0, "out of step");
                assert!(ticks.try_recv().is_ok());
            }
        });
    }

    /// A receive is given a tick and puts it back, before the next tick or after it.
    #[test]
    fn a_tick_that_was_given_back_stops_the_ticker_too() {
        for after_another in [false, true] {
            block_on(async {
                let (alarm, ticks) = make(clock::now() + MILLI, Some(MILLI));
                let is_set = |sooner: bool| {
                    deadline_of(&alarm).is_some_and(|at| (at < clock::now() + DAY) == sooner)
                };
                let (flag, waker) = flag();
                let mut recv = Box::pin(ticks.recv());
                while recv.as_mut().poll(&mut Context::from_waker(&waker)).is_ready() {
                    recv = Box::pin(ticks.recv());
                }
                wait_until(|| flag.0.load(Ordering::SeqCst));
                wait_until(|| !after_another || ticks.len() == 1);
                drop(recv);
                wait_until(|| is_set(false));
                assert!(ticks.len() <= 2);
                wait_until(|| {
                    while ticks.try_recv().is_ok() {}
                    is_set(true)
                });
            });
        }
    }

    #[test]
    fn a_ticker_whose_tick_was_left_goes_with_its_last_receiver() {
        block_on(async {
            for is_closed in [false, true] {
                let (alarm, ticks) = make(clock::now(), Some(MILLI));
                wait_until(|| ticks.len() == 1 && lock(&alarm.armed).is_some());
                if is_closed {
                    ticks.close();
                    assert!(lock(&alarm.armed).is_none(), "its timer is still there");
                    assert!(ticks.try_recv().is_ok());
                    assert_eq!(ticks.try_recv(), Err(TryRecvError::Closed));
                } else {
                    let other = ticks.clone();
                    drop(ticks);
                    assert!(lock(&alarm.armed).is_some(), "somebody may still take it");
                    drop(other);
                }
                assert!(lock(&alarm.armed).is_none(), "its timer is still there");
                // The worker that woke the alarm may not have dropped it yet.
                wait_until(|| Arc::strong_count(&alarm) == 1);
            }
        });
    }

    struct Flag(AtomicBool);

    impl Wake for Flag {
        fn wake(self: Arc<Self>) {
            self.0.store(true, Ordering::SeqCst);
        }
    }

    fn flag() -> (Arc<Flag>, Waker) {
        let flag = Arc::new(Flag(AtomicBool::new(false)));
        (flag.clone(), Waker::from(flag))
    }
}
