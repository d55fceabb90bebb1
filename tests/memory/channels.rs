//! What those who wait at a channel take, and leave.
//!
//! Each test was seen to fail, with what it then said, by these changes:
//!
//! - Large values in the slots themselves (`slots.rs`): `idle_receivers…` ("8439796 bytes, and 81920 for
//!   small values"), `idle_senders…` ("8439808 bytes, and 4300900 are needed"), and two of `slots…`.
//! - Vectors of slots that are never shrunk, or slots of waiters that are never popped (`waiters.rs`), or
//!   slots of values that are never truncated: the three of `slots…` ("655257 bytes are left"). Not
//!   truncated when a served waiter leaves (`inside.rs`): `slots_are_given_back_when…` alone. Spare slots
//!   that are taken before kept ones: `slots_are_given_back_though…` alone ("beside those who came").
//! - Vectors that are shrunk whenever a slot is freed: `a_number_of_waiters_that_swings…` ("2 beside 63:
//!   500 times").
//! - An empty buffer that is not shrunk: `a_buffer…` ("131072 bytes are left").
//! - A value that is moved out of its box, which is not freed: `large_values_whose…` ("411200 bytes are
//!   left"). One whose panic is swallowed: the same test. One that is dropped under the lock: it hangs.
//! - A channel that does not drop its slots: `large_values_of_sends_that_are_forgotten…` (406528 bytes).
#![allow(dropping_copy_types, clippy::drop_non_drop)] // Also of those that are large.

use std::future::Future;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::atomic::Ordering::SeqCst;
use std::task::{Context, Poll, Waker};

use futures::{FutureExt, Stream};
use gorun::{Receiver, Sender, channel, select};

use crate::common::*;
use crate::{ALLOCATIONS, LIVE, ONE_AT_A_TIME};

/// One more than a power of two: lists have grown then.
const N: usize = 1_025;

/// What a channel may keep when nobody waits.
const KEPT: isize = 32 << 10;

type Large = [u8; 4096];
type Waiting<'a> = Pin<Box<dyn Future<Output = ()> + 'a>>;

fn bytes() -> isize {
    LIVE.load(SeqCst)
}

fn poll(future: &mut Waiting<'_>) -> Poll<()> {
    future.as_mut().poll(&mut Context::from_waker(Waker::noop()))
}

/// Polls all of them once. Returns how much is allocated by that.
fn wait_all(futures: &mut [Waiting<'_>]) -> isize {
    let before = bytes();
    futures.iter_mut().for_each(|future| assert!(poll(future).is_pending()));
    bytes() - before
}

fn receiving<T>(rx: &Receiver<T>, count: usize) -> Vec<Waiting<'_>> {
    (0..count).map(|_| Box::pin(async { drop(rx.recv().await) }) as Waiting<'_>).collect()
}

fn selecting<T>(rx: &Receiver<T>, count: usize) -> Vec<Waiting<'_>> {
    let select = |_| {
        Box::pin(async {
            select! { v = rx.recv() => drop(v), v = rx.recv() => drop(v) }
        }) as Waiting<'_>
    };
    (0..count).map(select).collect()
}

fn sending<'a, T>(tx: &'a Sender<T>, values: &'a mut [Option<T>]) -> Vec<Waiting<'a>> {
    let send = |value| Box::pin(async { drop(tx.send_from(value).await) }) as Waiting<'a>;
    values.iter_mut().map(send).collect()
}

