//! A hundred thousand goroutines, all parked at once: what each costs in memory.
//!
//! `cargo run --release --example hundred_thousand`

use futures::channel::oneshot;
use gorun::{block_on, num_goroutines, spawn};

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
        let mut releases = Vec::with_capacity(GOROUTINES);
        let mut goroutines = Vec::with_capacity(GOROUTINES);
        for number in 0..GOROUTINES {
            let (release, released) = oneshot::channel::<()>();
            releases.push(release);
            goroutines.push(spawn(async move {
                released.await.unwrap();
                number
            }));
        }
        println!("{} goroutines, main among them", num_goroutines());
        if let (Some(before), Some(after)) = (before, resident()) {
            println!("bytes each, with channel and handle: {}", (after - before) / GOROUTINES);
        }
        println!("as many OS threads would reserve {} GiB of stack", (GOROUTINES * 2) >> 10);

        releases.into_iter().for_each(|release| release.send(()).unwrap());
        let mut sum = 0;
        for goroutine in goroutines {
            sum += goroutine.await.unwrap();
        }
        println!("all of them ran: {}", sum == GOROUTINES * (GOROUTINES - 1) / 2);
    });
}
