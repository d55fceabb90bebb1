//! The command line.

use std::path::PathBuf;

use crate::catalogue::{PEERS, Peer, WORKLOADS, Workload};

const HELP: &str = "\
cargo bench -- [OPTIONS] [NAME ..]

  NAME            only these workloads (see below)
  --quick         smaller sizes, three rounds: under a minute
  --check         tiny sizes, one round: do all of them give the right result?
  --workers N     worker threads of every runtime (default: usable cores)
  --rounds N      rounds (default: 7)
  --only PEERS    only these runtimes, with commas: gorun,Go,tokio,async-executor,OS threads
  --output DIR    where benchmarks.json and benchmarks.svg go (default: the target directory)

Go's column needs a `go` command, on the PATH or named by GO=/path/to/go.

Workloads:
";

enum Size {
    Full,
    Quick,
    Tiny,
}

pub(crate) struct Options {
    pub(crate) workers: usize,
    pub(crate) rounds: usize,
    pub(crate) check: bool,
    pub(crate) output: PathBuf,
    pub(crate) workloads: Vec<&'static Workload>,
    pub(crate) peers: Vec<Peer>,
    size: Size,
}

impl Options {
    pub(crate) fn parse(arguments: Vec<String>) -> Result<Self, String> {
        let mut options = Options {
            workers: std::thread::available_parallelism().map_or(1, usize::from),
            rounds: 7,
            check: false,
            output: PathBuf::from(env!("CARGO_TARGET_TMPDIR")),
            workloads: Vec::new(),
            peers: PEERS.to_vec(),
            size: Size::Full,
        };
        let mut arguments = arguments.into_iter();
        while let Some(argument) = arguments.next() {
            let mut value =
                || arguments.next().ok_or_else(|| format!("{argument} needs a value; see --help"));
            match argument.as_str() {
                // Cargo says so.
                "--bench" => {}
                "--quick" => (options.size, options.rounds) = (Size::Quick, 3),
                "--check" => {
                    options.check = true;
                    (options.size, options.rounds) = (Size::Tiny, 1);
                }
                "--workers" => options.workers = number(&argument, &value()?)?,
                "--rounds" => options.rounds = number(&argument, &value()?)?,
                "--output" => options.output = value()?.into(),
                "--only" => options.peers = peers(&value()?)?,
                "--help" | "-h" => return Err(help()),
                name => {
                    let of_that_name = WORKLOADS.iter().filter(|workload| workload.name == name);
                    let before = options.workloads.len();
                    options.workloads.extend(of_that_name);
                    if options.workloads.len() == before {
                        return Err(format!("there is no option or workload {name:?}; see --help"));
                    }
                }
            }
        }
        if options.workloads.is_empty() {
            options.workloads = WORKLOADS.iter().collect();
        }
        Ok(options)
    }

    pub(crate) fn size(&self, workload: &Workload) -> usize {
        match self.size {
            Size::Full => workload.full,
            Size::Quick => workload.quick,
            Size::Tiny => workload.tiny,
        }
    }
}

fn number(option: &str, value: &str) -> Result<usize, String> {
    match value.parse() {
        Ok(number) if number > 0 => Ok(number),
        _ => Err(format!("{option} {value}: it takes a number from 1 on")),
    }
}

fn peers(names: &str) -> Result<Vec<Peer>, String> {
    let named = |name| Peer::named(name).ok_or_else(|| format!("there is no runtime {name:?}"));
    names.split(',').map(named).collect()
}

fn help() -> String {
    let lines = WORKLOADS.iter().map(|workload| {
        format!("  {:<15} {} [{}]\n", workload.name, workload.about, workload.unit)
    });
    lines.fold(HELP.to_owned(), |help, line| help + &line)
}
