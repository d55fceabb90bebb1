//! Everything of gorun's that can be polled, as futures that own what they need, and take note of what
//! came of them.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use futures::Stream;
use gorun::context;
use gorun::sync::{Notify, OwnedPermit, Semaphore};
use gorun::time::{after, interval, sleep, tick, timeout};
use gorun::{JoinHandle, JoinSet, Receiver, Sender, WaitGroup, select};

use crate::hooks::Hook;
use crate::values::{Fate, Value};

type Boxed = Pin<Box<dyn Future<Output = ()> + Send>>;

/// One that may wait.
pub(crate) struct Operation {
    future: Boxed,
    pub(crate) hooks: [Arc<Hook>; 2],
    /// Of the values that it may send.
    fates: Vec<Arc<Fate>>,
    /// An `async` block, which cannot be polled again after a panic.
    pub(crate) is_block: bool,
    /// It is ready only if it has been woken.
    pub(crate) is_exact: bool,
    /// It becomes ready when all goroutines and wait groups are done.
    pub(crate) must_end: bool,
    /// Which hook it was polled with, and how often that had been woken, if it waits for that.
    pub(crate) waits: Option<(usize, usize)>,
}

impl Operation {
    fn new(future: impl Future<Output = ()> + Send + 'static, hooks: [Arc<Hook>; 2]) -> Self {
        Operation {
            future: Box::pin(future),
            hooks,
            fates: Vec::new(),
            is_block: false,
            is_exact: true,
            must_end: false,
            waits: None,
        }
    }

    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.future.as_mut().poll(cx)
    }

    pub(crate) fn is_woken(&self) -> bool {
        self.waits.is_some_and(|(which, times)| self.hooks[which].times_woken() != times)
    }

    /// Drops it, when the values in it may be dropped, too.
    pub(crate) fn leave(self) {
        let Operation { future, fates, .. } = self;
        Fate::leave(&fates, || drop(future));
    }
}

/// A future that borrows from its owner. They are dropped in this order.
struct Owned<F, O> {
    future: F,
    owner: O,
}

/// # Safety
///
/// The reference must not be used after what it refers to.
unsafe fn forever<T>(owner: &Arc<T>) -> &'static T {
    // SAFETY: an `Arc`'s value stays where it is; and see above.
    unsafe { &*Arc::as_ptr(owner) }
}

impl<F: Future + Unpin, O: Unpin> Future for Owned<F, O> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let _ = &self.owner;
        Pin::new(&mut self.future).poll(cx)
    }
}

/// Memory that is lent to a future, and dropped after it.
struct Lent<T>(*mut T);

// SAFETY: it owns what it points at.
unsafe impl<T: Send> Send for Lent<T> {}

impl<T> Lent<T> {
    fn new(value: T) -> Self {
        Lent(Box::into_raw(Box::new(value)))
    }

    /// # Safety
    ///
    /// There must be no other such reference, and it must be gone before this is.
    unsafe fn lend(&self) -> &'static mut T {
        // SAFETY: it comes from a box; and see above.
        unsafe { &mut *self.0 }
    }
}

impl<T> Drop for Lent<T> {
    fn drop(&mut self) {
        // SAFETY: it comes from a box, and nobody has a reference to it any more.
        drop(unsafe { Box::from_raw(self.0) });
    }
}

fn received(value: Option<Value>) {
    value.into_iter().for_each(Value::receive);
}

pub(crate) fn receive(rx: Arc<Receiver<Value>>, hooks: [Arc<Hook>; 2]) -> Operation {
    // SAFETY: `Owned` drops it first.
    let future = unsafe { forever(&rx) }.recv();
    let mut recv = Owned { future, owner: rx };
    Operation::new(poll_fn(move |cx| Pin::new(&mut recv).poll(cx).map(received)), hooks)
}

