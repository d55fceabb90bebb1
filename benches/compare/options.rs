//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use crate::catalogue::WORKLOADS;
use crate::fairness::{FAIRNESS, Fairness, Load};
use crate::peer::{PEERS, Peer};
use crate::scale::{GROWING, Growing};
use crate::workload::Workload;

const HELP: &str = "\
cargo bench -- [OPTIONS] [NAME ..]

  NAME            only these workloads, or groups of them (see below)
  --quick         smaller sizes, three rounds: under a minute
  --check         tiny sizes, one round: do all of them give the right result?
  --workers N     worker threads of every runtime (default: usable cores; of blocking: 2)
  --rounds N      rounds (default: 7; of blocking and scale: 3; of fairness: 5)
  --hogs N, --step MS, --samples N
                  of fairness: how many compute, how long at a time, and how often it is measured
                  in all; with --workers, they take the place of the list that is shown
  --only PEERS    only these, with commas: gorun,Go,tokio,async-executor,OS threads; channels
                  without a runtime: flume,kanal,async-channel,crossfire
  --floor         also a bound for one thread: `async-task` and a queue, and nothing else
  --output DIR    where benchmarks.json and benchmarks.svg go (default: the target directory)

Go's column needs a `go` command, on the PATH or named by GO=/path/to/go.
GORUN_BENCH_NO_SPARES=1 leaves gorun no more threads than it has workers.

Workloads:
";

/// The group of the workloads that grow.
const SCALE: &str = "scale";

/// The group of the workloads that measure lateness beside hogs.
const FAIR: &str = "fairness";

enum Size {
    Full,
    Quick,
    Tiny,
}

pub(crate) struct Options {
    pub(crate) check: bool,
    pub(crate) output: PathBuf,
    pub(crate) workloads: Vec<&'static Workload>,
    pub(crate) growing: Vec<&'static Growing>,
    pub(crate) fairness: Vec<&'static Fairness>,
    pub(crate) peers: Vec<Peer>,
    size: Size,
    workers: Option<usize>,
    rounds: Option<usize>,
    hogs: Option<usize>,
    step: Option<usize>,
    samples: Option<usize>,
}

impl Options {
    pub(crate) fn parse(arguments: Vec<String>) -> Result<Self, String> {
        let mut options = Options {
            check: false,
            output: PathBuf::from(env!("CARGO_TARGET_TMPDIR")),
            workloads: Vec::new(),
            growing: Vec::new(),
            fairness: Vec::new(),
            peers: PEERS.into_iter().filter(|&peer| peer != Peer::Floor).collect(),
            size: Size::Full,
            workers: None,
            rounds: None,
            hogs: None,
            step: None,
            samples: None,
        };
        let mut with_floor = false;
        let mut arguments = arguments.into_iter();
        while let Some(argument) = arguments.next() {
            let mut value =
                || arguments.next().ok_or_else(|| format!("{argument} needs a value; see --help"));
            match argument.as_str() {
                // Cargo says so.
                "--bench" => {}
                "--quick" => options.size = Size::Quick,
                "--check" => (options.check, options.size) = (true, Size::Tiny),
                "--workers" => options.workers = Some(number(&argument, &value()?)?),
                "--rounds" => options.rounds = Some(number(&argument, &value()?)?),
                "--hogs" => options.hogs = Some(number(&argument, &value()?)?),
                "--step" => options.step = Some(number(&argument, &value()?)?),
                "--samples" => options.samples = Some(number(&argument, &value()?)?),
                "--output" => options.output = value()?.into(),
                "--only" => options.peers = peers(&value()?)?,
                "--floor" => with_floor = true,
                "--help" | "-h" => return Err(help()),
                name => {
                    let of_that_name = WORKLOADS
                        .iter()
                        .filter(|workload| workload.name == name || workload.is_in(name));
                    let growing =
                        GROWING.iter().filter(|growing| growing.name == name || name == SCALE);
                    let fairness =
                        FAIRNESS.iter().filter(|fairness| fairness.name == name || name == FAIR);
                    let before = options.number_of_names();
                    options.workloads.extend(of_that_name);
                    options.growing.extend(growing);
                    options.fairness.extend(fairness);
                    if options.number_of_names() == before {
                        return Err(format!("there is no option or workload {name:?}; see --help"));
                    }
                }
            }
        }
        if with_floor && !options.peers.contains(&Peer::Floor) {
            options.peers.push(Peer::Floor);
        }
        if options.number_of_names() == 0 {
            let all = WORKLOADS.iter();
            options.workloads =
                all.filter(|workload| options.check || workload.group.is_none()).collect();
            options.growing = GROWING.iter().filter(|_| options.check).collect();
            options.fairness = FAIRNESS.iter().filter(|_| options.check).collect();
        }
        Ok(options)
    }

