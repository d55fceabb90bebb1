//! Loops over each of the crate's public futures, of which each await is ready at once.

use std::future::{Future, pending, ready};
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use futures::StreamExt;
use gorun::context::Context;
use gorun::errgroup;
use gorun::sync::singleflight::Group;
use gorun::sync::{
    Barrier, Cond, Mutex, Notify, OnceCell, RwLock, Semaphore, broadcast, oneshot, watch,
};
use gorun::time::{after, interval, now, sleep, sleep_until, timeout, timeout_at};
use gorun::{Handle, JoinSet, WaitGroup, block_on, channel, select, yield_now};

use crate::common::*;

/// Asked before each round: whether there is to be another one.
pub(crate) trait Goes: FnMut() -> bool + Send + 'static {}

impl<F: FnMut() -> bool + Send + 'static> Goes for F {}

pub(crate) type Loop = Pin<Box<dyn Future<Output = ()> + Send>>;
type Begin = fn(Box<dyn Goes>) -> Loop;

/// A loop of which no await has to wait, by the future that it awaits.
#[derive(Clone, Copy)]
pub(crate) struct Endless {
    pub(crate) name: &'static str,
    begin: Begin,
}

impl Endless {
    pub(crate) fn begin(self, goes: impl Goes) -> Loop {
        (self.begin)(Box::new(goes))
    }
}

/// Goes on as long as `$goes`, after `$before`, with `$round`.
macro_rules! endless {
    ($($name:literal: { $($before:stmt)* } $round:block)*) => {
        &[$(Endless {
            name: $name,
            begin: |mut goes| Box::pin(async move {
                $($before)*
                while goes() $round
            }),
        }),*]
    };
}

/// A runtime that has ended: each handle of its goroutines says cancelled from the start.
fn ended() -> &'static Handle {
    static ENDED: OnceLock<Handle> = OnceLock::new();
    ENDED.get_or_init(|| {
        let start = || run(1, async { Handle::current() });
        std::thread::spawn(start).join().unwrap()
    })
}

