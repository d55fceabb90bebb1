//! The primes, sieved by a chain of goroutines: one for each prime, which lets pass what its prime
//! does not divide. The chain grows at its end, and is taken down from there.
//!
//! `cargo run --example sieve`

use gorun::{Receiver, Sender, block_on, channel, go, num_goroutines, yield_now};

/// 2, 3, 4, .. for as long as somebody receives.
async fn count(numbers: Sender<u32>) {
    for number in 2.. {
        if numbers.send(number).await.is_err() {
            return;
        }
    }
}

/// Passes on what `prime` does not divide.
async fn sieve(prime: u32, numbers: Receiver<u32>, others: Sender<u32>) {
    while let Some(number) = numbers.recv().await {
        if number % prime != 0 && others.send(number).await.is_err() {
            return;
        }
    }
}

fn main() {
    block_on(async {
        // Without a buffer nobody is ahead of the others by more than a number.
        let (tx, mut numbers) = channel(0);
        go!(count(tx));

        let mut primes = Vec::new();
        while primes.len() < 25 {
            // Whatever has come through all the sieves is prime.
            let prime = numbers.recv().await.expect("there is always another prime");
            primes.push(prime.to_string());
            let (tx, others) = channel(0);
            go!(sieve(prime, numbers, tx));
            numbers = others;
        }
        println!("{}", primes.join(" "));
        println!("{} goroutines: main, one that counts, 25 sieves", num_goroutines());

        // The last sieve can send no more, and ends; then the one before it, and so on.
        drop(numbers);
        while num_goroutines() > 1 {
            yield_now().await;
        }
        println!("{} is left", num_goroutines());
    });
}
