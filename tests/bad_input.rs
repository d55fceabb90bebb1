//! What cannot be done is said at the caller's line, with what to do instead.

mod common;

use std::future::pending;
use std::io::ErrorKind;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::thread;

use common::*;
use gorun::{Builder, Handle, JoinError, block_on, num_goroutines, spawn, yield_now};

const VARIABLE: &str = "GORUN_WORKER_THREADS";

#[track_caller]
fn says(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{text:?} does not say {part:?}");
    }
}

// The number of workers.

#[test]
fn no_worker_threads_is_refused_at_the_callers_line() {
    let _watchdog = watchdog();
    let seen = panic_of(|| Builder::new().worker_threads(0)); // this line
    assert_eq!((&*seen.file, seen.line), (file!(), line!() - 1));
    says(&seen.message, &["worker_threads(0)", "at least one", "leave"]);
}

#[test]
fn too_many_worker_threads_are_an_error_before_any_is_started() {
    let _watchdog = watchdog();
    for count in [4097, 1_000_000_000_000, usize::MAX] {
        let error = Builder::new().worker_threads(count).block_on(async {}).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        says(&error.to_string(), &[&count.to_string(), "4096", "worker_threads"]);
    }
}

/// Runs the test's other part in a child with this value of the variable.
fn with_variable(test: &str, value: &str) {
    child_passes(test, &[(VARIABLE, value)], "");
}

#[test]
fn a_variable_that_is_no_number_of_workers_is_refused() {
    let _watchdog = watchdog();
    let test = "a_variable_that_is_no_number_of_workers_is_refused";
    if !is_child() {
        for value in ["0", "abc", "1000000000000", "-1", "1.5", "4097", "99999999999999999999999"] {
            with_variable(test, value);
        }
        // And one that is no text.
        return child_passes(test, &[], "export GORUN_WORKER_THREADS=$(printf 'a\\377')");
    }
    let value = std::env::var_os(VARIABLE).unwrap();
    let value = value.to_str().unwrap_or("\"a\\xFF\"");
    let error = Builder::new().block_on(async {}).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    says(&error.to_string(), &[VARIABLE, value, "1", "4096", "unset"]);

    let seen = panic_of(|| block_on(async {})); // this line
    assert_eq!((&*seen.file, seen.line), (file!(), line!() - 1));
    says(&seen.message, &["gorun", &error.to_string()]);

    // The builder's own value wins, so the variable is not looked at.
    assert_eq!(run(1, async { 42 }), 42);
}

/// The threads of this process whose name begins so.
fn named(prefix: &str) -> usize {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    let names =
        tasks.filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("comm")).ok());
    let is_number = |rest: &str| rest.trim_end().parse::<u32>().is_ok();
    names.filter(|name| name.strip_prefix(prefix).is_some_and(is_number)).count()
}

#[test]
fn the_variable_sets_the_workers_unless_the_builder_does_or_it_is_empty() {
    let _watchdog = watchdog();
    let test = "the_variable_sets_the_workers_unless_the_builder_does_or_it_is_empty";
    if !is_child() {
        with_variable(test, "3");
        return with_variable(test, "");
    }
    let cores = thread::available_parallelism().unwrap().get();
    let by_variable = if std::env::var(VARIABLE).unwrap() == "3" { 3 } else { cores };
    // A worker gives itself its name, so it may be a moment late.
    Builder::new().block_on(async { wait_until(|| named("gorun-") == by_variable) }).unwrap();
    block_on(async { wait_until(|| named("gorun-") == by_variable) });
    run(5, async { wait_until(|| named("gorun-") == 5) });
}

// The seed.

#[test]
fn a_variable_that_is_no_seed_is_refused() {
    const SEED: &str = "GORUN_SEED";
    let _watchdog = watchdog();
    let test = "a_variable_that_is_no_seed_is_refused";
    if !is_child() {
        for value in ["abc", "-1", "1.5", "18446744073709551616", "7", " 18446744073709551615 ", ""]
        {
            child_passes(test, &[(SEED, value)], "");
        }
        return child_passes(test, &[], "export GORUN_SEED=$(printf 'a\\377')");
    }
    let value = std::env::var_os(SEED).unwrap();
    let value = value.to_str().unwrap_or("\"a\\xFF\"");
    let is_seed = value.is_empty() || value.trim().parse::<u64>().is_ok();
    // The second runtime hears the same.
    for _ in 0..2 {
        let refused = Builder::new().worker_threads(1).block_on(async {}).err();
        assert_eq!(refused.is_none(), is_seed, "{value:?}: {refused:?}");
        if let Some(error) = refused {
            assert_eq!(error.kind(), ErrorKind::InvalidInput);
            says(&error.to_string(), &[SEED, value, &u64::MAX.to_string(), "unset"]);
        }
    }
}

// The number of threads.

