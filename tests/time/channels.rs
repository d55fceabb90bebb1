//! `after` and `tick`.

use std::future::Future;
use std::sync::Arc;
use std::task::{Context, Wake, Waker};
use std::thread;
use std::time::{Duration, Instant};

use gorun::time::{after, now, sleep, tick};
use gorun::{
    Builder, Receiver, TryRecvError, UnhandledPanic, block_on, channel, select, spawn, yield_now,
};

use super::{HOUR, MILLI, WORKERS};
use crate::common::*;

/// Go's `TestAfter`.
#[test]
pub(crate) fn after_sends_the_time_once_and_not_early() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            let alarms: Vec<_> = (0..100_u32)
                .map(|i| {
                    spawn(async move {
                        let by = now() + MILLI * (i % 5);
                        let alarm = after(MILLI * (i % 5));
                        let sent = alarm.recv().await.unwrap();
                        assert!(sent >= by && now() >= sent);
                        assert_eq!(alarm.try_recv(), Err(TryRecvError::Empty));
                    })
                })
                .collect();
            for alarm in alarms {
                alarm.await.unwrap();
            }
        });
    }
}

#[test]
pub(crate) fn after_nothing_is_there_at_once() {
    let _watchdog = watchdog();
    block_on(async {
        assert!(after(Duration::ZERO).try_recv().is_ok());
        assert_eq!(after(Duration::MAX).try_recv(), Err(TryRecvError::Empty));
    });
}

#[test]
pub(crate) fn ticks_are_not_early_and_those_nobody_takes_are_dropped() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            let start = now();
            let ticks = tick(2 * MILLI);
            assert_eq!(
                ticks.try_recv(),
                Err(TryRecvError::Empty),
                "the first comes after a period"
            );
            for tick in 1..=3 {
                let sent = ticks.recv().await.unwrap();
                assert!(sent >= start + tick * 2 * MILLI);
            }
            // Many periods pass.
            sleep(20 * MILLI).await;
            wait_until(|| ticks.len() == 1);
            let kept = ticks.recv().await.unwrap();
            let fresh = ticks.recv().await.unwrap();
            assert!(kept < fresh);
        });
    }
}

#[test]
pub(crate) fn an_alarm_that_has_rung_is_not_chosen_again() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            let (alarm, ticks) = (after(MILLI), tick(MILLI));
            let (mut rung, mut ticked) = (0, 0);
            while rung == 0 || ticked < 5 {
                select! {
                    at = alarm.recv() => {
                        assert!(at.is_some());
                        rung += 1;
                    }
                    _ = ticks.recv() => ticked += 1,
                }
            }
            assert_eq!(rung, 1);
        });
    }
}

#[test]
pub(crate) fn a_timeout_in_a_select_that_loops_fires_when_nothing_else_happens() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            let (tx, rx) = channel(0);
            spawn(async move {
                for i in 0..100 {
                    tx.send(i).await.unwrap();
                }
                std::future::pending::<()>().await
            });
            let mut received = 0;
            let over = loop {
                select! {
                    value = rx.recv() => {
                        assert_eq!(value, Some(received));
                        received += 1;
                    }
                    // On a busy machine perhaps sooner than the others are done.
                    over = after(2 * MILLI).recv() => if received == 100 { break over },
                }
            };
            assert!(over.is_some());
        });
    }
}

#[test]
pub(crate) fn selects_take_turns_between_two_tickers_and_an_end() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            let (fast, slow, end) = (tick(MILLI), tick(4 * MILLI), after(30 * MILLI));
            let (mut fasts, mut slows) = (0, 0);
            loop {
                select! {
                    _ = fast.recv() => fasts += 1,
                    _ = slow.recv() => slows += 1,
                    _ = end.recv() => break,
                }
            }
            assert!(fasts <= 31 && slows <= 8, "{fasts} and {slows} ticks in 30 ms");
            // However slow the machine is: a tick waits in each by then, or was taken.
            assert!(fasts + fast.len() > 0 && slows + slow.len() > 0);
        });
    }
}

#[test]
pub(crate) fn a_thread_can_wait_for_an_alarm() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            let alarm = after(2 * MILLI);
            let waiting = thread::spawn(move || alarm.recv_blocking());
            assert!(waiting.join().unwrap().is_some());
        });
    }
}

/// From a runtime that has ended.
fn left_over(alarm: fn() -> Receiver<Instant>) -> Receiver<Instant> {
    block_on(async { alarm() })
}

#[test]
pub(crate) fn alarms_are_closed_when_their_runtime_ends() {
    let _watchdog = watchdog();
    for _ in 0..20 {
        assert_eq!(left_over(|| after(HOUR)).recv_blocking(), None);
        assert_eq!(left_over(|| tick(HOUR)).recv_blocking(), None);
        // Also while somebody waits.
        let waiting = block_on(async {
            let alarm = after(HOUR);
            thread::spawn(move || alarm.recv_blocking())
        });
        assert_eq!(waiting.join().unwrap(), None);
    }
}

