//! Crates that need a tokio runtime, in goroutines; and goroutines that tokio's tasks start.

mod common;

use std::future::pending;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use common::*;
use futures::future::join_all;
use gorun::{Builder, Handle, JoinSet, blocking, go, spawn, yield_now};

const WORKERS: [usize; 3] = [1, 2, 16];

fn bridged(workers: usize) -> Builder {
    patient(workers).tokio_runtime(1)
}

/// What needs tokio's context: a timer, a task, a blocking one, a socket.
async fn use_tokio() {
    tokio::time::sleep(Duration::from_millis(1)).await;
    assert_eq!(tokio::spawn(async { 1 }).await.unwrap(), 1);
    assert_eq!(tokio::task::spawn_blocking(|| 2).await.unwrap(), 2);
    let late = tokio::time::timeout(Duration::from_millis(1), pending::<()>()).await;
    assert!(late.is_err());
    let socket = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
    socket.send_to(b"x", socket.local_addr().unwrap()).await.unwrap();
    let mut buf = [0; 2];
    assert_eq!(socket.recv(&mut buf).await.unwrap(), 1);
}

/// What needs the context of a gorun runtime: a goroutine, a timer, a handle.
async fn use_gorun() {
    assert_eq!(spawn(async { 1 }).await.unwrap(), 1);
    gorun::time::sleep(Duration::from_millis(1)).await;
    assert_eq!(Handle::current().spawn(async { 2 }).await.unwrap(), 2);
    let socket = gorun::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
    socket.send_to(b"x", socket.local_addr().unwrap()).await.unwrap();
    let mut buf = [0; 2];
    assert_eq!(socket.recv(&mut buf).await.unwrap(), 1);
}

#[test]
fn tokio_works_wherever_our_code_runs() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        bridged(workers)
            .block_on(async {
                use_tokio().await;
                join_all((0..8).map(|_| spawn(use_tokio())))
                    .await
                    .into_iter()
                    .for_each(Result::unwrap);
                let runtime = Handle::current();
                let guest = thread::spawn(move || runtime.block_on(use_tokio()));
                spawn(async { gorun::block_on(use_tokio()) }).await.unwrap();
                blocking(|| gorun::block_on(use_tokio()));
                gorun::spawn_local(use_tokio()).await.unwrap();
                blocking(|| guest.join().unwrap());
            })
            .unwrap();
    }
}

/// All workers are blocked, so that others run these.
#[test]
fn tokio_works_on_threads_that_stand_in_for_blocked_ones() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        bridged(workers)
            .block_on(async {
                let release = flag();
                let blocked: Vec<_> = (0..workers)
                    .map(|_| {
                        let release = release.clone();
                        spawn(async move {
                            while !release.load(SeqCst) {
                                thread::sleep(Duration::from_millis(1));
                            }
                        })
                    })
                    .collect();
                join_all((0..4).map(|_| spawn(use_tokio())))
                    .await
                    .into_iter()
                    .for_each(Result::unwrap);
                release.store(true, SeqCst);
                join_all(blocked).await.into_iter().for_each(Result::unwrap);
            })
            .unwrap();
    }
}

#[test]
fn gorun_works_wherever_tokio_runs_code_and_belongs_to_the_runtime_of_the_bridge() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        bridged(workers)
            .block_on(async {
                let tasks = (0..8).map(|_| tokio::spawn(use_gorun()));
                join_all(tasks).await.into_iter().for_each(Result::unwrap);
                tokio::task::spawn_blocking(|| gorun::block_on(use_gorun())).await.unwrap();
                let (seen, is_seen) = futures::channel::oneshot::channel();
                let before = gorun::num_goroutines();
                tokio::spawn(async move {
                    let parked = spawn(pending::<()>());
                    seen.send((gorun::num_goroutines(), parked.abort_on_drop())).unwrap();
                });
                let (during, _parked) = is_seen.await.unwrap();
                assert_eq!(during, before + 1);
            })
            .unwrap();
    }
}

#[test]
fn somebodys_runtime_works_and_goes_on_and_forgets_the_bridge() {
    let _watchdog = watchdog();
    let tokio = tokio::runtime::Runtime::new().unwrap();
    for workers in WORKERS {
        patient(workers)
            .tokio(tokio.handle().clone())
            .block_on(async {
                spawn(use_tokio()).await.unwrap();
                tokio::spawn(use_gorun()).await.unwrap();
            })
            .unwrap();
        let is_in_one = tokio.block_on(async {
            tokio::spawn(async { Handle::try_current().is_some() }).await.unwrap()
        });
        assert!(!is_in_one, "its runtime has ended");
    }
}

