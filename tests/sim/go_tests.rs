//! Go's tests of bubbles (`internal/synctest`, `testing/synctest`), in our words. The table is `tests/go_tests.md`.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::future::{Future, pending};
use std::panic::catch_unwind;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::SeqCst};
use std::sync::{Arc, LazyLock, Mutex, mpsc};
use std::task::{Context as TaskContext, Waker};
use std::thread;
use std::time::{Duration, Instant};

use futures::{AsyncReadExt, AsyncWriteExt, Stream, StreamExt, stream};
use gorun::context::{Context, ContextError};
use gorun::sim::{self, Sim, Strategy};
use gorun::sync::{Cond, Mutex as AsyncMutex};
use gorun::time::{AfterFunc, after, after_func, now, sleep, sleep_until, tick, timeout};
use gorun::{
    JoinHandle, Receiver, Sender, TryRecvError, TrySendError, WaitGroup, block_on, blocking,
    channel, go, io, num_goroutines, select, spawn, yield_now,
};

use crate::common::*;

const NANO: Duration = Duration::from_nanos(1);
const SECOND: Duration = Duration::from_secs(1);
const SCHEDULES: u64 = 100;

/// Under so many random schedules, and so many with priorities.
#[track_caller]
fn check<M: Future>(main: impl Fn() -> M) {
    for strategy in [Strategy::Random, Strategy::Pct { changes: 3 }] {
        Sim::new().schedules(SCHEDULES).strategy(strategy).check(&main);
    }
}

/// The report of a failure that says this.
#[track_caller]
fn fails<M: Future>(sim: Sim, says: &str, main: impl Fn() -> M) -> String {
    let report = sim.schedules(SCHEDULES).run(main).unwrap_err().to_string();
    assert!(report.contains(says), "{says:?} is not in:\n{report}");
    report
}

/// Whatever is different under some schedules.
struct Seen<T>(RefCell<BTreeSet<T>>);

impl<T: Ord + Debug> Seen<T> {
    fn new() -> Self {
        Seen(RefCell::default())
    }

    fn note(&self, what: T) {
        self.0.borrow_mut().insert(what);
    }

    #[track_caller]
    fn assert_all<const N: usize>(&self, all: [T; N]) {
        assert_eq!(*self.0.borrow(), BTreeSet::from(all));
    }
}

#[derive(Clone, Default)]
struct Count(Arc<AtomicU32>);

impl Count {
    fn up(&self) {
        self.0.fetch_add(1, SeqCst);
    }

    fn get(&self) -> u32 {
        self.0.load(SeqCst)
    }
}

/// A thread that is no part of the simulation acts, and ends.
fn outside(act: impl FnOnce() + Send + 'static) {
    let thread = thread::Builder::new().name("outside".to_owned());
    thread.spawn(act).unwrap().join().unwrap();
}

/// When `inside` waits, a thread outside acts: refused by name, unless that is allowed.
#[track_caller]
fn meets_a_thread<T: Send + 'static, F: Future<Output = ()> + Send + 'static>(
    make: impl Fn() -> T,
    inside: impl Fn(&T) -> F,
    act: fn(T),
) {
    let main = || {
        let shared = make();
        let goroutine = spawn(inside(&shared));
        async move {
            sim::settle().await;
            assert!(!goroutine.is_finished());
            outside(move || act(shared));
            goroutine.await.unwrap();
            assert_eq!(sim::elapsed(), Duration::ZERO);
        }
    };
    Sim::new().schedules(SCHEDULES).allow_threads().check(main);
    fails(Sim::new(), "the thread `outside` wakes a goroutine", main);
}

// internal/synctest: time

/// Go's `TestNow`.
#[test]
fn time_begins_elsewhere_or_differs_between_goroutines() {
    let start = Instant::now() + HOUR;
    for strategy in [Strategy::Random, Strategy::Pct { changes: 3 }] {
        let sim = Sim::new().schedules(SCHEDULES).strategy(strategy).start_at(start);
        sim.check(|| async move {
            assert_eq!((now(), sim::elapsed()), (start, Duration::ZERO));
            let other = spawn(async move { assert_eq!(now(), start) });
            sleep(SECOND).await;
            assert_eq!((now(), sim::elapsed()), (start + SECOND, SECOND));
            other.await.unwrap();
        });
    }
}

/// Go's `TestMonotonicClock`.
#[test]
fn a_time_from_outside_is_another_one_inside() {
    let outside = Instant::now() + HOUR;
    Sim::new().schedules(SCHEDULES).start_at(outside - SECOND).check(|| async move {
        assert!(now() < outside);
        sleep_until(outside).await;
        assert_eq!((now(), sim::elapsed()), (outside, SECOND));
        sleep(SECOND).await;
        assert_eq!((now() - outside, now().duration_since(outside)), (SECOND, SECOND));
    });
}

/// Go's `TestTimerReadBeforeDeadline`.
#[test]
fn a_timer_rings_at_another_time_than_its_own() {
    check(|| async {
        let start = now();
        let timer = after(5 * SECOND);
        assert_eq!(timer.recv().await, Some(start + 5 * SECOND));
        assert_eq!(now() - start, 5 * SECOND);
    });
}

