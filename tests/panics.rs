//! Where a panic goes: to the awaiter, or to main's caller, and never nowhere.

// Main may well return a handle, which is a future, for others to await.
#![allow(clippy::async_yields_async)]

mod common;

use std::any::Any;
use std::cell::Cell;
use std::future::{Future, pending};
use std::panic::{catch_unwind, panic_any, resume_unwind};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Barrier, Mutex, mpsc};
use std::task::{Context, Poll, Waker};
use std::thread;

use common::*;
use futures::channel::oneshot;
use gorun::{Builder, Handle, JoinError, JoinHandle, UnhandledPanic, spawn, yield_now};

const WORKERS: [usize; 3] = [1, 2, 16];

/// A payload that is no text.
#[derive(Debug, PartialEq)]
struct Boom(u32);

fn set(flag: &Arc<AtomicBool>) -> OnDrop<impl FnMut() + Send + use<>> {
    let flag = flag.clone();
    OnDrop(move || flag.store(true, SeqCst))
}

/// Panics when dropped.
fn bomb(text: &'static str) -> OnDrop<impl FnMut() + Send> {
    OnDrop(move || panic!("{text}"))
}

/// Is ready at once, and keeps what it holds until it is dropped.
struct Holding<T>(#[allow(dead_code)] T);

impl<T> Unpin for Holding<T> {}

impl<T> Future for Holding<T> {
    type Output = u32;

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<u32> {
        Poll::Ready(5)
    }
}

/// A payload whose destructor panics with another of its kind.
struct Fuse(u32);

impl Drop for Fuse {
    fn drop(&mut self) {
        if self.0 > 0 {
            panic_any(Fuse(self.0 - 1));
        }
    }
}

/// Runs a main that ends with a panic, and returns its text.
#[track_caller]
fn crash<F: Future>(workers: usize, main: F) -> String {
    text(payload_of(|| run(workers, main)))
}

fn text(payload: Box<dyn Any + Send>) -> String {
    message(&*payload).expect("a text").to_owned()
}

/// The handle of a goroutine that has panicked.
fn panicked(text: &'static str) -> JoinHandle<()> {
    let handle = spawn(async move { panic!("{text}") });
    wait_until(|| handle.is_finished());
    handle
}

/// A parked goroutine, and whether it has been dropped.
async fn straggler() -> Arc<AtomicBool> {
    let dropped = flag();
    let guard = set(&dropped);
    let (parked, is_parked) = oneshot::channel();
    spawn(async move {
        let _guard = guard;
        parked.send(()).unwrap();
        pending::<()>().await;
    });
    is_parked.await.unwrap();
    dropped
}

// Observed.

#[test]
fn the_awaiter_gets_the_payload_the_message_and_the_place_of_the_spawn() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            let line = line!() + 1;
            let text = spawn(async { panic!("boom {}", 1) });
            let other = spawn(async { panic_any(Boom(2)) });
            let error: JoinError = text.await.unwrap_err();
            assert!(error.is_panic());
            assert_eq!((error.spawned_at().file(), error.spawned_at().line()), (file!(), line));
            assert!(error.to_string().ends_with("panicked: boom 1"), "{error}");
            assert_eq!(message(&*error.into_panic()), Some("boom 1"));
            let error = other.await.unwrap_err();
            assert_eq!(*error.into_panic().downcast::<Boom>().unwrap(), Boom(2));
        });
    }
}

#[test]
fn a_panic_whose_result_was_taken_is_observed_whatever_becomes_of_the_error() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        let value = run(workers, async {
            let _ = panicked("boom").await;
            let elsewhere = panicked("boom");
            spawn(async move { drop(elsewhere.await) }).await.unwrap();
            yield_now().await;
            42
        });
        assert_eq!(value, 42);
    }
}

#[test]
fn a_join_error_with_a_panic_can_be_shared_and_moved_between_threads() {
    let _watchdog = watchdog();
    // Sendable, but not shareable.
    let error = run(2, async { spawn(async { panic_any(Cell::new(5)) }).await.unwrap_err() });
    let error = Arc::new(error);
    thread::scope(|scope| {
        for _ in 0..4 {
            let error = error.clone();
            scope.spawn(move || {
                assert!(error.is_panic() && error.to_string().ends_with("panicked"))
            });
        }
    });
    let error = Arc::into_inner(error).unwrap();
    let payload = thread::spawn(move || error.into_panic()).join().unwrap();
    assert_eq!(payload.downcast::<Cell<i32>>().unwrap().get(), 5);
}

