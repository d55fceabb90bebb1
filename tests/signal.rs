//! Signals. Each test runs in a process of its own, because a handler is the process's.
#![cfg(unix)]

mod common;

use std::future::poll_fn;
use std::os::unix::process::ExitStatusExt;
use std::pin::pin;
use std::task::Poll;
use std::thread;
use std::time::Duration;

use gorun::context::{Context, ContextError};
use gorun::signal::{self, Signal};
use gorun::time::timeout;
use gorun::{Builder, Receiver, block_on, blocking, select, spawn};
use nix::sys::signal::{self as system, raise};

use common::*;

const WORKERS: [usize; 3] = [1, 2, 16];
const MILLI: Duration = Duration::from_millis(1);

/// Sends it to this process, and waits until it is in `receiver`.
fn send_and_wait(signal: system::Signal, receiver: &Receiver<Signal>) {
    let before = receiver.len();
    raise(signal).unwrap();
    wait_until(|| receiver.len() > before);
}

/// Whoever starts the tests may ignore signals, as `nohup` does, and a child inherits that.
fn ignore_none() {
    for signal in [system::Signal::SIGINT, system::Signal::SIGTERM, system::Signal::SIGHUP] {
        // SAFETY: this is no function that a signal could interrupt.
        unsafe { system::signal(signal, system::SigHandler::SigDfl) }.unwrap();
    }
}

/// How the test ends that a child process runs.
fn killed_by(test: &str) -> Option<i32> {
    child(test, &[], "").status.signal()
}

/// Mirrors Go's `TestSignal`.
#[test]
fn each_receiver_gets_each_signal_it_asked_for_and_no_other() {
    let _watchdog = watchdog();
    if !is_child() {
        return child_passes("each_receiver_gets_each_signal_it_asked_for_and_no_other", &[], "");
    }
    let both = signal::notify([Signal::Usr1, Signal::Usr2]);
    let one = signal::notify([Signal::Usr2, Signal::Usr2]);
    let another = both.clone();
    send_and_wait(system::Signal::SIGUSR1, &both);
    send_and_wait(system::Signal::SIGUSR2, &both);
    wait_until(|| one.len() == 1);
    block_on(async {
        assert_eq!(both.recv().await, Some(Signal::Usr1));
        assert_eq!(another.recv().await, Some(Signal::Usr2), "clones share");
        assert_eq!(one.recv().await, Some(Signal::Usr2));
    });
    assert!(both.is_empty() && one.is_empty());
}

#[test]
fn goroutines_of_several_runtimes_get_a_signal_at_once() {
    let _watchdog = watchdog();
    if !is_child() {
        return child_passes("goroutines_of_several_runtimes_get_a_signal_at_once", &[], "");
    }
    let receivers: Vec<_> = (0..6).map(|_| signal::notify([Signal::Usr1])).collect();
    let runtimes: Vec<_> = receivers
        .chunks(2)
        .zip(WORKERS)
        .map(|(pair, workers)| {
            let pair = pair.to_vec();
            thread::spawn(move || {
                run(workers, async {
                    let waiting: Vec<_> = pair
                        .into_iter()
                        .map(|receiver| spawn(async move { receiver.recv().await }))
                        .collect();
                    for goroutine in waiting {
                        assert_eq!(goroutine.await.unwrap(), Some(Signal::Usr1));
                    }
                });
            })
        })
        .collect();
    raise(system::Signal::SIGUSR1).unwrap();
    runtimes.into_iter().for_each(|runtime| runtime.join().unwrap());
}

