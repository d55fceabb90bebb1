//! Runs the workloads of `scale` at each of their sizes, and says how their costs grow.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::process::{Command, ExitCode};

use crate::child;
use crate::options::Options;
use crate::report::{Summary, grouped};
use crate::scale::{self, Growing};

/// In a process started by `measure`.
pub(crate) fn run_one(of: &[String]) -> ExitCode {
    let [workload, workers, size] = of else { return ExitCode::FAILURE };
    let growing = scale::growing(workload).expect("a workload's name");
    for figure in (growing.run)(workers.parse().unwrap(), size.parse().unwrap()) {
        println!("{figure}");
    }
    ExitCode::SUCCESS
}

/// A table for each workload.
pub(crate) fn tables(options: &Options) -> Result<String, String> {
    let mut text = String::new();
    for growing in &options.growing {
        text += &table(options, growing)?;
    }
    Ok(text)
}

fn table(options: &Options, growing: &Growing) -> Result<String, String> {
    let (workers, rounds) = (options.growing_workers(), options.growing_rounds());
    let sizes = options.sizes(growing);
    // For each size, the figures of each round.
    let mut figures: BTreeMap<usize, Vec<Vec<f64>>> = BTreeMap::new();
    for round in 1..=rounds {
        for &size in sizes {
            eprint!("\r\x1b[K{} of {size}, round {round} of {rounds}", growing.name);
            figures.entry(size).or_default().push(measure(growing, workers, size)?);
        }
    }
    eprint!("\r\x1b[K");

    let mut text = format!("\n{} ({workers} workers): {}.\n\n", growing.name, growing.about);
    let (first, last) = (sizes[0], sizes[sizes.len() - 1]);
    let sizes: Vec<_> = sizes.iter().map(|&size| grouped(size as f64, 0)).collect();
    let _ = writeln!(text, "| for each | {} | largest : first |", sizes.join(" | "));
    let _ = writeln!(text, "| --- |{}", " --- |".repeat(sizes.len() + 1));
    for (index, measure) in growing.measures.iter().enumerate() {
        let of_size = |size| figures[&size].iter().map(move |round: &Vec<f64>| round[index]);
        let medians = figures.keys().map(|&size| grouped(Summary::of(of_size(size)).median, 0));
        let cells = medians.collect::<Vec<_>>().join(" | ");
        let ratios = of_size(last).zip(of_size(first)).map(|(last, first)| last / first);
        let ratio = Summary::of(ratios).median;
        let _ = writeln!(text, "| {measure} | {cells} | {ratio:.2} |");
    }
    Ok(text)
}

fn measure(growing: &Growing, workers: usize, size: usize) -> Result<Vec<f64>, String> {
    let mut command = Command::new(std::env::current_exe().expect("this program's path"));
    let command = command.args(["--scale", growing.name, &workers.to_string(), &size.to_string()]);
    let expected = growing.measures.len();
    child::figures(command, &format!("{} of {size}", growing.name), expected..=expected)
}
