//! Counts the instructions of gorun's operations under callgrind, and compares them with those in
//! `benches/instructions.txt`: unlike times, they are the same on a machine that is busy.
//!
//! Besides, it counts those of operations beside a hundred, ten thousand and a hundred thousand others that
//! wait, which must not cost much more for that. Such figures are not recorded.
//!
//! `cargo bench --bench instructions`; with `-- --renew` it writes the file. With `-- --growth` it does
//! only the latter.

mod growth;
mod operations;

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::{fs, thread};

use growth::{GROWTHS, Growth, LIMIT, OTHERS, TIMES};
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
        ["--one", name, times, others] => {
            let growth = GROWTHS.iter().find(|growth| growth.name == name);
            let (others, times) = (others.parse().unwrap(), times.parse().unwrap());
            (growth.expect("an operation's name").run)(others, times);
            Ok(())
        }
        [] => {
            let counts = count().and_then(|counts| compare(&counts));
            let growth = grow();
            counts.and(growth)
        }
        ["--growth"] => grow(),
        ["--renew"] => count().and_then(|counts| renew(&counts)),
        _ => Err("usage: cargo bench --bench instructions [-- --renew|--growth]".to_owned()),
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
    Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/instructions.txt")
}

/// Instructions for each of the operations, in their order.
fn count() -> Result<Vec<f64>, String> {
    in_two_halves(&OPERATIONS, instructions)
}

/// Two at a time, for those who have two cores.
fn in_two_halves<T: Sync, R: Send>(
    all: &[T],
    count: impl Fn(&T) -> Result<R, String> + Sync,
) -> Result<Vec<R>, String> {
    let (left, right) = all.split_at(all.len() / 2);
    let count = |some: &[T]| some.iter().map(&count).collect::<Result<Vec<_>, _>>();
    let (left, right) = thread::scope(|scope| {
        let right = scope.spawn(|| count(right));
        (count(left), right.join().unwrap())
    });
    let mut left = left?;
    left.extend(right?);
    Ok(left)
}

fn grow() -> Result<(), String> {
    let figures = in_two_halves(&GROWTHS, |Growth { name, .. }| {
        OTHERS
            .iter()
            .map(|&others| instructions_beside(others, name))
            .collect::<Result<Vec<_>, _>>()
    })?;
    println!("beside so many others that wait:{:>12}{:>14}{:>17}", OTHERS[0], OTHERS[1], OTHERS[2]);
    let mut wrong = Vec::new();
    for (Growth { name, about, .. }, figures) in GROWTHS.iter().zip(figures) {
        let times = |others: usize| figures[others] / figures[0];
        println!(
            "{name:<12} {:>31.0} {:>7.0} ({:.2}) {:>8.0} ({:.2})  {about}",
            figures[0],
            figures[1],
            times(1),
            figures[2],
            times(2),
        );
        if (1..OTHERS.len()).any(|others| times(others) > LIMIT) {
            wrong.push(*name);
        }
    }
    if wrong.is_empty() {
        return Ok(());
    }
    Err(format!("More than {LIMIT} times as many beside many others: {}", wrong.join(", ")))
}

/// The difference between many and twice as many, so that beginning and end do not count.
fn instructions(operation: &Operation) -> Result<f64, String> {
    let of = |times: usize| total(operation.name, &[times], &[]);
    let (many, twice) = (of(operation.times)?, of(2 * operation.times)?);
    Ok((twice as f64 - many as f64) / operation.times as f64)
}

fn instructions_beside(others: usize, name: &str) -> Result<f64, String> {
    let between = ["--zero-before=*growth::begin*", "--dump-before=*growth::end*"];
    Ok(total(name, &[TIMES, others], &between)? as f64 / TIMES as f64)
}

/// Of the thread that is busiest: the others only wait for it, some of them by the clock. With options that
/// make valgrind write earlier than at the end, what it has counted by then.
fn total(name: &str, arguments: &[usize], options: &[&str]) -> Result<u64, String> {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("instructions-{name}"));
    let failed = |why: String| format!("{name} under valgrind: {why}");
    let _ = fs::remove_dir_all(&directory);
    fs::create_dir_all(&directory).map_err(|error| failed(error.to_string()))?;
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--separate-threads=yes"])
        .args(options)
        .arg(format!("--callgrind-out-file={}/of", directory.display()))
        .arg(std::env::current_exe().expect("this program's path"))
        .args(["--one", name])
        .args(arguments.iter().map(usize::to_string))
        .output()
        .map_err(|error| failed(error.to_string()))?;
    if !output.status.success() {
        return Err(failed(format!(
            "{}\n{}",
            output.status,
            String::from_utf8_lossy(&output.stderr)
        )));
    }
    let files = fs::read_dir(&directory).map_err(|error| failed(error.to_string()))?;
    let is_early = !options.is_empty();
    let of_thread = |file: fs::DirEntry| -> Option<u64> {
        let text = fs::read_to_string(file.path()).ok()?;
        if is_early && !text.contains("Trigger: --dump-before") {
            return None;
        }
        let total = text.lines().rev().find_map(|line| line.strip_prefix("totals: "))?;
        total.trim().parse().ok()
    };
    files
        .filter_map(|file| of_thread(file.ok()?))
        .max()
        .ok_or_else(|| failed("no totals in what it wrote".to_owned()))
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
