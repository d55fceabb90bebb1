//! I/O goes on while workers block or compute.

use std::io;
use std::thread;
use std::time::{Duration, Instant};

use gorun::net::{TcpListener, TcpStream};
use gorun::spawn;

use super::{connected, round_trip, spawn_echo, with_workers};
use crate::common::*;

const MILLI: Duration = Duration::from_millis(1);

#[test]
fn echoes() {
    with_workers(async || {
        let (client, server) = connected().await?;
        spawn_echo(server);
        for size in [1, 64, 100_000] {
            round_trip(&client, &vec![7; size]).await?;
        }
        Ok(())
    });
}