#[test]
fn a_worker_survives_the_panics_of_its_goroutines() {
    let _watchdog = watchdog();
    run(1, async {
        let id = spawn(async { thread::current().id() }).await.unwrap();
        for round in 0..200 {
            let error = spawn(async move { panic_any(Boom(round)) }).await.unwrap_err();
            assert_eq!(*error.into_panic().downcast::<Boom>().unwrap(), Boom(round));
        }
        assert_eq!(spawn(async { thread::current().id() }).await.unwrap(), id);
    });
}

// Unobserved.

#[test]
fn an_unobserved_panic_drops_main_cancels_the_stragglers_and_resumes_the_payload() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        let (main_dropped, goes_on) = (flag(), flag());
        let mut dropped = None;
        let caller = thread::current().id();
        let payload = payload_of(|| {
            run(workers, async {
                let _guard = set(&main_dropped);
                dropped = Some(straggler().await);
                spawn(async { panic_any(Boom(7)) });
                pending::<()>().await;
                goes_on.store(true, SeqCst);
            })
        });
        assert_eq!(thread::current().id(), caller);
        assert_eq!(*payload.downcast::<Boom>().unwrap(), Boom(7));
        assert!(main_dropped.load(SeqCst) && !goes_on.load(SeqCst));
        assert!(dropped.unwrap().load(SeqCst));
    }
}

#[test]
fn an_unobserved_panic_ends_the_process_with_101_and_is_printed_once() {
    const LINE: u32 = line!() + 4;
    let _watchdog = watchdog();
    if is_child() {
        gorun::block_on(async {
            spawn(async { panic!("boom at sea") }).detach();
            pending::<()>().await;
        });
        return;
    }
    let test = "an_unobserved_panic_ends_the_process_with_101_and_is_printed_once";
    let output = child(test, &[], "");
    let text = stderr(&output);
    assert_eq!(output.status.code(), Some(101), "{text}");
    assert_eq!(text.matches("boom at sea").count(), 1, "{text}");
    let report = format!("gorun: unhandled panic in the goroutine spawned at {}:{LINE}:", file!());
    assert_eq!(text.matches(&report).count(), 1, "{text}");
    assert_eq!(text.matches("gorun:").count(), 1, "{text}");
}

#[test]
fn main_computing_is_interrupted_at_its_next_await() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        let steps = AtomicUsize::new(0);
        let text = crash(workers, async {
            drop(panicked("boom"));
            // Recorded, but main is not at an await.
            steps.fetch_add(1, SeqCst);
            yield_now().await;
            steps.fetch_add(1, SeqCst);
        });
        assert_eq!((&*text, steps.load(SeqCst)), ("boom", 1));
    }
}

#[test]
fn a_panic_recorded_before_mains_result_wins_over_it() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        assert_eq!(
            crash(workers, async {
                drop(panicked("boom"));
                42
            }),
            "boom"
        );
    }
}

#[test]
fn a_panic_recorded_after_mains_result_is_only_reported() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        let over = flag();
        let value = run(workers, async {
            let (started, is_over) = (flag(), over.clone());
            spawn({
                let started = started.clone();
                async move {
                    started.store(true, SeqCst);
                    wait_until(|| is_over.load(SeqCst));
                    panic!("boom too late");
                }
            });
            // Dropped by exit, so after main's result.
            let guard = set(&over);
            spawn(async move {
                let _guard = guard;
                pending::<()>().await;
            });
            wait_until(|| started.load(SeqCst));
            42
        });
        assert_eq!(value, 42);
    }
}

#[test]
fn the_first_of_two_unobserved_panics_wins() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        let text = crash(workers, async {
            let (one, two) = (panicked("boom 1"), panicked("boom 2"));
            drop(two);
            drop(one);
            pending::<()>().await;
        });
        assert_eq!(text, "boom 2");
    }
}

