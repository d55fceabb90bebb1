//! Three frames are rendered at a time, each in its goroutine, and shown in order.
//!
//! `cargo run --example ordered_pool`

use std::collections::VecDeque;
use std::time::Duration;

use gorun::spawn;
use gorun::time::sleep;

async fn render(frame: u64) -> u64 {
    sleep(Duration::from_millis(100 + frame * 7 % 5 * 100)).await;
    println!("rendered frame {frame}");
    frame
}

#[gorun::main]
async fn main() {
    // A future does nothing before it is started, so these are frames to come.
    let mut frames = (0..10).map(render);
    let mut pending: VecDeque<_> = frames.by_ref().take(3).map(spawn).collect();
    let mut shown = Vec::new();
    while let Some(oldest) = pending.pop_front() {
        let frame = oldest.await.expect("it does not panic, and nobody aborts it");
        println!("shown             frame {frame}");
        shown.push(frame);
        // There is room for one more, if there is one.
        pending.extend(frames.next().map(spawn));
    }
    println!("in order: {}", shown.is_sorted());
}
