//! Handles: awaiting, detaching and aborting, from wherever.

mod common;

use std::error::Error;
use std::future::{Future, pending, poll_fn};
use std::panic::panic_any;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::task::{Context, Poll, Waker};
use std::thread;

use common::*;
use futures::channel::oneshot;
use gorun::{AbortHandle, Handle, JoinError, JoinHandle, spawn, yield_now};

const WORKERS: [usize; 3] = [1, 2, 16];

fn set(flag: &Arc<AtomicBool>) -> OnDrop<impl FnMut() + Send + use<>> {
    let flag = flag.clone();
    OnDrop(move || assert!(!flag.swap(true, SeqCst), "dropped twice"))
}

/// A goroutine that occupies its worker's thread until the returned flag is set.
fn occupy() -> (JoinHandle<()>, Arc<AtomicBool>) {
    let (started, release) = (flag(), flag());
    let handle = spawn({
        let (started, release) = (started.clone(), release.clone());
        async move {
            started.store(true, SeqCst);
            wait_until(|| release.load(SeqCst));
        }
    });
    wait_until(|| started.load(SeqCst));
    (handle, release)
}

fn poll_once<T>(handle: &mut JoinHandle<T>) -> Poll<Result<T, JoinError>> {
    Pin::new(handle).poll(&mut Context::from_waker(Waker::noop()))
}

// Detaching.

#[test]
fn a_goroutine_whose_handle_is_dropped_runs_on() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        for detach in [false, true] {
            let echoed = run(workers, async move {
                let (ask, asked) = oneshot::channel::<u32>();
                let (answer, answered) = oneshot::channel();
                let handle = spawn(async move { answer.send(asked.await.unwrap() + 1).unwrap() });
                if detach {
                    handle.detach()
                } else {
                    drop(handle)
                }
                ask.send(1).unwrap();
                answered.await.unwrap()
            });
            assert_eq!(echoed, 2);
        }
    }
}

#[test]
fn a_handle_dropped_in_the_middle_of_awaiting_it_lets_the_goroutine_run_on() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            let (ask, asked) = oneshot::channel::<u32>();
            let (answer, answered) = oneshot::channel();
            let mut handle = spawn(async move { answer.send(asked.await.unwrap()).unwrap() });
            // With main's own waker, so that a late wake goes to a live one.
            let polled = poll_fn(|cx| Poll::Ready(Pin::new(&mut handle).poll(cx).is_pending()));
            assert!(polled.await);
            drop(handle);
            ask.send(7).unwrap();
            assert_eq!(answered.await.unwrap(), 7);
        });
    }
}

#[test]
fn an_output_nobody_takes_is_dropped_once_and_a_taken_one_not_at_all() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        // Dropped before, dropped after, taken.
        for way in 0..3 {
            let dropped = flag();
            let mut kept = None;
            run(workers, async {
                let (go, gone) = oneshot::channel::<()>();
                let output = set(&dropped);
                let handle = spawn(async move {
                    gone.await.unwrap();
                    output
                });
                if way == 0 {
                    drop(handle);
                    go.send(()).unwrap();
                } else {
                    go.send(()).unwrap();
                    yield_until(|| handle.is_finished()).await;
                    assert!(!dropped.load(SeqCst));
                    if way == 1 { drop(handle) } else { kept = Some(handle.await.unwrap()) }
                }
                yield_until(|| kept.is_some() || dropped.load(SeqCst)).await;
            });
            assert_eq!(dropped.load(SeqCst), kept.is_none());
        }
    }
}

// Aborting.

#[test]
fn abort_before_the_first_poll_drops_the_future_unpolled() {
    let _watchdog = watchdog();
    run_without_spares(1, async {
        let (occupier, release) = occupy();
        let (polled, dropped) = (flag(), flag());
        let guard = set(&dropped);
        let victim = spawn({
            let polled = polled.clone();
            async move {
                let _guard = guard;
                polled.store(true, SeqCst);
            }
        });
        victim.abort();
        assert!(!victim.is_finished());
        release.store(true, SeqCst);
        assert!(victim.await.unwrap_err().is_cancelled());
        assert!(dropped.load(SeqCst) && !polled.load(SeqCst));
        occupier.await.unwrap();
    });
}

