//! Medians and ratios, as a table and as JSON.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use serde_json::json;

use crate::catalogue::SCHEDULER_ALONE;
use crate::measured::Measured;
use crate::peer::{PEERS, Peer};
use crate::workload::{SYNC, Workload};

pub(crate) struct Report {
    pub(crate) title: String,
    /// The part of the machine's time that its host gave to others meanwhile.
    pub(crate) stolen: Option<f64>,
    pub(crate) missing_go: Option<String>,
    pub(crate) rows: Vec<Row>,
}

pub(crate) struct Row {
    pub(crate) workload: &'static Workload,
    pub(crate) workers: usize,
    pub(crate) size: usize,
    /// What each peer's rounds came to, in their order.
    pub(crate) rounds: BTreeMap<Peer, Vec<Measured>>,
}

pub(crate) struct Summary {
    pub(crate) min: f64,
    pub(crate) median: f64,
    pub(crate) max: f64,
}

impl Summary {
    pub(crate) fn of(figures: impl Iterator<Item = f64>) -> Summary {
        let mut figures: Vec<f64> = figures.collect();
        figures.sort_by(f64::total_cmp);
        let middle = figures.len() / 2;
        let median = match figures.len() % 2 {
            1 => figures[middle],
            _ => (figures[middle - 1] + figures[middle]) / 2.0,
        };
        Summary { min: figures[0], median, max: figures[figures.len() - 1] }
    }
}

pub(crate) fn machine() -> String {
    let cpuinfo = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpuinfo.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    format!(
        "{} {}, {cores} usable cores",
        model.map_or(std::env::consts::ARCH, |(_, model)| model.trim()),
        std::env::consts::OS,
    )
}

/// What the cores have spent their time on since the machine started; Linux alone tells.
pub(crate) struct CoreTime {
    all: u64,
    stolen: u64,
}

impl CoreTime {
    pub(crate) fn so_far() -> Option<Self> {
        let stat = std::fs::read_to_string("/proc/stat").ok()?;
        let times = stat.lines().next()?.strip_prefix("cpu ")?;
        // user nice system idle iowait irq softirq steal; guest time is part of user time.
        let times: Vec<u64> = times
            .split_whitespace()
            .take(8)
            .map(|time| time.parse().ok())
            .collect::<Option<_>>()?;
        Some(CoreTime { all: times.iter().sum(), stolen: *times.get(7)? })
    }

    /// The part that was stolen since then.
    pub(crate) fn stolen_since(&self) -> Option<f64> {
        let now = Self::so_far()?;
        let all = now.all.saturating_sub(self.all).max(1);
        Some(now.stolen.saturating_sub(self.stolen) as f64 / all as f64)
    }
}

/// Machine, cores, versions.
pub(crate) fn title(rows: &[Row], go: Option<&str>) -> String {
    let workers: BTreeSet<_> = rows.iter().map(|row| row.workers).collect();
    let workers: Vec<_> = workers.iter().map(usize::to_string).collect();
    let versions = include_str!("../../Cargo.lock");
    let version = |name: &str| {
        let start = versions.find(&format!("name = \"{name}\"\n"))?;
        versions[start..].split('"').nth(3)
    };
    let versions: Vec<_> = peers(rows)
        .into_iter()
        .filter_map(|peer| Some(format!("{} {}", peer.name(), version(peer.name())?)))
        .collect();
    format!(
        "{}, {} workers; {}; {}",
        machine(),
        workers.join(" or "),
        versions.join(", "),
        go.unwrap_or("no Go"),
    )
}

/// Those of whom there are figures.
fn peers(rows: &[Row]) -> Vec<Peer> {
    let measured = |peer: &Peer| rows.iter().any(|row| row.rounds.contains_key(peer));
    PEERS.into_iter().filter(measured).collect()
}

impl Row {
    pub(crate) fn summary(&self, peer: Peer) -> Option<Summary> {
        let rounds = self.rounds.get(&peer)?;
        Some(Summary::of(rounds.iter().map(|measured| measured.value)))
    }

    fn second(&self, peer: Peer) -> Option<f64> {
        let seconds: Option<Vec<f64>> = self.rounds[&peer].iter().map(|m| m.second).collect();
        Some(Summary::of(seconds?.into_iter()).median)
    }

    /// How many times as good gorun is: the median of the rounds' ratios.
    pub(crate) fn ratio_to(&self, peer: Peer) -> Option<f64> {
        let (ours, theirs) = (self.rounds.get(&Peer::Gorun)?, self.rounds.get(&peer)?);
        let ratios =
            ours.iter().zip(theirs).map(|(ours, theirs)| match self.workload.more_is_better {
                true => ours.value / theirs.value,
                false => theirs.value / ours.value,
            });
        Some(Summary::of(ratios).median)
    }

    /// To all the others.
    fn ratios(&self) -> impl Iterator<Item = (Peer, f64)> {
        let others = self.rounds.keys().filter(|&&peer| peer != Peer::Gorun);
        others.filter_map(|&peer| Some((peer, self.ratio_to(peer)?)))
    }

    /// The ratio to the peer to which it is the smallest, threads and the floor not counted.
    pub(crate) fn ratio_to_best(&self) -> Option<(Peer, f64)> {
        let is_peer = |peer| !matches!(peer, Peer::Threads | Peer::Floor);
        let ratios = self.ratios().filter(|&(peer, _)| is_peer(peer));
        ratios.min_by(|a, b| a.1.total_cmp(&b.1))
    }
}

