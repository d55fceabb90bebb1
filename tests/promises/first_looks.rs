//! A first look at something that is there never says "nothing" because others had enough turns.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures::future::{Either, select};
use futures::{FutureExt, StreamExt, poll};
use gorun::time::{after, interval, now, sleep, sleep_until, timeout};
use gorun::{JoinSet, WaitGroup, block_on, channel, select, spawn, yield_now};

use super::WORKERS;
use super::endless::{PLACES, is_closing};
use crate::common::*;

/// Several budgets.
const MANY: usize = 5000;

/// Runs `looks` in each place, with each number of workers.
#[track_caller]
fn in_each_place<F: Future<Output = ()> + Send + 'static>(looks: impl Fn() -> F) {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            for place in PLACES {
                place.drive(looks()).await;
            }
        });
    }
}

fn full(values: usize) -> (gorun::Sender<usize>, gorun::Receiver<usize>) {
    let (tx, rx) = channel(values);
    for n in 0..values {
        tx.try_send(n).unwrap();
    }
    (tx, rx)
}

/// The standard library's waker that does nothing; that of the `futures` crate is behind `now_or_never`.
fn std_look<F: Future>(future: F) -> Option<F::Output> {
    match std::pin::pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}

#[test]
fn draining_with_now_or_never_ends_before_the_channel_is_empty() {
    in_each_place(|| async {
        let (_tx, rx) = full(MANY);
        let mut got = 0;
        while let Some(Some(_)) = rx.recv().now_or_never() {
            got += 1;
        }
        assert_eq!(got, MANY);
        let (_tx, rx) = full(MANY);
        assert_eq!((0..MANY).map_while(|_| std_look(rx.recv())).count(), MANY);
    });
}

#[test]
fn draining_a_stream_with_now_or_never_ends_before_it_is_empty() {
    in_each_place(|| async {
        let (_tx, mut rx) = full(MANY);
        let mut got = 0;
        while let Some(Some(_)) = rx.next().now_or_never() {
            got += 1;
        }
        assert_eq!(got, MANY);
    });
}

#[test]
fn a_send_that_looks_finds_no_room_although_there_is() {
    in_each_place(|| async {
        let (tx, _rx) = channel(2 * MANY);
        for n in 0..MANY {
            assert!(tx.send(n).now_or_never().is_some(), "send {n}");
            let sent = tx.send_from(&mut Some(n)).now_or_never();
            assert!(sent.is_some(), "send_from {n}");
        }
    });
}

#[test]
fn a_look_finds_a_goroutine_unfinished_that_has_finished() {
    in_each_place(|| async {
        let handles: Vec<_> = (0..MANY).map(|n| spawn(async move { n })).collect();
        yield_until(|| handles.iter().all(|handle| handle.is_finished())).await;
        for (n, handle) in handles.into_iter().enumerate() {
            assert_eq!(handle.now_or_never().expect("it has finished").unwrap(), n);
        }
    });
}

#[test]
fn a_look_finds_no_result_in_a_set_that_has_finished() {
    const RESULTS: usize = 5 * MANY;
    in_each_place(|| async {
        let ended = Arc::new(AtomicUsize::new(0));
        let mut set = JoinSet::new();
        for n in 0..RESULTS {
            let ended = ended.clone();
            set.spawn(async move {
                ended.fetch_add(1, SeqCst);
                n
            });
        }
        yield_until(|| ended.load(SeqCst) == RESULTS).await;
        let (mut got, mut missed) = (0, 0);
        while got < RESULTS {
            let looked = set.join_next().now_or_never();
            let Some(result) = looked.or_else(|| {
                let there = set.try_join_next();
                missed += usize::from(there.is_some());
                there.map(Some)
            }) else {
                yield_now().await;
                continue;
            };
            result.unwrap().unwrap();
            got += 1;
        }
        // The last on each worker may complete between the two looks.
        assert!(missed <= 16, "{missed} looks of {RESULTS} did not find a result that was there");
        for look in 0..MANY {
            assert!(matches!(set.join_next().now_or_never(), Some(None)), "look {look}");
        }
    });
}

#[test]
fn a_look_finds_a_group_busy_that_is_at_zero() {
    in_each_place(|| async {
        let group = WaitGroup::new();
        for look in 0..MANY {
            group.add(1);
            assert!(group.wait().now_or_never().is_none(), "look {look}");
            group.done();
            assert!(group.wait().now_or_never().is_some(), "look {look}");
            assert!(std_look(group.wait()).is_some(), "look {look}");
        }
    });
}

#[test]
fn a_look_finds_a_timer_waiting_that_is_due() {
    in_each_place(|| async {
        let past = now();
        let mut ticks = interval(Duration::from_nanos(1));
        for look in 0..MANY {
            assert!(sleep_until(past).now_or_never().is_some(), "sleep, look {look}");
            assert!(ticks.tick().now_or_never().is_some(), "interval, look {look}");
            let late = after(Duration::ZERO);
            assert!(late.recv().now_or_never().is_some(), "after, look {look}");
            let limited = timeout(Duration::ZERO, sleep_until(past));
            assert!(matches!(limited.now_or_never(), Some(Ok(()))), "timeout, look {look}");
            let limited = timeout(Duration::ZERO, std::future::pending::<()>());
            assert!(matches!(limited.now_or_never(), Some(Err(_))), "elapsed, look {look}");
        }
    });
}

