//! The boxes of large values are made and freed while the channel's lock is free: the allocator may
//! be the user's, and use the channel.
//!
//! Seen to find each place of `src/chan` that packs or opens a large value, moved under the lock.

use std::alloc::Layout;
use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::sync::Mutex;
use std::sync::atomic::{AtomicIsize, AtomicUsize, Ordering::SeqCst};
use std::task::{Context, Poll, Waker};

use futures::Stream;
use gorun::sync::broadcast::{self, TryRecvError};
use gorun::{Receiver, Sender, channel, select};

use crate::ONE_AT_A_TIME;
use crate::common::*;

/// A buffer has room for four of them, or more, so blocks of about this size are boxes.
const SIZE: usize = 1_000;

static VALUES: AtomicIsize = AtomicIsize::new(0);

struct Large {
    _room: [u64; SIZE / 8],
}

impl Large {
    fn new() -> Self {
        VALUES.fetch_add(1, SeqCst);
        Large { _room: [7; SIZE / 8] }
    }
}

impl Drop for Large {
    fn drop(&mut self) {
        VALUES.fetch_sub(1, SeqCst);
    }
}

/// The channel that the allocator uses, and how often it did, for new boxes and for old ones.
static USED: Mutex<Option<Sender<Large>>> = Mutex::new(None);
static USES: [AtomicUsize; 2] = [const { AtomicUsize::new(0) }; 2];

/// A channel of the other kind, of which it asks something.
static ASKED: Mutex<Option<broadcast::Sender<[u64; SIZE / 8]>>> = Mutex::new(None);

thread_local! {
    static IS_IN_ALLOCATOR: Cell<bool> = const { Cell::new(false) };
}

/// What the allocator calls for each block: `kind` is 0 for a new one, and 1 for an old one.
pub(crate) fn on_block(layout: Layout, kind: usize) {
    if !(SIZE..SIZE + 32).contains(&layout.size()) || IS_IN_ALLOCATOR.replace(true) {
        return;
    }
    let used = USED.lock().unwrap().clone();
    if let Some(tx) = used {
        USES[kind].fetch_add(1, SeqCst);
        assert!(tx.len() < 100);
        drop(tx.try_send(Large::new()));
    }
    let asked = ASKED.lock().unwrap().clone();
    if let Some(tx) = asked {
        USES[kind].fetch_add(1, SeqCst);
        assert!(tx.len() < 100);
    }
    IS_IN_ALLOCATOR.set(false);
}

type Op<'a> = Pin<Box<dyn Future<Output = ()> + 'a>>;

fn poll(op: &mut Op<'_>) -> bool {
    op.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready()
}

fn send(tx: &Sender<Large>) -> Op<'_> {
    Box::pin(async { drop(tx.send(Large::new()).await) })
}

fn receive(rx: &Receiver<Large>) -> Op<'_> {
    Box::pin(async { drop(rx.recv().await) })
}

fn select_send<'a>(tx: &'a Sender<Large>, never: &'a Receiver<u8>) -> Op<'a> {
    Box::pin(async {
        select! { result = tx.send(Large::new()) => drop(result), _ = never.recv() => {} }
    })
}

fn select_receive<'a>(rx: &'a Receiver<Large>, never: &'a Receiver<u8>) -> Op<'a> {
    Box::pin(async {
        select! { value = rx.recv() => drop(value), _ = never.recv() => {} }
    })
}

/// What one case does with a channel.
type Case = fn(Sender<Large>, Receiver<Large>, &Receiver<u8>);

