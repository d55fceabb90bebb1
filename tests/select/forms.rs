//! What can be written, what is evaluated, when, and what may be done in a body.

use std::cell::{Cell, RefCell};
use std::future::{Future, pending, poll_fn, ready};
use std::rc::Rc;
use std::task::Poll;

use gorun::{Receiver, SendError, Sender, block_on, channel, select, spawn};
use tokio_test::{assert_pending, assert_ready_eq, task};

use crate::common::*;

#[test]
pub(crate) fn each_kind_of_case_gives_its_output() {
    block_on(async {
        let (tx, rx) = channel(1);
        let sent = select! { result = tx.send(7) => result };
        assert_eq!(sent, Ok(()));
        assert_eq!(select! { value = rx.recv() => value }, Some(7));
        let mut option = Some(8);
        assert_eq!(select! { result = tx.send_from(&mut option) => result }, Ok(()));
        assert_eq!((option, rx.try_recv()), (None, Ok(8)));
        assert_eq!(select! { word = ready("word") => word }, "word");
        assert_eq!(select! { n = async { 1 } => n + 1 }, 2);
        rx.close();
        assert_eq!(select! { value = rx.recv() => value }, None);
        assert_eq!(select! { result = tx.send(9) => result }, Err(SendError(9)));
        option = Some(10);
        assert_eq!(select! { r = tx.send_from(&mut option) => r }, Err(SendError(())));
        assert_eq!(option, Some(10));
    });
}

#[test]
pub(crate) fn commas_are_optional_after_braces() {
    block_on(async {
        let (tx, rx) = channel(1);
        for n in 0..10 {
            select! {
                _ = tx.send(n) => {}
                Some(()) | None = pending::<Option<()>>() => {},
                value = rx.recv() => assert!(value.is_some()),
                _ = pending::<()>(), if n > 100 => {}
                _ = pending::<()>(), if n > 100 => {},
                _ = pending::<()>(), if n > 100 => ()
            }
        }
        let what = select! {
            _ = pending::<()>() => { 1 }
            default => { 2 }
        };
        assert_eq!(what, 2);
        assert_eq!(select! { default => 3, _ = pending::<()>() => 4 }, 3);
        assert_eq!(select! { default => { 3 }, _ = pending::<()>() => 4, }, 3);
        assert_eq!(select! { default => 5 }, 5);
    });
}

/// What another macro has parsed already is one token, which is not taken apart again.
#[test]
pub(crate) fn bodies_can_be_expressions_of_another_macro() {
    macro_rules! receive_or {
        ($receiver:expr, $received:expr, $default:expr) => {
            select! {
                _ = $receiver.recv() => $received,
                default => $default
            }
        };
    }
    let (sender, receiver) = channel::<u32>(1);
    assert_eq!(receive_or!(receiver, 1, { 2 }), 2);
    sender.try_send(0).unwrap();
    assert_eq!(receive_or!(receiver, 1, 2), 1);
}

#[test]
pub(crate) fn patterns_take_values_apart() {
    block_on(async {
        struct Point {
            x: u32,
            y: u32,
        }
        let (tx, rx) = channel(1);
        tx.send(1).await.unwrap();
        let sum = select! {
            Point { x, y: mut z } = ready(Point { x: 1, y: 2 }), if true => {
                z += x;
                z
            }
            (Ok(a) | Err(a)) = pending::<Result<u32, u32>>() => a,
            _ = rx.recv(), if false => 0,
        };
        assert_eq!(sum, 3);
    });
}