/// Go's `TestTimerReadAfterDeadline` and `TestTimerRanInPast`.
#[test]
fn a_timer_that_has_rung_tells_the_time_of_the_receive() {
    check(|| async {
        let start = now();
        let (waited_for, looked_at) = (after(SECOND), after(SECOND));
        sleep(2 * SECOND).await;
        assert_eq!(waited_for.recv().await, Some(start + SECOND));
        assert_eq!(looked_at.try_recv(), Ok(start + SECOND));
        assert_eq!(now(), start + 2 * SECOND);
    });
}

/// Go's `TestTimerReset`.
#[test]
fn a_timer_that_is_reset_rings_at_its_old_time() {
    check(|| async {
        let start = now();
        let mut timer = pin!(sleep(SECOND));
        timer.as_mut().await;
        assert_eq!(now() - start, SECOND);
        timer.as_mut().get_mut().reset(now() + 2 * SECOND);
        timer.as_mut().await;
        assert_eq!(now() - start, 3 * SECOND);
        timer.as_mut().get_mut().reset(now() + 3 * SECOND);
        sleep(SECOND).await;
        timer.as_mut().get_mut().reset(now() + 3 * SECOND);
        timer.await;
        assert_eq!(now() - start, 7 * SECOND);

        let (tx, calls) = channel(10);
        let call = after_func(SECOND, move || tx.try_send(sim::elapsed()).unwrap());
        assert_eq!(calls.recv().await, Some(8 * SECOND));
        assert!(!call.reset(3 * SECOND));
        sleep(SECOND).await;
        assert!(call.reset(3 * SECOND));
        assert_eq!(calls.recv().await, Some(12 * SECOND));
        assert!(!call.stop());
    });
}

/// Go's `TestTimeAfter`.
#[test]
fn what_a_timer_starts_has_another_time() {
    check(|| async {
        let count = Count::default();
        let counted = count.clone();
        _ = after_func(SECOND, move || {
            counted.up();
            let counted = counted.clone();
            go!(async move {
                sleep(SECOND).await;
                assert_eq!(sim::elapsed(), 2 * SECOND);
                counted.up();
            });
        });
        sleep(SECOND + NANO).await;
        sim::settle().await;
        assert_eq!(count.get(), 1);
        sleep(2 * SECOND).await;
        sim::settle().await;
        assert_eq!(count.get(), 2);
    });
}

/// Go's `TestTimerNondeterminism`.
#[test]
fn of_two_timers_due_at_once_the_same_is_always_first() {
    for strategy in [Strategy::Random, Strategy::Pct { changes: 3 }] {
        let first = Seen::new();
        Sim::new().schedules(SCHEDULES).strategy(strategy).check(|| async {
            let (one, other) = (after(NANO), after(NANO));
            first.note(select! {
                _ = one.recv() => 1,
                _ = other.recv() => 2,
            });
        });
        first.assert_all([1, 2]);
    }
}

/// Go's `TestSleepNondeterminism`.
#[test]
fn of_two_that_sleep_equally_long_the_same_always_wakes_first() {
    for strategy in [Strategy::Random, Strategy::Pct { changes: 3 }] {
        let orders = Seen::new();
        Sim::new().schedules(SCHEDULES).strategy(strategy).check(|| async {
            let (tx, awake) = channel(2);
            for number in 1..=2 {
                let tx = tx.clone();
                go!(async move {
                    sleep(NANO).await;
                    tx.try_send(number).unwrap();
                });
            }
            sleep(NANO).await;
            sim::settle().await;
            orders.note([awake.try_recv().unwrap(), awake.try_recv().unwrap()]);
        });
        orders.assert_all([[1, 2], [2, 1]]);
    }
}

/// Go's `TestTimerRunsImmediately`.
#[test]
fn a_timer_of_no_time_rings_only_when_all_wait() {
    check(|| async {
        let timer = after(Duration::ZERO);
        assert_eq!(timer.try_recv(), Ok(now()));
        assert_eq!(sim::elapsed(), Duration::ZERO);
    });
}

/// Go's `TestAfterFuncRunsImmediately`.
#[test]
fn a_call_after_no_time_comes_only_when_all_wait() {
    for strategy in [Strategy::Random, Strategy::Pct { changes: 3 }] {
        let sim = Sim::new().schedules(SCHEDULES).strategy(strategy).step_limit(10_000);
        sim.check(|| async {
            let called = flag();
            let set = called.clone();
            _ = after_func(Duration::ZERO, move || set.store(true, SeqCst));
            while !called.load(SeqCst) {
                yield_now().await;
            }
            assert_eq!(sim::elapsed(), Duration::ZERO);
        });
    }
}