#[test]
fn a_receiver_that_is_not_read_holds_up_no_other_and_misses_no_kind_of_signal() {
    let _watchdog = watchdog();
    let test = "a_receiver_that_is_not_read_holds_up_no_other_and_misses_no_kind_of_signal";
    if !is_child() {
        return child_passes(test, &[], "");
    }
    let all = [Signal::Usr1, Signal::Usr2, Signal::Hup];
    let (unread, read) = (signal::notify(all), signal::notify(all));
    for _ in 0..100 {
        raise(system::Signal::SIGUSR1).unwrap();
        assert_eq!(read.recv_blocking(), Some(Signal::Usr1));
    }
    assert_eq!(unread.len(), 64);
    // It has none of these yet.
    for _ in 0..3 {
        raise(system::Signal::SIGUSR2).unwrap();
        assert_eq!(read.recv_blocking(), Some(Signal::Usr2));
        raise(system::Signal::SIGHUP).unwrap();
        assert_eq!(read.recv_blocking(), Some(Signal::Hup));
    }
    assert_eq!(unread.len(), 66);
    let got: Vec<_> = std::iter::from_fn(|| unread.try_recv().ok()).collect();
    assert_eq!(got[63..], [Signal::Usr1, Signal::Usr2, Signal::Hup]);
    // There is room again.
    for signal in [system::Signal::SIGUSR1, system::Signal::SIGUSR1] {
        send_and_wait(signal, &unread);
    }
}

#[test]
fn a_second_interrupt_ends_the_program_once_the_first_is_received() {
    let _watchdog = watchdog();
    let test = "a_second_interrupt_ends_the_program_once_the_first_is_received";
    if !is_child() {
        return assert_eq!(killed_by(test), Some(system::Signal::SIGINT as i32));
    }
    ignore_none();
    block_on(async {
        // From the call on, not from the first poll.
        let interrupt = signal::ctrl_c();
        raise(system::Signal::SIGINT).unwrap();
        interrupt.await;
        raise(system::Signal::SIGINT).unwrap();
        std::future::pending::<()>().await;
    });
}

#[test]
fn an_interrupt_that_a_kept_receiver_wants_ends_nothing() {
    let _watchdog = watchdog();
    let test = "an_interrupt_that_a_kept_receiver_wants_ends_nothing";
    if !is_child() {
        return child_passes(test, &[], "");
    }
    let kept = signal::notify([Signal::Int]);
    for _ in 0..3 {
        drop(signal::ctrl_c());
        raise(system::Signal::SIGINT).unwrap();
        assert_eq!(kept.recv_blocking(), Some(Signal::Int));
    }
}

/// Mirrors Go's `TestStop`.
#[test]
fn a_dropped_receiver_brings_the_default_action_back_for_its_signals_only() {
    let _watchdog = watchdog();
    let test = "a_dropped_receiver_brings_the_default_action_back_for_its_signals_only";
    if !is_child() {
        return assert_eq!(killed_by(test), Some(system::Signal::SIGTERM as i32));
    }
    ignore_none();
    let (kept, dropped) = (signal::notify([Signal::Hup]), signal::notify([Signal::Term]));
    let clone = dropped.clone();
    drop(dropped);
    send_and_wait(system::Signal::SIGTERM, &clone);
    drop(clone);
    send_and_wait(system::Signal::SIGHUP, &kept);
    // The default action of these is to do nothing.
    drop(signal::notify([Signal::Chld, Signal::Winch]));
    raise(system::Signal::SIGWINCH).unwrap();
    raise(system::Signal::SIGCHLD).unwrap();
    send_and_wait(system::Signal::SIGHUP, &kept);
    raise(system::Signal::SIGTERM).unwrap();
    kept.recv_blocking();
    kept.recv_blocking();
    kept.recv_blocking();
}

/// Mirrors Go's `TestDetectNohup`, `TestNohup`.
#[test]
fn a_signal_that_was_ignored_before_is_received_and_then_ignored_again() {
    let _watchdog = watchdog();
    let test = "a_signal_that_was_ignored_before_is_received_and_then_ignored_again";
    if !is_child() {
        return child_passes(test, &[], "trap '' HUP");
    }
    raise(system::Signal::SIGHUP).unwrap();
    for _ in 0..2 {
        let hangups = signal::notify([Signal::Hup]);
        send_and_wait(system::Signal::SIGHUP, &hangups);
    }
    if cfg!(target_os = "linux") {
        let others = signal::notify([Signal::Usr1]);
        raise(system::Signal::SIGHUP).unwrap();
        // It comes after the hangup, which has ended nothing then.
        send_and_wait(system::Signal::SIGUSR1, &others);
    }
}