#[test]
fn abort_while_parked_drops_the_future() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            let (parked, is_parked) = oneshot::channel();
            let dropped = flag();
            let guard = set(&dropped);
            let victim = spawn(async move {
                let _guard = guard;
                parked.send(()).unwrap();
                pending::<()>().await;
            });
            is_parked.await.unwrap();
            victim.abort();
            assert!(victim.await.unwrap_err().is_cancelled());
            assert!(dropped.load(SeqCst));
        });
    }
}

/// Goroutines of twenty types, all spawned at one place: each handle must wake its own, whatever a
/// spawn site remembers of the others.
#[test]
fn abort_of_goroutines_of_many_types_spawned_at_one_place_drops_each() {
    fn park<const SIZE: usize>(dropped: &Arc<AtomicUsize>) -> JoinHandle<usize> {
        let (ballast, dropped) = ([0u8; SIZE], dropped.clone());
        let count = OnDrop(move || {
            dropped.fetch_add(1, SeqCst);
        });
        spawn(async move {
            let _count = count;
            pending::<()>().await;
            ballast.len()
        })
    }
    macro_rules! park_each {
        ($dropped:expr, $($size:literal)*) => { vec![$(park::<$size>($dropped)),*] };
    }
    let _watchdog = watchdog();
    for workers in WORKERS {
        for parked in [false, true] {
            run(workers, async {
                let dropped = Arc::new(AtomicUsize::new(0));
                for _ in 0..20 {
                    let handles =
                        park_each!(&dropped, 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20);
                    if parked {
                        yield_now().await;
                    }
                    let (by_handle, by_abort_handle) = handles.split_at(10);
                    by_handle.iter().for_each(JoinHandle::abort);
                    let aborts: Vec<_> =
                        by_abort_handle.iter().map(JoinHandle::abort_handle).collect();
                    aborts.iter().for_each(AbortHandle::abort);
                    for handle in handles {
                        assert!(handle.await.unwrap_err().is_cancelled());
                    }
                }
                assert_eq!(dropped.load(SeqCst), 400);
            });
        }
    }
}

#[test]
fn abort_of_a_goroutine_that_runs_takes_effect_at_its_next_await() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            let (started, release, at_await, after, dropped) =
                (flag(), flag(), flag(), flag(), flag());
            let guard = set(&dropped);
            let victim = spawn({
                let (started, release) = (started.clone(), release.clone());
                let (at_await, after) = (at_await.clone(), after.clone());
                async move {
                    let _guard = guard;
                    started.store(true, SeqCst);
                    wait_until(|| release.load(SeqCst));
                    at_await.store(true, SeqCst);
                    yield_now().await;
                    after.store(true, SeqCst);
                }
            });
            wait_until(|| started.load(SeqCst));
            victim.abort();
            assert!(!victim.is_finished() && !dropped.load(SeqCst));
            release.store(true, SeqCst);
            assert!(victim.await.unwrap_err().is_cancelled());
            assert!(at_await.load(SeqCst) && dropped.load(SeqCst) && !after.load(SeqCst));
        });
    }
}

#[test]
fn a_goroutine_that_completes_before_its_next_await_is_not_cancelled() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            let (handle, release) = occupy();
            handle.abort();
            release.store(true, SeqCst);
            handle.await.unwrap();
        });
    }
}

#[test]
fn a_goroutine_may_abort_itself() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            for suspends in [false, true] {
                let (give, given) = oneshot::channel::<AbortHandle>();
                let dropped = flag();
                let guard = set(&dropped);
                let handle = spawn(async move {
                    let _guard = guard;
                    given.await.unwrap().abort();
                    if suspends {
                        yield_now().await;
                        panic!("polled after it had aborted itself");
                    }
                });
                assert!(give.send(handle.abort_handle()).is_ok());
                let result = handle.await;
                assert!(dropped.load(SeqCst));
                assert_eq!(result.is_err_and(|error| error.is_cancelled()), suspends);
            }
        });
    }
}

