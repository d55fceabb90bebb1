//! What Go's tests of the `select` statement ask (`test/chan`), asked here: what is evaluated, in
//! which order, what waits, and where control goes.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;

use futures::FutureExt;
use gorun::{Receiver, SendError, Sender, channel, select};

use crate::common::*;

/// Whether it waits, if nobody else does anything.
macro_rules! waits {
    ($($cases:tt)*) => {
        async { select! { $($cases)* } }.now_or_never().is_none()
    };
}

fn full(capacity: usize) -> (Sender<u32>, Receiver<u32>) {
    let (tx, rx) = channel(capacity);
    (0..capacity).for_each(|_| tx.try_send(1).unwrap());
    (tx, rx)
}

/// `test/chan/select.go`: the values of all cases are made each time, and a case whose channel is
/// taken away is not chosen again. Here its value is not made either.
#[test]
pub(crate) fn a_value_is_made_for_each_enabled_case_each_time() {
    let (made, shift) = (Cell::new(0), Cell::new(0));
    let make = || {
        made.set(made.get() + 1);
        1_u32 << shift.get()
    };
    let fill = |mut a: Option<&Sender<u32>>, mut b: Option<&Sender<u32>>| {
        let mut sent = 0;
        loop {
            select! {
                result = a.unwrap().send(make()), if a.is_some() => {
                    result.unwrap();
                    a = None;
                }
                result = b.unwrap().send(make()), if b.is_some() => {
                    result.unwrap();
                    b = None;
                }
                default => return sent,
            }
            sent += 1;
            shift.set(shift.get() + 1);
        }
    };
    let ((a, a_rx), (b, b_rx)) = (channel(1), channel(1));
    assert_eq!(fill(Some(&a), Some(&b)), 2);
    assert_eq!(made.get(), 2 + 1);
    assert_eq!(a_rx.try_recv().unwrap() | b_rx.try_recv().unwrap(), 0b11);
    assert_eq!(fill(Some(&a), None), 1);
    assert_eq!(made.get(), 2 + 1 + 1);
    assert_eq!(fill(Some(&a), Some(&b)), 1, "one is full");
}

/// `test/chan/select3.go`, the part about what waits.
#[test]
pub(crate) fn what_waits_for_ever_in_go_does_so_here() {
    let no = false;
    let (tx, rx) = channel(0);
    assert!(tx.send(7).now_or_never().is_none() && rx.recv().now_or_never().is_none());
    assert!(waits! { _ = rx.recv() => {} });
    assert!(waits! { _ = tx.send(7) => {} });
    // Itself is no partner.
    assert!(waits! { _ = tx.send(7) => {} _ = rx.recv() => {} });
    // Disabled, as a nil channel is in Go, even if the channel is ready.
    let (ready_tx, ready) = channel(2);
    ready_tx.try_send(1).unwrap();
    assert!(waits! { _ = ready.recv(), if no => {} });
    assert!(waits! { _ = ready_tx.send(7), if no => {} });
    assert!(waits! { _ = ready.recv(), if no => {} _ = ready_tx.send(7), if no => {} });
    assert!(waits! {});
    let (tx, _rx) = full(10);
    assert!(waits! { _ = tx.send(7) => {} });
    let (_tx, rx) = channel::<u32>(10);
    assert!(waits! { _ = rx.recv() => {} });
}

/// `test/chan/select3.go`, the part about what does not wait. A send to a closed channel, which panics
/// in Go, is a case that happens.
#[test]
pub(crate) fn what_never_waits_in_go_does_not_wait_here() {
    let no = false;
    let (tx, rx) = channel(1);
    assert!(!waits! { _ = rx.recv() => unreachable!(), default => {} });
    assert!(!waits! { _ = rx.recv(), if no => unreachable!(), default => {} });
    assert!(!waits! { _ = tx.send(7), if no => unreachable!(), default => {} });
    assert!(!waits! { default => {} });
    assert_eq!(tx.send(7).now_or_never(), Some(Ok(())));
    assert!(!waits! { value = rx.recv() => assert_eq!(value, Some(7)), default => unreachable!() });
    assert!(!waits! { sent = tx.send(8) => sent.unwrap(), default => unreachable!() });
    assert!(!waits! { value = rx.recv() => assert_eq!(value, Some(8)) });

    tx.close();
    for _ in 0..10 {
        assert_eq!(rx.recv().now_or_never(), Some(None));
        assert!(!waits! { value = rx.recv() => assert_eq!(value, None) });
    }
    assert!(!waits! { value = rx.recv() => assert_eq!(value, None), default => unreachable!() });
    assert_eq!(tx.send(7).now_or_never(), Some(Err(SendError(7))));
    assert!(!waits! { sent = tx.send(7) => assert_eq!(sent, Err(SendError(7))) });
    assert!(!waits! { sent = tx.send(7) => assert!(sent.is_err()), default => unreachable!() });
}

