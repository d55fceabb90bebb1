//! Time that moves only when nothing else can.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use gorun::context::Context;
use gorun::sim::{self, Sim};
use gorun::time::{after, after_func, interval, now, sleep, sleep_until, tick, timeout};
use gorun::{WaitGroup, channel, spawn, yield_now};

const SECOND: Duration = Duration::from_secs(1);
const YEAR: Duration = Duration::from_secs(365 * 24 * 3600);

#[test]
fn a_long_sleep_takes_long_or_is_not_exact() {
    Sim::new().schedules(100).check(|| async {
        let start = now();
        sleep(YEAR).await;
        assert_eq!((now() - start, sim::elapsed()), (YEAR, YEAR));
    });
}

#[test]
fn time_passes_while_somebody_runs() {
    Sim::new().schedules(100).check(|| async {
        let worker = spawn(async {
            for _ in 0..100 {
                yield_now().await;
            }
            sim::elapsed()
        });
        let sleeper = spawn(async {
            sleep(Duration::from_nanos(1)).await;
            sim::elapsed()
        });
        assert_eq!(worker.await.unwrap(), Duration::ZERO);
        assert_eq!(sleeper.await.unwrap(), Duration::from_nanos(1));
    });
}

#[test]
fn equal_deadlines_ring_in_one_order_alone() {
    let orders = RefCell::new(BTreeSet::new());
    Sim::new().schedules(500).check(|| async {
        let (log, group) = (Arc::new(Mutex::new(Vec::new())), WaitGroup::new());
        for number in 0..3 {
            let log = log.clone();
            let note = move || log.lock().unwrap().push(number);
            if number == 2 {
                _ = after_func(SECOND, note);
            } else {
                group.go(async move {
                    sleep(SECOND).await;
                    note();
                });
            }
        }
        group.wait().await;
        sim::settle().await;
        orders.borrow_mut().insert(log.lock().unwrap().clone());
    });
    assert_eq!(orders.into_inner().len(), 6);
}

#[test]
fn earlier_deadlines_ring_later() {
    Sim::new().schedules(200).check(|| async {
        let (log, group) = (Arc::new(Mutex::new(Vec::new())), WaitGroup::new());
        for millis in [5, 1, 3, 2, 4] {
            let log = log.clone();
            group.go(async move {
                sleep(Duration::from_millis(millis)).await;
                log.lock().unwrap().push(millis);
            });
        }
        group.wait().await;
        assert_eq!(*log.lock().unwrap(), [1, 2, 3, 4, 5]);
    });
}

#[test]
fn jitter_delays_no_timer_or_one_by_too_much() {
    let most = Duration::from_millis(10);
    let late = RefCell::new(BTreeSet::new());
    Sim::new().schedules(100).jitter(most).check(|| async {
        sleep(SECOND).await;
        let by = sim::elapsed() - SECOND;
        assert!(by <= most, "{by:?}");
        late.borrow_mut().insert(by);
    });
    assert!(late.into_inner().len() > 50);
}

#[test]
fn an_interval_drifts() {
    Sim::new().schedules(50).check(|| async {
        let (mut interval, ticks) = (interval(SECOND), tick(SECOND));
        for n in 0..100 {
            assert_eq!(interval.tick().await - now(), Duration::ZERO);
            assert_eq!(sim::elapsed(), n * SECOND);
        }
        ticks.recv().await.unwrap();
        assert_eq!(sim::elapsed(), 99 * SECOND);
        ticks.recv().await.unwrap();
        assert_eq!(sim::elapsed(), 100 * SECOND);
    });
}

#[test]
fn a_limit_of_zero_takes_time_or_misses_what_is_ready() {
    Sim::new().schedules(50).check(|| async {
        assert!(timeout(Duration::ZERO, std::future::pending::<()>()).await.is_err());
        assert_eq!(timeout(Duration::ZERO, async { 1 }).await, Ok(1));
        sleep(Duration::ZERO).await;
        sleep_until(now()).await;
        after(Duration::ZERO).recv().await.unwrap();
        assert_eq!(sim::elapsed(), Duration::ZERO);
    });
}

#[test]
fn a_result_at_the_very_limit_always_wins_or_always_loses() {
    let won = RefCell::new(BTreeSet::new());
    Sim::new().schedules(200).check(|| async {
        let (tx, rx) = channel(1);
        spawn(async move {
            sleep(SECOND).await;
            // If the limit is first, nobody receives.
            _ = tx.send(()).await;
        })
        .detach();
        let received = timeout(SECOND, rx.recv()).await;
        assert_eq!(sim::elapsed(), SECOND);
        won.borrow_mut().insert(received.is_ok());
        sim::settle().await;
    });
    assert_eq!(won.into_inner().len(), 2);
}

#[test]
fn the_deadline_of_a_context_is_real() {
    Sim::new().schedules(50).check(|| async {
        let (context, _cancel) = Context::background().with_timeout(YEAR);
        context.done().await;
        assert_eq!(sim::elapsed(), YEAR);
    });
}

#[test]
fn what_settles_comes_before_others_or_after_a_timer() {
    Sim::new().schedules(200).check(|| async {
        let (tx, rx) = channel(100);
        for n in 0..5 {
            let tx = tx.clone();
            spawn(async move {
                for _ in 0..n {
                    yield_now().await;
                }
                tx.send(n).await.unwrap();
                sleep(SECOND).await;
                tx.send(n).await.unwrap();
            })
            .detach();
        }
        sim::settle().await;
        assert_eq!((rx.len(), sim::elapsed()), (5, Duration::ZERO));
        sleep(SECOND).await;
        sim::settle().await;
        assert_eq!(rx.len(), 10);
    });
}

#[test]
fn a_simulation_begins_at_another_time_than_it_should() {
    let start = std::time::Instant::now() + YEAR;
    Sim::new().schedules(2).start_at(start).check(|| async move {
        assert_eq!(now(), start);
    });
    // Outside it is as before.
    assert!(now() < start);
}

#[test]
fn a_ticker_that_nobody_reads_keeps_a_deadlock_from_being_found() {
    let failure = Sim::new()
        .run(|| async {
            let _ticks = tick(SECOND);
            std::future::pending::<()>().await;
        })
        .unwrap_err();
    assert!(failure.to_string().contains("a deadlock"), "{failure}");
}

#[test]
fn a_long_jitter_overflows() {
    Sim::new().schedules(50).jitter(YEAR).check(|| async {
        sleep(YEAR).await;
        assert!(sim::elapsed() <= 2 * YEAR);
        assert!(sim::rng().below(1 << 40) < 1 << 40);
    });
}

#[test]
fn what_settles_beside_others_is_ready_when_they_wake_it() {
    Sim::new().schedules(100).check(|| async {
        let (tx, rx) = channel(0);
        let steps = Arc::new(Mutex::new(0));
        let counted = steps.clone();
        spawn(async move {
            for n in 0..5 {
                tx.send(n).await.unwrap();
                *counted.lock().unwrap() += 1;
            }
            drop(tx);
            for _ in 0..5 {
                yield_now().await;
                *counted.lock().unwrap() += 1;
            }
        })
        .detach();
        let receive = async { while rx.recv().await.is_some() {} };
        let settled = async {
            sim::settle().await;
            assert_eq!(*steps.lock().unwrap(), 10);
        };
        futures::join!(receive, settled);
    });
}