#[test]
fn of_many_panics_at_once_one_is_resumed_and_each_is_reported() {
    const COUNT: usize = 16;
    let _watchdog = watchdog();
    if is_child() {
        run(COUNT, async {
            let barrier = Arc::new(Barrier::new(COUNT));
            for _ in 0..COUNT {
                let barrier = barrier.clone();
                spawn(async move {
                    barrier.wait();
                    panic_any(Boom(1));
                });
            }
            pending::<()>().await;
        });
        return;
    }
    let test = "of_many_panics_at_once_one_is_resumed_and_each_is_reported";
    let output = child(test, &[], "");
    let text = stderr(&output);
    assert_eq!(output.status.code(), Some(101), "{text}");
    assert_eq!(text.matches("gorun: unhandled panic").count(), COUNT, "{text}");
    assert_eq!(text.matches("main is cancelled and the panic resumed").count(), 1, "{text}");
}

#[test]
fn a_panic_in_a_results_destructor_is_said_to_be_of_the_goroutine_that_returned_it() {
    let _watchdog = watchdog();
    if is_child() {
        run(1, async {
            let handle = spawn(async { bomb("boom") });
            wait_until(|| handle.is_finished());
            spawn(async move { drop(handle) }).await.unwrap();
        });
        return;
    }
    let line = line!() - 6;
    let test = "a_panic_in_a_results_destructor_is_said_to_be_of_the_goroutine_that_returned_it";
    let text = stderr(&child(test, &[], ""));
    let place = format!("in the goroutine spawned at {}:{line}:", file!());
    assert!(text.contains(&place), "{place} is not in {text}");
}

/// The result is dropped in favour of the future's panic, on a worker that has seen others complete.
#[test]
fn a_panic_in_a_result_beside_that_in_its_future_is_said_to_be_of_the_same_goroutine() {
    /// Returns one bomb, and holds another.
    struct Both<T>(Option<T>, #[allow(dead_code)] T);
    impl<T: Unpin> Future for Both<T> {
        type Output = T;
        fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<T> {
            Poll::Ready(self.0.take().unwrap())
        }
    }
    let _watchdog = watchdog();
    if is_child() {
        run(1, async {
            spawn(async { vec![1] }).await.unwrap();
            let both = Both(Some(bomb("result")), bomb("future"));
            let _ = spawn(both).await;
            std::future::pending::<()>().await;
        });
        return;
    }
    let line = line!() - 5;
    let test = "a_panic_in_a_result_beside_that_in_its_future_is_said_to_be_of_the_same_goroutine";
    let text = stderr(&child(test, &[], ""));
    let place = format!("in the goroutine spawned at {}:{line}:", file!());
    let said: Vec<_> = text.lines().filter(|line| line.contains("spawned at")).collect();
    assert!(
        !said.is_empty() && said.iter().all(|line| line.contains(&place)),
        "not {place}: {text}"
    );
}

#[test]
fn a_handle_that_goes_before_the_panic_does_not_observe_it() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        // Dropped, detached, dropped after a poll.
        for way in 0..3 {
            let text = crash(workers, async {
                let (go, gone) = oneshot::channel::<()>();
                let mut handle = spawn(async move {
                    gone.await.unwrap();
                    panic!("boom");
                });
                if way == 2 {
                    let poll = Pin::new(&mut handle).poll(&mut Context::from_waker(Waker::noop()));
                    assert!(poll.is_pending());
                }
                if way == 1 {
                    handle.detach()
                } else {
                    drop(handle)
                }
                go.send(()).unwrap();
                pending::<()>().await;
            });
            assert_eq!(text, "boom");
        }
    }
}

#[test]
fn a_handle_that_goes_after_the_panic_without_its_result_does_not_observe_it() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        // By main, by a goroutine, by an outside thread.
        for way in 0..3 {
            let text = crash(workers, async {
                let handle = panicked("boom");
                match way {
                    0 => drop(handle),
                    1 => spawn(async move { drop(handle) }).detach(),
                    _ => thread::spawn(move || drop(handle)).join().unwrap(),
                }
                pending::<()>().await;
            });
            assert_eq!(text, "boom");
        }
    }
}

#[test]
fn a_goroutine_that_panics_with_a_panicked_handle_in_it_leaves_both_unobserved() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        let text = crash(workers, async {
            let handle = panicked("boom inside");
            let outer = spawn(async move {
                let _handle = handle;
                panic!("boom outside");
            });
            // The outer one is observed; the handle went as that unwound.
            let error: JoinError = outer.await.unwrap_err();
            assert!(error.to_string().ends_with("boom outside"));
            pending::<()>().await;
        });
        assert_eq!(text, "boom inside");
    }
}

