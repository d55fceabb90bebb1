//! The standard streams, in processes of their own.

use std::future::Future;
use std::io::{BufRead, BufReader, Read as _, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use futures::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, StreamExt};
use gorun::io::{stderr, stdin, stdout};
use gorun::time::timeout;
use gorun::{select, spawn};

use crate::common::*;

/// Lines that a child has written for its parent, among those of the test harness.
const MARK: &str = "child:";

/// Runs a test of this file again, in a process with pipes, with so many workers.
fn start(test: &str, workers: usize) -> (Child, ChildStdin, BufReader<ChildStdout>) {
    let mut child =
        command(test, workers).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let (to, from) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    (child, to, BufReader::new(from))
}

fn command(test: &str, workers: usize) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", &format!("standard_streams::{test}"), "--nocapture", "--test-threads=1"])
        .env("GORUN_TEST_CHILD", "1")
        .env("GORUN_TEST_WORKERS", workers.to_string())
        .stderr(Stdio::piped());
    command
}

/// The next line with the mark, without it.
fn line(from: &mut impl BufRead) -> String {
    loop {
        let mut line = String::new();
        assert!(from.read_line(&mut line).unwrap() > 0, "the child has ended");
        if let Some((_, line)) = line.trim_end().split_once(MARK) {
            return line.to_owned();
        }
    }
}

/// As a child does, which ends without the harness.
fn in_child(main: impl Future<Output = ()>) -> ! {
    let _watchdog = watchdog();
    run(workers_of_child().unwrap(), main);
    std::process::exit(0);
}

#[test]
fn a_read_of_stdin_does_not_hold_up_exit() {
    if is_child() {
        in_child(async {
            let probe = OnDrop(|| {
                println!("{MARK}dropped");
            });
            let read = spawn(async move {
                let _probe = probe;
                stdin().read(&mut [0]).await
            });
            // Until the thread blocks in the read.
            assert!(timeout(Duration::from_millis(20), read).await.is_err());
            println!("{MARK}waits");
        });
    }
    let _watchdog = watchdog();
    for workers in super::WORKERS {
        let (mut child, to, mut from) = start("a_read_of_stdin_does_not_hold_up_exit", workers);
        assert_eq!(line(&mut from), "waits");
        assert_eq!(line(&mut from), "dropped");
        let start = Instant::now();
        assert!(child.wait().unwrap().success());
        assert!(start.elapsed() < Duration::from_secs(20));
        let mut report = String::new();
        child.stderr.take().unwrap().read_to_string(&mut report).unwrap();
        assert!(!report.contains("did not end"), "{report}");
        drop(to);
    }
}

#[test]
fn a_read_of_stdin_that_is_dropped_loses_no_line() {
    if is_child() {
        in_child(async {
            for _ in 0..3 {
                // None of these sees a line, and the last one leaves its rest.
                let mut first = stdin();
                let late = timeout(Duration::from_millis(5), first.read(&mut [0; 100])).await;
                assert!(late.is_err());
            }
            println!("{MARK}go on");
            let mut letter = [0; 1];
            stdin().read_exact(&mut letter).await.unwrap();
            let mut lines = stdin().lines();
            let mut text = (letter[0] as char).to_string();
            loop {
                select! {
                    line = lines.next() => match line {
                        Some(line) => text += &(line.unwrap() + "/"),
                        None => break,
                    },
                    () = gorun::time::sleep(Duration::from_secs(60)) => panic!("no line comes"),
                }
            }
            println!("{MARK}{text}");
        });
    }
    let _watchdog = watchdog();
    for workers in super::WORKERS {
        let (mut child, mut to, mut from) =
            start("a_read_of_stdin_that_is_dropped_loses_no_line", workers);
        assert_eq!(line(&mut from), "go on");
        to.write_all(b"one\ntwo\nth").unwrap();
        to.write_all(b"ree").unwrap();
        drop(to);
        assert_eq!(line(&mut from), "one/two/three/");
        assert!(child.wait().unwrap().success());
    }
}

#[test]
fn nothing_is_read_that_nobody_asks_for() {
    if is_child() {
        in_child(async {
            println!("{MARK}asks");
            // Whoever asks several times asks for one line.
            for _ in 0..3 {
                let late = timeout(Duration::from_millis(5), stdin().read(&mut [0; 100])).await;
                assert!(late.is_err());
            }
            println!("{MARK}asks again");
            let mut line = String::new();
            stdin().read_line(&mut line).await.unwrap();
            println!("{MARK}{}", line.trim_end());
            // A child of ours may have the rest.
            let mut own = String::new();
            std::io::Read::read_to_string(&mut std::io::stdin(), &mut own).unwrap();
            println!("{MARK}{own}");
        });
    }
    let _watchdog = watchdog();
    for workers in super::WORKERS {
        let (mut child, mut to, mut from) = start("nothing_is_read_that_nobody_asks_for", workers);
        assert_eq!(line(&mut from), "asks");
        assert_eq!(line(&mut from), "asks again");
        to.write_all(b"first\n").unwrap();
        assert_eq!(line(&mut from), "first");
        to.write_all(b"second").unwrap();
        drop(to);
        assert_eq!(line(&mut from), "second");
        assert!(child.wait().unwrap().success());
    }
}

