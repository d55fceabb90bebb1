//! Serves the numbers of its own runtime, in the text form of Prometheus, to one client after the other.
//!
//! `cargo run --example metrics --features futures 127.0.0.1:9100`, then `curl 127.0.0.1:9100`

use std::env;
use std::io;
use std::time::Duration;

use futures::io::BufReader;
use futures::{AsyncBufReadExt, AsyncWriteExt, StreamExt};
use gorun::net::{TcpListener, TcpStream};
use gorun::{Handle, Histogram, Metrics, go, time};

#[gorun::main]
async fn main() -> io::Result<()> {
    let address = env::args().nth(1).unwrap_or_else(|| "127.0.0.1:9100".to_owned());
    let listener = TcpListener::bind(address).await?;
    println!("listening on {}", listener.local_addr()?);
    go!(async {
        // Some work to look at.
        loop {
            time::sleep(Duration::from_millis(100)).await;
            go!(async {});
        }
    });
    loop {
        let (client, _) = listener.accept().await?;
        if let Err(error) = serve(client).await {
            println!("a client: {error}");
        }
    }
}

async fn serve(client: TcpStream) -> io::Result<()> {
    time::timeout(Duration::from_secs(5), answer(client)).await?
}

async fn answer(client: TcpStream) -> io::Result<()> {
    // The head of the request, to its empty line.
    let mut lines = BufReader::new(&client).lines();
    while lines.next().await.transpose()?.is_some_and(|line| !line.is_empty()) {}
    let text = prometheus(&Handle::current().metrics());
    let head =
        "HTTP/1.1 200 OK\r\ncontent-type: text/plain; version=0.0.4\r\nconnection: close\r\n\r\n";
    (&client).write_all([head, &text].concat().as_bytes()).await?;
    (&client).close().await
}

fn prometheus(metrics: &Metrics) -> String {
    let gauges = [
        ("goroutine_count", metrics.num_goroutines),
        ("goroutine_queued", metrics.num_queued),
        ("processor_limit", metrics.num_workers),
        ("worker_idle", metrics.num_idle),
        ("worker_away", metrics.num_away),
        ("timer_count", metrics.num_timers),
        ("socket_count", metrics.num_sockets),
    ];
    let counters = [
        ("goroutine_spawned_total", metrics.spawned),
        ("goroutine_ended_total", metrics.ended),
        ("poll_total", metrics.polls),
        ("steal_total", metrics.steals),
        ("overflow_total", metrics.overflows),
        ("worker_written_off_total", metrics.written_off),
    ];
    let gauges = gauges.map(|(name, value)| (name, "gauge", value as u64));
    let counters = counters.map(|(name, value)| (name, "counter", value));
    let line = |(name, kind, value)| format!("# TYPE gorun_{name} {kind}\ngorun_{name} {value}\n");
    let busy = metrics.busy.as_secs_f64();
    let busy = format!(
        "# TYPE gorun_worker_busy_seconds_total counter\ngorun_worker_busy_seconds_total {busy}\n"
    );
    let numbers: String = gauges.into_iter().chain(counters).map(line).collect();
    numbers + &busy + &histogram("schedule_duration_seconds", &metrics.schedule_latencies)
}

/// Prometheus counts in each bucket all that took no longer.
fn histogram(name: &str, histogram: &Histogram) -> String {
    let mut text = format!("# TYPE gorun_{name} histogram\n");
    let mut sum = 0;
    for (limit, count) in histogram.buckets() {
        sum += count;
        let limit = limit.map_or("+Inf".to_owned(), |limit| limit.as_secs_f64().to_string());
        text += &format!("gorun_{name}_bucket{{le=\"{limit}\"}} {sum}\n");
    }
    let total = histogram.sum().as_secs_f64();
    text + &format!("gorun_{name}_sum {total}\ngorun_{name}_count {sum}\n")
}