/// Go's `TestTimerResetZeroDoNotHang`.
#[test]
fn settling_hangs_when_a_timer_is_reset_to_no_time() {
    check(|| async {
        let (tx, rung) = channel(1);
        let timer = after_func(Duration::ZERO, move || _ = tx.try_send(()));
        let (context, cancel) = Context::background().with_cancel();
        let count = Count::default();
        let counted = count.clone();
        let loops = spawn(async move {
            loop {
                select! {
                    _ = context.done() => break,
                    _ = rung.recv() => counted.up(),
                }
            }
        });
        for rings in 1..=3 {
            sim::settle().await;
            assert_eq!(count.get(), rings);
            assert!(!timer.reset(Duration::ZERO));
        }
        sim::settle().await;
        cancel.cancel();
        sim::settle().await;
        assert!(loops.is_finished());
        assert_eq!((count.get(), sim::elapsed()), (4, Duration::ZERO));
    });
}

// internal/synctest: runs, and settling

/// Go's `TestRunEmpty`, and `TestSuccess` of `testing/synctest`.
#[test]
fn a_program_that_does_nothing_fails() {
    let explored = Sim::new().schedules(SCHEDULES).check(|| async {});
    assert_eq!(explored.steps, explored.schedules);
}

/// Go's `TestSimpleWait` and `TestGoroutineWait`.
#[test]
fn settling_hangs_or_takes_time_when_nobody_else_is_there() {
    check(|| async {
        sim::settle().await;
        let ended = spawn(async {});
        sim::settle().await;
        assert!(ended.is_finished());
        sim::settle().await;
        assert_eq!(sim::elapsed(), Duration::ZERO);
    });
}

/// One that receives from the one before, starts the next one, and hands on a byte less.
fn shrink(from: Receiver<Vec<u8>>, ended: Arc<AtomicBool>) {
    go!(Box::pin(async move {
        let mut bytes = from.recv().await.unwrap();
        if bytes.pop().is_none() {
            ended.store(true, SeqCst);
            return;
        }
        let (tx, rx) = channel(0);
        shrink(rx, ended);
        tx.send(bytes).await.unwrap();
    }));
}

/// Go's `TestWait` and `TestMallocs`, and `TestWait` of the examples.
#[test]
fn settling_is_over_before_a_chain_of_goroutines_is() {
    check(|| async {
        let ended = flag();
        let (tx, rx) = channel(0);
        shrink(rx, ended.clone());
        tx.send(vec![0; 100]).await.unwrap();
        sim::settle().await;
        assert!(ended.load(SeqCst));
        assert_eq!(num_goroutines(), 1);
    });
}

/// Go's `TestHappensBefore`.
#[test]
fn settling_comes_before_something_that_can_run_has() {
    check(|| async {
        let count = Count::default();
        let up = || {
            let count = count.clone();
            move || count.up()
        };
        let expect = async |expected| {
            sim::settle().await;
            assert_eq!((count.get(), sim::elapsed()), (expected, Duration::ZERO));
        };
        // Goroutines that end.
        for _ in 0..2 {
            let up = up();
            go!(async move { up() });
        }
        expect(2).await;
        // Those that wait.
        let (tx, closed) = channel::<()>(0);
        for _ in 0..2 {
            let (up, closed) = (up(), closed.clone());
            go!(async move {
                up();
                closed.recv().await;
                up();
            });
        }
        expect(4).await;
        tx.close();
        expect(6).await;
        // Calls, and what they start.
        for _ in 0..2 {
            let (up, more) = (up(), up());
            _ = after_func(Duration::ZERO, move || {
                up();
                let more = more.clone();
                go!(async move {
                    yield_now().await;
                    more();
                });
            });
        }
        expect(10).await;
        // Goroutines that goroutines start.
        for _ in 0..2 {
            let up = up();
            go!(async move { go!(async move { go!(async move { up() }) }) });
        }
        expect(12).await;
    });
}

/// Go's `TestHappensBefore`, where two runs follow each other.
#[test]
fn what_the_last_goroutines_do_comes_after_the_run() {
    let count = Count::default();
    let counted = || count.clone();
    let mut runs = 0;
    for _ in 0..2 {
        let explored = Sim::new().schedules(SCHEDULES).check(|| {
            let count = counted();
            async move {
                for _ in 0..2 {
                    let count = count.clone();
                    go!(async move {
                        yield_now().await;
                        go!(async move { count.up() });
                    });
                }
            }
        });
        // The first schedule runs twice.
        runs += explored.schedules + 1;
        assert_eq!(u64::from(count.get()), 2 * runs);
    }
}

// internal/synctest: what comes from outside, and what leaves

/// Go's `TestTimerFromOutsideBubble`.
#[test]
fn a_timer_of_a_runtime_outside_is_not_heard() {
    fn ring() -> (Receiver<Instant>, Sender<()>, thread::JoinHandle<()>) {
        let ((to_tx, to), (end_tx, end)) = (mpsc::channel(), channel::<()>(0));
        let thread = thread::spawn(move || {
            block_on(async {
                to_tx.send(after(HOUR)).unwrap();
                end.recv().await;
            })
        });
        (to.recv().unwrap(), end_tx, thread)
    }
    let main = || {
        let (timer, end, thread) = ring();
        let waits = spawn(async move { timer.recv().await });
        async move {
            sim::settle().await;
            assert!(!waits.is_finished());
            // Its runtime ends, and so closes it.
            end.close();
            thread.join().unwrap();
            assert_eq!(waits.await.unwrap(), None);
            assert_eq!(sim::elapsed(), Duration::ZERO);
        }
    };
    Sim::new().schedules(SCHEDULES).allow_threads().check(main);
    fails(Sim::new(), "wakes a goroutine", main);
    Sim::new().schedules(SCHEDULES).check_program(|| {
        let outside = || thread::spawn(|| block_on(async { [after(Duration::ZERO), after(HOUR)] }));
        let [rung, closed] = outside().join().unwrap();
        block_on(async {
            assert!(rung.recv().await.is_some());
            assert_eq!(closed.recv().await, None);
            assert_eq!(sim::elapsed(), Duration::ZERO);
        });
    });
}