/// A parked goroutine that holds `handle`.
async fn park_with(handle: JoinHandle<()>) {
    let (parked, is_parked) = oneshot::channel();
    spawn(async move {
        let _handle = handle;
        parked.send(()).unwrap();
        pending::<()>().await;
    });
    is_parked.await.unwrap();
}

#[test]
fn handles_dropped_by_exit_do_not_count() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        let value = run(workers, async {
            park_with(panicked("boom")).await;
            // And one in a goroutine that perhaps never ran.
            let handle = panicked("boom");
            spawn(async move {
                pending::<()>().await;
                drop(handle);
            });
            42
        });
        assert_eq!(value, 42);
    }
}

#[test]
fn handles_dropped_by_exit_are_not_even_reported() {
    let _watchdog = watchdog();
    if is_child() {
        return run(1, async {
            park_with(panicked("boom")).await;
        });
    }
    let output = child("handles_dropped_by_exit_are_not_even_reported", &[], "");
    let text = stderr(&output);
    assert!(output.status.success() && text.contains("boom") && !text.contains("gorun:"), "{text}");
}

#[test]
fn a_handle_that_main_drops_as_it_returns_counts() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        let text = crash(workers, async {
            let _handle = panicked("boom");
            42
        });
        assert_eq!(text, "boom");
    }
}

#[test]
fn a_handle_that_is_left_in_mains_future_when_it_has_returned_is_dropped_by_exit() {
    struct Main(Option<JoinHandle<()>>);
    impl Future for Main {
        type Output = u32;
        fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<u32> {
            self.0 = Some(panicked("boom"));
            Poll::Ready(42)
        }
    }
    let _watchdog = watchdog();
    for workers in WORKERS {
        assert_eq!(run(workers, Main(None)), 42);
    }
}

#[test]
fn handles_dropped_with_a_main_that_was_interrupted_come_too_late() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        let text = crash(workers, async {
            let _handle = panicked("boom 1");
            drop(panicked("boom 2"));
            pending::<()>().await;
        });
        assert_eq!(text, "boom 2");
    }
}

#[test]
fn a_handle_that_leaves_with_mains_result_can_still_observe() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        let handle = run(workers, async { panicked("boom") });
        let error = futures::executor::block_on(handle).unwrap_err();
        assert_eq!(text(error.into_panic()), "boom");
        // And may as well be dropped: main has ended.
        drop(run(workers, async { panicked("boom") }));
    }
}

// Destructors.

#[test]
fn a_destructors_panic_at_completion_takes_the_place_of_the_value() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            let error = spawn(Holding(bomb("boom"))).await.unwrap_err();
            assert_eq!(text(error.into_panic()), "boom");
            let error = spawn(async { drop(bomb("boom")) }).await.unwrap_err();
            assert_eq!(text(error.into_panic()), "boom");
        });
        let detached = crash(workers, async {
            spawn(Holding(bomb("boom")));
            pending::<()>().await;
        });
        assert_eq!(detached, "boom");
    }
}

#[test]
fn the_value_a_destructors_panic_replaces_is_dropped() {
    struct Returns<T, G>(Option<T>, #[allow(dead_code)] G);
    impl<T, G> Unpin for Returns<T, G> {}
    impl<T, G> Future for Returns<T, G> {
        type Output = T;
        fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<T> {
            Poll::Ready(self.0.take().unwrap())
        }
    }
    let _watchdog = watchdog();
    run(1, async {
        let dropped = flag();
        let handle = spawn(Returns(Some(set(&dropped)), bomb("boom")));
        assert_eq!(text(handle.await.map(|_| ()).unwrap_err().into_panic()), "boom");
        assert!(dropped.load(SeqCst));
    });
    // Its own destructor's panic is one nobody can observe.
    let unobserved = crash(1, async {
        let handle = spawn(Returns(Some(bomb("boom of the value")), bomb("boom")));
        assert_eq!(text(handle.await.map(|_| ()).unwrap_err().into_panic()), "boom");
        pending::<()>().await;
    });
    assert_eq!(unobserved, "boom of the value");
}

#[test]
fn a_destructors_panic_after_a_polls_panic_is_the_second_one() {
    struct Twice<G>(#[allow(dead_code)] G);
    impl<G> Future for Twice<G> {
        type Output = ();
        fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
            panic!("boom 1")
        }
    }
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            let error = spawn(Twice(bomb("boom 2"))).await.unwrap_err();
            assert_eq!(text(error.into_panic()), "boom 1");
            let error = spawn(Twice(OnDrop(|| panic_any(Fuse(3))))).await.unwrap_err();
            assert_eq!(text(error.into_panic()), "boom 1");
        });
    }
}

