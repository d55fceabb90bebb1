//! Deadlocks: each is reported, and nothing else is.
//!
//! gorun is certain only in a process without other threads, and a test harness has some. So this is a
//! program of its own: it runs itself for each scenario, which is a whole program. As with a harness, an
//! argument chooses the tests whose names contain it.

#[path = "common/random.rs"]
mod random;

#[path = "deadlock/certain.rs"]
mod certain;
#[path = "deadlock/doubts.rs"]
mod doubts;
#[path = "deadlock/programs.rs"]
mod programs;
#[path = "deadlock/several.rs"]
mod several;

use std::panic::catch_unwind;
use std::process::{Command, ExitCode, Output, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, mpsc};
use std::thread;
use std::time::Duration;

const SCENARIO: &str = "GORUN_TEST_SCENARIO";

/// No program takes so long, however busy the machine is.
const LIMIT: Duration = Duration::from_secs(240);

const DEADLOCK: &str = "gorun: deadlock: ";

/// A program, and what it is to do.
#[derive(Clone, Copy)]
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    pub(crate) run: fn(),
    pub(crate) outcome: Outcome,
}

#[derive(Clone, Copy)]
pub(crate) enum Outcome {
    /// It is deadlocked, and the report has each of these.
    Deadlock(&'static [&'static str]),
    /// It ends by itself. If somebody asks, it says this.
    Ends(&'static str),
    /// It has many runtimes, and checks them itself.
    Passes,
}

fn scenarios() -> Vec<Scenario> {
    [certain::all(), doubts::all(), programs::all(), several::all()].concat()
}

fn main() -> ExitCode {
    let scenarios = scenarios();
    if let Ok(name) = std::env::var(SCENARIO) {
        let scenario = scenarios.iter().find(|scenario| scenario.name == name);
        (scenario.expect("a scenario").run)();
        return ExitCode::SUCCESS;
    }
    let chosen = std::env::args().skip(1).find(|argument| !argument.starts_with('-'));
    let is_chosen = |name: &str| chosen.as_ref().is_none_or(|chosen| name.contains(&**chosen));
    let tests: Vec<_> = scenarios.iter().filter(|scenario| is_chosen(scenario.name)).collect();
    println!("\nrunning {} tests", tests.len());
    let (next, failed) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let run_some = || {
        while let Some(scenario) = tests.get(next.fetch_add(1, Ordering::Relaxed)) {
            let has_passed = catch_unwind(|| test(scenario)).is_ok();
            println!("test {} ... {}", scenario.name, if has_passed { "ok" } else { "FAILED" });
            if !has_passed {
                failed.lock().unwrap().push(scenario.name);
            }
        }
    };
    thread::scope(|scope| (0..4).for_each(|_| drop(scope.spawn(run_some))));
    let failed = failed.into_inner().unwrap();
    let (passed, result) =
        (tests.len() - failed.len(), if failed.is_empty() { "ok" } else { "FAILED" });
    println!("\ntest result: {result}. {passed} passed; {} failed; {failed:?}\n", failed.len());
    if failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn test(scenario: &Scenario) {
    for workers in ["1", "2", "16"] {
        match scenario.outcome {
            Outcome::Deadlock(texts) if cfg!(target_os = "linux") => {
                let output = run(scenario, workers, "panic");
                let stderr = stderr(&output);
                assert_eq!(output.status.code(), Some(101), "{}: {stderr}", scenario.name);
                assert_eq!(stderr.matches(DEADLOCK).count(), 1, "{}: {stderr}", scenario.name);
                for text in texts {
                    assert!(stderr.contains(text), "{} says not {text:?}: {stderr}", scenario.name);
                }
            }
            Outcome::Passes if cfg!(target_os = "linux") => {
                let output = run(scenario, workers, "report");
                print!("{}", String::from_utf8_lossy(&output.stdout));
                assert!(output.status.success(), "{}: {}", scenario.name, stderr(&output));
            }
            Outcome::Deadlock(_) | Outcome::Passes => {}
            Outcome::Ends(reason) => {
                let output = run(scenario, workers, "panic");
                let stderr = stderr(&output);
                assert!(output.status.success(), "{}: {stderr}", scenario.name);
                assert!(!stderr.contains(DEADLOCK), "{}: {stderr}", scenario.name);
                if !reason.is_empty() && cfg!(target_os = "linux") {
                    let explained = self::stderr(&run(scenario, workers, "explain"));
                    assert!(explained.contains(reason), "{}: {explained}", scenario.name);
                }
            }
        }
    }
}

fn run(scenario: &Scenario, workers: &str, policy: &str) -> Output {
    let mut child = Command::new(std::env::current_exe().unwrap());
    child
        .env(SCENARIO, scenario.name)
        .env("GORUN_WORKER_THREADS", workers)
        .env("GORUN_DEADLOCK", policy)
        .env_remove("RUST_BACKTRACE")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let child = child.spawn().unwrap();
    let id = child.id();
    // If it waits for ever.
    let (ended, has_ended) = mpsc::channel::<()>();
    let watchdog = thread::spawn(move || {
        if has_ended.recv_timeout(LIMIT) == Err(mpsc::RecvTimeoutError::Timeout) {
            Command::new("kill").args(["-9", &id.to_string()]).status().unwrap();
        }
    });
    let output = child.wait_with_output().unwrap();
    drop(ended);
    watchdog.join().unwrap();
    output
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}