#[test]
fn idle_receivers_of_large_values_cost_what_those_of_small_ones_do() {
    let _one = ONE_AT_A_TIME.lock().unwrap_or_else(|error| error.into_inner());
    fn receivers<T>() -> isize {
        let (_tx, rx) = channel::<T>(0);
        wait_all(&mut receiving(&rx, N))
    }
    fn selects<T>() -> isize {
        let (_tx, rx) = channel::<T>(0);
        wait_all(&mut selecting(&rx, N))
    }
    fn streams<T>() -> isize {
        let (_tx, rx) = channel::<T>(0);
        let mut streams = vec![rx; 1];
        (1..N).for_each(|_| streams.push(streams[0].clone()));
        let before = bytes();
        for stream in &mut streams {
            let polled = Pin::new(stream).poll_next(&mut Context::from_waker(Waker::noop()));
            assert!(polled.is_pending());
        }
        bytes() - before
    }
    fn goroutines<T: Send + 'static>() -> isize {
        run(1, async {
            let (tx, rx) = channel::<T>(0);
            let before = bytes();
            let wait = |_| {
                let rx = rx.clone();
                gorun::spawn(async move { drop(rx.recv().await) })
            };
            let handles: Vec<_> = (0..N).map(wait).collect();
            gorun::spawn(gorun::yield_now()).await.unwrap();
            let taken = bytes() - before;
            drop(tx);
            for handle in handles {
                handle.await.unwrap();
            }
            taken
        })
    }
    for (case, large, small) in [
        ("receivers", receivers::<Large> as fn() -> isize, receivers::<u64> as fn() -> isize),
        ("selects", selects::<Large>, selects::<u64>),
        ("streams", streams::<Large>, streams::<u64>),
        ("goroutines", goroutines::<Large>, goroutines::<u64>),
    ] {
        // What is made once.
        small();
        let (large, small) = (large(), small());
        assert!(large <= small + KEPT, "{case}: {large} bytes, and {small} for small values");
    }
}

#[test]
fn idle_senders_hold_their_large_values_once() {
    let _one = ONE_AT_A_TIME.lock().unwrap_or_else(|error| error.into_inner());
    let (tx, _rx) = channel::<Large>(0);
    let mut values = vec![Some([1; 4096]); N];
    let mut futures = sending(&tx, &mut values);
    let taken = wait_all(&mut futures);
    let once = (N * (4096 + 100)) as isize;
    assert!(taken <= once, "{taken} bytes, and {once} are needed");
    drop(futures);
    assert!(values.iter().all(|value| *value == Some([1; 4096])), "they are back");
}

/// In which order those who wait leave.
const ORDERS: [fn(usize, usize) -> usize; 3] =
    [|_, _| 0, |_, left| left - 1, |step, left| step * 7_919 % left];

/// Drops all of them.
fn drop_in(order: fn(usize, usize) -> usize, mut futures: Vec<Waiting<'_>>) {
    for step in 0..futures.len() {
        drop(futures.remove(order(step, futures.len())));
    }
}

#[test]
fn slots_are_given_back_when_those_who_waited_have_gone() {
    let _one = ONE_AT_A_TIME.lock().unwrap_or_else(|error| error.into_inner());
    fn pass<T: Copy>(value: T, count: usize) {
        for order in ORDERS {
            for end in ["dropped", "served", "closed"] {
                for kind in ["receivers", "selects", "senders"] {
                    let (tx, rx) = channel::<T>(0);
                    let mut values = vec![Some(value); count];
                    let before = bytes();
                    let mut futures = match kind {
                        "receivers" => receiving(&rx, count),
                        "selects" => selecting(&rx, count),
                        _ => sending(&tx, &mut values),
                    };
                    wait_all(&mut futures);
                    match (end, kind) {
                        ("closed", _) => tx.close(),
                        ("served", "senders") => {
                            (0..count).for_each(|_| drop(rx.try_recv().ok().unwrap()));
                        }
                        ("served", _) => (0..count).for_each(|_| tx.try_send(value).ok().unwrap()),
                        _ => {}
                    }
                    if end != "dropped" {
                        futures.iter_mut().for_each(|future| assert!(poll(future).is_ready()));
                    }
                    drop_in(order, futures);
                    let left = bytes() - before;
                    let size = size_of::<T>();
                    assert!(left <= KEPT, "{kind} of {size} bytes, {end}: {left} bytes are left");
                }
            }
        }
    }
    pass(1_u64, 10_000);
    pass([1_u64; 16], N);
    pass([1_u8; 4096], N);
}

