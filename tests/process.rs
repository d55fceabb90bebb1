//! Processes: each test is named after a hazard.
#![cfg(all(feature = "process", unix))]

#[path = "common/mod.rs"]
mod common;

use std::future::Future;
use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use futures::{AsyncReadExt, AsyncWriteExt};
use gorun::process::{Child, Command, Stdio};
use gorun::time::timeout;
use gorun::{Builder, spawn};
use nix::errno::Errno;
use nix::sys::signal::kill;
use nix::sys::wait::waitpid;
use nix::unistd::Pid;

use common::*;

/// Each test runs with so many workers.
const WORKERS: [usize; 3] = [1, 2, 16];

/// Runs `main` with one, two and sixteen workers.
fn with_workers<F: Future<Output = io::Result<()>>>(main: impl Fn() -> F) {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, main()).unwrap_or_else(|error| panic!("{workers} workers: {error}"));
    }
}

fn shell(script: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", script]);
    command
}

fn sleeper() -> Command {
    let mut command = Command::new("sleep");
    command.arg("1000");
    command
}

/// Whether the system knows a process with this number: one that runs, or a zombie.
fn exists(id: u32) -> bool {
    kill(Pid::from_raw(id as i32), None).is_ok()
}

/// Waits for a child that somebody else lets end.
fn wait_until_gone(id: u32) {
    wait_until(|| !exists(id));
}

#[test]
fn a_child_that_fills_both_pipes_does_not_hang() {
    with_workers(|| async {
        let script =
            "for i in 1 2 3; do head -c 100000 /dev/zero; head -c 100000 /dev/zero >&2; done";
        let output = shell(script).output().await?;
        assert!(output.status.success());
        assert_eq!((output.stdout.len(), output.stderr.len()), (300_000, 300_000));
        Ok(())
    });
}

#[test]
fn output_does_not_read_our_input() {
    with_workers(|| async {
        assert_eq!(shell("cat; echo done").output().await?.stdout, b"done\n");
        Ok(())
    });
}

/// What `output` sets is for that one process.
#[test]
fn output_leaves_the_streams_of_later_processes_alone() {
    if is_child() {
        return with_workers(|| async {
            let file = std::env::temp_dir().join(format!("gorun-input-{}", std::process::id()));
            let mut command = shell("cat > \"$0\"");
            command.arg(&file);
            assert!(command.output().await?.status.success());
            assert_eq!(std::fs::read(&file)?, b"");
            let mut child = command.spawn()?;
            assert!(child.stdin.is_none());
            assert!(child.stdout.is_none());
            assert!(child.stderr.is_none());
            assert!(child.wait().await?.success());
            let input = std::fs::read(&file)?;
            std::fs::remove_file(&file)?;
            assert!(!input.is_empty(), "the input is not inherited");
            // So that the next one can read it from the start.
            let input = std::os::fd::AsFd::as_fd(&io::stdin()).try_clone_to_owned()?;
            io::Seek::rewind(&mut std::fs::File::from(input))?;
            // One that is not ours to begin with.
            let mut command = Command::from(std::process::Command::new("true"));
            command.output().await?;
            let mut child = command.spawn()?;
            assert!(child.stdout.is_none() && child.stderr.is_none());
            child.wait().await?;
            Ok(())
        });
    }
    let test = "output_leaves_the_streams_of_later_processes_alone";
    child_passes(test, &[], "exec < Cargo.toml");
}

#[test]
fn a_child_that_reads_to_the_end_does_not_hang_its_waiter() {
    with_workers(|| async {
        let mut child = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::null()).spawn()?;
        assert!(child.wait().await?.success());
        assert!(child.stdin.is_none());
        Ok(())
    });
}

#[test]
fn a_wait_that_is_dropped_changes_nothing() {
    with_workers(|| async {
        let mut child = sleeper().spawn()?;
        for _ in 0..5 {
            assert!(timeout(Duration::from_millis(1), child.wait()).await.is_err());
            assert!(child.try_wait()?.is_none());
        }
        child.kill()?;
        let status = child.wait().await?;
        assert!(!status.success());
        assert_eq!(child.wait().await?, status);
        assert_eq!(child.try_wait()?, Some(status));
        // It has gone: another process may have its number, and is left alone.
        child.kill()?;
        Ok(())
    });
}

/// Its number may belong to another process by now.
#[test]
fn a_child_that_somebody_else_has_reaped_is_not_killed() {
    with_workers(|| async {
        for kills in [false, true] {
            let mut child = Command::new("true").kill_on_drop(kills).spawn()?;
            waitpid(Pid::from_raw(child.id() as i32), None)?;
            if kills {
                assert_eq!(os_error(&child.try_wait().unwrap_err()), Some(Errno::ECHILD));
            }
            for _ in 0..2 {
                assert_eq!(os_error(&child.wait().await.unwrap_err()), Some(Errno::ECHILD));
            }
            // The system would say that there is no such process.
            child.kill()?;
        }
        Ok(())
    });
}