#[test]
fn no_threads_are_refused_at_the_callers_line() {
    let _watchdog = watchdog();
    let seen = panic_of(|| Builder::new().max_threads(0)); // this line
    assert_eq!((&*seen.file, seen.line), (file!(), line!() - 1));
    says(&seen.message, &["max_threads(0)", "at least one", "leave"]);
}

#[test]
fn a_trace_of_no_event_and_one_of_too_many_are_refused_at_the_callers_line() {
    let _watchdog = watchdog();
    let seen = panic_of(|| Builder::new().trace(0)); // this line
    assert_eq!((&*seen.file, seen.line), (file!(), line!() - 1));
    says(&seen.message, &["trace(0)", "between 1 and", "65536"]);
    let seen = panic_of(|| Builder::new().trace(1 << 25)); // this line
    assert_eq!((&*seen.file, seen.line), (file!(), line!() - 1));
}

#[test]
fn fewer_threads_than_workers_and_more_than_can_be_told_apart_are_an_error() {
    let _watchdog = watchdog();
    let error_of = |builder: Builder| {
        let error = builder.block_on(async { panic!("main was run") }).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        error.to_string()
    };
    let few = Builder::new().worker_threads(4).max_threads(3);
    says(&error_of(few), &["max_threads(3)", "4 worker", "more"]);
    for count in [32_769, usize::MAX] {
        says(&error_of(Builder::new().max_threads(count)), &["max_threads", "32768", "fewer"]);
    }
    // The number of cores is no demand.
    Builder::new().max_threads(1).block_on(async { spawn(async {}).await.unwrap() }).unwrap();
    Builder::new().worker_threads(3).max_threads(3).block_on(async {}).unwrap();
    Builder::new().max_threads(32_768).block_on(async {}).unwrap();
}

#[test]
fn a_variable_that_is_no_duration_is_refused() {
    const BLOCKED: &str = "GORUN_BLOCKED";
    let _watchdog = watchdog();
    let test = "a_variable_that_is_no_duration_is_refused";
    if !is_child() {
        for value in ["100", "ms", "-1ms", "1h", "soon", "1e400s", "nans", "100msx"] {
            child_passes(test, &[(BLOCKED, value)], "");
        }
        // And one that is no text.
        return child_passes(test, &[], "export GORUN_BLOCKED=$(printf 'a\\377')");
    }
    let value = std::env::var_os(BLOCKED).unwrap();
    let value = value.to_str().unwrap_or("\"a\\xFF\"");
    let error = Builder::new().block_on(async { panic!("main was run") }).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    says(&error.to_string(), &[BLOCKED, value, "100ms", "unset"]);
}

// Outside a runtime.

#[test]
fn spawn_outside_a_runtime_panics_at_the_callers_line() {
    let _watchdog = watchdog();
    let seen = panic_of(|| spawn(async {})); // this line
    assert_eq!((&*seen.file, seen.line), (file!(), line!() - 1));
    says(&seen.message, &["block_on", "Handle"]);
    // Large ones take another way.
    let large = [0u8; 5000];
    let seen = panic_of(|| spawn(async move { large.len() })); // this line
    assert_eq!((&*seen.file, seen.line), (file!(), line!() - 1));
}

#[test]
fn spawn_outside_a_runtime_drops_the_future() {
    let _watchdog = watchdog();
    let dropped = Arc::new(AtomicBool::new(false));
    let guard = OnDrop({
        let dropped = dropped.clone();
        move || dropped.store(true, SeqCst)
    });
    panic_of(|| spawn(async move { drop(guard) }));
    assert!(dropped.load(SeqCst));
}

#[test]
fn spawn_on_a_thread_that_a_goroutine_started_panics_and_a_handle_helps() {
    let _watchdog = watchdog();
    run(1, async {
        let started = spawn(async {
            let runtime = Handle::current();
            let thread = thread::spawn(move || {
                says(&panic_of(|| spawn(async {})).message, &["block_on", "Handle"]);
                runtime.spawn(async { 42 })
            });
            thread.join().unwrap().await.unwrap()
        });
        assert_eq!(started.await.unwrap(), 42);
    });
}

#[test]
fn handle_current_outside_a_runtime_panics_at_the_callers_line() {
    let _watchdog = watchdog();
    assert!(Handle::try_current().is_none());
    let seen = panic_of(Handle::current);
    says(&seen.message, &["Handle::current()", "block_on"]);
    let seen = panic_of(|| Handle::current()); // this line
    assert_eq!((&*seen.file, seen.line), (file!(), line!() - 1));
}

