//! The system's limits: on threads and on files.

use std::fs::File;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Barrier, Mutex, mpsc};
use std::thread;

use gorun::{Builder, JoinHandle, block_on, blocking, spawn, yield_now};
use nix::errno::Errno;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::unistd::{Uid, geteuid, setuid};

use crate::common::*;
use crate::workload::bit_of_everything;
use crate::{MILLI, WORKERS, skip};

/// A user nobody else is likely to be, nor another test: threads are counted for each user.
fn stranger() -> Uid {
    Uid::from_raw(1_947_000_000 + std::process::id())
}

fn set(resource: Resource, limit: u64) {
    let (_, hard) = getrlimit(resource).unwrap();
    setrlimit(resource, limit.min(hard), hard).unwrap();
}

/// As many threads as the hard limit allows.
fn allow_threads() {
    set(Resource::RLIMIT_NPROC, u64::MAX);
}

/// Becomes somebody whom limits on threads bind and who has no other process. Says whether it did.
fn become_a_stranger() -> bool {
    if !geteuid().is_root() {
        return false;
    }
    setuid(stranger()).is_ok() && no_thread_is_to_be_had()
}

fn no_thread_is_to_be_had() -> bool {
    set(Resource::RLIMIT_NPROC, 1);
    let refused = thread::Builder::new().spawn(|| ()).is_err();
    allow_threads();
    refused
}

/// Says whether this process can be refused threads.
fn can_be_refused() -> bool {
    let binds = become_a_stranger() || no_thread_is_to_be_had();
    if !binds {
        skip("the system does not enforce a limit on threads for this user");
    }
    binds
}

#[test]
fn a_limit_on_threads_at_the_start_is_an_error_that_says_so() {
    let _watchdog = watchdog();
    let test = "limits::a_limit_on_threads_at_the_start_is_an_error_that_says_so";
    if !is_child() {
        return child_passes(test, &[], "");
    }
    if !can_be_refused() {
        return;
    }
    let before = threads();
    let is_alone = nix::unistd::getuid() == stranger();
    for workers in WORKERS {
        let refused = |extra: usize| {
            wait_until(|| threads() == before);
            set(Resource::RLIMIT_NPROC, (before + extra) as u64);
            let started = Builder::new().worker_threads(workers).block_on(async { unreachable!() });
            allow_threads();
            let error: io::Error = started.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
            error.to_string()
        };
        let says = |text: &str, what: &str| {
            assert!(text.starts_with(what) && text.contains("fewer worker threads"), "{text}");
        };
        says(&refused(0), &format!("worker thread 1 of {workers}: "));
        // One user's threads are counted together: with others about it is not known who is refused.
        if is_alone {
            says(&refused(workers - 1), &format!("worker thread {workers} of {workers}: "));
            says(&refused(workers), "the monitor thread: ");
        }
        wait_until(|| threads() == before);
        set(Resource::RLIMIT_NPROC, 1);
        let seen = panic_of(|| block_on(async { unreachable!() }));
        allow_threads();
        assert!(seen.message.starts_with("gorun cannot start: worker thread 1 of"), "{seen:?}");
        // And when there are threads again it is a program like any other.
        run(workers, bit_of_everything());
    }
}

#[test]
fn a_limit_on_threads_in_mid_run_costs_cover_and_nothing_else() {
    let _watchdog = watchdog();
    let test = "limits::a_limit_on_threads_in_mid_run_costs_cover_and_nothing_else";
    if !is_child() {
        let output = child(test, &[], "");
        let text = stderr(&output);
        assert!(output.status.success(), "{text}");
        if !text.contains("skipped") {
            assert_eq!(text.matches("no thread could be started").count(), 3, "{text}");
            assert!(text.contains("os error 11"), "{text}");
        }
        return;
    }
    if !can_be_refused() {
        return;
    }
    for workers in WORKERS {
        let (tell, told) = mpsc::channel();
        let builder = Builder::new().worker_threads(workers);
        let builder = builder.on_blocked(move |blocked| {
            let _ = tell.send(blocked.spawned_at.line());
        });
        let in_main = async {
            // All workers are there, and the monitor.
            meet(workers).await;
            set(Resource::RLIMIT_NPROC, 1);
            for way in 0..3 {
                let sleep = || thread::sleep(5 * MILLI);
                let asleep = (0..2 * workers + 8).map(|_| {
                    spawn(async move {
                        match way {
                            0 => sleep(),
                            1 => blocking(sleep),
                            _ => block_on(async { sleep() }),
                        }
                    })
                });
                all(asleep).await;
            }
            // Nor is there a thread for a report, which waits.
            let (go, gone) = mpsc::channel();
            let line = line!() + 1;
            let holds = spawn(async move { gone.recv().unwrap() });
            thread::sleep(300 * MILLI);
            assert!(told.try_iter().all(|other| other != line));
            allow_threads();
            while told.recv_timeout(DEADLINE).unwrap() != line {}
            go.send(()).unwrap();
            holds.await.unwrap();
            // Who stands in steps in again, after the pause that follows a refusal.
            meet(2 * workers + 3).await;
        };
        builder.block_on(in_main).unwrap();
    }
}