impl Report {
    pub(crate) fn peers(&self) -> Vec<Peer> {
        peers(&self.rows)
    }

    /// Of the ratios to the best peer of each workload of the scheduler alone.
    pub(crate) fn geometric_mean(&self) -> Option<f64> {
        self.mean_of(|workload| SCHEDULER_ALONE.contains(&workload.name))
    }

    fn mean_of(&self, is_in: impl Fn(&Workload) -> bool) -> Option<f64> {
        let rows = self.rows.iter().filter(|row| is_in(row.workload));
        let logarithms: Vec<f64> =
            rows.filter_map(|row| Some(row.ratio_to_best()?.1.ln())).collect();
        let mean = logarithms.iter().sum::<f64>() / logarithms.len() as f64;
        (!logarithms.is_empty()).then(|| mean.exp())
    }

    pub(crate) fn table(&self) -> String {
        let mut text = format!("{}\n\n", self.title);
        let mut line = |cells: &[String]| {
            let _ = writeln!(text, "| {} |", cells.join(" | "));
        };
        let peers = self.peers();
        let names = peers.iter().map(|peer| peer.name());
        let header = ["workload", "unit"].into_iter().chain(names);
        let header: Vec<_> = header.chain(["ratio to the best peer"]).map(str::to_owned).collect();
        line(&header);
        line(&vec!["---".to_owned(); header.len()]);
        for row in &self.rows {
            let mut cells = vec![row.workload.name.to_owned(), row.workload.unit.to_owned()];
            cells.extend(peers.iter().map(|&peer| row.cell(peer)));
            cells.push(
                row.ratio_to_best().map_or_else(String::new, |(best, ratio)| {
                    format!("{ratio:.2} ({})", best.name())
                }),
            );
            line(&cells);
        }
        if let Some(mean) = self.geometric_mean() {
            let names = SCHEDULER_ALONE.join(", ");
            let _ = writeln!(text, "\nGeometric mean of the ratios of {names}: {mean:.2}");
        }
        if let Some(mean) = self.mean_of(|workload| workload.is_in(SYNC.name)) {
            let _ = writeln!(text, "\nGeometric mean of the ratios of {}: {mean:.2}", SYNC.name);
        }
        let _ = writeln!(text, "Median (minimum–maximum) of the rounds.");
        if let Some(stolen) = self.stolen {
            let percent = 100.0 * stolen;
            let _ = writeln!(
                text,
                "The machine's host gave {percent:.1} % of its cores' time to others."
            );
        }
        for row in self.rows.iter().filter(|row| row.workload.group.is_some()) {
            let Row { workload: Workload { name, about, .. }, workers, size, .. } = row;
            let _ = writeln!(text, "{name} ({workers} workers, size {size}): {about}.");
            let ratios: Vec<_> =
                row.ratios().map(|(peer, ratio)| format!("{ratio:.2} ({})", peer.name())).collect();
            if !ratios.is_empty() {
                let _ = writeln!(text, "    Ratios: {}.", ratios.join(", "));
            }
        }
        if let Some(why) = &self.missing_go {
            let _ = writeln!(text, "No figures of Go: {why}");
        }
        text
    }

    pub(crate) fn json(&self) -> String {
        let rows: Vec<_> = self
            .rows
            .iter()
            .map(|row| {
                let peers: serde_json::Map<_, _> = row
                    .rounds
                    .iter()
                    .map(|(peer, rounds)| {
                        let values: Vec<_> = rounds.iter().map(|round| round.value).collect();
                        let seconds: Vec<_> = rounds.iter().filter_map(|m| m.second).collect();
                        let figures = json!({
                            "rounds": values,
                            "seconds": seconds,
                            "ratio": row.ratio_to(*peer),
                        });
                        (peer.name().to_owned(), figures)
                    })
                    .collect();
                json!({
                    "workload": row.workload.name,
                    "about": row.workload.about,
                    "unit": row.workload.unit,
                    "second": row.workload.second,
                    "workers": row.workers,
                    "size": row.size,
                    "peers": peers,
                })
            })
            .collect();
        let report = json!({
            "title": self.title,
            "geometric_mean": self.geometric_mean(),
            "workloads": rows,
        });
        format!("{report:#}\n")
    }
}

impl Row {
    fn cell(&self, peer: Peer) -> String {
        let Some(Summary { min, median, max }) = self.summary(peer) else {
            return String::new();
        };
        let digits = if median < 10.0 { 2 } else { 0 };
        let [median, min, max] = [median, min, max].map(|figure| grouped(figure, digits));
        let mut cell = format!("{median} ({min}–{max})");
        if let (Some(what), Some(second)) = (self.workload.second, self.second(peer)) {
            let _ = write!(cell, ", {what} {}", grouped(second, 0));
        }
        cell
    }
}

/// With a comma between thousands, if there are ten of them.
pub(crate) fn grouped(figure: f64, digits: usize) -> String {
    let mut text = format!("{figure:.digits$}");
    let mut end = text.find('.').unwrap_or(text.len());
    if end > 4 {
        while end > 3 {
            end -= 3;
            text.insert(end, ',');
        }
    }
    text
}