#[test]
fn a_signal_reaches_main_while_all_workers_are_blocked() {
    let _watchdog = watchdog();
    let test = "a_signal_reaches_main_while_all_workers_are_blocked";
    if !is_child() {
        return child_passes(test, &[], "");
    }
    let in_main = async {
        let quit = signal::notify([Signal::Term]);
        let block = || spawn(async { blocking(|| thread::sleep(Duration::from_secs(3600))) });
        (0..4).for_each(|_| drop(block()));
        raise(system::Signal::SIGTERM).unwrap();
        assert_eq!(quit.recv().await, Some(Signal::Term));
    };
    Builder::new()
        .worker_threads(2)
        .exit_grace(MILLI)
        .report_left_behind(false)
        .block_on(in_main)
        .unwrap();
}

#[test]
fn a_wait_for_a_signal_gives_up_at_a_limit_and_loses_nothing() {
    let _watchdog = watchdog();
    let test = "a_wait_for_a_signal_gives_up_at_a_limit_and_loses_nothing";
    if !is_child() {
        return child_passes(test, &[], "");
    }
    for workers in WORKERS {
        run(workers, async {
            let signals = signal::notify([Signal::Usr1]);
            assert!(timeout(MILLI, signals.recv()).await.is_err());
            for _ in 0..200 {
                raise(system::Signal::SIGUSR1).unwrap();
                while timeout(Duration::from_micros(20), signals.recv()).await.is_err() {}
                assert!(signals.is_empty());
            }
            raise(system::Signal::SIGUSR1).unwrap();
            select! {
                signal = signals.recv() => assert_eq!(signal, Some(Signal::Usr1)),
                () = gorun::time::sleep(DEADLINE) => panic!("no signal"),
            }
        });
    }
}

#[test]
fn a_signal_wakes_a_future_that_another_executor_polls() {
    let _watchdog = watchdog();
    let test = "a_signal_wakes_a_future_that_another_executor_polls";
    if !is_child() {
        return child_passes(test, &[], "");
    }
    futures::executor::block_on(async {
        let mut interrupt = pin!(signal::ctrl_c());
        poll_fn(|cx| {
            assert!(interrupt.as_mut().poll(cx).is_pending());
            Poll::Ready(())
        })
        .await;
        raise(system::Signal::SIGINT).unwrap();
        interrupt.await;
    });
}

/// Mirrors Go's `TestStress`.
#[test]
fn in_a_storm_of_signals_each_receiver_gets_the_last_one_and_may_go_at_any_time() {
    let _watchdog = watchdog();
    let test = "in_a_storm_of_signals_each_receiver_gets_the_last_one_and_may_go_at_any_time";
    if !is_child() {
        return child_passes(test, &[], "");
    }
    let kept = signal::notify([Signal::Usr1, Signal::Usr2]);
    for workers in WORKERS {
        run(workers, async {
            let storm = thread::spawn(|| {
                for _ in 0..20_000 {
                    raise(system::Signal::SIGUSR1).unwrap();
                }
                raise(system::Signal::SIGUSR2).unwrap();
            });
            let passing = spawn(async {
                for round in 0..200 {
                    let passing = signal::notify([Signal::Usr1]);
                    for _ in 0..round % 3 {
                        passing.try_recv().ok();
                        gorun::yield_now().await;
                    }
                }
            });
            while kept.recv().await != Some(Signal::Usr2) {}
            storm.join().unwrap();
            passing.await.unwrap();
        });
    }
}

/// Mirrors Go's `TestSIGCONT`.
#[test]
fn a_signal_that_the_program_goes_on_is_received() {
    let _watchdog = watchdog();
    let test = "a_signal_that_the_program_goes_on_is_received";
    if !is_child() {
        return child_passes(test, &[], "");
    }
    let goes_on = signal::notify([Signal::Cont]);
    raise(system::Signal::SIGCONT).unwrap();
    assert_eq!(goes_on.recv_blocking(), Some(Signal::Cont));
}

