//! Values that belong to a future: who sees them, and when.

mod common;

use std::cell::RefCell;
use std::future::{Future, pending};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::task::{Context, Waker};
use std::thread;

use common::*;
use futures::future::join;
use gorun::{JoinSet, block_on, go, spawn, yield_now};

const WORKERS: [usize; 3] = [1, 2, 16];

gorun::task_local! {
    static NUMBER: usize;
    static OTHER: String;
}

fn number() -> Option<usize> {
    NUMBER.try_with(|&number| number).ok()
}

#[test]
fn each_goroutine_has_its_own_value_wherever_it_runs() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            let mut set = JoinSet::new();
            for n in 0..200 {
                set.spawn(NUMBER.scope(n, async move {
                    for _ in 0..20 {
                        assert_eq!(number(), Some(n));
                        yield_now().await;
                    }
                }));
                set.spawn(async {
                    for _ in 0..20 {
                        assert_eq!(number(), None);
                        yield_now().await;
                    }
                });
            }
            set.join_all().await;
            assert_eq!(number(), None);
        });
    }
}

#[test]
fn a_value_ends_where_the_future_does_also_in_its_neighbours() {
    let _watchdog = watchdog();
    block_on(async {
        let inside = NUMBER.scope(1, async {
            yield_now().await;
            number()
        });
        let beside = async {
            let before = number();
            yield_now().await;
            (before, number())
        };
        assert_eq!(join(inside, beside).await, (Some(1), (None, None)));
        let nested = NUMBER.scope(1, async {
            let inner = NUMBER.scope(2, async {
                yield_now().await;
                OTHER.scope("x".to_owned(), async { (number(), OTHER.get()) }).await
            });
            let outer = async {
                yield_now().await;
                (number(), OTHER.try_with(String::clone).ok())
            };
            join(inner, outer).await
        });
        assert_eq!(nested.await, ((Some(2), "x".to_owned()), (Some(1), None)));
    });
}

#[test]
fn a_goroutine_inherits_nothing() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(
            workers,
            NUMBER.scope(1, async {
                assert_eq!(spawn(async { number() }).await.unwrap(), None);
                let (tx, rx) = gorun::channel(1);
                go!(async move { tx.send(number()).await.unwrap() });
                assert_eq!(rx.recv().await, Some(None));
                let given = spawn(NUMBER.scope(NUMBER.get(), async { number() }));
                assert_eq!(given.await.unwrap(), Some(1));
                // The thread is the same, and so is the value.
                assert_eq!(block_on(async { number() }), Some(1));
                assert_eq!(gorun::blocking(number), Some(1));
                assert_eq!(thread::spawn(number).join().unwrap(), None);
            }),
        );
    }
}

#[test]
fn a_panic_puts_back_what_was_there() {
    let _watchdog = watchdog();
    run(1, async {
        let scoped = NUMBER.scope(1, async { panic!("boom") });
        assert!(spawn(scoped).await.unwrap_err().is_panic());
        // On the same thread.
        assert_eq!(spawn(async { number() }).await.unwrap(), None);
        NUMBER.sync_scope(2, || {
            drop(payload_of::<()>(|| NUMBER.sync_scope(3, || panic!("boom"))));
            assert_eq!(number(), Some(2));
        });
        assert_eq!(number(), None);
    });
}

#[test]
fn destructors_of_the_future_see_the_value() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        let seen = Arc::new(AtomicUsize::new(0));
        let adds = || {
            let seen = seen.clone();
            OnDrop(move || _ = seen.fetch_add(number().expect("a value"), SeqCst))
        };
        patient(workers)
            .block_on(async {
                // It completes.
                let guard = adds();
                spawn(NUMBER.scope(1, async move { drop(guard) })).await.unwrap();
                // It is aborted, before or after its first poll.
                for polls in [false, true] {
                    let guard = adds();
                    let waits =
                        spawn(NUMBER.scope(10, async move { (pending::<()>().await, guard) }));
                    if polls {
                        yield_now().await;
                    }
                    waits.abort();
                    drop(waits.await);
                }
                // It is never polled, and dropped here.
                let guard = adds();
                drop(NUMBER.scope(100, async move { drop(guard) }));
                assert_eq!(seen.load(SeqCst), 121);
                // Exit drops it.
                let guard = adds();
                spawn(NUMBER.scope(1000, async move { (pending::<()>().await, guard) }));
            })
            .unwrap();
        assert_eq!(seen.load(SeqCst), 1121);
    }
}

