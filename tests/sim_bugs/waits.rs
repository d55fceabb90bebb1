//! Whoever looks first and waits then may miss what happens in between.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::task::{Poll, Waker};

use gorun::context::Context;
use gorun::sync::{Cond, Mutex, Notify};
use gorun::{Sender, WaitGroup, channel, go, select};

/// Made by hand: many wait until it is opened, once and for all.
#[derive(Default)]
struct Latch {
    is_open: AtomicBool,
    waiting: Mutex<Vec<Waker>>,
}

impl Latch {
    async fn wait(&self, planted: bool) {
        if self.is_open.load(SeqCst) {
            return;
        }
        let mut waiting = Some(self.waiting.lock().await);
        poll_fn(|cx| {
            let fresh = waiting.take();
            if self.is_open.load(SeqCst) && !(planted && fresh.is_some()) {
                return Poll::Ready(());
            }
            fresh.into_iter().for_each(|mut waiting| waiting.push(cx.waker().clone()));
            Poll::Pending
        })
        .await;
    }

    async fn open(&self) {
        self.is_open.store(true, SeqCst);
        self.waiting.lock().await.drain(..).for_each(Waker::wake);
    }
}

pub(crate) async fn lost_wake(planted: bool) {
    let latch = Arc::new(Latch::default());
    let all = WaitGroup::new();
    let (ready, all_ready) = channel(2);
    for _ in 0..2 {
        let (latch, ready) = (latch.clone(), ready.clone());
        all.go(async move {
            ready.send(()).await.expect("somebody opens the latch");
            latch.wait(planted).await;
        });
    }
    all.go(async move {
        for _ in 0..2 {
            all_ready.recv().await;
        }
        latch.open().await;
    });
    all.wait().await;
}

struct Jobs {
    queue: Mutex<VecDeque<u32>>,
    added: Notify,
    done: Sender<u32>,
}

async fn work(context: Context, jobs: Arc<Jobs>, planted: bool) {
    while !context.is_done() {
        let job = jobs.queue.lock().await.pop_front();
        match job {
            Some(job) => jobs.done.send(job).await.expect("main counts them"),
            None if planted => jobs.added.notified().await,
            None => select! {
                _ = jobs.added.notified() => {}
                _ = context.done() => {}
            },
        }
    }
}

pub(crate) async fn missed_cancellation(planted: bool) {
    let (done, finished) = channel(4);
    let jobs = Arc::new(Jobs { queue: Mutex::default(), added: Notify::new(), done });
    let (context, cancel) = Context::background().with_cancel();
    let workers = WaitGroup::new();
    for _ in 0..2 {
        workers.go(work(context.clone(), jobs.clone(), planted));
    }
    workers.go(async move {
        for job in 0..3 {
            jobs.queue.lock().await.push_back(job);
            jobs.added.notify_one();
        }
        for _ in 0..3 {
            finished.recv().await;
        }
        cancel.cancel();
        jobs.added.notify_all();
    });
    workers.wait().await;
}

#[derive(Default)]
struct Queue {
    items: Mutex<VecDeque<u32>>,
    added: Cond,
}

impl Queue {
    async fn push(&self, item: u32) {
        self.items.lock().await.push_back(item);
        self.added.notify_one();
    }

    async fn pop(&self, planted: bool) -> u32 {
        let mut items = self.items.lock().await;
        if planted {
            if items.is_empty() {
                items = self.added.wait(items).await;
            }
        } else {
            while items.is_empty() {
                items = self.added.wait(items).await;
            }
        }
        items.pop_front().expect("it was woken for an item")
    }
}

pub(crate) async fn condition_asked_once(planted: bool) {
    let queue = Arc::new(Queue::default());
    let consumers = WaitGroup::new();
    for _ in 0..2 {
        let queue = queue.clone();
        consumers.go(async move {
            queue.pop(planted).await;
            queue.pop(planted).await;
        });
    }
    go!(async move {
        for item in 0..4 {
            queue.push(item).await;
        }
    });
    consumers.wait().await;
}
