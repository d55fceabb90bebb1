//! Tests in a process of their own: the test binary runs itself again.

use std::env;
use std::process::{Child, Command, Output, Stdio};

const CHILD: &str = "GORUN_TEST_CHILD";
const SCENARIO: &str = "GORUN_TEST_SCENARIO";
const WORKERS_OF_CHILD: &str = "GORUN_TEST_WORKERS";

pub(crate) fn is_child() -> bool {
    env::var_os(CHILD).is_some()
}

/// Runs the named test of this binary in a process of its own, where `is_child` says true. `shell`
/// goes before it in the shell that starts it.
pub(crate) fn child(test: &str, variables: &[(&str, &str)], shell: &str) -> Output {
    let exe = env::current_exe().unwrap();
    Command::new("sh")
        .arg("-c")
        .arg(format!("{shell}\nexec \"$0\" --exact \"$1\" --nocapture --test-threads=1"))
        .arg(exe)
        .arg(test)
        .env_remove("GORUN_WORKER_THREADS")
        .env_remove("RUST_BACKTRACE")
        .env(CHILD, "1")
        .envs(variables.iter().copied())
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Passes if the child did.
#[track_caller]
pub(crate) fn child_passes(test: &str, variables: &[(&str, &str)], shell: &str) {
    let output = child(test, variables, shell);
    assert!(
        output.status.success(),
        "{test} in a process of its own: {}\n{}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        stderr(&output),
    );
}

/// Runs the named test in processes of its own at the same time, one for each of `counts`. There,
/// `workers_of_child` says which.
#[track_caller]
pub(crate) fn children_pass(test: &str, counts: &[usize], variables: &[(&str, &str)]) {
    std::thread::scope(|scope| {
        for workers in counts {
            scope.spawn(move || {
                let workers = workers.to_string();
                child_passes(test, &[variables, &[(WORKERS_OF_CHILD, &workers)]].concat(), "");
            });
        }
    });
}

pub(crate) fn workers_of_child() -> Option<usize> {
    env::var(WORKERS_OF_CHILD).ok().map(|workers| workers.parse().unwrap())
}

/// Starts this test binary again with nothing but its test `entry`, which finds `scenario`.
pub(crate) fn start_child(entry: &str, scenario: &str, workers: Option<usize>) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", entry, "--nocapture", "--test-threads=1"]);
    command.env(SCENARIO, scenario);
    command.env_remove("GORUN_WORKER_THREADS").env_remove("GORUN_SEED");
    if let Some(workers) = workers {
        command.env("GORUN_WORKER_THREADS", workers.to_string());
    }
    command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap()
}

/// What the parent process asks for; `None` if there is no parent.
pub(crate) fn scenario() -> Option<String> {
    std::env::var(SCENARIO).ok()
}