/// Those who were given a value go without it: it is passed on, and comes back to the channel.
#[test]
fn slots_are_given_back_by_those_who_leave_with_a_value() {
    let _one = ONE_AT_A_TIME.lock().unwrap_or_else(|error| error.into_inner());
    for order in ORDERS {
        let (tx, rx) = channel::<Large>(0);
        let before = bytes();
        let mut futures = receiving(&rx, N);
        wait_all(&mut futures);
        (0..10).for_each(|_| tx.try_send([1; 4096]).unwrap());
        drop_in(order, futures);
        assert_eq!(rx.len(), 10);
        (0..10).for_each(|_| drop(rx.try_recv().unwrap()));
        assert!(rx.try_recv().is_err());
        let left = bytes() - before;
        assert!(left <= KEPT, "{left} bytes are left");
    }
}

/// They have low numbers, if they came first, or soon get some.
#[test]
fn slots_are_given_back_though_a_few_still_wait() {
    let _one = ONE_AT_A_TIME.lock().unwrap_or_else(|error| error.into_inner());
    let (_tx, rx) = channel::<u64>(0);
    let before = bytes();
    let mut stay = receiving(&rx, 1);
    wait_all(&mut stay);
    for order in ORDERS {
        let mut futures = receiving(&rx, 10_000);
        wait_all(&mut futures);
        drop_in(order, futures);
        let left = bytes() - before;
        assert!(left <= KEPT, "beside the first: {left} bytes are left");
    }
    for order in ORDERS {
        let mut futures = receiving(&rx, 10_000);
        wait_all(&mut futures);
        let mut few = futures.split_off(9_990);
        drop_in(order, futures);
        // Each of them makes place for another one.
        for _ in 0..10 {
            let mut next = receiving(&rx, 1);
            wait_all(&mut next);
            few.append(&mut next);
            drop(few.remove(0));
        }
        let left = bytes() - before;
        assert!(left <= KEPT, "beside those who came: {left} bytes are left");
    }
}

#[test]
fn a_number_of_waiters_that_swings_moves_no_memory() {
    let _one = ONE_AT_A_TIME.lock().unwrap_or_else(|error| error.into_inner());
    for stay in [0, 63, 64, 65, 127, 128, 129, 255, 256, 1_000] {
        for swing in [1, 2, 30, 200] {
            let (_tx, rx) = channel::<u64>(0);
            let mut few = receiving(&rx, stay);
            wait_all(&mut few);
            let mut count = 0;
            for _ in 0..100 {
                let mut futures = receiving(&rx, swing);
                let before = ALLOCATIONS.load(SeqCst);
                wait_all(&mut futures);
                let mut others = futures.split_off(swing / 2);
                futures.clear();
                others.clear();
                count += ALLOCATIONS.load(SeqCst) - before;
            }
            // The list that `split_off` makes is one.
            let most = 100 + 100 * swing / 16 + 32;
            assert!(count <= most, "{swing} beside {stay}: {count} times");
        }
    }
}

