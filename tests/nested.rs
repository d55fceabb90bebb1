//! Runtimes beside each other and inside each other, and `block_on` where one is already.

// Main may well return a handle, which is a future, for others to await.
#![allow(clippy::async_yields_async)]

mod common;

use std::future::{Future, pending};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::{Duration, Instant};

use async_channel::bounded;
use common::*;
use futures::channel::oneshot;
use gorun::{Builder, Handle, block_on, num_goroutines, spawn, yield_now};

const WORKERS: [usize; 3] = [1, 2, 16];

fn thread_name() -> String {
    thread::current().name().unwrap_or_default().to_owned()
}

fn named<F: Future>(name: &str, workers: usize, main: F) -> F::Output {
    Builder::new().worker_threads(workers).thread_name(name).block_on(main).unwrap()
}

/// A goroutine that waits until the sender says go.
fn waiting() -> (oneshot::Sender<()>, gorun::JoinHandle<u32>) {
    let (go, gone) = oneshot::channel::<()>();
    (go, spawn(async move { gone.await.map(|()| 42).unwrap() }))
}

// Beside each other.

#[test]
fn two_runtimes_at_once_do_not_see_each_other() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        let barrier = Barrier::new(2);
        let (to_right, from_left) = bounded::<usize>(1);
        let (to_left, from_right) = bounded::<usize>(1);
        let side = |name: &'static str, count: usize, to, from| {
            let barrier = &barrier;
            move || {
                named(name, workers, async {
                    let parked: Vec<_> = (0..count).map(|_| spawn(pending::<()>())).collect();
                    barrier.wait();
                    assert_eq!(num_goroutines(), 1 + count);
                    // Woken by the other's goroutines, it still runs on its own workers.
                    let talker = spawn(talk(name, to, from));
                    assert_eq!(talker.await.unwrap(), 300);
                    assert_eq!(num_goroutines(), 1 + count);
                    barrier.wait();
                    drop(parked);
                })
            }
        };
        async fn talk(
            name: &'static str,
            to: async_channel::Sender<usize>,
            from: async_channel::Receiver<usize>,
        ) -> usize {
            for round in 0..300 {
                to.send(round).await.unwrap();
                assert_eq!(from.recv().await.unwrap(), round);
                assert!(thread_name().starts_with(name), "{name} on {}", thread_name());
                assert!(spawn(async { thread_name() }).await.unwrap().starts_with(name));
            }
            300
        }
        thread::scope(|scope| {
            scope.spawn(side("left", 1, to_right, from_right));
            scope.spawn(side("right", 5, to_left, from_left));
        });
    }
}

#[test]
fn the_end_of_one_runtime_and_its_panics_leave_the_other_alone() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            let (go, handle) = waiting();
            for _ in 0..10 {
                let other = thread::spawn(move || {
                    run(workers, async {
                        spawn(pending::<()>());
                        spawn(async { panic!("boom") });
                        pending::<()>().await;
                    })
                });
                assert!(other.join().is_err());
            }
            assert_eq!(num_goroutines(), 2);
            go.send(()).unwrap();
            assert_eq!(handle.await.unwrap(), 42);
        });
    }
}

// The free function inside.

#[test]
fn block_on_in_a_goroutine_drives_on_its_thread_and_spawns_go_to_the_surrounding_runtime() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        named("around", workers, async {
            let outer = spawn(async {
                let id = thread::current().id();
                // Neither `Send` nor `'static`.
                let (count, text) = (Rc::new(1), String::from("borrowed"));
                let borrowed = &text;
                let length = block_on(async move {
                    yield_now().await;
                    assert_eq!(thread::current().id(), id);
                    assert_eq!(num_goroutines(), 2);
                    let (go, handle) = waiting();
                    assert_eq!(num_goroutines(), 3);
                    go.send(()).unwrap();
                    assert_eq!(handle.await.unwrap(), 42);
                    assert_eq!(thread::current().id(), id);
                    assert!(spawn(async { thread_name() }).await.unwrap().starts_with("around"));
                    borrowed.len() + *count
                });
                assert_eq!(thread::current().id(), id);
                length
            });
            assert_eq!(outer.await.unwrap(), 9);
        });
    }
}

