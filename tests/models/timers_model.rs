//! Timers: the monitor does not oversleep, each is woken once or removed, and by its last waker.
//!
//! Seen to fail: the first three with a `limit` that looks at the deadlines before it says when the
//! monitor looks, and with an `add` that asks when the monitor looks before it stores the deadline
//! ("deadlock"); the fourth with a `take_due` that leaves what it has taken; the fifth with a driver's
//! foreign timers that call nobody; the sixth with a worker that looks at the drivers' timers before it
//! takes their lateness down; the last with an `attach` that does not ask whether timers are left.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Wake, Waker};
use std::time::{Duration, Instant};

use loom::thread;

use crate::explore::{ALL, explore, quick_or_full};
use crate::idle::parker::{Parker, Signal};
use crate::timer_queue::{Home, TimerId, TimerQueue};

const SECOND: Duration = Duration::from_secs(1);

struct World {
    start: Instant,
    timers: TimerQueue<1>,
    monitor: Parker,
}

impl World {
    fn new() -> Arc<Self> {
        let start = Instant::now();
        let timers = TimerQueue::new(start);
        // The monitor is awake, and need not be called.
        timers.limit(start, Some(start));
        Arc::new(World { start, timers, monitor: Parker::new() })
    }

    /// As a goroutine does.
    fn add(&self, after: Duration, waker: Waker) -> TimerId {
        self.add_to(Home::Shared(0), after, waker, true)
    }

    fn add_to(&self, home: Home<'_>, after: Duration, waker: Waker, is_internal: bool) -> TimerId {
        let added = self.timers.add(home, self.start + after, waker, is_internal);
        if added.is_early {
            self.monitor.send(Signal::Wake);
        }
        added.id
    }

    /// The monitor sleeps until it knows of a deadline as early as this.
    fn sleep_until_aware_of(&self, after: Duration) {
        while self.timers.limit(self.start, None).is_none_or(|limit| limit > after) {
            self.monitor.receive(None);
        }
    }
}

#[derive(Default)]
struct Wakes(AtomicUsize);

impl Wakes {
    fn new() -> (Arc<Self>, Waker) {
        let wakes = Arc::<Wakes>::default();
        (wakes.clone(), Waker::from(wakes))
    }

    fn count(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn the_monitor_does_not_oversleep_a_deadline() {
    explore(ALL, || {
        let world = World::new();
        let adder = thread::spawn({
            let world = world.clone();
            move || world.add(SECOND, Waker::noop().clone())
        });
        world.sleep_until_aware_of(SECOND);
        adder.join().unwrap();
    });
}

#[test]
fn the_monitor_does_not_oversleep_the_earliest_of_several() {
    explore(quick_or_full(2, Some(3)), || {
        let world = World::new();
        let adders: Vec<_> = [2, 1]
            .into_iter()
            .map(|seconds| {
                let world = world.clone();
                thread::spawn(move || world.add(seconds * SECOND, Waker::noop().clone()))
            })
            .collect();
        world.sleep_until_aware_of(SECOND);
        adders.into_iter().for_each(|adder| {
            adder.join().unwrap();
        });
    });
}

#[test]
fn the_monitor_does_not_oversleep_what_is_left_when_the_first_is_removed() {
    explore(quick_or_full(2, Some(3)), || {
        let world = World::new();
        let adders: Vec<_> = [(1, true), (2, false)]
            .into_iter()
            .map(|(seconds, removes)| {
                let world = world.clone();
                thread::spawn(move || {
                    let after = seconds * SECOND;
                    let id = world.add(after, Waker::noop().clone());
                    if removes {
                        drop(world.timers.remove(id));
                    }
                })
            })
            .collect();
        world.sleep_until_aware_of(2 * SECOND);
        adders.into_iter().for_each(|adder| adder.join().unwrap());
    });
}

#[test]
fn a_timer_is_woken_once_or_removed() {
    explore(Some(3), || {
        let world = World::new();
        let (wakes, waker) = Wakes::new();
        let id = world.add(SECOND, waker);
        let now = world.start + SECOND;
        let takers: Vec<_> = (0..2)
            .map(|_| {
                let world = world.clone();
                thread::spawn(move || world.timers.take_internal_due(now, Waker::wake))
            })
            .collect();
        let removed = world.timers.remove(id).is_some();
        takers.into_iter().for_each(|taker| taker.join().unwrap());
        assert_eq!(wakes.count(), usize::from(!removed), "woken, or removed: {removed}");
        assert!(world.timers.is_empty());
    });
}

#[test]
fn the_monitor_does_not_oversleep_a_driver_s_timer_with_a_foreign_waker() {
    explore(ALL, || {
        let world = World::new();
        let driver = thread::spawn({
            let world = world.clone();
            move || {
                let shard = world.timers.attach().unwrap();
                let home = Home::Driver(&shard);
                world.add_to(home, SECOND, Waker::noop().clone(), false);
            }
        });
        world.sleep_until_aware_of(SECOND);
        driver.join().unwrap();
    });
}

#[test]
fn a_driver_s_foreign_timer_is_woken_once_by_the_driver_or_a_worker() {
    explore(Some(3), || {
        let world = World::new();
        let now = world.start + SECOND;
        let shard = world.timers.attach().unwrap();
        let (wakes, waker) = Wakes::new();
        world.add_to(Home::Driver(&shard), SECOND, waker, false);
        let monitor = thread::spawn({
            let world = world.clone();
            move || {
                world.timers.check_drivers(now);
                while world.timers.are_foreign_due(now) {
                    world.timers.take_foreign_due(now, Waker::wake);
                }
            }
        });
        world.timers.take_driver_due(&shard, now, Waker::wake);
        monitor.join().unwrap();
        assert_eq!(wakes.count(), 1);
    });
}

#[test]
fn a_driver_does_not_get_a_shard_in_which_timers_are_left() {
    explore(ALL, || {
        let world = World::new();
        let shard = world.timers.attach().unwrap();
        let (wakes, waker) = Wakes::new();
        let id = world.add_to(Home::Driver(&shard), SECOND, waker, false);
        world.timers.detach(&shard);
        let other = thread::spawn({
            let world = world.clone();
            move || {
                let shard = world.timers.attach().unwrap();
                world.timers.take_driver_due(&shard, world.start + SECOND, Waker::wake);
                world.timers.detach(&shard);
            }
        });
        let removed = world.timers.remove(id).is_some();
        other.join().unwrap();
        assert!(removed, "it is nobody else's");
        assert_eq!(wakes.count(), 0);
    });
}
