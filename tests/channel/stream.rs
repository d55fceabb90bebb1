//! A receiver as a stream.

use futures::{FutureExt, Stream, StreamExt};
use gorun::{channel, spawn};
use tokio_test::{assert_pending, assert_ready_eq, task};

use crate::WORKERS;
use crate::common::*;

#[test]
pub(crate) fn a_stream_ends_when_the_channel_is_closed_and_empty() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        for capacity in [0, 1, 64] {
            let sum = run(workers, async {
                let (tx, rx) = channel(capacity);
                spawn(async move {
                    for n in 0..1000 {
                        tx.send(n).await.unwrap();
                    }
                });
                rx.fold(0, async |sum, n| sum + n).await
            });
            assert_eq!(sum, 499_500);
        }
    }
}

#[test]
pub(crate) fn a_stream_keeps_its_place_between_polls() {
    let (tx, rx) = channel(0);
    let second = rx.clone();
    let mut stream = task::spawn(rx);
    assert_pending!(stream.poll_next());
    assert_pending!(stream.poll_next());
    let mut recv = task::spawn(second.recv());
    assert_pending!(recv.poll());
    tx.try_send(1).unwrap();
    assert!(stream.is_woken() && !recv.is_woken());
    assert_ready_eq!(stream.poll_next(), Some(1));
    assert_pending!(stream.poll_next());
    drop(tx);
    assert_ready_eq!(stream.poll_next(), None);
}

#[test]
pub(crate) fn using_the_receiver_otherwise_gives_up_the_streams_place() {
    let (tx, mut rx) = channel(0);
    for n in 0..10 {
        assert!(rx.next().now_or_never().is_none());
        tx.try_send(n).unwrap();
        if n % 2 == 0 {
            assert_eq!(rx.len(), 1);
        }
        assert_eq!(rx.try_recv(), Ok(n));
    }
    assert!(rx.next().now_or_never().is_none());
    let mut recv = task::spawn(rx.recv());
    assert_pending!(recv.poll());
    tx.try_send(10).unwrap();
    assert_ready_eq!(recv.poll(), Some(10));
}

#[test]
pub(crate) fn a_stream_that_is_dropped_gives_back_what_it_was_given() {
    let (tx, mut rx) = channel(0);
    let second = rx.clone();
    assert!(rx.next().now_or_never().is_none());
    tx.try_send(1).unwrap();
    assert_eq!(second.len(), 0);
    drop(rx);
    assert_eq!(second.try_recv(), Ok(1));

    let drops = Drops::new(1);
    let (tx, mut rx) = channel(0);
    assert!(rx.next().now_or_never().is_none());
    assert!(tx.try_send(drops.probe(0)).is_ok());
    drop(rx);
    drops.assert_each_once(());
}

#[test]
pub(crate) fn a_stream_can_be_boxed_and_sent() {
    fn check<S: Stream<Item = u32> + Send + Sync + Unpin + 'static>(_: S) {}
    check(channel(1).1);
}