/// Whatever a `let` accepts. A binding by reference borrows from the outcome, which lives as long as the
/// body runs.
#[test]
pub(crate) fn every_irrefutable_pattern_is_possible() {
    #[derive(Debug, PartialEq)]
    struct Point {
        x: String,
        y: (u32, String),
    }
    struct Unit(u32);
    let point = || ready(Point { x: "x".to_owned(), y: (1, "y".to_owned()) });
    block_on(async {
        // By value, all three shapes of a body, with and without a condition.
        assert_eq!(select! { mut n = ready(1) => { n += 1; n } }, 2);
        assert_eq!(select! { mut n = ready(1), if true => { n += 1; n }, }, 2);
        assert_eq!(select! { (mut a, b) = ready((1, 2)) => std::mem::replace(&mut a, b) }, 1);
        assert_eq!(select! { Unit(mut n) = ready(Unit(1)) => { n += 1; n } }, 2);
        assert_eq!(select! { [first, .., last] = ready([1, 2, 3]) => first + last }, 4);
        assert_eq!(select! { &n = ready(&5) => n }, 5);
        // By reference.
        assert_eq!(select! { ref text = ready("text".to_owned()) => text.len() }, 4);
        assert_eq!(select! { ref text = ready("text".to_owned()), if true => text.len() }, 4);
        let text = select! {
            ref mut text = ready("text".to_owned()) => {
                text.push('!');
                text.clone()
            }
        };
        assert_eq!(text, "text!");
        let text = select! {
            ref mut text = ready("text".to_owned()), if true => std::mem::take(text),
        };
        assert_eq!(text, "text");
        let text = select! {
            (ref mut n, ref text) = ready((1, "text".to_owned())), if true => {
                *n += 1;
                format!("{n}{text}")
            },
        };
        assert_eq!(text, "2text");
        let y = select! {
            Point { ref x, y: (ref mut n, ref mut y) } = point() => {
                y.push_str(x);
                *n += 1;
                (*n, std::mem::take(y))
            }
        };
        assert_eq!(y, (2, "yx".to_owned()));
        let y = select! {
            Point { ref mut x, ref y } = point() => { x.push_str(&y.1); std::mem::take(x) }
        };
        assert_eq!(y, "xy");
        // With a name for the whole.
        let whole = select! { whole @ Point { .. } = point() => whole };
        assert_eq!(whole.y.0, 1);
        let whole = select! { mut whole @ Point { .. } = point() => { whole.y.0 = 2; whole } };
        assert_eq!(whole.y.0, 2);
        let lengths = select! {
            ref whole @ Point { ref x, .. } = point() => (whole.y.1.len(), x.len()),
        };
        assert_eq!(lengths, (1, 1));
        let whole = select! {
            ref mut whole @ Point { .. } = point(), if true => std::mem::take(&mut whole.x)
        };
        assert_eq!(whole, "x");
        assert_eq!(select! { all @ (a, _) = ready((1, 2)) => (all, a) }, ((1, 2), 1));
        // At channels, with company, and without waiting.
        let (tx, rx) = channel(1);
        let (ref mut option, ref other) = (Some("sent".to_owned()), 0);
        let is_sent = select! {
            ref sent @ (Ok(()) | Err(_)) = tx.send_from(option) => sent.is_ok(),
            ref mut word = pending::<String>() => word.is_empty(),
            default => *other == 1
        };
        assert!(is_sent);
        let received = select! {
            ref mut value = rx.recv() => value.take(),
            mut value @ (Some(_) | None) = pending::<Option<String>>() => value.take(),
        };
        assert_eq!(received.as_deref(), Some("sent"));
    });
}

#[test]
pub(crate) fn conditions_come_first_then_the_futures_of_enabled_cases_in_order() {
    let log = RefCell::new(Vec::new());
    let say = |what: &'static str| {
        log.borrow_mut().push(what);
        true
    };
    let future = |what: &'static str| {
        say(what);
        pending::<()>()
    };
    select! {
        () = future("a") => {}
        () = future("b"), if say("if b") => {}
        () = future("c"), if !say("if c") => {}
        default => { say("default"); }
        () = future("d") => {}
        () = future("e"), if say("if e") => {}
    }
    assert_eq!(*log.borrow(), ["if b", "if c", "if e", "a", "b", "d", "e", "default"]);
}

