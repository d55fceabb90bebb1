//! `select!`: whatever can happen first, and only that.
//!
//! `cargo run --example select`

use gorun::{Receiver, block_on, channel, go, select, spawn};

/// Two channels, until both are closed: a closed one is disabled, or it would be chosen for ever.
async fn add_up(a: Receiver<u32>, b: Receiver<u32>) -> u32 {
    let (mut sum, mut a_open, mut b_open) = (0, true, true);
    while a_open || b_open {
        select! {
            value = a.recv(), if a_open => match value {
                Some(value) => sum += value,
                None => a_open = false,
            },
            value = b.recv(), if b_open => match value {
                Some(value) => sum += value,
                None => b_open = false,
            },
        }
    }
    sum
}

/// What there is at this moment. With a `default` there is no wait, and no `async fn` needed.
fn look(letters: &Receiver<&str>) -> String {
    select! {
        letter = letters.recv() => match letter {
            Some(text) => format!("a letter: {text}"),
            None => "there will be no letter".to_owned(),
        },
        default => "no letter yet".to_owned(),
    }
}

fn main() {
    block_on(async {
        let (to_a, a) = channel(0);
        let (to_b, b) = channel(0);
        let sum = spawn(add_up(a, b));
        for to in [to_a, to_b] {
            go!(async move {
                for value in 1..=10 {
                    to.send(value).await.unwrap();
                }
            });
        }
        println!("from both: {}", sum.await.unwrap());

        let (post, letters) = channel(1);
        println!("{}", look(&letters));
        post.send("hello").await.unwrap();
        println!("{}", look(&letters));
        drop(post);
        println!("{}", look(&letters));

        // A display that is slower than what it shows gets the newest value, not a heap of old ones.
        // What `send_from` has not sent is still in `newest` when the other case happens.
        let (measure, measured) = channel(0);
        let (show, shown) = channel(0);
        go!(async move {
            let (mut newest, mut is_measuring) = (None, true);
            while is_measuring || newest.is_some() {
                select! {
                    value = measured.recv(), if is_measuring => match value {
                        Some(value) => newest = Some(value),
                        None => is_measuring = false,
                    },
                    _ = show.send_from(&mut newest), if newest.is_some() => {}
                }
            }
        });
        for value in 1..=1000 {
            measure.send(value).await.unwrap();
        }
        println!("measured 1000 values; shown: {}", shown.recv().await.unwrap());
        drop(measure);
        println!("more to show: {}", shown.recv().await.is_some());
    });
}