#[test]
fn abort_twice_and_from_the_destructor_drops_once() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            let (give, given) = oneshot::channel::<AbortHandle>();
            let dropped = flag();
            let guard = set(&dropped);
            let victim = spawn(async move {
                let _guard = guard;
                let abort = given.await.unwrap();
                let _again = OnDrop(|| abort.abort());
                pending::<()>().await;
            });
            assert!(give.send(victim.abort_handle()).is_ok());
            let abort = victim.abort_handle();
            victim.abort();
            victim.abort();
            abort.abort();
            abort.clone().abort();
            assert!(victim.await.unwrap_err().is_cancelled());
            assert!(dropped.load(SeqCst));
            abort.abort();
        });
    }
}

#[test]
fn abort_after_completion_changes_nothing() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        let (abort, mut handle) = run(workers, async {
            let handle = spawn(async { 42 });
            let abort = handle.abort_handle();
            yield_until(|| handle.is_finished()).await;
            handle.abort();
            abort.abort();
            (abort, handle)
        });
        // Nor does it when the runtime has ended, nor when the result has been taken.
        abort.abort();
        handle.abort();
        assert!(matches!(poll_once(&mut handle), Poll::Ready(Ok(42))));
        handle.abort();
        handle.abort_handle().abort();
        abort.abort();
    }
}

/// Aborts goroutines in every stage of a short life, from two threads.
#[test]
fn abort_in_a_race_with_wakes_and_completion_drops_exactly_once() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            for round in 0..300 {
                let dropped = flag();
                let guard = set(&dropped);
                let (give, given) = oneshot::channel();
                let victim = spawn(async move {
                    let _guard = guard;
                    for _ in 0..round % 4 {
                        yield_now().await;
                    }
                    given.await.unwrap()
                });
                let abort = victim.abort_handle();
                let aborter = spawn(async move { abort.abort() });
                if round % 3 == 0 {
                    victim.abort();
                }
                // Fails if the abort was first.
                let _ = give.send(round);
                match victim.await {
                    Ok(value) => assert_eq!(value, round),
                    Err(error) => assert!(error.is_cancelled(), "{error}"),
                }
                assert!(dropped.load(SeqCst));
                aborter.await.unwrap();
            }
        });
    }
}

// What the result says of the future.

/// A destructor that takes its time. The flag is set at its end.
fn slow(flag: &Arc<AtomicBool>) -> OnDrop<impl FnMut() + Send + use<>> {
    let flag = flag.clone();
    OnDrop(move || {
        (0..50).for_each(|_| thread::yield_now());
        flag.store(true, SeqCst);
    })
}

#[test]
fn a_handle_resolves_only_after_the_futures_destructors_have_run() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        // Completion, panic, abort.
        for way in 0..3 {
            // Awaited by main, by a goroutine, by an outside thread, by looking.
            for awaiter in 0..4 {
                let dropped = flag();
                let guard = slow(&dropped);
                run(workers, async {
                    let victim = spawn(async move {
                        let _guard = guard;
                        match way {
                            0 => {}
                            1 => panic!("boom"),
                            _ => pending().await,
                        }
                    });
                    if way == 2 {
                        victim.abort();
                    }
                    match awaiter {
                        0 => {
                            assert_eq!(victim.await.is_ok(), way == 0);
                            assert!(dropped.load(SeqCst));
                        }
                        1 => {
                            let dropped = dropped.clone();
                            let other = spawn(async move {
                                assert_eq!(victim.await.is_ok(), way == 0);
                                assert!(dropped.load(SeqCst));
                            });
                            other.await.unwrap();
                        }
                        2 => {
                            let dropped = dropped.clone();
                            let other = thread::spawn(move || {
                                let result = futures::executor::block_on(victim);
                                assert_eq!(result.is_ok(), way == 0);
                                assert!(dropped.load(SeqCst));
                            });
                            other.join().unwrap();
                        }
                        _ => {
                            wait_until(|| victim.is_finished());
                            assert!(dropped.load(SeqCst));
                            assert_eq!(victim.await.is_ok(), way == 0);
                        }
                    }
                });
            }
        }
    }
}

#[test]
fn is_finished_says_no_while_it_runs_or_waits_and_yes_ever_after() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            let (go, gone) = oneshot::channel::<()>();
            let mut handle = spawn(async move { gone.await.unwrap() });
            for _ in 0..20 {
                assert!(!handle.is_finished());
                yield_now().await;
            }
            go.send(()).unwrap();
            yield_until(|| handle.is_finished()).await;
            (&mut handle).await.unwrap();
            assert!(handle.is_finished());
            let (running, release) = occupy();
            assert!(!running.is_finished());
            release.store(true, SeqCst);
            yield_until(|| running.is_finished()).await;
        });
    }
}

