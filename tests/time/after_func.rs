//! `after_func`: calls that come, are called off, or are put off. Go's tests of `AfterFunc` are here, too.

use std::future::pending;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex, OnceLock, Weak};
use std::thread;
use std::time::Duration;

use gorun::time::{AfterFunc, after_func, now, sleep};
use gorun::{Builder, UnhandledPanic, block_on, channel, num_goroutines, spawn, yield_now};

use super::{HOUR, MILLI, WORKERS};
use crate::common::*;

fn counter() -> (Arc<AtomicUsize>, impl FnMut() + Send + 'static) {
    let calls = Arc::new(AtomicUsize::new(0));
    (calls.clone(), move || _ = calls.fetch_add(1, SeqCst))
}

#[test]
pub(crate) fn a_call_comes_once_and_not_too_early_whether_its_owner_stays_or_goes() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            for stays in [true, false] {
                let (tx, rx) = channel(2);
                let start = now();
                let call = after_func(2 * MILLI, move || tx.try_send(now()).unwrap());
                let owner = stays.then_some(call);
                assert!(rx.recv().await.unwrap() >= start + 2 * MILLI);
                // A second call would find the channel again.
                sleep(3 * MILLI).await;
                assert!(rx.is_empty());
                drop(owner);
                // The function goes with its goroutine.
                assert_eq!(rx.recv().await, None);
                yield_until(|| num_goroutines() == 1).await;
            }
        });
    }
}

/// Go's `TestAfterStop`.
#[test]
pub(crate) fn a_call_that_was_called_off_does_not_come() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            let (calls, f) = counter();
            let call = after_func(2 * MILLI, f);
            assert!(call.stop());
            assert!(!call.stop());
            sleep(5 * MILLI).await;
            assert_eq!(calls.load(SeqCst), 0);
            drop(call);
            yield_until(|| num_goroutines() == 1).await;
        });
    }
}

/// Go's `TestStopResult` and `TestResetResult`.
#[test]
pub(crate) fn stop_says_the_truth_in_a_race_with_the_time() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            for round in 0..300 {
                let (calls, f) = counter();
                let delay = Duration::from_micros(round % 120);
                let call = after_func(delay, f);
                sleep(Duration::from_micros(60)).await;
                let stopped = call.stop();
                drop(call);
                yield_until(|| num_goroutines() == 1).await;
                assert_eq!(calls.load(SeqCst), usize::from(!stopped), "{delay:?}");
            }
        });
    }
}

/// Each call was planned once, and either came or was called off.
#[test]
pub(crate) fn no_call_is_lost_or_made_twice_while_many_reset_and_stop() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            let (calls, f) = counter();
            let call = Arc::new(after_func(Duration::from_micros(50), f));
            let balance: Vec<_> = (0..4)
                .map(|who| {
                    let call = call.clone();
                    spawn(async move {
                        let mut balance = 0_isize;
                        for round in 0..200 {
                            let delay = Duration::from_micros((round * 7 + who * 13) % 90);
                            match (round + who) % 5 {
                                0 => balance -= isize::from(call.stop()),
                                _ => balance += isize::from(!call.reset(delay)),
                            }
                            sleep(Duration::from_micros((round * 11) % 70)).await;
                        }
                        balance
                    })
                })
                .collect();
            let mut planned = 1;
            for part in balance {
                planned += part.await.unwrap();
            }
            drop(call);
            yield_until(|| num_goroutines() == 1).await;
            assert_eq!(calls.load(SeqCst) as isize, planned);
        });
    }
}

/// Go's `TestReset`.
#[test]
pub(crate) fn a_call_that_is_reset_comes_at_the_new_time_alone() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            let (tx, rx) = channel(8);
            let call = after_func(HOUR, move || tx.try_send(now()).unwrap());
            // Sooner.
            let start = now();
            assert!(call.reset(2 * MILLI));
            assert!(rx.recv().await.unwrap() >= start + 2 * MILLI);
            // Again, after it has come.
            let start = now();
            assert!(!call.reset(2 * MILLI));
            assert!(rx.recv().await.unwrap() >= start + 2 * MILLI);
            // Later, again and again.
            call.reset(2 * MILLI);
            for _ in 0..4 {
                call.reset(HOUR);
            }
            sleep(4 * MILLI).await;
            assert!(rx.is_empty());
            assert!(call.stop());
            assert!(!call.reset(MILLI), "it was called off");
            assert!(rx.recv().await.is_some());
        });
    }
}

/// Go's `TestAfterFunc`: each call plans the next one.
#[test]
pub(crate) fn a_call_may_plan_the_next_one() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            let (tx, rx) = channel(16);
            let itself: Arc<OnceLock<Weak<AfterFunc>>> = Arc::default();
            let call = Arc::new(after_func(HOUR, {
                let itself = itself.clone();
                let mut left = 10;
                move || {
                    tx.try_send(left).unwrap();
                    left -= 1;
                    if left > 0 {
                        let call = itself.get().and_then(Weak::upgrade).expect("it is kept");
                        assert!(!call.reset(Duration::from_micros(100)));
                    }
                }
            }));
            itself.set(Arc::downgrade(&call)).unwrap();
            // Not before it knows itself.
            assert!(call.reset(MILLI));
            for left in (1..=10).rev() {
                assert_eq!(rx.recv().await, Some(left));
            }
            sleep(MILLI).await;
            assert!(rx.is_empty());
        });
    }
}