/// `test/chan/select4.go`: where a received value is to go is computed when its case has happened, and
/// not for the others.
#[test]
pub(crate) fn the_place_for_a_value_is_computed_for_the_chosen_case_only() {
    struct Place {
        a: u32,
    }
    fn elsewhere<'a>() -> &'a mut u32 {
        unreachable!("this case has not happened")
    }
    let mut x = Place { a: 0 };
    let mut nowhere = [0; 0];
    let ((_tx1, c1), (tx, c)) = (channel(0), channel(1));
    for by_default in [false, true] {
        tx.try_send(42).unwrap();
        x.a = 0;
        if by_default {
            select! {
                v = c1.recv() => *elsewhere() = v.unwrap(),
                v = c.recv() => x.a = v.unwrap(),
                default => *elsewhere() = 1,
            }
        } else {
            assert!(!waits! {
                v = c1.recv() => *elsewhere() = v.unwrap(),
                v = c.recv() => x.a = v.unwrap(),
                v = c1.recv() => nowhere[x.a as usize] = v.unwrap(),
            });
        }
        assert_eq!(x.a, 42);
    }
}

/// Channels that write down when they are asked for.
struct Log {
    open: (Sender<u32>, Receiver<u32>),
    dummy: (Sender<u32>, Receiver<u32>),
    places: RefCell<Vec<u32>>,
}

impl Log {
    fn new() -> Self {
        Log { open: channel(1), dummy: channel(0), places: RefCell::default() }
    }

    fn value(&self, place: u32, value: u32) -> u32 {
        self.places.borrow_mut().push(place);
        value
    }

    fn tx(&self, place: u32) -> &Sender<u32> {
        self.places.borrow_mut().push(place);
        &self.open.0
    }

    fn rx(&self, place: u32) -> &Receiver<u32> {
        self.places.borrow_mut().push(place);
        &self.open.1
    }

    fn dummy_tx(&self, place: u32) -> &Sender<u32> {
        self.places.borrow_mut().push(place);
        &self.dummy.0
    }

    fn dummy(&self, place: u32) -> &Receiver<u32> {
        self.places.borrow_mut().push(place);
        &self.dummy.1
    }

    #[track_caller]
    fn assert_order(&self, places: &[u32]) {
        assert_eq!(self.places.take(), places);
    }
}

/// For each subset of some cases that do not happen, in order: expands a macro with what it is to be
/// given, and the cases. Each comes with the places it asks for.
macro_rules! in_each_company {
    ($test:ident! $log:ident $given:tt) => {
        in_each_company! { @ $test $given [] [
            { [10, 11] _ = $log.dummy_tx(10).send($log.value(11, 1)) => unreachable!(), }
            { [20] _ = $log.dummy(20).recv() => unreachable!(), }
            { [] _ = $log.tx(30).send($log.value(31, 1)), if $log.open.0.capacity() > 1 => unreachable!(), }
            { [] _ = $log.rx(40).recv(), if $log.open.0.capacity() > 1 => unreachable!(), }
        ] }
    };
    (@ $test:ident $given:tt [$($chosen:tt)*] []) => {
        $test!($given $($chosen)*);
    };
    (@ $test:ident $given:tt [$($chosen:tt)*] [$first:tt $($rest:tt)*]) => {
        in_each_company! { @ $test $given [$($chosen)*] [$($rest)*] }
        in_each_company! { @ $test $given [$($chosen)* $first] [$($rest)*] }
    };
}

/// `test/chan/select5.go`, its receives: with and without `default`, which comes first or last, beside
/// cases that are not ready and cases that are disabled. What there is to receive is received, and
/// everything is evaluated once, from left to right.
#[test]
pub(crate) fn a_receive_happens_in_any_company_and_all_parts_are_evaluated_in_order() {
    let log = Log::new();
    let mut n = 0;
    macro_rules! receive {
        ({ $($default:tt)* } $({ [$($place:literal),*] $($case:tt)* })*) => {
            n += 1;
            log.open.0.try_send(n).unwrap();
            let mut x = 0;
            assert!(!waits! {
                v = log.rx(0).recv() => x = v.unwrap(),
                $($($case)*)*
                $($default)*
            });
            assert_eq!(x, n);
            log.assert_order(&[0, $($($place,)*)*]);

            log.open.0.try_send(n).unwrap();
            let mut map = HashMap::new();
            assert!(!waits! {
                $($default)*
                $($($case)*)*
                v @ (Some(_) | None) = log.rx(99).recv() => map.extend([(13, v)]),
            });
            assert_eq!(map[&13], Some(n));
            log.assert_order(&[$($($place,)*)* 99]);
        };
    }
    in_each_company!(receive! log {});
    in_each_company!(receive! log { default => unreachable!(), });
    assert_eq!(n, 32);
}

