//! Sends and receives that block their thread.

use std::sync::atomic::Ordering::SeqCst;
use std::thread;

use gorun::{channel, spawn};

use crate::WORKERS;
use crate::common::*;

#[test]
pub(crate) fn threads_talk_to_threads() {
    let _watchdog = watchdog();
    for capacity in [0, 1, 16] {
        let (tx, rx) = channel(capacity);
        let senders: Vec<_> = (0..3)
            .map(|_| {
                let tx = tx.clone();
                thread::spawn(move || (0..500).for_each(|n| tx.send_blocking(n).unwrap()))
            })
            .collect();
        drop(tx);
        let mut sum = 0;
        while let Some(n) = rx.recv_blocking() {
            sum += n;
        }
        assert_eq!(sum, 3 * 124_750);
        senders.into_iter().for_each(|sender| sender.join().unwrap());
    }
}

#[test]
pub(crate) fn threads_talk_to_goroutines() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        let (to, from_here) = channel(0);
        let (back, from_there) = channel(0);
        let thread = thread::spawn(move || {
            while let Some(n) = from_here.recv_blocking() {
                back.send_blocking(n + 1).unwrap();
            }
        });
        run(workers, async move {
            spawn(async move {
                for n in 0..300 {
                    to.send(n).await.unwrap();
                    assert_eq!(from_there.recv().await, Some(n + 1));
                }
            })
            .await
            .unwrap();
        });
        thread.join().unwrap();
    }
}

/// Each blocks the thread the other would have to run on, so others have to step in at once.
#[test]
pub(crate) fn goroutines_that_block_do_not_hold_each_other_up() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        let (to, from_here) = channel(0);
        let (back, from_there) = channel(0);
        run(workers, async move {
            spawn(async move {
                while let Some(n) = from_here.recv_blocking() {
                    back.send_blocking(n + 1).unwrap();
                }
            });
            spawn(async move {
                for n in 0..100 {
                    to.send_blocking(n).unwrap();
                    assert_eq!(from_there.recv_blocking(), Some(n + 1));
                }
            })
            .await
            .unwrap();
        });
    }
}

#[test]
pub(crate) fn main_may_block() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            let (tx, rx) = channel(0);
            spawn(async move { tx.send("from a goroutine").await });
            assert_eq!(rx.recv_blocking(), Some("from a goroutine"));
            assert_eq!(rx.recv_blocking(), None);
        });
    }
}

#[test]
pub(crate) fn an_unhandled_panic_reaches_a_main_that_blocks() {
    let _watchdog = watchdog();
    quiet();
    let (tx, rx) = channel::<u32>(0);
    let payload = payload_of(|| {
        run(2, async {
            spawn(async { panic!("boom in a goroutine") }).detach();
            rx.recv_blocking()
        })
    });
    assert_eq!(message(&*payload), Some("boom in a goroutine"));
    assert!(tx.try_send(1).is_err(), "it has left the wait queue");
}

#[test]
pub(crate) fn a_goroutine_that_blocks_is_left_behind_by_the_end_of_main() {
    let _watchdog = watchdog();
    let waits = flag();
    let (tx, rx) = channel::<u32>(0);
    run(1, async {
        let started = waits.clone();
        spawn(async move {
            started.store(true, SeqCst);
            rx.recv_blocking()
        });
        yield_until(|| waits.load(SeqCst)).await;
    });
    // It still waits there, and goes with this.
    drop(tx);
}