#[test]
fn outside_a_runtime_there_is_nothing_to_count_and_nobody_to_yield_to() {
    let _watchdog = watchdog();
    assert_eq!(num_goroutines(), 0);
    futures::executor::block_on(yield_now());
    // Also after one.
    run(1, async {});
    assert_eq!(num_goroutines(), 0);
    assert!(Handle::try_current().is_none());
    panic_of(|| spawn(async {}));
    // Also after one that panicked.
    payload_of(|| run(1, async { panic!("boom") }));
    assert_eq!(num_goroutines(), 0);
    panic_of(|| spawn(async {}));
}

// Threads.

/// Refuses after some threads have started: their stacks do not fit into the address space.
#[test]
fn threads_the_system_refuses_are_an_error_and_those_started_end() {
    let _watchdog = watchdog();
    if !is_child() {
        let test = "threads_the_system_refuses_are_an_error_and_those_started_end";
        return child_passes(test, &[], "ulimit -v 2000000");
    }
    let before = threads();
    let many = || Builder::new().worker_threads(64).thread_stack_size(64 << 20);
    for _ in 0..3 {
        let error = many().block_on(async { panic!("main was run") }).unwrap_err();
        assert_ne!(error.kind(), ErrorKind::InvalidInput);
        wait_until(|| threads() == before);
    }
    // Some do fit, so some had been started.
    let some = Builder::new().worker_threads(4).thread_stack_size(64 << 20);
    some.block_on(async { spawn(async {}).await.unwrap() }).unwrap();
    wait_until(|| threads() == before);
}

/// They must not point to a runtime that is gone.
#[test]
fn goroutines_of_a_hook_are_lost_when_a_thread_is_refused() {
    let _watchdog = watchdog();
    if !is_child() {
        let test = "goroutines_of_a_hook_are_lost_when_a_thread_is_refused";
        return child_passes(test, &[], "ulimit -v 2000000");
    }
    for _ in 0..3 {
        let handles = Arc::new(Mutex::new(Vec::new()));
        let kept = handles.clone();
        let many = Builder::new().worker_threads(64).thread_stack_size(64 << 20);
        let many = many.on_thread_start(move || {
            kept.lock().unwrap().push(spawn(pending::<()>()));
        });
        many.block_on(async { panic!("main was run") }).unwrap_err();
        let handles = std::mem::take(&mut *handles.lock().unwrap());
        assert!(!handles.is_empty());
        for handle in handles {
            handle.abort();
            // Beside a runtime that may have the number of the one before.
            run(1, async { assert!(handle.await.unwrap_err().is_cancelled()) });
        }
    }
}

#[test]
fn the_error_of_a_refused_thread_says_what_was_refused_and_what_to_do() {
    let _watchdog = watchdog();
    let error = Builder::new().worker_threads(3).thread_stack_size(1 << 60).block_on(async {});
    let text = error.unwrap_err().to_string();
    says(&text, &["worker thread", "of 3", "fewer", "stack"]);
}

#[test]
fn a_stack_size_no_machine_has_is_an_error() {
    let _watchdog = watchdog();
    for bytes in [1 << 60, usize::MAX / 2, usize::MAX - 4096, usize::MAX] {
        let builder = Builder::new().worker_threads(2).thread_stack_size(bytes);
        assert!(builder.block_on(async {}).is_err(), "{bytes}");
    }
    // One that is too small is rounded up.
    for bytes in [0, 1] {
        let builder = Builder::new().worker_threads(2).thread_stack_size(bytes);
        builder.block_on(async { spawn(async {}).await.unwrap() }).unwrap();
    }
}

/// Whether by an error or by a panic, it is said to the caller, and nothing is left behind.
#[test]
fn a_thread_name_with_a_nul_is_refused_in_the_callers_terms() {
    let _watchdog = watchdog();
    let mut error = None;
    let seen = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        panic_of(|| {
            let builder = Builder::new().worker_threads(2).thread_name("a\0b");
            error = builder.block_on(async {}).err();
            assert!(error.is_none(), "boom: refused with an error");
        })
    }));
    match (error, seen) {
        (Some(error), _) => says(&error.to_string(), &["thread_name"]),
        (None, Ok(seen)) => {
            assert_eq!(seen.file, file!(), "{}", seen.message);
            says(&seen.message, &["thread_name"]);
        }
        (None, Err(_)) => panic!("accepted"),
    }
}

#[test]
fn odd_thread_names_are_accepted() {
    let _watchdog = watchdog();
    for name in ["", "a name that is much longer than the kernel's fifteen bytes", "früh"] {
        let ran_on = Builder::new().worker_threads(1).thread_name(name).block_on(async {
            spawn(async { thread::current().name().map(str::to_owned) }).await.unwrap()
        });
        assert_eq!(ran_on.unwrap().unwrap(), format!("{name}-0"));
    }
}

// Misuse that is not refused, but harmless.

