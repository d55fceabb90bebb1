//! The user's code, in wakers and destructors, uses the very channel that calls it.

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, RawWaker, RawWakerVTable, Wake, Waker};
use std::{future::Future, pin::pin};

use gorun::{Receiver, Sender, channel};
use tokio_test::{assert_pending, task};

use crate::common::*;

/// Looks at its channel whenever it is cloned, woken or dropped.
struct Nosy {
    channel: Mutex<Option<(Sender<u32>, Receiver<u32>)>>,
    calls: AtomicUsize,
}

impl Nosy {
    fn look(&self) {
        self.calls.fetch_add(1, SeqCst);
        // `try_lock`, as this may come from a clone of the channel in here.
        if let Ok(channel) = self.channel.try_lock()
            && let Some((tx, rx)) = &*channel
        {
            assert!(tx.len() <= 2 && rx.len() <= 2);
            let _ = (tx.try_send(100), rx.try_recv());
        }
    }
}

const VTABLE: RawWakerVTable = RawWakerVTable::new(
    |data| {
        // SAFETY: the data pointer of each waker made here is an `Arc<Nosy>`.
        let nosy = unsafe { Arc::from_raw(data.cast::<Nosy>()) };
        nosy.look();
        let clone = Arc::into_raw(nosy.clone());
        std::mem::forget(nosy);
        RawWaker::new(clone.cast(), &VTABLE)
    },
    |data| {
        // SAFETY: as above; waking consumes it.
        unsafe { Arc::from_raw(data.cast::<Nosy>()) }.look();
    },
    |data| {
        // SAFETY: as above, borrowed.
        unsafe { &*data.cast::<Nosy>() }.look();
    },
    |data| {
        // SAFETY: as above; dropping consumes it.
        unsafe { Arc::from_raw(data.cast::<Nosy>()) }.look();
    },
);

fn nosy_waker(nosy: &Arc<Nosy>) -> Waker {
    // SAFETY: the functions of the vtable keep the contract of `RawWaker`, with an `Arc`'s count.
    unsafe { Waker::from_raw(RawWaker::new(Arc::into_raw(nosy.clone()).cast(), &VTABLE)) }
}

#[test]
fn wakers_that_use_the_channel_find_it_unlocked() {
    let _watchdog = watchdog();
    for capacity in [0, 1] {
        let (tx, rx) = channel(capacity);
        let nosy = Arc::new(Nosy {
            channel: Mutex::new(Some((tx.clone(), rx.clone()))),
            calls: AtomicUsize::new(0),
        });
        let (first, second) = (nosy_waker(&nosy), nosy_waker(&nosy));
        // Clone, replace, wake; then clone and drop.
        for end in 0..3 {
            let mut recv = pin!(rx.recv());
            for waker in [&first, Waker::noop(), &second] {
                // What a waker itself sends may be received.
                let _ = recv.as_mut().poll(&mut Context::from_waker(waker));
            }
            match end {
                0 => {
                    let _ = tx.try_send(1);
                }
                1 => {}
                _ => tx.close(),
            }
        }
        for end in 0..2 {
            let (tx, rx) = channel(0);
            *nosy.channel.lock().unwrap() = Some((tx.clone(), rx.clone()));
            let mut send = Box::pin(tx.send(2));
            for waker in [&first, Waker::noop(), &second] {
                if send.as_mut().poll(&mut Context::from_waker(waker)).is_ready() {
                    break;
                }
            }
            if end == 0 {
                let _ = rx.try_recv();
            } else {
                drop(send);
            }
        }
        assert!(nosy.calls.load(SeqCst) > 8);
        nosy.channel.lock().unwrap().take();
    }
}

/// Sends its name into a channel when it is dropped.
struct Testament(Option<Sender<Testament>>, u32, Arc<Mutex<Vec<u32>>>);

impl Drop for Testament {
    fn drop(&mut self) {
        self.2.lock().unwrap().push(self.1);
        if let Some(tx) = self.0.take() {
            let _ = (tx.len(), tx.is_closed());
            let _ = tx.try_send(Testament(None, self.1 + 10, self.2.clone()));
        }
    }
}

#[test]
fn a_sender_whose_waker_makes_room_when_it_is_cloned_does_not_wait() {
    let _watchdog = watchdog();
    let (tx, rx) = channel(1);
    tx.try_send(1).unwrap();
    let nosy = Arc::new(Nosy {
        channel: Mutex::new(Some((tx.clone(), rx.clone()))),
        calls: AtomicUsize::new(0),
    });
    let waker = nosy_waker(&nosy);
    // Otherwise it would wait in front of a channel with room, and nobody would wake it.
    let polled = pin!(tx.send(2)).poll(&mut Context::from_waker(&waker));
    assert_eq!(polled, Poll::Ready(Ok(())));
    nosy.channel.lock().unwrap().take();
}

#[test]
fn values_whose_destructors_use_the_channel_find_it_unlocked() {
    let _watchdog = watchdog();
    let log = Arc::new(Mutex::new(Vec::new()));
    let (tx, rx) = channel(3);
    for n in 0..3 {
        assert!(tx.try_send(Testament(Some(tx.clone()), n, log.clone())).is_ok());
    }
    let mut send = task::spawn(tx.send(Testament(Some(tx.clone()), 3, log.clone())));
    assert_pending!(send.poll());
    drop(send);
    drop(rx);
    let mut log = std::mem::take(&mut *log.lock().unwrap());
    log.sort();
    assert_eq!(log, [0, 1, 2, 3, 10, 11, 12, 13]);
}

#[test]
fn a_destructor_that_panics_leaves_the_channel_usable() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("boom")
        }
    }
    quiet();
    let (tx, rx) = channel(2);
    let second = rx.clone();
    assert!(tx.try_send(Some(Bomb)).is_ok());
    drop(rx);
    payload_of(|| drop(second));
    assert!(tx.is_closed() && tx.is_empty());
    assert!(tx.try_send(None).is_err());
}

#[test]
fn a_waker_that_panics_leaves_the_channel_usable() {
    struct Panics;
    impl Wake for Panics {
        fn wake(self: Arc<Self>) {
            panic!("boom")
        }
    }
    quiet();
    let (tx, rx) = channel(0);
    let waker = Waker::from(Arc::new(Panics));
    let mut recv = Box::pin(rx.recv());
    assert!(recv.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    payload_of(|| tx.try_send(1));
    assert_eq!(recv.as_mut().poll(&mut Context::from_waker(&waker)), Poll::Ready(Some(1)));
    assert!(tx.try_send(2).is_err());
}

#[test]
fn a_waker_that_panics_at_close_does_not_cost_others_their_wake_up() {
    struct Panics;
    impl Wake for Panics {
        fn wake(self: Arc<Self>) {
            panic!("boom")
        }
    }
    type End = fn(Sender<u32>);
    for end in [(|tx| tx.close()) as End, drop] {
        let _watchdog = watchdog();
        let (tx, rx) = channel::<u32>(0);
        let waker = Waker::from(Arc::new(Panics));
        let mut first = Box::pin(rx.recv());
        assert!(first.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        let mut second = task::spawn(rx.recv());
        assert_pending!(second.poll());
        assert_eq!(message(&*payload_of(|| end(tx))), Some("boom"));
        assert!(second.is_woken());
    }
}
