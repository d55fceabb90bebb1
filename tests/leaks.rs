//! Who is left when main ends.

mod common;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc;
use std::time::Duration;

use common::{child, child_passes, is_child, stderr, watchdog};
use gorun::dump::Dump;
use gorun::{Builder, OnDeadlock, channel, go, spawn, time, yield_now};

fn with_report() -> (Builder, mpsc::Receiver<Dump>) {
    let (tell, told) = mpsc::channel();
    (Builder::new().on_exit(move |left| tell.send(left.clone()).unwrap()), told)
}

#[test]
fn a_goroutine_that_waits_is_left() {
    for workers in [1, 2, 16] {
        let (builder, told) = with_report();
        let (tx, rx) = channel::<u32>(0);
        let main = async {
            go!(async move { rx.recv().await });
        };
        builder.worker_threads(workers).block_on(main).unwrap();
        let left = told.recv().unwrap();
        assert_eq!((left.num_goroutines(), left.main()), (1, None));
        assert!(left.to_string().contains("1 goroutine [recv] at tests/leaks.rs:"), "{left}");
        assert!(told.try_recv().is_err(), "once");
        drop(tx);
    }
}

#[test]
fn what_main_lets_end_is_not_left() {
    for workers in [1, 2, 16] {
        for round in 0..50 {
            let (builder, told) = with_report();
            let main = async {
                let (mut tx, first) = channel::<u32>(0);
                // In a row: when main drops its sender, one ends after the other.
                let mut last = first;
                for _ in 0..20 {
                    let (to, from) = channel(0);
                    let before = std::mem::replace(&mut last, from);
                    go!(async move {
                        while before.recv().await.is_some() {}
                        drop(to)
                    });
                }
                go!(async move { last.recv().await });
                if round % 2 == 0 {
                    tx = channel(0).0;
                }
                drop(tx);
            };
            builder.worker_threads(workers).block_on(main).unwrap();
            let left = told.recv().unwrap();
            assert_eq!(left.num_goroutines(), 0, "{left}");
        }
    }
}

/// The system knows, but no worker may have had a core yet to ask it. In a process of its own: one that another test
/// starts would have the sockets for a moment.
#[cfg(unix)]
#[test]
fn one_whose_socket_main_has_closed_is_not_left_and_one_that_waits_for_an_open_one_is() {
    use gorun::net::UnixStream;

    const NAME: &str =
        "one_whose_socket_main_has_closed_is_not_left_and_one_that_waits_for_an_open_one_is";
    if !is_child() {
        return child_passes(NAME, &[], "");
    }
    let _watchdog = watchdog();
    for workers in [1, 2, 16] {
        for _ in 0..100 {
            let (builder, report) = with_report();
            let start = std::time::Instant::now();
            let open = builder
                .worker_threads(workers)
                .block_on(async {
                    let (near, far) = UnixStream::pair().unwrap();
                    let (other, open) = UnixStream::pair().unwrap();
                    go!(async move { near.read(&mut [0]).await.unwrap() });
                    go!(async move { other.read(&mut [0]).await.unwrap() });
                    yield_now().await;
                    drop(far);
                    open
                })
                .unwrap();
            let left = report.recv().unwrap();
            assert_eq!(left.num_goroutines(), 1, "{left}");
            assert!(start.elapsed() < Duration::from_millis(900), "{:?}", start.elapsed());
            drop(open);
        }
    }
}

/// While main looks who is left, workers go on asking the system for events.
#[cfg(unix)]
#[test]
fn goroutines_that_end_over_a_socket_are_not_held_up_by_main_s_looks() {
    use futures::{AsyncReadExt, AsyncWriteExt};
    use gorun::net::UnixStream;

    /// In a second there is time for two thousand looks.
    const TURNS: usize = 2_000;

    let _watchdog = watchdog();
    for workers in [1, 2, 16] {
        let (builder, report) = with_report();
        let main = async {
            let (one, other) = UnixStream::pair().unwrap();
            for mut end in [one, other] {
                go!(async move {
                    for _ in 0..TURNS {
                        end.write_all(&[1]).await.unwrap();
                        end.read_exact(&mut [0]).await.unwrap();
                    }
                });
            }
        };
        builder.worker_threads(workers).block_on(main).unwrap();
        let left = report.recv().unwrap();
        assert_eq!(left.num_goroutines(), 0, "{workers} workers: {left}");
    }
}