#[test]
fn a_destructors_panic_at_abort_goes_to_the_awaiter_or_to_main() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        let unobserved = crash(workers, async {
            let parked = || {
                spawn(async {
                    let _bomb = bomb("boom");
                    pending::<()>().await;
                })
            };
            let handle = parked();
            yield_now().await;
            handle.abort();
            // Unless it was dropped before its first poll.
            match handle.await.unwrap_err() {
                error if error.is_panic() => assert_eq!(text(error.into_panic()), "boom"),
                error => assert!(error.is_cancelled()),
            }
            let handle = spawn(Parked(bomb("boom"), None));
            handle.abort();
            assert_eq!(text(handle.await.unwrap_err().into_panic()), "boom");
            let handle = spawn(Parked(bomb("boom unobserved"), None));
            let abort = handle.abort_handle();
            drop(handle);
            abort.abort();
            pending::<()>().await;
        });
        assert_eq!(unobserved, "boom unobserved");
    }
}

/// Waits for ever.
struct Parked<T>(#[allow(dead_code)] T, Option<oneshot::Sender<()>>);

impl<T> Unpin for Parked<T> {}

impl<T> Future for Parked<T> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        if let Some(parked) = self.1.take() {
            parked.send(()).unwrap();
        }
        Poll::Pending
    }
}

#[test]
fn destructors_that_panic_at_exit_spoil_neither_the_result_nor_the_other_stragglers() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        let mut dropped = Vec::new();
        let value = run(workers, async {
            for _ in 0..10 {
                dropped.push(straggler().await);
                let (parked, is_parked) = oneshot::channel();
                spawn(Parked(bomb("boom at exit"), Some(parked)));
                is_parked.await.unwrap();
                spawn(Parked(OnDrop(|| panic_any(Fuse(3))), None));
            }
            42
        });
        assert_eq!(value, 42);
        assert!(dropped.iter().all(|dropped| dropped.load(SeqCst)));
    }
}

#[test]
fn an_outputs_destructor_that_panics_is_an_unobserved_panic() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        // Dropped before completion, dropped with the output in it by main, by a goroutine.
        for way in 0..3 {
            let mut dropped = None;
            let text = crash(workers, async {
                dropped = Some(straggler().await);
                let (go, gone) = oneshot::channel::<()>();
                let handle = spawn(async move {
                    gone.await.unwrap();
                    bomb("boom")
                });
                if way == 0 {
                    drop(handle);
                    go.send(()).unwrap();
                } else {
                    go.send(()).unwrap();
                    wait_until(|| handle.is_finished());
                    if way == 1 { drop(handle) } else { spawn(async { drop(handle) }).detach() }
                }
                pending::<()>().await;
            });
            assert_eq!(text, "boom");
            assert!(dropped.unwrap().load(SeqCst));
        }
    }
}

#[test]
fn an_outputs_destructor_that_panics_where_no_runtime_is_harms_nobody() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        let late = run(workers, async {
            let finished = || {
                let handle = spawn(async { bomb("boom") });
                wait_until(|| handle.is_finished());
                handle
            };
            let handle = finished();
            thread::spawn(move || drop(handle)).join().unwrap();
            assert_eq!(spawn(async { 1 }).await.unwrap(), 1);
            finished()
        });
        drop(late);
    }
}

#[test]
fn a_future_refused_after_the_end_may_panic_in_its_destructor() {
    let _watchdog = watchdog();
    let runtime = run(1, async { Handle::current() });
    let late = runtime.spawn(Parked(bomb("boom"), None));
    assert!(futures::executor::block_on(late).unwrap_err().is_cancelled());
}

