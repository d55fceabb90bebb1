//! Goroutines that block their threads, and what becomes of the others.
//!
//! ```text
//! cargo run --example blocked
//! GORUN_BLOCKED=20ms cargo run --example blocked      # who was it?
//! ```

use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use gorun::{Builder, blocking, spawn};

fn main() -> std::io::Result<()> {
    // One worker: whoever keeps it keeps everybody waiting, unless another thread steps in.
    Builder::new().worker_threads(1).block_on(async {
        let (send, receive) = mpsc::channel();
        let waits = spawn(async move { receive.recv().unwrap() });
        spawn(async move { send.send("from a goroutine that ran behind it").unwrap() });
        println!("a receive that blocks the only worker got a message {}", waits.await.unwrap());

        let computes = spawn(async { (0..400_000_000_u64).fold(0, |x, y| x ^ y.rotate_left(7)) });
        let start = Instant::now();
        spawn(async move { println!("beside a long computation: started {}", late(start)) });
        computes.await.unwrap();

        let start = Instant::now();
        let told = spawn(async { blocking(|| thread::sleep(Duration::from_millis(50))) });
        spawn(async move { println!("beside `blocking`: started {}", late(start)) });
        told.await.unwrap();
    })
}

fn late(start: Instant) -> &'static str {
    match start.elapsed().as_millis() {
        0..5 => "at once",
        5..40 => "after some milliseconds",
        _ => "late",
    }
}
