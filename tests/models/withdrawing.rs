//! Operations whose `timeout` has elapsed: what is reported as late has not happened, and what happened is
//! reported.
//!
//! Seen to fail with any one of these: a receive that leaves the wait queue without looking whether it
//! has been served ("sent, and not received"); a send that withdraws by saying pending only ("received, and
//! not sent"); a select that goes on to wait after it has withdrawn (likewise); one that withdraws and does
//! not look at its channels again when it is polled again (deadlock).

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use loom::thread;

use crate::chan::core::Core;
use crate::chan::recv::{Recv, try_recv};
use crate::chan::send::{Send, try_send};
use crate::channels::block_on;
use crate::explore::{explore, neighbours};
use crate::scheduler::gate;
use crate::select::case_kinds::kind;
use crate::select::cases::{And, Nil};
use crate::select::future::wait;

/// As a `timeout` polls whose time is up: once, and once more for operations to withdraw.
fn too_late<F: Future>(mut future: Pin<&mut F>) -> Option<F::Output> {
    let mut cx = Context::from_waker(Waker::noop());
    if let Poll::Ready(output) = future.as_mut().poll(&mut cx) {
        return Some(output);
    }
    match gate::withdraw(|| future.poll(&mut cx)) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}

#[test]
fn a_send_that_has_elapsed_has_not_happened() {
    for capacity in [0, 1] {
        explore(Some(3), move || {
            let core = Arc::new(Core::new(capacity));
            if capacity == 1 {
                try_send(&core, 0).unwrap();
            }
            let receiver = thread::spawn({
                let core = core.clone();
                move || (0..2).filter_map(|_| try_recv(&core).ok()).collect::<Vec<_>>()
            });
            let mut send = pin!(Send::new(&core, 1));
            let is_sent = too_late(send.as_mut()).is_some();
            let mut received = receiver.join().unwrap();
            received.extend(try_recv(&core).ok());
            received.extend(try_recv(&core).ok());
            assert_eq!(received.contains(&1), is_sent, "received {received:?}, sent: {is_sent}");
        });
    }
}

#[test]
fn a_receive_that_has_elapsed_has_taken_nothing() {
    explore(Some(3), || {
        let core = Arc::new(Core::new(0));
        let sender = thread::spawn({
            let core = core.clone();
            move || try_send(&core, 1).is_ok()
        });
        let mut receive = pin!(Recv::new(&core));
        let received = too_late(receive.as_mut());
        let is_sent = sender.join().unwrap();
        assert_eq!(received.is_some(), is_sent, "received {received:?}, sent: {is_sent}");
    });
}

#[test]
fn a_select_that_has_elapsed_has_not_happened() {
    explore(Some(2), || {
        let (a, b) = neighbours(Core::new(0), Core::new(0));
        let receiver = thread::spawn({
            let (a, b) = (a.clone(), b.clone());
            move || try_recv(&a).ok().or_else(|| try_recv(&b).ok())
        });
        let mut select = pin!(wait(And {
            rest: And { rest: Nil, case: Some(kind(Send::new(&b, 2)).case()) },
            case: Some(kind(Send::new(&a, 1)).case()),
        }));
        let is_sent = too_late(select.as_mut()).is_some();
        let received = receiver.join().unwrap();
        assert_eq!(received.is_some(), is_sent, "received {received:?}, sent: {is_sent}");
        assert!(try_recv(&a).is_err() && try_recv(&b).is_err(), "it still waits");
    });
}

#[test]
fn what_has_withdrawn_and_is_kept_waits_anew() {
    explore(Some(2), || {
        let (a, b) = neighbours(Core::new(0), Core::new(0));
        let receiver = thread::spawn({
            let (a, b) = (a.clone(), b.clone());
            move || (block_on(Recv::new(&a)), block_on(Recv::new(&b)))
        });
        let mut send = pin!(Send::new(&a, 1));
        match too_late(send.as_mut()) {
            Some(sent) => sent.unwrap(),
            None => block_on(send).unwrap(),
        }
        let case = Some(kind(Send::new(&b, 2)).case());
        let mut select = pin!(wait(And { rest: Nil, case }));
        if too_late(select.as_mut()).is_none() {
            block_on(select);
        }
        assert_eq!(receiver.join().unwrap(), (Some(1), Some(2)));
    });
}
