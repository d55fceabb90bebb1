//! Foreign wakers that panic: when they are cloned, called, or dropped.
//!
//! That of a clone comes out where it was polled; any other is an unhandled one of the runtime, if there is
//! one. What the waker was used on goes on: no value is lost, nobody else waits in vain, and no lock stays
//! taken. (`tests/foreign_wakers.rs` does the same at random.)

use std::cell::RefCell;
use std::future::Future;
use std::mem::ManuallyDrop;
use std::os::unix::process::ExitStatusExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::ptr;
use std::task::{Context, Poll, RawWaker, RawWakerVTable, Waker};

use gorun::time::{after, sleep, timeout};
use gorun::{Builder, JoinSet, UnhandledPanic, WaitGroup, channel, select, spawn};
use nix::sys::signal::Signal;
use tokio_test::{assert_pending, assert_ready, task};

use crate::common::*;
use crate::workload::bit_of_everything;
use crate::{MILLI, WORKERS};

static PANICS_WHEN_CLONED: RawWakerVTable =
    RawWakerVTable::new(|_| panic!("boom: cloned"), |_| {}, |_| {}, |_| {});
static PANICS_WHEN_CALLED: RawWakerVTable = RawWakerVTable::new(
    |_| RawWaker::new(ptr::null(), &PANICS_WHEN_CALLED),
    |_| panic!("boom: called"),
    |_| panic!("boom: called"),
    |_| {},
);
static PANICS_WHEN_DROPPED: RawWakerVTable = RawWakerVTable::new(
    |_| RawWaker::new(ptr::null(), &PANICS_WHEN_DROPPED),
    |_| {},
    |_| {},
    |_| {
        // Not while another one unwinds, which would end the process whatever gorun does.
        if !std::thread::panicking() {
            panic!("boom: dropped")
        }
    },
);
static ALL: [&RawWakerVTable; 3] = [&PANICS_WHEN_CLONED, &PANICS_WHEN_CALLED, &PANICS_WHEN_DROPPED];

/// Not dropped: that is for gorun to do, with its clones.
fn bad_waker(vtable: &'static RawWakerVTable) -> ManuallyDrop<Waker> {
    // SAFETY: wakers with these functions have no data, so that nothing can be done wrong with it.
    ManuallyDrop::new(unsafe { Waker::new(ptr::null(), vtable) })
}

/// The message of the panic of `f`, if it panicked.
fn caught<R>(f: impl FnOnce() -> R) -> Result<R, String> {
    quiet();
    catch_unwind(AssertUnwindSafe(f)).map_err(|payload| message(&*payload).unwrap().to_owned())
}

/// How far one goes with a future and a bad waker.
#[derive(Clone, Copy, Debug, PartialEq)]
enum End {
    /// Polled with it, and dropped while it waits.
    Dropped,
    /// Then polled with a good one, which takes its place.
    Replaced,
    /// Then what it waits for happens.
    Happens,
}

/// Does so, and what is to happen, if it comes to that. Says how many panics there were.
fn misuse<F: Future>(
    vtable: &'static RawWakerVTable,
    end: End,
    future: F,
    happen: impl Fn(),
) -> usize {
    let waker = bad_waker(vtable);
    let mut future = Box::pin(future);
    let mut panics = 0;
    let mut note = |result: Result<(), String>| {
        if let Err(text) = result {
            // The other is what an `async` block says that is polled after a panic.
            let is_first = text.starts_with("boom: ");
            assert!(is_first || text.contains("resumed after panicking"), "{text}");
            panics += usize::from(is_first);
        }
    };
    note(caught(|| drop(future.as_mut().poll(&mut Context::from_waker(&waker)))));
    match end {
        End::Dropped => {}
        End::Replaced => {
            note(caught(|| drop(future.as_mut().poll(&mut Context::from_waker(Waker::noop())))))
        }
        End::Happens => note(caught(&happen)),
    }
    note(caught(|| drop(future)));
    panics
}

/// Every fault, at every end.
fn each(mut check: impl FnMut(&'static RawWakerVTable, End) -> usize) {
    let mut panics = 0;
    for vtable in ALL {
        for end in [End::Dropped, End::Replaced, End::Happens] {
            panics += check(vtable, end);
        }
    }
    // Those of the clones.
    assert_eq!(panics, 3);
}

type Boxed<'a> = Pin<Box<dyn Future<Output = ()> + 'a>>;

#[test]
fn a_bad_waker_at_a_receive_loses_no_value() {
    let _watchdog = watchdog();
    each(|vtable, end| {
        let (tx, rx) = channel(0);
        let panics = misuse(vtable, end, rx.recv(), || {
            let _ = tx.try_send(1);
        });
        passes_values(tx, rx);
        panics
    });
}

#[test]
fn a_bad_waker_at_a_send_loses_no_receiver() {
    let _watchdog = watchdog();
    each(|vtable, end| {
        let (tx, rx) = channel(0);
        let panics = misuse(vtable, end, tx.send(1), || {
            let _ = rx.try_recv();
        });
        while rx.try_recv().is_ok() {}
        passes_values(tx, rx);
        panics
    });
}

#[test]
fn a_bad_waker_at_a_select_leaves_all_its_channels_usable() {
    let _watchdog = watchdog();
    each(|vtable, end| {
        let (tx, rx) = channel(0);
        let (other_tx, other_rx) = channel(0);
        let selects: Boxed<'_> = Box::pin(async {
            select! {
                _ = rx.recv() => {}
                _ = other_tx.send(2) => {}
            }
        });
        let panics = misuse(vtable, end, selects, || {
            let _ = tx.try_send(1);
        });
        passes_values(tx, rx);
        while other_rx.try_recv().is_ok() {}
        passes_values(other_tx, other_rx);
        panics
    });
}

