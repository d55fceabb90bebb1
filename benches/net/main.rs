//! Servers that echo, as processes of their own, and one load generator for all of them.
//!
//! ```text
//! cargo bench --bench net                     # nine rounds of two seconds for each server
//! cargo bench --bench net -- --help
//! cargo bench --bench net --features hyper -- http-64 http-256 http-idle
//! ```
//!
//! The servers run one after the other in each round: `mio`, a bare loop over the system's events, is the
//! floor. Servers are pinned to one core, and the generator to another, if there are two. So each runtime
//! has one worker. All have `TCP_NODELAY`. The generator does not send before it has the answer, and is one
//! thread; it is the limit of `round trips/s` where the server has time left. So look at `CPU µs` first.
//!
//! | workload | what it does |
//! |---|---|
//! | `echo-1`, `echo-64`, `echo-1024` | 64 bytes there and back on so many connections, again and again |
//! | `connect` | connect, one echo, close; 16 at the same time. The latency is from the beginning to the echo. The generator closes with a reset, because otherwise there would soon be no ports left |
//! | `idle` | 10,000 connections that have echoed once, and wait to read. They have no buffer meanwhile, but for the one byte that they read into: not all runtimes can wait without any. Go also returns memory to the system all the time |
//! | `asleep` | `echo-64` beside eight goroutines that sleep in the kernel, 50 ms at a time. In Rust they yield in between |
//! | `computing` | `echo-64` beside eight goroutines that compute. In Rust they yield after each millisecond. Go's do not: it preempts them, after 10 ms |
//! | `http-64`, `http-256` | a `GET` by HTTP/1.1 on so many connections. `mio` looks for the end of the head alone, and has its answer ready. gorun's, tokio's and smol's servers are those of `hyper`, with the same service; Go's is `net/http`. `axum/gorun` and `axum/tokio` are a `Router` of `axum` with one route, on `gorun::http::serve` and on `axum::serve`; its answers have one header more, the body's type |
//! | `http-idle` | 10,000 connections of the same servers that have had one answer, and stay open. gorun's limits of time are longer than that takes, and it has none of connections unless one is set. Go returns memory to the system all the time |
//!
//! Of each there are the medians of the rounds. `CPU µs` and `sys calls` are what the server takes for a
//! round trip: the process's time, user's and kernel's, and its system calls, which `perf` counts in a run
//! of their own. (Without `perf`, or the right to use it, they are left out.) Beside those that compute there is no
//! `CPU µs`, since it would be theirs. `bytes` is resident memory for each connection. Below each workload are ratios
//! of gorun to the others, and of `axum/gorun` to `axum/tokio`, each the median of the ratios within the rounds:
//! `CPU over the floor` is that of the processor times less `mio`'s in the same round.

mod child;
mod generator;
#[path = "../compare/go.rs"]
mod go;
mod measured;
mod options;
mod report;
mod servers;
mod system;
mod workload;

use std::env;
use std::process::exit;

use child::{Cores, Server};
use go::Go;
use options::Options;
use report::Rounds;
use servers::GO;
use workload::{Mode, Workload};

fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    if let [flag, name, mode] = &arguments[..]
        && flag == "--serve"
    {
        return servers::serve(name, Mode::named(mode).expect("a mode"));
    }
    let options = Options::parse(arguments).unwrap_or_else(|text| {
        eprintln!("{text}");
        exit(2);
    });
    if !cfg!(target_os = "linux") {
        return println!("this benchmark needs Linux, which tells it about its servers");
    }
    system::raise_limit_of_descriptors();
    let cores = match system::usable_cores()[..] {
        [servers, generator, ..] => Some((servers, generator)),
        _ => None,
    };
    if cores.is_none() {
        println!("there is one core for all, so the rates say little");
    }
    let go = go::build();
    match &go {
        Ok(go) => println!("{}", go.version),
        Err(reason) => println!("without Go: {reason}"),
    }
    println!("{}", report::HEADER);
    for workload in &options.workloads {
        let rounds = rounds(&options, workload, go.as_ref().ok(), cores);
        println!("{}", report::table(workload, &rounds));
    }
}

fn rounds(options: &Options, workload: &Workload, go: Option<&Go>, cores: Cores) -> Rounds {
    let can_run =
        |name: &&str| servers::can_serve(name, workload.mode) && (*name != GO || go.is_some());
    let mut servers: Vec<_> = options.servers.iter().copied().filter(can_run).collect();
    let mut rounds = Rounds::new();
    for _ in 0..options.rounds {
        for &name in &servers {
            let server = Server::start(name, workload.mode, go, cores);
            let measured = measured::measure(&server, workload, options.time);
            rounds.entry(name).or_default().push(measured);
        }
        // So that nobody always follows the same one.
        servers.reverse();
    }
    rounds
}