#[test]
fn the_end_of_a_nested_block_on_cancels_nothing() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            let in_main = block_on(async { waiting() });
            let in_goroutine = spawn(async { block_on(async { waiting() }) }).await.unwrap();
            for (go, handle) in [in_main, in_goroutine] {
                assert!(!handle.is_finished());
                go.send(()).unwrap();
                assert_eq!(handle.await.unwrap(), 42);
            }
        });
    }
}

/// On one worker B sits in the queue of the very worker that now blocks.
#[test]
fn block_on_waits_for_what_its_goroutine_just_woke_or_spawned() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            for _ in 0..50 {
                let waits = spawn(async {
                    // Woken: in the next slot.
                    let (go, b) = waiting();
                    while num_goroutines() < 3 {
                        yield_now().await;
                    }
                    yield_now().await;
                    go.send(()).unwrap();
                    assert_eq!(block_on(b).unwrap(), 42);
                    // Spawned: in the ring.
                    let b = spawn(async { 43 });
                    assert_eq!(block_on(b).unwrap(), 43);
                    // One in each, and many behind.
                    let (go, b) = waiting();
                    yield_now().await;
                    let many: Vec<_> = (0..300).map(|n| spawn(async move { n })).collect();
                    go.send(()).unwrap();
                    let sum = block_on(async {
                        let mut sum = b.await.unwrap();
                        for one in many {
                            sum += one.await.unwrap();
                        }
                        sum
                    });
                    assert_eq!(sum, 42 + 300 * 299 / 2);
                });
                waits.await.unwrap();
            }
        });
    }
}

#[test]
fn a_nested_block_on_can_talk_to_goroutines_at_length() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            let talks = spawn(async {
                block_on(async {
                    let (to, from_us) = bounded::<usize>(1);
                    let (to_us, from) = bounded::<usize>(1);
                    spawn(async move {
                        while let Ok(value) = from_us.recv().await {
                            to_us.send(value + 1).await.unwrap();
                        }
                    });
                    for value in 0..500 {
                        to.send(value).await.unwrap();
                        assert_eq!(from.recv().await.unwrap(), value + 1);
                    }
                });
            });
            talks.await.unwrap();
        });
    }
}

#[test]
fn block_on_nests_to_any_depth_in_one_goroutine() {
    fn nest(depth: usize) -> usize {
        if depth == 0 {
            return 0;
        }
        block_on(async {
            let other = spawn(async { 1 });
            yield_now().await;
            other.await.unwrap() + nest(depth - 1)
        })
    }
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            assert_eq!(nest(30), 30);
            assert_eq!(spawn(async { nest(30) }).await.unwrap(), 30);
        });
    }
}

/// Each link blocks a worker until the next one is done.
#[test]
fn a_chain_of_goroutines_that_each_block_on_the_next_completes() {
    fn chain(depth: usize) -> Pin<Box<dyn Future<Output = usize> + Send>> {
        Box::pin(async move {
            if depth == 0 { 0 } else { block_on(spawn(chain(depth - 1))).unwrap() + 1 }
        })
    }
    let _watchdog = watchdog();
    for workers in WORKERS {
        assert_eq!(run(workers, async { spawn(chain(40)).await.unwrap() }), 40);
    }
}

#[test]
fn every_goroutine_may_block_on_at_once() {
    const COUNT: usize = 64;
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            let blocked = Arc::new(AtomicUsize::new(0));
            let (open, gate) = bounded::<()>(1);
            let handles: Vec<_> = (0..COUNT)
                .map(|_| {
                    let (blocked, gate) = (blocked.clone(), gate.clone());
                    spawn(async move {
                        block_on(async {
                            blocked.fetch_add(1, SeqCst);
                            assert!(gate.recv().await.is_err());
                        });
                    })
                })
                .collect();
            // All of them block, and a goroutine that does not still runs.
            yield_until(|| blocked.load(SeqCst) == COUNT).await;
            spawn(async move { open.close() }).await.unwrap();
            for handle in handles {
                handle.await.unwrap();
            }
            assert_eq!(num_goroutines(), 1);
        });
    }
}

