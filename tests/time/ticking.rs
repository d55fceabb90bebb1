//! `interval`.

use std::pin::pin;
use std::thread;
use std::time::Duration;

use futures::future::{Either, select};
use gorun::time::{interval, now, sleep};
use gorun::{block_on, spawn};

use super::{HOUR, MILLI, WORKERS};
use crate::common::*;

#[test]
fn an_interval_ticks_at_once_and_then_never_early() {
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
fn ticks_that_were_missed_are_skipped_and_not_made_up_for() {
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
fn a_tick_that_is_dropped_while_it_waits_is_not_lost() {
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
fn a_goroutine_whose_ticks_are_always_due_gives_way() {
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
fn a_period_beyond_the_clock_ticks_once() {
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
