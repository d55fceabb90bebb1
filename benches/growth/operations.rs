//! Operations beside others that wait. One worker, and nobody to step in for it, so that all happens on
//! one thread.

use std::future::{pending, poll_fn};
use std::hint::black_box;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};
use std::task::{Poll, Waker};

use gorun::{Builder, JoinSet, WaitGroup, channel, select, spawn, yield_now};

pub(crate) struct Growth {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    /// Beside so many others does it so many times.
    pub(crate) run: fn(usize, usize),
}

const fn growth(name: &'static str, run: fn(usize, usize), about: &'static str) -> Growth {
    Growth { name, about, run }
}

pub(crate) const GROWTHS: [Growth; 10] = [
    growth("send", |o, n| goroutine(send(o, n)), "to the first of many receives that wait there"),
    growth("receive", |o, n| goroutine(receive(o, n)), "with many sends that wait there"),
    growth("leave", |o, n| goroutine(leave(o, n)), "a receive joins a long line, and is dropped"),
    growth("stale", |o, n| goroutine(stale(o, n)), "a send where many decided selects stand"),
    growth(
        "selects",
        |o, n| goroutine(selects(o, n)),
        "a select! of many is served, and waits again",
    ),
    growth("woken", |o, n| goroutine(woken(o, n)), "a goroutine is woken beside many that wait"),
    growth("joined", |o, n| goroutine(joined(o, n)), "one is spawned and awaited beside many"),
    growth("done", |o, n| goroutine(done(o, n)), "a WaitGroup counts while many wait for it"),
    growth("wait", |o, n| goroutine(wait(o, n)), "one of many waits for a WaitGroup is polled"),
    growth("join_next", |o, n| goroutine(join_next(o, n)), "one of many in a JoinSet ends"),
];

fn goroutine(future: impl Future<Output = ()> + Send + 'static) {
    let builder = Builder::new().worker_threads(1).max_threads(1);
    builder.block_on(async { spawn(future).await.unwrap() }).unwrap();
}

/// What is counted lies between a call of this and one of `end`, by name. How long goroutines take to get
/// in line, and to be dropped, depends on when the threads look.
#[inline(never)]
fn begin() {
    black_box("begin");
}

#[inline(never)]
fn end() {
    black_box("end");
}

/// Spawns goroutines, and goes on when all of them wait.
async fn park<F: Future<Output = ()> + Send + 'static>(count: usize, make: impl Fn(usize) -> F) {
    let parked = Arc::new(AtomicUsize::new(0));
    for number in 0..count {
        spawn(announced(&parked, make(number))).detach();
    }
    all_wait(&parked, count).await;
}

/// With one worker, whoever has counted itself waits when another runs.
fn announced<F: Future<Output = ()> + Send + 'static>(
    parked: &Arc<AtomicUsize>,
    future: F,
) -> impl Future<Output = ()> + Send + 'static {
    let parked = parked.clone();
    async move {
        parked.fetch_add(1, Relaxed);
        future.await;
    }
}

async fn all_wait(parked: &AtomicUsize, count: usize) {
    while parked.load(Relaxed) < count {
        yield_now().await;
    }
}

async fn send(others: usize, n: usize) {
    let (sender, receiver) = channel(0);
    park(others, |_| {
        let receiver = receiver.clone();
        async move { while receiver.recv().await.is_some() {} }
    })
    .await;
    begin();
    for number in 0..n {
        sender.send(number).await.unwrap();
        // Who was served gets in line again.
        yield_now().await;
    }
    end();
}

async fn receive(others: usize, n: usize) {
    let (sender, receiver) = channel(1);
    park(others, |number| {
        let sender = sender.clone();
        async move { while sender.send(number).await.is_ok() {} }
    })
    .await;
    begin();
    for _ in 0..n {
        assert!(receiver.recv().await.is_some());
        yield_now().await;
    }
    end();
}

async fn leave(others: usize, n: usize) {
    let (_sender, receiver) = channel::<()>(0);
    park(others, |_| {
        let receiver = receiver.clone();
        async move { while receiver.recv().await.is_some() {} }
    })
    .await;
    begin();
    for _ in 0..n {
        let mut receive = pin!(receiver.recv());
        poll_fn(|cx| {
            assert!(receive.as_mut().poll(cx).is_pending());
            Poll::Ready(())
        })
        .await;
    }
    end();
}

async fn stale(others: usize, n: usize) {
    let (sender, receiver) = channel(1);
    let (own, of_others): (Vec<_>, Vec<_>) = (0..others).map(|_| channel(0)).unzip();
    park(others, |number| {
        let (own, shared) = (of_others[number].clone(), receiver.clone());
        async move {
            select! {
                _ = own.recv() => {}
                _ = shared.recv() => {}
            }
        }
    })
    .await;
    own.iter().for_each(|own| own.try_send(()).unwrap());
    // None of them runs, as nothing is awaited here. The first send takes them out of the line.
    sender.try_send(0).unwrap();
    assert_eq!(receiver.try_recv(), Ok(0));
    begin();
    for number in 0..n {
        sender.try_send(number).unwrap();
        assert_eq!(receiver.try_recv(), Ok(number));
    }
    end();
}

async fn selects(others: usize, n: usize) {
    let (senders, receivers): (Vec<_>, Vec<_>) = (0..2).map(|_| channel(0)).unzip();
    park(others, |_| {
        let receivers = receivers.clone();
        async move {
            loop {
                select! {
                    _ = receivers[0].recv() => {}
                    _ = receivers[1].recv() => {}
                }
            }
        }
    })
    .await;
    begin();
    for number in 0..n {
        senders[number % 2].send(number).await.unwrap();
        yield_now().await;
    }
    end();
}

async fn woken(others: usize, n: usize) {
    let woken = Arc::new(OnceLock::<Waker>::new());
    let waker = woken.clone();
    spawn(poll_fn(move |cx| {
        waker.get_or_init(|| cx.waker().clone());
        Poll::<()>::Pending
    }))
    .detach();
    park(others, |_| pending()).await;
    begin();
    for _ in 0..n {
        woken.get().unwrap().wake_by_ref();
        yield_now().await;
    }
    end();
}

async fn joined(others: usize, n: usize) {
    park(others, |_| pending()).await;
    begin();
    for number in 0..n {
        assert_eq!(spawn(async move { number }).await.unwrap(), number);
    }
    end();
}

async fn waits(group: &WaitGroup, others: usize) {
    group.add(1);
    park(others, |_| {
        let group = group.clone();
        async move { group.wait().await }
    })
    .await;
}

async fn done(others: usize, n: usize) {
    let group = WaitGroup::new();
    waits(&group, others).await;
    begin();
    for _ in 0..n {
        group.add(1);
        group.done();
    }
    end();
}

async fn wait(others: usize, n: usize) {
    let group = WaitGroup::new();
    waits(&group, others).await;
    let mut wait = pin!(group.wait());
    begin();
    for _ in 0..n {
        poll_fn(|cx| {
            assert!(wait.as_mut().poll(cx).is_pending());
            Poll::Ready(())
        })
        .await;
    }
    end();
}

async fn join_next(others: usize, n: usize) {
    let parked = Arc::new(AtomicUsize::new(0));
    let mut set = JoinSet::new();
    for _ in 0..others {
        set.spawn(announced(&parked, pending()));
    }
    all_wait(&parked, others).await;
    begin();
    for _ in 0..n {
        set.spawn(async {});
        set.join_next().await.unwrap().unwrap();
    }
    end();
}
