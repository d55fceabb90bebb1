//! What one run of a server came to.

use std::collections::BTreeMap;
use std::thread::sleep;
use std::time::Duration;

use crate::child::Server;
use crate::generator::{Load, Run};
use crate::workload::{Mode, Traffic, Workload};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Figure {
    /// Round trips a second.
    Rate,
    /// The server's processor time for each round trip, in microseconds.
    Cpu,
    /// The server's system calls for each round trip.
    Calls,
    /// Latencies, in microseconds.
    P50,
    P99,
    /// Resident memory of the server for each connection.
    Bytes,
}

/// Those that the workload has and the machine can tell.
pub(crate) type Measured = BTreeMap<Figure, f64>;

/// How long a server has after the last byte until its memory is read.
const SETTLE: Duration = Duration::from_millis(300);

pub(crate) fn measure(server: &Server, workload: &Workload, time: Duration) -> Measured {
    match workload.traffic {
        Traffic::Idle => memory(server, workload),
        Traffic::Echo => traffic(server, workload, time, Load::echo),
        Traffic::Connect => traffic(server, workload, time, Load::reconnect),
    }
}

fn memory(server: &Server, workload: &Workload) -> Measured {
    let Workload { mode, connections, .. } = *workload;
    let _first = Load::connect(server.address, mode, 1);
    sleep(SETTLE);
    let before = server.resident_bytes();
    let _load = Load::connect(server.address, mode, connections);
    sleep(SETTLE);
    let bytes = server.resident_bytes().saturating_sub(before);
    Measured::from([(Figure::Bytes, bytes as f64 / connections as f64)])
}

fn traffic(
    server: &Server,
    workload: &Workload,
    time: Duration,
    run: fn(&mut Load, Duration) -> Run,
) -> Measured {
    let mut load = Load::connect(server.address, workload.mode, workload.connections);
    // Warm.
    run(&mut load, time / 4);
    let before = server.cpu_time();
    let Run { mut latencies, took } = run(&mut load, time);
    let cpu = server.cpu_time() - before;
    latencies.sort();
    let percentile =
        |percent: usize| microseconds(latencies[(latencies.len() - 1) * percent / 100]);
    let round_trips = latencies.len() as f64;
    let mut measured = Measured::from([
        (Figure::Rate, round_trips / took.as_secs_f64()),
        (Figure::P50, percentile(50)),
        (Figure::P99, percentile(99)),
    ]);
    // Those that compute would take all of it.
    if workload.mode != Mode::Computing {
        measured.insert(Figure::Cpu, microseconds(cpu) / round_trips);
    }
    // Apart from the others, since counting takes time.
    if let Some((counted, calls)) = server.system_calls(|| run(&mut load, time / 4)) {
        measured.insert(Figure::Calls, calls as f64 / counted.latencies.len() as f64);
    }
    measured
}

fn microseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}