/// There are 512 threads, those that stand in for others included.
#[test]
fn a_block_on_for_which_nobody_can_stand_in_says_so() {
    let _watchdog = watchdog();
    if !is_child() {
        let output = child("a_block_on_for_which_nobody_can_stand_in_says_so", &[], "");
        let text = stderr(&output);
        assert!(output.status.success(), "{text}");
        let said = "no thread could be started to stand in for its worker";
        assert_eq!(text.matches(said).count(), 1, "{text}");
        return;
    }
    run(1, async {
        let (open, gate) = bounded::<()>(1);
        let blocked = Arc::new(AtomicUsize::new(0));
        let handles: Vec<_> = (0..600)
            .map(|_| {
                let (gate, blocked) = (gate.clone(), blocked.clone());
                spawn(async move {
                    block_on(async {
                        blocked.fetch_add(1, SeqCst);
                        gate.recv().await.unwrap_err();
                    });
                })
            })
            .collect();
        yield_until(|| blocked.load(SeqCst) == 512).await;
        // Main, at least, goes on.
        drop(open);
        for handle in handles {
            handle.await.unwrap();
        }
    });
}

#[test]
fn after_nested_block_ons_there_are_as_many_threads_as_before() {
    let _watchdog = watchdog();
    if !is_child() {
        let test = "after_nested_block_ons_there_are_as_many_threads_as_before";
        return child_passes(test, &[], "");
    }
    for workers in WORKERS {
        run(workers, async {
            let before = threads();
            for round in 0..3 {
                let (open, gate) = bounded::<()>(1);
                let blocked = Arc::new(AtomicUsize::new(0));
                let handles: Vec<_> = (0..64)
                    .map(|_| {
                        let (gate, blocked) = (gate.clone(), blocked.clone());
                        spawn(async move {
                            block_on(async {
                                blocked.fetch_add(1, SeqCst);
                                assert!(gate.recv().await.is_err());
                            });
                            assert_ne!(round, 2, "boom");
                        })
                    })
                    .collect();
                yield_until(|| blocked.load(SeqCst) == 64).await;
                assert!(threads() > before + 32);
                open.close();
                for handle in handles {
                    assert_eq!(handle.await.is_ok(), round != 2);
                }
                wait_until(|| threads() == before);
                // Those that are left work.
                let (barrier, many) = (Arc::new(Barrier::new(workers)), 0..workers);
                let at_once = many.map(|_| {
                    let barrier = barrier.clone();
                    spawn(async move { barrier.wait().is_leader() })
                });
                for handle in at_once.collect::<Vec<_>>() {
                    handle.await.unwrap();
                }
            }
        });
    }
    // And none is left when the runtimes have ended: the harness, this test and its watchdog.
    wait_until(|| threads() <= 3);
}

#[test]
fn a_panic_goes_through_a_nested_block_on() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            for _ in 0..20 {
                let outer = spawn(async {
                    block_on(async {
                        yield_now().await;
                        panic!("boom");
                    })
                });
                let error = outer.await.unwrap_err();
                assert_eq!(message(&*error.into_panic()), Some("boom"));
                // It can be caught on the way, and the goroutine goes on as one.
                let outer = spawn(async {
                    let payload = payload_of(|| block_on(async { panic!("boom") }));
                    assert_eq!(message(&*payload), Some("boom"));
                    yield_now().await;
                    spawn(async { 1 }).await.unwrap()
                });
                assert_eq!(outer.await.unwrap(), 1);
            }
            let payload = payload_of(|| block_on(async { panic!("boom in main") }));
            assert_eq!(message(&*payload), Some("boom in main"));
        });
    }
}

#[test]
fn an_aborted_goroutine_finishes_its_nested_block_on_first() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            let (started, finished) = (flag(), flag());
            let (go, gone) = oneshot::channel::<()>();
            let outer = spawn({
                let (started, finished) = (started.clone(), finished.clone());
                async move {
                    block_on(async {
                        started.store(true, SeqCst);
                        gone.await.unwrap();
                        finished.store(true, SeqCst);
                    });
                    pending::<()>().await;
                }
            });
            yield_until(|| started.load(SeqCst)).await;
            outer.abort();
            assert!(!outer.is_finished());
            go.send(()).unwrap();
            assert!(outer.await.unwrap_err().is_cancelled());
            assert!(finished.load(SeqCst));
        });
    }
}

