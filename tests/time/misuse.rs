//! Timers where there is nobody to keep the time.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Wake, Waker};
use std::thread;
use std::time::Duration;

use gorun::time::{
    after, after_func, interval, now, sleep, sleep_until, tick, timeout, timeout_at,
};
use gorun::{Handle, block_on, channel, spawn};

use super::{HOUR, MILLI, WORKERS};
use crate::common::*;

#[test]
pub(crate) fn a_timer_outside_a_runtime_is_refused_at_the_callers_line() {
    let _watchdog = watchdog();
    let line = line!();
    let cases: [fn(); 9] = [
        || drop(sleep(MILLI)),
        || drop(sleep_until(now())),
        || drop(timeout(MILLI, std::future::ready(()))),
        || drop(timeout_at(now(), std::future::ready(()))),
        || drop(interval(MILLI)),
        || drop(after(MILLI)),
        || drop(tick(MILLI)),
        || drop(channel(1).0.send_timeout((), MILLI)),
        || drop(channel::<()>(1).1.recv_timeout(MILLI)),
    ];
    for (case, line) in cases.into_iter().zip(line + 2..) {
        let seen = panic_of(case);
        assert_eq!((&*seen.file, seen.line), (file!(), line));
        for part in ["timer", "no gorun runtime", "block_on", "Handle"] {
            assert!(seen.message.contains(part), "{:?} does not say {part:?}", seen.message);
        }
    }
}

#[test]
pub(crate) fn a_call_that_no_goroutine_can_make_is_refused_at_the_callers_line() {
    let _watchdog = watchdog();
    let seen = panic_of(|| after_func(MILLI, || ())); // this line
    assert_eq!((&*seen.file, seen.line), (file!(), line!() - 1));
    assert!(seen.message.contains("no gorun runtime"), "{}", seen.message);
}

/// Go's `TestNewTickerLtZeroDuration`.
#[test]
pub(crate) fn ticks_without_any_time_between_them_are_refused_at_the_callers_line() {
    let _watchdog = watchdog();
    block_on(async {
        let seen = panic_of(|| interval(Duration::ZERO));
        assert_eq!((&*seen.file, seen.line), (file!(), line!() - 1));
        assert!(seen.message.contains("interval(0)"), "{}", seen.message);
        let seen = panic_of(|| tick(Duration::ZERO));
        assert_eq!((&*seen.file, seen.line), (file!(), line!() - 1));
        assert!(seen.message.contains("tick(0)"), "{}", seen.message);
    });
}

#[test]
pub(crate) fn a_sleep_that_outlives_its_runtime_says_so_instead_of_hanging() {
    let _watchdog = watchdog();
    let [left_over] = block_on(async { [sleep(HOUR)] });
    let seen = panic_of(|| futures::executor::block_on(left_over));
    for part in ["after its gorun runtime had ended", "before main returns"] {
        assert!(seen.message.contains(part), "{:?} does not say {part:?}", seen.message);
    }
    // One that is due is just that.
    let [due] = block_on(async { [sleep(Duration::ZERO)] });
    futures::executor::block_on(due);
}

#[test]
pub(crate) fn a_thread_whose_sleep_is_cut_short_by_exit_is_told() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        let (threads, handle) = run(workers, async {
            let handle = Handle::current();
            let (tx, rx) = channel(0);
            let threads: Vec<_> = (0..3)
                .map(|_| {
                    let (handle, tx) = (handle.clone(), tx.clone());
                    thread::spawn(move || {
                        quiet();
                        handle.block_on(async {
                            let mut sleep = pin!(sleep(HOUR));
                            let mut told = false;
                            std::future::poll_fn(|cx| {
                                let pending = sleep.as_mut().poll(cx);
                                if !told {
                                    told = true;
                                    tx.try_send(()).ok();
                                    tx.send_blocking(()).ok();
                                }
                                pending
                            })
                            .await
                        });
                    })
                })
                .collect();
            for _ in 0..3 {
                rx.recv().await.unwrap();
            }
            (threads, handle)
        });
        for thread in threads {
            let payload = thread.join().unwrap_err();
            assert!(message(&*payload).unwrap().contains("runtime had ended"));
        }
        // And whoever comes later.
        let late = payload_of(|| handle.block_on(async { sleep(HOUR).await }));
        assert!(message(&*late).unwrap().contains("runtime had ended"));
    }
}

#[test]
pub(crate) fn a_goroutine_left_behind_in_a_sleep_says_nothing() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        let (tx, rx) = channel(0);
        run(workers, async {
            spawn(async move {
                let _alive = tx.clone();
                block_on(async {
                    tx.send(()).await.unwrap();
                    sleep(HOUR).await;
                    tx.send(()).await.unwrap();
                });
            });
            rx.recv().await.unwrap();
        });
        // It has not panicked, which would drop the sender.
        assert!(!rx.is_closed());
    }
}

#[test]
pub(crate) fn a_waker_that_panics_is_an_unhandled_panic() {
    struct Bad;
    impl Wake for Bad {
        fn wake(self: Arc<Self>) {
            panic!("boom: a waker");
        }
    }
    let _watchdog = watchdog();
    for workers in WORKERS {
        let panicked = payload_of(|| {
            run(workers, async {
                let mut sleep = pin!(sleep(MILLI));
                let bad = Waker::from(Arc::new(Bad));
                assert!(sleep.as_mut().poll(&mut Context::from_waker(&bad)).is_pending());
                std::future::pending::<()>().await
            })
        });
        assert_eq!(message(&*panicked), Some("boom: a waker"));
    }
}

#[test]
pub(crate) fn a_timer_dropped_after_its_runtime_is_harmless() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        let timers = run(workers, async {
            let mut pending = Box::pin(sleep(HOUR));
            let mut cx = Context::from_waker(Waker::noop());
            assert!(pending.as_mut().poll(&mut cx).is_pending());
            (pending, after(HOUR), tick(HOUR), timeout(HOUR, std::future::pending::<()>()))
        });
        assert!(catch_unwind(AssertUnwindSafe(|| drop(timers))).is_ok());
    }
}

#[test]
pub(crate) fn a_goroutine_of_another_runtime_is_told_that_the_timer_s_runtime_has_ended() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        let [left_over] = block_on(async { [sleep(HOUR)] });
        let error = run(workers, async { spawn(left_over).await.unwrap_err() });
        let message = message(&*error.into_panic()).map(str::to_owned).unwrap();
        assert!(message.contains("after its gorun runtime had ended"), "{message:?}");
    }
}

/// Also of futures that cannot, and after the runtime's end.
#[test]
pub(crate) fn timers_can_be_debugged() {
    let _watchdog = watchdog();
    let timers = block_on(async {
        let deadline = now() + HOUR;
        let pending = std::future::pending::<()>();
        (deadline, sleep_until(deadline), timeout(HOUR, pending), interval(HOUR))
    });
    let (deadline, sleep, timeout, interval) = timers;
    assert_eq!(format!("{sleep:?}"), format!("Sleep {{ deadline: {deadline:?}, .. }}"));
    assert_eq!(format!("{timeout:?}"), "Timeout { limit: 3600s, .. }");
    assert_eq!(format!("{interval:?}"), "Interval { period: 3600s, .. }");
}
