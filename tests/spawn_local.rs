//! Futures on main's thread.

mod common;

use std::cell::{Cell, RefCell};
use std::future::{pending, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::SeqCst;
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::{Duration, Instant};

use common::*;
use gorun::time::{sleep, timeout};
use gorun::{
    Builder, Handle, LocalJoinHandle, UnhandledPanic, block_on, channel, spawn, spawn_local,
    yield_now,
};

const WORKERS: [usize; 3] = [1, 2, 16];
const MILLI: Duration = Duration::from_millis(1);

type Log = Rc<RefCell<Vec<&'static str>>>;

fn logs(log: &Log, what: &'static str) -> OnDrop<impl FnMut() + use<>> {
    let log = log.clone();
    OnDrop(move || log.borrow_mut().push(what))
}

#[test]
fn local_futures_stay_on_mains_thread_and_take_turns_with_main_and_goroutines() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            let here = thread::current().id();
            let (numbers, sum) = (channel(0), Rc::new(Cell::new(0)));
            let adders: Vec<_> = (0..10)
                .map(|_| {
                    let (rx, sum) = (numbers.1.clone(), sum.clone());
                    spawn_local(async move {
                        while let Some(n) = rx.recv().await {
                            assert_eq!(thread::current().id(), here);
                            sum.set(sum.get() + n);
                        }
                    })
                })
                .collect();
            for sender in 0..10 {
                let tx = numbers.0.clone();
                let send = async move {
                    for n in 1..=100 {
                        tx.send(n).await.unwrap();
                    }
                };
                match sender % 2 {
                    0 => spawn(send).detach(),
                    _ => spawn_local(send).detach(),
                }
            }
            drop(numbers);
            for adder in adders {
                adder.await.unwrap();
            }
            assert_eq!(sum.get(), 10 * 5050);
        });
    }
}

#[test]
fn a_local_future_that_is_always_ready_starves_neither_main_nor_its_siblings() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            let over = Rc::new(Cell::new(false));
            let closed = channel::<()>(1).1;
            for kind in 0..3 {
                let (over, closed) = (over.clone(), closed.clone());
                spawn_local(async move {
                    while !over.get() {
                        match kind {
                            0 => drop(closed.recv().await),
                            1 => yield_now().await,
                            _ => spawn_local(async {}).await.unwrap(),
                        }
                    }
                })
                .detach();
            }
            let sibling = spawn_local(async {
                for _ in 0..10 {
                    sleep(MILLI).await;
                }
            });
            sleep(5 * MILLI).await;
            sibling.await.unwrap();
            over.set(true);
        });
    }
}

#[test]
fn a_loop_over_local_handles_lets_a_neighbour_in_the_same_future_run() {
    let _watchdog = watchdog();
    run(1, async {
        let over = Cell::new(false);
        let endless = async {
            while !over.get() {
                let ready = spawn_local(async {});
                while !ready.is_finished() {
                    yield_now().await;
                }
                ready.await.unwrap();
            }
        };
        let mut polls = 0;
        let neighbour = poll_fn(|cx| {
            polls += 1;
            if polls == 3 {
                over.set(true);
                return Poll::Ready(());
            }
            cx.waker().wake_by_ref();
            Poll::Pending
        });
        futures::join!(endless, neighbour);
    });
}

#[test]
fn timers_of_local_futures_are_on_time_while_every_worker_computes() {
    let _watchdog = watchdog();
    run_without_spares(1, async {
        let over = flag();
        let stop = over.clone();
        let hog = spawn(async move {
            while !stop.load(SeqCst) {
                std::hint::spin_loop();
            }
        });
        let begun = Instant::now();
        let sleeps: Vec<_> = (1..=20)
            .map(|n| {
                spawn_local(async move {
                    sleep(n * MILLI).await;
                    timeout(MILLI, pending::<()>()).await.unwrap_err();
                    Instant::now()
                })
            })
            .collect();
        for sleep in sleeps {
            assert!(sleep.await.unwrap() > begun);
        }
        // A worker that computes for ever would not have fired them.
        over.store(true, SeqCst);
        hog.await.unwrap();
    });
}

