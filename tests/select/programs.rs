//! What Go's test programs ask in which goroutines select (`test/chan`, `test/ken/chan.go`), asked
//! here.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use futures::FutureExt;
use gorun::{Receiver, Sender, WaitGroup, channel, go, select, spawn, yield_now};

use crate::WORKERS;
use crate::common::*;

/// `test/chan/doubleselect.go`: of four channels with a receiver each, one gets the value.
#[test]
pub(crate) fn no_value_of_a_select_is_sent_twice_though_four_wait_for_it() {
    let _watchdog = watchdog();
    const N: usize = 5000;
    for workers in WORKERS {
        let seen = run(workers, async {
            let (senders, receivers): (Vec<_>, Vec<_>) = (0..4).map(|_| channel(0)).unzip();
            let (out, all) = channel(0);
            for rx in receivers {
                // A hand in between makes it likely that several wait at once.
                let out = out.clone();
                go!(async move {
                    while let Some(n) = rx.recv().await {
                        out.send(n).await.unwrap();
                    }
                });
            }
            drop(out);
            go!(async move {
                for n in 0..N {
                    select! {
                        sent = senders[0].send(n) => sent.unwrap(),
                        sent = senders[1].send(n) => sent.unwrap(),
                        sent = senders[2].send(n) => sent.unwrap(),
                        sent = senders[3].send(n) => sent.unwrap(),
                    }
                }
            });
            let mut seen = vec![0; N];
            while let Some(n) = all.recv().await {
                seen[n] += 1;
            }
            seen
        });
        assert_eq!(seen, [1; N]);
    }
}

/// `test/chan/select6.go`: a select that stood last in a wait queue, behind another, and got its value
/// elsewhere. Who stood before it, and who comes after it, are served.
#[test]
pub(crate) fn the_last_in_a_queue_that_leaves_it_cuts_off_neither_those_before_nor_those_after() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            for _ in 0..100 {
                let ((tx1, rx1), (tx2, rx2)) = (channel(0), channel(0));
                let before = spawn({
                    let rx1 = rx1.clone();
                    async move { rx1.recv().await }
                });
                let (chosen_tx, chosen) = channel(0);
                let after = spawn(async move {
                    select! {
                        _ = rx1.recv() => unreachable!("nobody has sent yet"),
                        value = rx2.recv() => chosen_tx.send(value).await.unwrap(),
                    }
                    rx1.recv().await
                });
                for _ in 0..4 {
                    yield_now().await;
                }
                go!(async move { tx2.send(0).await.unwrap() });
                assert_eq!(chosen.recv().await, Some(Some(0)));
                tx1.send(1).await.unwrap();
                tx1.send(2).await.unwrap();
                let mut both = [before.await.unwrap(), after.await.unwrap()];
                both.sort();
                assert_eq!(both, [Some(1), Some(2)]);
            }
        });
    }
}

/// `test/chan/select7.go`: values that nobody looks at, sent and received alone, in a select of one,
/// and in a select of two.
#[test]
pub(crate) fn values_received_without_looking_at_them_are_dropped_once() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        for (sends, receives) in (0..3).flat_map(|s| (0..3).map(move |r| (s, r))) {
            let drops = Drops::new(50);
            run(workers, async {
                for n in 0..50 {
                    let (tx, rx) = channel(0);
                    let (other_tx, other) = channel(0);
                    let receiver = spawn(async move {
                        match receives {
                            0 => drop(rx.recv().await),
                            1 => select! { _ = rx.recv() => {} },
                            _ => select! { _ = rx.recv() => {} _ = other.recv() => {} },
                        }
                    });
                    yield_now().await;
                    let value = drops.probe(n);
                    let (third_tx, _third) = channel(0);
                    match sends {
                        0 => tx.send(value).await.unwrap(),
                        1 => select! { sent = tx.send(value) => sent.unwrap() },
                        _ => select! {
                            sent = tx.send(value) => sent.unwrap(),
                            _ = third_tx.send(()) => unreachable!(),
                        },
                    }
                    receiver.await.unwrap();
                    drop::<Sender<()>>(other_tx);
                }
            });
            drops.assert_each_once((sends, receives));
        }
    }
}

