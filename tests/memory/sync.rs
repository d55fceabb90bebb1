//! What `gorun::sync` and its users take, and that they give it back.

use std::future::{Future, pending};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::task::{Context, Poll, Waker};

use futures::StreamExt;
use gorun::sync::{
    Barrier, Cond, Mutex, Notify, OnceCell, RwLock, Semaphore, broadcast, oneshot, singleflight,
    watch,
};
use gorun::time::after_func;
use gorun::{JoinSet, num_goroutines, yield_now};

use crate::common::*;
use crate::{ALLOCATIONS, LIVE, ONE_AT_A_TIME};

type Wait<'a> = Pin<Box<dyn Future<Output = ()> + 'a>>;

fn now<F: Future>(future: F) -> F::Output {
    let Poll::Ready(output) = Box::pin(future).as_mut().poll(&mut noop()) else {
        panic!("it waits")
    };
    output
}

fn noop() -> Context<'static> {
    Context::from_waker(Waker::noop())
}

/// For Go's `TestOnceFunc` and its like.
#[test]
fn a_value_that_is_there_is_given_without_an_allocation() {
    let _one = ONE_AT_A_TIME.lock().unwrap_or_else(|error| error.into_inner());
    run(1, async {
        let cell = OnceCell::new();
        let give = async || *cell.get_or_init(async || 7).await;
        assert_eq!(give().await, 7);
        let before = ALLOCATIONS.load(SeqCst);
        for _ in 0..100 {
            assert_eq!(give().await, 7);
        }
        let more = ALLOCATIONS.load(SeqCst) - before;
        // The monitor may allocate, too.
        assert!(more < 50, "{more} allocations in 100 calls");
    });
}

/// So many wait at once and go away, in three orders, and nothing is left in what they waited for.
fn leaves_nothing<'a>(name: &str, wait: impl Fn() -> Wait<'a>) {
    const N: usize = 10_000;
    let round = |n: usize, order: usize| {
        let mut waits: Vec<_> = (0..n).map(|_| wait()).collect();
        for wait in &mut waits {
            assert!(wait.as_mut().poll(&mut noop()).is_pending(), "{name} does not wait");
        }
        match order {
            0 => drop(waits),
            1 => waits.into_iter().rev().for_each(drop),
            _ => {
                let (even, odd): (Vec<_>, Vec<_>) =
                    waits.into_iter().enumerate().partition(|(index, _)| index % 2 == 0);
                drop((even, odd));
            }
        }
    };
    round(10, 0);
    let before = LIVE.load(SeqCst);
    for order in 0..3 {
        round(N, order);
        let left = LIVE.load(SeqCst) - before;
        // A byte for each would be found.
        assert!(left < N as isize, "{name}: {left} bytes are left of {N} waits");
    }
}

#[test]
fn ten_thousand_that_waited_and_went_leave_nothing_in_what_they_waited_for() {
    let _one = ONE_AT_A_TIME.lock().unwrap_or_else(|error| error.into_inner());
    let _watchdog = watchdog();
    let mutex = Mutex::new(());
    let guard = now(mutex.lock());
    leaves_nothing("Mutex", || Box::pin(async { drop(mutex.lock().await) }));
    drop(guard);
    let lock = RwLock::new(());
    let guard = now(lock.write());
    leaves_nothing("RwLock", || Box::pin(async { drop(lock.read().await) }));
    drop(guard);
    let semaphore = Semaphore::new(0);
    leaves_nothing("Semaphore", || Box::pin(async { drop(semaphore.acquire().await) }));
    let notify = Notify::new();
    leaves_nothing("Notify", || Box::pin(notify.notified()));
    let (mutex, cond) = (Mutex::new(()), Cond::new());
    leaves_nothing("Cond", || Box::pin(async { drop(cond.wait(mutex.lock().await).await) }));
    let barrier = Barrier::new(usize::MAX);
    leaves_nothing("Barrier", || Box::pin(async { _ = barrier.wait().await }));
    let cell = OnceCell::<()>::new();
    leaves_nothing("OnceCell", || Box::pin(async { _ = cell.get_or_init(pending).await }));
    let group = singleflight::Group::new();
    leaves_nothing("singleflight", || Box::pin(group.run(1, pending)));
    let key = std::cell::Cell::new(0);
    leaves_nothing("singleflight, other keys", || {
        key.set(key.get() + 1);
        Box::pin(group.run(key.get(), pending))
    });
    let (tx, rx) = watch::channel(0);
    leaves_nothing("watch::Receiver", || {
        let mut rx = rx.clone();
        Box::pin(async move { _ = rx.changed().await })
    });
    leaves_nothing("watch::Receiver as Stream", || {
        let mut rx = rx.clone();
        Box::pin(async move { _ = rx.next().await })
    });
    leaves_nothing("watch::Sender", || Box::pin(tx.closed()));
    let (tx, _rx) = broadcast::channel::<u32>(usize::MAX);
    leaves_nothing("broadcast::Receiver", || {
        let mut rx = tx.subscribe();
        Box::pin(async move { _ = rx.recv().await })
    });
    leaves_nothing("broadcast::Receiver as Stream", || {
        let mut rx = tx.subscribe();
        Box::pin(async move { _ = rx.next().await })
    });
    leaves_nothing("broadcast::Sender", || Box::pin(tx.closed()));
    leaves_nothing("oneshot", || {
        let (tx, rx) = oneshot::channel::<u32>();
        Box::pin(async move {
            let _tx = tx;
            _ = rx.await;
        })
    });
}

