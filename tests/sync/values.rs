//! Values whose own code panics, or comes at an odd time, and waits that move from task to task.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::task::{Context, Poll, Waker};

use futures::StreamExt;
use gorun::sync::{
    Barrier, Cond, Mutex, Notify, OnceCell, RwLock, Semaphore, broadcast, oneshot, singleflight,
    watch,
};

use super::{Task, Wakes, calls_when_dropped, now};
use crate::common::*;

/// Its clone panics when that is wanted, and its destructor when that is.
#[derive(Debug, Default)]
struct Fragile {
    clone_panics: bool,
    drop_panics: bool,
    drops: Arc<AtomicUsize>,
}

impl Clone for Fragile {
    fn clone(&self) -> Self {
        assert!(!self.clone_panics, "boom: clone");
        Fragile { clone_panics: false, drop_panics: false, drops: self.drops.clone() }
    }
}

impl Drop for Fragile {
    fn drop(&mut self) {
        self.drops.fetch_add(1, SeqCst);
        assert!(!self.drop_panics, "boom: drop");
    }
}

fn panics_in_clone() -> Fragile {
    Fragile { clone_panics: true, drop_panics: false, drops: Arc::default() }
}

fn panics_in_drop() -> Fragile {
    Fragile { clone_panics: false, drop_panics: true, drops: Arc::default() }
}

#[track_caller]
fn assert_boom<R>(f: impl FnOnce() -> R) {
    quiet();
    let payload = catch_unwind(AssertUnwindSafe(f)).map(drop).expect_err("it panics");
    assert!(message(&*payload).unwrap().starts_with("boom"));
}

#[test]
pub(crate) fn a_clone_that_panics_costs_one_receiver_one_value_and_nobody_else_anything() {
    let (tx, mut rx) = broadcast::channel(4);
    let mut other = tx.subscribe();
    let value = panics_in_clone();
    let drops = value.drops.clone();
    tx.send(value).unwrap();
    tx.send(Fragile::default()).unwrap();
    assert_boom(|| now(rx.recv()));
    // The last one gets the value itself.
    drop(now(other.recv()).unwrap());
    assert_eq!(drops.load(SeqCst), 1);
    drop((now(rx.recv()).unwrap(), now(other.recv()).unwrap()));
    drop(tx);
    assert!(now(rx.recv()).is_err() && now(other.recv()).is_err());
}

#[test]
pub(crate) fn a_clone_that_panics_leaves_the_value_of_a_watch_as_it_was() {
    let (tx, mut rx) = watch::channel(panics_in_clone());
    assert_boom(|| tx.send_modify(|_| unreachable!()));
    assert_eq!(rx.has_changed().ok(), Some(false));
    let waits = Task::waiting(rx.changed());
    tx.send(Fragile::default()).unwrap();
    waits.finish().unwrap();
    tx.send_modify(|_| ());
}

#[test]
pub(crate) fn a_change_that_panics_leaves_the_value_of_a_watch_as_it_was() {
    let (tx, mut rx) = watch::channel(1);
    assert_boom(|| {
        tx.send_modify(|value| {
            *value = 2;
            panic!("boom");
        })
    });
    assert_eq!((*rx.borrow(), rx.has_changed().unwrap()), (1, false));
    tx.send_modify(|value| *value += 2);
    assert_eq!(now(rx.changed()), Ok(()));
    assert_eq!(*rx.borrow(), 3);
    // A question that panics has looked at the value, and loses no later one.
    assert_boom(|| now(rx.wait_for(|_| panic!("boom"))));
    tx.send(4).unwrap();
    assert_eq!(*now(rx.wait_for(|value| *value == 4)).unwrap(), 4);
}

/// Those that wait were told before the destructor of the old value ran.
#[test]
pub(crate) fn a_destructor_that_panics_in_a_send_hides_the_new_value_from_nobody() {
    let (tx, mut rx) = watch::channel(panics_in_drop());
    let waits = Task::waiting(rx.changed());
    assert_boom(|| tx.send(Fragile::default()));
    waits.finish().unwrap();

    let (tx, mut rx) = broadcast::channel(1);
    let mut other = tx.subscribe();
    tx.send(panics_in_drop()).unwrap();
    drop(now(rx.recv()).unwrap());
    let waits = Task::waiting(rx.recv());
    assert_boom(|| tx.send(Fragile::default()));
    waits.finish().unwrap();
    assert_eq!(other.try_recv().err(), Some(broadcast::TryRecvError::Lagged(1)));
    drop(other.try_recv().unwrap());
}

#[test]
pub(crate) fn a_destructor_that_panics_when_the_last_receiver_goes_still_tells_the_sender() {
    let (tx, rx) = broadcast::channel(2);
    let closed = Task::waiting(tx.closed());
    tx.send(panics_in_drop()).unwrap();
    tx.send(Fragile::default()).unwrap();
    assert_boom(|| drop(rx));
    closed.finish();
    assert!(tx.is_empty() && tx.receiver_count() == 0);
}

