//! The soak finds what it looks for: each fault that it can bring about ends it, with what is wrong.

mod common;

#[allow(dead_code)]
#[path = "soak/program.rs"]
mod soak;

use common::*;
use soak::options::{Options, PLANTS};

const ARGUMENTS: &str = "GORUN_SOAK";

/// Runs in a process of its own, where `GORUN_SOAK` has the arguments.
#[test]
fn soak() {
    if is_child() {
        let arguments = std::env::var(ARGUMENTS).unwrap();
        let options = Options::parse(arguments.split(' ').map(str::to_owned)).unwrap();
        soak::soak(&options);
    }
}

fn soaked(arguments: &str) -> (Option<i32>, String) {
    let output = child("soak", &[(ARGUMENTS, arguments)], "");
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), stderr(&output));
    (output.status.code(), text)
}

#[test]
fn a_program_without_a_fault_passes() {
    let _watchdog = watchdog();
    for workers in ["1", "2", "16"] {
        let (code, text) = soaked(&format!("--seconds 1 --seed 7 --workers {workers}"));
        assert_eq!(code, Some(0), "{text}");
        assert!(text.contains("no violation with seed 7"), "{text}");
    }
}

#[test]
fn each_planted_fault_is_found() {
    let _watchdog = watchdog();
    let found = |name: &str| match name {
        "hang" => (2, "waits for ever (Active"),
        "lost" => (1, "was lost: sent, dropped"),
        "twice" => (1, "received, and now received"),
        "leak" => (1, "it was never dropped"),
        "again" => (1, "it has begun twice"),
        "late" => (1, "after block_on has returned"),
        "join" => (1, "it gave what"),
        "order" => (1, "came after"),
        "bytes" => (1, "is another"),
        "memory" => (1, "the process has grown"),
        "thread" => (1, "threads are left"),
        "file" => (1, "files are left"),
        "runtime" => (1, "1 runtimes are left"),
        "panic" => (1, "a panic that was not planned"),
        _ => unreachable!("no test for {name}"),
    };
    // What only Linux tells about a process.
    let is_seen = |name| cfg!(target_os = "linux") || !["memory", "thread", "file"].contains(&name);
    for (name, _) in PLANTS.into_iter().filter(|(name, _)| is_seen(*name)) {
        let patience = if name == "hang" { 3 } else { 60 };
        let arguments = format!("--seconds 30 --seed 1 --patience {patience} --settling 3");
        let (code, text) = soaked(&format!("{arguments} --workers 2 --plant {name}"));
        let (expected, message) = found(name);
        assert!(code == Some(expected) && text.contains(message), "{name}: {code:?}\n{text}");
        assert!(text.contains("FAILED in seed 1, round "), "{name}: {text}");
    }
}