/// What the system has said: in the error itself, or behind our text.
fn os_error(error: &io::Error) -> Option<Errno> {
    let source = || error.get_ref()?.source()?.downcast_ref::<io::Error>()?.raw_os_error();
    error.raw_os_error().or_else(source).map(Errno::from_raw)
}

#[test]
fn many_children_end_at_once() {
    with_workers(|| async {
        let children: Vec<_> = (0..40)
            .map(|code| spawn(async move { shell(&format!("exit {code}")).status().await }))
            .collect();
        for (code, child) in children.into_iter().enumerate() {
            assert_eq!(child.await??.code(), Some(code as i32));
        }
        Ok(())
    });
}

#[test]
fn exit_is_not_held_up_by_one_that_waits_for_a_child() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        for kills in [false, true] {
            let drops = Drops::new(2);
            let probes = [drops.probe(0), drops.probe(1)];
            let grace = Duration::from_secs(60);
            let start = Instant::now();
            let id = Builder::new()
                .worker_threads(workers)
                .exit_grace(grace)
                .block_on(async {
                    let mut command = sleeper();
                    command.kill_on_drop(kills).stdout(Stdio::piped());
                    let mut child = command.spawn().unwrap();
                    let id = child.id();
                    let mut stdout = child.stdout.take().unwrap();
                    let [first, second] = probes;
                    spawn(async move {
                        let _probe = first;
                        child.wait().await
                    })
                    .detach();
                    spawn(async move {
                        let _probe = second;
                        stdout.read(&mut [0]).await
                    })
                    .detach();
                    gorun::time::sleep(Duration::from_millis(5)).await;
                    id
                })
                .unwrap();
            // Both were dropped, not left behind.
            drops.assert_each_once_off_main(workers);
            assert!(start.elapsed() < grace / 2);
            if !kills {
                assert!(exists(id), "the child was killed");
                kill(Pid::from_raw(id as i32), nix::sys::signal::SIGKILL).unwrap();
            }
            // Its thread reaps it.
            wait_until_gone(id);
        }
    }
}

#[test]
fn a_limit_that_passes_kills_if_it_should() {
    with_workers(|| async {
        for output in [false, true] {
            let directory = std::env::temp_dir();
            let mut command = shell("echo $$ > \"$0\"; exec sleep 1000");
            let file = directory.join(format!("gorun-process-{}-{output}", std::process::id()));
            command.arg(&file).kill_on_drop(true);
            let mut limited = Box::pin(async {
                match output {
                    true => command.output().await.map(drop),
                    false => command.status().await.map(drop),
                }
            });
            let id = loop {
                assert!(timeout(Duration::from_millis(5), &mut limited).await.is_err());
                let text = std::fs::read_to_string(&file).unwrap_or_default();
                if let Some(id) = text.strip_suffix('\n') {
                    break id.parse().unwrap();
                }
            };
            assert!(exists(id));
            drop(limited);
            std::fs::remove_file(&file)?;
            wait_until_gone(id);
        }
        Ok(())
    });
}

#[test]
fn a_child_that_nobody_waited_for_does_not_stay_a_zombie() {
    with_workers(|| async {
        let child = Command::new("true").spawn()?;
        let id = child.id();
        drop(child);
        // It may not have ended then. Each start of a process looks again.
        let start = Instant::now();
        while exists(id) {
            assert!(start.elapsed() < DEADLINE);
            Command::new("true").status().await?;
        }
        Ok(())
    });
}

/// The thread has begun to wait, and so reaps, whoever still wants to know.
#[test]
fn a_child_that_was_waited_for_in_vain_does_not_stay_a_zombie() {
    with_workers(|| async {
        let mut child = sleeper().spawn()?;
        let id = child.id();
        assert!(timeout(Duration::from_millis(1), child.wait()).await.is_err());
        child.kill()?;
        drop(child);
        wait_until_gone(id);
        Ok(())
    });
}