#[test]
fn the_end_of_main_drops_local_futures_after_mains_own_and_before_goroutines() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        let log = Log::default();
        let dropped = Arc::new(AtomicUsize::new(0));
        run(workers, async {
            let of_main = logs(&log, "main");
            for what in ["first", "second"] {
                let (of_future, dropped) = (logs(&log, what), dropped.clone());
                let never = spawn_local(async move {
                    let _all = (
                        OnDrop(move || {
                            assert_eq!(dropped.load(SeqCst), 0, "a goroutine was dropped before");
                        }),
                        of_future,
                    );
                    pending::<()>().await;
                });
                never.detach();
            }
            let goroutine = OnDrop({
                let dropped = dropped.clone();
                move || {
                    dropped.fetch_add(1, SeqCst);
                }
            });
            spawn(async move {
                let _goroutine = goroutine;
                pending::<()>().await;
            })
            .detach();
            yield_now().await;
            yield_now().await;
            drop(of_main);
        });
        assert_eq!(*log.borrow(), ["main", "first", "second"]);
        assert_eq!(dropped.load(SeqCst), 1);
    }
}

#[test]
fn what_destructors_spawn_at_the_end_is_cancelled() {
    let _watchdog = watchdog();
    for in_main in [true, false] {
        let polled = Rc::new(Cell::new(0));
        let handle = Rc::new(RefCell::new(None));
        run(1, async {
            let spawns = OnDrop({
                let (polled, handle) = (polled.clone(), handle.clone());
                move || {
                    let polled = polled.clone();
                    let late = spawn_local(async move { polled.set(polled.get() + 1) });
                    handle.replace(Some(late));
                }
            });
            if in_main {
                let _spawns = spawns;
                yield_now().await;
                return;
            }
            spawn_local(async move {
                let _spawns = spawns;
                pending::<()>().await;
            })
            .detach();
            yield_now().await;
            yield_now().await;
        });
        let late: LocalJoinHandle<()> = handle.take().expect("the destructor has run");
        assert_eq!(polled.get(), 0);
        assert!(late.is_finished());
        let error = futures::executor::block_on(late).unwrap_err();
        assert!(error.is_cancelled());
    }
}

/// Spawns another one like it when it is dropped, and holds a borrow meanwhile.
struct Chain {
    left: Rc<RefCell<usize>>,
}

impl Drop for Chain {
    fn drop(&mut self) {
        let mut left = self.left.borrow_mut();
        if *left > 0 {
            *left -= 1;
            let next = Chain { left: self.left.clone() };
            spawn_local(async move {
                let _next = next;
                pending::<()>().await;
            })
            .detach();
        }
    }
}

#[test]
fn what_destructors_spawn_at_the_end_is_not_dropped_on_their_stack() {
    let _watchdog = watchdog();
    for in_main in [true, false] {
        // More than there is room for on a stack.
        let left = Rc::new(RefCell::new(100_000));
        let chain = Chain { left: left.clone() };
        run(1, async {
            if in_main {
                let _chain = chain;
                yield_now().await;
                return;
            }
            spawn_local(async move {
                let _chain = chain;
                pending::<()>().await;
            })
            .detach();
            yield_now().await;
            yield_now().await;
        });
        assert_eq!(*left.borrow(), 0);
        assert_eq!(Rc::strong_count(&left), 1);
    }
}

#[test]
fn an_aborted_local_future_is_dropped_and_says_so() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            let dropped = Rc::new(Cell::new(0));
            let begin = |is_polled: bool| {
                let dropped = dropped.clone();
                let on_drop = OnDrop(move || dropped.set(dropped.get() + 1));
                let future = spawn_local(async move {
                    let _on_drop = on_drop;
                    assert!(is_polled, "it was aborted before its first poll");
                    pending::<()>().await;
                });
                (future, is_polled)
            };
            for (handle, is_polled) in [begin(false), begin(true)] {
                if is_polled {
                    yield_now().await;
                }
                handle.abort();
                handle.abort();
                assert!(!handle.is_finished());
                assert!(handle.await.unwrap_err().is_cancelled());
            }
            assert_eq!(dropped.get(), 2);

            // By itself, in the middle of a poll.
            let own = Rc::new(RefCell::new(None::<LocalJoinHandle<()>>));
            let of_future = own.clone();
            let handle = spawn_local(async move {
                of_future.borrow().as_ref().unwrap().abort();
                pending().await
            });
            own.replace(Some(handle));
            yield_now().await;
            yield_now().await;
            let handle = own.take().unwrap();
            assert!(handle.await.unwrap_err().is_cancelled());

            // After it has completed: nothing happens.
            let handle = spawn_local(async { 7 });
            while !handle.is_finished() {
                yield_now().await;
            }
            handle.abort();
            assert_eq!(handle.await.unwrap(), 7);
        });
    }
}

