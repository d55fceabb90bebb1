//! Futures that are dropped, at each moment; and wakers that come back in.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use gorun::sync::{Barrier, Mutex, Notify, RwLock, Semaphore, broadcast, oneshot, watch};
use gorun::time::timeout;

use super::{Task, calls, calls_when_dropped, now};
use crate::common::*;

#[test]
pub(crate) fn the_first_one_goes_away_and_the_second_one_is_served() {
    let mutex = Mutex::new(());
    let guard = now(mutex.lock());
    let first = Task::waiting(mutex.lock());
    let second = Task::waiting(mutex.lock());
    drop(first);
    drop(guard);
    drop(second.finish());
}

#[test]
pub(crate) fn one_in_the_middle_or_at_the_end_goes_away_and_the_order_stays() {
    let mutex = Mutex::new(());
    let mut guard = Some(now(mutex.lock()));
    let mut tasks: Vec<_> = (0..6).map(|_| Task::waiting(mutex.lock())).collect();
    for gone in [5, 2, 1] {
        drop(tasks.remove(gone));
    }
    let mut last = Task::waiting(mutex.lock());
    for task in tasks {
        last.waits();
        drop(guard.take());
        guard = Some(task.finish());
    }
    drop(guard);
    drop(last.finish());
    assert!(mutex.try_lock().is_some());
}

#[test]
pub(crate) fn what_was_served_and_is_dropped_goes_to_the_next_one() {
    let mutex = Mutex::new(());
    let guard = now(mutex.lock());
    let served = Task::waiting(mutex.lock());
    let next = Task::waiting(mutex.lock());
    drop(guard);
    assert_eq!(served.wakes(), 1);
    drop(served);
    drop(next.finish());
    assert!(mutex.try_lock().is_some());
}

#[test]
pub(crate) fn what_was_served_and_is_dropped_is_free_if_nobody_waits() {
    let mutex = Arc::new(Mutex::new(()));
    let guard = now(mutex.lock());
    let served = Task::waiting(mutex.clone().lock_owned());
    drop(guard);
    assert!(mutex.try_lock().is_none());
    drop(served);
    assert!(mutex.try_lock().is_some());
}

#[test]
pub(crate) fn a_writer_that_goes_away_lets_the_readers_behind_it_in() {
    let lock = RwLock::new(());
    let reader = now(lock.read());
    let writer = Task::waiting(lock.write());
    let behind: Vec<_> = (0..3).map(|_| Task::waiting(lock.read())).collect();
    drop(writer);
    let guards: Vec<_> = behind.into_iter().map(Task::finish).collect();
    drop((reader, guards));
    assert!(lock.try_write().is_some());
}

#[test]
pub(crate) fn one_that_collects_permits_goes_away_and_those_behind_it_get_them() {
    let semaphore = Semaphore::new(3);
    let many = Task::waiting(semaphore.acquire_many(5));
    let (one, two) = (Task::waiting(semaphore.acquire()), Task::waiting(semaphore.acquire_many(2)));
    let mut more = Task::waiting(semaphore.acquire());
    drop(many);
    let (one, two) = (one.finish().unwrap(), two.finish().unwrap());
    more.waits();
    drop((one, two));
    drop(more.finish().unwrap());
    assert_eq!(semaphore.available_permits(), 3);
}

#[test]
pub(crate) fn a_timeout_that_has_elapsed_leaves_the_lock_to_others() {
    let _watchdog = watchdog();
    for workers in super::WORKERS {
        run(workers, async {
            let mutex = Mutex::new(());
            let guard = mutex.lock().await;
            for _ in 0..50 {
                timeout(Duration::ZERO, mutex.lock()).await.map(drop).unwrap_err();
                timeout(Duration::from_micros(50), mutex.lock()).await.map(drop).unwrap_err();
            }
            drop(guard);
            drop(timeout(HOUR, mutex.lock()).await.unwrap());
        });
    }
}

