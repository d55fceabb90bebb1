//! Stages connected by channels: each receives, works, and sends on. The stage in the middle is three
//! goroutines: it fans out and in. If nobody wants more, the stages end from the back to the front.
//!
//! `cargo run --example pipeline`

use gorun::{Receiver, block_on, channel, go, num_goroutines, yield_now};

/// The first stage: starts a goroutine, and returns where its values come out.
fn source(name: &'static str, values: impl Iterator<Item = u64> + Send + 'static) -> Receiver<u64> {
    let (tx, output) = channel(0);
    go!(async move {
        for value in values {
            if tx.send(value).await.is_err() {
                println!("{name}: nobody wants more");
                return;
            }
        }
        println!("{name}: there is no more");
    });
    output
}

/// Any other stage. All its goroutines receive from the same channel, and send into the same one.
fn stage(goroutines: usize, input: Receiver<u64>, work: fn(u64) -> u64) -> Receiver<u64> {
    let (tx, output) = channel(0);
    for _ in 0..goroutines {
        let (input, tx) = (input.clone(), tx.clone());
        go!(async move {
            while let Some(value) = input.recv().await {
                if tx.send(work(value)).await.is_err() {
                    return;
                }
            }
        });
    }
    // `input` and `tx` go here. The clones know when it is over: the last to go closes a channel.
    output
}

fn triangle(n: u64) -> u64 {
    (1..=n).sum()
}

fn divisors(n: u64) -> u64 {
    (1..=n).filter(|divisor| n.is_multiple_of(*divisor)).count() as u64
}

fn main() {
    block_on(async {
        // To the end: when the source has no more, the stages run empty, one after the other.
        let numbers = source("the first 100", 1..=100);
        let divisors_of_triangles = stage(1, stage(3, numbers, triangle), divisors);
        let mut most = 0;
        while let Some(divisors) = divisors_of_triangles.recv().await {
            most = most.max(divisors);
        }
        println!("one of the first 100 triangle numbers has {most} divisors, none has more");

        // Until found: the source is endless.
        let numbers = source("all", 1..);
        let divisors_of_triangles = stage(3, stage(1, numbers, triangle), divisors);
        while let Some(divisors) = divisors_of_triangles.recv().await {
            if divisors >= 50 {
                println!("another one has 50 or more");
                break;
            }
        }
        // The receiver goes, and that is all there is to cancelling: a send that fails ends a stage,
        // with it goes the stage's receiver, and so on to the source.
        drop(divisors_of_triangles);
        while num_goroutines() > 1 {
            yield_now().await;
        }
        println!("goroutines left: {}", num_goroutines());
    });
}
