//! Go's tests of timers and tickers (`time/sleep_test.go`, `time/tick_test.go`), in our words. The
//! table is `tests/go_tests.md`.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use gorun::time::{after, now, sleep, sleep_until, tick};
use gorun::{JoinHandle, JoinSet, block_on, channel, select, spawn, yield_now};

use super::{HOUR, MILLI, WORKERS};
use crate::common::*;

const NANO: Duration = Duration::from_nanos(1);
const MICRO: Duration = Duration::from_micros(1);

async fn all(handles: Vec<JoinHandle<()>>) {
    for handle in handles {
        handle.await.unwrap();
    }
}

/// A waker that counts.
#[derive(Default)]
struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, SeqCst);
    }
}

// sleep_test.go

/// Go's `TestSleep`.
#[test]
pub(crate) fn a_sleep_is_not_cut_short_by_wakes_meant_for_something_else() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            let waker = Arc::new(std::sync::Mutex::new(None::<Waker>));
            let over = flag();
            let others: Vec<_> = (0..3)
                .map(|_| {
                    let (waker, over) = (waker.clone(), over.clone());
                    spawn(async move {
                        while !over.load(SeqCst) {
                            sleep(100 * MICRO).await;
                            waker.lock().unwrap().iter().for_each(Waker::wake_by_ref);
                        }
                    })
                })
                .collect();
            let sleeper = spawn(async move {
                let start = now();
                let mut sleep = pin!(sleep(10 * MILLI));
                poll_fn(|cx| {
                    *waker.lock().unwrap() = Some(cx.waker().clone());
                    sleep.as_mut().poll(cx)
                })
                .await;
                assert!(now() - start >= 10 * MILLI);
            });
            sleeper.await.unwrap();
            over.store(true, SeqCst);
            all(others).await;
        });
    }
}

/// Go's `TestAfterFunc`.
#[test]
pub(crate) fn a_timer_started_by_what_a_timer_woke_fires() {
    // An `async fn` that spawns itself does not know that it is `Send`.
    #[allow(clippy::manual_async_fn)]
    fn chain(links: u32, end: gorun::Sender<()>) -> impl Future<Output = ()> + Send {
        async move {
            sleep(if links.is_multiple_of(2) { Duration::ZERO } else { NANO }).await;
            match links {
                0 => end.send(()).await.unwrap(),
                _ => drop(spawn(chain(links - 1, end))),
            }
        }
    }
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            let (end, ended) = channel(0);
            spawn(chain(100, end));
            assert_eq!(ended.recv().await, Some(()));
        });
    }
}

/// Go's `TestTickerStress`.
#[test]
pub(crate) fn ticks_go_on_while_other_timers_come_and_go() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            let other = spawn(async {
                loop {
                    sleep(NANO).await;
                    yield_now().await;
                }
            });
            let ticks = tick(NANO);
            for _ in 0..100 {
                ticks.recv().await.unwrap();
            }
            other.abort();
        });
    }
}

/// Go's `TestTickerConcurrentStress`.
#[test]
pub(crate) fn many_goroutines_can_receive_from_one_ticker() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            let ticks = tick(NANO);
            let receive = |_| {
                let ticks = ticks.clone();
                spawn(async move {
                    for _ in 0..100 {
                        ticks.recv().await.unwrap();
                    }
                })
            };
            all((0..10).map(receive).collect()).await;
        });
    }
}

/// Go's `TestAfterFuncStarvation`.
#[test]
pub(crate) fn a_timer_fires_although_the_only_worker_never_rests() {
    let _watchdog = watchdog();
    run_without_spares(1, async {
        let stop = flag();
        let (ping, pong) = (channel(1), channel(1));
        ping.0.send(()).await.unwrap();
        let play = |from: gorun::Receiver<()>, to: gorun::Sender<()>| {
            let stop = stop.clone();
            spawn(async move {
                while !stop.load(SeqCst) && from.recv().await.is_some() {
                    if to.send(()).await.is_err() {
                        break;
                    }
                }
                to.close();
            })
        };
        let players = vec![play(ping.1, pong.0), play(pong.1, ping.0)];
        sleep(MICRO).await;
        let timer = spawn({
            let stop = stop.clone();
            async move {
                sleep(MICRO).await;
                stop.store(true, SeqCst);
            }
        });
        timer.await.unwrap();
        all(players).await;
    });
}