#[test]
fn a_panic_goes_to_the_handle_or_ends_main() {
    let _watchdog = watchdog();
    quiet();
    run(1, async {
        let error = spawn_local(async { panic!("for the handle") }).await.unwrap_err();
        assert_eq!(*error.into_panic().downcast::<&str>().unwrap(), "for the handle");
        let on_drop = OnDrop(|| panic!("of a destructor"));
        let error = spawn_local(async move {
            let _on_drop = on_drop;
            pending::<()>().await;
        });
        yield_now().await;
        error.abort();
        assert!(error.await.unwrap_err().is_panic());
    });
    let ends = |begin: fn()| {
        let dropped = Rc::new(Cell::new(false));
        let of_sibling = dropped.clone();
        let result = catch_unwind(AssertUnwindSafe(|| {
            run(1, async {
                let on_drop = OnDrop(move || of_sibling.set(true));
                spawn_local(async move {
                    let _on_drop = on_drop;
                    pending::<()>().await;
                })
                .detach();
                begin();
                pending::<()>().await;
            })
        }));
        assert!(dropped.get(), "a sibling was left");
        *result.unwrap_err().downcast::<&str>().unwrap()
    };
    assert_eq!(ends(|| spawn_local(async { panic!("no handle") }).detach()), "no handle");
    assert_eq!(ends(|| spawn(async { panic!("a goroutine's") }).detach()), "a goroutine's");
    // A blocking call in a local future resumes a goroutine's panic there: it is not the future's.
    let blocks = || {
        spawn_local(async {
            let _: () = block_on(async {
                spawn(async { panic!("meanwhile") }).detach();
                pending().await
            });
        })
        .detach();
    };
    assert_eq!(ends(blocks), "meanwhile");
    // Ignored, if the program says so.
    let builder = Builder::new().worker_threads(1).unhandled_panic(UnhandledPanic::Ignore);
    builder
        .block_on(async {
            spawn_local(async { panic!("ignored") }).detach();
            spawn_local(async {}).await.unwrap();
        })
        .unwrap();
}

#[test]
fn elsewhere_than_on_mains_thread_spawn_local_says_what_to_use() {
    let _watchdog = watchdog();
    quiet();
    let refused = || {
        let result = catch_unwind(|| drop(spawn_local(async {})));
        let message = result.unwrap_err();
        let message = message.downcast_ref::<&str>().unwrap();
        assert!(message.contains("gorun::spawn"), "{message}");
    };
    refused();
    run(2, async move {
        spawn(async move { refused() }).await.unwrap();
        let handle = Handle::current();
        let guest = thread::spawn(move || {
            refused();
            handle.block_on(async move { refused() });
            let _inside = handle.enter();
            refused();
        });
        gorun::blocking(|| guest.join().unwrap());
    });
}

#[test]
fn a_nested_block_on_of_main_keeps_local_futures_waiting_and_no_longer() {
    let _watchdog = watchdog();
    run(1, async {
        let turns = Rc::new(Cell::new(0));
        let count = turns.clone();
        spawn_local(async move {
            loop {
                count.set(count.get() + 1);
                yield_now().await;
            }
        })
        .detach();
        yield_now().await;
        let before = turns.get();
        let inner = block_on(async {
            let inner = spawn_local(async { "from inside" });
            for _ in 0..10 {
                yield_now().await;
            }
            Some(inner)
        });
        assert_eq!(turns.get(), before, "polled while main's poll went on");
        assert_eq!(inner.unwrap().await.unwrap(), "from inside");
        assert!(turns.get() > before);
    });
}