/// Whoever shares a stream with us may make it nonblocking: a shell, or a program that it runs.
#[cfg(unix)]
#[test]
fn streams_that_another_process_made_nonblocking_are_waited_for_all_the_same() {
    use std::os::fd::OwnedFd;
    use std::os::unix::net::UnixStream;

    const LENGTH: usize = 2 << 20;
    let test = "streams_that_another_process_made_nonblocking_are_waited_for_all_the_same";
    if is_child() {
        in_child(async {
            let mut letter = [0; 1];
            let mut input = stdin();
            let read = timeout(Duration::from_millis(5), input.read_exact(&mut letter)).await;
            assert!(read.is_err(), "{read:?}");
            println!("{MARK}asks");
            input.read_exact(&mut letter).await.unwrap();
            println!("{MARK}{}", letter[0] as char);
            let write = spawn(async {
                stdout().write_all(&[b'x'; LENGTH]).await?;
                stdout().flush().await
            });
            gorun::time::sleep(Duration::from_millis(5)).await;
            // The system does not take so much at once.
            assert!(!write.is_finished());
            stderr().write_all(b"writes\n").await.unwrap();
            write.await.unwrap().unwrap();
        });
    }
    let _watchdog = watchdog();
    for workers in super::WORKERS {
        let (stream, end) = UnixStream::pair().unwrap();
        end.set_nonblocking(true).unwrap();
        let mut command = command(test, workers);
        command.stdin(OwnedFd::from(end.try_clone().unwrap())).stdout(OwnedFd::from(end));
        let mut child = command.spawn().unwrap();
        drop(command);
        let mut from = BufReader::new(stream.try_clone().unwrap());
        assert_eq!(line(&mut from), "asks");
        (&stream).write_all(b"?").unwrap();
        assert_eq!(line(&mut from), "?");
        let mut errors = BufReader::new(child.stderr.take().unwrap());
        let mut text = String::new();
        errors.read_line(&mut text).unwrap();
        assert_eq!(text, "writes\n");
        let mut bytes = vec![0; LENGTH];
        from.read_exact(&mut bytes).unwrap();
        assert!(bytes == [b'x'; LENGTH]);
        assert!(child.wait().unwrap().success());
    }
}

#[test]
fn lines_of_many_goroutines_arrive_whole() {
    if is_child() {
        in_child(async {
            let writers: Vec<_> = (0..8)
                .map(|writer| {
                    spawn(async move {
                        for number in 0..100 {
                            let line = format!("{MARK}{writer} {number}\n");
                            stdout().write_all(line.as_bytes()).await.unwrap();
                            stderr().write_all(b"!").await.unwrap();
                        }
                        stdout().flush().await.unwrap();
                    })
                })
                .collect();
            for writer in writers {
                writer.await.unwrap();
            }
        });
    }
    let _watchdog = watchdog();
    for workers in super::WORKERS {
        let (mut child, _to, mut from) = start("lines_of_many_goroutines_arrive_whole", workers);
        let mut next = [0; 8];
        for _ in 0..800 {
            let line = line(&mut from);
            let (writer, number) = line.split_once(' ').unwrap();
            let writer: usize = writer.parse().unwrap();
            assert_eq!(number.parse::<usize>().unwrap(), next[writer]);
            next[writer] += 1;
        }
        let mut errors = String::new();
        child.stderr.take().unwrap().read_to_string(&mut errors).unwrap();
        assert_eq!(errors.matches('!').count(), 800);
        assert!(child.wait().unwrap().success());
    }
}

/// The others go on, and so does exit after its grace.
#[test]
fn a_write_that_nobody_reads_holds_up_only_its_goroutine() {
    if is_child() {
        in_child(async {
            spawn(async {
                loop {
                    let _ = stdout().write_all(&[b'x'; 1 << 16]).await;
                }
            })
            .detach();
            gorun::time::sleep(Duration::from_millis(20)).await;
            for _ in 0..100 {
                spawn(async {}).await.unwrap();
            }
            let mut err = stderr();
            err.write_all(b"main returns\n").await.unwrap();
        });
    }
    let _watchdog = watchdog();
    for workers in super::WORKERS {
        let (mut child, _to, _from) =
            start("a_write_that_nobody_reads_holds_up_only_its_goroutine", workers);
        let mut report = BufReader::new(child.stderr.take().unwrap());
        let mut text = String::new();
        while text != "main returns\n" {
            text.clear();
            assert!(report.read_line(&mut text).unwrap() > 0);
        }
        let start = Instant::now();
        assert!(child.wait().unwrap().success());
        assert!(start.elapsed() < Duration::from_secs(20));
    }
}

#[test]
fn a_loop_of_writes_gives_way() {
    let _watchdog = watchdog();
    for workers in super::WORKERS {
        run(workers, async {
            let mut out = stdout();
            let endless = async {
                loop {
                    out.flush().await.unwrap();
                }
            };
            assert!(timeout(Duration::from_millis(5), endless).await.is_err());
        });
    }
}
