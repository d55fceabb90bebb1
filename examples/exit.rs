//! Main's return ends the program: stragglers of every kind are cancelled, and its value is kept.
//!
//! `cargo run --example exit; echo $?`

use std::future::pending;
use std::process::ExitCode;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use gorun::{Builder, spawn, yield_now};

/// Says when it is dropped.
struct Guard(&'static str);

impl Drop for Guard {
    fn drop(&mut self) {
        println!("  {} was dropped", self.0);
    }
}

async fn straggle(started: mpsc::Sender<()>, name: &'static str) {
    let _guard = Guard(name);
    started.send(()).unwrap();
    match name {
        "one that is parked for ever" => pending().await,
        "one that yields for ever" => loop {
            yield_now().await;
        },
        _ => loop {
            std::thread::sleep(Duration::from_secs(3600));
        },
    }
}

fn main() -> std::io::Result<ExitCode> {
    let start = Instant::now();
    let code = Builder::new().worker_threads(3).block_on(async {
        let (started, ready) = mpsc::channel();
        spawn(straggle(started.clone(), "one that is parked for ever"));
        spawn(straggle(started.clone(), "one that yields for ever"));
        spawn(straggle(started, "one that never comes to an await (you will not see this)"));
        ready.iter().take(3).for_each(drop);
        println!("main returns 3");
        3
    })?;
    let in_time = start.elapsed() < Duration::from_secs(10);
    println!("block_on returned {code}{}", if in_time { ", at once" } else { ", late" });
    Ok(ExitCode::from(code))
}
