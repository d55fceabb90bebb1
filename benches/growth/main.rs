//! Counts the instructions of operations beside others that wait, few of them and many, under callgrind: what
//! one costs must not grow with them.
//!
//! `cargo bench --bench growth`

#[path = "../instructions/callgrind.rs"]
mod callgrind;
mod operations;

use std::process::ExitCode;

use callgrind::{in_two_halves, total};
use operations::{GROWTHS, Growth};

/// Beside how many.
const OTHERS: [usize; 3] = [100, 10_000, 100_000];

/// How often an operation is done to be counted.
const TIMES: usize = 5_000;

/// How many times as much as beside the fewest it may cost.
const LIMIT: f64 = 1.5;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match arguments[..] {
        ["--one", name, times, others] => {
            let growth = GROWTHS.iter().find(|growth| growth.name == name);
            let (others, times) = (others.parse().unwrap(), times.parse().unwrap());
            (growth.expect("an operation's name").run)(others, times);
            Ok(())
        }
        [] => grow(),
        _ => Err("usage: cargo bench --bench growth".to_owned()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
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

fn instructions_beside(others: usize, name: &str) -> Result<f64, String> {
    let between = ["--zero-before=*operations::begin*", "--dump-before=*operations::end*"];
    Ok(total(name, &[TIMES, others], &between)? as f64 / TIMES as f64)
}