/// `test/chan/select5.go`, its sends.
#[test]
pub(crate) fn a_send_happens_in_any_company_and_all_parts_are_evaluated_in_order() {
    let log = Log::new();
    let mut n = 0;
    macro_rules! send {
        ({ $($default:tt)* } $({ [$($place:literal),*] $($case:tt)* })*) => {
            n += 1;
            assert!(!waits! {
                sent = log.tx(0).send(log.value(1, n)) => sent.unwrap(),
                $($($case)*)*
                $($default)*
            });
            assert_eq!(log.open.1.try_recv(), Ok(n));
            log.assert_order(&[0, 1, $($($place,)*)*]);

            let mut head = Some(n);
            assert!(!waits! {
                $($default)*
                $($($case)*)*
                sent = log.tx(98).send_from({ log.value(99, 0); &mut head }) => sent.unwrap(),
            });
            assert_eq!((log.open.1.try_recv(), head), (Ok(n), None));
            log.assert_order(&[$($($place,)*)* 98, 99]);
        };
    }
    in_each_company!(send! log {});
    in_each_company!(send! log { default => unreachable!(), });
    assert_eq!(n, 32);
}

/// `test/chan/select5.go`, where nothing is ready.
#[test]
pub(crate) fn nothing_happens_in_any_company_of_cases_that_are_not_ready() {
    let log = Log::new();
    let mut n = 0;
    macro_rules! neither {
        ({} $({ [$($place:literal),*] $($case:tt)* })*) => {
            n += 1;
            let mut x = 0;
            assert!(!waits! { default => x = n, $($($case)*)* });
            assert_eq!(x, n);
            log.assert_order(&[$($($place,)*)*]);
            assert!(!waits! { $($($case)*)* default => x += n });
            assert_eq!(x, 2 * n);
            log.assert_order(&[$($($place,)*)*]);
            assert!(waits! { $($($case)*)* });
            log.assert_order(&[$($($place,)*)*]);
        };
    }
    in_each_company!(neither! log {});
    assert_eq!(n, 16);
}

/// `test/chan/select8.go`: `break` in a body, whatever the number of cases.
#[test]
#[allow(clippy::never_loop)]
pub(crate) fn break_leaves_the_block_around_a_select_of_any_size() {
    let (tx, rx) = full(4);
    let done = async {
        'one: {
            select! { _ = rx.recv() => break 'one }
            #[allow(unreachable_code)]
            {
                unreachable!()
            }
        }
        for n in 0.. {
            assert_eq!(n, 0);
            select! { default => break }
        }
        for n in 0.. {
            assert_eq!(n, 0);
            select! { _ = rx.recv() => break, default => unreachable!() }
        }
        for n in 0.. {
            assert_eq!(n, 0);
            select! { _ = rx.recv() => break, _ = std::future::pending::<()>() => {} }
        }
        'outer: for n in 0.. {
            assert_eq!(n, 0);
            loop {
                select! {
                    _ = rx.recv() => break 'outer,
                    _ = tx.send(10), if n > 0 => unreachable!(),
                    default => unreachable!(),
                }
            }
        }
    };
    assert!(done.now_or_never().is_some());
    assert!(rx.is_empty());
}

/// `test/chan/sendstmt.go`: a channel that is itself received from a channel, in a case.
#[test]
pub(crate) fn a_case_may_send_to_a_channel_that_it_has_to_fetch_first() {
    let ((channels_tx, channels), (tx, rx)) = (channel(2), channel(2));
    for _ in 0..2 {
        channels_tx.try_send(tx.clone()).unwrap();
    }
    // The fetched sender is a temporary, and lives until the choice is made.
    select! {
        sent = channels.try_recv().unwrap().send(2) => sent.unwrap(),
        default => unreachable!(),
    }
    assert_eq!(rx.try_recv(), Ok(2));
    assert!(!waits! { sent = channels.recv().await.unwrap().send(1 | 2) => sent.unwrap() });
    assert_eq!(rx.try_recv(), Ok(3));
    assert!(channels.is_empty());
}

/// `TestChanSendInterface`: values that are boxes, offered to a channel that is full. What is not sent
/// is dropped, once, and what is sent is received.
#[test]
pub(crate) fn boxes_that_a_full_channel_does_not_take_are_dropped_once() {
    let drops = Drops::new(5);
    let make = |n| -> Box<dyn std::fmt::Debug + Send> { Box::new(drops.probe(n)) };
    let (tx, rx) = channel(1);
    tx.try_send(make(0)).unwrap();
    select! { _ = tx.send(make(1)) => unreachable!(), default => {} }
    select! {
        _ = tx.send(make(2)) => unreachable!(),
        _ = tx.send(make(3)) => unreachable!(),
        default => {}
    }
    assert_eq!(drops.dropped(), 3);
    let first = rx.try_recv().unwrap();
    assert_eq!(drops.dropped(), 3);
    drop(first);
    select! { sent = tx.send(make(4)) => sent.unwrap(), default => unreachable!() }
    assert_eq!(drops.dropped(), 4);
    drop((tx, rx));
    drops.assert_each_once("boxes");
}
