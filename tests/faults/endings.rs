//! Goroutines that end the process: on purpose, or because they overflow their stack.

use std::os::unix::process::ExitStatusExt;
use std::process::{Output, abort, exit};
use std::thread;
use std::time::Duration;

use gorun::time::sleep;
use gorun::{Builder, blocking, spawn, yield_now};
use nix::sys::signal::Signal;

use crate::WORKERS;
use crate::common::*;

/// What ends the process, in the variable for a child.
const WAY: &str = "GORUN_TEST_WAY";
const COUNT: &str = "GORUN_TEST_WORKERS";

/// Runs `entry` in a process of its own with each number of workers, which is to end in one way.
fn ends(way: &str, is_right: impl Fn(&Output) -> bool) {
    for workers in WORKERS {
        let variables = [(WAY, way), (COUNT, &workers.to_string())];
        let output = child("endings::entry", &variables, "ulimit -c 0");
        let text = stderr(&output);
        assert!(!text.contains("hangs"), "{way}, {workers} workers: {text}");
        assert!(is_right(&output), "{way}, {workers} workers: {}, {text}", output.status);
    }
}

fn aborted(output: &Output) -> bool {
    output.status.signal() == Some(Signal::SIGABRT as i32)
}

#[test]
fn entry() {
    let Ok(way) = std::env::var(WAY) else { return };
    let _watchdog = watchdog();
    let workers = std::env::var(COUNT).unwrap().parse().unwrap();
    let builder = Builder::new().worker_threads(workers).thread_stack_size(256 << 10);
    let in_main = async {
        // Some are parked, some run, some block, some sleep.
        for index in 0..20 {
            spawn(async move {
                match index % 4 {
                    0 => std::future::pending().await,
                    1 => yield_until(|| false).await,
                    2 => blocking(|| thread::sleep(HOUR)),
                    _ => sleep(HOUR).await,
                }
            });
        }
        yield_now().await;
        end(&way).await;
    };
    builder.block_on(in_main).unwrap();
    unreachable!("{way} does not end the process");
}

async fn end(way: &str) {
    match way {
        "exit" => drop(spawn(async { exit(7) })),
        "exit while blocking" => drop(spawn(async { blocking(|| exit(7)) })),
        "exit by many" => (0..40).for_each(|_| drop(spawn(async { exit(7) }))),
        "exit by main" => {
            yield_now().await;
            exit(7)
        }
        "exit in a destructor at the end of main" => {
            let at_end = OnDrop(|| exit(7));
            spawn(async move {
                let _at_end = at_end;
                sleep(HOUR).await;
            });
            return sleep(Duration::from_millis(5)).await;
        }
        "abort" => drop(spawn(async { abort() })),
        "panic in a panic" => drop(spawn(async {
            let _second = OnDrop(|| panic!("boom 2"));
            panic!("boom 1");
        })),
        "stack overflow" => drop(spawn(async {
            yield_now().await;
            deep(1);
        })),
        _ => unreachable!("{way}"),
    }
    // Main does not end it.
    std::future::pending().await
}

#[expect(unconditional_recursion)]
fn deep(level: u64) -> u64 {
    let memory = std::hint::black_box([level; 64]);
    deep(level + 1) + memory[level as usize % 64]
}

#[test]
fn a_goroutine_that_exits_ends_the_process_with_its_status() {
    let _watchdog = watchdog();
    for way in ["exit", "exit while blocking", "exit by many", "exit by main"] {
        ends(way, |output| output.status.code() == Some(7));
    }
}

#[test]
fn a_destructor_that_exits_at_the_end_of_main_ends_the_process_with_its_status() {
    let _watchdog = watchdog();
    ends("exit in a destructor at the end of main", |output| output.status.code() == Some(7));
}

#[test]
fn a_goroutine_that_aborts_ends_the_process() {
    let _watchdog = watchdog();
    ends("abort", aborted);
}

#[test]
fn a_panic_in_a_panic_ends_the_process_with_both_messages() {
    let _watchdog = watchdog();
    ends("panic in a panic", |output| {
        let text = stderr(output);
        aborted(output) && text.contains("boom 1") && text.contains("boom 2")
    });
}

/// What the standard library says of any thread.
#[test]
fn a_goroutine_that_overflows_its_stack_ends_the_process_with_a_message() {
    let _watchdog = watchdog();
    ends("stack overflow", |output| {
        let text = stderr(output);
        aborted(output) && text.contains("gorun-") && text.contains("has overflowed its stack")
    });
}

/// Nobody can be told, which must not be the reason for another panic.
#[test]
fn a_panic_that_cannot_be_printed_ends_the_process_all_the_same() {
    let _watchdog = watchdog();
    let test = "endings::a_panic_that_cannot_be_printed_ends_the_process_all_the_same";
    if !is_child() {
        let output = child(test, &[], "exec 2>/dev/full");
        assert_eq!(output.status.code(), Some(23), "{}", output.status);
        return;
    }
    for workers in WORKERS {
        let payload = payload_of(|| {
            run(workers, async {
                spawn(async { panic!("boom 1") }).detach();
                std::future::pending::<()>().await
            })
        });
        assert_eq!(message(&*payload), Some("boom 1"));
    }
    exit(23);
}
