//! Values are conserved: whatever senders, receivers, selects, foreign futures, timeouts and aborts do
//! at the same time, each value whose send said `Ok` is received exactly once, and in order where the
//! order is promised.
//!
//! `GORUN_STRESS=600s cargo test --release --test conservation -- --nocapture` goes on for that long,
//! with a new seed each time, and prints them. `GORUN_SEED` begins with that seed.

mod common;

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::task::Poll;
use std::time::{Duration, Instant};

use futures::StreamExt;
use gorun::time::{after, sleep, timeout};
use gorun::{JoinHandle, Receiver, Sender, block_on, channel, select, spawn, yield_now};

use common::*;

const WORKERS: [usize; 3] = [1, 2, 16];
const CAPACITIES: [usize; 4] = [0, 1, 2, 64];
const EACH: usize = 60;

impl Random {
    fn fork(&mut self) -> Random {
        Random(self.below(u64::MAX))
    }

    fn micros(&mut self) -> Duration {
        Duration::from_micros(self.below(300))
    }
}

/// What became of each value.
struct Fates {
    sent: Vec<AtomicBool>,
    received: Vec<AtomicBool>,
    dropped: Vec<AtomicBool>,
}

struct Value {
    fates: Arc<Fates>,
    id: usize,
}

impl Value {
    fn sender(&self) -> usize {
        self.id / EACH
    }

    fn receive(self) {
        assert!(!self.fates.received[self.id].swap(true, SeqCst), "{} received twice", self.id);
    }
}

impl Drop for Value {
    fn drop(&mut self) {
        assert!(!self.fates.dropped[self.id].swap(true, SeqCst), "{} dropped twice", self.id);
    }
}

impl Fates {
    fn new(senders: usize) -> Arc<Self> {
        let flags = || (0..senders * EACH).map(|_| AtomicBool::new(false)).collect();
        Arc::new(Fates { sent: flags(), received: flags(), dropped: flags() })
    }

    fn value(self: &Arc<Self>, id: usize) -> Value {
        Value { fates: self.clone(), id }
    }

    fn note<E>(&self, id: usize, result: Result<(), E>) {
        // The channels are open as long as there are senders.
        assert!(result.is_ok(), "{id} was not sent");
        self.sent[id].store(true, SeqCst);
    }
}

