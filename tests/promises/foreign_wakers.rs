//! Wakers that are somebody else's: one that looks like the goroutine's own, and one that panics.
//!
//! (`tests/channel/user_code.rs` has those that panic while they are exchanged at a channel, and
//! `tests/foreign_wakers.rs` tries everything everywhere.)

use std::future::{Future, pending, poll_fn};
use std::pin::{Pin, pin};
use std::ptr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::task::{Context, Poll, RawWaker, RawWakerVTable, Waker};

use gorun::time::{after, interval, sleep, tick, timeout};
use gorun::{Builder, JoinSet, UnhandledPanic, WaitGroup, channel, select, spawn};

use super::{MILLI, WORKERS};
use crate::common::*;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Call {
    Clone,
    Wake,
    Drop,
}

type Act = Arc<dyn Fn(Call) + Send + Sync>;

/// What the wakers below do, in one test at a time.
static ACT: Mutex<Option<Act>> = Mutex::new(None);
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Its functions have no use for the data.
static ACTING: RawWakerVTable = RawWakerVTable::new(
    |data| {
        act(Call::Clone);
        RawWaker::new(data, &ACTING)
    },
    |_| act(Call::Wake),
    |_| act(Call::Wake),
    |_| act(Call::Drop),
);

fn act(call: Call) {
    let act = ACT.lock().unwrap().clone();
    if let Some(act) = act {
        act(call);
    }
}

struct Acting {
    _one_at_a_time: MutexGuard<'static, ()>,
}

impl Acting {
    /// Until it is dropped, wakers do this.
    fn new(act: impl Fn(Call) + Send + Sync + 'static) -> Self {
        let one_at_a_time = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
        *ACT.lock().unwrap() = Some(Arc::new(act));
        Acting { _one_at_a_time: one_at_a_time }
    }
}

impl Drop for Acting {
    fn drop(&mut self) {
        let act = ACT.lock().unwrap().take();
        drop(act);
    }
}

fn acting_waker(data: *const ()) -> Waker {
    // SAFETY: the functions do not use the data.
    unsafe { Waker::new(data, &ACTING) }
}

/// Polls once, with a waker that has the data of the one that is given. Says whether it waits.
fn poll_forged<F: Future>(future: F, own: &Waker) -> bool {
    let forged = acting_waker(own.data());
    pin!(future).poll(&mut Context::from_waker(&forged)).is_pending()
}

/// In a goroutine, with its waker.
fn in_a_goroutine(workers: usize, test: impl FnOnce(&Waker) + Send + 'static) {
    let mut test = Some(test);
    let goroutine = poll_fn(move |cx| {
        test.take().unwrap()(cx.waker());
        Poll::Ready(())
    });
    run(workers, async { spawn(goroutine).await.unwrap() });
}

/// Taken for the goroutine's own it would be cloned under the channel's lock, and wait for itself.
#[test]
fn a_waker_with_the_goroutine_s_data_is_cloned_without_the_lock_by_a_receive() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        let (tx, rx) = channel::<u32>(0);
        let looks = tx.clone();
        let _acting = Acting::new(move |_| assert_eq!(looks.len(), 0));
        in_a_goroutine(workers, move |own| assert!(poll_forged(rx.recv(), own)));
        drop(tx);
    }
}

#[test]
fn a_waker_with_the_goroutine_s_data_is_cloned_without_the_lock_by_a_send() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        let (tx, rx) = channel::<u32>(0);
        let looks = rx.clone();
        let _acting = Acting::new(move |_| assert_eq!(looks.len(), 0));
        in_a_goroutine(workers, move |own| assert!(poll_forged(tx.send(1), own)));
        drop(rx);
    }
}

#[test]
fn a_waker_with_the_goroutine_s_data_is_cloned_without_the_lock_by_a_select() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        let (tx, rx) = channel::<u32>(0);
        let looks = rx.clone();
        let _acting = Acting::new(move |_| assert_eq!(looks.len(), 0));
        in_a_goroutine(workers, move |own| {
            let waits = async {
                select! {
                    _ = rx.recv() => {}
                    _ = tx.send(1) => {}
                }
            };
            assert!(poll_forged(waits, own));
        });
    }
}

