//! Selects, plain operations, foreign futures and aborts, all at once: nothing is lost or doubled.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::SeqCst};

use gorun::{Receiver, Sender, channel, select, spawn, yield_now};

use crate::WORKERS;
use crate::common::*;

struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) % bound
    }
}

/// What was sent, by those who sent it, and what was received, which must be the same in the end; and
/// what became of everything that was made.
#[derive(Default)]
struct Ledger {
    made: AtomicU64,
    sent: AtomicU64,
    received: AtomicU64,
    unsent: AtomicU64,
    dropped: AtomicUsize,
}

/// Says so if it is dropped without having been received.
struct Token(Arc<Ledger>, bool);

impl Token {
    fn new(ledger: &Arc<Ledger>) -> Self {
        ledger.made.fetch_add(1, SeqCst);
        Token(ledger.clone(), false)
    }

    fn sent<E>(ledger: &Ledger, result: Result<(), E>) {
        assert!(result.is_ok());
        ledger.sent.fetch_add(1, SeqCst);
    }

    fn receive(mut self) {
        assert!(!std::mem::replace(&mut self.1, true), "received twice");
        self.0.received.fetch_add(1, SeqCst);
    }

    fn keep_back(mut self) {
        self.1 = true;
        self.0.unsent.fetch_add(1, SeqCst);
    }
}

impl Drop for Token {
    fn drop(&mut self) {
        if !self.1 {
            self.0.dropped.fetch_add(1, SeqCst);
        }
    }
}

type Ends = (Sender<Token>, Receiver<Token>);

async fn sender(seed: u64, channels: Arc<[Ends; 3]>, ledger: Arc<Ledger>, count: u64) {
    let mut random = Random(seed);
    let tx = channels.each_ref().map(|(tx, _)| tx.clone());
    let mut head = None;
    for _ in 0..count {
        match random.below(5) {
            0 => {
                let result = tx[random.below(3) as usize].send(Token::new(&ledger)).await;
                Token::sent(&ledger, result);
            }
            1 => select! {
                r = tx[0].send(Token::new(&ledger)) => Token::sent(&ledger, r),
                () = yield_now(), if random.below(2) == 0 => {}
                r = tx[1].send(Token::new(&ledger)) => Token::sent(&ledger, r),
            },
            2 => select! {
                r = tx[2].send(Token::new(&ledger)) => Token::sent(&ledger, r),
                default => {}
            },
            _ => {
                // What a case that did not happen keeps is sent another time.
                head.get_or_insert_with(|| Token::new(&ledger));
                let first = random.below(3) as usize;
                select! {
                    r = tx[first].send_from(&mut head) => Token::sent(&ledger, r),
                    () = yield_now() => {}
                }
            }
        }
    }
    if let Some(token) = head {
        token.keep_back();
    }
}

async fn receiver(seed: u64, channels: Arc<[Ends; 3]>) {
    let mut random = Random(seed);
    let rx = channels.each_ref().map(|(_, rx)| rx.clone());
    drop(channels);
    let mut open = [true; 3];
    while open.contains(&true) {
        let (place, token) = match random.below(4) {
            0 => select! {
                t = rx[0].recv(), if open[0] => (0, t),
                t = rx[1].recv(), if open[1] => (1, t),
                t = rx[2].recv(), if open[2] => (2, t),
            },
            1 => select! {
                t = rx[2].recv(), if open[2] => (2, t),
                () = yield_now() => continue,
                t = rx[0].recv(), if open[0] => (0, t),
            },
            2 => select! {
                t = rx[1].recv(), if open[1] => (1, t),
                default => {
                    yield_now().await;
                    continue;
                }
            },
            _ => {
                let place = random.below(3) as usize;
                if !open[place] {
                    continue;
                }
                select! { t = rx[place].recv() => (place, t), () = yield_now() => continue }
            }
        };
        match token {
            Some(token) => token.receive(),
            None => open[place] = false,
        }
    }
}

async fn conserve(seed: u64, capacity: usize, aborts: u64) {
    const EACH: u64 = 150;
    let ledger = Arc::new(Ledger::default());
    let channels: Arc<[Ends; 3]> =
        Arc::new([channel(capacity), channel(capacity), channel(capacity)]);
    let mut random = Random(seed ^ 0xABCD_EF01);
    let senders: Vec<_> =
        (0..6).map(|n| spawn(sender(seed + n, channels.clone(), ledger.clone(), EACH))).collect();
    let receivers: Vec<_> =
        (0..6).map(|n| spawn(receiver(seed + 100 + n, channels.clone()))).collect();
    for _ in 0..aborts {
        for _ in 0..random.below(30) {
            yield_now().await;
        }
        // One receiver stays, and so do the senders, so that nothing but the received may vanish.
        receivers[random.below(5) as usize].abort();
    }
    for sender in senders {
        sender.await.unwrap();
    }
    channels.iter().for_each(|(tx, _)| tx.close());
    for receiver in receivers {
        let _ = receiver.await;
    }
    // What was given back after the last receiver had seen the end.
    for (_, rx) in channels.iter() {
        while let Ok(token) = rx.try_recv() {
            token.receive();
        }
    }
    drop(channels);
    let count = |of: &AtomicU64| of.load(SeqCst);
    let dropped = ledger.dropped.load(SeqCst) as u64;
    // Cases of `send` that did not happen drop their token, unseen.
    assert_eq!(count(&ledger.made), count(&ledger.received) + count(&ledger.unsent) + dropped);
    assert_eq!(count(&ledger.sent), count(&ledger.received));
    assert!(count(&ledger.received) > 6 * EACH / 3);
    assert_eq!(Arc::strong_count(&ledger), 1, "a token is left somewhere");
}

#[test]
pub(crate) fn nothing_is_lost_or_received_twice() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        for capacity in [0, 1, 2, 64] {
            for seed in 1..=3 {
                run(workers, conserve(seed * 7919, capacity, 0));
                run(workers, conserve(seed * 104_729, capacity, 4));
            }
        }
    }
}

/// Two selects that face each other on two channels, in opposite order: each round exactly one value
/// passes.
#[test]
pub(crate) fn selects_that_face_each_other_meet_once_in_each_round() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        for with_others in [false, true] {
            run(workers, async move {
                let ((tx1, rx1), (tx2, rx2)) = (channel(0), channel(0));
                let sender = spawn(async move {
                    for n in 0..3000 {
                        let place = if with_others {
                            let mut left = 2;
                            loop {
                                select! {
                                    _ = tx2.send(n) => break 2,
                                    () = yield_now(), if left > 0 => left -= 1,
                                    _ = tx1.send(n) => break 1,
                                }
                            }
                        } else {
                            select! { _ = tx1.send(n) => 1, _ = tx2.send(n) => 2 }
                        };
                        assert!(place > 0);
                    }
                });
                for n in 0..3000 {
                    let got = if with_others {
                        loop {
                            select! {
                                v = rx1.recv() => break v,
                                v = rx2.recv() => break v,
                                () = yield_now() => {}
                            }
                        }
                    } else {
                        select! { v = rx2.recv() => v, v = rx1.recv() => v }
                    };
                    assert_eq!(got, Some(n));
                }
                sender.await.unwrap();
            });
        }
    }
}