/// A few values. (Each waker may send one, so that there is no end to them.)
pub(crate) fn stream(mut rx: Receiver<Value>, hooks: [Arc<Hook>; 2]) -> Operation {
    let mut left = 3;
    let next = move |cx: &mut Context<'_>| {
        while left > 0 {
            match Pin::new(&mut rx).poll_next(cx) {
                Poll::Ready(None) => break,
                Poll::Ready(value) => received(value),
                Poll::Pending => return Poll::Pending,
            }
            left -= 1;
        }
        Poll::Ready(())
    };
    Operation::new(poll_fn(next), hooks)
}

/// As many as there are.
pub(crate) fn receive_many(rx: Arc<Receiver<Value>>, hooks: [Arc<Hook>; 2]) -> Operation {
    let block = async move {
        let mut values = Vec::new();
        rx.recv_many(&mut values, 3).await;
        values.into_iter().for_each(Value::receive);
    };
    Operation { is_block: true, ..Operation::new(block, hooks) }
}

/// With a limit that may pass.
pub(crate) fn send_in_time(
    tx: Arc<Sender<Value>>,
    value: Value,
    limit: Duration,
    hooks: [Arc<Hook>; 2],
) -> Operation {
    let (fate, sent) = (value.fate(), value.fate());
    let must_end = limit < Duration::from_secs(1);
    let block = async move {
        match tx.send_timeout(value, limit).await {
            Ok(()) => sent.sent(),
            Err(error) => error.into_inner().come_back(),
        }
    };
    let operation = Operation::new(block, hooks);
    Operation { fates: vec![fate], is_block: true, is_exact: false, must_end, ..operation }
}

pub(crate) fn send(tx: Arc<Sender<Value>>, value: Value, hooks: [Arc<Hook>; 2]) -> Operation {
    let fate = value.fate();
    // SAFETY: `Owned` drops it first.
    let future = unsafe { forever(&tx) }.send(value);
    let (mut send, sent) = (Owned { future, owner: tx }, fate.clone());
    let future = poll_fn(move |cx| {
        Pin::new(&mut send).poll(cx).map(|result| match result {
            Ok(()) => sent.sent(),
            Err(error) => error.0.come_back(),
        })
    });
    Operation { fates: vec![fate], ..Operation::new(future, hooks) }
}

pub(crate) fn send_from(tx: Arc<Sender<Value>>, value: Value, hooks: [Arc<Hook>; 2]) -> Operation {
    let (fate, memory) = (value.fate(), Lent::new(Some(value)));
    // SAFETY: `Owned` drops the future first, and nobody else uses the memory before.
    let lent = unsafe { memory.lend() };
    // SAFETY: likewise.
    let future = unsafe { forever(&tx) }.send_from(lent);
    let mut send = Owned { future, owner: (tx, memory) };
    let sent = fate.clone();
    let future = poll_fn(move |cx| {
        Pin::new(&mut send).poll(cx).map(|result| {
            if result.is_ok() {
                sent.sent();
            }
        })
    });
    Operation { fates: vec![fate], ..Operation::new(future, hooks) }
}

/// Between a receive and a send.
pub(crate) fn select(
    rx: Arc<Receiver<Value>>,
    tx: Arc<Sender<Value>>,
    value: Value,
    hooks: [Arc<Hook>; 2],
) -> Operation {
    let (fate, memory) = (value.fate(), Lent::new(Some(value)));
    // SAFETY: `Owned` drops it first, and nobody else uses it before.
    let lent = unsafe { memory.lend() };
    let sent = fate.clone();
    let block = async move {
        select! {
            value = rx.recv() => received(value),
            result = tx.send_from(lent) => {
                if result.is_ok() {
                    sent.sent();
                }
            }
        }
    };
    let owned = Owned { future: Box::pin(block), owner: memory };
    Operation { fates: vec![fate], is_block: true, ..Operation::new(owned, hooks) }
}

pub(crate) fn wait(group: Arc<WaitGroup>, hooks: [Arc<Hook>; 2]) -> Operation {
    // SAFETY: `Owned` drops it first.
    let future = unsafe { forever(&group) }.wait();
    let wait = Owned { future, owner: group };
    Operation { must_end: true, ..Operation::new(wait, hooks) }
}

