//! Tickers that nobody reads from for the moment: they cost nothing, and keep their phase.

use std::time::{Duration, Instant};

use gorun::time::{now, sleep, tick};
use gorun::{Receiver, channel, select, spawn};

use super::{MILLI, WORKERS};
use crate::common::*;

#[cfg(target_os = "linux")]
mod cost {
    use super::*;
    use crate::programs;

    const TICKERS: usize = 1000;

    fn processor_time() -> Duration {
        use nix::sys::resource::{UsageWho, getrusage};
        let usage = getrusage(UsageWho::RUSAGE_SELF).unwrap();
        let time = |t: nix::sys::time::TimeVal| {
            Duration::new(t.tv_sec() as u64, t.tv_usec() as u32 * 1000)
        };
        time(usage.user_time()) + time(usage.system_time())
    }

    /// Main sleeps beside what `begin` leaves, which may take a tenth of a core.
    #[track_caller]
    fn costs_nothing<T>(test: &str, begin: impl AsyncFnOnce() -> T) {
        programs::for_each_workers(test, |workers| {
            run(workers, async {
                let _kept = begin().await;
                // They fire once more, and on a busy machine it takes a while until all have.
                let begun = Instant::now();
                loop {
                    let (used, start) = (processor_time(), Instant::now());
                    sleep(400 * MILLI).await;
                    let used = (processor_time() - used).as_secs_f64();
                    let share = used / start.elapsed().as_secs_f64();
                    println!("{workers} workers: {:.1} % of a core", share * 100.0);
                    if share < 0.1 {
                        return;
                    }
                    assert!(begun.elapsed() < DEADLINE / 6, "{workers} workers: {share} of a core");
                }
            });
        });
    }

    fn tickers() -> Vec<Receiver<Instant>> {
        (0..TICKERS).map(|_| tick(MILLI)).collect()
    }

    #[test]
    fn tickers_that_nobody_reads_cost_a_core() {
        let test = "tickers::cost::tickers_that_nobody_reads_cost_a_core";
        costs_nothing(test, async || tickers());
    }

    #[test]
    fn tickers_that_are_not_read_any_more_cost_a_core() {
        let test = "tickers::cost::tickers_that_are_not_read_any_more_cost_a_core";
        costs_nothing(test, async || {
            let tickers = tickers();
            for _ in 0..2 {
                for ticks in &tickers {
                    ticks.recv().await.unwrap();
                }
            }
            // Some from goroutines, whose clones go.
            for ticks in &tickers[..10] {
                let ticks = ticks.clone();
                spawn(async move { ticks.recv().await.unwrap() }).await.unwrap();
            }
            tickers
        });
    }

    /// A receive that was given up does not count as one that waits.
    #[test]
    fn tickers_whose_select_took_another_case_cost_a_core() {
        let test = "tickers::cost::tickers_whose_select_took_another_case_cost_a_core";
        costs_nothing(test, async || {
            let mut kept = Vec::new();
            for _ in 0..TICKERS {
                let (ticks, (tx, rx)) = (tick(MILLI), channel(0));
                let other = spawn(async move { tx.send(()).await });
                // It waits in both queues, and the other case comes first, if this does not take long.
                select! {
                    value = rx.recv() => assert!(value.is_some()),
                    tick = ticks.recv() => assert!(tick.is_some()),
                }
                drop(rx);
                let _ = other.await.unwrap();
                kept.push(ticks);
            }
            kept
        });
    }

    /// Ready at once, so that it wins though its neighbour has not been armed for long.
    #[test]
    fn tickers_that_are_looked_at_in_vain_cost_a_core() {
        let test = "tickers::cost::tickers_that_are_looked_at_in_vain_cost_a_core";
        costs_nothing(test, async || {
            let tickers = tickers();
            for ticks in &tickers {
                let (tx, rx) = channel(1);
                tx.try_send(()).unwrap();
                select! {
                    _ = rx.recv() => {}
                    _ = ticks.recv() => {}
                }
                let _ = ticks.try_recv();
                let _ = gorun::time::timeout(Duration::ZERO, ticks.recv()).await;
            }
            tickers
        });
    }

    /// Nobody's goroutine ends with them, and nothing of them is read either.
    #[test]
    fn tickers_that_parked_goroutines_hold_cost_a_core() {
        let test = "tickers::cost::tickers_that_parked_goroutines_hold_cost_a_core";
        costs_nothing(test, async || {
            for ticks in tickers() {
                spawn(async move {
                    ticks.recv().await.unwrap();
                    std::future::pending::<()>().await;
                });
            }
        });
    }
}

const PERIOD: Duration = Duration::from_millis(40);

/// How far after a multiple of the period a tick came.
fn late(start: Instant, at: Instant) -> Duration {
    Duration::from_nanos(((at - start).as_nanos() % PERIOD.as_nanos()) as u64)
}

/// Tries until a tick comes in its phase, which one does when the machine is not busy. An anchor at the time
/// of the read would make each late by half a period.
async fn some_tick_has_its_phase(what: &str, mut late: impl AsyncFnMut() -> Duration) {
    let mut seen = Vec::new();
    while seen.len() < 25 {
        let late = late().await;
        if late < PERIOD / 5 {
            return;
        }
        seen.push(late);
    }
    panic!("{what}: late by {seen:?}, of {PERIOD:?}");
}

#[test]
fn a_pause_shifts_the_ticks_that_come_after_it() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            let start = now();
            let ticks = tick(PERIOD);
            ticks.recv().await.unwrap();
            let late = async || {
                sleep(PERIOD * 3 / 2).await;
                // One that came in the pause, and one that comes after it.
                ticks.recv().await.unwrap();
                late(start, ticks.recv().await.unwrap())
            };
            some_tick_has_its_phase("after a pause", late).await;
        });
    }
}

#[test]
fn a_pause_before_the_first_read_shifts_the_ticks() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            let late = async || {
                let start = now();
                let ticks = tick(PERIOD);
                sleep(PERIOD * 3 / 2).await;
                ticks.recv().await.unwrap();
                late(start, ticks.recv().await.unwrap())
            };
            some_tick_has_its_phase("before the first read", late).await;
        });
    }
}

/// Whoever reads again after a pause is not given at once what was missed.
#[test]
fn a_ticker_that_was_not_read_for_long_catches_up() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            let ticks = tick(MILLI);
            for _ in 0..3 {
                sleep(30 * MILLI).await;
                let start = now();
                // The one that was kept, and eleven others: between those are ten periods, of which the
                // first may have begun before it rang.
                for _ in 0..12 {
                    ticks.recv().await.unwrap();
                }
                assert!(start.elapsed() >= 9 * MILLI, "{:?}", start.elapsed());
            }
        });
    }
}