/// Go's `TestAfterTick`.
#[test]
pub(crate) fn ten_waits_take_ten_times_as_long_as_one() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            let start = now();
            for _ in 0..10 {
                after(2 * MILLI).recv().await.unwrap();
            }
            let took = now() - start;
            assert!(took >= 20 * MILLI && took < DEADLINE, "{took:?}");
        });
    }
}

/// Go's `TestAfterStop`.
#[test]
pub(crate) fn a_timer_that_is_dropped_never_fires() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            let wakes = Arc::<Wakes>::default();
            let waker = Waker::from(wakes.clone());
            let mut cx = Context::from_waker(&waker);
            let by = now() + 20 * MILLI;
            let mut dropped = Box::pin(sleep_until(by));
            assert!(dropped.as_mut().poll(&mut cx).is_pending());
            drop(dropped);
            let alarm = after(20 * MILLI);
            let mut receives = Box::pin(alarm.recv());
            let is_early = now() < by;
            assert!(receives.as_mut().poll(&mut cx).is_pending() || !is_early);
            drop(receives);
            drop(alarm);
            sleep_until(by + MILLI).await;
            // Unless the machine was so slow that the alarm was over when it was dropped.
            assert!(wakes.0.load(SeqCst) == 0 || !is_early);
        });
    }
}

/// Go's `TestAfterQueuing`.
#[test]
pub(crate) fn timers_fire_in_the_order_of_their_times() {
    let _watchdog = watchdog();
    // One worker fires them, so nobody overtakes it between two of them.
    run_without_spares(1, async {
        let slots = [5, 3, 6, 6, 6, 1, 1, 2, 7, 9, 4, 8, 0];
        // The times count from each call. If those take longer than from one slot to the next, again.
        let (start, alarms) = loop {
            let start = now();
            let alarms = slots.map(|slot| (slot, after(slot * 5 * MILLI)));
            if now() - start < 5 * MILLI {
                break (start, alarms);
            }
        };
        let mut fired = Vec::new();
        for (slot, alarm) in alarms {
            fired.push((alarm.recv().await.unwrap(), slot));
        }
        fired.sort();
        assert!(fired.is_sorted_by_key(|(_, slot)| slot), "{fired:?}");
        assert!(fired.iter().all(|(at, slot)| *at >= start + *slot * 5 * MILLI), "{fired:?}");
    });
}

/// Go's `TestTimerStopStress`.
#[test]
pub(crate) fn of_many_timers_dropped_at_once_none_fires() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            let drop_one = |_| {
                spawn(async {
                    let fired = flag();
                    let timer = spawn({
                        let fired = fired.clone();
                        async move {
                            sleep(HOUR).await;
                            fired.store(true, SeqCst);
                        }
                    });
                    sleep(MILLI).await;
                    timer.abort();
                    assert!(timer.await.unwrap_err().is_cancelled());
                    assert!(!fired.load(SeqCst));
                })
            };
            all((0..100).map(drop_one).collect()).await;
        });
    }
}

/// Go's `TestSleepZeroDeadlock`.
#[test]
pub(crate) fn a_sleep_of_no_time_does_not_hang() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            let (tx, rx) = channel(0);
            let sleeper = spawn(async move {
                for n in 0..100 {
                    sleep(Duration::ZERO).await;
                    tx.send(n).await.unwrap();
                    sleep(Duration::ZERO).await;
                }
            });
            for n in 0..100 {
                sleep(Duration::ZERO).await;
                assert_eq!(rx.recv().await, Some(n));
            }
            sleeper.await.unwrap();
        });
    }
}

/// Go's `TestIssue5745`.
#[test]
pub(crate) fn a_panic_beside_a_timer_leaves_the_timers_usable() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            let panics = spawn(async {
                let _ticks = tick(MICRO);
                let mut pending = pin!(sleep(HOUR));
                poll_fn(|cx| {
                    assert!(pending.as_mut().poll(cx).is_pending());
                    Poll::Ready(())
                })
                .await;
                panic!("boom: beside timers");
            });
            assert!(panics.await.unwrap_err().is_panic());
            after(MILLI).recv().await.unwrap();
            spawn(sleep(MILLI)).await.unwrap();
        });
    }
}