#[test]
fn what_the_drop_of_an_untaken_value_spawns_is_not_left() {
    /// Spawns another one when it is dropped, so many times.
    struct Spawns(usize);

    impl Drop for Spawns {
        fn drop(&mut self) {
            if let Some(left) = self.0.checked_sub(1) {
                go!(async move { Spawns(left) });
            }
        }
    }

    for workers in [1, 2, 16] {
        for _ in 0..100 {
            let (builder, report) = with_report();
            let main = async { go!(async { Spawns(10) }) };
            builder.worker_threads(workers).block_on(main).unwrap();
            let left = report.recv().unwrap();
            assert_eq!(left.num_goroutines(), 0, "{workers} workers: {left}");
        }
    }
}

#[test]
fn one_that_sleeps_is_left_and_one_that_computes_is_waited_for() {
    let (builder, told) = with_report();
    let main = async {
        go!(async { time::sleep(Duration::from_secs(3600)).await });
        go!(async { std::thread::sleep(Duration::from_millis(50)) });
        go!(async { gorun::blocking(|| std::thread::sleep(Duration::from_millis(50))) });
    };
    builder.block_on(main).unwrap();
    let left = told.recv().unwrap();
    assert!(left.num_goroutines() == 1 && left.to_string().contains("[sleep]"), "{left}");
}

#[test]
fn one_that_goes_on_is_left_after_a_second() {
    let (builder, told) = with_report();
    let main = async {
        spawn(async {
            loop {
                gorun::yield_now().await;
            }
        })
        .detach();
    };
    builder.block_on(main).unwrap();
    assert_eq!(told.recv().unwrap().num_goroutines(), 1);
}

#[test]
fn main_s_panic_wins_and_the_report_comes_all_the_same() {
    let (builder, told) = with_report();
    let ended = catch_unwind(AssertUnwindSafe(|| builder.block_on(async { panic!("main's") })));
    assert_eq!(ended.unwrap_err().downcast_ref(), Some(&"main's"));
    assert_eq!(told.recv().unwrap().num_goroutines(), 0);
}

#[test]
fn a_panic_in_the_report_is_main_s_and_the_goroutines_are_dropped() {
    let (tx, dropped) = mpsc::channel::<()>();
    let builder = Builder::new().on_exit(|_| panic!("in the report"));
    let main = async move {
        go!(async move {
            std::future::pending::<()>().await;
            drop(tx);
        });
    };
    let ended = catch_unwind(AssertUnwindSafe(|| builder.block_on(main)));
    assert_eq!(ended.unwrap_err().downcast_ref(), Some(&"in the report"));
    assert_eq!(dropped.try_recv(), Err(mpsc::TryRecvError::Disconnected));
}

#[test]
fn the_environment_asks_for_a_report() {
    const NAME: &str = "the_environment_asks_for_a_report";
    if is_child() {
        return gorun::block_on(async {
            go!(async { std::future::pending::<()>().await });
        });
    }
    let (asked, not) = (child(NAME, &[("GORUN_LEAKS", "1")], ""), child(NAME, &[], ""));
    let text = stderr(&asked);
    assert!(
        text.contains("1 goroutine [waits for a future that is not gorun's], spawned at"),
        "{text}"
    );
    assert!(!stderr(&not).contains("goroutine"), "{}", stderr(&not));
    let wrong = child(NAME, &[("GORUN_LEAKS", "yes")], "");
    assert!(stderr(&wrong).contains("GORUN_LEAKS is \"yes\"; set it to 1"), "{}", stderr(&wrong));
}