#[test]
fn destructors_may_block_on() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        let blocked = Arc::new(AtomicUsize::new(0));
        let blocks = || {
            let blocked = blocked.clone();
            OnDrop(move || {
                assert_eq!(block_on(async { spawn(async { 1 }).await.unwrap() }), 1);
                blocked.fetch_add(1, SeqCst);
            })
        };
        run(workers, async {
            // At completion, at abort, of an output nobody wants, of main.
            let guard = blocks();
            spawn(async { drop(guard) }).await.unwrap();
            let guard = blocks();
            let parked = spawn(async {
                let _guard = guard;
                pending::<()>().await;
            });
            parked.abort();
            assert!(parked.await.unwrap_err().is_cancelled());
            let guard = blocks();
            spawn(async { guard });
            let guard = blocks();
            let handle = spawn(async { guard });
            wait_until(|| handle.is_finished());
            drop(handle);
            yield_until(|| blocked.load(SeqCst) == 4).await;
            let _guard = blocks();
        });
        assert_eq!(blocked.load(SeqCst), 5);
    }
}

/// What a cover runs while its worker is blocked, and what it leaves when it retires.
#[test]
fn work_is_not_lost_when_workers_come_and_go() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            for _ in 0..20 {
                let handles: Vec<_> = (0..50)
                    .map(|number| {
                        spawn(async move {
                            let others: Vec<_> = (0..10).map(|_| spawn(yield_now())).collect();
                            if number % 5 == 0 {
                                block_on(spawn(yield_now())).unwrap();
                            }
                            for other in others {
                                other.await.unwrap();
                            }
                        })
                    })
                    .collect();
                for handle in handles {
                    handle.await.unwrap();
                }
            }
            assert_eq!(num_goroutines(), 1);
        });
    }
}

#[test]
fn main_ends_while_goroutines_are_inside_a_nested_block_on() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        let start = Instant::now();
        run(workers, async {
            let blocked = Arc::new(AtomicUsize::new(0));
            for _ in 0..4 {
                let blocked = blocked.clone();
                spawn(async move {
                    block_on(async {
                        blocked.fetch_add(1, SeqCst);
                        pending::<()>().await;
                    });
                });
            }
            yield_until(|| blocked.load(SeqCst) == 4).await;
        });
        assert!(start.elapsed() < DEADLINE);
    }
}

// A runtime inside another.

#[test]
fn builder_block_on_inside_starts_its_own_runtime() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        named("outer", workers, async {
            for in_goroutine in [false, true] {
                let test = move || {
                    let dropped = flag();
                    let sets = dropped.clone();
                    let before = num_goroutines();
                    let escaped = named("inner", workers, async {
                        assert_eq!(num_goroutines(), 1);
                        assert!(spawn(async { thread_name() }).await.unwrap().starts_with("inner"));
                        // The free function now goes to the inner one.
                        block_on(async {
                            let name = spawn(async { thread_name() }).await.unwrap();
                            assert!(name.starts_with("inner"));
                        });
                        let guard = OnDrop(move || sets.store(true, SeqCst));
                        spawn(async move {
                            let _guard = guard;
                            pending::<()>().await;
                        })
                    });
                    // Its end cancels its own, and nothing else.
                    assert!(dropped.load(SeqCst));
                    assert!(block_on(escaped).unwrap_err().is_cancelled());
                    assert_eq!(num_goroutines(), before);
                };
                let parked = spawn(pending::<()>());
                if in_goroutine {
                    spawn(async move { test() }).await.unwrap()
                } else {
                    test()
                }
                let name = spawn(async { thread_name() }).await.unwrap();
                assert!(name.starts_with("outer"), "{name}");
                assert!(!parked.is_finished());
                parked.abort();
                assert!(parked.await.is_err());
            }
        });
    }
}

#[test]
fn a_runtime_inside_a_goroutine_can_wait_for_the_outer_one() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            let outer = Handle::current();
            let inside = spawn(async move {
                // In this worker's own queue when it blocks.
                let (go, woken) = waiting();
                yield_now().await;
                let spawned = spawn(async { 1 });
                go.send(()).unwrap();
                run(workers, async {
                    assert_eq!(woken.await.unwrap(), 42);
                    assert_eq!(spawned.await.unwrap(), 1);
                    assert_eq!(outer.spawn(async { 2 }).await.unwrap(), 2);
                    // By a handle of the outer one, on this thread, which is a worker of it.
                    outer.block_on(async {
                        assert!(num_goroutines() >= 2);
                        spawn(async { 3 }).await.unwrap()
                    })
                })
            });
            assert_eq!(inside.await.unwrap(), 3);
        });
    }
}