#[test]
pub(crate) fn a_call_that_always_plans_another_at_once_gives_way_and_ends_with_main() {
    let _watchdog = watchdog();
    let (calls, mut count) = counter();
    run_without_spares(1, async {
        let itself: Arc<OnceLock<Arc<AfterFunc>>> = Arc::default();
        let call = after_func(Duration::ZERO, {
            let itself = itself.clone();
            move || {
                count();
                if let Some(call) = itself.get() {
                    call.reset(Duration::ZERO);
                }
            }
        });
        // The two keep each other for ever.
        let call = Arc::new(call);
        let _ = itself.set(call.clone());
        call.reset(Duration::ZERO);
        yield_until(|| calls.load(SeqCst) > 100).await;
        spawn(async {}).await.unwrap();
    });
    let after = calls.load(SeqCst);
    thread::sleep(2 * MILLI);
    assert_eq!(calls.load(SeqCst), after, "it goes on after main");
}

#[test]
pub(crate) fn calls_that_have_not_come_when_main_ends_are_dropped_and_say_so() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        let drops = Drops::new(2);
        let calls = patient(workers)
            .block_on(async {
                let call = |index, delay| {
                    let probe = drops.probe(index);
                    after_func(delay, move || unreachable!("{probe:?}"))
                };
                let waits = call(0, HOUR);
                sleep(MILLI).await;
                // One has begun to wait, and the other one perhaps has not.
                (waits, call(1, HOUR))
            })
            .unwrap();
        drops.assert_each_once_off_main(workers);
        for call in [calls.0, calls.1] {
            assert!(!call.stop());
            assert!(!call.reset(Duration::ZERO));
            assert!(!call.stop());
            assert_eq!(format!("{call:?}"), "AfterFunc { is_planned: false }");
        }
    }
}

#[test]
pub(crate) fn a_panic_of_the_function_is_one_of_a_goroutine_without_a_handle() {
    let _watchdog = watchdog();
    let program = || {
        block_on(async {
            after_func(Duration::ZERO, || panic!("boom, too late"));
            pending::<()>().await;
        })
    };
    assert_eq!(message(&*payload_of(program)), Some("boom, too late"));

    let ignoring = Builder::new().unhandled_panic(UnhandledPanic::Ignore);
    ignoring
        .block_on(async {
            let call = after_func(Duration::ZERO, || panic!("boom"));
            yield_until(|| num_goroutines() == 1).await;
            assert!(!call.stop() && !call.reset(Duration::ZERO), "its goroutine is gone");
        })
        .unwrap();
}

#[test]
pub(crate) fn a_call_that_blocks_holds_up_neither_stop_nor_others() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            let (begun, release) = (flag(), flag());
            let call = after_func(Duration::ZERO, {
                let (begun, release) = (begun.clone(), release.clone());
                move || {
                    begun.store(true, SeqCst);
                    gorun::blocking(|| wait_until(|| release.load(SeqCst)));
                }
            });
            yield_until(|| begun.load(SeqCst)).await;
            assert!(!call.stop());
            spawn(async {}).await.unwrap();
            release.store(true, SeqCst);
        });
    }
}

/// At the end of main, or because the function panics.
#[test]
pub(crate) fn a_function_that_is_being_dropped_is_not_said_to_be_called_again() {
    let _watchdog = watchdog();
    for (polled, panics) in [(false, false), (true, false), (true, true)] {
        let said = Arc::new(Mutex::new(None));
        let builder = Builder::new().worker_threads(1).unhandled_panic(UnhandledPanic::Ignore);
        let main = async {
            let slot = Arc::new(Mutex::new(None));
            let asks = {
                let (slot, said) = (slot.clone(), said.clone());
                OnDrop(move || {
                    let call: AfterFunc = slot.lock().unwrap().take().unwrap();
                    *said.lock().unwrap() = Some((call.reset(HOUR), call.stop()));
                })
            };
            let limit = if panics { 5 * MILLI } else { HOUR };
            let call = after_func(limit, move || {
                let _ = &asks;
                panic!("boom");
            });
            *slot.lock().unwrap() = Some(call);
            // Its goroutine runs, and waits.
            if polled {
                spawn(yield_now()).await.unwrap();
            }
            if panics {
                yield_until(|| said.lock().unwrap().is_some()).await;
            }
        };
        builder.block_on(main).unwrap();
        let said = said.lock().unwrap().take();
        assert_eq!(said, Some((false, false)), "polled: {polled}, panics: {panics}");
    }
}
