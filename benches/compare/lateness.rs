//! Runs the workloads of `fairness`, and shows how late they were beside the fair turn.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::Duration;

use crate::child;
use crate::fairness::{self, Fairness, Load};
use crate::go::Go;
use crate::options::Options;
use crate::peer::{PEERS, Peer};
use crate::report::{grouped, machine};

const LEGEND: &str = "\
Lateness in ms: 50th, 90th, 99th percentile of all rounds together. A ! marks what is more than allowed:
the 90th 1.5 fair turns + 2 ms, the 99th 3 fair turns + 5 ms, gorun's median 1 ms more than tokio's. A
number in brackets is how many samples there are, where a peer was too late to take all of them in time.";

/// In a process started by `measure`.
pub(crate) fn run_one(of: &[String]) -> ExitCode {
    let [peer, name, numbers @ ..] = of else { return ExitCode::FAILURE };
    let numbers: Vec<usize> = numbers.iter().map(|number| number.parse().unwrap()).collect();
    let [workers, samples, hogs, step] = numbers[..] else { return ExitCode::FAILURE };
    let peer = Peer::named(peer).expect("a peer's name");
    let fairness = fairness::fairness(name).expect("a workload's name");
    let step = Duration::from_millis(step as u64);
    for late in fairness.run(peer, Load { workers, samples, hogs, step }) {
        println!("{}", milliseconds(late));
    }
    ExitCode::SUCCESS
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

/// Prints line by line as the figures come: all of them take hours.
pub(crate) fn print_table(options: &Options, go: Result<&Go, &String>) -> Result<(), String> {
    println!("{}; Go: {}\n", machine(), go.map_or_else(|why| why, |go| &go.version));
    for Fairness { name, about, .. } in &options.fairness {
        println!("{name}: {about}.");
    }
    let runs = |fairness: &Fairness, peer| {
        let has_program = peer != Peer::Go || go.is_ok();
        has_program && options.peers.contains(&peer) && fairness.runs_on(peer)
    };
    let shown = |&peer: &Peer| options.fairness.iter().any(|fairness| runs(fairness, peer));
    let shown: Vec<_> = PEERS.into_iter().filter(shown).collect();
    let names = shown.iter().map(|peer| peer.name()).collect::<Vec<_>>().join(" | ");
    println!("\n| workload | workers | others | step | fair turn | {names} |");
    println!("| --- | --- | --- | --- | --- |{}", " --- |".repeat(shown.len()));
    // Of gorun: rows with a mark, and all rows that could have one.
    let (mut marked, mut rows) = (0, 0);
    for fairness in &options.fairness {
        let peers: Vec<_> = shown.iter().copied().filter(|&peer| runs(fairness, peer)).collect();
        for load in options.loads(fairness) {
            let lateness = measure_all(options, fairness, load, &peers, go.ok())?;
            let cells = shown.iter().map(|&peer| cell(peer, &lateness, load, options));
            let cells = cells.collect::<Vec<_>>().join(" | ");
            let turn = load.fair_turn();
            rows += usize::from(turn.is_some());
            marked += usize::from(cell(Peer::Gorun, &lateness, load, options).contains('!'));
            let step = turn.map_or("endless".into(), |_| format!("{:?}", load.step));
            let turn = turn.map_or(String::new(), |turn| format!("{turn:?}"));
            let Load { workers, hogs, .. } = load;
            println!("| {} | {workers} | {hogs} | {step} | {turn} | {cells} |", fairness.name);
        }
    }
    println!("\n{LEGEND}");
    if shown.contains(&Peer::Gorun) && rows > 0 {
        println!("gorun has a mark in {marked} of the {rows} rows that have a fair turn.");
    }
    Ok(())
}

/// What each peer's rounds together came to, sorted.
type Lateness = BTreeMap<Peer, Vec<f64>>;

fn measure_all(
    options: &Options,
    fairness: &Fairness,
    load: Load,
    peers: &[Peer],
    go: Option<&Go>,
) -> Result<Lateness, String> {
    let rounds = options.fairness_rounds();
    let mut lateness = Lateness::new();
    for round in 1..=rounds {
        for &peer in peers {
            let of = format!("{} on {}", fairness.name, peer.name());
            eprint!("\r\x1b[K{of}, {load:?}, round {round} of {rounds}");
            lateness.entry(peer).or_default().extend(measure(peer, fairness, load, go, &of)?);
        }
    }
    eprint!("\r\x1b[K");
    lateness.values_mut().for_each(|all| all.sort_by(f64::total_cmp));
    Ok(lateness)
}

fn measure(
    peer: Peer,
    fairness: &Fairness,
    load: Load,
    go: Option<&Go>,
    of: &str,
) -> Result<Vec<f64>, String> {
    let Load { workers, samples, hogs, step } = load;
    let numbers = [workers, samples, hogs, step.as_millis() as usize];
    let mut command = child::program_of(peer, go, "--fairness");
    let command = command.arg(fairness.name).args(numbers.map(|number| number.to_string()));
    child::figures(command, of, 1..=samples)
}

fn percentile(sorted: &[f64], percent: usize) -> f64 {
    sorted[sorted.len() * percent / 100]
}

fn cell(peer: Peer, lateness: &Lateness, load: Load, options: &Options) -> String {
    let Some(own) = lateness.get(&peer) else { return String::new() };
    let figure = |percent, allowed: Option<f64>| {
        let late = percentile(own, percent);
        let mark = if allowed.is_some_and(|allowed| late > allowed) { "!" } else { "" };
        format!("{}{mark}", grouped(late, if late < 10.0 { 1 } else { 0 }))
    };
    let turn = load.fair_turn().map(milliseconds);
    let tokio = lateness.get(&Peer::Tokio).filter(|_| peer == Peer::Gorun);
    let mut cell = [
        figure(50, tokio.map(|tokio| percentile(tokio, 50) + 1.0)),
        figure(90, turn.map(|turn| 1.5 * turn + 2.0)),
        figure(99, turn.map(|turn| 3.0 * turn + 5.0)),
    ]
    .join(", ");
    if own.len() < load.samples * options.fairness_rounds() {
        cell += &format!(" ({})", own.len());
    }
    cell
}