/// Says which threads have called the waker that `wait` was polled with.
fn callers_of<F, W>(workers: usize, wait: impl Fn() -> F + Send + 'static, until: W) -> Vec<String>
where
    F: Future + Send + 'static,
    W: Fn(usize) -> bool,
{
    let callers = Arc::new(Mutex::new(Vec::new()));
    let notes = callers.clone();
    let _acting = Acting::new(move |call| {
        if call == Call::Wake {
            let name = std::thread::current().name().unwrap_or_default().to_owned();
            notes.lock().unwrap().push(name);
        }
    });
    run(workers, async {
        let mut future = Box::pin(wait());
        // The goroutine keeps its worker, so that somebody else looks at the timers.
        let goroutine = poll_fn(move |cx| {
            let forged = acting_waker(cx.waker().data());
            // Without a core for long, it was ready before it could wait.
            while future.as_mut().poll(&mut Context::from_waker(&forged)).is_ready() {
                future = Box::pin(wait());
            }
            std::thread::sleep(10 * MILLI);
            Poll::<()>::Pending
        });
        spawn(goroutine).detach();
        yield_until(|| until(callers.lock().unwrap().len())).await;
    });
    std::mem::take(&mut *callers.lock().unwrap())
}

/// It may block there, and everybody's timers with it.
#[test]
fn a_waker_with_the_goroutine_s_data_is_not_called_by_the_monitor() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        let waits = [
            callers_of(workers, || sleep(2 * MILLI), |calls| calls > 0),
            callers_of(workers, || timeout(2 * MILLI, pending::<()>()), |calls| calls > 0),
            callers_of(
                workers,
                || async {
                    let mut interval = interval(2 * MILLI);
                    interval.tick().await;
                    interval.tick().await;
                },
                |calls| calls > 0,
            ),
        ];
        for callers in waits {
            assert!(callers.iter().all(|name| name != "gorun-monitor"), "{callers:?}");
        }
    }
}

/// Two sleeps that a foreign waker waits for when their runtime ends: one that main has polled, one that a
/// goroutine has.
#[expect(clippy::async_yields_async, reason = "nobody is to await them in there")]
fn left_asleep(workers: usize) -> [Pin<Box<impl Future>>; 2] {
    let asleep = || {
        let mut sleep = Box::pin(sleep(HOUR));
        assert!(poll_with_a_bad_waker(&mut sleep).is_pending());
        sleep
    };
    run(workers, async move { [asleep(), spawn(async move { asleep() }).await.unwrap()] })
}

#[test]
fn a_waker_that_is_left_when_the_runtime_ends_is_not_called_by_the_monitor() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        let callers = Arc::new(Mutex::new(Vec::new()));
        let _acting = Acting::new({
            let callers = callers.clone();
            move |call| {
                if call == Call::Wake {
                    let name = std::thread::current().name().unwrap_or_default().to_owned();
                    callers.lock().unwrap().push(name);
                }
            }
        });
        let _asleep = left_asleep(workers);
        wait_until(|| callers.lock().unwrap().len() == 2);
        let callers = callers.lock().unwrap();
        assert!(callers.iter().all(|name| name != "gorun-monitor"), "{callers:?}");
    }
}

/// Exit waits for it as for a goroutine, and the other one is called all the same.
#[test]
fn a_waker_that_blocks_when_the_runtime_ends_does_not_block_main_or_its_neighbour() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        let calls = Arc::new(AtomicUsize::new(0));
        let (release, released) = mpsc::channel::<()>();
        let released = Mutex::new(released);
        let _acting = Acting::new({
            let calls = calls.clone();
            move |call| {
                if call == Call::Wake && calls.fetch_add(1, Ordering::SeqCst) == 0 {
                    let _ = released.lock().unwrap().recv();
                }
            }
        });
        let _asleep = left_asleep(workers);
        wait_until(|| calls.load(Ordering::SeqCst) == 2);
        drop(release);
    }
}

/// A waker that panics when it is dropped; not while something else unwinds.
fn panics_when_dropped() -> Acting {
    quiet();
    Acting::new(|call| {
        if call == Call::Drop && !std::thread::panicking() {
            panic!("boom");
        }
    })
}

fn poll_with_a_bad_waker<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    let waker = std::mem::ManuallyDrop::new(acting_waker(ptr::null()));
    pin!(future).poll(&mut Context::from_waker(&waker))
}

fn poll_idly<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    pin!(future).poll(&mut Context::from_waker(Waker::noop()))
}

#[test]
fn a_wait_does_not_forget_the_zero_when_a_waker_panics() {
    let _acting = panics_when_dropped();
    let group = WaitGroup::new();
    group.add(1);
    let mut wait = group.wait();
    assert!(poll_idly(&mut wait).is_pending());
    group.done();
    group.add(1);
    assert!(poll_with_a_bad_waker(&mut wait).is_ready(), "it waits although there was a zero");
}

#[test]
fn a_wait_keeps_its_place_when_the_waker_that_it_had_panics() {
    let _acting = panics_when_dropped();
    let group = WaitGroup::new();
    group.add(1);
    let mut wait = group.wait();
    assert!(poll_with_a_bad_waker(&mut wait).is_pending());
    let mut next = tokio_test::task::spawn(wait);
    assert!(next.poll().is_pending());
    group.done();
    assert!(next.is_woken() && next.poll().is_ready());
}

/// The result is there when the waker has been cloned.
#[test]
fn a_set_does_not_lose_a_result_when_a_waker_panics() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        let builder = Builder::new().worker_threads(workers);
        let in_main = async {
            let (go, gone) = channel::<()>(0);
            let mut set = JoinSet::new();
            let handle = Arc::new(Mutex::new(Some(go)));
            let (opens, finished) = (handle.clone(), Arc::new(Mutex::new(false)));
            let is_finished = finished.clone();
            set.spawn(async move {
                gone.recv().await;
                7
            });
            let _acting = Acting::new(move |call| match call {
                Call::Clone => {
                    drop(opens.lock().unwrap().take());
                    // The goroutine tells the set on another thread, a moment later.
                    std::thread::sleep(MILLI);
                    *is_finished.lock().unwrap() = true;
                }
                Call::Drop if *is_finished.lock().unwrap() => panic!("boom"),
                _ => {}
            });
            {
                let mut next = Box::pin(set.join_next());
                if let Poll::Ready(result) = poll_with_a_bad_waker(&mut next) {
                    assert_eq!(result.unwrap().unwrap(), 7);
                    return;
                }
            }
            assert_eq!(set.join_next().await.unwrap().unwrap(), 7);
        };
        builder.unhandled_panic(UnhandledPanic::Ignore).block_on(in_main).unwrap();
    }
}

