//! Servers that echo, as processes of their own, and one load generator for all of them.
//!
//! ```text
//! cargo bench --bench net                     # nine rounds of two seconds for each server
//! cargo bench --bench net -- --rounds 3 --seconds 1 --connections 1,64
//! ```
//!
//! The servers run one after the other in each round: `mio`, a bare loop over the system's events, is the
//! floor. Server and generator are pinned to a core each, where `taskset` can do so. The table shows the
//! medians: round trips a second, the server's processor time for each, and the latency.

mod generator;
mod servers;

use std::env;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use generator::Load;

struct Options {
    rounds: usize,
    seconds: f64,
    connections: Vec<usize>,
    servers: Vec<String>,
}

fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    if let [flag, name] = &arguments[..]
        && flag == "--serve"
    {
        return servers::serve(name);
    }
    let options = options(&arguments);
    generator::pin();
    println!("connections  server   round trips/s   CPU µs each   p50 µs   p99 µs");
    for &connections in &options.connections {
        let mut measured: Vec<Vec<Measured>> = options.servers.iter().map(|_| Vec::new()).collect();
        for _ in 0..options.rounds {
            for (name, measured) in options.servers.iter().zip(&mut measured) {
                measured.push(measure(name, connections, options.seconds));
            }
        }
        for (name, measured) in options.servers.iter().zip(&measured) {
            let median = |figure: fn(&Measured) -> f64| {
                let mut all: Vec<f64> = measured.iter().map(figure).collect();
                all.sort_by(f64::total_cmp);
                all[all.len() / 2]
            };
            println!(
                "{connections:>11}  {name:<7} {:>14.0} {:>13.2} {:>8.0} {:>8.0}",
                median(|m| m.rate),
                median(|m| m.cpu),
                median(|m| m.p50),
                median(|m| m.p99),
            );
        }
    }
}

fn options(arguments: &[String]) -> Options {
    let mut options = Options {
        rounds: 9,
        seconds: 2.0,
        connections: vec![1, 64],
        servers: servers::NAMES.map(str::to_owned).to_vec(),
    };
    let mut arguments = arguments.iter().filter(|argument| *argument != "--bench");
    while let Some(name) = arguments.next() {
        let value = arguments.next().unwrap_or_else(|| panic!("{name} needs a value"));
        let list = || value.split(',').map(str::to_owned).collect::<Vec<_>>();
        match name.as_str() {
            "--rounds" => options.rounds = value.parse().expect("a number"),
            "--seconds" => options.seconds = value.parse().expect("a number"),
            "--servers" => options.servers = list(),
            "--connections" => {
                options.connections =
                    list().iter().map(|number| number.parse().expect("a number")).collect();
            }
            _ => panic!("{name} is no option; see the top of benches/net/main.rs"),
        }
    }
    options
}

struct Measured {
    /// Round trips a second.
    rate: f64,
    /// The server's processor time for each round trip, in microseconds.
    cpu: f64,
    /// Latencies, in microseconds.
    p50: f64,
    p99: f64,
}

fn measure(name: &str, connections: usize, seconds: f64) -> Measured {
    let (mut server, address) = start(name);
    let mut load = Load::connect(address, connections);
    // Warm.
    load.run(Duration::from_secs_f64(seconds / 4.0));
    let before = cpu_time(&server);
    let mut run = load.run(Duration::from_secs_f64(seconds));
    let cpu = cpu_time(&server) - before;
    server.kill().unwrap();
    server.wait().unwrap();
    run.latencies.sort();
    let percentile = |percent: usize| {
        let place = run.latencies.len() * percent / 100;
        run.latencies[place.min(run.latencies.len() - 1)].as_secs_f64() * 1e6
    };
    let round_trips = run.latencies.len() as f64;
    Measured {
        rate: round_trips / run.took.as_secs_f64(),
        cpu: cpu.as_secs_f64() * 1e6 / round_trips,
        p50: percentile(50),
        p99: percentile(99),
    }
}

/// The server, on the first core, and its address.
fn start(name: &str) -> (Child, SocketAddr) {
    let own = env::current_exe().unwrap();
    let pinned = Command::new("taskset").args(["-c", "0", "true"]).status();
    let mut command = match pinned.is_ok_and(|status| status.success()) {
        true => {
            let mut command = Command::new("taskset");
            command.args(["-c", "0"]).arg(own);
            command
        }
        false => Command::new(own),
    };
    let mut server =
        command.args(["--serve", name]).stdout(Stdio::piped()).spawn().expect("a server starts");
    let mut line = String::new();
    BufReader::new(server.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    let address = line.trim().parse().expect("a server prints its address");
    (server, address)
}

/// The time for which the threads of a process have run.
fn cpu_time(process: &Child) -> Duration {
    let tasks = std::fs::read_dir(format!("/proc/{}/task", process.id())).unwrap();
    let nanoseconds = tasks.map(|task| {
        let path = task.unwrap().path().join("schedstat");
        let text = std::fs::read_to_string(path).unwrap_or_default();
        text.split(' ').next().and_then(|number| number.parse::<u64>().ok()).unwrap_or(0)
    });
    Duration::from_nanos(nanoseconds.sum())
}
