//! One timer as its owner holds it: a deadline, and the task that waits for it.

#![forbid(unsafe_code)]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::Waker;
use std::time::Instant;

use crate::clock;
use crate::scheduler::context::{self, Context};
use crate::scheduler::foreign_wakers;
use crate::scheduler::queues::injector::thread_shard_number;
use crate::scheduler::shared::{Phase, Scheduler};
use crate::scheduler::timers::timer_queue::{Home, Shard, TimerId};
use crate::scheduler::trace::event::EventKind;

/// Removes itself when dropped.
pub(crate) struct Timer {
    scheduler: Arc<Scheduler>,
    deadline: Instant,
    /// Its place, since it began to wait: also when it has fired.
    id: Option<TimerId>,
}

impl Timer {
    pub(crate) fn new(scheduler: Arc<Scheduler>, deadline: Instant) -> Self {
        Timer { scheduler, deadline, id: None }
    }

    pub(crate) fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Whether `wait` has been called, since the last `reset` or `cancel`.
    pub(crate) fn is_waited_for(&self) -> bool {
        self.id.is_some()
    }

    pub(crate) fn is_due(&self) -> bool {
        clock::now() >= self.deadline
    }

    /// Whether the timer belongs to this context's runtime.
    pub(crate) fn belongs_to(&self, context: &Context) -> bool {
        context.belongs_to(Arc::as_ptr(&self.scheduler))
    }

    /// Whether the runtime has ended, so that no thread keeps time for it.
    pub(crate) fn has_stopped(&self) -> bool {
        self.scheduler.phase() == Phase::Ended
    }

    pub(crate) fn reset(&mut self, deadline: Instant) {
        self.cancel();
        self.deadline = deadline;
    }

    pub(crate) fn cancel(&mut self) {
        if let Some(id) = self.id.take() {
            // Outside the lock.
            foreign_wakers::drop_waker(self.scheduler.timers.remove(id));
        }
    }

    /// Wakes `waker` when the timer is due, or has stopped. Returns whether it already is, or has.
    pub(crate) fn wait(&mut self, waker: &Waker) -> bool {
        if let Some(id) = self.id {
            match self.scheduler.timers.will_wake(id, waker) {
                Some(true) => return false,
                // The new entry goes to the present waiter's shard.
                Some(false) => self.cancel(),
                None => return true,
            }
        }
        self.id = Some(self.add(waker));
        // Only now: the thread that stops all timers does so once.
        let has_stopped = self.has_stopped();
        if has_stopped {
            // Otherwise a thread that drives its future for ever would go on keeping time.
            self.cancel();
        }
        has_stopped
    }

    fn add(&self, waker: &Waker) -> TimerId {
        let scheduler = &self.scheduler;
        let (driver, near, is_internal) = context::with_inside(|context| {
            let is_internal = context.is_some_and(|context| context.is_internal(waker));
            if let Some(simulation) = scheduler.simulation() {
                simulation.check_inside("sets a timer");
                // One shard, so that all come in one order.
                return (None, 0, is_internal);
            }
            let Some(context) = context else { return (None, thread_shard_number(), false) };
            if context.is_driving() && self.belongs_to(context) {
                return (context.driver.borrow().clone(), thread_shard_number(), is_internal);
            }
            let near = context.worker().map_or_else(thread_shard_number, |worker| worker.index);
            (None, near, is_internal)
        });
        let attach = || scheduler.timers.attach();
        let shard = driver.as_ref().and_then(|driver| driver.timers.get_or_init(attach).as_deref());
        let home = shard.map_or(Home::Shared(near), Home::Driver);
        let added = scheduler.timers.add(home, self.deadline, waker.clone(), is_internal);
        if added.is_early {
            scheduler.idle.notify_monitor();
        }
        added.id
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        self.cancel();
    }
}

impl Scheduler {
    /// Fires due timers that have internal wakers. Returns whether others are due.
    pub(crate) fn wake_internal_due(&self, now: Instant) -> bool {
        self.fire_internal_due(now);
        self.timers.are_foreign_due(now)
    }

