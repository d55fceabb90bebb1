//! What is allocated has to be freed again. Everything in this process is counted, so the tests run
//! one at a time.

#[path = "memory/boxes.rs"]
mod boxes;
#[path = "memory/channels.rs"]
mod channels;
mod common;
#[path = "memory/contexts.rs"]
mod contexts;
#[path = "memory/sync.rs"]
mod sync;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::RefCell;
use std::future::{Future, pending, poll_fn};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicIsize, AtomicUsize, Ordering::SeqCst};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

use futures::channel::oneshot;
use futures::future::join_all;
use gorun::time::{after, sleep, tick};
use gorun::{
    Handle, JoinHandle, JoinSet, Receiver, channel, select, spawn, spawn_local, yield_now,
};

use common::*;

/// Bytes that are allocated.
static LIVE: AtomicIsize = AtomicIsize::new(0);

/// Since the process began.
static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);

struct Counting;

// SAFETY: it is the system's allocator, and counts.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        LIVE.fetch_add(layout.size() as isize, SeqCst);
        ALLOCATIONS.fetch_add(1, SeqCst);
        boxes::on_block(layout, 0);
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size() as isize, SeqCst);
        boxes::on_block(layout, 1);
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Go's `test/chan/select2.go`: what a select leaves at a channel that is never ready.
#[test]
fn a_hundred_thousand_selects_take_no_more_memory_than_one() {
    const N: u32 = scaled(100_000, 30_000) as u32;
    let _one = ONE_AT_A_TIME.lock().unwrap_or_else(|error| error.into_inner());
    let _watchdog = watchdog();

    async fn pass(never: &Receiver<u32>) {
        let (tx, rx) = channel(0);
        let sender = spawn(async move {
            for n in 0..N {
                tx.send(n).await.unwrap();
            }
        });
        for n in 0..N {
            select! { v = rx.recv() => assert_eq!(v, Some(n)), _ = never.recv() => unreachable!() }
        }
        sender.await.unwrap();
    }

    for workers in [1, 2, 16] {
        run(workers, async {
            let (_tx, never) = channel(0);
            let never: Receiver<u32> = never;
            pass(&never).await;
            let before = LIVE.load(SeqCst);
            pass(&never).await;
            let more = LIVE.load(SeqCst) - before;
            // A byte for each select would be found.
            assert!(more < N as isize, "{more} bytes more");
        });
    }
}