#[test]
fn a_pipe_to_a_child_suspends_and_loses_nothing() {
    with_workers(|| async {
        let mut child = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let mut stdout = child.stdout.take().unwrap();
        // Nothing there yet.
        assert!(timeout(Duration::from_millis(1), stdout.read(&mut [0])).await.is_err());
        let mut stdin = child.stdin.take().unwrap();
        let bytes = random_bytes(3, scaled(5_000_000, 1_000_000)..scaled(5_000_001, 1_000_001));
        let sent = bytes.clone();
        let write = spawn(async move {
            stdin.write_all(&sent).await?;
            stdin.close().await?;
            assert_eq!(stdin.write(b"x").await.unwrap_err().kind(), ErrorKind::BrokenPipe);
            io::Result::Ok(())
        });
        let mut received = Vec::new();
        stdout.read_to_end(&mut received).await?;
        assert!(received == bytes);
        write.await??;
        assert!(child.wait().await?.success());
        Ok(())
    });
}

#[test]
fn a_write_to_a_child_that_reads_nothing_waits_until_it_has_gone() {
    with_workers(|| async {
        let mut child = sleeper().stdin(Stdio::piped()).spawn()?;
        let mut stdin = child.stdin.take().unwrap();
        let write = spawn(async move { stdin.write_all(&[0; 1 << 20]).await.unwrap_err().kind() });
        gorun::time::sleep(Duration::from_millis(2)).await;
        assert!(!write.is_finished());
        child.kill()?;
        child.wait().await?;
        assert_eq!(write.await?, ErrorKind::BrokenPipe);
        Ok(())
    });
}

#[test]
fn a_write_of_nothing_to_a_full_pipe_does_not_wait() {
    with_workers(|| async {
        let mut child = sleeper().kill_on_drop(true).stdin(Stdio::piped()).spawn()?;
        let mut stdin = child.stdin.take().unwrap();
        while timeout(Duration::from_millis(2), stdin.write_all(&[0; 1 << 16])).await.is_ok() {}
        let written = timeout(Duration::from_secs(20), stdin.write(&[])).await;
        assert_eq!(written.expect("it does not wait")?, 0);
        child.kill()?;
        child.wait().await?;
        Ok(())
    });
}

/// A pipe in which each read ends behind what one write has written.
#[cfg(target_os = "linux")]
#[test]
fn a_pipe_of_packets_gives_all_of_them() {
    with_workers(|| async {
        let file = std::env::temp_dir().join(format!("gorun-packets-{}", std::process::id()));
        // The pipe stays open, so that no event comes with its end.
        let packets =
            "dd if=/dev/zero bs=10 count=5 oflag=direct 2>&-; touch \"$0\"; exec sleep 1000";
        let mut packets = shell(packets);
        let mut child = packets.arg(&file).stdout(Stdio::piped()).kill_on_drop(true).spawn()?;
        while !file.exists() {
            gorun::time::sleep(Duration::from_millis(1)).await;
        }
        std::fs::remove_file(&file)?;
        let mut stdout = child.stdout.take().unwrap();
        for _ in 0..5 {
            let read = timeout(Duration::from_secs(20), stdout.read(&mut [0; 100])).await;
            assert_eq!(read.expect("a packet is there")?, 10);
        }
        assert!(timeout(Duration::from_millis(1), stdout.read(&mut [0; 100])).await.is_err());
        Ok(())
    });
}

/// One that does not know of it would take "would block" for an error.
#[test]
fn a_pipe_given_to_another_child_blocks_again() {
    with_workers(|| async {
        let mut first = shell("sleep 0.05; echo late").stdout(Stdio::piped()).spawn()?;
        let stdin = first.stdout.take().unwrap().into_stdio()?;
        let output = Command::new("cat").stdin(stdin).output().await?;
        assert_eq!((output.status.success(), output.stdout.as_slice()), (true, &b"late\n"[..]));
        assert!(first.wait().await?.success());
        Ok(())
    });
}

#[cfg(target_os = "linux")]
#[test]
fn a_child_inherits_nothing_of_ours() {
    with_workers(|| async {
        // This process may have inherited some itself.
        let descriptors = async || Command::new("ls").arg("/proc/self/fd").output().await;
        let before = descriptors().await?.stdout;
        let listener = gorun::net::TcpListener::bind("127.0.0.1:0").await?;
        let _client = gorun::net::TcpStream::connect(listener.local_addr()?).await?;
        let _other = sleeper().kill_on_drop(true).stdin(Stdio::piped()).spawn()?;
        let after = descriptors().await?.stdout;
        assert_eq!(String::from_utf8_lossy(&after), String::from_utf8_lossy(&before));
        Ok(())
    });
}