    fn fire_internal_due(&self, now: Instant) {
        let mut fired = 0;
        self.timers.take_internal_due(now, |waker| {
            fired += 1;
            self.wake(waker);
        });
        if fired > 0 {
            context::record(self, EventKind::TimersFired, fired);
        }
    }

    /// Fires all due timers. Workers call this, since a foreign waker may block.
    pub(crate) fn wake_due(&self, now: Instant) {
        self.fire_internal_due(now);
        self.timers.take_foreign_due(now, |waker| self.wake(waker));
    }

    /// Fires the due timers of the future that the calling thread drives.
    pub(crate) fn wake_driver_due(&self, shard: &Shard, now: Instant) {
        self.timers.take_driver_due(shard, now, |waker| self.wake(waker));
    }

    /// Wakes all goroutines and drivers that wait for timers: no thread keeps time from now on.
    pub(crate) fn stop_internal_timers(&self) {
        self.timers.take_internal().into_iter().for_each(|waker| self.wake(waker));
    }

    /// Calls all foreign wakers. Workers call this.
    pub(crate) fn stop_foreign_timers(&self) {
        while let Some(waker) = self.timers.take_foreign() {
            self.wake(waker);
        }
    }

    /// Calls, on a thread of its own, the foreign wakers that no worker has reached.
    pub(crate) fn stop_timers_left(&self) {
        let left: Vec<_> = std::iter::from_fn(|| self.timers.take_foreign()).collect();
        if self.simulation().is_some() {
            left.into_iter().for_each(|waker| self.wake(waker));
        } else if !left.is_empty() {
            self.threads.requests.wake_elsewhere(left);
        }
    }