    /// How many workloads there are, of any kind.
    fn number_of_names(&self) -> usize {
        self.workloads.len() + self.growing.len() + self.fairness.len()
    }

    pub(crate) fn workers(&self, workload: &Workload) -> usize {
        self.workers.or(workload.default_workers()).unwrap_or_else(cores)
    }

    pub(crate) fn growing_workers(&self) -> usize {
        self.workers.unwrap_or_else(cores)
    }

    pub(crate) fn rounds(&self, workload: &Workload) -> usize {
        self.rounds.unwrap_or(match self.size {
            Size::Full => workload.default_rounds(),
            Size::Quick => 3,
            Size::Tiny => 1,
        })
    }

    pub(crate) fn growing_rounds(&self) -> usize {
        self.rounds.unwrap_or(if self.check { 1 } else { 3 })
    }

    pub(crate) fn sizes(&self, growing: &Growing) -> &'static [usize] {
        if self.check { growing.tiny } else { growing.sizes }
    }

    pub(crate) fn fairness_rounds(&self) -> usize {
        self.rounds.unwrap_or(match self.size {
            Size::Full => 5,
            Size::Quick => 2,
            Size::Tiny => 1,
        })
    }

    /// Each load's samples are those of one round.
    pub(crate) fn loads(&self, fairness: &Fairness) -> Vec<Load> {
        let grid = match self.size {
            Size::Full => fairness.full,
            Size::Quick => fairness.quick,
            Size::Tiny => fairness.tiny,
        };
        let of = |option: Option<usize>, list: &[usize]| option.map_or(list.to_vec(), |n| vec![n]);
        // Those that never give way have no step.
        let step = self.step.filter(|_| grid.steps != [0]);
        let samples = self.samples.unwrap_or(grid.samples).div_ceil(self.fairness_rounds());
        let mut loads = Vec::new();
        for workers in of(self.workers, grid.workers) {
            for hogs in of(self.hogs, grid.hogs) {
                for step in of(step, grid.steps) {
                    let step = Duration::from_millis(step as u64);
                    loads.push(Load { workers, samples, hogs, step });
                }
            }
        }
        loads
    }

    pub(crate) fn size(&self, workload: &Workload) -> usize {
        match self.size {
            Size::Full => workload.full,
            Size::Quick => workload.quick,
            Size::Tiny => workload.tiny,
        }
    }
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

fn number(option: &str, value: &str) -> Result<usize, String> {
    match value.parse() {
        Ok(number) if number > 0 => Ok(number),
        _ => Err(format!("{option} {value}: it takes a number from 1 on")),
    }
}

fn peers(names: &str) -> Result<Vec<Peer>, String> {
    let named = |name| Peer::named(name).ok_or_else(|| format!("there is no peer {name:?}"));
    names.split(',').map(named).collect()
}

fn help() -> String {
    let mut help = HELP.to_owned();
    let mut group = "";
    for workload in WORKLOADS {
        if let Some(own) = workload.group.filter(|own| own.name != group) {
            group = own.name;
            help += &format!("\nThe group {group:?}, {}, runs only if named:\n", own.about);
        }
        let width = if workload.is_in("blocking") { 21 } else { 15 };
        help += &format!("  {:<width$} {} [{}]\n", workload.name, workload.about, workload.unit);
    }
    help += &format!("\nThe group {SCALE:?}, of gorun alone, runs only if named:\n");
    for growing in &GROWING {
        help += &format!("  {:<15} {}\n", growing.name, growing.about);
    }
    help += &format!(
        "\nThe group {FAIR:?}, how late one is while others hold the workers, runs only if named:\n"
    );
    for fairness in &FAIRNESS {
        help += &format!("  {:<20} {} [ms]\n", fairness.name, fairness.about);
    }
    help
}