/// Ends at a random moment by itself, with a foreign future's wakers.
async fn moment(mut random: Random) {
    for _ in 0..random.below(4) {
        let mut yielded = false;
        poll_fn(|cx| {
            if std::mem::replace(&mut yielded, true) {
                return Poll::Ready(());
            }
            cx.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
    }
}

/// What may happen to a round's goroutines. Fewer things, so that an order is promised.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Promise {
    Nothing,
    /// There is one receiver, which gives up at times.
    OneReceiver,
    /// No receive is given up.
    NoneGivenUp,
}

async fn send_all(who: usize, channels: Arc<[Sender<Value>; 2]>, fates: Arc<Fates>, seed: u64) {
    let mut random = Random(seed);
    let mut kept: Option<Value> = None;
    for id in who * EACH..(who + 1) * EACH {
        // All of a sender's values go one way, so that they have an order.
        let tx = &channels[who % 2];
        match random.below(6) {
            0 => fates.note(id, tx.send(fates.value(id)).await),
            1 => {
                if let Ok(result) = timeout(random.micros(), tx.send(fates.value(id))).await {
                    fates.note(id, result);
                }
            }
            2 => select! {
                r = tx.send(fates.value(id)) => fates.note(id, r),
                () = moment(random.fork()) => {}
            },
            3 => select! {
                r = tx.send(fates.value(id)) => fates.note(id, r),
                _ = after(random.micros()).recv() => {}
            },
            4 => {
                kept = Some(fates.value(id));
                while kept.is_some() {
                    select! {
                        r = tx.send_from(&mut kept) => fates.note(id, r),
                        () = moment(random.fork()) => {}
                        default => yield_now().await,
                    }
                }
            }
            _ => match tx.try_send(fates.value(id)) {
                Ok(()) => fates.note(id, Ok::<_, ()>(())),
                Err(_) => yield_now().await,
            },
        }
    }
    drop(kept);
}

struct Inbox {
    channels: [Receiver<Value>; 2],
    /// The last of each sender.
    last: Vec<Option<usize>>,
    in_order: bool,
}

impl Inbox {
    fn take(&mut self, value: Value) {
        let last = &mut self.last[value.sender()];
        if self.in_order {
            assert!(*last < Some(value.id), "{} after {last:?}", value.id);
        }
        *last = Some(value.id);
        value.receive();
    }
}

async fn receive_all(mut inbox: Inbox, promise: Promise, seed: u64) {
    let mut random = Random(seed);
    let [one, other] = inbox.channels.clone();
    let mut open = [true; 2];
    while open.contains(&true) {
        let gives_up = promise != Promise::NoneGivenUp;
        let first = random.below(2) as usize;
        let from = [&one, &other][first];
        let (from, value) = match random.below(if gives_up { 6 } else { 2 }) {
            0 => select! {
                v = one.recv(), if open[0] => (0, v),
                v = other.recv(), if open[1] => (1, v),
            },
            1 => match from.try_recv() {
                Ok(value) => (first, Some(value)),
                Err(_) => select! {
                    v = one.recv(), if open[0] => (0, v),
                    v = other.recv(), if open[1] => (1, v),
                },
            },
            2 => match timeout(random.micros(), from.recv()).await {
                Ok(value) => (first, value),
                Err(_) => continue,
            },
            3 => select! {
                v = from.recv() => (first, v),
                () = moment(random.fork()) => continue,
            },
            4 => select! {
                v = from.recv() => (first, v),
                _ = after(random.micros()).recv() => continue,
                () = moment(random.fork()) => continue,
            },
            _ => {
                let mut stream = from.clone();
                select! {
                    v = stream.next() => (first, v),
                    () = moment(random.fork()) => continue,
                }
            }
        };
        match value {
            Some(value) => inbox.take(value),
            None => open[from] = false,
        }
    }
}

/// At random, until there is nobody left.
async fn abort_some<T>(goroutines: &[JoinHandle<T>], mut random: Random) {
    for _ in 0..goroutines.len() {
        match random.below(3) {
            0 => sleep(random.micros()).await,
            _ => yield_now().await,
        }
        goroutines[random.below(goroutines.len() as u64) as usize].abort();
    }
}

async fn round(seed: u64, capacity: usize, promise: Promise) {
    const SENDERS: usize = 8;
    let receivers = if promise == Promise::OneReceiver { 1 } else { 5 };
    let fates = Fates::new(SENDERS);
    let ((tx1, rx1), (tx2, rx2)) = (channel(capacity), channel(capacity));
    let senders = Arc::new([tx1, tx2]);
    let inbox = || Inbox {
        channels: [rx1.clone(), rx2.clone()],
        last: vec![None; SENDERS],
        in_order: promise != Promise::Nothing,
    };
    // Never aborted, so there is always somebody to receive.
    let last = spawn(receive_all(inbox(), promise, seed));
    let receiving: Vec<_> = (1..receivers)
        .map(|n| spawn(receive_all(inbox(), promise, seed.wrapping_add(n))))
        .collect();
    let sending: Vec<_> = (0..SENDERS)
        .map(|n| {
            let seed = seed.wrapping_add(100 + n as u64);
            spawn(send_all(n, senders.clone(), fates.clone(), seed))
        })
        .collect();
    drop(senders);
    // Half of the rounds keep all senders.
    if seed.is_multiple_of(2) {
        abort_some(&sending, Random(seed ^ 1)).await;
    }
    if promise == Promise::Nothing && !receiving.is_empty() {
        abort_some(&receiving, Random(seed ^ 2)).await;
    }
    for goroutine in sending.into_iter().chain(receiving) {
        if let Err(error) = goroutine.await {
            assert!(error.is_cancelled(), "{error}");
        }
    }
    last.await.unwrap();
    // What came back from receives that were given up after the last receiver had seen the end.
    let mut inbox = Inbox { in_order: false, ..inbox() };
    for rx in [&rx1, &rx2] {
        while let Ok(value) = rx.try_recv() {
            inbox.take(value);
        }
    }
    drop((inbox, rx1, rx2));
    for id in 0..SENDERS * EACH {
        let [sent, received] = [&fates.sent[id], &fates.received[id]].map(|flag| flag.load(SeqCst));
        assert!(received || !sent, "{id} was sent, and never received");
    }
    assert_eq!(Arc::strong_count(&fates), 1, "a value is left somewhere");
}

fn rounds(seed: u64) {
    for workers in WORKERS {
        for capacity in CAPACITIES {
            for promise in [Promise::Nothing, Promise::OneReceiver, Promise::NoneGivenUp] {
                let started = Instant::now();
                let seed = seed.wrapping_add((workers * 100 + capacity) as u64);
                run(workers, round(seed, capacity, promise));
                let case =
                    format!("seed {seed}, {workers} workers, capacity {capacity}, {promise:?}");
                println!("{case}: {:?}", started.elapsed());
            }
        }
    }
    // And on a thread without a runtime of its own at work.
    block_on(round(seed, 1, Promise::Nothing));
}

#[test]
fn every_value_that_was_sent_is_received_once() {
    let stress = Stress::begin(Duration::ZERO);
    for round in 0.. {
        let _watchdog = watchdog();
        let seed = stress.first_seed + round * 1000;
        println!("GORUN_SEED={seed}");
        rounds(seed);
        if stress.is_over() {
            break;
        }
    }
}