/// `test/chan/sieve2.go`: the primes come back to the goroutine that makes the composites, which is
/// slower in taking them than the sieve is in finding them. A queue without a bound in between, that
/// selects, keeps it from a deadlock.
#[test]
pub(crate) fn a_sieve_that_feeds_itself_does_not_stop() {
    let _watchdog = watchdog();

    fn numbers(capacity: usize, first: u32, step: u32) -> Receiver<u32> {
        let (tx, rx) = channel(capacity);
        go!(async move {
            let mut n = first;
            while tx.send(n).await.is_ok() {
                n += step;
            }
        });
        rx
    }

    async fn queue(inbox: Receiver<u32>, outbox: Sender<u32>) {
        let (mut head, mut rest) = (None, VecDeque::new());
        loop {
            let has_head = head.is_some();
            select! {
                value = inbox.recv() => match value {
                    Some(value) => rest.push_back(value),
                    None => return,
                },
                sent = outbox.send_from(&mut head), if has_head => if sent.is_err() { return },
            }
            if head.is_none() {
                head = rest.pop_front();
            }
        }
    }

    /// The odd multiples of the primes, in order, some more than once.
    async fn composites(primes: Receiver<u32>, out: Sender<u32>) -> Option<()> {
        let mut streams = Vec::new();
        let mut heads = BinaryHeap::<Reverse<(u32, usize)>>::new();
        loop {
            let prime = primes.recv().await?;
            let stream = numbers(10, prime * prime, 2 * prime);
            // Those up to the square do not need this prime, nor any later one.
            while let Some(&Reverse((n, index))) =
                heads.peek().filter(|head| head.0.0 < prime * prime)
            {
                heads.pop();
                out.send(n).await.ok()?;
                let stream: &Receiver<u32> = &streams[index];
                heads.push(Reverse((stream.recv().await?, index)));
            }
            out.send(stream.recv().await?).await.ok()?;
            heads.push(Reverse((stream.recv().await?, streams.len())));
            streams.push(stream);
        }
    }

    async fn sieve(
        composites: Receiver<u32>,
        feedback: Sender<u32>,
        out: Sender<u32>,
    ) -> Option<()> {
        let candidates = numbers(50, 5, 2);
        let mut composite = composites.recv().await?;
        loop {
            let candidate = candidates.recv().await?;
            while composite < candidate {
                composite = composites.recv().await?;
            }
            if composite != candidate {
                feedback.send(candidate).await.ok()?;
                out.send(candidate).await.ok()?;
            }
        }
    }

    for workers in WORKERS {
        run(workers, async {
            for capacity in [0, 1, 10] {
                let group = WaitGroup::new();
                let (out, primes) = channel(capacity);
                let (feedback, inbox) = channel(capacity);
                let (outbox, again) = channel(capacity);
                let (composites_tx, composites_rx) = channel(capacity);
                group.go({
                    let outbox = outbox.clone();
                    async move { outbox.send(3).await.unwrap() }
                });
                group.go(queue(inbox, outbox));
                group.go(composites(again, composites_tx).map(|_| ()));
                group.go(sieve(composites_rx, feedback, out).map(|_| ()));
                let mut found = vec![2, 3];
                while found.len() < 100 {
                    found.push(primes.recv().await.unwrap());
                }
                let is_prime = |&n: &u32| (2..n).take_while(|d| d * d <= n).all(|d| n % d != 0);
                assert!((2..).filter(is_prime).take(100).eq(found));
                // Nobody takes the primes any more: all of it comes to an end.
                drop(primes);
                group.wait().await;
            }
        });
    }
}

/// One end of a channel through which numbers go in order; gone when the last one has.
struct End<T> {
    end: Option<T>,
    next: usize,
}

/// So many go through each channel.
const EACH: usize = 76;

impl<T> End<T> {
    fn new(end: T) -> Self {
        End { end: Some(end), next: 0 }
    }

    fn gone() -> Self {
        End { end: None, next: 0 }
    }

    fn is_there(&self) -> bool {
        self.end.is_some()
    }

    fn end(&self) -> &T {
        self.end.as_ref().unwrap()
    }

    /// One has gone through.
    fn pass(&mut self, count: &AtomicUsize) {
        count.fetch_add(1, SeqCst);
        self.next += 1;
        if self.next == EACH {
            self.end = None;
        }
    }
}

