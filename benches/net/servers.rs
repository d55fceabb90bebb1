//! The servers. Each prints its address, and echoes until it is killed.

mod bare;
mod goroutines;
#[cfg(feature = "hyper")]
mod http;
mod smol_tasks;
mod tokio_tasks;

use std::hint::black_box;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::workload::Mode;

pub(crate) const FLOOR: &str = "mio";
pub(crate) const OURS: &str = "gorun";
pub(crate) const TOKIO: &str = "tokio";
pub(crate) const SMOL: &str = "smol";
pub(crate) const GO: &str = "Go";
pub(crate) const AXUM_ON_GORUN: &str = "axum/gorun";
pub(crate) const AXUM_ON_TOKIO: &str = "axum/tokio";
pub(crate) const NAMES: [&str; 7] = [FLOOR, OURS, TOKIO, SMOL, GO, AXUM_ON_GORUN, AXUM_ON_TOKIO];

const ADDRESS: &str = "127.0.0.1:0";
const BUFFER: usize = 4096;

/// How many others are beside those that echo, if there are any.
const OTHERS: usize = 8;

/// Whether there is a server of this name for that.
pub(crate) fn can_serve(name: &str, mode: Mode) -> bool {
    match name {
        FLOOR => !mode.has_others(),
        AXUM_ON_GORUN | AXUM_ON_TOKIO => mode.is_http(),
        _ => true,
    }
}

/// `Go`'s is in `../go/net.go`.
pub(crate) fn serve(name: &str, mode: Mode) {
    #[cfg(feature = "hyper")]
    if mode.is_http() {
        return http::serve(name, mode);
    }
    match name {
        FLOOR => bare::serve(mode),
        OURS => goroutines::serve(mode),
        TOKIO => tokio_tasks::serve(mode),
        SMOL => smol_tasks::serve(mode),
        _ => panic!("no server has the name {name}"),
    }
}

fn announce(address: SocketAddr) {
    println!("{address}");
}

/// What one of the others does before it gives way.
fn step(mode: Mode) {
    match mode {
        Mode::Asleep => std::thread::sleep(Duration::from_millis(50)),
        Mode::Computing => {
            let start = Instant::now();
            while start.elapsed() < Duration::from_millis(1) {
                (0..1000_u64).for_each(|n| _ = black_box(n));
            }
        }
        _ => unreachable!("there are no others"),
    }
}