// Who may await.

#[test]
fn any_executor_and_any_thread_can_await_a_handle() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            // A plain thread, with an executor of its own.
            let (go, gone) = oneshot::channel::<()>();
            let handle = spawn(async move { gone.await.map(|()| 1).unwrap() });
            let waits = thread::spawn(|| futures::executor::block_on(handle).unwrap());
            go.send(()).unwrap();
            assert_eq!(waits.join().unwrap(), 1);

            // A mock task.
            let (go, gone) = oneshot::channel::<()>();
            let handle = spawn(async move { gone.await.map(|()| 2).unwrap() });
            let mut task = tokio_test::task::spawn(handle);
            tokio_test::assert_pending!(task.poll());
            assert!(!task.is_woken());
            go.send(()).unwrap();
            yield_until(|| task.is_woken()).await;
            assert_eq!(tokio_test::assert_ready_ok!(task.poll()), 2);

            // Another runtime: in its main, and in a goroutine of it.
            let (go, gone) = oneshot::channel::<()>();
            let (go_on, gone_on) = oneshot::channel::<()>();
            let one = spawn(async move { gone.await.map(|()| 3).unwrap() });
            let two = spawn(async move { gone_on.await.map(|()| 4).unwrap() });
            let waits = thread::spawn(move || {
                run(workers, async {
                    let two = spawn(async { two.await.unwrap() });
                    (one.await.unwrap(), two.await.unwrap())
                })
            });
            go.send(()).unwrap();
            go_on.send(()).unwrap();
            assert_eq!(waits.join().unwrap(), (3, 4));

            // The free `block_on` and a handle's, on a thread without a runtime.
            let (handle, other) = (spawn(async { 5 }), spawn(async { 6 }));
            let runtime = Handle::current();
            let waits = thread::spawn(move || {
                (gorun::block_on(handle).unwrap(), runtime.block_on(other).unwrap())
            });
            assert_eq!(waits.join().unwrap(), (5, 6));
        });
    }
}

#[test]
fn the_last_waker_a_handle_was_polled_with_is_the_one_that_is_woken() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            let (go, gone) = oneshot::channel::<()>();
            let handle = spawn(async move { gone.await.unwrap() });
            let mut task = tokio_test::task::spawn(handle);
            tokio_test::assert_pending!(task.poll());
            let handle = task.into_inner();
            let (polled, was_polled) = oneshot::channel();
            let other = spawn(async move {
                let (mut handle, mut polled) = (handle, Some(polled));
                poll_fn(move |cx| {
                    let poll = Pin::new(&mut handle).poll(cx);
                    if let Some(polled) = polled.take() {
                        polled.send(()).unwrap()
                    }
                    poll
                })
                .await
            });
            was_polled.await.unwrap();
            go.send(()).unwrap();
            other.await.unwrap().unwrap();
        });
    }
}

#[test]
fn a_handle_can_be_awaited_after_its_runtime_has_ended() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        let dropped = flag();
        let guard = set(&dropped);
        let (done, panicked, parked, unpolled) = run(workers, async {
            let done = spawn(async { 42 });
            let panicked = spawn(async { panic!("boom") });
            let parked = spawn(async move {
                let _guard = guard;
                pending::<u32>().await
            });
            yield_until(|| done.is_finished() && panicked.is_finished()).await;
            let unpolled = spawn(pending::<u32>());
            (done, panicked, parked, unpolled)
        });
        assert!(dropped.load(SeqCst));
        assert!(parked.is_finished() && unpolled.is_finished());
        let elsewhere = thread::spawn(|| {
            assert_eq!(futures::executor::block_on(done).unwrap(), 42);
            assert!(futures::executor::block_on(parked).unwrap_err().is_cancelled());
            gorun::block_on(async {
                assert!(unpolled.await.unwrap_err().is_cancelled());
                let error: JoinError = panicked.await.unwrap_err();
                assert_eq!(message(&*error.into_panic()), Some("boom"));
            });
        });
        elsewhere.join().unwrap();
    }
}