/// Permits, which are `kept` when they have been acquired.
pub(crate) fn acquire(
    semaphore: Arc<Semaphore>,
    kept: Arc<Mutex<Vec<OwnedPermit>>>,
    count: usize,
    hooks: [Arc<Hook>; 2],
) -> Operation {
    let mut acquire = semaphore.acquire_many_owned(count);
    let acquired = poll_fn(move |cx| {
        Pin::new(&mut acquire).poll(cx).map(|permit| kept.lock().unwrap().push(permit.unwrap()))
    });
    Operation::new(acquired, hooks)
}

/// A notification.
pub(crate) fn notified(notify: Arc<Notify>, hooks: [Arc<Hook>; 2]) -> Operation {
    // SAFETY: `Owned` drops it first.
    let future = unsafe { forever(&notify) }.notified();
    Operation::new(Owned { future, owner: notify }, hooks)
}

/// The end of a context.
pub(crate) fn done(ctx: Arc<context::Context>, hooks: [Arc<Hook>; 2]) -> Operation {
    // SAFETY: `Owned` drops it first.
    let mut done = Owned { future: unsafe { forever(&ctx) }.done(), owner: ctx };
    Operation::new(poll_fn(move |cx| Pin::new(&mut done).poll(cx).map(drop)), hooks)
}

/// A receive, until the end of a context.
pub(crate) fn run(
    ctx: Arc<context::Context>,
    rx: Arc<Receiver<Value>>,
    hooks: [Arc<Hook>; 2],
) -> Operation {
    // SAFETY: `Owned` drops it first.
    let recv = unsafe { forever(&rx) }.recv();
    // SAFETY: likewise.
    let future = unsafe { forever(&ctx) }.run(recv);
    let mut run = Owned { future, owner: (ctx, rx) };
    let future = poll_fn(move |cx| {
        Pin::new(&mut run).poll(cx).map(|result| received(result.ok().flatten()))
    });
    Operation::new(future, hooks)
}

/// Awaits a goroutine. It is ready a moment before it wakes.
pub(crate) fn join(mut handle: JoinHandle<u32>, hooks: [Arc<Hook>; 2]) -> Operation {
    let joined = poll_fn(move |cx| {
        Pin::new(&mut handle).poll(cx).map(|result| assert_eq!(result.unwrap(), 7))
    });
    Operation { must_end: true, is_exact: false, ..Operation::new(joined, hooks) }
}

/// Awaits all of a set, whatever becomes of a `join_next`.
pub(crate) fn join_all(set: JoinSet<u32>, hooks: [Arc<Hook>; 2]) -> Operation {
    type Next = Pin<Box<dyn Future<Output = Option<u32>> + Send>>;
    struct All {
        next: Option<Next>,
        left: usize,
        set: Lent<JoinSet<u32>>,
    }
    let mut all = All { next: None, left: set.len(), set: Lent::new(set) };
    let future = poll_fn(move |cx| {
        let all = &mut all;
        loop {
            // One that panics is gone.
            let mut next = all.next.take().unwrap_or_else(|| {
                // SAFETY: the former one is gone, and this one is dropped before the set.
                let set = unsafe { all.set.lend() };
                Box::pin(async { set.join_next().await.map(Result::unwrap) })
            });
            match next.as_mut().poll(cx) {
                Poll::Ready(Some(number)) => {
                    assert_eq!(number, 7);
                    all.left -= 1;
                }
                Poll::Ready(None) => {
                    assert_eq!(all.left, 0, "results are lost");
                    return Poll::Ready(());
                }
                Poll::Pending => {
                    all.next = Some(next);
                    return Poll::Pending;
                }
            }
        }
    });
    Operation { must_end: true, is_exact: false, ..Operation::new(future, hooks) }
}