#[test]
fn an_inner_runtime_has_local_futures_of_its_own() {
    let _watchdog = watchdog();
    run(1, async {
        let outer = spawn_local(async { 1 });
        let inner =
            Builder::new().worker_threads(1).block_on(async { spawn_local(async { 2 }).await });
        assert_eq!(inner.unwrap().unwrap(), 2);
        assert!(!outer.is_finished());
        assert_eq!(outer.await.unwrap(), 1);
    });
}

/// Gives its waker out, and waits.
struct GivesWaker(Arc<std::sync::Mutex<Vec<Waker>>>);

impl Future for GivesWaker {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.0.lock().unwrap().push(cx.waker().clone());
        Poll::Pending
    }
}

#[test]
fn a_wake_after_the_future_or_main_has_gone_does_nothing_and_keeps_nothing() {
    let _watchdog = watchdog();
    let wakers = Arc::new(std::sync::Mutex::new(Vec::new()));
    let held = Rc::new(());
    run(1, async {
        for is_aborted in [true, false] {
            let (gives, held) = (GivesWaker(wakers.clone()), held.clone());
            let future = spawn_local(async move {
                let _held = held;
                gives.await;
            });
            yield_now().await;
            if is_aborted {
                future.abort();
                assert!(future.await.is_err());
                let polls = Rc::new(Cell::new(0));
                let counted = polls.clone();
                // It may get the place that has become free.
                spawn_local(poll_fn(move |_| {
                    counted.set(counted.get() + 1);
                    Poll::<()>::Pending
                }))
                .detach();
                yield_now().await;
                wakers.lock().unwrap().iter().for_each(Waker::wake_by_ref);
                for _ in 0..3 {
                    yield_now().await;
                }
                assert_eq!(polls.get(), 1, "woken by a waker of another one");
            }
        }
    });
    assert_eq!(Rc::strong_count(&held), 1);
    let wakers = std::mem::take(&mut *wakers.lock().unwrap());
    assert!(wakers.len() >= 2);
    for waker in wakers {
        waker.wake();
    }
}

#[test]
fn wakes_from_many_threads_reach_a_local_future_each_time() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            const ROUNDS: usize = 2_000;
            let pairs: Vec<_> = (0..4)
                .map(|_| {
                    let (tx, rx) = channel(0);
                    spawn(async move {
                        for n in 0..ROUNDS {
                            tx.send(n).await.unwrap();
                        }
                    })
                    .detach();
                    spawn_local(async move {
                        for n in 0..ROUNDS {
                            assert_eq!(rx.recv().await, Some(n));
                        }
                    })
                })
                .collect();
            for each in pairs {
                each.await.unwrap();
            }
        });
    }
}

#[test]
fn a_handle_that_is_dropped_lets_go_of_the_waker_it_was_polled_with() {
    struct Counts;
    impl Wake for Counts {
        fn wake(self: Arc<Self>) {}
    }
    let _watchdog = watchdog();
    run(1, async {
        let counts = Arc::new(Counts);
        let waker = Waker::from(counts.clone());
        let mut handle = spawn_local(pending::<()>());
        for _ in 0..3 {
            assert!(Pin::new(&mut handle).poll(&mut Context::from_waker(&waker)).is_pending());
        }
        assert_eq!(Arc::strong_count(&counts), 3);
        let another = Waker::from(Arc::new(Counts));
        assert!(Pin::new(&mut handle).poll(&mut Context::from_waker(&another)).is_pending());
        assert_eq!(Arc::strong_count(&counts), 2);
        assert!(Pin::new(&mut handle).poll(&mut Context::from_waker(&waker)).is_pending());
        drop(handle);
        assert_eq!(Arc::strong_count(&counts), 2);
    });
}

#[test]
#[should_panic(expected = "polled again after it had given its result")]
fn a_local_handle_polled_again_after_its_result_panics() {
    let _watchdog = watchdog();
    quiet();
    run(1, async {
        let mut handle = spawn_local(async {});
        (&mut handle).await.unwrap();
        let _ = handle.await;
    });
}