/// Go's `TestOverflowPeriodRuntimeTimer`.
#[test]
pub(crate) fn a_period_too_long_for_the_clock_does_not_tick_for_ever() {
    let _watchdog = watchdog();
    block_on(async {
        let ticks = tick(Duration::MAX);
        select! {
            _ = ticks.recv() => panic!("a tick, already"),
            _ = after(5 * MILLI).recv() => {}
        }
    });
}

/// Go's `TestZeroTimer`.
#[test]
pub(crate) fn timers_of_no_time_are_not_overlooked() {
    let _watchdog = watchdog();
    let count = if cfg!(debug_assertions) { 10_000 } else { 100_000 };
    for workers in WORKERS {
        run(workers, async move {
            let goroutine = spawn(async move {
                for _ in 0..count {
                    after(Duration::ZERO).recv().await.unwrap();
                    // Perhaps not over when it is polled.
                    sleep(100 * NANO).await;
                }
            });
            goroutine.await.unwrap();
        });
    }
}

/// Go's `TestTimerModifiedEarlier`.
#[test]
pub(crate) fn a_timer_due_before_all_others_is_not_overlooked() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            for round in 0..20 {
                let late = spawn(sleep(HOUR));
                // So that somebody waits for that one.
                sleep(round * 100 * MICRO).await;
                let early = spawn(sleep(MILLI));
                early.await.unwrap();
                assert!(!late.is_finished());
                late.abort();
            }
        });
    }
}

/// Go's `TestAdjustTimers`.
#[test]
pub(crate) fn timers_made_and_dropped_in_random_order_fire_if_they_are_there() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        for seed in 1..=3 {
            run(workers, async move {
                let mut random: u64 = seed;
                let mut below = |bound: u64| {
                    random ^= random << 13;
                    random ^= random >> 7;
                    random ^= random << 17;
                    random % bound
                };
                let mut timers: Vec<(Duration, JoinHandle<()>)> = Vec::new();
                for _ in 0..1000 {
                    match below(4) {
                        0 | 1 => {
                            let time = MILLI * below(10) as u32 + HOUR * u32::from(below(4) == 0);
                            timers.push((time, spawn(sleep(time))));
                        }
                        2 if !timers.is_empty() => {
                            let place = below(timers.len() as u64) as usize;
                            timers.swap_remove(place).1.abort();
                        }
                        _ => yield_now().await,
                    }
                }
                for (time, timer) in timers {
                    if time < HOUR {
                        timer.await.unwrap();
                    } else {
                        assert!(!timer.is_finished(), "{time:?}, seed {seed}");
                    }
                }
            });
        }
    }
}

/// Go's `TestStopResult`, `TestResetResult`.
#[test]
pub(crate) fn of_two_timers_due_at_once_neither_is_lost() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            let race = |_| {
                spawn(async {
                    let (one, other) = (after(MILLI), after(MILLI));
                    select! {
                        at = one.recv() => assert!(at.is_some() && other.recv().await.is_some()),
                        at = other.recv() => assert!(at.is_some() && one.recv().await.is_some()),
                    }
                })
            };
            all((0..500).map(race).collect()).await;
        });
    }
}

/// Go's `TestMultiWakeupTicker`.
#[test]
pub(crate) fn many_goroutines_select_between_one_ticker_and_timers_of_their_own() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            let (ticks, ticked) = (tick(MICRO), Arc::new(AtomicUsize::new(0)));
            let look = |_| {
                let (ticks, ticked) = (ticks.clone(), ticked.clone());
                spawn(async move {
                    for _ in 0..100 {
                        select! {
                            at = ticks.recv() => {
                                assert!(at.is_some());
                                ticked.fetch_add(1, SeqCst);
                            }
                            at = after(100 * MICRO).recv() => assert!(at.is_some()),
                        }
                    }
                })
            };
            all((0..64).map(look).collect()).await;
            assert!(ticked.load(SeqCst) > 0);
        });
    }
}