/// Mirrors Go's `TestAtomicStop`.
#[test]
fn a_signal_that_comes_while_its_receiver_goes_is_received_or_ends_the_program() {
    let _watchdog = watchdog();
    let test = "a_signal_that_comes_while_its_receiver_goes_is_received_or_ends_the_program";
    if !is_child() {
        for _ in 0..20 {
            let status = child(test, &[], "").status;
            let is_killed = status.signal() == Some(system::Signal::SIGINT as i32);
            assert!(is_killed || status.success(), "{status}");
        }
        return;
    }
    ignore_none();
    let (going, others) = (signal::notify([Signal::Int]), signal::notify([Signal::Usr1]));
    let interrupts = thread::spawn(|| raise(system::Signal::SIGINT).unwrap());
    going.close();
    interrupts.join().unwrap();
    // What came before this has been delivered by then, or has ended the program.
    send_and_wait(system::Signal::SIGUSR1, &others);
    assert_eq!(going.try_recv(), Ok(Signal::Int));
}

/// Mirrors Go's `TestNotifyContextCause`.
#[test]
fn a_signal_cancels_a_context_with_its_children_and_then_ends_the_program() {
    let _watchdog = watchdog();
    let test = "a_signal_cancels_a_context_with_its_children_and_then_ends_the_program";
    if !is_child() {
        return assert_eq!(killed_by(test), Some(system::Signal::SIGTERM as i32));
    }
    ignore_none();
    for workers in WORKERS {
        run(workers, async {
            let (ctx, _cancel) = signal::context(&Context::background(), [Signal::Term]);
            let (child, _guard) = ctx.with_cancel();
            let waiting = spawn(async move { child.done().await });
            assert_eq!(ctx.err(), None);
            raise(system::Signal::SIGTERM).unwrap();
            assert_eq!(ctx.done().await, ContextError::Cancelled);
            assert_eq!(ctx.cause().unwrap().to_string(), "terminated signal received");
            assert_eq!(waiting.await.unwrap(), ContextError::Cancelled);
        });
    }
    raise(system::Signal::SIGTERM).unwrap();
    thread::sleep(DEADLINE);
}

/// Mirrors Go's `TestNotifyContextStop`, `TestNotifyContextCancelParent`,
/// `TestNotifyContextPrematureCancelParent`.
#[test]
fn a_context_that_is_cancelled_otherwise_wants_no_signal_any_more() {
    let _watchdog = watchdog();
    let test = "a_context_that_is_cancelled_otherwise_wants_no_signal_any_more";
    if !is_child() {
        return assert_eq!(killed_by(test), Some(system::Signal::SIGHUP as i32));
    }
    ignore_none();
    let (parent, by_parent) = Context::background().with_cancel();
    let (ctx, _cancel) = signal::context(&parent, [Signal::Hup]);
    by_parent.cancel();
    assert_eq!(ctx.err(), Some(ContextError::Cancelled));
    // From the start.
    let (late, _cancel) = signal::context(&parent, [Signal::Hup]);
    assert_eq!(late.err(), Some(ContextError::Cancelled));
    let (dropped, cancel) = signal::context(&Context::background(), [Signal::Hup]);
    drop(cancel);
    assert_eq!(dropped.err(), Some(ContextError::Cancelled));
    assert_eq!(dropped.cause().unwrap().to_string(), ContextError::Cancelled.to_string());
    raise(system::Signal::SIGHUP).unwrap();
    thread::sleep(DEADLINE);
}

#[test]
fn the_values_of_a_context_go_with_its_last_user() {
    let _watchdog = watchdog();
    if !is_child() {
        return child_passes("the_values_of_a_context_go_with_its_last_user", &[], "");
    }
    let value = std::sync::Arc::new(());
    let parent = Context::background().with_value(value.clone());
    let (ctx, _cancel) = signal::context(&parent, [Signal::Usr1]);
    assert!(ctx.value::<std::sync::Arc<()>>().is_some());
    drop((parent, ctx));
    assert_eq!(std::sync::Arc::strong_count(&value), 1);
}

