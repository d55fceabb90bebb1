//! `Context::after_func`: it is called once, or never.

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};

use gorun::context::AfterFunc;
use gorun::{Builder, UnhandledPanic, channel, num_goroutines, spawn, yield_now};

use super::{WORKERS, background};
use crate::common::*;

/// The function and the stop meet.
#[test]
pub(crate) fn either_the_function_is_called_or_a_stop_says_that_it_is_not() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            let called = Arc::new(AtomicUsize::new(0));
            let mut stopped = 0;
            for n in 0..1000 {
                let (ctx, guard) = background().with_cancel();
                let calls = called.clone();
                let after = Arc::new(ctx.after_func(move || _ = calls.fetch_add(1, SeqCst)));
                let others: Vec<_> = (0..2)
                    .map(|_| {
                        let after = after.clone();
                        spawn(async move { usize::from(after.stop()) })
                    })
                    .collect();
                if n % 2 == 0 {
                    yield_now().await;
                }
                guard.cancel();
                let mut times = 0;
                for other in others {
                    times += other.await.unwrap();
                }
                assert!(times <= 1);
                stopped += times;
            }
            yield_until(|| num_goroutines() == 1).await;
            assert_eq!(called.load(SeqCst) + stopped, 1000);
        });
    }
}

#[test]
pub(crate) fn a_function_that_was_stopped_is_dropped() {
    let _watchdog = watchdog();
    run(2, async {
        let drops = Drops::new(1);
        let (ctx, _guard) = background().with_cancel();
        let probe = drops.probe(0);
        let after = ctx.after_func(move || drop(probe));
        assert!(after.stop());
        yield_until(|| drops.all_dropped()).await;
        drops.assert_each_once_off_main("the function");
    });
}

/// Nobody has the context any more, but its parent is cancelled.
#[test]
pub(crate) fn a_function_is_called_though_the_context_was_dropped() {
    let _watchdog = watchdog();
    run(2, async {
        let (parent, cancel) = background().with_cancel();
        let (ctx, guard) = parent.with_cancel();
        guard.detach();
        let (tx, rx) = channel(1);
        ctx.after_func(move || tx.try_send(()).unwrap());
        drop((ctx, parent));
        cancel.cancel();
        rx.recv().await.unwrap();
    });
}

#[test]
pub(crate) fn a_function_of_a_context_that_is_never_done_is_never_called_and_has_no_goroutine() {
    run(1, async {
        let after = background().after_func(|| unreachable!());
        assert_eq!(num_goroutines(), 1);
        assert!(after.stop());
        assert!(!after.stop());
    });
}

#[test]
pub(crate) fn a_panic_of_the_function_is_unhandled_and_names_the_callers_line() {
    let _watchdog = watchdog();
    const TEST: &str =
        "after_func::a_panic_of_the_function_is_unhandled_and_names_the_callers_line";
    if !is_child() {
        let output = child(TEST, &[], "");
        let text = stderr(&output);
        assert!(output.status.success(), "{text}");
        assert!(text.contains("goroutine spawned at tests/context/after_func.rs"), "{text}");
        return;
    }
    let payload = payload_of(|| {
        run(2, async {
            let (ctx, guard) = background().with_cancel();
            ctx.after_func(|| panic!("boom"));
            guard.cancel();
            std::future::pending::<()>().await;
        })
    });
    assert_eq!(message(&*payload), Some("boom"));
    let ignores = Builder::new().worker_threads(2).unhandled_panic(UnhandledPanic::Ignore);
    ignores
        .block_on(async {
            let (ctx, guard) = background().with_cancel();
            ctx.after_func(|| panic!("boom"));
            guard.cancel();
            yield_until(|| num_goroutines() == 1).await;
        })
        .unwrap();
}

#[test]
pub(crate) fn functions_that_wait_when_main_ends_are_dropped_and_not_called() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        let drops = Drops::new(100);
        let kept = run(workers, async {
            let (ctx, guard) = background().with_cancel();
            for n in 0..100 {
                let probe = drops.probe(n);
                ctx.after_func(move || {
                    drop(probe);
                    unreachable!("main has ended")
                });
            }
            (ctx, guard)
        });
        drops.assert_each_once("functions");
        drop(kept);
    }
}

/// Its destructor asks, at the end of main; and others ask later.
#[test]
pub(crate) fn a_stop_that_comes_after_the_end_of_main_prevents_nothing() {
    let _watchdog = watchdog();
    for polled in [false, true] {
        let said = Arc::new(Mutex::new(None));
        let late = run(1, async {
            let (ctx, guard) = background().with_cancel();
            guard.detach();
            let slot = Arc::new(Mutex::new(None));
            let asks = {
                let (slot, said) = (slot.clone(), said.clone());
                OnDrop(move || {
                    let call: AfterFunc = slot.lock().unwrap().take().unwrap();
                    *said.lock().unwrap() = Some(call.stop());
                })
            };
            *slot.lock().unwrap() = Some(ctx.after_func(move || drop(asks)));
            if polled {
                spawn(yield_now()).await.unwrap();
            }
            ctx.after_func(|| ())
        });
        assert_eq!((*said.lock().unwrap(), late.stop()), (Some(false), false));
    }
}
