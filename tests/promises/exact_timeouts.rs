//! `timeout` around operations on channels is exact: `Err(Elapsed)` means that it did not happen. So what
//! was reported as sent is what arrives, no less and no more.
//!
//! `GORUN_STRESS=600s cargo test --release --test promises exact -- --nocapture` goes on for that long,
//! with a new seed each time, and prints them. `GORUN_SEED` begins with that seed.

use std::cell::Cell;
use std::future::{pending, poll_fn};
use std::mem::replace;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::task::Poll;
use std::time::Duration;

use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use gorun::time::{sleep, timeout};
use gorun::{Receiver, Sender, channel, select, spawn, yield_now};

use super::scaled;
use crate::common::*;

const WORKERS: [usize; 3] = [1, 2, 8];
const CAPACITIES: [usize; 3] = [0, 1, 8];
const SENDERS: usize = 6;
const EACH: usize = scaled(600, 150);

impl Random {
    /// Often about as long as the other side takes.
    fn limit(&mut self) -> Duration {
        match self.below(4) {
            0 => Duration::ZERO,
            1 => Duration::from_micros(self.below(5)),
            2 => Duration::from_micros(self.below(60)),
            _ => Duration::from_micros(self.below(300)),
        }
    }
}

/// What senders were told of each value, and what has arrived.
struct Books {
    sent: Vec<AtomicBool>,
    arrived: Vec<AtomicBool>,
    elapsed: AtomicUsize,
}

impl Books {
    fn new() -> Arc<Books> {
        let flags = || (0..SENDERS * EACH).map(|_| AtomicBool::new(false)).collect();
        Arc::new(Books { sent: flags(), arrived: flags(), elapsed: AtomicUsize::new(0) })
    }

    fn sent(&self, id: usize) {
        assert!(!self.sent[id].swap(true, SeqCst), "{id} sent twice");
    }

    fn arrived(&self, id: usize) {
        assert!(!self.arrived[id].swap(true, SeqCst), "{id} arrived twice");
    }

    fn elapsed(&self) {
        self.elapsed.fetch_add(1, SeqCst);
    }

    #[track_caller]
    fn compare(&self, case: &str) {
        let mut wrong = Vec::new();
        for (id, (sent, arrived)) in self.sent.iter().zip(&self.arrived).enumerate() {
            match (sent.load(SeqCst), arrived.load(SeqCst)) {
                (true, false) => wrong.push(format!("{id} was sent and has not arrived")),
                (false, true) => wrong.push(format!("{id} has elapsed and arrived")),
                _ => {}
            }
        }
        let (count, of) = (wrong.len(), self.elapsed.load(SeqCst));
        wrong.truncate(5);
        assert!(count == 0, "{case}: {count} wrong, {of} elapsed: {wrong:?}");
    }
}

/// A value is sent until somebody says that it was.
async fn send_all(who: usize, channels: Arc<[Sender<usize>; 2]>, books: Arc<Books>, seed: u64) {
    let mut random = Random(seed);
    let [one, other] = &*channels;
    for id in who * EACH..(who + 1) * EACH {
        let tx = &channels[random.below(2) as usize];
        loop {
            let limit = random.limit();
            let sent = match random.below(6) {
                0 => timeout(limit, tx.send(id)).await.map(Result::unwrap),
                1 => timeout(limit, timeout(HOUR, tx.send(id))).await.map(|sent| {
                    sent.unwrap().unwrap();
                }),
                2 => timeout(HOUR, timeout(limit, tx.send(id))).await.unwrap().map(Result::unwrap),
                3 => {
                    let mut value = Some(id);
                    let sent = timeout(limit, tx.send_from(&mut value)).await.map(Result::unwrap);
                    // What has not been sent is still there.
                    assert_eq!(value.is_none(), sent.is_ok(), "{id}");
                    sent
                }
                4 => {
                    let select = async {
                        select! {
                            sent = one.send(id) => sent.unwrap(),
                            sent = other.send(id) => sent.unwrap(),
                        }
                    };
                    timeout(limit, select).await
                }
                _ => {
                    let mut value = Some(id);
                    let select = async {
                        select! {
                            sent = one.send_from(&mut value) => sent.unwrap(),
                            () = std::future::pending() => {}
                        }
                    };
                    let sent = timeout(limit, select).await;
                    assert_eq!(value.is_none(), sent.is_ok(), "{id}");
                    sent
                }
            };
            match sent {
                Ok(()) => {
                    books.sent(id);
                    break;
                }
                Err(_) => {
                    books.elapsed();
                    // One in a few is given up, and must never arrive.
                    if random.below(4) == 0 {
                        break;
                    }
                    yield_now().await;
                }
            }
        }
    }
}