#[test]
fn a_buffer_is_given_back_when_it_is_found_empty() {
    let _one = ONE_AT_A_TIME.lock().unwrap_or_else(|error| error.into_inner());
    fn pass<T: Copy>(value: T) {
        for end in 0..5 {
            let (tx, rx) = channel::<T>(usize::MAX);
            let before = bytes();
            for _ in 0..2 {
                (0..N * 8).for_each(|_| tx.try_send(value).ok().unwrap());
                (0..N * 8).for_each(|_| drop(rx.try_recv().ok().unwrap()));
                match end {
                    0 => assert!(rx.try_recv().is_err()),
                    1 => drop(wait_all(&mut receiving(&rx, 1))),
                    2 => drop(wait_all(&mut selecting(&rx, 1))),
                    3 => {
                        // Without a runtime, whose threads would free memory later.
                        let looks = async {
                            select! {
                                _ = rx.recv() => true,
                                default => false,
                            }
                        };
                        assert_eq!(looks.now_or_never(), Some(false));
                    }
                    _ => {
                        tx.close();
                        assert!(rx.try_recv().is_err());
                    }
                }
                let left = bytes() - before;
                assert!(left <= 2 * KEPT, "after {end}: {left} bytes are left");
                if tx.is_closed() {
                    break;
                }
            }
        }
    }
    pass(());
    pass(1_u64);
    pass([1_u64; 100]);
    pass([1_u8; 20_000]);
}

/// A channel of large values: of `Noisy`, or of those that panic.
struct Value {
    channel: Option<Sender<Value>>,
    panics: bool,
    _room: Large,
}

impl Value {
    fn new(channel: Option<&Sender<Value>>, panics: bool) -> Self {
        Value { channel: channel.cloned(), panics, _room: [0; 4096] }
    }
}

impl Drop for Value {
    fn drop(&mut self) {
        if let Some(tx) = self.channel.take() {
            assert!(tx.len() < 10);
            drop(tx.try_send(Value::new(None, false)));
        }
        if self.panics {
            panic!("boom");
        }
    }
}

/// Whoever drops them holds no lock, and frees their boxes all the same.
#[test]
fn large_values_whose_destructors_come_back_in_or_panic_leave_nothing() {
    let _one = ONE_AT_A_TIME.lock().unwrap_or_else(|error| error.into_inner());
    let _watchdog = watchdog();
    quiet();
    let pass = |end: usize, panics: bool| {
        let (tx, rx) = channel::<Value>(0);
        let mut send = Box::pin(tx.send(Value::new(Some(&tx), panics)));
        let mut cx = Context::from_waker(Waker::noop());
        assert!(send.as_mut().poll(&mut cx).is_pending());
        let dropped = catch_unwind(AssertUnwindSafe(|| match end {
            // It gives up; the channel is closed; it was received; the same in a select.
            0 => drop(send),
            1 => {
                rx.close();
                drop(send.as_mut().poll(&mut cx));
            }
            2 => drop(rx.try_recv()),
            _ => {
                drop(send);
                let mut select = Box::pin(async {
                    select! { _ = tx.send(Value::new(Some(&tx), panics)) => {}, _ = rx.recv() => {} }
                });
                assert!(select.as_mut().poll(&mut cx).is_pending());
                drop(select);
            }
        }));
        assert_eq!(dropped.is_err(), panics, "at end {end}");
        drop(dropped);
        drop(rx.try_recv());
        assert!(tx.is_empty(), "it can be used");
    };
    for end in 0..4 {
        for panics in [false, true] {
            pass(end, panics);
            let before = bytes();
            (0..100).for_each(|_| pass(end, panics));
            let left = bytes() - before;
            assert!(left < 4096, "end {end}, panics: {panics}: {left} bytes are left");
        }
    }
}

/// Their values stay in the channel as long as that.
#[test]
fn large_values_of_sends_that_are_forgotten_go_with_the_channel() {
    let _one = ONE_AT_A_TIME.lock().unwrap_or_else(|error| error.into_inner());
    let pass = || {
        let (tx, rx) = channel::<Large>(0);
        for _ in 0..100 {
            let mut value = Some([1; 4096]);
            let mut send = tx.send_from(&mut value);
            let polled = Pin::new(&mut send).poll(&mut Context::from_waker(Waker::noop()));
            assert!(polled.is_pending());
            mem::forget(send);
        }
        assert_eq!(rx.try_recv(), Ok([1; 4096]));
    };
    pass();
    let before = bytes();
    pass();
    assert_eq!(bytes() - before, 0);
}