/// Go's `TestChannelFromOutsideBubble`.
#[test]
fn a_channel_from_outside_is_taken_for_one_of_the_simulation() {
    type Channel = (Sender<u32>, Receiver<u32>);
    let make = || channel::<u32>(0);
    let receives = |rx: Receiver<u32>, expected| async move {
        assert_eq!(rx.recv().await, expected);
    };
    meets_a_thread(make, |(_, rx): &Channel| receives(rx.clone(), None), |(tx, _)| tx.close());
    let sends = |(tx, _): Channel| tx.try_send(7).unwrap();
    meets_a_thread(make, |(_, rx)| receives(rx.clone(), Some(7)), sends);
    let is_sent = |(tx, _): &Channel| {
        let tx = tx.clone();
        async move { tx.send(7).await.unwrap() }
    };
    meets_a_thread(make, is_sent, |(_, rx)| assert_eq!(rx.try_recv(), Ok(7)));
    let (kept, other) = channel::<u32>(0);
    let selects = |(_, rx): &Channel| {
        let (rx, other) = (rx.clone(), other.clone());
        async move {
            select! {
                got = rx.recv() => assert_eq!(got, None),
                _ = other.recv() => unreachable!(),
            }
        }
    };
    meets_a_thread(make, selects, |(tx, _)| tx.close());
    let selects_between_both = |(_, rx): &Channel| {
        let rx = rx.clone();
        async move {
            let (_kept, inside) = channel::<u32>(0);
            select! {
                got = rx.recv() => assert_eq!(got, None),
                _ = inside.recv() => unreachable!(),
                _ = sleep(HOUR) => unreachable!(),
            }
        }
    };
    meets_a_thread(make, selects_between_both, |(tx, _)| tx.close());
    drop(kept);
}

/// Go's `TestChannelMovedOutOfBubble`.
#[test]
fn one_that_was_cancelled_stays_at_a_channel_that_leaves() {
    Sim::new().schedules(SCHEDULES).allow_leaks().check_program(|| {
        let (tx, rx, sends, receives) = block_on(async {
            let ((tx, rx), (sends_tx, sends)) = (channel(1), channel(0));
            let (receives, receives_rx) = channel(0);
            // Main keeps the other halves, so that the channels stay open.
            go!({
                let rx = receives_rx.clone();
                async move {
                    rx.recv().await;
                }
            });
            go!(async move {
                _ = sends_tx.send(1).await;
            });
            tx.send(2).await.unwrap();
            sim::settle().await;
            (tx, rx, sends, (receives, receives_rx))
        });
        // Outside.
        let (tx, rx) = thread::spawn(move || {
            assert!(matches!(receives.0.try_send(1), Err(TrySendError::Full(1))));
            assert!(matches!(sends.try_recv(), Err(TryRecvError::Closed)));
            assert_eq!(rx.try_recv(), Ok(2));
            tx.try_send(3).unwrap();
            (tx, rx)
        })
        .join()
        .unwrap();
        // In another run.
        block_on(async {
            assert_eq!(rx.recv().await, Some(3));
            let sender = spawn(async move { tx.send(4).await });
            assert_eq!(rx.recv().await, Some(4));
            sender.await.unwrap().unwrap();
            assert_eq!(rx.recv().await, None);
        });
    });
}

/// Go's `TestTimerFromInsideBubble`.
#[test]
fn a_timer_that_leaves_hangs_or_rings_outside() {
    Sim::new().schedules(SCHEDULES).allow_leaks().check_program(|| {
        let called = flag();
        let (timer, ticks, call, mut sleeper) = block_on(async {
            let set = called.clone();
            let call: AfterFunc = after_func(SECOND, move || set.store(true, SeqCst));
            let mut sleeper = Box::pin(sleep(SECOND));
            let polled = sleeper.as_mut().poll(&mut TaskContext::from_waker(Waker::noop()));
            assert!(polled.is_pending());
            (after(SECOND), tick(SECOND), call, sleeper)
        });
        let (timer, ticks, call) = thread::spawn(move || {
            assert_eq!((timer.recv_blocking(), ticks.recv_blocking()), (None, None));
            assert!(!call.reset(Duration::ZERO));
            assert!(!call.stop());
            (timer, ticks, call)
        })
        .join()
        .unwrap();
        block_on(async {
            assert_eq!((timer.recv().await, ticks.recv().await), (None, None));
            assert!(!call.reset(Duration::ZERO));
            sleep(HOUR).await;
            // It is past by now.
            let polled = sleeper.as_mut().poll(&mut TaskContext::from_waker(Waker::noop()));
            assert!(polled.is_ready());
        });
        assert!(!called.load(SeqCst));
    });
}