#[cfg(target_os = "linux")]
#[test]
fn threads_that_wait_end_with_their_children() {
    if is_child() {
        let _watchdog = watchdog();
        let workers = workers_of_child().unwrap();
        return run(workers, async {
            // What the runtime and its reactor need is there.
            shell("echo").output().await.unwrap();
            let mut children: Vec<Child> = (0..8).map(|_| sleeper().spawn().unwrap()).collect();
            yield_until(|| waiting_threads() == 0).await;
            for child in &mut children {
                for _ in 0..3 {
                    assert!(timeout(Duration::ZERO, child.wait()).await.is_err());
                }
            }
            yield_until(|| waiting_threads() == 8).await;
            for child in &mut children {
                child.kill().unwrap();
                child.wait().await.unwrap();
            }
            yield_until(|| waiting_threads() == 0).await;
        });
    }
    children_pass("threads_that_wait_end_with_their_children", &WORKERS, &[]);
}

/// Its stack is small, but large enough for a panic with all that is said of it.
#[cfg(target_os = "linux")]
#[test]
fn a_waker_that_panics_on_the_thread_of_a_child_is_reported_and_harms_nobody() {
    struct Panics(AtomicBool);
    impl std::task::Wake for Panics {
        fn wake(self: Arc<Self>) {
            self.0.store(true, Ordering::Release);
            panic!("boom");
        }
    }
    let test = "a_waker_that_panics_on_the_thread_of_a_child_is_reported_and_harms_nobody";
    if !is_child() {
        return child_passes(test, &[("RUST_BACKTRACE", "full")], "");
    }
    let _watchdog = watchdog();
    let mut child = sleeper().spawn().unwrap();
    let id = child.id();
    {
        let panics = Arc::new(Panics(AtomicBool::new(false)));
        let waker = std::task::Waker::from(panics.clone());
        let mut wait = std::pin::pin!(child.wait());
        assert!(wait.as_mut().poll(&mut std::task::Context::from_waker(&waker)).is_pending());
        kill(Pid::from_raw(id as i32), nix::sys::signal::SIGKILL).unwrap();
        wait_until(|| panics.0.load(Ordering::Acquire) && waiting_threads() == 0);
    }
    assert!(!futures::executor::block_on(child.wait()).unwrap().success());
}

/// How many threads wait for children.
#[cfg(target_os = "linux")]
fn waiting_threads() -> usize {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    let name = |task: io::Result<std::fs::DirEntry>| {
        std::fs::read_to_string(task.unwrap().path().join("comm")).unwrap_or_default()
    };
    tasks.map(name).filter(|name| name == "gorun-child\n").count()
}

#[test]
fn a_program_that_does_not_exist_is_named() {
    with_workers(|| async {
        let error = Command::new("no such program").spawn().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        let text = error.to_string();
        assert!(text.starts_with("cannot start \"no such program\": "), "{text}");
        assert_eq!(os_error(&error), Some(Errno::ENOENT));
        Ok(())
    });
}

#[test]
fn without_a_runtime_only_pipes_are_refused() {
    let _watchdog = watchdog();
    futures::executor::block_on(async {
        assert_eq!(shell("exit 7").status().await.unwrap().code(), Some(7));
        // And what was started is killed: nobody reads this pipe any more.
        let (input, writes) = io::pipe().unwrap();
        let mut sleeps = sleeper();
        let error = sleeps.stdin(input).stdout(Stdio::piped()).spawn().unwrap_err();
        let says = |error: io::Error| {
            let text = error.to_string();
            assert!(text.starts_with("a pipe to a child ") && text.contains("no gorun runtime"));
        };
        says(error);
        drop(sleeps);
        wait_until(|| io::Write::write(&mut &writes, b"x").is_err());
        // Where it is known before, nothing is started.
        says(Command::new("no such program").output().await.unwrap_err());
    });
}

#[test]
fn a_future_that_was_not_polled_has_started_nothing() {
    with_workers(|| async {
        let file = std::env::temp_dir().join(format!("gorun-unpolled-{}", std::process::id()));
        let mut touch = Command::new("touch");
        touch.arg(&file);
        drop(touch.status());
        drop(touch.output());
        assert!(!file.exists());
        Ok(())
    });
}

#[test]
fn handles_go_to_other_threads() {
    fn has<T: Send + Sync + Unpin + std::fmt::Debug>() {}
    has::<Child>();
    has::<Command>();
    has::<gorun::process::ChildStdin>();
    has::<gorun::process::ChildStdout>();
    has::<gorun::process::ChildStderr>();
}

#[test]
fn a_simulation_starts_a_process() {
    let simulated = gorun::sim::Sim::new().schedules(2);
    simulated.clone().check(|| async {
        let refused = shell("exit 0").status().await.unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::Unsupported);
        assert!(refused.to_string().contains("a simulation starts no process"), "{refused}");
    });
    simulated.allow_threads().check(|| async {
        assert_eq!(shell("exit 3").status().await.unwrap().code(), Some(3));
    });
}
