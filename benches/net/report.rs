//! The rounds of a workload as text: a line for each server, and one for each that one on gorun is compared with.

use std::collections::BTreeMap;

use crate::measured::{Figure, Measured};
use crate::servers::{AXUM_ON_GORUN, AXUM_ON_TOKIO, FLOOR, NAMES, OURS};
use crate::workload::Workload;

/// The rounds of each server.
pub(crate) type Rounds = BTreeMap<&'static str, Vec<Measured>>;

pub(crate) const HEADER: &str = "\
workload   server      round trips/s   CPU µs  sys calls   p50 µs   p99 µs    bytes";

const COLUMNS: [(Figure, usize, usize); 6] = [
    (Figure::Rate, 13, 0),
    (Figure::Cpu, 8, 2),
    (Figure::Calls, 10, 2),
    (Figure::P50, 8, 0),
    (Figure::P99, 8, 0),
    (Figure::Bytes, 8, 0),
];

pub(crate) fn table(workload: &Workload, rounds: &Rounds) -> String {
    let servers = || NAMES.into_iter().filter(|name| rounds.contains_key(name));
    let rows = servers().map(|name| {
        let columns = COLUMNS.map(|(figure, width, decimals)| {
            let median =
                median(rounds[name].iter().filter_map(|round| round.get(&figure).copied()));
            match median {
                Some(median) => format!(" {median:>width$.decimals$}"),
                None => format!(" {:>width$}", ""),
            }
        });
        format!("{:<10} {name:<10}{}", workload.name, columns.concat()).trim_end().to_owned()
    });
    let pairs = servers().filter_map(|name| Some((counterpart(name)?, name)));
    let ratios = pairs.filter_map(|(ours, peer)| {
        let ratios: Vec<_> = ratios(rounds, ours, peer)
            .into_iter()
            .filter_map(|(name, ratio)| Some(format!("{name} {:.2}", ratio?)))
            .collect();
        (!ratios.is_empty()).then(|| format!("    {ours} : {peer:<6} {}", ratios.join(", ")))
    });
    rows.chain(ratios).map(|line| line + "\n").collect()
}

/// The server on gorun that this one is compared with.
fn counterpart(peer: &str) -> Option<&'static str> {
    match peer {
        FLOOR | OURS | AXUM_ON_GORUN => None,
        AXUM_ON_TOKIO => Some(AXUM_ON_GORUN),
        _ => Some(OURS),
    }
}

/// Each is the median of the ratios within the rounds.
fn ratios(rounds: &Rounds, ours: &str, peer: &str) -> [(&'static str, Option<f64>); 7] {
    let pair = |figure: Figure, less: &str| {
        let of = |name: &str| {
            let all = rounds.get(name)?.iter().map(|round| round.get(&figure).copied());
            Some(all.collect::<Vec<_>>())
        };
        let (ours, theirs) = (of(ours)?, of(peer)?);
        let base = if less.is_empty() { vec![Some(0.0); ours.len()] } else { of(less)? };
        let rounds = ours.into_iter().zip(theirs).zip(base);
        median(
            rounds.filter_map(|((ours, theirs), base)| Some((ours? - base?) / (theirs? - base?))),
        )
    };
    [
        ("CPU over the floor", pair(Figure::Cpu, FLOOR)),
        ("CPU", pair(Figure::Cpu, "")),
        ("system calls", pair(Figure::Calls, "")),
        ("rate", pair(Figure::Rate, "")),
        ("p50", pair(Figure::P50, "")),
        ("p99", pair(Figure::P99, "")),
        ("bytes", pair(Figure::Bytes, "")),
    ]
}

fn median(all: impl Iterator<Item = f64>) -> Option<f64> {
    let mut all: Vec<f64> = all.collect();
    all.sort_by(f64::total_cmp);
    all.get(all.len() / 2).copied()
}
