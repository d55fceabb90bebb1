//! Timers while nobody is free for them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::thread;
use std::time::Duration;

use futures::future::join_all;
use gorun::time::{after, sleep, tick, timeout};
use gorun::{block_on, spawn};

use super::{MILLI, WORKERS};
use crate::common::*;

/// Goroutines that keep `count` workers until this is dropped.
struct Hogs {
    over: Arc<AtomicBool>,
}

impl Hogs {
    async fn new(count: usize, keep: fn(&AtomicBool)) -> Self {
        let (over, started) = (flag(), Arc::new(AtomicUsize::new(0)));
        for _ in 0..count {
            let (over, started) = (over.clone(), started.clone());
            spawn(async move {
                started.fetch_add(1, SeqCst);
                keep(&over);
            });
        }
        // On main's own thread.
        wait_until(|| started.load(SeqCst) == count);
        Hogs { over }
    }
}

impl Drop for Hogs {
    fn drop(&mut self) {
        self.over.store(true, SeqCst);
    }
}

fn sleeping(over: &AtomicBool) {
    while !over.load(SeqCst) {
        thread::sleep(MILLI);
    }
}

const WAYS: [fn(&AtomicBool); 2] = [spin_until, sleeping];

#[test]
pub(crate) fn mains_sleep_is_over_while_every_worker_is_stuck_and_nobody_may_cover() {
    let _watchdog = watchdog();
    for workers in [1, 2, 4] {
        for keep in WAYS {
            run_without_spares(workers, async {
                let _hogs = Hogs::new(workers, keep).await;
                sleep(2 * MILLI).await;
                assert!(timeout(2 * MILLI, std::future::pending::<()>()).await.is_err());
                block_on(sleep(2 * MILLI));
            });
        }
    }
}

#[test]
pub(crate) fn a_goroutines_sleep_is_over_while_every_worker_is_stuck() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        for keep in WAYS {
            run(workers, async {
                let (started, over) = (flag(), flag());
                let sleeper = spawn({
                    let (started, over) = (started.clone(), over.clone());
                    async move {
                        started.store(true, SeqCst);
                        sleep(20 * MILLI).await;
                        over.store(true, SeqCst);
                    }
                });
                wait_until(|| started.load(SeqCst));
                let _hogs = Hogs::new(workers, keep).await;
                wait_until(|| over.load(SeqCst));
                sleeper.await.unwrap();
            });
        }
    }
}

#[test]
pub(crate) fn wakers_that_are_not_gorun_s_are_woken_while_every_worker_is_stuck() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        for keep in WAYS {
            run(workers, async {
                let _hogs = Hogs::new(workers, keep).await;
                join_all((0..50).map(|_| sleep(2 * MILLI))).await;
                after(2 * MILLI).recv().await.unwrap();
                let ticks = tick(2 * MILLI);
                ticks.recv().await.unwrap();
                ticks.recv().await.unwrap();
            });
        }
    }
}

#[test]
pub(crate) fn a_timer_added_by_a_goroutine_that_then_computes_wakes_main() {
    let _watchdog = watchdog();
    for workers in [1, 2] {
        run_without_spares(workers, async {
            let (over, fired) = (flag(), flag());
            // All its workers: none of them is idle to keep the time.
            let computing: Vec<_> = (0..workers)
                .map(|_| {
                    let (over, fired) = (over.clone(), fired.clone());
                    spawn(async move {
                        let alarm = std::thread::spawn({
                            let handle = gorun::Handle::current();
                            move || handle.block_on(async { sleep(3 * MILLI).await })
                        });
                        alarm.join().unwrap();
                        fired.store(true, SeqCst);
                        spin_until(&over);
                    })
                })
                .collect();
            wait_until(|| fired.load(SeqCst));
            over.store(true, SeqCst);
            for goroutine in computing {
                goroutine.await.unwrap();
            }
        });
    }
}

#[test]
pub(crate) fn busy_workers_come_to_timers_between_polls() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run_without_spares(workers, async {
            let over = flag();
            for _ in 0..2 * workers {
                let over = over.clone();
                spawn(async move { yield_until(|| over.load(SeqCst)).await });
            }
            let sleepers = (0..20).map(|i| spawn(sleep(Duration::from_micros(i * 300))));
            for sleeper in sleepers.collect::<Vec<_>>() {
                sleeper.await.unwrap();
            }
            over.store(true, SeqCst);
        });
    }
}

/// Executors without allocation have such wakers.
#[test]
pub(crate) fn a_waker_without_data_is_not_taken_for_gorun_s() {
    use std::ptr::null;
    use std::task::{Context, RawWaker, RawWakerVTable, Waker};
    static VTABLE: RawWakerVTable =
        RawWakerVTable::new(|_| RawWaker::new(null(), &VTABLE), |_| wake(), |_| wake(), |_| {});
    static WOKEN_ON: std::sync::Mutex<Vec<String>> = std::sync::Mutex::new(Vec::new());
    fn wake() {
        WOKEN_ON.lock().unwrap().push(thread::current().name().unwrap_or_default().to_owned());
    }
    let _watchdog = watchdog();
    block_on(async {
        let asleep = spawn(async {
            // SAFETY: its functions do nothing with the data.
            let waker = unsafe { Waker::from_raw(RawWaker::new(null(), &VTABLE)) };
            let mut asleep = Box::pin(sleep(2 * MILLI));
            assert!(asleep.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
            [asleep]
        });
        let _asleep = asleep.await.unwrap();
        sleep(4 * MILLI).await;
        yield_until(|| !WOKEN_ON.lock().unwrap().is_empty()).await;
    });
    let woken_on = WOKEN_ON.lock().unwrap();
    assert!(woken_on.iter().all(|name| !name.contains("monitor")), "{woken_on:?}");
}