#[test]
fn a_runtime_that_could_not_start_leaves_main_undriven_but_dropped() {
    let _watchdog = watchdog();
    let dropped = AtomicBool::new(false);
    let guard = OnDrop(|| dropped.store(true, SeqCst));
    let main = async {
        let _guard = guard;
        unreachable!("it could not start");
    };
    assert!(Builder::new().worker_threads(5000).block_on(main).is_err());
    assert!(dropped.load(SeqCst));
}

#[test]
fn into_panic_of_a_cancelled_goroutine_panics_at_the_callers_line() {
    let _watchdog = watchdog();
    let error: JoinError = run(1, async {
        let parked = spawn(pending::<()>());
        parked.abort();
        parked.await.unwrap_err()
    });
    let seen = panic_of(|| error.into_panic()); // this line
    assert_eq!((&*seen.file, seen.line), (file!(), line!() - 1));
    says(&seen.message, &["cancelled", "is_panic", "try_into_panic"]);
}

/// Of what was set, since that is what an error may be due to.
#[test]
fn a_builder_and_a_handle_can_be_debugged() {
    let builder = Builder::new().worker_threads(3).thread_name("night").on_blocked(|_| {});
    let text = format!("{builder:?}");
    says(
        &text,
        &["Builder { worker_threads: Some(3)", "night", "on_blocked: Some(\"a function\")"],
    );
    says(&format!("{:?}", Builder::new()), &["worker_threads: None", "on_blocked: None"]);
    let text = run(1, async { format!("{:?}", Handle::current()) });
    assert_eq!(text, "Handle { num_goroutines: 1 }");
}

// As errors of input and output.

#[test]
fn errors_become_io_errors_of_a_kind_that_fits_and_stay_what_they_are() {
    use std::io;

    use gorun::sync::{broadcast, oneshot, watch};
    use gorun::time::{self, Elapsed};
    use gorun::{
        RecvTimeoutError, SendError, SendTimeoutError, TryRecvError, TrySendError, channel,
    };

    /// It cannot go into an `io::Error`.
    struct Value(std::rc::Rc<()>);

    let _watchdog = watchdog();
    let value = || Value(std::rc::Rc::new(()));
    let held = value();
    let errors: [(io::Error, ErrorKind, &str); 10] = [
        (SendError(value()).into(), ErrorKind::BrokenPipe, "the channel is closed"),
        (TrySendError::Full(value()).into(), ErrorKind::WouldBlock, "at present"),
        (TrySendError::Closed(value()).into(), ErrorKind::BrokenPipe, "the channel is closed"),
        (SendTimeoutError::Timeout(value()).into(), ErrorKind::TimedOut, "in time"),
        (
            SendTimeoutError::Closed(Value(held.0.clone())).into(),
            ErrorKind::BrokenPipe,
            "the channel is closed",
        ),
        (TryRecvError::Empty.into(), ErrorKind::WouldBlock, "empty"),
        (TryRecvError::Closed.into(), ErrorKind::UnexpectedEof, "closed and empty"),
        (RecvTimeoutError::Timeout.into(), ErrorKind::TimedOut, "in time"),
        (RecvTimeoutError::Closed.into(), ErrorKind::UnexpectedEof, "closed and empty"),
        (broadcast::RecvError::Lagged(3).into(), ErrorKind::Other, "missed 3"),
    ];
    for (error, kind, text) in errors {
        assert_eq!(error.kind(), kind, "{error}");
        says(&error.to_string(), &[text]);
    }
    assert_eq!(std::rc::Rc::strong_count(&held.0), 1, "a value is left");

    let main = async {
        let elapsed = time::timeout(std::time::Duration::ZERO, pending::<()>()).await.unwrap_err();
        let error = io::Error::from(elapsed);
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        assert_eq!(error.downcast::<Elapsed>().unwrap(), elapsed);

        // Where `Interrupted` would make a reader try again.
        let waits = spawn(pending::<()>());
        waits.abort();
        let error = io::Error::from(waits.await.unwrap_err());
        assert_eq!(error.kind(), ErrorKind::Other);
        assert!(error.downcast::<JoinError>().unwrap().is_cancelled());

        let (tx, rx) = oneshot::channel::<u32>();
        drop(tx);
        assert_eq!(io::Error::from(rx.await.unwrap_err()).kind(), ErrorKind::UnexpectedEof);
        let (tx, mut rx) = watch::channel(1);
        drop(tx);
        let closed = rx.changed().await.unwrap_err();
        assert_eq!(io::Error::from(closed).kind(), ErrorKind::UnexpectedEof);
    };
    block_on(main);

    /// `?` finds the way.
    async fn all() -> io::Result<u32> {
        let (tx, rx) = channel(1);
        tx.send(1).await?;
        tx.try_send(2).map_err(|_| TrySendError::Closed(()))?;
        Ok(rx.try_recv()? + spawn(async { 1 }).await?)
    }
    assert_eq!(block_on(all()).unwrap_err().kind(), ErrorKind::BrokenPipe);
}
