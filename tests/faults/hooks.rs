//! The user's code that gorun or the standard library calls back: panic hooks and `on_blocked`.

use std::os::unix::process::ExitStatusExt;
use std::panic;
use std::process::exit;
use std::sync::Mutex;
use std::sync::mpsc;
use std::thread;

use gorun::{Builder, Handle, blocking, channel, num_goroutines, spawn};
use nix::sys::signal::Signal;

use crate::common::*;
use crate::workload::bit_of_everything;
use crate::{MILLI, WORKERS};

/// The standard library's rule, for any thread.
#[test]
fn a_panic_hook_that_panics_ends_the_process() {
    let test = "hooks::a_panic_hook_that_panics_ends_the_process";
    let _watchdog = watchdog();
    if !is_child() {
        let output = child(test, &[], "ulimit -c 0");
        let text = stderr(&output);
        assert_eq!(output.status.signal(), Some(Signal::SIGABRT as i32), "{text}");
        assert!(text.contains("boom of the hook") && !text.contains("hangs"), "{text}");
        return;
    }
    panic::set_hook(Box::new(|_| panic!("boom of the hook")));
    run(2, async {
        spawn(async { panic!("boom") }).detach();
        std::future::pending::<()>().await
    });
}

/// It waits for one that is queued behind the goroutine that panics.
#[test]
fn a_panic_hook_that_waits_for_a_goroutine_keeps_nobody_from_running() {
    let test = "hooks::a_panic_hook_that_waits_for_a_goroutine_keeps_nobody_from_running";
    let _watchdog = watchdog();
    if !is_child() {
        return child_passes(test, &[], "");
    }
    let (go, gone) = channel::<u32>(0);
    panic::set_hook(Box::new(move |_| {
        // A lock of the standard library, a channel of gorun's, and a whole conversation.
        assert!(num_goroutines() > 1);
        assert_eq!(gone.recv_blocking(), Some(1));
        assert_eq!(gorun::block_on(gone.recv()), Some(2));
        let handle = Handle::current();
        assert_eq!(blocking(|| handle.block_on(spawn(async { 3 })).unwrap()), 3);
    }));
    for workers in WORKERS {
        run(workers, async {
            for _ in 0..3 {
                let panics = spawn(async { panic::panic_any("boom".to_owned()) });
                // Behind it, if there is one worker.
                let go = go.clone();
                let sends = spawn(async move {
                    go.send(1).await.unwrap();
                    go.send(2).await.unwrap();
                });
                sends.await.unwrap();
                let error = panics.await.unwrap_err();
                assert_eq!(message(&*error.into_panic()), Some("boom"));
            }
            bit_of_everything().await;
        });
    }
}

/// It stays in the hook, whoever comes by; exit leaves it behind.
#[test]
fn a_panic_hook_that_never_returns_holds_up_neither_the_others_nor_the_end() {
    let test = "hooks::a_panic_hook_that_never_returns_holds_up_neither_the_others_nor_the_end";
    let _watchdog = watchdog();
    if !is_child() {
        return child_passes(test, &[], "");
    }
    panic::set_hook(Box::new(|_| {
        loop {
            thread::park();
        }
    }));
    for workers in WORKERS {
        run(workers, async {
            for _ in 0..workers + 1 {
                spawn(async { panic!("boom") }).detach();
            }
            bit_of_everything().await;
        });
    }
    // The test harness would set another hook, for which the standard library waits until no hook runs.
    exit(0);
}

/// Its panic comes out of the callback as any other, and its destructor goes last.
#[test]
fn a_callback_that_panics_with_what_cannot_be_dropped_harms_nobody() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("boom of the payload");
        }
    }
    let _watchdog = watchdog();
    let (tell, told) = mpsc::channel();
    let tell = Mutex::new(tell);
    let builder = Builder::new().worker_threads(2).on_blocked(move |_| {
        quiet();
        tell.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).send(()).unwrap();
        panic::panic_any(Bomb);
    });
    let in_main = async {
        let blocks = spawn(async move { told.recv_timeout(DEADLINE).unwrap() });
        blocks.await.unwrap();
        spawn(async { thread::sleep(150 * MILLI) }).await.unwrap();
        bit_of_everything().await;
    };
    builder.block_on(in_main).unwrap();
}

/// It is dropped with the runtime, on main's thread, and its panic is as that of any value there.
#[test]
fn a_callback_whose_destructor_panics_is_heard_of_by_the_caller_of_block_on() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        let bomb = OnDrop(|| panic!("boom of the callback"));
        let bomb = Mutex::new(bomb);
        let builder = Builder::new().worker_threads(workers);
        let builder = builder.on_blocked(move |_| drop(bomb.lock()));
        quiet();
        let payload = payload_of(|| builder.block_on(bit_of_everything()));
        assert_eq!(message(&*payload), Some("boom of the callback"));
        run(workers, bit_of_everything());
    }
}