// internal/synctest: ends

/// Go's `TestTimerAfterBubbleExit`.
#[test]
fn a_call_that_is_planned_comes_after_the_end() {
    let called = flag();
    let main = || {
        let set = called.clone();
        async move { _ = after_func(SECOND, move || set.store(true, SeqCst)) }
    };
    Sim::new().schedules(SCHEDULES).allow_leaks().check(main);
    fails(Sim::new(), "goroutines are left", main);
    Sim::new().schedules(SCHEDULES).check(|| {
        let set = called.clone();
        async move {
            let call = after_func(SECOND, move || set.store(true, SeqCst));
            assert!(call.stop());
        }
    });
    assert!(!called.load(SeqCst));
}

/// Go's `TestDeadlockRoot`.
#[test]
fn a_main_that_waits_for_ever_hangs() {
    let report = fails(Sim::new(), "a deadlock", || async { pending::<()>().await });
    assert!(report.contains("at 0ns"), "{report}");
    fails(Sim::new(), "a deadlock", || async {
        let (_tx, rx) = channel::<u32>(0);
        rx.recv().await;
    });
}

/// Go's `TestDeadlockChild`.
#[test]
fn a_goroutine_that_waits_for_ever_is_overlooked_when_main_has_ended() {
    let report = fails(Sim::new(), "goroutines are left", || async { go!(pending::<()>()) });
    assert!(report.contains(&format!("{}:", file!())), "{report}");
}

/// Go's `TestDeadlockTicker`.
#[test]
fn a_ticker_goes_on_after_main() {
    let ticked = flag();
    let report = fails(Sim::new(), "goroutines are left", || {
        let set = ticked.clone();
        async move {
            go!(async move {
                let ticks = tick(SECOND);
                while ticks.recv().await.is_some() {
                    set.store(true, SeqCst);
                }
            });
        }
    });
    assert!(report.contains("at 0ns"), "{report}");
    assert!(!ticked.load(SeqCst));
}

// internal/synctest: sync

/// Go's `TestCond`.
#[test]
fn a_wait_for_a_condition_keeps_time_from_moving() {
    check(|| async {
        let shared = Arc::new((AsyncMutex::new(()), Cond::new()));
        let other = shared.clone();
        let notifier = spawn(async move {
            sleep(SECOND).await;
            let guard = other.0.lock().await;
            other.1.notify_one();
            drop(guard);
            sleep(SECOND).await;
            let _guard = other.0.lock().await;
            other.1.notify_all();
        });
        let (lock, cond) = &*shared;
        drop(cond.wait(lock.lock().await).await);
        assert_eq!(sim::elapsed(), SECOND);
        let waits = {
            let shared = shared.clone();
            spawn(async move { drop(shared.1.wait(shared.0.lock().await).await) })
        };
        drop(cond.wait(lock.lock().await).await);
        sim::settle().await;
        assert!(waits.is_finished());
        assert_eq!(sim::elapsed(), 2 * SECOND);
        notifier.await.unwrap();
    });
}

/// Beyond Go's `TestCond`: in Go a lock is no such wait.
#[test]
fn a_wait_for_a_lock_keeps_time_from_moving() {
    check(|| async {
        let lock = Arc::new(AsyncMutex::new(()));
        let guard = lock.lock().await;
        let waits = {
            let lock = lock.clone();
            spawn(async move {
                drop(lock.lock().await);
                sim::elapsed()
            })
        };
        sim::settle().await;
        sleep(SECOND).await;
        drop(guard);
        assert_eq!(waits.await.unwrap(), SECOND);
    });
}

/// Go's `TestWaitGroupInBubble`.
#[test]
fn a_wait_for_a_group_keeps_time_from_moving() {
    check(|| async {
        let group = WaitGroup::new();
        group.add(1);
        let counted = group.clone();
        go!(async move {
            sleep(SECOND).await;
            counted.done();
        });
        group.wait().await;
        assert_eq!(sim::elapsed(), SECOND);
    });
}

/// Go's `TestWaitGroupRacingAdds`.
#[test]
fn a_group_loses_one_of_many_that_begin_and_end_at_once() {
    check(|| async {
        let (group, count) = (WaitGroup::new(), Count::default());
        for _ in 0..100 {
            let count = count.clone();
            group.go(async move { count.up() });
        }
        group.wait().await;
        assert_eq!(count.get(), 100);
    });
}

/// Go's `TestWaitGroupOutOfBubble`.
#[test]
fn a_wait_for_one_outside_is_over_too_soon() {
    let waits = |group: &WaitGroup| {
        let group = group.clone();
        async move { group.wait().await }
    };
    let counted_outside = || {
        let group = WaitGroup::new();
        outside({
            let group = group.clone();
            move || group.add(1)
        });
        group
    };
    meets_a_thread(counted_outside, waits, |group| group.done());
}

