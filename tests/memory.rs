//! What is allocated has to be freed again. Everything in this process is counted, so the tests run
//! one at a time.

mod common;

use std::alloc::{GlobalAlloc, Layout, System};
use std::pin::pin;
use std::sync::Mutex;
use std::sync::atomic::{AtomicIsize, Ordering::SeqCst};
use std::task::{Context, Waker};
use std::time::Duration;

use gorun::time::{after, sleep, tick};
use gorun::{Receiver, channel, select, spawn};

use common::*;

/// Bytes that are allocated.
static LIVE: AtomicIsize = AtomicIsize::new(0);

struct Counting;

// SAFETY: it is the system's allocator, and counts.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        LIVE.fetch_add(layout.size() as isize, SeqCst);
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size() as isize, SeqCst);
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
    const N: u32 = 100_000;
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
