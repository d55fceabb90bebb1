//! The user's code, in wakers and destructors, uses the very channel that calls it.

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, RawWaker, RawWakerVTable, Wake, Waker};
use std::{future::Future, pin::pin};

use gorun::{Receiver, SendError, Sender, TryRecvError, channel};
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
pub(crate) fn wakers_that_use_the_channel_find_it_unlocked() {
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
pub(crate) fn a_sender_whose_waker_makes_room_when_it_is_cloned_does_not_wait() {
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
pub(crate) fn values_whose_destructors_use_the_channel_find_it_unlocked() {
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
pub(crate) fn a_destructor_that_panics_leaves_the_channel_usable() {
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
pub(crate) fn a_waker_that_panics_leaves_the_channel_usable() {
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
    assert_eq!(tx.try_send(1), Ok(()), "what has been sent is told");
    assert_eq!(recv.as_mut().poll(&mut Context::from_waker(&waker)), Poll::Ready(Some(1)));
    assert!(tx.try_send(2).is_err());
}

#[test]
pub(crate) fn a_waker_that_panics_at_close_does_not_cost_others_their_wake_up() {
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
        end(tx);
        assert!(second.is_woken());
    }
}

/// A waker of which each function does what the test says, once for each time it is set.
#[derive(Default)]
struct Hooked {
    on_clone: Hook,
    on_wake: Hook,
    on_drop: Hook,
}

type Hook = Mutex<Option<Box<dyn FnOnce() + Send>>>;

impl Hooked {
    fn call(hook: &Hook) {
        let hook = hook.lock().unwrap().take();
        if let Some(hook) = hook {
            hook();
        }
    }
}

const HOOKED: RawWakerVTable = RawWakerVTable::new(
    |data| {
        // SAFETY: the data pointer of each waker made here is a `Hooked` that is never freed.
        Hooked::call(unsafe { &(*data.cast::<Hooked>()).on_clone });
        RawWaker::new(data, &HOOKED)
    },
    // SAFETY: as above.
    |data| Hooked::call(unsafe { &(*data.cast::<Hooked>()).on_wake }),
    // SAFETY: as above.
    |data| Hooked::call(unsafe { &(*data.cast::<Hooked>()).on_wake }),
    // SAFETY: as above.
    |data| Hooked::call(unsafe { &(*data.cast::<Hooked>()).on_drop }),
);

/// The waker that a test holds goes without a call.
fn hooked() -> (&'static Hooked, std::mem::ManuallyDrop<Waker>) {
    /// So that the leak sanitizer can reach them.
    static ALL: Mutex<Vec<&'static Hooked>> = Mutex::new(Vec::new());
    let hooked: &'static Hooked = Box::leak(Box::default());
    ALL.lock().unwrap().push(hooked);
    // SAFETY: the functions of the vtable keep the contract of `RawWaker`: the data lives for ever, and
    // is behind locks.
    let waker =
        unsafe { Waker::from_raw(RawWaker::new(std::ptr::from_ref(hooked).cast(), &HOOKED)) };
    (hooked, std::mem::ManuallyDrop::new(waker))
}

fn set(hook: &Hook, action: impl FnOnce() + Send + 'static) {
    *hook.lock().unwrap() = Some(Box::new(action));
}

fn poll_with<F: Future + Unpin>(future: &mut F, waker: &Waker) -> Poll<F::Output> {
    std::pin::Pin::new(future).poll(&mut Context::from_waker(waker))
}

/// Two that wait now get different slots, and values in their order.
fn assert_two_can_wait(tx: &Sender<u32>, rx: &Receiver<u32>) {
    let (mut first, mut second) = (task::spawn(rx.recv()), task::spawn(rx.recv()));
    assert_pending!(first.poll());
    assert_pending!(second.poll());
    for value in [7, 8] {
        tx.try_send(value).unwrap();
    }
    assert_eq!(first.poll(), Poll::Ready(Some(7)));
    assert_eq!(second.poll(), Poll::Ready(Some(8)));
    let (mut first, mut second) = (task::spawn(tx.send(7)), task::spawn(tx.send(8)));
    assert_pending!(first.poll());
    assert_pending!(second.poll());
    assert_eq!((rx.try_recv(), rx.try_recv()), (Ok(7), Ok(8)));
    assert_eq!((first.poll(), second.poll()), (Poll::Ready(Ok(())), Poll::Ready(Ok(()))));
}

/// It is served while a clone is made, which is not needed then, and panics when it is dropped.
#[test]
pub(crate) fn a_clone_that_panics_when_it_is_dropped_does_not_cost_a_receive_its_value() {
    quiet();
    let (tx, rx) = channel(0);
    let (hooked, waker) = hooked();
    let mut recv = rx.recv();
    assert!(poll_with(&mut recv, Waker::noop()).is_pending());
    let sender = tx.clone();
    set(&hooked.on_clone, move || sender.try_send(1).unwrap());
    set(&hooked.on_drop, || panic!("boom"));
    assert_eq!(poll_with(&mut recv, &waker), Poll::Ready(Some(1)));
    // Its slot is used again, and not given back twice.
    let mut next = task::spawn(rx.recv());
    assert_pending!(next.poll());
    drop(recv);
    let mut last = task::spawn(rx.recv());
    assert_pending!(last.poll());
    (2..=3).for_each(|value| tx.try_send(value).unwrap());
    assert_eq!((next.poll(), last.poll()), (Poll::Ready(Some(2)), Poll::Ready(Some(3))));
    assert_two_can_wait(&tx, &rx);
}

#[test]
pub(crate) fn a_clone_that_panics_when_it_is_dropped_does_not_confuse_a_send() {
    quiet();
    let (tx, rx) = channel(0);
    let (hooked, waker) = hooked();
    let mut send = tx.send(1);
    assert!(poll_with(&mut send, Waker::noop()).is_pending());
    let receiver = rx.clone();
    set(&hooked.on_clone, move || assert_eq!(receiver.try_recv(), Ok(1)));
    set(&hooked.on_drop, || panic!("boom"));
    assert_eq!(poll_with(&mut send, &waker), Poll::Ready(Ok(())));
    let mut next = task::spawn(tx.send(2));
    assert_pending!(next.poll());
    drop(send);
    assert_eq!(rx.try_recv(), Ok(2), "the value of a send that waits is gone");
    assert_eq!(next.poll(), Poll::Ready(Ok(())));
    assert_two_can_wait(&tx, &rx);
}

#[test]
pub(crate) fn a_clone_that_panics_when_it_is_dropped_does_not_confuse_a_stream() {
    use futures::Stream;
    quiet();
    let (tx, mut rx) = channel(0);
    let (hooked, waker) = hooked();
    let mut noop = Context::from_waker(Waker::noop());
    assert!(std::pin::Pin::new(&mut rx).poll_next(&mut noop).is_pending());
    let sender = tx.clone();
    set(&hooked.on_clone, move || sender.try_send(1).unwrap());
    set(&hooked.on_drop, || panic!("boom"));
    let mut cx = Context::from_waker(&waker);
    assert_eq!(std::pin::Pin::new(&mut rx).poll_next(&mut cx), Poll::Ready(Some(1)));
    assert_two_can_wait(&tx, &rx);
}

/// It is closed while a clone is made.
#[test]
pub(crate) fn a_clone_that_panics_when_it_is_dropped_does_not_hide_the_end() {
    quiet();
    let close_when_cloned = |tx: &Sender<u32>| {
        let (hooked, waker) = hooked();
        let closer = tx.clone();
        set(&hooked.on_clone, move || closer.close());
        set(&hooked.on_drop, || panic!("boom"));
        waker
    };
    let (tx, rx) = channel(0);
    let mut send = tx.send(1);
    assert!(poll_with(&mut send, Waker::noop()).is_pending());
    assert_eq!(poll_with(&mut send, &close_when_cloned(&tx)), Poll::Ready(Err(SendError(1))));
    assert_eq!(rx.try_recv(), Err(TryRecvError::Closed));
    let (tx, rx) = channel(0);
    let mut recv = rx.recv();
    assert!(poll_with(&mut recv, Waker::noop()).is_pending());
    assert_eq!(poll_with(&mut recv, &close_when_cloned(&tx)), Poll::Ready(None));
}

/// Of one that waits: when the new waker is cloned, and when the former one is dropped.
#[test]
pub(crate) fn wakers_that_panic_when_they_are_exchanged_leave_a_receive_in_the_queue() {
    quiet();
    for when_cloned in [true, false] {
        let (tx, rx) = channel(0);
        let ((first, first_waker), (second, second_waker)) = (hooked(), hooked());
        let mut recv = rx.recv();
        assert!(poll_with(&mut recv, &first_waker).is_pending());
        let hook = if when_cloned { &second.on_clone } else { &first.on_drop };
        set(hook, || panic!("boom"));
        if when_cloned {
            payload_of(|| poll_with(&mut recv, &second_waker));
        } else {
            assert!(poll_with(&mut recv, &second_waker).is_pending());
        }
        assert!(poll_with(&mut recv, Waker::noop()).is_pending());
        tx.try_send(1).unwrap();
        assert_eq!(poll_with(&mut recv, Waker::noop()), Poll::Ready(Some(1)));
        assert_two_can_wait(&tx, &rx);
    }
}

/// What it was given as a stream goes to the next receiver, whose waker panics.
#[test]
pub(crate) fn a_waker_that_panics_does_not_keep_a_dropped_receiver_counted() {
    use futures::Stream;
    quiet();
    for is_last in [true, false] {
        let (tx, mut rx) = channel(0);
        let other = rx.clone();
        let mut noop = Context::from_waker(Waker::noop());
        assert!(std::pin::Pin::new(&mut rx).poll_next(&mut noop).is_pending());
        let (hooked, waker) = hooked();
        let mut recv = other.recv();
        assert!(poll_with(&mut recv, &waker).is_pending());
        tx.try_send(1).unwrap();
        set(&hooked.on_wake, || panic!("boom"));
        drop(rx);
        assert_eq!(poll_with(&mut recv, &waker), Poll::Ready(Some(1)));
        drop(recv);
        assert!(!tx.is_closed());
        if is_last {
            drop(other);
            assert!(tx.is_closed(), "a receiver that is gone still counts");
        }
    }
}

/// A payload that panics in turn, and more than one of them.
#[test]
pub(crate) fn payloads_that_panic_do_not_cost_others_their_wake_up_at_close() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("boom")
        }
    }
    quiet();
    let (tx, rx) = channel::<u32>(0);
    let mut recvs: Vec<_> = (0..3)
        .map(|_| {
            let (hooked, waker) = hooked();
            let mut recv = rx.recv();
            assert!(poll_with(&mut recv, &waker).is_pending());
            set(&hooked.on_wake, || std::panic::panic_any(Bomb));
            recv
        })
        .collect();
    let mut last = task::spawn(rx.recv());
    assert_pending!(last.poll());
    tx.close();
    assert!(last.is_woken());
    for recv in &mut recvs {
        assert_eq!(poll_with(recv, Waker::noop()), Poll::Ready(None));
    }
}

/// A second panic while the first one unwinds would end the process.
#[test]
pub(crate) fn a_waker_that_panics_at_close_does_not_end_a_process_that_unwinds() {
    quiet();
    let (tx, rx) = channel::<u32>(0);
    let (hooked, waker) = hooked();
    let mut recv = rx.recv();
    assert!(poll_with(&mut recv, &waker).is_pending());
    set(&hooked.on_wake, || panic!("boom"));
    let payload = payload_of(|| {
        let _tx = tx;
        panic!("first")
    });
    assert_eq!(message(&*payload), Some("first"));
    assert_eq!(poll_with(&mut recv, Waker::noop()), Poll::Ready(None));
}