#[derive(Default)]
struct Counts {
    sent: AtomicUsize,
    received: AtomicUsize,
}

async fn give_way(times: usize) {
    for _ in 0..times {
        yield_now().await;
    }
}

async fn send_all(mut tx: End<Sender<usize>>, counts: Arc<Counts>) {
    while tx.is_there() {
        give_way(tx.next % 4).await;
        tx.end().send(tx.next).await.unwrap();
        tx.pass(&counts.sent);
    }
}

async fn receive_all(mut rx: End<Receiver<usize>>, counts: Arc<Counts>) {
    while rx.is_there() {
        give_way(rx.next % 3).await;
        assert_eq!(rx.end().recv().await, Some(rx.next));
        rx.pass(&counts.received);
    }
}

/// Sends to up to four channels, and receives from up to four others.
async fn select_all(
    mut tx: Vec<End<Sender<usize>>>,
    mut rx: Vec<End<Receiver<usize>>>,
    counts: Arc<Counts>,
) {
    tx.resize_with(4, End::gone);
    rx.resize_with(4, End::gone);
    let mut turn = 0;
    while tx.iter().any(End::is_there) || rx.iter().any(End::is_there) {
        turn += 1;
        give_way(turn % 3).await;
        let (end, received) = select! {
            value = rx[0].end().recv(), if rx[0].is_there() => (0, Some(value)),
            value = rx[1].end().recv(), if rx[1].is_there() => (1, Some(value)),
            value = rx[2].end().recv(), if rx[2].is_there() => (2, Some(value)),
            value = rx[3].end().recv(), if rx[3].is_there() => (3, Some(value)),
            sent = tx[0].end().send(tx[0].next), if tx[0].is_there() => (0, sent.map(|()| None).unwrap()),
            sent = tx[1].end().send(tx[1].next), if tx[1].is_there() => (1, sent.map(|()| None).unwrap()),
            sent = tx[2].end().send(tx[2].next), if tx[2].is_there() => (2, sent.map(|()| None).unwrap()),
            sent = tx[3].end().send(tx[3].next), if tx[3].is_there() => (3, sent.map(|()| None).unwrap()),
        };
        match received {
            Some(value) => {
                assert_eq!(value, Some(rx[end].next));
                rx[end].pass(&counts.received);
            }
            None => tx[end].pass(&counts.sent),
        }
    }
}

/// `test/ken/chan.go`: who sends to each channel, and who receives. 0 stands for a goroutine of its own,
/// the others for goroutines that select.
#[test]
pub(crate) fn plain_and_selecting_goroutines_in_all_combinations_keep_each_channels_order() {
    let _watchdog = watchdog();
    let plans: [&[(usize, usize)]; 6] =
        [&[(0, 0)], &[(0, 1)], &[(1, 0)], &[(1, 2)], &[(1, 2), (2, 1)], &[(0, 1), (1, 2), (2, 0)]];
    for workers in WORKERS {
        for capacity in [0, 1, 10, 100] {
            for plan in plans {
                let counts = Arc::new(Counts::default());
                run(workers, async {
                    let group = WaitGroup::new();
                    let (mut txs, mut rxs) = ([vec![], vec![], vec![]], [vec![], vec![], vec![]]);
                    // Four channels of each kind.
                    for &(sends, receives) in plan.iter().flat_map(|kind| [kind; 4]) {
                        let (tx, rx) = channel(capacity);
                        txs[sends].push(End::new(tx));
                        rxs[receives].push(End::new(rx));
                    }
                    for tx in std::mem::take(&mut txs[0]) {
                        group.go(send_all(tx, counts.clone()));
                    }
                    for rx in std::mem::take(&mut rxs[0]) {
                        group.go(receive_all(rx, counts.clone()));
                    }
                    for (tx, rx) in txs.into_iter().zip(rxs) {
                        group.go(select_all(tx, rx, counts.clone()));
                    }
                    group.wait().await;
                });
                let all = 4 * plan.len() * EACH;
                assert_eq!(counts.sent.load(SeqCst), all, "{plan:?}");
                assert_eq!(counts.received.load(SeqCst), all, "{plan:?}");
            }
        }
    }
}