#[test]
fn default_is_taken_although_a_value_is_there() {
    in_each_place(|| async {
        let (_tx, rx) = full(MANY);
        for n in 0..MANY {
            select! {
                _ = async { rx.recv().await } => {}
                default => panic!("{} values are there, look {n}", rx.len()),
            }
        }
        let (_tx, mut rx) = full(MANY);
        for n in 0..MANY {
            select! {
                _ = rx.next() => {}
                default => panic!("a stream has values, look {n}"),
            }
        }
    });
}

#[test]
fn default_is_taken_although_a_sleep_is_due() {
    in_each_place(|| async {
        for look in 0..MANY {
            let mut due = Box::pin(sleep(Duration::ZERO));
            select! {
                () = &mut due => {}
                default => panic!("a sleep is due, look {look}"),
            }
        }
    });
}

#[test]
fn default_is_taken_although_a_goroutine_has_finished() {
    in_each_place(|| async {
        let handles: Vec<_> = (0..MANY).map(|n| spawn(async move { n })).collect();
        yield_until(|| handles.iter().all(|handle| handle.is_finished())).await;
        for handle in handles {
            select! {
                result = handle => assert!(result.is_ok()),
                default => panic!("it has finished"),
            }
        }
    });
}

#[test]
fn default_is_taken_although_a_select_inside_is_ready() {
    in_each_place(|| async {
        let (_tx, rx) = full(MANY);
        let (_other, never) = channel::<()>(0);
        for look in 0..MANY {
            let inner = async {
                select! {
                    value = rx.recv() => value.unwrap(),
                    _ = never.recv() => unreachable!(),
                }
            };
            select! {
                _ = inner => {}
                default => panic!("a select is ready, look {look}"),
            }
        }
    });
}

/// Others have spent the budget in front of the look, which spends nothing itself.
#[test]
fn a_look_after_awaits_sees_their_budget() {
    in_each_place(|| async {
        let (tx, rx) = channel(2);
        // Three operations in each round, so that every one of them comes at the end of some budget.
        for n in 0..3 * MANY {
            tx.send(n).await.unwrap();
            tx.send(n).await.unwrap();
            let got = match n % 3 {
                0 => rx.recv().now_or_never(),
                1 => select! { value = async { rx.recv().await } => Some(value), default => None },
                _ => timeout(HOUR, rx.recv()).now_or_never().map(|result| result.unwrap()),
            };
            assert_eq!(got, Some(Some(n)));
            rx.try_recv().unwrap();
        }
    });
}

/// With a real waker it may say so once for each budget, but not when it is asked again.
#[test]
fn a_look_with_a_real_waker_says_nothing_twice() {
    in_each_place(|| async {
        let (_tx, rx) = full(MANY);
        let mut pending = 0;
        for _ in 0..MANY {
            let mut recv = rx.recv();
            if poll!(&mut recv).is_pending() {
                pending += 1;
                assert!(poll!(&mut recv).is_ready());
            }
        }
        assert!(pending <= MANY / 32, "{pending} of {MANY} looks");
    });
}

/// After the end of main nobody has a budget any more.
#[test]
fn a_look_after_the_end_of_main_says_nothing() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        let (started, drained) = (flag(), flag());
        patient(workers)
            .block_on(async {
                let (is_started, is_drained) = (started.clone(), drained.clone());
                spawn(async move {
                    is_started.store(true, SeqCst);
                    wait_until(is_closing);
                    let (_tx, rx) = full(MANY);
                    for n in 0..MANY {
                        assert_eq!(rx.recv().now_or_never(), Some(Some(n)));
                        assert!(WaitGroup::new().wait().now_or_never().is_some());
                        // It is dropped by a worker, perhaps not yet.
                        let refused = spawn(async {}).now_or_never();
                        assert!(refused.is_none_or(|ended| ended.unwrap_err().is_cancelled()));
                    }
                    is_drained.store(true, SeqCst);
                });
                yield_until(|| started.load(SeqCst)).await;
            })
            .unwrap();
        assert!(drained.load(SeqCst), "{workers} workers");
    }
}

/// Who drives a future inside a look waits for it, so what is in there gives way.
#[test]
fn a_block_on_inside_a_look_starves_what_it_drives() {
    in_each_place(|| async {
        let drives = async {
            let (tx, rx) = channel(1);
            let endless = async {
                for _ in 0..MANY {
                    tx.send(()).await.unwrap();
                    rx.recv().await.unwrap();
                }
            };
            let first = block_on(select(Box::pin(endless), Box::pin(yield_now())));
            matches!(first, Either::Right(_))
        };
        let has_given_way = select! {
            has_given_way = drives => has_given_way,
            default => unreachable!("it has been waited for"),
        };
        assert!(has_given_way);
        // The look goes on as one.
        let looks = async {
            block_on(async {});
            let (_tx, rx) = full(MANY);
            for _ in 0..MANY {
                assert!(poll!(rx.recv()).is_ready());
            }
        };
        select! {
            () = looks => {}
            default => unreachable!("each value is there"),
        }
    });
}