async fn receive_all(channels: [Receiver<usize>; 2], books: Arc<Books>, seed: u64) {
    let mut random = Random(seed);
    let [one, other] = channels.clone();
    let mut streams = channels;
    let mut open = [true; 2];
    while open.contains(&true) {
        let mut first = random.below(2) as usize;
        if !open[first] {
            first = 1 - first;
        }
        let from = [&one, &other][first];
        let limit = random.limit();
        let received = match random.below(5) {
            0 => timeout(limit, from.recv()).await.map(|value| (first, value)),
            1 => timeout(limit, timeout(HOUR, from.recv()))
                .await
                .map(|value| (first, value.unwrap())),
            2 => timeout(limit, streams[first].next()).await.map(|value| (first, value)),
            3 => {
                let select = async {
                    select! {
                        value = one.recv(), if open[0] => (0, value),
                        value = other.recv(), if open[1] => (1, value),
                    }
                };
                timeout(limit, select).await
            }
            _ => Ok((first, from.recv().await)),
        };
        match received {
            Ok((_, Some(id))) => books.arrived(id),
            Ok((from, None)) => open[from] = false,
            Err(_) => {
                books.elapsed();
                if random.below(3) == 0 {
                    sleep(Duration::from_micros(random.below(100))).await;
                }
            }
        }
    }
}

async fn round(seed: u64, capacity: usize, receivers: usize, case: &str) {
    let books = Books::new();
    let ((tx1, rx1), (tx2, rx2)) = (channel(capacity), channel(capacity));
    let senders = Arc::new([tx1, tx2]);
    let receiving: Vec<_> = (0..receivers)
        .map(|n| {
            let channels = [rx1.clone(), rx2.clone()];
            spawn(receive_all(channels, books.clone(), seed.wrapping_add(n as u64)))
        })
        .collect();
    let sending: Vec<_> = (0..SENDERS)
        .map(|n| {
            let seed = seed.wrapping_add(100 + n as u64);
            spawn(send_all(n, senders.clone(), books.clone(), seed))
        })
        .collect();
    drop(senders);
    for goroutine in sending.into_iter().chain(receiving) {
        goroutine.await.unwrap();
    }
    // What came back from a receive after the others had seen the end.
    for rx in [rx1, rx2] {
        while let Ok(id) = rx.try_recv() {
            books.arrived(id);
        }
    }
    books.compare(case);
}

#[test]
fn a_send_that_has_elapsed_arrives() {
    let stress = Stress::begin(Duration::from_secs(2));
    for number in 0.. {
        let _watchdog = watchdog();
        let seed = stress.first_seed.wrapping_add(number * 1000);
        println!("GORUN_SEED={seed}");
        for workers in WORKERS {
            for capacity in CAPACITIES {
                for receivers in [1, 4] {
                    let case = format!(
                        "GORUN_SEED={seed}, {workers} workers, capacity {capacity}, {receivers} \
                         receivers"
                    );
                    run(workers, round(seed, capacity, receivers, &case));
                }
            }
        }
        if stress.is_over() {
            break;
        }
    }
}

/// Without room a value is in the channel only if a receive was committed to it and given up, or if nobody
/// asks any more.
#[test]
fn a_receive_that_has_elapsed_has_taken_a_value() {
    const VALUES: usize = scaled(5000, 400);
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            let (tx, rx) = channel(0);
            let sender = spawn(async move {
                let mut random = Random(3);
                for n in 0..VALUES {
                    match random.below(2) {
                        0 => yield_now().await,
                        _ => sleep(Duration::from_micros(random.below(120))).await,
                    }
                    tx.send(n).await.unwrap();
                }
            });
            let receiver = spawn(async move {
                let (mut random, mut rx) = (Random(4), rx);
                let mut next = 0;
                loop {
                    let received = match random.below(3) {
                        0 => timeout(random.limit(), rx.recv()).await,
                        1 => timeout(random.limit(), rx.next()).await,
                        _ => {
                            let select = async {
                                select! {
                                    value = rx.recv() => value,
                                    () = pending() => None,
                                }
                            };
                            timeout(random.limit(), select).await
                        }
                    };
                    match received {
                        Ok(Some(n)) => {
                            assert_eq!(n, next);
                            next += 1;
                        }
                        Ok(None) => break,
                        Err(_) => assert_eq!(rx.len(), 0, "it has elapsed, and has taken {next}"),
                    }
                }
                assert_eq!(next, VALUES);
            });
            sender.await.unwrap();
            receiver.await.unwrap();
        });
    }
}