#[test]
pub(crate) fn all_futures_are_dropped_before_the_body_runs() {
    block_on(async {
        let alive = Cell::new(0);
        let guarded = |output: Option<u32>| {
            alive.set(alive.get() + 1);
            let guard = OnDrop(|| alive.set(alive.get() - 1));
            async move {
                let _guard = guard;
                match output {
                    Some(output) => output,
                    None => pending().await,
                }
            }
        };
        let n = select! {
            _ = guarded(None) => 0,
            n = guarded(Some(7)) => {
                assert_eq!(alive.get(), 0);
                n
            }
            _ = guarded(None), if true => 0,
        };
        assert_eq!(n, 7);
        select! {
            _ = guarded(None) => {}
            default => assert_eq!(alive.get(), 0),
        }
        // So a body may use what a future borrowed.
        let mut list = vec![1];
        let (tx, _rx) = channel(1);
        select! {
            _ = async { list.push(2); pending::<()>().await } => {}
            _ = tx.send(()) => list.push(3),
        }
        assert_eq!(list.last(), Some(&3));
    });
}

fn after(n: u32) -> Receiver<u32> {
    let (tx, rx) = channel(1);
    tx.try_send(n).unwrap();
    rx
}

#[test]
pub(crate) fn temporaries_live_as_long_as_the_wait() {
    block_on(async {
        let dropped = flag();
        struct Timer(Receiver<u32>, std::sync::Arc<std::sync::atomic::AtomicBool>);
        impl Drop for Timer {
            fn drop(&mut self) {
                self.1.store(true, std::sync::atomic::Ordering::SeqCst);
            }
        }
        assert_eq!(select! { n = after(7).recv() => n }, Some(7));
        select! {
            n = Timer(after(8), dropped.clone()).0.recv() => {
                assert_eq!(n, Some(8));
                assert!(dropped.load(std::sync::atomic::Ordering::SeqCst));
            }
            _ = pending::<()>() => {}
        }
        let n = select! {
            n = Timer(after(9), dropped.clone()).0.recv() => n,
            default => None,
        };
        assert_eq!(n, Some(9));
    });
}

#[test]
pub(crate) fn control_flow_in_bodies_acts_on_what_is_around() {
    async fn first_even(rx: &Receiver<u32>, stop: &Receiver<()>) -> Result<u32, String> {
        'outer: loop {
            loop {
                select! {
                    n = rx.recv() => {
                        let n = n.ok_or("closed")?;
                        if n == 99 { continue 'outer }
                        if n % 2 == 0 { return Ok(n) }
                        if n == 77 { break 'outer }
                        async {}.await;
                    }
                    _ = stop.recv() => break,
                }
            }
            return Err("stopped".into());
        }
        Err("seventy-seven".into())
    }
    block_on(async {
        let (tx, rx) = channel(9);
        let (stop_tx, stop) = channel(1);
        for n in [1, 99, 3, 4, 77] {
            tx.send(n).await.unwrap();
        }
        assert_eq!(first_even(&rx, &stop).await, Ok(4));
        assert_eq!(first_even(&rx, &stop).await, Err("seventy-seven".into()));
        stop_tx.send(()).await.unwrap();
        assert_eq!(first_even(&rx, &stop).await, Err("stopped".into()));
        drop(tx);
        assert_eq!(first_even(&rx, &stop).await, Err("closed".into()));
    });
}

#[test]
pub(crate) fn with_default_it_works_in_a_plain_function() {
    fn poll(tx: &Sender<u32>, rx: &Receiver<u32>) -> &'static str {
        select! {
            _ = tx.send(1) => "sent",
            Some(_) | None = rx.recv() => "received",
            default => "neither",
        }
    }
    let (tx, rx) = channel(0);
    assert_eq!(poll(&tx, &rx), "neither");
    let (full, _keep) = channel(1);
    assert_eq!(poll(&full, &rx), "sent");
    assert_eq!(poll(&full, &rx), "neither");
    let mut send = task::spawn(tx.send(1));
    assert_pending!(send.poll());
    assert_eq!(poll(&full, &rx), "received");
    assert_ready_eq!(send.poll(), Ok(()));
}

