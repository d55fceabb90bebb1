//! The command line.

use std::time::Duration;

use crate::servers::NAMES;
use crate::workload::{Traffic, WORKLOADS, Workload};

const HELP: &str = "\
cargo bench --bench net -- [OPTIONS] [NAME ..]

  NAME            only these workloads, of the list below
  --quick         one short round of few connections: does everything work?
  --rounds N      rounds (default: 9)
  --seconds S     how long each server works in a round (default: 2)
  --connections N of the workloads that are named, instead of their own number
  --only SERVERS  only these, with commas: mio,gorun,tokio,smol,Go,axum/gorun,axum/tokio

axum's servers are for HTTP alone. The rows for HTTP need `--features hyper` before the `--`. Go's rows need a `go` command, on the PATH or named by GO=/path/to/go.

Workloads:
";

pub(crate) struct Options {
    pub(crate) workloads: Vec<Workload>,
    pub(crate) servers: Vec<&'static str>,
    pub(crate) rounds: usize,
    pub(crate) time: Duration,
}

impl Options {
    /// `Err` is what to print instead.
    pub(crate) fn parse(arguments: Vec<String>) -> Result<Options, String> {
        let (mut named, mut servers) = (Vec::new(), NAMES.to_vec());
        let (mut quick, mut rounds, mut seconds, mut connections) = (false, None, None, None);
        let mut arguments = arguments.into_iter();
        while let Some(argument) = arguments.next() {
            let mut value =
                || arguments.next().ok_or_else(|| format!("{argument} needs a value; see --help"));
            match argument.as_str() {
                // Cargo's own.
                "--bench" => {}
                "--help" => return Err(help()),
                "--quick" => quick = true,
                "--rounds" => rounds = Some(number(&argument, &value()?)?),
                "--seconds" => seconds = Some(number(&argument, &value()?)?),
                "--connections" => connections = Some(number(&argument, &value()?)?),
                "--only" => {
                    let find = |name: &str| {
                        let found = NAMES.into_iter().find(|server| *server == name);
                        found.ok_or_else(|| format!("no server {name}; see --help"))
                    };
                    servers = value()?.split(',').map(find).collect::<Result<_, _>>()?;
                }
                name => {
                    let found = WORKLOADS.iter().find(|workload| workload.name == name);
                    named.push(*found.ok_or_else(|| format!("no workload {name}; see --help"))?);
                }
            }
        }
        let all = named.is_empty();
        let mut workloads = if all { WORKLOADS.to_vec() } else { named };
        for workload in &mut workloads {
            if let (Some(number), false) = (connections, all) {
                workload.connections = number;
            } else if quick && workload.traffic == Traffic::Idle {
                workload.connections = 200;
            }
        }
        let rounds = rounds.unwrap_or(if quick { 1 } else { 9 }).max(1);
        let seconds = seconds.unwrap_or(if quick { 0.1 } else { 2.0 });
        let time = Duration::try_from_secs_f64(seconds)
            .map_err(|error| format!("--seconds {seconds}: {error}"))?;
        Ok(Options { workloads, servers, rounds, time })
    }
}

fn number<T: std::str::FromStr>(option: &str, value: &str) -> Result<T, String> {
    value.parse().map_err(|_| format!("{option} {value}: not a number"))
}

fn help() -> String {
    let line = |Workload { name, connections, .. }: &Workload| {
        format!("  {name:<10} {connections:>6} connections\n")
    };
    HELP.to_owned() + &WORKLOADS.iter().map(line).collect::<String>()
}
