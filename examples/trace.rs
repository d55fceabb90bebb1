//! Writes a trace of a program that is slower than it should be, for <https://ui.perfetto.dev>.
//!
//! `cargo run --example trace my.pftrace`, then open the file there: one of the three goroutines that work blocks its
//! thread, and what is sent to it waits.

use std::env;
use std::fs::File;
use std::thread;
use std::time::Duration;

use gorun::{Builder, Handle, channel, go, time};

fn main() -> std::io::Result<()> {
    let path = env::args().nth(1).unwrap_or_else(|| "gorun.pftrace".to_owned());
    // The last 4095 events of each thread.
    Builder::new().worker_threads(2).trace(4095).block_on(async {
        let (jobs, to_do) = channel::<u64>(1);
        let (results, done) = channel(8);
        for worker in 0..3 {
            let (to_do, results) = (to_do.clone(), results.clone());
            go!(async move {
                while let Some(job) = to_do.recv().await {
                    match worker {
                        // Without `gorun::blocking`.
                        0 => thread::sleep(Duration::from_millis(4)),
                        _ => time::sleep(Duration::from_millis(1)).await,
                    }
                    if results.send(job * job).await.is_err() {
                        return;
                    }
                }
            });
        }
        drop((to_do, results));
        go!(async move {
            for job in 1..=30 {
                jobs.send(job).await.unwrap();
            }
        });
        let mut sum = 0;
        while let Some(square) = done.recv().await {
            sum += square;
        }
        println!("the sum is {sum}");
        let written = Handle::current().write_trace(File::create(&path)?)?;
        println!(
            "{path}: {} packets, with {} events of {} goroutines; {} came before",
            written.packets, written.events, written.goroutines, written.lost,
        );
        Ok(())
    })?
}
