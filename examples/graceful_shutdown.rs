//! A server that closes at Ctrl-C: it takes no more requests, and gives those that it has a second to
//! end. Nobody has to press the keys, because it interrupts itself.
//!
//! `cargo run --example graceful_shutdown --features signal`

use std::process::Command;
use std::time::Duration;

use gorun::context::Context;
use gorun::signal::{self, Signal};
use gorun::time::{sleep, tick, timeout};
use gorun::{WaitGroup, blocking, go, select};

async fn handle(request: u32) {
    println!("request {request}");
    sleep(Duration::from_millis(300)).await;
    println!("          answer {request}");
}

/// Sends this process the signal that Ctrl-C does. Where there is no such shell, press Ctrl-C.
async fn interrupt() {
    sleep(Duration::from_millis(800)).await;
    let _ = blocking(|| Command::new("sh").args(["-c", "kill -s INT $PPID"]).status());
}

#[gorun::main]
async fn main() {
    let (ctx, _stop) = signal::context(&Context::background(), [Signal::Int, Signal::Term]);
    println!("serving until Ctrl-C");
    go!(interrupt());
    let (wg, requests) = (WaitGroup::new(), tick(Duration::from_millis(100)));
    for n in 1.. {
        select! {
            _ = requests.recv() => wg.go(handle(n)),
            _ = ctx.done() => break,
        }
    }
    // From now on Ctrl-C ends the program at once.
    println!("closing: {}", ctx.cause().expect("it is done"));
    match timeout(Duration::from_secs(1), wg.wait()).await {
        Ok(()) => println!("all requests have their answers"),
        Err(_) => println!("some requests get no answer"),
    }
}