/// Mirrors Go's `TestNotifyContextNotifications`.
#[test]
fn two_contexts_are_cancelled_by_one_signal() {
    let _watchdog = watchdog();
    let test = "two_contexts_are_cancelled_by_one_signal";
    if !is_child() {
        return child_passes(test, &[], "");
    }
    block_on(async {
        let background = Context::background();
        let (one, _one) = signal::context(&background, [Signal::Usr1]);
        let (both, _both) = signal::context(&background, [Signal::Usr1, Signal::Usr2]);
        let (other, _other) = signal::context(&background, [Signal::Usr2]);
        raise(system::Signal::SIGUSR1).unwrap();
        one.done().await;
        both.done().await;
        assert_eq!(other.err(), None);
    });
}

#[test]
#[should_panic = "without a signal this would wait for ever"]
fn no_signal_at_all_is_a_mistake() {
    signal::notify([]);
}

#[test]
fn signals_have_the_names_that_go_gives_them() {
    assert_eq!(Signal::Int.to_string(), "interrupt");
    assert_eq!(Signal::Term.to_string(), "terminated");
    assert_eq!(Signal::Hup.to_string(), "hangup");
}

/// Standard error of the child is a file, in which it finds what it has printed.
fn prints_a_dump(test: &str, variables: &[(&str, &str)], builder: impl Fn() -> Builder) {
    const FILE: &str = "GORUN_TEST_FILE";
    if !is_child() {
        let file = std::env::temp_dir().join(format!("gorun-{test}-{}", std::process::id()));
        let path = file.to_str().unwrap();
        let variables = [variables, &[(FILE, path)]].concat();
        child_passes(test, &variables, &format!("exec 2>'{path}'"));
        return std::fs::remove_file(file).unwrap();
    }
    let printed = || std::fs::read_to_string(std::env::var(FILE).unwrap()).unwrap();
    for (number, workers) in WORKERS.into_iter().enumerate() {
        let dumps = |count| {
            let lines = ["main [running]", "blocked", "1 goroutine [recv] at tests/signal.rs"];
            wait_until(|| lines.iter().all(|line| printed().matches(line).count() >= count));
        };
        let main = async {
            let (tx, rx) = gorun::channel::<()>(1);
            let parked = spawn(async move { rx.recv().await });
            let is_parked = || gorun::Handle::current().dump().to_string().contains("[recv]");
            yield_until(is_parked).await;
            // Neither main nor any worker runs anything else.
            let (started, has_started) = std::sync::mpsc::channel();
            let (release, released) = std::sync::mpsc::channel::<()>();
            spawn(async move {
                blocking(|| {
                    started.send(()).unwrap();
                    _ = released.recv();
                })
            })
            .detach();
            has_started.recv().unwrap();
            for again in 1..=2 {
                raise(system::Signal::SIGQUIT).unwrap();
                dumps(2 * number + again);
            }
            drop((release, tx));
            parked.await.unwrap();
        };
        builder().worker_threads(workers).block_on(main).unwrap();
    }
}

#[test]
fn a_signal_prints_a_dump_also_while_main_and_workers_are_stuck() {
    let _watchdog = watchdog();
    let test = "a_signal_prints_a_dump_also_while_main_and_workers_are_stuck";
    prints_a_dump(test, &[], || Builder::new().dump_on_signal(Signal::Quit));
}

#[test]
fn an_environment_variable_makes_a_signal_print_a_dump() {
    let _watchdog = watchdog();
    let test = "an_environment_variable_makes_a_signal_print_a_dump";
    prints_a_dump(test, &[("GORUN_DUMP", "quit")], Builder::new);
}

#[test]
fn a_variable_that_names_no_signal_is_an_error_that_says_which_do() {
    let _watchdog = watchdog();
    if !is_child() {
        let test = "a_variable_that_names_no_signal_is_an_error_that_says_which_do";
        return child_passes(test, &[("GORUN_DUMP", "kill")], "");
    }
    let error = Builder::new().block_on(async {}).unwrap_err().to_string();
    assert!(error.contains("\"kill\"") && error.contains("quit, usr1, usr2 or hup"), "{error}");
}