/// Sends a value, and says whether that was done.
type Way = for<'a> fn(&'a Sender<usize>, usize) -> BoxFuture<'a, bool>;

const WAYS: &[(&str, Way)] = &[
    ("send", |tx, n| Box::pin(async move { tx.send(n).await.is_ok() })),
    ("send_from", |tx, n| Box::pin(async move { tx.send_from(&mut Some(n)).await.is_ok() })),
    ("select", |tx, n| {
        Box::pin(async move {
            let (_open, never) = channel::<()>(0);
            select! {
                sent = tx.send(n) => sent.is_ok(),
                _ = never.recv() => false,
            }
        })
    }),
    ("select, beside another future", |tx, n| {
        Box::pin(async move {
            select! {
                sent = tx.send(n) => sent.is_ok(),
                () = pending() => false,
            }
        })
    }),
    ("inside a select of other futures", |tx, n| {
        Box::pin(async move {
            select! {
                sent = async { tx.send(n).await } => sent.is_ok(),
                () = pending() => false,
            }
        })
    }),
    ("inside another limit", |tx, n| {
        Box::pin(async move { timeout(HOUR, tx.send(n)).await.is_ok_and(|sent| sent.is_ok()) })
    }),
];

/// So many sends, and a neighbour that is always ready, have one limit. At one of the polls, perhaps the last,
/// all that are in the wait queue are received. Returns how many that were, and how many were reported.
async fn send_beside_a_pump(
    way: Way,
    count: usize,
    in_a_set: bool,
    received_at: usize,
) -> (usize, usize) {
    // With a full budget.
    yield_now().await;
    let (tx, rx) = channel(0);
    let (pump_tx, pump_rx) = channel(1);
    let (arrived, reported) = (Cell::new(0), Cell::new(0));
    let mut polls = 0;
    let receives = poll_fn(|_| {
        polls += 1;
        while polls == received_at && rx.try_recv().is_ok() {
            arrived.set(arrived.get() + 1);
        }
        Poll::<()>::Pending
    });
    // At the first poll it leaves the budget to the sends, so that they enter the wait queue.
    let mut begins = false;
    let pump = async {
        poll_fn(|_| match replace(&mut begins, true) {
            true => Poll::Ready(()),
            false => Poll::Pending,
        })
        .await;
        loop {
            pump_tx.send(()).await.unwrap();
            pump_rx.recv().await.unwrap();
        }
    };
    let mut sends: Vec<_> = (0..count).map(|n| Some(way(&tx, n))).collect();
    let sends = poll_fn(|cx| {
        for place in &mut sends {
            if let Some(send) = place
                && let Poll::Ready(is_sent) = send.as_mut().poll(cx)
            {
                reported.set(reported.get() + usize::from(is_sent));
                *place = None;
            }
        }
        Poll::<()>::Pending
    });
    let all = async {
        let ((), (), ()) = futures::join!(receives, pump, sends);
    };
    let limited = timeout(Duration::from_millis(1), all);
    let ended = match in_a_set {
        true => [limited].into_iter().collect::<FuturesUnordered<_>>().next().await.unwrap(),
        false => limited.await,
    };
    ended.unwrap_err();
    (arrived.get(), reported.get())
}

/// Then an operation gives way that was to withdraw, and with it who polls the one that was.
#[test]
fn a_neighbour_spends_the_budget_of_those_that_withdraw() {
    let _watchdog = watchdog();
    for &(name, way) in WAYS {
        for (count, in_a_set) in [(7, true), (600, true), (7, false), (600, false)] {
            let mut all_arrived = 0;
            for received_at in 1..=5 {
                let (arrived, reported) =
                    run(2, send_beside_a_pump(way, count, in_a_set, received_at));
                all_arrived += arrived;
                assert_eq!(
                    arrived, reported,
                    "{name}, {count} at once, in a set: {in_a_set}, received at poll {received_at}"
                );
            }
            assert!(all_arrived > 0, "{name}");
        }
    }
}