pub(crate) const ALL: &[Endless] = endless! {
    "Recv, of values": { let (tx, rx) = channel(1) } {
        tx.try_send(()).unwrap();
        rx.recv().await.unwrap();
    }
    "Recv, closed": { let (_, rx) = channel::<()>(1) } {
        assert!(rx.recv().await.is_none());
    }
    "Receiver::recv_many": { let (tx, rx) = channel(1) } {
        tx.try_send(()).unwrap();
        assert_eq!(rx.recv_many(&mut Vec::new(), 2).await, 1);
    }
    "Receiver::recv_timeout": { let (tx, rx) = channel(1) } {
        tx.try_send(()).unwrap();
        rx.recv_timeout(HOUR).await.unwrap();
    }
    "Receiver::recv_timeout, elapsed": { let (_tx, rx) = channel::<()>(1) } {
        rx.recv_timeout(Duration::ZERO).await.unwrap_err();
    }
    "Sender::send_timeout": { let (tx, rx) = channel(1) } {
        tx.send_timeout((), HOUR).await.unwrap();
        rx.try_recv().unwrap();
    }
    "Sender::send_timeout, elapsed": { let (tx, _rx) = channel(0) } {
        tx.send_timeout((), Duration::ZERO).await.unwrap_err();
    }
    "Send": { let (tx, rx) = channel(1) } {
        tx.send(()).await.unwrap();
        rx.try_recv().unwrap();
    }
    "Send, closed": { let (tx, _) = channel(1) } {
        tx.send(()).await.unwrap_err();
    }
    "SendFrom": { let (tx, rx) = channel(1) } {
        tx.send_from(&mut Some(())).await.unwrap();
        rx.try_recv().unwrap();
    }
    "Select": { let ((tx, rx), (_, closed)) = (channel(1), channel::<()>(0)) } {
        select! {
            sent = tx.send(()) => sent.unwrap(),
            received = rx.recv() => received.unwrap(),
            none = closed.recv() => assert!(none.is_none()),
        }
    }
    "Receiver as Stream": { let (tx, mut rx) = channel(1) } {
        tx.try_send(()).unwrap();
        rx.next().await.unwrap();
    }
    "Receiver as Stream, closed": { let (_, mut rx) = channel::<()>(1) } {
        assert!(rx.next().await.is_none());
    }
    "JoinHandle": { let ended = ended() } {
        assert!(ended.spawn(async {}).await.unwrap_err().is_cancelled());
    }
    "AbortOnDrop": { let ended = ended() } {
        assert!(ended.spawn(async {}).abort_on_drop().await.unwrap_err().is_cancelled());
    }
    "JoinSet as Stream": { let mut set = JoinSet::<()>::new() } {
        assert!(set.next().await.is_none());
    }
    "JoinSet::join_next": { let mut set = JoinSet::<()>::new() } {
        assert!(set.join_next().await.is_none());
    }
    "JoinSet::join_all": {} {
        assert!(JoinSet::<()>::new().join_all().await.is_empty());
    }
    "JoinSet::shutdown": { let mut set = JoinSet::<()>::new() } {
        set.shutdown().await;
    }
    "Wait": { let group = WaitGroup::new() } {
        group.wait().await;
    }
    "Sleep": { let past = now() } {
        sleep_until(past).await;
        sleep(Duration::ZERO).await;
    }
    "Timeout": {} {
        timeout(HOUR, ready(())).await.unwrap();
    }
    "Timeout, at a deadline": { let later = now() + HOUR } {
        timeout_at(later, ready(())).await.unwrap();
    }
    "Sleep, reset": { let mut again = sleep(HOUR) } {
        again.reset(now());
        (&mut again).await;
    }
    "Timeout, elapsed": {} {
        timeout(Duration::ZERO, pending::<()>()).await.unwrap_err();
    }
    "Timeout, elapsed, of a Recv": { let (_tx, rx) = channel::<()>(0) } {
        timeout(Duration::ZERO, rx.recv()).await.unwrap_err();
    }
    "Interval::tick": { let mut ticks = interval(Duration::from_nanos(1)) } {
        ticks.tick().await;
    }
    "Interval as Stream": { let mut ticks = interval(Duration::from_nanos(1)) } {
        ticks.next().await.unwrap();
    }
    "yield_now": {} {
        yield_now().await;
    }
    "Recv, of time::after": {} {
        let _: Instant = after(Duration::ZERO).recv().await.unwrap();
    }
    "Semaphore::acquire": { let one = Semaphore::new(1) } {
        drop(one.acquire().await.unwrap());
    }
    "Semaphore::acquire_many_owned": { let two = Arc::new(Semaphore::new(2)) } {
        drop(two.clone().acquire_many_owned(2).await.unwrap());
    }
    "Semaphore, closed": { let closed = Semaphore::new(1) } {
        closed.close();
        closed.acquire().await.unwrap_err();
    }
    "Mutex::lock": { let mutex = Mutex::new(0) } {
        *mutex.lock().await += 1;
    }
    "RwLock::read and write": { let lock = RwLock::new(0) } {
        *lock.write().await += 1;
        assert!(*lock.read().await > 0);
    }
    "OnceCell::get_or_init": { let cell = OnceCell::new() } {
        cell.get_or_init(async || ()).await;
    }
    "Group::run": { let group = Group::new() } {
        group.run(1, async || ()).await;
    }
    "Notified, kept": { let notify = Notify::new() } {
        notify.notify_one();
        notify.notified().await;
    }
    "Notified, all": { let notify = Notify::new() } {
        let notified = notify.notified();
        notify.notify_all();
        notified.await;
    }
    "Cond::wait": { let (mutex, cond) = (Mutex::new(()), Cond::new()) } {
        let wait = cond.wait(mutex.lock().await);
        cond.notify_all();
        drop(wait.await);
    }
    "Cond::wait_while, not at all": { let (mutex, cond) = (Mutex::new(()), Cond::new()) } {
        drop(cond.wait_while(mutex.try_lock().unwrap(), |()| false).await);
    }
    "Barrier::wait": { let barrier = Barrier::new(1) } {
        assert!(barrier.wait().await.is_leader());
    }
    "oneshot::Receiver": {} {
        let (tx, rx) = oneshot::channel();
        tx.send(()).unwrap();
        rx.await.unwrap();
    }
    "oneshot::Sender::closed": { let (mut tx, _) = oneshot::channel::<()>() } {
        tx.closed().await;
    }
    "watch::Receiver::changed": { let (tx, mut rx) = watch::channel(0) } {
        tx.send(1).unwrap();
        rx.changed().await.unwrap();
    }
    "watch::Receiver::wait_for": { let (_tx, mut rx) = watch::channel(0) } {
        rx.wait_for(|_| true).await.unwrap();
    }
    "watch::Receiver as Stream": { let (tx, mut rx) = watch::channel(0) } {
        tx.send(1).unwrap();
        rx.next().await.unwrap();
    }
    "watch::Sender::closed": { let (tx, _) = watch::channel(0) } {
        tx.closed().await;
    }
    "broadcast::Receiver::recv": { let (tx, mut rx) = broadcast::channel(1) } {
        tx.send(()).unwrap();
        rx.recv().await.unwrap();
    }
    "broadcast::Receiver::recv, lagging": { let (tx, mut rx) = broadcast::channel(1) } {
        (0..2).for_each(|n| _ = tx.send(n).unwrap());
        rx.recv().await.unwrap_err();
    }
    "broadcast::Receiver as Stream": { let (tx, mut rx) = broadcast::channel(1) } {
        tx.send(1).unwrap();
        rx.next().await.unwrap().unwrap();
    }
    "broadcast::Sender::closed": { let (tx, _) = broadcast::channel::<()>(1) } {
        tx.closed().await;
    }
    "context::Done": { let ctx = Context::background().with_cancel().0 } {
        ctx.done().await;
    }
    "context::Run": { let (ctx, _cancel) = Context::background().with_cancel() } {
        ctx.run(ready(())).await.unwrap();
    }
    "context::Run, done": { let ctx = Context::background().with_cancel().0 } {
        ctx.run(pending::<()>()).await.unwrap_err();
    }
    "errgroup::Group::go": { let group = errgroup::Group::<()>::new() } {
        group.go(async { Ok(()) }).await;
    }
    "errgroup::Group::wait": { let group = errgroup::Group::<()>::new() } {
        group.wait().await.unwrap();
    }
    "Recv, of values, in an async block": { let (tx, rx) = channel(1) } {
        tx.try_send(()).unwrap();
        async { rx.recv().await.unwrap() }.await;
    }
};