/// A future that is kept after its time limit keeps its place.
#[test]
pub(crate) fn a_future_that_outlives_its_timeout_still_gets_the_lock_in_its_turn() {
    let _watchdog = watchdog();
    run(2, async {
        let mutex = Mutex::new(());
        let guard = mutex.lock().await;
        let mut lock = mutex.lock();
        timeout(Duration::from_micros(50), &mut lock).await.map(drop).unwrap_err();
        let mut later = pin!(mutex.lock());
        assert!(futures::poll!(&mut later).is_pending());
        drop(guard);
        assert!(futures::poll!(&mut later).is_pending());
        drop(lock.await);
        drop(later.await);
    });
}

type Make = fn(Arc<World>) -> Pin<Box<dyn Future<Output = ()> + Send>>;

/// Each kind of wait, and what ends it.
struct World {
    semaphore: Semaphore,
    mutex: Arc<Mutex<()>>,
    lock: Arc<RwLock<()>>,
    notify: Notify,
    barrier: Barrier,
    watch: watch::Sender<u32>,
    broadcast: broadcast::Sender<u32>,
}

const WAITS: [(&str, Make); 8] = [
    ("acquire", |world| Box::pin(async move { world.semaphore.acquire().await.unwrap().forget() })),
    ("lock", |world| Box::pin(async move { drop(world.mutex.lock().await) })),
    ("read", |world| Box::pin(async move { drop(world.lock.read().await) })),
    ("write", |world| Box::pin(async move { drop(world.lock.write().await) })),
    ("notified", |world| Box::pin(async move { world.notify.notified().await })),
    ("barrier", |world| Box::pin(async move { _ = world.barrier.wait().await })),
    ("changed", |world| {
        let mut rx = world.watch.subscribe();
        Box::pin(async move { rx.changed().await.unwrap() })
    }),
    ("recv", |world| {
        let mut rx = world.broadcast.subscribe();
        Box::pin(async move { _ = rx.recv().await.unwrap() })
    }),
];

impl World {
    fn new() -> Arc<Self> {
        Arc::new(World {
            semaphore: Semaphore::new(0),
            mutex: Arc::default(),
            lock: Arc::default(),
            notify: Notify::new(),
            barrier: Barrier::new(2),
            watch: watch::channel(0).0,
            broadcast: broadcast::channel(4).0,
        })
    }

    /// Every wait has to wait until the returned function is called.
    fn hold(self: &Arc<Self>) -> impl FnOnce() + use<> {
        let world = self.clone();
        let mutex = now(self.mutex.clone().lock_owned());
        let lock = now(self.lock.clone().write_owned());
        move || {
            drop((mutex, lock));
            world.semaphore.add_permits(1);
            world.notify.notify_one();
            world.watch.send_replace(1);
            let _ = world.broadcast.send(1);
            let mut meets = world.barrier.wait();
            let _ = Pin::new(&mut meets).poll(&mut Context::from_waker(Waker::noop()));
        }
    }
}

