//! Not waiting for ever: a limit for one thing, for a pause, for everything; and a ticker.
//!
//! `cargo run --example timeout`

use std::time::Duration;

use gorun::time::{after, sleep, tick, timeout};
use gorun::{Receiver, block_on, channel, go, select};

const MILLI: Duration = Duration::from_millis(1);

async fn answer(after: Duration) -> u32 {
    sleep(after).await;
    42
}

/// Five lines in short order, and then silence; but the line stays open.
fn a_talker() -> Receiver<u32> {
    let (tx, lines) = channel(5);
    go!(async move {
        for line in 1..=5 {
            tx.send(line).await.unwrap();
        }
        std::future::pending::<()>().await;
    });
    lines
}

fn main() {
    block_on(async {
        // A limit for one future. One that is late is dropped: its work ends there.
        match timeout(1000 * MILLI, answer(MILLI)).await {
            Ok(answer) => println!("a quick answer: {answer}"),
            Err(elapsed) => println!("no quick answer: {elapsed}"),
        }
        match timeout(20 * MILLI, answer(3_600_000 * MILLI)).await {
            Ok(answer) => println!("a slow answer: {answer}"),
            Err(elapsed) => println!("no slow answer: {elapsed}"),
        }

        // A limit for each pause: the timer is a new one in every round.
        let lines = a_talker();
        let mut heard = 0;
        loop {
            select! {
                line = lines.recv() => heard = line.expect("the line stays open"),
                _ = after(200 * MILLI).recv() => break,
            }
        }
        println!("{heard} lines, then silence");

        // A limit for everything: one timer for all rounds. A ticker meanwhile, whose first tick
        // comes after a period.
        let (ticks, end) = (tick(10 * MILLI), after(205 * MILLI));
        let mut ticked = 0;
        loop {
            select! {
                _ = ticks.recv() => ticked += 1,
                _ = end.recv() => break,
            }
        }
        // Twenty on an idle machine. A tick that nobody takes in time is skipped, never made up for.
        println!("ticks: {ticked}, which is at most 20: {}", ticked <= 20);
    });
}