fn panics_when_woken() -> Acting {
    quiet();
    Acting::new(|call| {
        if call == Call::Wake {
            panic!("boom");
        }
    })
}

/// Of one of those who wait for it.
#[test]
fn a_ticker_goes_on_when_a_waker_panics() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        let _acting = panics_when_woken();
        let builder = Builder::new().worker_threads(workers);
        let in_main = async {
            let ticks = tick(MILLI);
            let other = ticks.clone();
            let mut first = ticks.recv();
            assert!(poll_with_a_bad_waker(&mut first).is_pending());
            for _ in 0..3 {
                assert!(other.recv().await.is_some(), "it has ended");
            }
        };
        builder.unhandled_panic(UnhandledPanic::Ignore).block_on(in_main).unwrap();
    }
}

#[test]
fn an_alarm_rings_for_whoever_looks_next_when_a_waker_panics() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        let _acting = panics_when_woken();
        let builder = Builder::new().worker_threads(workers);
        let in_main = async {
            let alarm = after(MILLI);
            let mut first = alarm.recv();
            assert!(poll_with_a_bad_waker(&mut first).is_pending());
            drop(first);
            let mut second = alarm.recv();
            assert!(poll_with_a_bad_waker(&mut second).is_pending());
            // It has been given to it, or will be.
            sleep(3 * MILLI).await;
            drop(second);
            assert!(alarm.recv().await.is_some());
        };
        builder.unhandled_panic(UnhandledPanic::Ignore).block_on(in_main).unwrap();
    }
}

#[test]
fn a_receive_keeps_its_value_when_the_waker_of_its_sender_panics() {
    let _acting = panics_when_woken();
    for capacity in [0, 1] {
        let (tx, rx) = channel(capacity);
        (0..capacity).for_each(|_| tx.try_send(1).unwrap());
        let mut send = tx.send(1);
        assert!(poll_with_a_bad_waker(&mut send).is_pending());
        let mut recv = rx.recv();
        assert_eq!(poll_idly(&mut recv), Poll::Ready(Some(1)));
        assert_eq!(poll_idly(&mut send), Poll::Ready(Ok(())));
        (0..capacity).for_each(|_| assert_eq!(rx.try_recv(), Ok(1)));
        // By a select.
        (0..capacity).for_each(|_| tx.try_send(2).unwrap());
        let mut send = tx.send(2);
        assert!(poll_with_a_bad_waker(&mut send).is_pending());
        let mut selects = Box::pin(async {
            select! {
                value = rx.recv() => value,
                () = pending() => unreachable!(),
            }
        });
        assert_eq!(poll_idly(&mut selects), Poll::Ready(Some(2)));
        assert_eq!(poll_idly(&mut send), Poll::Ready(Ok(())));
        // And without waiting.
        (0..capacity).for_each(|_| assert_eq!(rx.try_recv(), Ok(2)));
        (0..capacity).for_each(|_| tx.try_send(3).unwrap());
        let mut send = tx.send(3);
        assert!(poll_with_a_bad_waker(&mut send).is_pending());
        assert_eq!(rx.try_recv(), Ok(3));
        assert_eq!(poll_idly(&mut send), Poll::Ready(Ok(())));
    }
}

#[test]
fn a_send_says_that_it_has_sent_when_the_waker_of_its_receiver_panics() {
    let _acting = panics_when_woken();
    let (tx, rx) = channel(0);
    let wait = || {
        let mut recv = rx.recv();
        assert!(poll_with_a_bad_waker(&mut recv).is_pending());
        recv
    };
    let mut recv = wait();
    assert_eq!(tx.try_send(1), Ok(()));
    assert_eq!(poll_idly(&mut recv), Poll::Ready(Some(1)));
    let mut recv = wait();
    assert_eq!(poll_idly(&mut tx.send(2)), Poll::Ready(Ok(())));
    assert_eq!(poll_idly(&mut recv), Poll::Ready(Some(2)));
    let mut recv = wait();
    let mut selects = Box::pin(async {
        select! {
            result = tx.send(3) => result,
            () = pending() => unreachable!(),
        }
    });
    assert_eq!(poll_idly(&mut selects), Poll::Ready(Ok(())));
    assert_eq!(poll_idly(&mut recv), Poll::Ready(Some(3)));
    // A receive that is given up passes its value on.
    let (first, mut second) = (wait(), wait());
    assert_eq!(tx.try_send(4), Ok(()));
    drop(first);
    assert_eq!(poll_idly(&mut second), Poll::Ready(Some(4)));
}