/// A waker that polls, drops and begins others of the same kind, when it is woken and when it is dropped,
/// would wait for itself if it were called under a lock.
#[test]
pub(crate) fn a_waker_that_comes_back_in_finds_no_lock_held() {
    let _watchdog = watchdog();
    for (name, make) in WAITS {
        for when in ["woken", "dropped with the future", "replaced"] {
            let world = World::new();
            let go_on = world.hold();
            let times = Arc::new(AtomicUsize::new(0));
            let callback = {
                let (world, times) = (world.clone(), times.clone());
                move || {
                    times.fetch_add(1, SeqCst);
                    let mut other = make(world.clone());
                    let _ = other.as_mut().poll(&mut Context::from_waker(Waker::noop()));
                    let mut cx = Context::from_waker(Waker::noop());
                    let _ = make(world.clone()).as_mut().poll(&mut cx);
                    drop(other);
                }
            };
            let waker = match when {
                "woken" => calls(callback),
                _ => calls_when_dropped(callback),
            };
            let mut future = make(world.clone());
            assert!(future.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
            drop(waker);
            match when {
                "woken" => go_on(),
                "replaced" => {
                    let mut cx = Context::from_waker(Waker::noop());
                    assert!(future.as_mut().poll(&mut cx).is_pending());
                    drop(go_on);
                }
                _ => {
                    drop(future);
                    drop(go_on);
                }
            }
            assert_eq!(times.load(SeqCst), 1, "{name}, {when}");
        }
    }
}

/// A waker that panics costs nobody else anything.
#[test]
pub(crate) fn a_waker_that_panics_keeps_no_other_from_being_woken() {
    for (name, make) in WAITS {
        let world = World::new();
        let go_on = world.hold();
        quiet();
        let mut panics = make(world.clone());
        let waker = calls(|| panic!("boom"));
        assert!(panics.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        if matches!(name, "changed" | "recv" | "read") {
            let other = Task::waiting(make(world.clone()));
            go_on();
            other.finish();
        } else {
            go_on();
        }
        let mut cx = Context::from_waker(Waker::noop());
        assert!(panics.as_mut().poll(&mut cx).is_ready(), "{name}");
    }
}

/// A destructor of a value runs without a lock.
#[test]
pub(crate) fn a_value_whose_destructor_comes_back_in_finds_no_lock_held() {
    struct Back<F: Fn()>(F);
    impl<F: Fn()> Drop for Back<F> {
        fn drop(&mut self) {
            (self.0)();
        }
    }
    type Boxed = Arc<Back<Box<dyn Fn() + Send + Sync>>>;
    let _watchdog = watchdog();
    let value = |callback: Box<dyn Fn() + Send + Sync>| -> Boxed { Arc::new(Back(callback)) };
    let nothing = || value(Box::new(|| {}));

    let (tx, rx) = watch::channel(nothing());
    let back = rx.clone();
    tx.send(value(Box::new(move || drop(back.borrow())))).unwrap();
    tx.send(nothing()).unwrap();

    let (tx, rx) = broadcast::channel(1);
    let back = tx.clone();
    tx.send(value(Box::new(move || _ = back.len()))).unwrap();
    tx.send(nothing()).unwrap();
    let back = tx.clone();
    tx.send(value(Box::new(move || _ = back.len()))).unwrap();
    drop(rx);

    let (tx, rx) = oneshot::channel();
    let other = Arc::new(std::sync::Mutex::new(None));
    let back = other.clone();
    tx.send(value(Box::new(move || _ = back.lock().unwrap().take()))).unwrap();
    *other.lock().unwrap() = Some(());
    drop(rx);
    assert!(other.lock().unwrap().is_none());
}

#[test]
pub(crate) fn an_operation_whose_waker_s_clone_panics_can_be_polled_again() {
    use std::task::{RawWaker, RawWakerVTable};
    static VTABLE: RawWakerVTable = RawWakerVTable::new(|_| panic!("boom"), |_| {}, |_| {}, |_| {});
    quiet();
    let semaphore = Semaphore::new(0);
    let mut acquire = semaphore.acquire_many(2);
    semaphore.add_permits(1);
    // SAFETY: its functions do nothing with the data.
    let waker = unsafe { Waker::from_raw(RawWaker::new((&raw const VTABLE).cast(), &VTABLE)) };
    payload_of(std::panic::AssertUnwindSafe(|| {
        let _ = Pin::new(&mut acquire).poll(&mut Context::from_waker(&waker));
    }));
    // Nobody is in the queue.
    drop(semaphore.try_acquire().unwrap());
    let mut cx = Context::from_waker(Waker::noop());
    assert!(Pin::new(&mut acquire).poll(&mut cx).is_pending());
    semaphore.add_permits(1);
    assert!(matches!(Pin::new(&mut acquire).poll(&mut cx), Poll::Ready(Ok(_))));
}
