//! What gorun costs, beside what a user would pick instead. `cargo bench -- --help`.
//!
//! Each figure comes from a process of its own, which runs one workload for one peer once and
//! times it from inside. The processes take turns (gorun, Go, tokio, …, gorun, Go, tokio, …), so that a
//! machine that becomes slower does so for all; ratios are taken within a round.

mod blocking;
mod catalogue;
mod channel;
mod channels;
mod chart;
mod child;
mod fairness;
mod floor;
mod go;
mod growth;
mod lateness;
mod locks;
mod measured;
mod memory;
mod options;
mod peer;
mod report;
mod runtime;
mod scale;
mod select;
mod signals;
mod sleeps;
mod threads;
mod workload;
mod workloads;

use std::cell::LazyCell;
use std::collections::BTreeMap;
use std::process::ExitCode;

use go::Go;
use measured::Measured;
use options::Options;
use peer::{PEERS, Peer};
use report::{CoreTime, Report, Row};
use workload::Workload;

#[cfg(feature = "jemalloc")]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

#[cfg(all(feature = "mimalloc", not(feature = "jemalloc")))]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.split_first().map(|(first, rest)| (first.as_str(), rest)) {
        Some(("--one", of)) => return run_one(of),
        Some(("--scale", of)) => return growth::run_one(of),
        Some(("--fairness", of)) => return lateness::run_one(of),
        _ => {}
    }
    match Options::parse(arguments).and_then(|options| run(&options)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}

/// In a process started by `measure`.
fn run_one(of: &[String]) -> ExitCode {
    let [peer, workload, workers, size] = of else { return ExitCode::FAILURE };
    let peer = Peer::named(peer).expect("a peer's name");
    let workload = catalogue::workload(workload).expect("a workload's name");
    let measured = workload.run(peer, workers.parse().unwrap(), size.parse().unwrap());
    println!("{}", measured.value);
    if let Some(second) = measured.second {
        println!("{second}");
    }
    ExitCode::SUCCESS
}

fn run(options: &Options) -> Result<(), String> {
    let go = LazyCell::new(go::build);
    if !options.workloads.is_empty() {
        compare(options, go.as_ref())?;
    }
    if !options.growing.is_empty() {
        println!("{}\n{}", report::machine(), growth::tables(options)?);
    }
    if !options.fairness.is_empty() {
        lateness::print_table(options, go.as_ref())?;
    }
    Ok(())
}

fn compare(options: &Options, go: Result<&Go, &String>) -> Result<(), String> {
    let before = CoreTime::so_far();
    let rows = options
        .workloads
        .iter()
        .map(|workload| measure_all(options, workload, go.ok()))
        .collect::<Result<Vec<_>, _>>()?;
    let report = Report {
        title: report::title(&rows, go.ok().map(|go| go.version.as_str())),
        missing_go: go.err().cloned(),
        stolen: before.as_ref().and_then(CoreTime::stolen_since),
        rows,
    };
    eprint!("\r\x1b[K");
    print!("{}", report.table());
    if options.check {
        return Ok(());
    }
    let json = options.output.join("benchmarks.json");
    let svg = options.output.join("benchmarks.svg");
    std::fs::write(&json, report.json()).map_err(|error| format!("{json:?}: {error}"))?;
    chart::draw(&report, &svg).map_err(|error| format!("{svg:?}: {error}"))?;
    println!("\n{}\n{}", json.display(), svg.display());
    Ok(())
}

fn measure_all(
    options: &Options,
    workload: &'static Workload,
    go: Option<&Go>,
) -> Result<Row, String> {
    let (workers, size) = (options.workers(workload), options.size(workload));
    let number_of_rounds = options.rounds(workload);
    let peers = PEERS.into_iter().filter(|&peer| {
        options.peers.contains(&peer)
            && workload.runs_on(peer)
            && (peer != Peer::Go || go.is_some())
    });
    let mut rounds: BTreeMap<Peer, Vec<Measured>> = peers.map(|peer| (peer, Vec::new())).collect();
    for round in 0..number_of_rounds {
        for (peer, measured) in &mut rounds {
            eprint!(
                "\r\x1b[K{} on {}, round {} of {}",
                workload.name,
                peer.name(),
                round + 1,
                number_of_rounds
            );
            measured.push(measure(*peer, workload, workers, size, go)?);
        }
    }
    Ok(Row { workload, workers, size, rounds })
}

fn measure(
    peer: Peer,
    workload: &Workload,
    workers: usize,
    size: usize,
    go: Option<&Go>,
) -> Result<Measured, String> {
    let mut command = child::program_of(peer, go, "--one");
    let command = command.args([workload.name, &workers.to_string(), &size.to_string()]);
    let figures = child::figures(command, &format!("{} on {}", workload.name, peer.name()), 1..)?;
    Ok(Measured { value: figures[0], second: figures.get(1).copied() })
}