#[test]
fn three_runtimes_inside_each_other_count_their_own() {
    let _watchdog = watchdog();
    run(1, async {
        spawn(async {
            run(1, async {
                spawn(async {
                    run(2, async {
                        let parked = [spawn(pending::<()>()), spawn(pending::<()>())];
                        assert_eq!(num_goroutines(), 1 + parked.len());
                    });
                    assert_eq!(num_goroutines(), 2);
                })
                .await
                .unwrap();
            });
            assert_eq!(num_goroutines(), 2);
        })
        .await
        .unwrap();
        assert_eq!(num_goroutines(), 1);
    });
}

// Handles.

#[test]
fn a_handles_block_on_waits_for_a_goroutine_from_a_foreign_thread() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        named("home", workers, async {
            let (go, handle) = waiting();
            let runtime = Handle::current();
            let foreign = thread::spawn(move || {
                assert!(Handle::try_current().is_none());
                let id = thread::current().id();
                let local = Rc::new(1);
                let value = runtime.block_on(async {
                    assert!(Handle::try_current().is_some());
                    assert_eq!(thread::current().id(), id);
                    assert!(spawn(async { thread_name() }).await.unwrap().starts_with("home"));
                    // The free function inside goes to the same runtime.
                    let name = block_on(async { spawn(async { thread_name() }).await.unwrap() });
                    assert!(name.starts_with("home"));
                    handle.await.unwrap() + *local
                });
                assert!(Handle::try_current().is_none());
                value
            });
            go.send(()).unwrap();
            yield_until(|| foreign.is_finished()).await;
            assert_eq!(foreign.join().unwrap(), 43);
        });
    }
}

#[test]
fn a_handles_block_on_in_a_goroutine_of_another_runtime_changes_sides_and_back() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        named("left", workers, async {
            let left = Handle::current();
            let right = thread::spawn(move || {
                named("right", workers, async {
                    let visitor = spawn(async move {
                        left.block_on(async {
                            spawn(async { thread_name() }).await.unwrap();
                            yield_now().await;
                            spawn(async { thread_name() }).await.unwrap()
                        })
                    });
                    let name = visitor.await.unwrap();
                    assert!(name.starts_with("left"), "{name}");
                    let name = spawn(async { thread_name() }).await.unwrap();
                    assert!(name.starts_with("right"), "{name}");
                })
            });
            yield_until(|| right.is_finished()).await;
            right.join().unwrap();
        });
    }
}

#[test]
fn a_handles_block_on_after_the_end_still_drives_and_its_spawns_are_cancelled() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        let runtime = run(workers, async { Handle::current() });
        let value = runtime.block_on(async {
            yield_now().await;
            assert!(spawn(async {}).await.unwrap_err().is_cancelled());
            num_goroutines()
        });
        assert_eq!(value, 0);
    }
}

#[test]
fn a_panic_goes_through_a_handles_block_on_and_leaves_the_thread_outside() {
    let _watchdog = watchdog();
    run(1, async {
        let runtime = Handle::current();
        let foreign = thread::spawn(move || {
            let payload = payload_of(|| runtime.block_on(async { panic!("boom") }));
            assert_eq!(message(&*payload), Some("boom"));
            assert!(Handle::try_current().is_none());
            assert_eq!(num_goroutines(), 0);
        });
        foreign.join().unwrap();
    });
}

/// Outside threads inside `Handle::block_on` hear of main's end through what they wait for.
#[test]
fn a_handles_block_on_goes_on_when_main_ends() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        let (started, is_started) = std::sync::mpsc::channel();
        let foreign = run(workers, async {
            let (runtime, parked) = (Handle::current(), spawn(pending::<()>()));
            let foreign = thread::spawn(move || {
                runtime.block_on(async {
                    started.send(()).unwrap();
                    let error = parked.await.unwrap_err();
                    assert!(error.is_cancelled());
                    // It is still driven.
                    yield_now().await;
                    1
                })
            });
            is_started.recv_timeout(Duration::from_secs(60)).unwrap();
            foreign
        });
        assert_eq!(foreign.join().unwrap(), 1);
    }
}