#[test]
fn a_panic_that_ends_main_is_followed_by_a_dump_if_that_is_asked_for() {
    const NAME: &str = "a_panic_that_ends_main_is_followed_by_a_dump_if_that_is_asked_for";
    if is_child() {
        let _ = catch_unwind(|| {
            gorun::block_on(async {
                spawn(std::future::pending::<()>()).detach();
                go!(async { panic!("nobody observes it") });
                std::future::pending::<()>().await;
            })
        });
        return;
    }
    let (asked, not) = (child(NAME, &[("GORUN_DUMP", "panic")], ""), child(NAME, &[], ""));
    let text = stderr(&asked);
    assert!(text.contains("gorun: 1 goroutine; main has ended"), "{text}");
    assert!(!stderr(&not).contains("main has ended"), "{}", stderr(&not));
}

#[gorun::test]
#[should_panic(expected = "goroutines are left at the end of the test")]
async fn a_test_that_leaves_a_goroutine_fails() {
    go!(async { std::future::pending::<()>().await });
}

#[gorun::test(timeout = Duration::from_millis(50))]
#[should_panic(expected = "`a_test_that_is_late_says_so_rather_than_what_it_leaves` has not ended")]
async fn a_test_that_is_late_says_so_rather_than_what_it_leaves() {
    go!(async { std::future::pending::<()>().await });
    std::future::pending::<()>().await
}

/// What the attribute makes of a function, without the attributes of tests.
mod tests_by_hand {
    use gorun::go;

    pub(super) fn leaves(fails: bool) -> Result<u32, String> {
        let main = async move {
            go!(async { std::future::pending::<()>().await });
            if fails { Err("its own".to_owned()) } else { Ok(1) }
        };
        let is_failure = |returned: &Result<u32, String>| returned.is_err();
        gorun::__run(gorun::Builder::new().__for_test(), None, "leaves", main, is_failure)
    }

    pub(super) fn panics_late() {
        let main = async {
            go!(async {
                std::thread::sleep(std::time::Duration::from_millis(20));
                panic!("late");
            });
        };
        gorun::__run(gorun::Builder::new().__for_test(), None, "panics_late", main, |()| false)
    }
}

#[test]
fn a_test_s_own_failure_comes_before_what_it_leaves() {
    assert_eq!(tests_by_hand::leaves(true), Err("its own".to_owned()));
    let ended = catch_unwind(|| tests_by_hand::leaves(false));
    let text = ended.unwrap_err().downcast::<String>().unwrap();
    assert!(text.starts_with("goroutines are left at the end of the test"), "{text}");
}

#[test]
fn a_panic_after_the_end_of_main_fails_a_test() {
    let ended = catch_unwind(tests_by_hand::panics_late);
    assert_eq!(ended.unwrap_err().downcast_ref(), Some(&"late"));
}

#[gorun::test]
async fn a_test_may_return_a_result() -> Result<(), String> {
    Ok(())
}

#[gorun::test(leaks = "allow")]
async fn a_test_may_allow_that() {
    go!(async { std::future::pending::<()>().await });
}

#[gorun::test]
#[should_panic(expected = "deadlock: ")]
async fn a_test_that_is_deadlocked_fails() {
    let (_tx, rx) = channel::<u32>(0);
    rx.recv().await;
}

#[gorun::test]
async fn a_test_may_wait_for_a_thread() {
    let (tx, rx) = channel(0);
    let thread = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(300));
        tx.send_blocking(1).unwrap();
    });
    assert_eq!(rx.recv().await, Some(1));
    thread.join().unwrap();
}

#[gorun::test(on_deadlock = OnDeadlock::Ignore)]
async fn and_for_as_long_as_it_takes() {
    let (tx, rx) = channel(0);
    let thread = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(1500));
        tx.send_blocking(1).unwrap();
    });
    assert_eq!(rx.recv().await, Some(1));
    thread.join().unwrap();
}