/// Go's `TestWaitGroupMovedIntoBubble`, `TestWaitGroupMovedOutOfBubble`,
/// `TestWaitGroupMovedBetweenBubblesWithNonZeroCount`, `TestWaitGroupDisassociateInWait` and
/// `TestWaitGroupDisassociateInAdd`.
#[test]
fn a_group_that_moves_between_runs_miscounts() {
    Sim::new().schedules(SCHEDULES).check_program(|| {
        let group = WaitGroup::new();
        let is_zero =
            || pin!(group.wait()).poll(&mut TaskContext::from_waker(Waker::noop())).is_ready();
        // From outside.
        group.add(1);
        block_on(async {
            group.add(1);
            assert!(timeout(SECOND, group.wait()).await.is_err());
            group.done();
        });
        assert!(!is_zero());
        group.add(1);
        // In another run.
        block_on(async {
            let waits = {
                let group = group.clone();
                spawn(async move { group.wait().await })
            };
            sim::settle().await;
            group.done();
            sim::settle().await;
            assert!(!waits.is_finished());
            group.done();
            waits.await.unwrap();
        });
        assert!(is_zero());
        block_on(async {
            group.go(async {});
            group.wait().await;
        });
    });
}

/// Go's `TestWaitGroupLinkerAllocated` and `TestWaitGroupHeapAllocated`.
#[test]
fn a_group_in_a_static_is_unusable_in_the_second_run() {
    static GROUP: LazyLock<WaitGroup> = LazyLock::new(WaitGroup::new);
    check(|| async {
        GROUP.go(async {});
        GROUP.wait().await;
        GROUP.add(1);
        let waits = spawn(async { GROUP.wait().await });
        sim::settle().await;
        assert!(!waits.is_finished());
        GROUP.done();
        waits.await.unwrap();
    });
}

/// Go's `TestWaitGroupManyBubbles`.
#[test]
fn many_simulations_at_once_disturb_each_other() {
    let explore = || {
        Sim::new().schedules(5).check(|| async {
            let (tx, closed) = channel::<()>(0);
            let group = WaitGroup::new();
            for _ in 0..50 {
                let closed = closed.clone();
                group.go(async move {
                    closed.recv().await;
                });
            }
            sim::settle().await;
            assert_eq!(num_goroutines(), 51);
            tx.close();
            group.wait().await;
        })
    };
    let alone = explore();
    let threads: Vec<_> = (0..20).map(|_| thread::spawn(explore)).collect();
    threads.into_iter().for_each(|thread| assert_eq!(thread.join().unwrap(), alone));
}

/// Go's `TestReflectFuncOf`.
#[test]
fn a_lock_that_a_thread_outside_holds_lets_time_pass() {
    let kept = Arc::new(Mutex::new(BTreeMap::new()));
    let over = flag();
    thread::scope(|scope| {
        let _ended = OnDrop(|| over.store(true, SeqCst));
        scope.spawn(|| {
            for n in 0.. {
                if over.load(SeqCst) {
                    break;
                }
                kept.lock().unwrap().insert(n % 100, n);
            }
        });
        check(|| async {
            let group = WaitGroup::new();
            for n in 100..105 {
                let kept = kept.clone();
                group.go(async move {
                    for _ in 0..20 {
                        kept.lock().unwrap().insert(n, n);
                        yield_now().await;
                    }
                });
            }
            let asleep = spawn(sleep(SECOND));
            group.wait().await;
            assert_eq!(sim::elapsed(), Duration::ZERO);
            asleep.await.unwrap();
        });
    });
}

// internal/synctest: iterators

/// Go's `TestIteratorPush`.
#[test]
fn a_sleep_between_two_calls_of_a_closure_is_not_of_the_simulation() {
    async fn each_second(mut goes_on: impl FnMut(Duration) -> bool) {
        while goes_on(sim::elapsed()) {
            sleep(SECOND).await;
        }
    }
    check(|| async {
        let pushes = spawn(async {
            let mut times = Vec::new();
            each_second(|time| {
                times.push(time);
                times.len() < 3
            })
            .await;
            times
        });
        sleep(5 * SECOND).await;
        sim::settle().await;
        assert!(pushes.is_finished());
        assert_eq!(pushes.await.unwrap(), [0, 1, 2].map(|n| n * SECOND));
    });
}

/// Blocks in each step after the first.
struct Seconds(bool);

impl Iterator for Seconds {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        if std::mem::replace(&mut self.0, true) {
            block_on(sleep(SECOND));
        }
        Some(sim::elapsed())
    }
}

fn seconds() -> impl Stream<Item = Duration> {
    stream::unfold(false, async |begun| {
        if begun {
            sleep(SECOND).await;
        }
        Some((sim::elapsed(), true))
    })
}