#[test]
pub(crate) fn a_key_or_a_result_that_panics_leaves_the_group_usable() {
    #[derive(Clone, Copy, PartialEq)]
    struct Key {
        hash_panics: bool,
        eq_panics: bool,
    }
    impl Eq for Key {}
    impl std::hash::Hash for Key {
        fn hash<H: std::hash::Hasher>(&self, _: &mut H) {
            assert!(!self.hash_panics, "boom: hash");
            assert!(!self.eq_panics, "boom: not compared here, but when it is hashed");
        }
    }
    let group = singleflight::Group::new();
    let key = Key { hash_panics: false, eq_panics: false };
    let waits = Task::waiting(group.run(key, std::future::pending));
    assert_boom(|| now(group.run(Key { hash_panics: true, ..key }, async || panics_in_clone())));
    assert_boom(|| group.forget(&Key { eq_panics: true, ..key }));
    drop(waits);
    // A result is cloned for each call, and the calls that come later begin anew.
    let mut first = Task::new(group.run(key, async || panics_in_clone()));
    assert_boom(|| first.poll());
    drop(first);
    drop(now(group.run(key, async || Fragile::default())));
}

/// The waker's destructor sends, when the receive that it belonged to is dropped or served.
#[test]
pub(crate) fn a_waker_that_sends_when_it_is_dropped_finds_the_channel_unlocked() {
    let _watchdog = watchdog();
    for served in [false, true] {
        let (tx, mut rx) = broadcast::channel(4);
        let (watch, _seen) = watch::channel(0);
        let times = Arc::new(AtomicUsize::new(0));
        let waker = calls_when_dropped({
            let (tx, times) = (tx.clone(), times.clone());
            move || {
                let _ = tx.send(7);
                watch.send_modify(|n| *n += 1);
                times.fetch_add(1, SeqCst);
            }
        });
        let mut recv = rx.recv();
        assert!(Pin::new(&mut recv).poll(&mut Context::from_waker(&waker)).is_pending());
        drop(waker);
        if served {
            tx.send(1).unwrap();
        }
        drop(recv);
        assert_eq!(times.load(SeqCst), 1);
    }
}

type Wait<'a> = Pin<Box<dyn Future<Output = ()> + 'a>>;

/// Each wait begins in one task, goes to a second one, and is over.
#[test]
pub(crate) fn a_wait_that_goes_to_another_task_wakes_that_one_and_forgets_the_first() {
    fn check(name: &str, mut wait: Wait<'_>, go_on: impl FnOnce()) {
        let (first, second) = (Arc::new(Wakes::default()), Arc::new(Wakes::default()));
        for wakes in [&first, &second] {
            let waker = Waker::from(wakes.clone());
            let mut cx = Context::from_waker(&waker);
            assert!(wait.as_mut().poll(&mut cx).is_pending(), "{name} does not wait");
        }
        assert_eq!(Arc::strong_count(&first), 1, "{name} keeps the first waker");
        go_on();
        assert_eq!((first.0.load(SeqCst), second.0.load(SeqCst)), (0, 1), "{name}");
        assert!(wait.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready(), "{name}");
        drop(wait);
        assert_eq!(Arc::strong_count(&second), 1, "{name} keeps the second waker");
    }
    let mutex = Mutex::new(());
    let guard = now(mutex.lock());
    check("Mutex", Box::pin(async { drop(mutex.lock().await) }), || drop(guard));
    let lock = RwLock::new(());
    let guard = now(lock.write());
    check("read", Box::pin(async { drop(lock.read().await) }), || drop(guard));
    let guard = now(lock.read());
    check("write", Box::pin(async { drop(lock.write().await) }), || drop(guard));
    let semaphore = Semaphore::new(0);
    let wait = Box::pin(async { drop(semaphore.acquire().await) });
    check("Semaphore", wait, || semaphore.add_permits(1));
    let notify = Notify::new();
    check("Notify", Box::pin(notify.notified()), || notify.notify_one());
    check("Notify, all", Box::pin(notify.notified()), || notify.notify_all());
    let (mutex, cond) = (Mutex::new(()), Cond::new());
    let guard = now(mutex.lock());
    check("Cond", Box::pin(async { drop(cond.wait(guard).await) }), || cond.notify_one());
    let barrier = Barrier::new(2);
    let wait = Box::pin(async { _ = barrier.wait().await });
    check("Barrier", wait, || _ = now(barrier.wait()));
    let cell = OnceCell::new();
    let mut maker = Task::waiting(cell.get_or_init(async || std::future::pending::<()>().await));
    assert!(maker.poll().is_pending());
    let wait = Box::pin(async { _ = cell.get_or_init(async || ()).await });
    check("OnceCell", wait, || drop(maker));
    let group = singleflight::Group::new();
    let leader = Task::waiting(group.run(1, std::future::pending::<()>));
    check("singleflight", Box::pin(group.run(1, async || ())), || drop(leader));
    let (tx, rx) = watch::channel(0);
    let mut watching = rx.clone();
    let wait = Box::pin(async move { watching.changed().await.unwrap() });
    check("watch", wait, || tx.send(1).unwrap());
    let mut watching = rx.clone();
    watching.mark_unchanged();
    let wait = Box::pin(async move { _ = watching.next().await.unwrap() });
    check("watch as Stream", wait, || tx.send(2).unwrap());
    check("watch::Sender", Box::pin(tx.closed()), || drop(rx));
    let (tx, rx) = broadcast::channel(1);
    let mut listening = tx.subscribe();
    let wait = Box::pin(async move { _ = listening.recv().await.unwrap() });
    check("broadcast", wait, || _ = tx.send(1).unwrap());
    let mut listening = tx.subscribe();
    let wait = Box::pin(async move { _ = listening.next().await.unwrap() });
    check("broadcast as Stream", wait, || _ = tx.send(1).unwrap());
    check("broadcast::Sender", Box::pin(tx.closed()), || drop(rx));
    let (tx, rx) = oneshot::channel();
    check("oneshot", Box::pin(async { rx.await.unwrap() }), || tx.send(()).unwrap());
    let (mut tx, rx) = oneshot::channel::<()>();
    check("oneshot::Sender", Box::pin(async move { tx.closed().await }), || drop(rx));
}