#[test]
fn a_handle_of_a_spawn_after_the_end_says_cancelled_and_answers_everything() {
    let _watchdog = watchdog();
    let runtime = run(1, async { Handle::current() });
    let dropped = flag();
    let guard = set(&dropped);
    let line = line!() + 1;
    let mut late = runtime.spawn(async move { drop(guard) });
    assert!(dropped.load(SeqCst) && late.is_finished());
    late.abort();
    late.abort_handle().abort();
    let Poll::Ready(Err(error)) = poll_once(&mut late) else { panic!("no result") };
    assert!(error.is_cancelled());
    assert_eq!((error.spawned_at().file(), error.spawned_at().line()), (file!(), line));
    assert!(panic_of(|| poll_once(&mut late)).message.contains("polled again"));
}

#[test]
fn a_goroutine_that_awaits_another_runtimes_handle_is_dropped_at_its_own_exit() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            let parked = spawn(pending::<()>());
            let other = thread::spawn(move || {
                let mut straggler = None;
                run(workers, async {
                    straggler = Some(spawn(async move { parked.await.unwrap() }));
                    yield_now().await;
                });
                straggler.unwrap()
            });
            let straggler = other.join().unwrap();
            assert!(straggler.await.unwrap_err().is_cancelled());
        });
    }
}

#[test]
fn a_result_can_be_moved_through_many_goroutines() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            let mut handle = spawn(async { 0 });
            for _ in 0..1000 {
                handle = spawn(async { handle.await.unwrap() + 1 });
            }
            assert_eq!(handle.await.unwrap(), 1000);
        });
    }
}

// Polled again.

#[test]
fn a_handle_polled_after_its_result_panics_at_the_callers_line() {
    let _watchdog = watchdog();
    run(1, async {
        let spawned_at = line!() + 1;
        let mut handle = spawn(async { 42 });
        yield_until(|| handle.is_finished()).await;
        let mut cx = Context::from_waker(Waker::noop());
        assert!(Pin::new(&mut handle).poll(&mut cx).is_ready());
        for _ in 0..2 {
            let seen = panic_of(|| Pin::new(&mut handle).poll(&mut cx)); // this line
            assert_eq!((&*seen.file, seen.line), (file!(), line!() - 1));
            assert!(seen.message.contains(&format!("{}:{spawned_at}:", file!())), "{seen:?}");
            assert!(seen.message.contains("polled again"), "{seen:?}");
        }
    });
}

#[test]
fn a_handle_awaited_after_its_result_panics_with_what_to_do() {
    let _watchdog = watchdog();
    run(1, async {
        let mut handle = spawn(async { 42 });
        assert_eq!((&mut handle).await.unwrap(), 42);
        let error = spawn(async move { handle.await.unwrap() }).await.unwrap_err();
        let payload = error.into_panic();
        let message = message(&*payload).unwrap();
        assert!(message.contains("polled again") && message.contains("Option"), "{message}");
    });
}

// Errors and formats.

fn errors() -> (JoinError, JoinError, u32) {
    run(2, async {
        let parked = spawn(pending::<()>());
        parked.abort();
        let line = line!() + 1;
        let panicked = spawn(async { panic!("boom {}", 1) });
        (parked.await.unwrap_err(), panicked.await.unwrap_err(), line)
    })
}

#[test]
fn a_join_error_says_which_goroutine_and_why() {
    let _watchdog = watchdog();
    let (cancelled, panicked, line) = errors();
    assert!(cancelled.is_cancelled() && !cancelled.is_panic());
    assert!(panicked.is_panic() && !panicked.is_cancelled());
    for error in [&cancelled, &panicked] {
        assert_eq!(error.spawned_at().file(), file!());
        assert_eq!(format!("{error:?}"), format!("JoinError({error})"));
        assert!(error.source().is_none());
    }
    assert_eq!(panicked.spawned_at().line(), line);
    let place = panicked.spawned_at();
    assert_eq!(panicked.to_string(), format!("the goroutine spawned at {place} panicked: boom 1"));
    let place = cancelled.spawned_at();
    assert_eq!(cancelled.to_string(), format!("the goroutine spawned at {place} was cancelled"));
}