/// Go's `TestTimerGC`.
#[test]
fn timers_that_are_dropped_are_freed_before_they_are_due() {
    const N: isize = 10_000;
    const HOUR: Duration = Duration::from_secs(3600);
    let _one = ONE_AT_A_TIME.lock().unwrap_or_else(|error| error.into_inner());
    let _watchdog = watchdog();

    async fn pass() {
        for _ in 0..N {
            drop((after(HOUR), tick(HOUR)));
            let mut sleep = pin!(sleep(HOUR));
            assert!(sleep.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        }
    }

    for workers in [1, 2, 16] {
        run(workers, async {
            pass().await;
            let before = LIVE.load(SeqCst);
            pass().await;
            let more = LIVE.load(SeqCst) - before;
            assert!(more < N, "{more} bytes more");
        });
    }
}

/// So many goroutines that wait for each other's start, and what lets them go.
fn gathered(n: usize) -> (Vec<JoinHandle<()>>, impl Future<Output = ()>) {
    let (open, gate) = channel::<()>(0);
    let goroutine = |_| {
        let gate = gate.clone();
        spawn(async move { assert_eq!(gate.recv().await, None) })
    };
    let handles = (0..n).map(goroutine).collect();
    let let_go = async move {
        yield_now().await;
        drop(open);
    };
    (handles, let_go)
}

/// A byte for each would be found. Some kilobytes are what is made once, and nodes of trees that are
/// not as full as before.
#[track_caller]
fn assert_nothing_left(case: &str, run: impl Fn(usize)) {
    const N: isize = 10_000;
    // What is made once.
    run(10);
    let before = LIVE.load(SeqCst);
    run(N as usize);
    let left = || LIVE.load(SeqCst) - before;
    // Threads that have ended may not have given back everything.
    let start = Instant::now();
    while left() >= N && start.elapsed() < Duration::from_secs(10) {
        thread::yield_now();
    }
    assert!(left() < N, "{case}: {} bytes are left of {N} that were awaited at once", left());
}

#[test]
fn nothing_is_left_of_a_runtime_whose_goroutines_were_awaited_at_once() {
    let _one = ONE_AT_A_TIME.lock().unwrap_or_else(|error| error.into_inner());
    let _watchdog = watchdog();
    for workers in [1, 2, 16] {
        assert_nothing_left("by main", |n| {
            run(workers, async {
                let (handles, let_go) = gathered(n);
                spawn(let_go);
                join_all(handles).await;
            });
        });
        assert_nothing_left("by a set", |n| {
            run(workers, async {
                let mut set = JoinSet::new();
                (0..n).for_each(|_| drop(set.spawn(yield_now())));
                while set.join_next().await.is_some() {}
            });
        });
        assert_nothing_left("by a thread outside", |n| {
            run(workers, async {
                let (runtime, (handles, let_go)) = (Handle::current(), gathered(n));
                let outside = thread::spawn(move || {
                    runtime.spawn(let_go);
                    futures::executor::block_on(join_all(handles));
                });
                gorun::blocking(|| outside.join().unwrap());
            });
        });
        assert_nothing_left("of local futures, whose wakers are used later", |n| {
            let wakers = run(workers, async {
                let wakers = Rc::new(RefCell::new(Vec::new()));
                for _ in 0..n {
                    let wakers = wakers.clone();
                    let keeps_its_waker = poll_fn(move |cx| {
                        wakers.borrow_mut().push(cx.waker().clone());
                        Poll::<()>::Pending
                    });
                    spawn_local(keeps_its_waker).detach();
                }
                yield_now().await;
                wakers.take()
            });
            assert_eq!(wakers.len(), n);
            wakers.into_iter().for_each(Waker::wake);
        });
        assert_nothing_left("by main, which gives up", |n| {
            run(workers, async {
                let (handles, let_go) = gathered(n);
                let mut all = Box::pin(join_all(handles));
                assert!(all.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
                drop(all);
                drop(let_go);
            });
        });
        assert_nothing_left("by one after main has returned", |n| {
            let handles = run(workers, async { gathered(n).0 });
            futures::executor::block_on(join_all(handles));
        });
    }
}

/// Neither does what another runtime waits for keep the place of those who have gone.
#[test]
fn nothing_is_left_of_a_runtime_beside_another_one_that_goes_on() {
    let _one = ONE_AT_A_TIME.lock().unwrap_or_else(|error| error.into_inner());
    let _watchdog = watchdog();
    let waiting = AtomicUsize::new(0);
    let (end, is_end) = oneshot::channel::<()>();
    thread::scope(|scope| {
        scope.spawn(|| {
            run(2, async {
                // On every board.
                let mut handles = join_all((0..200).map(|_| spawn(pending::<()>())));
                let mut set = JoinSet::new();
                (0..200).for_each(|_| drop(set.spawn(pending::<()>())));
                poll_fn(|cx| {
                    assert!(Pin::new(&mut handles).poll(cx).is_pending());
                    assert!(pin!(set.join_next()).poll(cx).is_pending());
                    waiting.store(1, SeqCst);
                    Poll::Ready(())
                })
                .await;
                is_end.await.unwrap();
            });
        });
        wait_until(|| waiting.load(SeqCst) == 1);
        let case = "beside another";
        assert_nothing_left(case, |n| {
            run(2, async {
                let (handles, let_go) = gathered(n);
                spawn(let_go);
                join_all(handles).await;
            });
        });
        end.send(()).unwrap();
    });
}
