//! Counts the instructions of gorun's operations under callgrind, and compares them with those in
//! `benches/instructions.txt`: unlike times, they are the same on a machine that is busy.
//!
//! `cargo bench --bench instructions`; with `-- --renew` it writes the file.
//!
//! Afterwards it runs `cargo bench --bench growth`. That is a program of its own, because the compiler
//! inlines differently in a larger one, and these counts with it.

mod callgrind;
mod operations;

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use callgrind::{in_two_halves, total};
use operations::{OPERATIONS, Operation};

const HEADER: &str = "\
# Instructions for each operation, and what they were counted with: they differ with the compiler, the
# C library and the processor. Written by `cargo bench --bench instructions -- --renew`.
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match arguments[..] {
        ["--one", name, times] => {
            let operation = OPERATIONS.iter().find(|operation| operation.name == name);
            (operation.expect("an operation's name").run)(times.parse().unwrap());
            Ok(())
        }
        [] => {
            let counts = count().and_then(|counts| compare(&counts));
            let growth = growth();
            counts.and(growth)
        }
        ["--renew"] => count().and_then(|counts| renew(&counts)),
        _ => Err("usage: cargo bench --bench instructions [-- --renew]".to_owned()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}

fn file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("instructions.txt")
}

/// Instructions for each of the operations, in their order.
fn count() -> Result<Vec<f64>, String> {
    in_two_halves(&OPERATIONS, instructions)
}

fn growth() -> Result<(), String> {
    let status = Command::new(env!("CARGO")).args(["bench", "--bench", "growth"]).status();
    match status {
        Ok(status) if status.success() => Ok(()),
        status => Err(format!("cargo bench --bench growth: {status:?}")),
    }
}

/// A worker that loses its core looks more often afterwards, as the monitor goes by the clock: on a busy machine
/// in a third of all runs of `yield`. In one of fifty of `ping-0` it takes a shorter way. So neither the least
/// nor the median is the same each time.
const RUNS: usize = 9;
const TAKEN: usize = RUNS / 3;

/// The difference between many and twice as many, so that beginning and end do not count; of each the
/// lower third of some runs.
fn instructions(operation: &Operation) -> Result<f64, String> {
    let of = |times: usize| {
        let runs = (0..RUNS).map(|_| total(operation.name, &[times], &[]));
        let mut runs = runs.collect::<Result<Vec<_>, _>>()?;
        Ok::<_, String>(*runs.select_nth_unstable(TAKEN - 1).1)
    };
    let (many, twice) = (of(operation.times)?, of(2 * operation.times)?);
    Ok((twice as f64 - many as f64) / operation.times as f64)
}

/// What the counts depend on, besides this crate and `Cargo.lock`.
fn tools() -> String {
    let line = |program: &str, argument: &str| {
        let output = Command::new(program).arg(argument).output().ok();
        let output = output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
        output.unwrap_or_else(|| format!("no {program}"))
    };
    let (rustc, library) = (line("rustc", "--version"), line("getconf", "GNU_LIBC_VERSION"));
    format!("{rustc}, {library}, {} {}", std::env::consts::ARCH, std::env::consts::OS)
}

fn renew(counts: &[f64]) -> Result<(), String> {
    let mut text = format!("{HEADER}{}\n", tools());
    for (operation, count) in OPERATIONS.iter().zip(counts) {
        let _ = writeln!(text, "{:<12} {count:>7.0}  {}", operation.name, operation.about);
    }
    print!("{text}");
    fs::write(file(), text).map_err(|error| format!("{:?}: {error}", file()))
}

fn compare(counts: &[f64]) -> Result<(), String> {
    let text = fs::read_to_string(file()).map_err(|error| format!("{:?}: {error}", file()))?;
    let mut lines = text.lines().filter(|line| !line.starts_with('#'));
    let (made_with, here) = (lines.next().unwrap_or_default().to_owned(), tools());
    let of_line = |line: &str| -> Option<(String, f64)> {
        let mut words = line.split_whitespace();
        Some((words.next()?.to_owned(), words.next()?.parse().ok()?))
    };
    let recorded: Vec<(String, f64)> = lines.filter_map(of_line).collect();

    let mut wrong = Vec::new();
    for (Operation { name, tolerance, .. }, &count) in OPERATIONS.iter().zip(counts) {
        let Some((_, before)) = recorded.iter().find(|(recorded, _)| recorded == name) else {
            println!("{name:<12} {count:>7.0}, not in the file");
            wrong.push(*name);
            continue;
        };
        let percent = (count / before - 1.0) * 100.0;
        println!("{name:<12} {count:>7.0}, recorded {before:>7.0}: {percent:+.1} %");
        if percent.abs() > *tolerance {
            wrong.push(name);
        }
    }
    if made_with != here {
        println!("NOT COMPARED: the file was made with {made_with}, and this is {here}.");
        return Ok(());
    }
    if wrong.is_empty() {
        return Ok(());
    }
    Err(format!(
        "Too far from benches/instructions.txt: {}. If that is meant to be:\n\
         cargo bench --bench instructions -- --renew",
        wrong.join(", ")
    ))
}