/// Main's thread drives tokio's main: tokio refuses to wait there for the end of another runtime.
#[test]
fn a_runtime_with_a_bridge_starts_and_ends_inside_a_tokio_runtime() {
    let _watchdog = watchdog();
    let tokio = tokio::runtime::Runtime::new().unwrap();
    tokio.block_on(async {
        bridged(2).block_on(spawn_in_both()).unwrap();
        let outer = tokio::runtime::Handle::current();
        patient(2).tokio(outer).block_on(spawn_in_both()).unwrap();
    });
}

async fn spawn_in_both() {
    spawn(use_tokio()).await.unwrap();
    tokio::spawn(use_gorun()).await.unwrap();
}

#[test]
fn of_two_runtimes_with_bridges_to_one_the_last_counts_while_it_lives() {
    let _watchdog = watchdog();
    let tokio = tokio::runtime::Runtime::new().unwrap();
    let with_bridge = || patient(1).tokio(tokio.handle().clone());
    // So many goroutines, main included, sees a task of tokio's.
    async fn seen() -> usize {
        tokio::spawn(async { gorun::num_goroutines() }).await.unwrap()
    }
    with_bridge()
        .block_on(async {
            let _parked: Vec<_> = (0..5).map(|_| spawn(pending::<()>()).abort_on_drop()).collect();
            assert_eq!(seen().await, 6);
            assert_eq!(with_bridge().block_on(seen()).unwrap(), 1);
            assert_eq!(seen().await, 6);
        })
        .unwrap();
}

/// Whatever a goroutine holds may need tokio to be dropped.
#[test]
fn destructors_at_exit_find_tokio_alive() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        for _ in 0..20 {
            let (ran, runs) = mpsc::channel();
            let held: Vec<_> = (0..4)
                .map(|_| {
                    let ran = ran.clone();
                    OnDrop(move || {
                        let (done, is_done) = mpsc::channel();
                        tokio::task::spawn_blocking(move || done.send(()).unwrap());
                        is_done.recv().unwrap();
                        ran.send(()).unwrap();
                    })
                })
                .collect();
            drop(ran);
            bridged(workers)
                .block_on(async {
                    for held in held {
                        go!(async move {
                            let _held = held;
                            pending::<()>().await
                        });
                    }
                    yield_now().await;
                })
                .unwrap();
            assert_eq!(runs.iter().count(), 4);
        }
    }
}

#[test]
fn what_tokio_runs_is_dropped_when_main_has_ended() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        let dropped = Arc::new(AtomicUsize::new(0));
        bridged(workers)
            .block_on(async {
                for _ in 0..10 {
                    let dropped = dropped.clone();
                    let held = OnDrop(move || _ = dropped.fetch_add(1, SeqCst));
                    tokio::spawn(async move {
                        let _held = held;
                        pending::<()>().await
                    });
                }
            })
            .unwrap();
        assert_eq!(dropped.load(SeqCst), 10);
    }
}

#[test]
fn destructors_of_tasks_that_spawn_at_the_end_get_handles_that_say_cancelled() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        let (tell, told) = mpsc::channel();
        bridged(workers)
            .block_on(async {
                let held = OnDrop(move || tell.send(spawn(async { 1 })).unwrap());
                tokio::spawn(async move {
                    let _held = held;
                    pending::<()>().await
                });
            })
            .unwrap();
        let late = told.recv().unwrap();
        assert!(gorun::block_on(late).unwrap_err().is_cancelled());
    }
}

#[test]
fn a_blocking_task_of_tokios_that_does_not_end_delays_exit_by_the_grace_only() {
    let _watchdog = watchdog();
    let (release, released) = mpsc::channel::<()>();
    let start = Instant::now();
    Builder::new()
        .tokio_runtime(1)
        .exit_grace(Duration::from_millis(50))
        .block_on(async {
            let (started, has_started) = futures::channel::oneshot::channel();
            tokio::task::spawn_blocking(move || {
                started.send(()).unwrap();
                let _ = released.recv();
            });
            has_started.await.unwrap();
        })
        .unwrap();
    assert!(start.elapsed() < Duration::from_secs(10));
    drop(release);
}

#[test]
fn main_gets_the_panic_of_a_goroutine_and_the_runtime_of_tokio_ends() {
    let _watchdog = watchdog();
    let dropped = Arc::new(AtomicBool::new(false));
    let payload = payload_of(|| {
        bridged(2).block_on(async {
            let dropped = dropped.clone();
            let held = OnDrop(move || dropped.store(true, SeqCst));
            tokio::spawn(async move {
                let _held = held;
                go!(async { panic!("expected") });
                pending::<()>().await
            });
            pending::<()>().await
        })
    });
    assert_eq!(message(&*payload), Some("expected"));
    assert!(dropped.load(SeqCst));
}

/// A task's own panic is tokio's business.
#[test]
fn the_panic_of_a_task_is_an_error_of_its_handle() {
    let _watchdog = watchdog();
    quiet();
    bridged(2)
        .block_on(async {
            let failed = tokio::spawn(async { panic!("expected") }).await;
            assert!(failed.unwrap_err().is_panic());
        })
        .unwrap();
}

