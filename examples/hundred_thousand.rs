//! A hundred thousand goroutines, all parked at once: what each costs in memory.
//!
//! `cargo run --release --example hundred_thousand`

use gorun::{block_on, channel, num_goroutines, spawn};

const GOROUTINES: usize = 100_000;

/// Resident memory of this process in bytes, where the system tells (Linux).
fn resident() -> Option<usize> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    Some(line.split_whitespace().nth(1)?.parse::<usize>().ok()? * 1024)
}

fn main() {
    block_on(async {
        let before = resident();
        let (release, released) = channel::<()>(0);
        let mut goroutines = Vec::with_capacity(GOROUTINES);
        for number in 0..GOROUTINES {
            let released = released.clone();
            goroutines.push(spawn(async move {
                released.recv().await;
                number
            }));
        }
        println!("{} goroutines, main among them", num_goroutines());
        if let (Some(before), Some(after)) = (before, resident()) {
            println!("bytes each, with handle and receiver: {}", (after - before) / GOROUTINES);
        }
        println!("as many OS threads would reserve {} GiB of stack", (GOROUTINES * 2) >> 10);

        // A channel that is closed answers all who wait.
        drop(release);
        let mut sum = 0;
        for goroutine in goroutines {
            sum += goroutine.await.unwrap();
        }
        println!("all of them ran: {}", sum == GOROUTINES * (GOROUTINES - 1) / 2);
    });
}
