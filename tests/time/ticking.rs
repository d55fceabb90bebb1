//! `interval`.

use std::pin::pin;
use std::thread;
use std::time::Duration;

use futures::StreamExt;
use futures::future::{Either, select};
use gorun::time::{MissedTickBehavior, interval, now, sleep};
use gorun::{block_on, spawn};

use super::{HOUR, MILLI, WORKERS};
use crate::common::*;

#[test]
pub(crate) fn an_interval_ticks_at_once_and_then_never_early() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            let before = now();
            let mut interval = interval(2 * MILLI);
            let first = interval.tick().await;
            assert!(first >= before && first <= now());
            for tick in 1..=5 {
                let due = interval.tick().await;
                assert!(now() >= due && due >= first + tick * 2 * MILLI);
                assert_eq!((due - first).as_nanos() % (2 * MILLI).as_nanos(), 0);
            }
        });
    }
}

#[test]
pub(crate) fn ticks_that_were_missed_are_skipped_and_not_made_up_for() {
    let _watchdog = watchdog();
    block_on(async {
        let mut interval = interval(MILLI);
        let first = interval.tick().await;
        interval.tick().await;
        thread::sleep(10 * MILLI);
        // One is due, which was set before; then the next is in the future.
        let late = interval.tick().await;
        let before = now();
        let next = interval.tick().await;
        assert!(late < next && next >= first + 10 * MILLI, "{:?}", next - first);
        assert!(next + MILLI >= before, "{:?} behind", before - next);
    });
}

#[test]
pub(crate) fn a_tick_that_is_dropped_while_it_waits_is_not_lost() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            let mut interval = interval(3 * MILLI);
            let first = interval.tick().await;
            let mut lost = 0;
            let second = loop {
                match select(pin!(interval.tick()), pin!(sleep(Duration::from_micros(500)))).await {
                    Either::Left((due, _)) => break due,
                    Either::Right(_) => lost += 1,
                }
            };
            assert_eq!(second, first + 3 * MILLI, "dropped {lost} times");
        });
    }
}

#[test]
pub(crate) fn a_goroutine_whose_ticks_are_always_due_gives_way() {
    let _watchdog = watchdog();
    run_without_spares(1, async {
        let flag = flag();
        let ticks = spawn({
            let flag = flag.clone();
            async move {
                let mut interval = interval(Duration::from_nanos(1));
                while !flag.load(std::sync::atomic::Ordering::SeqCst) {
                    interval.tick().await;
                }
            }
        });
        spawn(async move { flag.store(true, std::sync::atomic::Ordering::SeqCst) });
        ticks.await.unwrap();
    });
}

#[test]
pub(crate) fn a_period_beyond_the_clock_ticks_once() {
    let _watchdog = watchdog();
    block_on(async {
        for period in [Duration::MAX, HOUR] {
            let mut interval = interval(period);
            interval.tick().await;
            assert_eq!(interval.period(), period);
            let second = pin!(interval.tick());
            assert!(matches!(select(second, pin!(sleep(MILLI))).await, Either::Right(_)));
        }
    });
}

#[test]
pub(crate) fn ticks_that_were_missed_are_made_up_for_where_that_is_wanted() {
    let _watchdog = watchdog();
    block_on(async {
        let mut interval = interval(MILLI);
        interval.set_missed_tick_behavior(MissedTickBehavior::Burst);
        let first = interval.tick().await;
        thread::sleep(10 * MILLI);
        for tick in 1..=10 {
            assert_eq!(interval.tick().await, first + tick * MILLI);
        }
        // It is up to date again, and waits.
        thread::sleep(2 * MILLI);
        for tick in 11..20 {
            let due = interval.tick().await;
            assert_eq!(due, first + tick * MILLI);
            assert!(now() >= due);
        }
    });
}

#[test]
pub(crate) fn ticks_never_come_closer_than_a_period_where_that_is_wanted() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            let mut interval = interval(2 * MILLI);
            interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
            let mut taken = None;
            for round in 0..6 {
                interval.tick().await;
                let at = now();
                if let Some(before) = taken.replace(at) {
                    assert!(at - before >= 2 * MILLI, "{:?}", at - before);
                }
                // Late now and then.
                thread::sleep(if round % 2 == 0 { 3 * MILLI } else { Duration::ZERO });
                taken = taken.map(|_| at);
            }
        });
    }
}

#[test]
pub(crate) fn a_behaviour_that_is_changed_counts_from_the_next_tick() {
    let _watchdog = watchdog();
    block_on(async {
        let mut interval = interval(MILLI);
        let first = interval.tick().await;
        assert_eq!(interval.missed_tick_behavior(), MissedTickBehavior::Skip);
        interval.set_missed_tick_behavior(MissedTickBehavior::Burst);
        thread::sleep(5 * MILLI);
        assert_eq!(interval.tick().await, first + MILLI);
        assert_eq!(interval.tick().await, first + 2 * MILLI);
        interval.set_missed_tick_behavior(MissedTickBehavior::Skip);
        assert_eq!(interval.tick().await, first + 3 * MILLI);
        assert!(interval.tick().await >= first + 6 * MILLI);
    });
}

#[test]
pub(crate) fn a_stream_of_ticks_loses_none_that_it_was_not_asked_for_to_the_end() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            let mut interval = interval(3 * MILLI);
            let first = interval.next().await.unwrap();
            let mut lost = 0;
            let second = loop {
                match select(interval.next(), pin!(sleep(Duration::from_micros(500)))).await {
                    Either::Left((due, _)) => break due.unwrap(),
                    Either::Right(_) => lost += 1,
                }
            };
            assert_eq!(second, first + 3 * MILLI, "dropped {lost} times");
            // Used in the other way after that.
            drop(interval.next());
            assert!(interval.tick().await >= first + 6 * MILLI);
        });
    }
}

#[test]
pub(crate) fn a_stream_of_ticks_wakes_the_goroutine_that_asks_last() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            let mut interval = interval(2 * MILLI);
            interval.tick().await;
            // A look of main's, and then it moves.
            assert!(futures::poll!(interval.next()).is_pending());
            let ticks = spawn(interval.take(3).count());
            assert_eq!(ticks.await.unwrap(), 3);
        });
    }
}