#[test]
fn many_messages_cross_between_goroutines_and_tasks_and_none_is_lost() {
    const EACH: usize = 2_000;
    let _watchdog = watchdog();
    for workers in WORKERS {
        let (from_gorun, mut to_tokio) = tokio::sync::mpsc::channel(8);
        let (from_tokio, to_gorun) = gorun::channel(8);
        bridged(workers)
            .block_on(async {
                let echo = tokio::spawn(async move {
                    while let Some(value) = to_tokio.recv().await {
                        from_tokio.send(value).await.unwrap();
                    }
                });
                let mut senders = JoinSet::new();
                for first in 0..4 {
                    let from_gorun = from_gorun.clone();
                    senders.spawn(async move {
                        for value in 0..EACH {
                            from_gorun.send(first * EACH + value).await.unwrap();
                        }
                    });
                }
                drop(from_gorun);
                let mut seen = vec![false; 4 * EACH];
                while let Some(value) = to_gorun.recv().await {
                    assert!(!std::mem::replace(&mut seen[value], true));
                }
                assert!(seen.into_iter().all(|seen| seen));
                senders.join_all().await;
                echo.await.unwrap();
            })
            .unwrap();
    }
}

/// tokio panics where the guard of the worker's own context is dropped, and where main's is.
#[test]
fn guards_of_tokios_that_are_dropped_out_of_order_do_not_break_exit() {
    let _watchdog = watchdog();
    quiet();
    async fn mix_up() {
        let tokio = tokio::runtime::Handle::current();
        let first = tokio.enter();
        let _second = tokio.enter();
        drop(first);
    }
    for workers in WORKERS {
        let dropped = Arc::new(AtomicBool::new(false));
        let payload = payload_of(|| {
            bridged(workers).block_on(async {
                assert!(spawn(mix_up()).await.unwrap_err().is_panic());
                let dropped = dropped.clone();
                let held = OnDrop(move || dropped.store(true, SeqCst));
                go!(async move {
                    let _held = held;
                    pending::<()>().await
                });
                yield_now().await;
                mix_up().await;
            })
        });
        assert!(message(&*payload).unwrap().contains("out of order"), "{:?}", message(&*payload));
        assert!(dropped.load(SeqCst), "exit has dropped the goroutine");
    }
}

#[test]
fn a_task_of_tokios_that_waits_for_our_timer_is_dropped_as_it_waits() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        let ended = Arc::new(AtomicUsize::new(0));
        bridged(workers)
            .block_on(async {
                for _ in 0..10 {
                    let ended = ended.clone();
                    let held = OnDrop(move || {
                        ended.fetch_add(if thread::panicking() { 100 } else { 1 }, SeqCst);
                    });
                    let (polled, was_polled) = futures::channel::oneshot::channel();
                    tokio::spawn(async move {
                        let _held = held;
                        polled.send(()).unwrap();
                        gorun::time::sleep(Duration::from_secs(3600)).await;
                    });
                    was_polled.await.unwrap();
                }
            })
            .unwrap();
        assert_eq!(ended.load(SeqCst), 10);
    }
}

#[test]
fn a_hook_of_a_thread_that_starts_may_spawn_from_a_task_of_tokios() {
    let _watchdog = watchdog();
    let (tell, told) = mpsc::channel();
    bridged(4)
        .on_thread_start(move || {
            let tell = tell.clone();
            tokio::spawn(async move { tell.send(spawn(async { 1 }).await.unwrap()) });
        })
        .block_on(async { blocking(|| assert!(told.iter().take(4).all(|one| one == 1))) })
        .unwrap();
}

#[test]
#[should_panic = "`tokio_runtime(0)`"]
fn no_workers_are_refused() {
    let _ = Builder::new().tokio_runtime(0);
}

#[gorun::test(tokio_runtime = 1)]
async fn the_attribute_has_the_setting() {
    use_tokio().await;
}

/// A process of its own, as other tests have threads and descriptors, too.
#[cfg(target_os = "linux")]
#[test]
fn a_thousand_runtimes_leave_no_thread_and_no_descriptor() {
    let _watchdog = watchdog();
    if !is_child() {
        return child_passes("a_thousand_runtimes_leave_no_thread_and_no_descriptor", &[], "");
    }
    let count = |what: &str| std::fs::read_dir(format!("/proc/self/{what}")).unwrap().count();
    let one = || bridged(2).block_on(spawn_in_both()).unwrap();
    one();
    let before = (count("task"), count("fd"));
    (0..1_000).for_each(|_| one());
    // A thread that has done all may take a while to be gone, those of the first runtime, too.
    wait_until(|| count("task") <= before.0 && count("fd") <= before.1);
}