#[test]
fn a_payload_that_is_no_text_is_said_to_be_a_panic_all_the_same() {
    let _watchdog = watchdog();
    let error = run(1, async { spawn(async { panic_any(5u8) }).await.unwrap_err() });
    assert_eq!(
        error.to_string(),
        format!("the goroutine spawned at {} panicked", error.spawned_at())
    );
    assert_eq!(*error.into_panic().downcast::<u8>().unwrap(), 5);
}

#[test]
fn the_payload_comes_out_of_a_panic_and_the_error_out_of_a_cancellation() {
    let _watchdog = watchdog();
    let (cancelled, panicked, _) = errors();
    assert_eq!(message(&*panicked.try_into_panic().unwrap()), Some("boom 1"));
    let cancelled = cancelled.try_into_panic().unwrap_err();
    assert!(cancelled.is_cancelled());
    let text = cancelled.to_string();
    let seen = panic_of(|| cancelled.into_panic()); // this line
    assert_eq!((&*seen.file, seen.line), (file!(), line!() - 1));
    assert!(seen.message.contains(&text) && seen.message.contains("try_into_panic"), "{seen:?}");
}

#[test]
fn each_clone_of_an_error_gives_the_text_of_the_panic() {
    let _watchdog = watchdog();
    let text: fn() = || panic!("boom");
    let formatted: fn() = || panic!("boom {}", 1);
    for (panics, said) in [(text, "boom"), (formatted, "boom 1")] {
        let error = run(1, async { spawn(async move { panics() }).await.unwrap_err() });
        let (first, second) = (error.clone(), error.clone());
        for clone in [&error, &first, &second] {
            assert!(clone.is_panic() && clone.to_string() == error.to_string());
            assert_eq!(clone.spawned_at(), error.spawned_at());
        }
        for clone in [first, error] {
            assert_eq!(message(&*clone.into_panic()), Some(said));
        }
        // The others have gone, and it has not changed.
        assert!(second.to_string().ends_with(said));
        let is_text = second.clone().into_panic().is::<&'static str>();
        assert_eq!(is_text, second.into_panic().is::<&'static str>());
    }
    let (cancelled, ..) = errors();
    let clone = cancelled.clone();
    assert_eq!(clone.to_string(), cancelled.to_string());
    assert!(clone.try_into_panic().unwrap_err().is_cancelled());
}

#[test]
fn a_payload_that_cannot_be_copied_goes_to_one_clone() {
    let _watchdog = watchdog();
    for _ in 0..100 {
        let drops = Drops::new(1);
        let probe = drops.probe(0);
        let error = run(1, async { spawn(async { panic_any(probe) }).await.unwrap_err() });
        let threads: Vec<_> = (0..4)
            .map(|_| {
                let error = error.clone();
                thread::spawn(move || error.into_panic())
            })
            .collect();
        let payloads: Vec<_> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
        let (probes, others): (Vec<_>, Vec<_>) =
            payloads.into_iter().partition(|payload| payload.is::<Probe>());
        assert_eq!((probes.len(), drops.dropped()), (1, 0));
        for other in &others {
            assert!(message(&**other).unwrap().contains("has already given the payload"));
        }
        drop(probes);
        drops.assert_each_once("taken");
        assert!(error.is_panic() && error.to_string().ends_with("panicked"));
    }
}

#[test]
fn a_payload_nobody_takes_is_dropped_with_the_last_clone() {
    let _watchdog = watchdog();
    let drops = Drops::new(1);
    let probe = drops.probe(0);
    let error = run(1, async { spawn(async { panic_any(probe) }).await.unwrap_err() });
    let clone = error.clone();
    drop(error);
    assert_eq!(drops.dropped(), 0);
    drop(clone);
    drops.assert_each_once("not taken");
}

// Handles that abort.

#[test]
fn a_handle_that_aborts_ends_its_goroutine_when_it_is_dropped_at_any_moment() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            let drops = Drops::new(3);
            // Perhaps before its first poll.
            let probe = drops.probe(0);
            drop(spawn(async move { (pending::<()>().await, probe) }).abort_on_drop());
            yield_until(|| drops.dropped() == 1).await;
            // While it waits.
            let (started, is_started) = (flag(), drops.probe(1));
            let waits = spawn({
                let started = started.clone();
                async move {
                    started.store(true, SeqCst);
                    (pending::<()>().await, is_started)
                }
            });
            let waits = waits.abort_on_drop();
            yield_until(|| started.load(SeqCst)).await;
            drop(waits);
            yield_until(|| drops.dropped() == 2).await;
            // With its result: it is dropped, as with any handle.
            let probe = drops.probe(2);
            let done = spawn(async { probe }).abort_on_drop();
            yield_until(|| done.is_finished()).await;
            drop(done);
            yield_until(|| drops.dropped() == 3).await;
            drops.assert_each_once(workers);
        });
    }
}