/// A new receiver of a channel whose senders have all gone finds the end.
#[test]
pub(crate) fn a_receiver_that_is_made_after_the_end_finds_the_end() {
    let (tx, rx) = broadcast::channel::<u32>(2);
    tx.send(1).unwrap();
    drop(tx);
    let mut late = rx.resubscribe();
    assert_eq!(now(late.recv()), Err(broadcast::RecvError::Closed));
    assert_eq!(now(late.next()), None);

    let (tx, rx) = watch::channel(1);
    tx.send(2).unwrap();
    drop(tx);
    let mut late = rx.clone();
    // It has not seen the last value.
    assert_eq!(now(late.changed()), Ok(()));
    assert!(now(late.changed()).is_err());
    // The present value counts for this one, although no other comes.
    assert_eq!(now(late.wait_for(|n| *n == 2)).as_deref(), Ok(&2));
    assert!(now(late.wait_for(|n| *n == 3)).is_err());
    assert!(late.has_changed().is_err());
}

/// Each lags by itself, and again before it has read what was kept.
#[test]
pub(crate) fn receivers_lag_each_for_itself_and_again_and_again() {
    let (tx, mut slow) = broadcast::channel(2);
    let mut quick = tx.subscribe();
    for n in 0..5 {
        tx.send(n).unwrap();
        assert_eq!(now(quick.recv()), Ok(n));
    }
    assert_eq!(now(slow.recv()), Err(broadcast::RecvError::Lagged(3)));
    for n in 5..7 {
        tx.send(n).unwrap();
    }
    assert_eq!(now(slow.recv()), Err(broadcast::RecvError::Lagged(2)));
    assert_eq!((now(slow.recv()), now(slow.recv())), (Ok(5), Ok(6)));
    assert_eq!((now(quick.recv()), now(quick.recv())), (Ok(5), Ok(6)));
    assert_eq!(slow.try_recv(), Err(broadcast::TryRecvError::Empty));
}

/// It was told by `notify_all`, before its first poll, so it leaves the kept notification to others.
#[test]
pub(crate) fn one_that_all_were_notified_with_leaves_the_kept_notification() {
    let notify = Notify::new();
    let told = notify.notified();
    notify.notify_all();
    notify.notify_one();
    now(told);
    now(notify.notified());
    Task::waiting(notify.notified());
}

#[test]
pub(crate) fn permits_of_another_semaphore_are_refused_at_the_callers_line() {
    let (one, other) = (Arc::new(Semaphore::new(2)), Arc::new(Semaphore::new(2)));
    let (mut permit, foreign) = (one.try_acquire().unwrap(), other.try_acquire().unwrap());
    let seen = panic_of(|| permit.merge(foreign)); // this line
    assert_eq!((&*seen.file, seen.line), (file!(), line!() - 1), "{}", seen.message);
    drop(permit);
    let mut permit = one.clone().try_acquire_owned().unwrap();
    let foreign = other.clone().try_acquire_owned().unwrap();
    let seen = panic_of(|| permit.merge(foreign)); // this line
    assert_eq!((&*seen.file, seen.line), (file!(), line!() - 1), "{}", seen.message);
    drop(permit);
    assert_eq!((one.available_permits(), other.available_permits()), (2, 2));
}

/// Polls that come after the result was given say so, whatever the operation, or give it again.
#[test]
pub(crate) fn a_receive_that_has_given_its_value_is_not_polled_again() {
    let (tx, mut rx) = oneshot::channel();
    tx.send(1).unwrap();
    assert_eq!(now(&mut rx), Ok(1));
    assert!(rx.try_recv().is_err());
    quiet();
    let again = catch_unwind(AssertUnwindSafe(|| Task::new(&mut rx).poll()));
    assert!(!matches!(again, Ok(Poll::Ready(Ok(_)))), "the value came twice");
}
