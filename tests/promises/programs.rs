//! Programs in a process of their own, which are stopped if they do not end.

use std::io::Read;
use std::process::{Child, ExitStatus};
use std::thread;
use std::time::{Duration, Instant};

use super::{MILLI, WORKERS};
use crate::common::*;

/// What such a process says at its end, so that one in which no test ran is noticed.
const ENDED: &str = "the program has ended";

/// Much longer than any of them takes.
const LIMIT: Duration = Duration::from_secs(20);

/// Runs `program` in a process of its own for each number of workers. `test` is the calling test's name.
#[track_caller]
pub(crate) fn for_each_workers(test: &str, program: impl FnOnce(usize)) {
    for_each(test, &WORKERS, program);
}

#[track_caller]
pub(crate) fn for_each(test: &str, counts: &[usize], program: impl FnOnce(usize)) {
    if let Some(workers) = scenario() {
        program(workers.parse().unwrap());
        println!("{ENDED}");
        // Goroutines that exit has left behind do not keep it.
        std::process::exit(0);
    }
    for &workers in counts {
        output(test, workers);
    }
}

/// What the program printed.
#[track_caller]
pub(crate) fn output(test: &str, workers: usize) -> String {
    let mut child = start_child(test, &workers.to_string(), Some(workers));
    let mut stdout = child.stdout.take().unwrap();
    let printed = thread::spawn(move || {
        let mut text = String::new();
        stdout.read_to_string(&mut text).unwrap();
        text
    });
    let status = wait(&mut child);
    let printed = printed.join().unwrap();
    match status {
        None => panic!("{test} with {workers} workers has not ended:\n{printed}"),
        Some(status) if !status.success() => {
            panic!("{test} with {workers} workers: {status}\n{printed}")
        }
        Some(_) => assert!(printed.contains(ENDED), "no test {test}"),
    }
    print!("{printed}");
    printed
}

fn wait(child: &mut Child) -> Option<ExitStatus> {
    let start = Instant::now();
    while start.elapsed() < LIMIT {
        if let Some(status) = child.try_wait().unwrap() {
            return Some(status);
        }
        thread::sleep(MILLI);
    }
    child.kill().unwrap();
    child.wait().unwrap();
    None
}
