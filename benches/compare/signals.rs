//! Workloads of goroutines that tell each other something: one value, the latest value, every value to
//! all, or that there is something to do.

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;

use futures::task::AtomicWaker;

use crate::channel::{Gorun, Outcome, Tokio};
use crate::measured::{Measured, timed};
use crate::runtime::Runtime;

pub(crate) trait Oneshot: 'static {
    type Sender: Send;
    type Receiver: Future<Output: Outcome<usize>> + Send;

    fn open() -> (Self::Sender, Self::Receiver);

    fn send(sender: Self::Sender, value: usize);
}

pub(crate) trait Broadcast: 'static {
    type Sender: Send + Sync;
    type Receiver: Send;

    fn open(capacity: usize) -> Self::Sender;

    fn subscribe(sender: &Self::Sender) -> Self::Receiver;

    fn send(sender: &Self::Sender, value: usize);

    fn recv(receiver: &mut Self::Receiver) -> impl Future<Output: Outcome<usize>> + Send;
}

pub(crate) trait Watch: 'static {
    type Sender: Send + Sync;
    type Receiver: Send;

    fn open() -> Self::Sender;

    fn subscribe(sender: &Self::Sender) -> Self::Receiver;

    fn send(sender: &Self::Sender, value: usize);

    /// The next value that was not seen.
    fn next(receiver: &mut Self::Receiver) -> impl Future<Output = Option<usize>> + Send;
}

pub(crate) trait Notify: Default + Send + Sync + 'static {
    fn notify_one(&self);

    fn notified(&self) -> impl Future<Output = ()> + Send;
}

/// The futures are passed on as they are, where they can be.
macro_rules! of_crate {
    ($library:ident, $krate:ident) => {
        impl Oneshot for $library {
            type Sender = $krate::sync::oneshot::Sender<usize>;
            type Receiver = $krate::sync::oneshot::Receiver<usize>;

            fn open() -> (Self::Sender, Self::Receiver) {
                $krate::sync::oneshot::channel()
            }

            fn send(sender: Self::Sender, value: usize) {
                sender.send(value).unwrap();
            }
        }

        impl Broadcast for $library {
            type Sender = $krate::sync::broadcast::Sender<usize>;
            type Receiver = $krate::sync::broadcast::Receiver<usize>;

            fn open(capacity: usize) -> Self::Sender {
                $krate::sync::broadcast::channel(capacity).0
            }

            fn subscribe(sender: &Self::Sender) -> Self::Receiver {
                sender.subscribe()
            }

            fn send(sender: &Self::Sender, value: usize) {
                sender.send(value).unwrap();
            }

            fn recv(receiver: &mut Self::Receiver) -> impl Future<Output: Outcome<usize>> + Send {
                receiver.recv()
            }
        }

        impl Watch for $library {
            type Sender = $krate::sync::watch::Sender<usize>;
            type Receiver = $krate::sync::watch::Receiver<usize>;

            fn open() -> Self::Sender {
                $krate::sync::watch::channel(0).0
            }

            fn subscribe(sender: &Self::Sender) -> Self::Receiver {
                sender.subscribe()
            }

            fn send(sender: &Self::Sender, value: usize) {
                sender.send(value).unwrap();
            }

            async fn next(receiver: &mut Self::Receiver) -> Option<usize> {
                receiver.changed().await.ok()?;
                Some(*receiver.borrow_and_update())
            }
        }

        impl Notify for $krate::sync::Notify {
            fn notify_one(&self) {
                self.notify_one();
            }

            fn notified(&self) -> impl Future<Output = ()> + Send {
                self.notified()
            }
        }
    };
}

of_crate!(Gorun, gorun);
of_crate!(Tokio, tokio);

/// How many are sent before the sender waits for those who receive.
const BATCH: usize = 100;

/// One goroutine makes channels and awaits a value from each; another sends them. `n` values in all.
pub(crate) fn oneshot<R: Runtime, O: Oneshot>(workers: usize, n: usize) -> Measured {
    let took = timed::<R, _>(workers, async move {
        let mut sum = 0;
        for _ in 0..n / BATCH {
            let (senders, receivers): (Vec<_>, Vec<_>) = (0..BATCH).map(|_| O::open()).unzip();
            R::detach(async move {
                senders.into_iter().enumerate().for_each(|(value, sender)| O::send(sender, value));
            });
            for receiver in receivers {
                sum += receiver.await.value().unwrap();
            }
        }
        assert_eq!(sum, n / BATCH * (BATCH * (BATCH - 1) / 2));
    });
    Measured::per_operation(took, n / BATCH * BATCH)
}