#[test]
fn payloads_whose_destructors_panic_harm_nobody() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        // Ignored.
        let value = ignoring(workers, async {
            for _ in 0..10 {
                spawn(async { panic_any(Fuse(3)) });
                let handle = spawn(async { panic_any(Fuse(3)) });
                wait_until(|| handle.is_finished());
                drop(handle);
            }
            spawn(async { 42 }).await.unwrap()
        });
        assert_eq!(value, 42);
        // Superfluous, before and after main's end.
        let text = crash(workers, async {
            spawn(Parked(OnDrop(|| panic_any(Fuse(3))), None));
            let second = spawn(async { panic_any(Fuse(3)) });
            wait_until(|| second.is_finished());
            drop(panicked("boom 1"));
            drop(second);
            pending::<()>().await;
        });
        assert_eq!(text, "boom 1");
        // In an error that a goroutine drops.
        run(workers, async {
            let fuse = spawn(async { panic_any(Fuse(1)) });
            let drops = spawn(async { drop(fuse.await) });
            let error = drops.await.unwrap_err();
            assert!(error.into_panic().is::<Fuse>());
        });
    }
}

/// The first one is dropped by the scheduler, the second by main.
#[test]
fn a_payload_whose_destructors_panic_for_ever_is_given_up() {
    struct Endless;
    impl Drop for Endless {
        fn drop(&mut self) {
            panic_any(Endless);
        }
    }
    let _watchdog = watchdog();
    quiet();
    for workers in WORKERS {
        let value = ignoring(workers, async {
            spawn(async { panic_any(Endless) });
            let handle = spawn(async { panic_any(Endless) });
            wait_until(|| handle.is_finished());
            drop(handle);
            spawn(async { 42 }).await.unwrap()
        });
        assert_eq!(value, 42);
    }
}

/// Such a payload's destructor comes back to what keeps the panics.
#[test]
fn payloads_that_hold_panicked_handles_can_be_dropped() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        let main = || async {
            let (inner, second) = (panicked("boom in the payload"), panicked("boom 1"));
            let outer = spawn(async move { panic_any(inner) });
            wait_until(|| outer.is_finished());
            drop(second);
            drop(outer);
            pending::<()>().await;
        };
        assert_eq!(crash(workers, main()), "boom 1");
        ignoring(workers, async {
            let inner = panicked("boom in the payload");
            drop(spawn(async move { panic_any(inner) }));
            yield_until(|| gorun::num_goroutines() == 1).await;
        });
    }
}

// Ignoring.

fn ignoring<F: Future>(workers: usize, main: F) -> F::Output {
    let builder = Builder::new().worker_threads(workers);
    builder.unhandled_panic(UnhandledPanic::Ignore).block_on(main).unwrap()
}

#[test]
fn ignore_lets_unobserved_panics_pass_and_observed_ones_through() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        let value = ignoring(workers, async {
            spawn(async { panic!("boom") });
            drop(panicked("boom"));
            spawn(async { bomb("boom") });
            spawn(Holding(bomb("boom")));
            gorun::block_on(async { yield_now().await });
            yield_until(|| gorun::num_goroutines() == 1).await;
            let error = spawn(async { panic!("boom seen") }).await.unwrap_err();
            assert_eq!(text(error.into_panic()), "boom seen");
            42
        });
        assert_eq!(value, 42);
    }
}

// Main's own.

#[test]
fn mains_own_panic_cancels_the_stragglers_and_goes_on_in_the_caller() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        let main_dropped = flag();
        let mut dropped = None;
        let payload = payload_of(|| {
            run(workers, async {
                let _guard = set(&main_dropped);
                dropped = Some(straggler().await);
                panic_any(Boom(1));
            })
        });
        assert_eq!(*payload.downcast::<Boom>().unwrap(), Boom(1));
        assert!(main_dropped.load(SeqCst) && dropped.unwrap().load(SeqCst));
    }
}

#[test]
fn an_unobserved_panic_recorded_before_mains_own_wins() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        let text = crash(workers, async {
            drop(panicked("boom 1"));
            panic!("boom 2");
        });
        assert_eq!(text, "boom 1");
    }
}

/// The first wins, and main's own panic was first: the handle went because of it.
#[test]
fn mains_own_panic_wins_over_one_whose_handle_its_unwinding_drops() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        let text = crash(workers, async {
            let _handle = panicked("boom of a goroutine");
            panic!("boom of main");
        });
        assert_eq!(text, "boom of main");
    }
}