/// The same as a stream.
pub(crate) fn join_stream(mut set: JoinSet<u32>, hooks: [Arc<Hook>; 2]) -> Operation {
    let mut left = set.len();
    let joined = poll_fn(move |cx| {
        loop {
            match Pin::new(&mut set).poll_next(cx) {
                Poll::Ready(Some(number)) => {
                    assert_eq!(number.unwrap(), 7);
                    left -= 1;
                }
                Poll::Ready(None) => {
                    assert_eq!(left, 0, "results are lost");
                    return Poll::Ready(());
                }
                Poll::Pending => return Poll::Pending,
            }
        }
    });
    Operation { must_end: true, is_exact: false, ..Operation::new(joined, hooks) }
}

/// How one waits for a time.
#[derive(Clone, Copy)]
pub(crate) enum Clock {
    Sleep,
    Timeout,
    Interval,
    Ticks,
    After,
    Tick,
    Receive,
}

pub(crate) const CLOCKS: [Clock; 7] = [
    Clock::Sleep,
    Clock::Timeout,
    Clock::Interval,
    Clock::Ticks,
    Clock::After,
    Clock::Tick,
    Clock::Receive,
];

pub(crate) fn time(
    clock: Clock,
    limit: Duration,
    rx: Arc<Receiver<Value>>,
    hooks: [Arc<Hook>; 2],
) -> Operation {
    let must_end = limit < Duration::from_secs(1);
    let operation = match clock {
        Clock::Sleep => Operation::new(sleep(limit), hooks),
        Clock::Timeout => {
            // SAFETY: `Owned` drops it first.
            let future = Box::pin(timeout(limit, unsafe { forever(&rx) }.recv()));
            let mut owned = Owned { future, owner: rx };
            let future = poll_fn(move |cx| {
                Pin::new(&mut owned).poll(cx).map(|result| received(result.ok().flatten()))
            });
            Operation::new(future, hooks)
        }
        Clock::Interval => {
            let mut interval = interval(limit);
            let block = async move {
                interval.tick().await;
                interval.tick().await;
            };
            Operation { is_block: true, ..Operation::new(block, hooks) }
        }
        Clock::Ticks => {
            let (mut interval, mut left) = (interval(limit), 2);
            let ticks = poll_fn(move |cx| {
                while left > 0 {
                    match Pin::new(&mut interval).poll_next(cx) {
                        Poll::Ready(tick) => assert!(tick.is_some(), "an interval has ended"),
                        Poll::Pending => return Poll::Pending,
                    }
                    left -= 1;
                }
                Poll::Ready(())
            });
            Operation::new(ticks, hooks)
        }
        Clock::Receive => {
            let block = async move { received(rx.recv_timeout(limit).await.ok()) };
            Operation { is_block: true, ..Operation::new(block, hooks) }
        }
        Clock::After => {
            let rx = Arc::new(after(limit));
            Operation::new(channel_of_time(rx, 1), hooks)
        }
        Clock::Tick => {
            let rx = Arc::new(tick(limit));
            Operation::new(channel_of_time(rx, 2), hooks)
        }
    };
    Operation { must_end, is_exact: false, ..operation }
}

/// So many times, which must not end before.
fn channel_of_time(
    rx: Arc<Receiver<std::time::Instant>>,
    times: usize,
) -> impl Future<Output = ()> + Send {
    let mut left = times;
    // SAFETY: `Owned` drops it first.
    let future = unsafe { forever(&rx) }.recv();
    let mut owned = Owned { future, owner: rx };
    poll_fn(move |cx| {
        let owned = &mut owned;
        loop {
            match Pin::new(&mut *owned).poll(cx) {
                Poll::Ready(time) => assert!(time.is_some(), "an alarm has ended by itself"),
                Poll::Pending => return Poll::Pending,
            }
            left -= 1;
            if left == 0 {
                return Poll::Ready(());
            }
            // SAFETY: see above.
            owned.future = unsafe { forever(&owned.owner) }.recv();
        }
    })
}