#[test]
pub(crate) fn with_all_cases_disabled_it_waits_for_ever_or_takes_default() {
    let (_tx, rx) = channel::<u32>(1);
    let no = false;
    let mut waits = task::spawn(async {
        select! { _ = rx.recv(), if no => {} }
    });
    assert_pending!(waits.poll());
    let mut waits = task::spawn(async {
        select! {}
    });
    assert_pending!(waits.poll());
    assert!(!waits.is_woken());
    assert!(select! { _ = rx.recv(), if no => false, default => true });
}

#[test]
pub(crate) fn futures_need_not_be_send_in_main() {
    run(1, async {
        let shared = Rc::new(7);
        let (_tx, rx) = channel::<Rc<u32>>(1);
        let n = select! {
            n = { let shared = shared.clone(); async move { *shared } } => n,
            n = rx.recv() => *n.unwrap(),
        };
        assert_eq!(n, 7);
    });
}

#[test]
pub(crate) fn it_can_be_sent_if_its_parts_can() {
    fn is_send<F: Send>(future: F) -> F {
        future
    }
    async fn generic<T: Send + 'static>(tx: Sender<T>, rx: Receiver<T>, value: T) -> Option<T> {
        let mut option = Some(value);
        loop {
            let has = option.is_some();
            select! {
                value = rx.recv() => return value,
                sent = tx.send_from(&mut option), if has => sent.unwrap(),
            }
        }
    }
    run(2, async {
        let (tx, rx) = channel(1);
        assert_eq!(spawn(is_send(generic(tx, rx, 7))).await.unwrap(), Some(7));
        let (tx, rx) = channel::<Box<dyn Send>>(0);
        // An output that is not `Send` is not kept across an await.
        let n = spawn(is_send(async move {
            select! {
                _ = rx.recv() => 1,
                _ = tx.send(Box::new(1)), if false => 2,
                rc = async { Rc::new(3) } => *rc,
            }
        }));
        assert_eq!(n.await.unwrap(), 3);
    });
}

/// A pinned reference keeps its place; a `Recv` that was polled gives it up, and loses nothing.
#[test]
pub(crate) fn futures_that_were_polled_before_can_be_cases() {
    block_on(async {
        let (tx, rx) = channel(0);
        let mut recv = Box::pin(rx.recv());
        assert!(poll_fn(|cx| Poll::Ready(recv.as_mut().poll(cx).is_pending())).await);
        tx.try_send(1).unwrap();
        assert_eq!(select! { value = &mut recv => value }, Some(1));

        let mut recv = rx.recv();
        assert!(poll_fn(|cx| Poll::Ready(std::pin::pin!(&mut recv).poll(cx).is_pending())).await);
        tx.try_send(2).unwrap();
        assert_eq!(select! { value = recv => value }, Some(2));

        let mut send = tx.send(3);
        assert!(poll_fn(|cx| Poll::Ready(std::pin::pin!(&mut send).poll(cx).is_pending())).await);
        assert_eq!(rx.try_recv(), Ok(3));
        assert_eq!(select! { result = send => result }, Ok(()));
        let mut send = tx.send(4);
        assert!(poll_fn(|cx| Poll::Ready(std::pin::pin!(&mut send).poll(cx).is_pending())).await);
        assert!(select! { _ = send => false, default => true });
        assert!(rx.try_recv().is_err());
    });
}

macro_rules! of_each {
    ($receivers:ident: $($number:literal)*) => {
        select! { $(value = $receivers[$number].recv() => (value, $number),)* }
    };
}

#[test]
pub(crate) fn sixty_four_cases_are_possible() {
    run(2, async {
        let (senders, receivers): (Vec<_>, Vec<_>) = (0..64).map(|_| channel(0)).unzip();
        spawn(async move {
            for (n, tx) in senders.iter().enumerate() {
                tx.send(n).await.unwrap();
            }
            std::future::pending::<()>().await;
        });
        for n in 0..64 {
            let got = of_each!(receivers: 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23
                24 25 26 27 28 29 30 31 32 33 34 35 36 37 38 39 40 41 42 43 44 45 46 47 48 49 50 51 52
                53 54 55 56 57 58 59 60 61 62 63);
            assert_eq!(got, (Some(n), n));
        }
    });
}