#[test]
fn panics_of_mains_destructors_and_of_its_result_come_after_the_first() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        let text = crash(workers, async {
            let _bomb = bomb("boom of the destructor");
            drop(panicked("boom"));
            pending::<()>().await;
        });
        assert_eq!(text, "boom");
        let text = crash(workers, async {
            drop(panicked("boom"));
            bomb("boom of the result")
        });
        assert_eq!(text, "boom");
        assert_eq!(crash(workers, Holding(bomb("boom of main's future"))), "boom of main's future");
    }
}

// Main in the middle of something.

#[test]
fn a_main_inside_a_nested_block_on_is_resumed_there() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        // The free function, a handle's, and one inside the other.
        for way in 0..3 {
            let inner_dropped = flag();
            let payload = payload_of(|| {
                run(workers, async {
                    spawn(async { panic_any(Boom(3)) });
                    let guard = set(&inner_dropped);
                    let inner = async {
                        let _guard = guard;
                        pending::<()>().await;
                    };
                    let resumed = payload_of(|| match way {
                        0 => gorun::block_on(inner),
                        1 => Handle::current().block_on(inner),
                        _ => gorun::block_on(async { gorun::block_on(inner) }),
                    });
                    assert!(inner_dropped.load(SeqCst));
                    assert_eq!(resumed.downcast_ref(), Some(&Boom(3)));
                    resume_unwind(resumed);
                })
            });
            assert_eq!(*payload.downcast::<Boom>().unwrap(), Boom(3));
        }
    }
}

#[test]
fn a_main_that_catches_the_resumed_panic_still_ends_with_one() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        let catch = || {
            drop(panicked("boom"));
            text(payload_of(|| gorun::block_on(pending::<()>())))
        };
        // By its result.
        let says = crash(workers, async {
            assert_eq!(catch(), "boom");
            42
        });
        assert!(says.contains("caught"), "{says}");
        // At its next await, and at every `block_on` before it.
        let after = flag();
        let says = crash(workers, async {
            assert_eq!(catch(), "boom");
            let again = text(payload_of(|| gorun::block_on(pending::<()>())));
            assert!(again.contains("caught"), "{again}");
            pending::<()>().await;
            after.store(true, SeqCst);
        });
        assert!(says.contains("caught"), "{says}");
        assert!(!after.load(SeqCst));
    }
}

#[test]
fn a_main_inside_foreign_blocking_code_is_interrupted_at_its_next_await() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        let (blocked, awaited) = (flag(), flag());
        let text = crash(workers, async {
            let (tell, told) = mpsc::channel();
            let crasher = spawn(async { panic!("boom") });
            drop(crasher);
            spawn(async move {
                yield_until(|| gorun::num_goroutines() == 2).await;
                tell.send(()).unwrap();
            });
            // Both block the thread, and the panic unparks it.
            told.recv().unwrap();
            futures::executor::block_on(async {
                let (one, mut two) = (spawn(async {}), spawn(async {}));
                one.await.unwrap();
                (&mut two).await.unwrap();
            });
            blocked.store(true, SeqCst);
            pending::<()>().await;
            awaited.store(true, SeqCst);
        });
        assert_eq!(text, "boom");
        assert!(blocked.load(SeqCst) && !awaited.load(SeqCst));
    }
}

#[test]
fn a_goroutine_inside_a_nested_block_on_is_not_what_an_unobserved_panic_interrupts() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        let finished = flag();
        let text = crash(workers, async {
            let (go, gone) = oneshot::channel::<()>();
            let (started, is_started) = oneshot::channel();
            let ends = finished.clone();
            spawn(async move {
                gorun::block_on(async {
                    started.send(()).unwrap();
                    gone.await.unwrap();
                    ends.store(true, SeqCst);
                });
            });
            is_started.await.unwrap();
            drop(panicked("boom"));
            go.send(()).unwrap();
            wait_until(|| finished.load(SeqCst));
            pending::<()>().await;
        });
        assert_eq!(text, "boom");
    }
}

