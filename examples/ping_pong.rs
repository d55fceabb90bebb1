//! Two goroutines play a ball to each other until the time is up.
//!
//! `cargo run --example ping_pong`

use std::time::Duration;

use gorun::time::{sleep, timeout};
use gorun::{JoinError, JoinSet, Receiver, Sender, block_on, channel};

#[derive(Default)]
struct Ball {
    hits: u32,
}

/// Returns the ball if it could not be played back: the other side is not there any more.
async fn play(name: &'static str, from: Receiver<Ball>, to: Sender<Ball>) -> Option<Ball> {
    while let Some(mut ball) = from.recv().await {
        ball.hits += 1;
        println!("{name} {}", ball.hits);
        sleep(Duration::from_millis(10)).await;
        // There is no buffer: this waits until the other one has the ball. If nobody can take it
        // any more, the error has it.
        if let Err(unsent) = to.send(ball).await {
            return Some(unsent.into_inner());
        }
    }
    None
}

fn main() -> Result<(), JoinError> {
    block_on(async {
        let (to_ping, at_ping) = channel(0);
        let (to_pong, at_pong) = channel(0);
        let mut players = JoinSet::new();
        players.spawn(play("ping", at_ping, to_pong.clone()));
        players.spawn(play("pong", at_pong, to_ping.clone()));
        to_ping.send(Ball::default()).await.expect("ping waits for it");

        // Neither ends by itself. What is not ready in time is dropped: here a wait, not a player.
        match timeout(Duration::from_millis(100), players.join_next()).await {
            Ok(_) => println!("somebody has lost the ball"),
            Err(elapsed) => println!("{elapsed}"),
        }

        to_ping.close();
        to_pong.close();
        while let Some(end) = players.join_next().await {
            if let Some(ball) = end? {
                println!("the ball was hit {} times", ball.hits);
            }
        }
        println!("both have stopped");
        Ok(())
    })
}