#[test]
fn values_that_were_broadcast_and_received_leave_nothing() {
    const N: usize = 100_000;
    let _one = ONE_AT_A_TIME.lock().unwrap_or_else(|error| error.into_inner());
    let (tx, mut rx) = broadcast::channel(usize::MAX);
    let mut slow = tx.subscribe();
    let mut round = |n: usize| {
        (0..n).for_each(|value| _ = tx.send(value).unwrap());
        (0..n).for_each(|value| assert_eq!(rx.try_recv(), Ok(value)));
        match n % 2 {
            0 => slow = tx.subscribe(),
            _ => (0..n).for_each(|value| assert_eq!(slow.try_recv(), Ok(value))),
        }
    };
    round(10);
    let before = LIVE.load(SeqCst);
    round(N);
    round(N + 1);
    let left = LIVE.load(SeqCst) - before;
    assert!(left < N as isize, "{left} bytes are left of {N} values");
}

/// A set that once had many goroutines, and is kept.
#[test]
fn a_set_that_was_full_gives_its_memory_back_when_it_is_empty() {
    const N: usize = scaled(100_000, 20_000);
    let _one = ONE_AT_A_TIME.lock().unwrap_or_else(|error| error.into_inner());
    let _watchdog = watchdog();
    for workers in [1, 2, 16] {
        run(workers, async {
            let mut set = JoinSet::new();
            async fn fill(set: &mut JoinSet<()>, n: usize) {
                (0..n).for_each(|_| drop(set.spawn(async {})));
                yield_until(|| num_goroutines() == 1).await;
                while set.join_next().await.is_some() {}
            }
            // The scheduler's own queues keep what they need for so many.
            let mut other = JoinSet::new();
            fill(&mut other, N).await;
            drop(other);
            fill(&mut set, 10).await;
            let before = LIVE.load(SeqCst);
            fill(&mut set, N).await;
            let left = LIVE.load(SeqCst) - before;
            // The injector keeps room for some thousands of tasks.
            assert!(left < 2 * N as isize, "{left} bytes are left of {N} goroutines");
        });
    }
}

#[test]
fn calls_that_were_planned_and_called_off_leave_nothing() {
    const N: usize = 10_000;
    let _one = ONE_AT_A_TIME.lock().unwrap_or_else(|error| error.into_inner());
    let _watchdog = watchdog();
    async fn pass(n: usize) {
        let value = Arc::new(());
        for _ in 0..n {
            let value = value.clone();
            let call = after_func(HOUR, move || _ = &value);
            assert!(call.reset(HOUR) && call.stop());
        }
        yield_until(|| num_goroutines() == 1).await;
        assert_eq!(Arc::strong_count(&value), 1);
        yield_now().await;
    }
    for workers in [1, 2, 16] {
        run(workers, async {
            pass(N).await;
            let before = LIVE.load(SeqCst);
            pass(N).await;
            let left = LIVE.load(SeqCst) - before;
            // The injector keeps room for some thousands of tasks.
            assert!(left < 4 * N as isize, "{left} bytes are left of {N} calls");
        });
    }
}