/// The same with a runtime of its own in between, which ends with it.
#[test]
fn an_unobserved_panic_unwinds_main_out_of_a_runtime_inside_it() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        let other = Arc::new(Mutex::new(None));
        let text = crash(workers, async {
            let (go, gone) = oneshot::channel();
            spawn(async { gone.await.map(|()| panic!("boom")) });
            run(workers, async {
                *other.lock().unwrap() = Some(straggler().await);
                go.send(()).unwrap();
                pending::<()>().await;
            });
        });
        assert_eq!(text, "boom");
        assert!(other.lock().unwrap().take().unwrap().load(SeqCst), "the inner one's straggler");
        // A wait on another runtime, in which nothing happens.
        let (runtime, stop) = runtime_elsewhere();
        let text = crash(workers, async {
            spawn(async { panic!("boom") });
            runtime.block_on(pending::<()>());
        });
        assert_eq!(text, "boom");
        drop(stop);
    }
}

/// A runtime on a thread of its own, until the sender goes.
fn runtime_elsewhere() -> (Handle, oneshot::Sender<()>) {
    let (stop, stopped) = oneshot::channel::<()>();
    let (tell, told) = mpsc::channel();
    thread::spawn(move || {
        run(1, async {
            tell.send(Handle::current()).unwrap();
            let _ = stopped.await;
        });
    });
    (told.recv().unwrap(), stop)
}

/// A destructor of main's may wait for something, as one that flushes does.
#[test]
fn main_may_block_in_a_destructor_when_it_has_been_interrupted() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        let flushed = flag();
        let text = crash(workers, async {
            let _flush = OnDrop(|| {
                gorun::block_on(async {});
                flushed.store(true, SeqCst);
            });
            drop(panicked("boom"));
            pending::<()>().await;
        });
        assert_eq!(text, "boom");
        assert!(flushed.load(SeqCst), "the destructor was interrupted");
    }
}

/// A panic out of a destructor while another panic unwinds aborts the process.
#[test]
fn main_may_block_in_a_destructor_while_a_resumed_panic_unwinds() {
    let _watchdog = watchdog();
    if !is_child() {
        return child_passes(
            "main_may_block_in_a_destructor_while_a_resumed_panic_unwinds",
            &[],
            "",
        );
    }
    let flushed = flag();
    let text = crash(2, async {
        let _flush = OnDrop(|| {
            gorun::block_on(async {});
            flushed.store(true, SeqCst);
        });
        drop(panicked("boom"));
        gorun::block_on(pending::<()>());
    });
    assert_eq!(text, "boom");
    assert!(flushed.load(SeqCst));
}

/// As above, with a panic of main's own, and a goroutine's that was recorded earlier.
#[test]
fn main_may_block_in_a_destructor_while_its_own_panic_unwinds() {
    let _watchdog = watchdog();
    if !is_child() {
        return child_passes("main_may_block_in_a_destructor_while_its_own_panic_unwinds", &[], "");
    }
    let text = crash(2, async {
        let _flush = OnDrop(|| gorun::block_on(async {}));
        drop(panicked("boom 1"));
        panic!("boom 2");
    });
    assert_eq!(text, "boom 1");
}

/// The panic must not wait for a runtime inside main's to end.
#[test]
fn a_panic_in_a_runtime_inside_a_goroutine_stays_there() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async move {
            let outer = spawn(async move {
                run(workers, async {
                    spawn(async { panic!("boom") });
                    pending::<()>().await;
                });
            });
            let error = outer.await.unwrap_err();
            assert_eq!(text(error.into_panic()), "boom");
            assert_eq!(spawn(async { 1 }).await.unwrap(), 1);
        });
    }
}

/// Panics, aborts, drops of handles and awaits, all at once: whatever happens, the first that
/// nobody observes is what comes out, and nothing else of the process goes.
#[test]
fn a_storm_of_panics_ends_in_one() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        for round in 0..30 {
            let result = catch_unwind(|| {
                run(workers, async {
                    for number in 0..40u32 {
                        let handle = spawn(async move {
                            if number % 3 == 0 {
                                yield_now().await;
                            }
                            panic_any(Boom(number))
                        });
                        match (number + round) % 4 {
                            0 => drop(handle),
                            1 => drop(handle.await),
                            2 => {
                                handle.abort();
                                spawn(async { drop(handle.await) }).detach();
                            }
                            _ => spawn(async { drop(handle) }).detach(),
                        }
                    }
                    pending::<()>().await;
                })
            });
            assert!(result.unwrap_err().is::<Boom>());
        }
    }
}