const RECEIVERS: usize = 4;

/// Tells the sender that all receivers have come so far.
#[derive(Default)]
struct Acknowledged {
    missing: AtomicUsize,
    sender: AtomicWaker,
}

impl Acknowledged {
    /// Before the sender sends.
    fn expect(&self) {
        self.missing.store(RECEIVERS, Ordering::Release);
    }

    fn acknowledge(&self) {
        if self.missing.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.sender.wake();
        }
    }

    async fn all(&self) {
        poll_fn(|cx| {
            self.sender.register(cx.waker());
            match self.missing.load(Ordering::Acquire) {
                0 => Poll::Ready(()),
                _ => Poll::Pending,
            }
        })
        .await;
    }
}

/// Each of four goroutines gets every value, `n` in all; the sender waits for them after each hundred.
pub(crate) fn broadcast<R: Runtime, B: Broadcast>(workers: usize, n: usize) -> Measured {
    let took = timed::<R, _>(workers, async move {
        let sender = B::open(BATCH);
        let acknowledged = Arc::new(Acknowledged::default());
        let sums: Vec<_> = (0..RECEIVERS)
            .map(|_| {
                let (mut receiver, acknowledged) = (B::subscribe(&sender), acknowledged.clone());
                R::spawn(async move {
                    let mut sum = 0;
                    while let Some(value) = B::recv(&mut receiver).await.value() {
                        sum += value;
                        if (value + 1) % BATCH == 0 {
                            acknowledged.acknowledge();
                        }
                    }
                    sum
                })
            })
            .collect();
        let n = n / BATCH * BATCH;
        for first in (0..n).step_by(BATCH) {
            acknowledged.expect();
            (first..first + BATCH).for_each(|value| B::send(&sender, value));
            acknowledged.all().await;
        }
        drop(sender);
        for sum in sums {
            assert_eq!(sum.await, n * (n - 1) / 2);
        }
    });
    Measured::per_operation(took, n / BATCH * BATCH)
}

/// Each of four goroutines sees every value, `n` in all, before the sender sends the next one.
pub(crate) fn watch<R: Runtime, W: Watch>(workers: usize, n: usize) -> Measured {
    let took = timed::<R, _>(workers, async move {
        let sender = W::open();
        let acknowledged = Arc::new(Acknowledged::default());
        let watching: Vec<_> = (0..RECEIVERS)
            .map(|_| {
                let (mut receiver, acknowledged) = (W::subscribe(&sender), acknowledged.clone());
                R::spawn(async move {
                    let mut last = 0;
                    while let Some(value) = W::next(&mut receiver).await {
                        assert_eq!(value, last + 1);
                        last = value;
                        acknowledged.acknowledge();
                    }
                    last
                })
            })
            .collect();
        for value in 1..=n {
            acknowledged.expect();
            W::send(&sender, value);
            acknowledged.all().await;
        }
        drop(sender);
        for last in watching {
            assert_eq!(last.await, n);
        }
    });
    Measured::per_operation(took, n)
}

/// Two goroutines notify each other in turn, `n` times each.
pub(crate) fn notify<R: Runtime, N: Notify>(workers: usize, n: usize) -> Measured {
    let took = timed::<R, _>(workers, async move {
        let both = Arc::new((N::default(), N::default(), AtomicUsize::new(0)));
        let other = R::spawn({
            let both = both.clone();
            async move {
                let (to, back, count) = &*both;
                for _ in 0..n {
                    to.notified().await;
                    count.fetch_add(1, Ordering::Relaxed);
                    back.notify_one();
                }
            }
        });
        let (to, back, count) = &*both;
        for turn in 1..=n {
            to.notify_one();
            back.notified().await;
            assert_eq!(count.load(Ordering::Relaxed), turn);
        }
        other.await;
    });
    Measured::per_operation(took, n)
}