/// At the end of main threads are started for goroutines that nobody comes to.
#[test]
fn a_limit_on_threads_at_the_end_does_not_hold_it_up() {
    let _watchdog = watchdog();
    let test = "limits::a_limit_on_threads_at_the_end_does_not_hold_it_up";
    if !is_child() {
        return child_passes(test, &[], "");
    }
    if !can_be_refused() {
        return;
    }
    let go = Arc::new((Mutex::new(()), AtomicBool::new(false)));
    for workers in WORKERS {
        let drops = Drops::new(10);
        let blocked = Arc::new(AtomicUsize::new(0));
        let held = go.0.lock().unwrap();
        run(workers, async {
            for _ in 0..workers {
                let (go, blocked) = (go.clone(), blocked.clone());
                spawn(async move {
                    blocked.fetch_add(1, SeqCst);
                    drop(go.0.lock().unwrap());
                });
            }
            wait_until(|| blocked.load(SeqCst) == workers);
            set(Resource::RLIMIT_NPROC, 1);
            for index in 0..10 {
                let probe = drops.probe(index);
                spawn(async move { drop(probe) });
            }
        });
        allow_threads();
        // They stay where they are until somebody comes to them after all.
        drop(held);
        wait_until(|| drops.all_dropped());
        drops.assert_each_once_off_main(workers);
    }
}

/// Not of the kind "would block", which a reader takes for a wait that nobody ends.
#[test]
fn a_thread_refused_to_a_wait_is_an_error_that_says_so_and_the_next_wait_tries_again() {
    use futures::AsyncReadExt;

    let _watchdog = watchdog();
    let test =
        "limits::a_thread_refused_to_a_wait_is_an_error_that_says_so_and_the_next_wait_tries_again";
    if !is_child() {
        return child_passes(test, &[], "");
    }
    if !can_be_refused() {
        return;
    }
    let says = |error: io::Error, what: &str| {
        assert_ne!(error.kind(), io::ErrorKind::WouldBlock);
        let text = error.to_string();
        assert!(text.starts_with("the system refuses the thread that "), "{text}");
        assert!(text.contains(what), "{text}");
        let source = error.get_ref().unwrap().source().unwrap();
        let source = source.downcast_ref::<io::Error>().unwrap();
        assert_eq!(source.raw_os_error(), Some(Errno::EAGAIN as i32));
    };
    for workers in WORKERS {
        run(workers, async {
            meet(workers).await;
            #[cfg(feature = "process")]
            let mut sleeper = gorun::process::Command::new("sleep");
            #[cfg(feature = "process")]
            let mut child = sleeper.arg("1000").kill_on_drop(true).spawn().unwrap();
            set(Resource::RLIMIT_NPROC, 1);
            // Only the first reader needs one, for all of the process.
            if workers == WORKERS[0] {
                let refused = gorun::io::stdin().read(&mut [0]).await;
                says(refused.unwrap_err(), "standard input");
            }
            #[cfg(feature = "process")]
            for _ in 0..2 {
                says(child.wait().await.unwrap_err(), "child");
            }
            allow_threads();
            assert_eq!(gorun::io::stdin().read(&mut [0]).await.unwrap(), 0);
            #[cfg(feature = "process")]
            {
                child.kill().unwrap();
                assert!(!child.wait().await.unwrap().success());
            }
        });
    }
}

/// Returns when so many goroutines block their threads at the same time.
async fn meet(count: usize) {
    let barrier = Arc::new(Barrier::new(count));
    let meeting = (0..count).map(|_| {
        let barrier = barrier.clone();
        spawn(async move {
            barrier.wait();
        })
    });
    all(meeting).await;
}

async fn all(handles: impl IntoIterator<Item = JoinHandle<()>>) {
    for handle in handles.into_iter().collect::<Vec<_>>() {
        handle.await.unwrap();
    }
}

/// The monitor cannot ask the system who sleeps, so all count as computing.
#[test]
fn without_files_sleepers_count_as_computing_and_nothing_hangs() {
    let _watchdog = watchdog();
    let test = "limits::without_files_sleepers_count_as_computing_and_nothing_hangs";
    if !is_child() {
        return child_passes(test, &[], "");
    }
    let use_up_files = || {
        set(Resource::RLIMIT_NOFILE, 0);
        let error = File::open("/proc/self/stat").unwrap_err();
        assert_eq!(error.raw_os_error(), Some(Errno::EMFILE as i32));
    };
    for workers in WORKERS {
        for from_the_start in [true, false] {
            if from_the_start {
                use_up_files();
            }
            run(workers, async {
                use_up_files();
                meet(workers + 2).await;
                bit_of_everything().await;
                set(Resource::RLIMIT_NOFILE, 1024);
                meet(workers + 8).await;
                yield_now().await;
            });
        }
    }
}
