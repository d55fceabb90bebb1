//! A channel for one value: the value arrives, or its sender has it back, or it is dropped with the receiver;
//! nobody waits for ever.
//!
//! Seen to fail: with a clone of a waker that is put into its place without another look, and with an
//! `end_receiving` that wakes nobody (deadlocks); with a `send` that does not heed `is_closed`.

use std::sync::Arc;
use std::task::{Poll, Waker};

use loom::cell::UnsafeCell;
use loom::thread;

use crate::explore::{ALL, block, explore};
use crate::scheduler::gate;
use crate::sync::oneshot::{Closed, Shared};

/// A value, with memory that its sender has written.
struct Value(UnsafeCell<u32>);

impl Value {
    fn new() -> Self {
        let value = Value(UnsafeCell::new(0));
        value.0.with_mut(|memory| {
            // SAFETY: loom panics before this if the access is not exclusive.
            unsafe { *memory = 7 }
        });
        value
    }

    fn read(&self) -> u32 {
        self.0.with(|memory| {
            // SAFETY: loom panics before this if somebody writes.
            unsafe { *memory }
        })
    }
}

fn receive(shared: &Shared<Value>) -> Result<u32, Closed> {
    block(|waker| shared.poll_recv(waker)).map(|value| value.read())
}

#[test]
fn a_value_arrives_with_its_memory() {
    explore(ALL, || {
        let shared = Arc::new(Shared::new());
        let sends = {
            let shared = shared.clone();
            thread::spawn(move || assert!(shared.send(Value::new()).is_ok()))
        };
        assert_eq!(receive(&shared), Ok(7));
        sends.join().unwrap();
    });
}

#[test]
fn a_receiver_learns_that_none_comes() {
    explore(ALL, || {
        let shared = Arc::new(Shared::<Value>::new());
        let goes = {
            let shared = shared.clone();
            thread::spawn(move || shared.end_without_value())
        };
        assert_eq!(receive(&shared), Err(Closed));
        goes.join().unwrap();
    });
}

/// A `timeout` elapses. What was sent before is received in its last poll, or later, and wakes the waiter anew.
#[test]
fn a_value_that_comes_with_the_end_of_a_timeout_is_not_lost() {
    explore(ALL, || {
        let shared = Arc::new(Shared::new());
        assert!(shared.poll_recv(Waker::noop()).is_pending());
        let sends = {
            let shared = shared.clone();
            thread::spawn(move || assert!(shared.send(Value::new()).is_ok()))
        };
        let value = match gate::withdraw(|| shared.poll_recv(Waker::noop())) {
            Poll::Ready(value) => value.map(|value| value.read()),
            Poll::Pending => receive(&shared),
        };
        assert_eq!(value, Ok(7));
        sends.join().unwrap();
    });
}

#[test]
fn a_value_is_given_back_or_there_when_the_receiver_closes() {
    explore(ALL, || {
        let shared = Arc::new(Shared::new());
        let sends = {
            let shared = shared.clone();
            thread::spawn(move || shared.send(Value::new()).map_err(|error| error.0.read()))
        };
        shared.close();
        let received = receive(&shared);
        match sends.join().unwrap() {
            Ok(()) => assert_eq!(received, Ok(7)),
            Err(value) => assert_eq!((received, value), (Err(Closed), 7)),
        }
    });
}

#[test]
fn a_sender_that_waits_learns_that_the_receiver_has_gone() {
    explore(ALL, || {
        let shared = Arc::new(Shared::<Value>::new());
        let goes = {
            let shared = shared.clone();
            thread::spawn(move || shared.end_receiving())
        };
        block(|waker| shared.poll_closed(waker));
        goes.join().unwrap();
        assert!(shared.send(Value::new()).is_err());
    });
}