    pub(crate) fn wake(&self, waker: Waker) {
        if let Err(payload) = catch_unwind(AssertUnwindSafe(|| waker.wake())) {
            self.main.unhandled(payload, None);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};
    use std::pin::pin;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::task::{Context, Poll, Wake};
    use std::time::Duration;

    use futures::StreamExt;
    use futures::stream::FuturesUnordered;

    use super::*;
    use crate::scheduler::timers::timer_queue::MOST_DRIVERS;
    use crate::time::{after, interval, sleep, tick, timeout};
    use crate::{block_on, spawn};

    const HOUR: Duration = Duration::from_secs(3600);

    fn pending_timers() -> usize {
        context::with_inside(|inside| inside.expect("in main").scheduler.timers.len())
    }

    /// Polls `future` once, and then drops it.
    async fn touch(future: impl Future) {
        let mut future = pin!(future);
        std::future::poll_fn(|cx| {
            assert!(future.as_mut().poll(cx).is_pending());
            Poll::Ready(())
        })
        .await;
        assert_eq!(pending_timers(), 1);
    }

    #[test]
    fn a_timer_that_is_dropped_leaves_nothing_behind() {
        block_on(async {
            touch(sleep(HOUR)).await;
            assert_eq!(pending_timers(), 0, "a sleep");
            touch(timeout(HOUR, pending::<()>())).await;
            assert_eq!(pending_timers(), 0, "a timeout");
            let mut interval = interval(HOUR);
            interval.tick().await;
            touch(interval.tick()).await;
            drop(interval);
            assert_eq!(pending_timers(), 0, "an interval");
            for make in [after, tick] {
                let alarm = make(HOUR);
                let clone = alarm.clone();
                touch(alarm.recv()).await;
                drop(alarm);
                assert_eq!(pending_timers(), 1, "somebody still waits for the alarm");
                drop(clone);
                assert_eq!(pending_timers(), 0, "an alarm");
            }
            let alarm = tick(HOUR);
            alarm.close();
            assert_eq!(pending_timers(), 0, "an alarm whose channel is closed");
        });
    }

    #[test]
    fn a_timer_that_loses_a_select_leaves_nothing_behind() {
        block_on(async {
            for _ in 0..100 {
                crate::select! {
                    _ = after(HOUR).recv() => unreachable!(),
                    _ = sleep(HOUR) => unreachable!(),
                    _ = ready(()) => assert_eq!(pending_timers(), 0),
                }
            }
        });
    }

    #[test]
    fn timers_that_have_fired_leave_nothing_behind() {
        block_on(async {
            spawn(sleep(Duration::from_millis(1))).await.unwrap();
            after(Duration::from_millis(1)).recv().await.unwrap();
            assert_eq!(pending_timers(), 0);
            let ticks = tick(Duration::from_millis(1));
            for _ in 0..3 {
                ticks.recv().await.unwrap();
            }
            drop(ticks);
            assert_eq!(pending_timers(), 0, "a ticker that was dropped");
        });
    }

    #[test]
    fn an_aborted_goroutine_s_timer_is_gone_when_it_is_cancelled() {
        block_on(async {
            let sleepers: Vec<_> = (0..100).map(|_| spawn(sleep(HOUR))).collect();
            crate::time::sleep(Duration::from_millis(1)).await;
            sleepers.iter().for_each(|sleeper| sleeper.abort());
            for sleeper in sleepers {
                assert!(sleeper.await.unwrap_err().is_cancelled());
            }
            assert_eq!(pending_timers(), 0);
        });
    }

    struct Flag(Arc<AtomicBool>);

    impl Wake for Flag {
        fn wake(self: Arc<Self>) {
            self.0.store(true, Ordering::Relaxed);
        }
    }

    /// With wakers of both kinds.
    async fn sleep_in_a_set() {
        sleep(Duration::from_millis(1)).await;
        let sleeps = (1..5).map(|millis| sleep(Duration::from_millis(millis)));
        assert_eq!(sleeps.collect::<FuturesUnordered<_>>().count().await, 4);
    }

    #[test]
    fn drivers_that_leave_timers_behind_do_not_add_up() {
        block_on(async {
            let scheduler = context::with_inside(|inside| inside.unwrap().scheduler.clone());
            let handle = crate::Handle::current();
            let soon = Duration::from_millis(50);
            let mut left = Vec::new();
            for number in 0..MOST_DRIVERS + 100 {
                let woken = Arc::new(AtomicBool::new(false));
                let waker = Waker::from(Arc::new(Flag(woken.clone())));
                let limit = if number % 100 == 0 { soon } else { HOUR };
                left.push(handle.block_on(async {
                    let mut sleep = Box::pin(sleep(limit));
                    let is_ready = sleep.as_mut().poll(&mut Context::from_waker(&waker)).is_ready();
                    woken.fetch_or(is_ready, Ordering::Relaxed);
                    (limit, woken, sleep)
                }));
            }
            assert!(scheduler.timers.driver_shards() <= MOST_DRIVERS);
            // Those that come later have timers, too.
            handle.block_on(sleep_in_a_set());
            let are_woken = || {
                left.iter().all(|(limit, woken, _)| *limit == HOUR || woken.load(Ordering::Relaxed))
            };
            timeout(Duration::from_secs(20), async {
                while !are_woken() {
                    crate::yield_now().await;
                }
            })
            .await
            .expect("whoever drives what");
            drop(left);
            // The shards are free again.
            let before = scheduler.timers.driver_shards();
            handle.block_on(sleep_in_a_set());
            assert_eq!((pending_timers(), scheduler.timers.driver_shards()), (0, before));
        });
    }

    #[test]
    fn a_runtime_that_ends_forgets_its_timers() {
        let (scheduler, sleep) = block_on(async {
            let mut sleep = Box::pin(sleep(HOUR));
            let mut cx = Context::from_waker(Waker::noop());
            assert!(sleep.as_mut().poll(&mut cx).is_pending());
            (context::with_inside(|inside| inside.unwrap().scheduler.clone()), sleep)
        });
        assert_eq!(scheduler.timers.len(), 0);
        drop(sleep);
        // On a busy machine exit detaches a thread that takes long to end.
        let start = clock::now();
        while Arc::strong_count(&scheduler) > 1 {
            assert!(start.elapsed() < Duration::from_secs(30), "something keeps the scheduler");
            std::thread::yield_now();
        }
    }
}