/// Rounds after which a loop that should have been interrupted never will be: hundreds of budgets.
pub(crate) const MANY: usize = 20_000;

/// Goes on for `MANY` rounds after `over` has begun to hold, and then says so.
pub(crate) fn until_long_after(
    mut over: impl FnMut() -> bool + Send + 'static,
    hopeless: impl Fn() + Send + 'static,
) -> impl Goes {
    let (mut is_over, mut rounds) = (false, 0);
    move || {
        is_over = is_over || over();
        rounds += usize::from(is_over);
        if rounds > MANY {
            hopeless();
        }
        rounds <= MANY
    }
}

/// Whether main of the current runtime has ended, so that nothing can be spawned any more.
pub(crate) fn is_closing() -> bool {
    // What can be spawned is not finished.
    let handle = gorun::spawn(std::future::pending::<()>());
    let is_closing = handle.is_finished();
    handle.abort();
    is_closing
}

/// Something that `names` collects failed; all names go into the message.
#[track_caller]
pub(crate) fn assert_none(names: &std::sync::Mutex<Vec<String>>, what: &str) {
    let mut names = names.lock().unwrap().clone();
    names.sort();
    names.dedup();
    assert!(names.is_empty(), "{what}: {names:#?}");
}

pub(crate) type Names = Arc<std::sync::Mutex<Vec<String>>>;

pub(crate) fn add(names: &Names, name: impl Into<String>) {
    names.lock().unwrap().push(name.into());
}

/// Where a future may be driven.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Place {
    Main,
    Goroutine,
    /// `block_on` inside a goroutine.
    Nested,
    /// `Handle::block_on` on a thread outside.
    Guest,
}

pub(crate) const PLACES: [Place; 4] = [Place::Main, Place::Goroutine, Place::Nested, Place::Guest];

impl Place {
    /// Drives a future there, from main.
    pub(crate) async fn drive(self, future: impl Future<Output = ()> + Send + 'static) {
        match self {
            Place::Main => future.await,
            Place::Goroutine => gorun::spawn(future).await.unwrap(),
            Place::Nested => gorun::spawn(async { block_on(future) }).await.unwrap(),
            Place::Guest => {
                let handle = Handle::current();
                let thread = std::thread::spawn(move || handle.block_on(future));
                while !thread.is_finished() {
                    sleep(Duration::from_micros(200)).await;
                }
                thread.join().unwrap();
            }
        }
    }
}