#[test]
fn a_scope_inside_with_is_refused_and_dropped_there_without_harm() {
    let _watchdog = watchdog();
    NUMBER.sync_scope(1, || {
        let inner = RefCell::new(Some(Box::pin(NUMBER.scope(2, pending::<()>()))));
        NUMBER.with(|_| {
            let seen = panic_of(|| NUMBER.sync_scope(3, || ())); // this line
            assert_eq!((&*seen.file, seen.line), (file!(), line!() - 1));
            assert!(seen.message.contains("inside `with`"), "{}", seen.message);
            let mut borrowed = inner.borrow_mut();
            let polls = || {
                let polled = borrowed.as_mut().unwrap().as_mut();
                polled.poll(&mut Context::from_waker(Waker::noop())).is_pending()
            };
            assert!(message(&*payload_of(polls)).unwrap().contains("inside `with`"));
            drop(borrowed.take());
            // Another key is free.
            assert_eq!(OTHER.sync_scope("y".to_owned(), || OTHER.get()), "y");
        });
        assert_eq!(number(), Some(1));
    });
    assert_eq!(number(), None);
}

#[test]
fn a_key_without_a_value_says_so_at_the_callers_line() {
    let _watchdog = watchdog();
    for read in [|| NUMBER.with(|&number| number), || NUMBER.get()] {
        let seen = panic_of(read);
        assert_eq!(seen.file, file!());
        assert!(seen.message.contains("outside every scope"), "{}", seen.message);
    }
}

#[test]
fn values_are_dropped_with_their_scope_once() {
    gorun::task_local!(static PROBE: Probe);
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            let drops = Drops::new(3);
            spawn(PROBE.scope(drops.probe(0), async {
                yield_now().await;
                PROBE.with(|_| ());
            }))
            .await
            .unwrap();
            let waits = spawn(PROBE.scope(drops.probe(1), pending::<()>()));
            waits.abort();
            drop(waits.await);
            drop(PROBE.scope(drops.probe(2), async {}));
            drops.assert_each_once(workers);
        });
    }
}

#[test]
fn a_scope_polled_after_it_has_completed_panics_at_the_callers_line() {
    let _watchdog = watchdog();
    let mut scope = pin!(NUMBER.scope(1, async {}));
    let mut cx = Context::from_waker(Waker::noop());
    assert!(scope.as_mut().poll(&mut cx).is_ready());
    let seen = panic_of(|| scope.as_mut().poll(&mut cx).is_ready()); // this line
    assert_eq!((&*seen.file, seen.line), (file!(), line!() - 1));
    assert!(seen.message.contains("after it had completed"), "{}", seen.message);
    assert_eq!(number(), None);
}

#[test]
fn a_future_that_a_thread_local_drops_at_the_end_of_its_thread_does_no_harm() {
    type Kept = std::pin::Pin<Box<dyn Future<Output = ()>>>;
    thread_local!(static KEPT: RefCell<Vec<Kept>> = const { RefCell::new(Vec::new()) });
    for uses_the_key_first in [true, false] {
        let keeps = move || {
            if uses_the_key_first {
                assert_eq!(number(), None);
            }
            KEPT.with_borrow_mut(|kept| kept.push(Box::pin(NUMBER.scope(1, pending()))));
            NUMBER.sync_scope(2, || assert_eq!(number(), Some(2)));
        };
        thread::spawn(keeps).join().unwrap();
    }
}
