//! A million goroutines: each starts ten more and adds up what they return, six levels deep.
//!
//! `cargo run --release --example skynet`
//!
//! An `async fn` that spawns itself does not compile. This form does: a plain `fn` that says what it
//! returns, a future that is `Send`.

use std::time::Instant;

use gorun::{JoinError, block_on, spawn};

#[expect(clippy::manual_async_fn, reason = "the async fn that clippy suggests does not compile")]
fn skynet(number: u64, leaves: u64) -> impl Future<Output = Result<u64, JoinError>> + Send {
    async move {
        if leaves == 1 {
            return Ok(number);
        }
        let share = leaves / 10;
        let children: Vec<_> =
            (0..10).map(|child| spawn(skynet(number + child * share, share))).collect();
        let mut sum = 0;
        for child in children {
            sum += child.await??;
        }
        Ok(sum)
    }
}

fn main() -> Result<(), JoinError> {
    let start = Instant::now();
    let sum = block_on(async { spawn(skynet(0, 1_000_000)).await? })?;
    println!("sum of 0..1000000 by 1111111 goroutines: {sum}");
    println!("took {:.0?}", start.elapsed());
    Ok(())
}
