//! Four workers take jobs from one channel, and put what they find into another.
//!
//! `cargo run --example worker_pool`

use gorun::{Receiver, Sender, WaitGroup, block_on, channel, num_goroutines};

/// How many steps `n` takes to come to 1, when an even number is halved, and an odd one tripled and
/// increased by one.
fn steps(n: u64) -> u64 {
    let next = |&n: &u64| (n > 1).then(|| if n.is_multiple_of(2) { n / 2 } else { 3 * n + 1 });
    std::iter::successors(Some(n), next).count() as u64 - 1
}

/// Works until there are no more jobs.
async fn work(jobs: Receiver<u64>, results: Sender<(u64, u64)>) {
    while let Some(n) = jobs.recv().await {
        results.send((n, steps(n))).await.expect("main receives to the end");
    }
}

fn main() {
    block_on(async {
        let (jobs_tx, jobs) = channel(0);
        let (results_tx, results) = channel(0);

        // Each job goes to one of them, whoever is free.
        let pool = WaitGroup::new();
        for _ in 0..4 {
            pool.go(work(jobs.clone(), results_tx.clone()));
        }
        // Only workers receive jobs and send results from now on. So the results come to their end
        // when the last worker does.
        drop((jobs, results_tx));

        // It drops `jobs_tx` when it is through. That closes the channel: no more jobs.
        pool.go(async move {
            for n in 1..=26 {
                jobs_tx.send(n).await.expect("the workers receive to the end");
            }
        });

        let mut found = Vec::new();
        while let Some(result) = results.recv().await {
            found.push(result);
        }
        // They come in any order.
        found.sort();
        for (n, steps) in &found {
            println!("{n:2} {}", "*".repeat(*steps as usize));
        }

        pool.wait().await;
        println!("{} results; goroutines left: {}", found.len(), num_goroutines());
    });
}
