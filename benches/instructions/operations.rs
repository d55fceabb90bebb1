//! The operations whose instructions are counted. One worker, and nobody to step in for it, so that
//! all happens on one thread.

use std::future::{pending, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::sync::OnceLock;
use std::task::{Poll, Waker};
use std::time::Duration;

use gorun::time::sleep;
use gorun::{Builder, channel, select, spawn, yield_now};

pub(crate) struct Operation {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    /// Does it so many times.
    pub(crate) run: fn(usize),
    /// How often it is done to be counted. Starting a runtime takes so much longer than all others.
    pub(crate) times: usize,
    /// By how many percent the count may differ from what is recorded.
    pub(crate) tolerance: f64,
}

/// The tolerance is for the compiler: code that has nothing to do with an operation decides what it
/// inlines there. Two builds that differed in comments alone counted 669 and 677 for `wake`, 368 and
/// 376 for `yield`.
const fn operation(name: &'static str, run: fn(usize), about: &'static str) -> Operation {
    Operation { name, about, run, times: 20_000, tolerance: 3.0 }
}

pub(crate) const OPERATIONS: [Operation; 11] = [
    operation("spawn", |n| goroutine(detach(n)), "a goroutine is spawned, runs and ends"),
    operation("join", |n| goroutine(join(n)), "likewise, and is awaited"),
    operation(
        "wake",
        |n| goroutine(wake(n)),
        "a goroutine is woken and polled; a yield is part of it",
    ),
    operation("yield", |n| goroutine(yielding(n)), "a goroutine yields"),
    operation("buffered", |n| goroutine(buffered(n)), "a value is sent into a buffer and received"),
    operation("ping-1", |n| goroutine(ping(n, 1)), "a round trip over two channels of 1"),
    // 1,276 to 1,345 in builds of nearly the same code.
    Operation {
        tolerance: 5.0,
        ..operation(
            "ping-0",
            |n| goroutine(ping(n, 0)),
            "a round trip over two rendezvous channels",
        )
    },
    operation(
        "select",
        |n| goroutine(select_ready(n)),
        "a value is sent, and a select! of two takes it",
    ),
    operation(
        "select-wait",
        |n| goroutine(select_wait(n)),
        "likewise, and the select! has to wait",
    ),
    operation("sleep", |n| goroutine(cancelled_sleep(n)), "a timer is set and removed"),
    Operation {
        times: 500,
        // Main waits for threads, and how often it looks depends on what else the machine does.
        tolerance: 15.0,
        ..operation("block_on", empty_mains, "a runtime starts and ends: main's thread alone")
    },
];

fn builder() -> Builder {
    Builder::new().worker_threads(1).max_threads(1)
}

fn goroutine(future: impl Future<Output = ()> + Send + 'static) {
    builder().block_on(async { spawn(future).await.unwrap() }).unwrap();
}

/// As many as fit a run queue.
const BATCH: usize = 100;

async fn detach(n: usize) {
    for _ in 0..n / BATCH {
        for _ in 0..BATCH {
            spawn(async {}).detach();
        }
        // They run before this goroutine does again.
        yield_now().await;
    }
}

async fn join(n: usize) {
    for number in 0..n {
        assert_eq!(spawn(async move { number }).await.unwrap(), number);
    }
}

async fn wake(n: usize) {
    let woken = Arc::new(OnceLock::<Waker>::new());
    let waker = woken.clone();
    spawn(poll_fn(move |cx| {
        waker.get_or_init(|| cx.waker().clone());
        Poll::<()>::Pending
    }))
    .detach();
    yield_now().await;
    for _ in 0..n {
        woken.get().unwrap().wake_by_ref();
        yield_now().await;
    }
}

async fn yielding(n: usize) {
    for _ in 0..n {
        yield_now().await;
    }
}

async fn buffered(n: usize) {
    let (sender, receiver) = channel(128);
    for number in 0..n {
        sender.send(number).await.unwrap();
        assert_eq!(receiver.recv().await, Some(number));
    }
}

async fn ping(n: usize, capacity: usize) {
    let (to, from_here) = channel(capacity);
    let (back, from_there) = channel(capacity);
    spawn(async move {
        while let Some(value) = from_here.recv().await {
            back.send(value).await.unwrap();
        }
    })
    .detach();
    for number in 0..n {
        to.send(number).await.unwrap();
        assert_eq!(from_there.recv().await, Some(number));
    }
}

async fn select_ready(n: usize) {
    let (channels, receivers): (Vec<_>, Vec<_>) = (0..2).map(|_| channel(1)).unzip();
    for number in 0..n {
        channels[number % 2].send(number).await.unwrap();
        select! {
            value = receivers[0].recv() => assert_eq!(value, Some(number)),
            value = receivers[1].recv() => assert_eq!(value, Some(number)),
        }
    }
}

async fn select_wait(n: usize) {
    let (channels, receivers): (Vec<_>, Vec<_>) = (0..2).map(|_| channel(0)).unzip();
    spawn(async move {
        for number in 0..n {
            channels[number % 2].send(number).await.unwrap();
        }
        pending::<()>().await;
    })
    .detach();
    for number in 0..n {
        select! {
            value = receivers[0].recv() => assert_eq!(value, Some(number)),
            value = receivers[1].recv() => assert_eq!(value, Some(number)),
        }
    }
}

async fn cancelled_sleep(n: usize) {
    for _ in 0..n {
        let mut sleep = pin!(sleep(Duration::from_secs(3600)));
        poll_fn(|cx| {
            assert!(sleep.as_mut().poll(cx).is_pending());
            Poll::Ready(())
        })
        .await;
    }
}

fn empty_mains(n: usize) {
    for _ in 0..n {
        builder().block_on(async {}).unwrap();
    }
}
