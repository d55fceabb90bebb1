//! The network: each test is named after a hazard, which other runtimes have met or Go's programs rely on.

#[path = "common/mod.rs"]
mod common;

#[cfg(target_os = "linux")]
#[path = "net/allocated.rs"]
mod allocated;
#[path = "net/blocked_workers.rs"]
mod blocked_workers;
#[path = "net/connecting.rs"]
mod connecting;
#[path = "net/datagrams.rs"]
mod datagrams;
#[path = "net/deadlines.rs"]
mod deadlines;
#[cfg(target_os = "linux")]
#[path = "net/descriptors.rs"]
mod descriptors;
#[path = "net/endings.rs"]
mod endings;
#[cfg(target_os = "linux")]
#[path = "net/hostile.rs"]
mod hostile;
#[path = "net/listeners.rs"]
mod listeners;
#[cfg(unix)]
#[path = "net/local.rs"]
mod local;
#[path = "net/misuse.rs"]
mod misuse;
#[path = "net/streams.rs"]
mod streams;

use std::future::Future;
use std::io;

use futures::{AsyncReadExt, AsyncWriteExt};
use gorun::net::{TcpListener, TcpStream};

/// Each test runs with so many workers.
const WORKERS: [usize; 3] = [1, 2, 16];

/// Runs `main` with one, two and sixteen workers.
fn with_workers<F: Future<Output = io::Result<()>>>(main: impl Fn() -> F) {
    let _watchdog = common::watchdog();
    for workers in WORKERS {
        common::run(workers, main()).unwrap_or_else(|error| panic!("{workers} workers: {error}"));
    }
}

/// The two ends of a connection.
async fn connected() -> io::Result<(TcpStream, TcpStream)> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let client = TcpStream::connect(listener.local_addr()?).await?;
    let (server, _) = listener.accept().await?;
    Ok((client, server))
}

/// Sends back all that comes, in a goroutine.
fn spawn_echo(stream: TcpStream) {
    gorun::go!(async move {
        let _ = futures::io::copy(&stream, &mut &stream).await;
    });
}

/// Sends `bytes`, and waits until they have come back.
async fn round_trip(stream: &TcpStream, bytes: &[u8]) -> io::Result<()> {
    (&*stream).write_all(bytes).await?;
    let mut answer = vec![0; bytes.len()];
    (&*stream).read_exact(&mut answer).await?;
    assert_eq!(answer, bytes);
    Ok(())
}