#[test]
pub(crate) fn a_ticker_is_closed_by_its_receiver() {
    let _watchdog = watchdog();
    block_on(async {
        let ticks = tick(MILLI);
        ticks.recv().await.unwrap();
        ticks.close();
        ticks.recv().await;
        assert_eq!(ticks.recv().await, None);
    });
}

/// However it is taken, and by whomever, and after whatever pause.
#[test]
pub(crate) fn a_ticker_goes_on_when_its_tick_has_been_taken() {
    use futures::StreamExt;
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            let mut last = now();
            let mut ticks = tick(MILLI);
            for round in 0..36 {
                if round % 2 == 0 {
                    wait_until(|| ticks.len() == 1);
                }
                let at = match round % 12 / 2 {
                    0 => ticks.recv().await,
                    1 => loop {
                        select! {
                            at = ticks.recv() => break at,
                            default => yield_now().await,
                        }
                    },
                    2 => select! {
                        at = ticks.recv() => at,
                        () = sleep(HOUR) => None,
                    },
                    3 => ticks.recv_blocking(),
                    4 => ticks.next().await,
                    _ => loop {
                        if let Ok(at) = ticks.clone().try_recv() {
                            break Some(at);
                        }
                        yield_now().await;
                    },
                };
                let at = at.expect("the ticker has ended");
                assert!(at > last, "a tick comes twice");
                last = at;
            }
        });
    }
}

#[test]
pub(crate) fn a_ticker_that_several_share_goes_on_for_all() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            let ticks = tick(Duration::from_micros(100));
            let taken: Vec<_> = (0..4)
                .map(|number| {
                    let ticks = ticks.clone();
                    spawn(async move {
                        let mut taken = Vec::new();
                        while taken.len() < 50 {
                            // A receive that is given up may have been given a tick, which it puts back.
                            select! {
                                at = ticks.recv() => taken.push(at.expect("the ticker has ended")),
                                () = sleep(Duration::from_micros(50 * number)) => {}
                            }
                        }
                        taken
                    })
                })
                .collect();
            let mut all = Vec::new();
            for taken in taken {
                all.extend(taken.await.unwrap());
            }
            all.sort();
            all.dedup();
            assert_eq!(all.len(), 200, "a tick comes twice");
        });
    }
}

#[test]
pub(crate) fn a_runtime_that_ends_closes_a_ticker_whose_tick_was_left() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        let ticks = run(workers, async {
            let ticks = tick(MILLI);
            wait_until(|| ticks.len() == 1);
            ticks
        });
        assert!(ticks.recv_blocking().is_some());
        assert_eq!(ticks.recv_blocking(), None);
    }
}

/// One that listens again after a long time, beside many that never do. The figure is the processor
/// time of a process of its own.
#[cfg(target_os = "linux")]
#[test]
pub(crate) fn a_thousand_tickers_that_nobody_listens_to_cost_nothing() {
    const TEST: &str = "channels::a_thousand_tickers_that_nobody_listens_to_cost_nothing";
    if !is_child() {
        return child_passes(TEST, &[], "");
    }
    fn processor_time() -> Duration {
        let text = std::fs::read_to_string("/proc/self/stat").unwrap();
        let fields: Vec<_> = text.rsplit(')').next().unwrap().split_whitespace().collect();
        let ticks = |field: usize| fields[field].parse::<u64>().unwrap();
        Duration::from_millis((ticks(11) + ticks(12)) * 10)
    }
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            let tickers: Vec<_> = (0..1_000).map(|_| tick(MILLI)).collect();
            wait_until(|| tickers.iter().all(|ticks| ticks.len() == 1));
            let before = processor_time();
            sleep(500 * MILLI).await;
            let spent = processor_time() - before;
            // Rung each time they took 250 ms and more.
            assert!(spent <= 100 * MILLI, "{spent:?} in half a second");
            for ticks in tickers {
                let kept = ticks.recv().await.unwrap();
                assert!(kept < ticks.recv().await.unwrap());
            }
        });
    }
}

/// The panic is that of the one whose waker it is.
#[test]
pub(crate) fn a_waker_that_panics_does_not_end_a_ticker_for_others() {
    struct Panics;
    impl Wake for Panics {
        fn wake(self: Arc<Self>) {
            panic!("boom")
        }
    }
    let _watchdog = watchdog();
    quiet();
    for workers in WORKERS {
        Builder::new()
            .worker_threads(workers)
            .unhandled_panic(UnhandledPanic::Ignore)
            .block_on(async {
                let ticks = tick(2 * MILLI);
                let other = ticks.clone();
                let mut first = Box::pin(ticks.recv());
                let waker = Waker::from(Arc::new(Panics));
                assert!(first.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
                wait_until(|| other.len() == 1);
                assert!(first.as_mut().await.is_some());
                for _ in 0..3 {
                    assert!(other.recv().await.is_some(), "the ticker has ended");
                }
            })
            .unwrap();
    }
}