/// Go's `TestMultiWakeupTimer`.
#[test]
pub(crate) fn of_many_goroutines_that_look_at_one_timer_one_receives() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            for round in 0..20 {
                let alarm = after(round * 50 * MICRO);
                let taken = Arc::new(AtomicUsize::new(0));
                let look = |_| {
                    let (alarm, taken) = (alarm.clone(), taken.clone());
                    spawn(async move {
                        while taken.load(SeqCst) == 0 {
                            select! {
                                at = alarm.recv() => {
                                    assert!(at.is_some());
                                    taken.fetch_add(1, SeqCst);
                                }
                                default => yield_now().await,
                            }
                        }
                    })
                };
                all((0..8).map(look).collect()).await;
                assert_eq!(taken.load(SeqCst), 1);
            }
        });
    }
}

// tick_test.go

/// Go's `TestTicker`.
#[test]
pub(crate) fn ticks_come_at_their_rate_until_the_receiver_is_dropped() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            let start = now();
            let ticks = tick(2 * MILLI);
            let mut times = Vec::new();
            for _ in 0..10 {
                times.push(ticks.recv().await.unwrap());
            }
            assert!(times.is_sorted() && times[9] >= start + 20 * MILLI, "{times:?}");
            assert!(now() - start < DEADLINE);
        });
    }
}

/// Go's `TestTeardown`.
#[test]
pub(crate) fn dropping_a_ticker_does_not_hang() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            for _ in 0..3 {
                let ticks = tick(MILLI);
                ticks.recv().await.unwrap();
                drop(ticks);
            }
        });
    }
}

/// Go's `TestLongAdjustTimers`.
#[test]
pub(crate) fn timers_that_were_dropped_do_not_slow_down_the_others() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            let mut sleepers = JoinSet::new();
            for _ in 0..5000 {
                sleepers.spawn(sleep(10 * MICRO));
            }
            let start = now();
            for _ in 0..1000 {
                select! {
                    _ = after(HOUR).recv() => panic!("an hour has not passed"),
                    _ = sleep(MICRO) => {}
                }
            }
            assert!(now() - start < DEADLINE);
            while let Some(result) = sleepers.join_next().await {
                result.unwrap();
            }
        });
    }
}

/// Go's `TestChan`.
#[test]
pub(crate) fn a_ticker_keeps_one_tick_and_gives_it_to_one_of_those_who_wait() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            let ticks = tick(3 * MILLI);
            sleep(10 * MILLI).await;
            wait_until(|| ticks.len() == 1);
            let first = ticks.recv().await.unwrap();
            // Whatever the others get, they do not get the same.
            let receive = |_| {
                let ticks = ticks.clone();
                spawn(async move {
                    let never = channel::<()>(0);
                    select! { at = ticks.recv() => at.unwrap(), _ = never.1.recv() => unreachable!() }
                })
            };
            let receivers: Vec<JoinHandle<Instant>> = (0..3).map(receive).collect();
            let mut times = vec![first];
            for receiver in receivers {
                times.push(receiver.await.unwrap());
            }
            times.sort();
            let count = times.len();
            times.dedup();
            assert_eq!(times.len(), count, "a tick was given to two");
        });
    }
}

/// Go's `TestAfterTimes`.
#[test]
pub(crate) fn after_sends_the_time_at_which_it_fired() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            let start = now();
            let alarm = after(MILLI);
            wait_until(|| alarm.len() == 1);
            let fired_by = now();
            sleep(5 * MILLI).await;
            let at = alarm.recv().await.unwrap();
            assert!(at >= start + MILLI && at <= fired_by);
        });
    }
}

/// Go's `TestTickTimes`.
#[test]
pub(crate) fn a_tick_is_the_time_at_which_it_was_sent() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            let start = now();
            let ticks = tick(MILLI);
            wait_until(|| ticks.len() == 1);
            let sent_by = now();
            sleep(5 * MILLI).await;
            let at = ticks.recv().await.unwrap();
            assert!(at >= start + MILLI && at <= sent_by);
        });
    }
}