/// Their names, and the channel's capacity. Each makes a box and frees one.
const CASES: [(&str, usize, Case); 15] = [
    ("a waiting send is received from", 0, |tx, rx, _| {
        let mut send = send(&tx);
        poll(&mut send);
        drop(rx.try_recv());
        poll(&mut send);
    }),
    ("a waiting send refills the buffer", 1, |tx, rx, _| {
        drop(tx.try_send(Large::new()));
        let mut send = send(&tx);
        poll(&mut send);
        drop(rx.try_recv());
        poll(&mut send);
    }),
    ("a waiting send is dropped", 0, |tx, _rx, _| {
        let mut send = send(&tx);
        poll(&mut send);
    }),
    ("a waiting send finds a closed channel", 0, |tx, rx, _| {
        let mut send = send(&tx);
        poll(&mut send);
        rx.close();
        assert!(poll(&mut send));
    }),
    ("a waiting receive is sent to, without waiting", 0, |tx, rx, _| {
        let mut receive = receive(&rx);
        poll(&mut receive);
        drop(tx.try_send(Large::new()));
        assert!(poll(&mut receive));
    }),
    ("a waiting receive is sent to", 0, |tx, rx, _| {
        let mut receive = receive(&rx);
        poll(&mut receive);
        let mut send = send(&tx);
        poll(&mut send);
        assert!(poll(&mut receive));
    }),
    ("a receive is dropped with its value", 0, |tx, rx, _| {
        let mut receive = receive(&rx);
        poll(&mut receive);
        drop(tx.try_send(Large::new()));
        drop(receive);
        drop(rx.try_recv());
    }),
    ("a receive is dropped, and another one gets its value", 0, |tx, rx, _| {
        let (mut first, mut second) = (receive(&rx), receive(&rx));
        poll(&mut first);
        drop(tx.try_send(Large::new()));
        poll(&mut second);
        drop(first);
        poll(&mut second);
    }),
    ("a stream is sent to", 0, |tx, mut rx, _| {
        let mut cx = Context::from_waker(Waker::noop());
        drop(Pin::new(&mut rx).poll_next(&mut cx));
        drop(tx.try_send(Large::new()));
        assert!(matches!(Pin::new(&mut rx).poll_next(&mut cx), Poll::Ready(Some(_))));
    }),
    ("a waiting select is received from", 0, |tx, rx, never| {
        let mut select = select_send(&tx, never);
        poll(&mut select);
        drop(rx.try_recv());
        poll(&mut select);
    }),
    ("a waiting select finds a closed channel", 0, |tx, rx, never| {
        let mut select = select_send(&tx, never);
        poll(&mut select);
        rx.close();
        assert!(poll(&mut select));
    }),
    ("a select sends to a waiting receive", 0, |tx, rx, never| {
        let mut receive = receive(&rx);
        poll(&mut receive);
        poll(&mut select_send(&tx, never));
        assert!(poll(&mut receive));
    }),
    ("a select with a default sends to a waiting receive", 0, |tx, rx, never| {
        let mut receive = receive(&rx);
        poll(&mut receive);
        select! {
            result = tx.send(Large::new()) => drop(result),
            _ = never.recv() => {}
            default => {}
        }
        assert!(poll(&mut receive));
    }),
    ("a select with a default finds a select that is no partner", 0, |tx, rx, never| {
        // Its other case has been decided.
        let (other_tx, other) = channel::<u8>(0);
        let mut decided: Op<'_> = Box::pin(async {
            select! { value = rx.recv() => drop(value), _ = other.recv() => {} }
        });
        poll(&mut decided);
        other_tx.try_send(1).unwrap();
        let mut value = Some(Large::new());
        select! {
            _ = tx.send_from(&mut value) => {}
            _ = never.recv() => {}
            default => {}
        }
        assert!(value.is_some() && poll(&mut decided));
    }),
    ("a waiting select is sent to", 0, |tx, rx, never| {
        let mut select = select_receive(&rx, never);
        poll(&mut select);
        drop(tx.try_send(Large::new()));
        assert!(poll(&mut select));
    }),
];

#[test]
fn an_allocator_that_uses_the_channel_while_it_boxes_a_value() {
    let _one = ONE_AT_A_TIME.lock().unwrap_or_else(|error| error.into_inner());
    let _watchdog = watchdog();
    let (_never_tx, never) = channel::<u8>(0);
    let all_cases = |context: &str| {
        for (name, capacity, case) in CASES {
            println!("{name}, {context}");
            let (tx, rx) = channel::<Large>(capacity);
            *USED.lock().unwrap() = Some(tx.clone());
            USES.iter().for_each(|uses| uses.store(0, SeqCst));
            case(tx, rx, &never);
            let used = USED.lock().unwrap().take();
            drop(used);
            assert!(USES.iter().all(|uses| uses.load(SeqCst) > 0), "{name}: not for its boxes");
            assert_eq!(VALUES.load(SeqCst), 0, "{name}: each value is dropped once");
        }
    };
    all_cases("outside");
    run(1, async { all_cases("inside a runtime") });
}

/// Seen to find, in `src/sync/broadcast`, a box that is made under the lock, and one that is freed there.
#[test]
fn an_allocator_that_asks_a_broadcast_channel_while_it_boxes_a_value() {
    let _one = ONE_AT_A_TIME.lock().unwrap_or_else(|error| error.into_inner());
    let _watchdog = watchdog();
    let (tx, mut rx) = broadcast::channel(16);
    USES.iter().for_each(|uses| uses.store(0, SeqCst));
    *ASKED.lock().unwrap() = Some(tx.clone());
    // With spare boxes and without, and more than there is room for.
    for count in [1, 2, 16, 20, 1] {
        (0..count).for_each(|_| _ = tx.send([7; SIZE / 8]));
        let mut received = 0;
        loop {
            match rx.try_recv() {
                Ok(_) => received += 1,
                Err(TryRecvError::Lagged(missed)) => received += missed,
                Err(_) => break,
            }
        }
        assert_eq!(received, count);
    }
    drop(rx);
    assert!(tx.send([7; SIZE / 8]).is_err());
    let asked = ASKED.lock().unwrap().take();
    drop(asked);
    assert!(USES.iter().all(|uses| uses.load(SeqCst) > 0), "not for its boxes");
}

/// The wakers are the runtime's own.
#[test]
fn an_allocator_that_uses_the_channel_while_goroutines_wait() {
    let _one = ONE_AT_A_TIME.lock().unwrap_or_else(|error| error.into_inner());
    let _watchdog = watchdog();
    for workers in [1, 2] {
        for capacity in [0, 1] {
            run(workers, async {
                let (tx, rx) = channel::<Large>(capacity);
                *USED.lock().unwrap() = Some(tx.clone());
                let sender = gorun::spawn(async move {
                    for turn in 0..200 {
                        let sent = match turn % 2 {
                            0 => tx.send(Large::new()).await,
                            _ => select! { sent = tx.send(Large::new()) => sent },
                        };
                        assert!(sent.is_ok());
                    }
                });
                // The allocator's own values come as well.
                for turn in 0..200 {
                    let received = match turn % 2 {
                        0 => rx.recv().await,
                        _ => select! { received = rx.recv() => received },
                    };
                    drop(received.unwrap());
                }
                let used = USED.lock().unwrap().take();
                drop(used);
                while rx.recv().await.is_some() {}
                sender.await.unwrap();
            });
            assert_eq!(VALUES.load(SeqCst), 0, "each value is dropped once");
        }
    }
}