/// Go's `TestIteratorPull`.
#[test]
fn an_iterator_that_sleeps_inside_a_step_stops_everybody() {
    check(|| async {
        let pulls: [JoinHandle<Vec<_>>; 2] = [
            spawn(async { Seconds(false).take(3).collect() }),
            spawn(async { seconds().take(3).collect().await }),
        ];
        sleep(5 * SECOND).await;
        sim::settle().await;
        for pull in pulls {
            assert!(pull.is_finished());
            assert_eq!(pull.await.unwrap(), [0, 1, 2].map(|n| n * SECOND));
        }
    });
}

// testing/synctest

/// Go's `TestFatal`, `TestError` and `TestVerboseError`.
#[test]
fn a_failure_is_reported_at_another_line_than_its_own() {
    let line = line!() + 1;
    let report = fails(Sim::new(), "it is over", || async { panic!("it is over") });
    assert!(report.contains(&format!("a panic at {}:{line}:", file!())), "{report}");
    let line = line!() + 1;
    let report = fails(Sim::new(), "it is over", || async { go!(async { panic!("it is over") }) });
    assert!(report.contains(&format!("a panic at {}:{line}:", file!())), "{report}");
}

#[track_caller]
fn helper() {
    panic!("said in a helper");
}

/// Go's `TestHelper`.
#[test]
fn a_failure_in_a_helper_is_reported_in_the_helper() {
    let line = line!() + 1;
    let report = fails(Sim::new(), "said in a helper", || async { helper() });
    assert!(report.contains(&format!("a panic at {}:{line}:", file!())), "{report}");
}

/// Closes a channel when it is dropped.
struct Close(Sender<()>);

impl Drop for Close {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// Waits for that, and returns what does it.
fn waits_for_close(count: &Count) -> Close {
    let (tx, closed) = channel(0);
    let count = count.clone();
    go!(async move {
        closed.recv().await;
        count.up();
    });
    Close(tx)
}

/// Go's `TestCleanup`.
#[test]
fn what_a_destructor_of_main_ends_counts_as_left() {
    let count = Count::default();
    let explored = Sim::new().schedules(SCHEDULES).check(|| {
        let count = count.clone();
        let of_future = waits_for_close(&count);
        async move {
            let _of_future = of_future;
            let _of_block = waits_for_close(&count);
            // Main's output.
            waits_for_close(&count)
        }
    });
    // The first schedule runs twice.
    assert_eq!(u64::from(count.get()), 3 * (explored.schedules + 1));
}

/// Go's `TestContext`.
#[test]
fn what_waits_for_the_context_of_main_counts_as_left() {
    let count = Count::default();
    let explored = Sim::new().schedules(SCHEDULES).check(|| {
        let count = count.clone();
        async move {
            let (context, _cancel) = Context::background().with_cancel();
            let is_waiting = flag();
            let waits = is_waiting.clone();
            go!(async move {
                waits.store(true, SeqCst);
                context.done().await;
                count.up();
            });
            sim::settle().await;
            assert!(is_waiting.load(SeqCst));
        }
    });
    assert_eq!(u64::from(count.get()), explored.schedules + 1);
}

mod limited {
    use super::*;

    #[gorun::test(schedules = 20, timeout = SECOND)]
    #[should_panic = "1s"]
    pub(super) async fn a_test_that_takes_too_long_passes() {
        sleep(SECOND + NANO).await;
    }