#[test]
fn a_handle_that_aborts_gives_the_result_and_can_become_a_plain_one() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            assert_eq!(spawn(async { 1 }).abort_on_drop().await.unwrap(), 1);
            let mut handle = spawn(async { 2 }).abort_on_drop();
            assert_eq!((&mut handle).await.unwrap(), 2);
            assert!(handle.is_finished());
            drop(handle);

            let (release, released) = oneshot::channel::<()>();
            let handle = spawn(async { released.await.map(|()| 3) }).abort_on_drop();
            let plain = handle.into_handle();
            yield_now().await;
            release.send(()).unwrap();
            assert_eq!(plain.await.unwrap(), Ok(3));

            let aborted = spawn(pending::<()>()).abort_on_drop();
            aborted.abort();
            assert!(aborted.await.unwrap_err().is_cancelled());
        });
    }
}

#[test]
fn a_future_that_is_dropped_takes_the_goroutine_it_awaits_along() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            let drops = Drops::new(1);
            let probe = drops.probe(0);
            let outer = spawn(async move {
                spawn(async move { (pending::<()>().await, probe) }).abort_on_drop().await
            });
            yield_now().await;
            outer.abort();
            assert!(outer.await.unwrap_err().is_cancelled());
            yield_until(|| drops.all_dropped()).await;
        });
    }
}

#[test]
fn a_panic_behind_a_handle_that_aborts_and_was_dropped_is_unhandled() {
    let _watchdog = watchdog();
    let program = || {
        run(1, async {
            let handle = spawn(async { panic!("boom, and nobody asks") }).abort_on_drop();
            yield_until(|| handle.is_finished()).await;
            drop::<gorun::AbortOnDrop<()>>(handle);
            pending::<()>().await;
        })
    };
    assert_eq!(message(&*payload_of(program)), Some("boom, and nobody asks"));
}

#[test]
fn handles_can_be_debugged_in_every_state() {
    let _watchdog = watchdog();
    run(1, async {
        let line = line!() + 1;
        let mut handle = spawn(pending::<()>());
        let text = |finished| {
            format!("JoinHandle {{ spawned_at: {}:{line}:26, is_finished: {finished} }}", file!())
        };
        assert_eq!(format!("{handle:?}"), text(false));
        assert_eq!(format!("{:?}", handle.abort_handle()), "AbortHandle { .. }");
        handle.abort();
        assert!((&mut handle).await.is_err());
        assert_eq!(format!("{handle:?}"), text(true));
        assert_eq!(format!("{:?}", handle.abort_handle()), "AbortHandle { .. }");
    });
}

#[test]
fn an_abort_handle_does_not_keep_the_goroutine_alive() {
    let _watchdog = watchdog();
    let dropped = flag();
    let guard = set(&dropped);
    let abort = run(2, async {
        let handle = spawn(async move { drop(guard) });
        let abort = handle.abort_handle();
        handle.await.unwrap();
        abort
    });
    assert!(dropped.load(SeqCst));
    drop(abort);
}

/// Handles polled by the thousand on one thread while their goroutines complete on others.
#[test]
fn no_completion_is_lost_in_a_race_with_the_poll_that_registers_the_awaiter() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            let completed = Arc::new(AtomicUsize::new(0));
            for round in 0..2000 {
                let completed = completed.clone();
                let handle = spawn(async move {
                    for _ in 0..round % 3 {
                        yield_now().await;
                    }
                    completed.fetch_add(1, SeqCst)
                });
                assert_eq!(handle.await.unwrap(), round);
            }
        });
    }
}