/// From one to the other, with wakers that are in order.
fn passes_values(tx: gorun::Sender<u32>, rx: gorun::Receiver<u32>) {
    // What was left to others by one that went.
    while rx.try_recv().is_ok() {}
    let mut recv = pin!(rx.recv());
    let mut cx = Context::from_waker(Waker::noop());
    assert!(recv.as_mut().poll(&mut cx).is_pending());
    tx.try_send(7).unwrap();
    assert_eq!(recv.as_mut().poll(&mut cx), Poll::Ready(Some(7)));
    let mut send = pin!(tx.send(8));
    assert!(send.as_mut().poll(&mut cx).is_pending());
    assert_eq!(rx.try_recv(), Ok(8));
    assert!(send.as_mut().poll(&mut cx).is_ready());
}

#[test]
fn a_bad_waker_at_a_wait_group_keeps_no_other_from_its_end() {
    let _watchdog = watchdog();
    each(|vtable, end| {
        let group = WaitGroup::new();
        group.add(1);
        // Those who wait before it, and after it.
        let mut first = task::spawn(group.wait());
        assert_pending!(first.poll());
        let second = RefCell::new(task::spawn(group.wait()));
        let panics = misuse(vtable, end, group.wait(), || {
            assert_pending!(second.borrow_mut().poll());
            group.done();
        });
        if end != End::Happens {
            assert_pending!(second.borrow_mut().poll());
            group.done();
        }
        let mut second = second.into_inner();
        assert!(first.is_woken() && second.is_woken());
        assert_ready!(first.poll());
        assert_ready!(second.poll());
        panics
    });
}

/// The panics of wakers that workers call are unhandled ones, which are ignored here.
#[test]
fn a_bad_waker_at_a_timer_leaves_the_runtime_whole() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        let builder = Builder::new().worker_threads(workers);
        let builder = builder.unhandled_panic(UnhandledPanic::Ignore);
        let in_main = async {
            let pause = || std::thread::sleep(5 * MILLI);
            for vtable in ALL {
                for end in [End::Dropped, End::Replaced, End::Happens] {
                    misuse(vtable, end, sleep(2 * MILLI), pause);
                    misuse(vtable, end, timeout(2 * MILLI, std::future::pending::<()>()), pause);
                    let alarm = after(2 * MILLI);
                    misuse(vtable, end, alarm.recv(), pause);
                }
            }
            bit_of_everything().await;
        };
        builder.block_on(in_main).unwrap();
    }
}

/// `async-task` ends the process, as is documented; at once, and not by hanging.
#[test]
fn a_bad_waker_at_a_handle_ends_the_process() {
    const FAULT: &str = "GORUN_TEST_FAULT";
    let _watchdog = watchdog();
    let test = "wakers::a_bad_waker_at_a_handle_ends_the_process";
    if !is_child() {
        for fault in ["cloned", "called", "replaced"] {
            let output = child(test, &[(FAULT, fault)], "ulimit -c 0");
            let text = stderr(&output);
            assert_eq!(output.status.signal(), Some(Signal::SIGABRT as i32), "{fault}: {text}");
            assert!(text.contains("boom: ") && !text.contains("hangs"), "{fault}: {text}");
        }
        return;
    }
    let fault = std::env::var(FAULT).unwrap();
    run(2, async {
        let (go, gone) = channel(0);
        let waits = async move { gone.recv().await };
        let happen = || {
            go.send_blocking(1).unwrap();
            // A worker calls it.
            wait_until(|| false);
        };
        match &*fault {
            "cloned" => misuse(&PANICS_WHEN_CLONED, End::Dropped, spawn(waits), happen),
            "called" => misuse(&PANICS_WHEN_CALLED, End::Happens, spawn(waits), happen),
            _ => misuse(&PANICS_WHEN_DROPPED, End::Replaced, spawn(waits), happen),
        };
    });
}

/// A worker calls it, in the middle of completing a goroutine.
#[test]
fn a_bad_waker_at_a_set_loses_no_result() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        let builder = Builder::new().worker_threads(workers);
        let in_main = async {
            for vtable in ALL {
                for end in [End::Dropped, End::Replaced, End::Happens] {
                    let mut set = JoinSet::new();
                    let (go, gone) = channel(0);
                    set.spawn(async move { gone.recv().await });
                    misuse(vtable, end, set.join_next(), || go.send_blocking(1).unwrap());
                    if end != End::Happens {
                        go.send(1).await.unwrap();
                    }
                    assert_eq!(set.join_next().await.unwrap().unwrap(), Some(1));
                    assert!(set.join_next().await.is_none());
                }
            }
            bit_of_everything().await;
        };
        builder.unhandled_panic(UnhandledPanic::Ignore).block_on(in_main).unwrap();
    }
}

/// A send that has sent says so; and main learns of the panic.
#[test]
fn a_panic_of_a_waker_that_a_goroutine_calls_is_an_unhandled_one() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        let (tx, rx) = channel(0);
        let waker = bad_waker(&PANICS_WHEN_CALLED);
        let mut recv = pin!(rx.recv());
        assert!(recv.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        let ended = caught(|| {
            let builder = Builder::new().worker_threads(workers);
            builder.block_on(async {
                let sends = spawn(async move { tx.try_send(1) });
                assert_eq!(sends.await.unwrap(), Ok(()));
                std::future::pending::<()>().await;
            })
        });
        assert_eq!(ended.unwrap_err(), "boom: called");
        let received = recv.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        assert_eq!(received, Poll::Ready(Some(1)));
    }
}