    #[gorun::test(schedules = 20, timeout = SECOND)]
    pub(super) async fn a_test_that_takes_no_more_than_its_limit_fails() {
        sleep(SECOND - NANO).await;
    }
}

/// Go's `TestDeadline`.
#[test]
fn the_limit_of_a_test_is_in_another_time_than_the_test() {
    limited::a_test_that_takes_no_more_than_its_limit_fails();
    let payload = catch_unwind(limited::a_test_that_takes_too_long_passes).unwrap_err();
    let report = payload.downcast_ref::<String>().unwrap();
    assert!(report.contains("1s"), "{report}");
}

/// Go's `TestRun`.
#[test]
fn a_simulation_begins_inside_of_one() {
    fn begin() {
        _ = Sim::new().run(|| async {});
    }
    let says = "a simulation was started inside";
    fails(Sim::new(), says, || async { begin() });
    fails(Sim::new(), says, || async { spawn(async { begin() }).await.unwrap() });
    fails(Sim::new(), says, || async { blocking(begin) });
    let failure = Sim::new().run_program(begin).unwrap_err().to_string();
    assert!(failure.contains(says), "{failure}");
}

/// Go's `TestSynctestTimerRaceCtxCrash`.
#[test]
fn of_many_calls_due_at_once_that_plan_others_one_is_lost() {
    check(|| async {
        let count = Count::default();
        for _ in 0..100 {
            let count = count.clone();
            _ = after_func(SECOND, move || {
                let count = count.clone();
                _ = after_func(Duration::ZERO, move || count.up());
            });
        }
        sleep(SECOND).await;
        sim::settle().await;
        assert_eq!((count.get(), sim::elapsed()), (100, SECOND));
        sleep(SECOND).await;
        assert_eq!(num_goroutines(), 1);
    });
}

// testing/synctest: examples

/// Go's `TestTime`.
#[test]
fn a_shorter_sleep_ends_after_a_longer_one() {
    check(|| async {
        let asleep = spawn(async {
            sleep(NANO).await;
            sim::elapsed()
        });
        sleep(2 * NANO).await;
        assert!(asleep.is_finished());
        assert_eq!((asleep.await.unwrap(), sim::elapsed()), (NANO, 2 * NANO));
    });
}

/// Go's `TestContextAfterFunc`.
#[test]
fn what_follows_a_cancellation_comes_before_it_or_after_settling() {
    check(|| async {
        let (context, cancel) = Context::background().with_cancel();
        let called = flag();
        let set = called.clone();
        let _call = context.after_func(move || set.store(true, SeqCst));
        sim::settle().await;
        sleep(HOUR).await;
        sim::settle().await;
        assert!(!called.load(SeqCst));
        cancel.cancel();
        sim::settle().await;
        assert!(called.load(SeqCst));
        assert_eq!(sim::elapsed(), HOUR);
    });
}

/// Go's `TestContextWithTimeout`.
#[test]
fn a_context_ends_a_moment_before_or_after_its_deadline() {
    check(|| async {
        let (context, _cancel) = Context::background().with_timeout(5 * SECOND);
        sleep(5 * SECOND - NANO).await;
        sim::settle().await;
        assert_eq!(context.err(), None);
        sleep(NANO).await;
        sim::settle().await;
        assert_eq!(context.err(), Some(ContextError::DeadlineExceeded));
    });
}

const HEAD: &str = "PUT / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n";
const CONTINUE: &str = "HTTP/1.1 100 Continue\r\n\r\n";
const OK: &str = "HTTP/1.1 200 OK\r\n\r\n";

/// A client that sends the body when it is told to, or when it has not been told anything for so long.
async fn put(server: io::DuplexStream, patience: Duration) {
    let (mut reader, mut writer) = server.into_split();
    writer.write_all(HEAD.as_bytes()).await.unwrap();
    let mut answer = [0; CONTINUE.len()];
    let told = timeout(patience, reader.read_exact(&mut answer)).await;
    if told.is_ok() {
        assert_eq!(answer, CONTINUE.as_bytes());
    }
    writer.write_all(b"body").await.unwrap();
    let mut answer = vec![0; if told.is_ok() { OK.len() } else { 0 }];
    reader.read_exact(&mut answer).await.unwrap();
    assert!(OK.as_bytes().starts_with(&answer));
}

/// Go's `TestHTTPTransport100Continue`.
#[test]
fn a_client_on_a_connection_in_memory_sends_what_it_should_keep() {
    for is_told in [true, false] {
        check(|| async move {
            let (client, server) = io::duplex();
            let puts = spawn(put(client, 5 * SECOND));
            let (mut reader, mut writer) = server.into_split();
            let mut head = [0; HEAD.len()];
            reader.read_exact(&mut head).await.unwrap();
            let body = Arc::new(Mutex::new(Vec::new()));
            let read = body.clone();
            let reads = spawn(async move {
                let mut byte = [0];
                while read.lock().unwrap().len() < 4 {
                    reader.read_exact(&mut byte).await.unwrap();
                    read.lock().unwrap().push(byte[0]);
                }
                reader
            });
            sim::settle().await;
            assert!(body.lock().unwrap().is_empty());
            if is_told {
                writer.write_all(CONTINUE.as_bytes()).await.unwrap();
            } else {
                sleep(5 * SECOND).await;
            }
            sim::settle().await;
            assert_eq!(*body.lock().unwrap(), b"body");
            assert_eq!(sim::elapsed(), if is_told { Duration::ZERO } else { 5 * SECOND });
            if is_told {
                writer.write_all(OK.as_bytes()).await.unwrap();
            }
            puts.await.unwrap();
            reads.await.unwrap();
        });
    }
}

// runtime

/// Go's `TestSynctest`.
#[test]
fn what_gorun_does_itself_counts_as_a_goroutine_or_takes_time() {
    check(|| async {
        let (tx, boxes) = channel::<Box<u32>>(0);
        let sum = spawn(async move {
            let mut sum = 0;
            while let Some(next) = boxes.recv().await {
                sum += *next;
            }
            sum
        });
        for n in 0..10 {
            tx.send(blocking(|| Box::new(n))).await.unwrap();
            let read = gorun::fs::metadata(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"));
            assert!(read.await.unwrap().is_file());
            sim::settle().await;
            assert_eq!((num_goroutines(), sim::elapsed()), (2, Duration::ZERO));
        }
        drop(tx);
        assert_eq!(sum.await.unwrap(), 45);
    });
}

/// Go's `TestSynctestCondSignalFromNoBubble`.
#[test]
fn a_notification_from_outside_is_taken_for_one_of_the_simulation() {
    let make = || Arc::new((AsyncMutex::new(()), Cond::new()));
    let waits = |shared: &Arc<(AsyncMutex<()>, Cond)>| {
        let shared = shared.clone();
        async move { drop(shared.1.wait(shared.0.lock().await).await) }
    };
    meets_a_thread(make, waits, |shared| shared.1.notify_one());
    meets_a_thread(make, waits, |shared| shared.1.notify_all());
}
